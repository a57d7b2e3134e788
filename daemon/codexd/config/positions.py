"""Where each key and each value of a TOML file stands: `tomllib` reads, we only find.

The finder goes over text that `tomllib` has accepted, so it need not judge, only follow.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Any, NamedTuple, TypeAlias

from codexd.errors import CodexdError

KeyPath: TypeAlias = tuple[str | int, ...]
"""`("tools", "fs", "write", 0)`: keys, and indexes into lists."""

MAX_DEPTH = 40
"""Levels of tables and arrays that a file may have; real ones have five."""


class Span(NamedTuple):
    """From (line, column) to one past the end; 1-based, in code points."""

    line: int
    column: int
    end_line: int
    end_column: int


class TomlFault(CodexdError):
    """Text that is no TOML; `line` and `column` (1-based) are where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def parse_toml(text: str) -> tuple[dict[str, Any], dict[KeyPath, tuple[int, int]]]:
    """The values of `text`, and (line, column) of each key, table and array item by its path.

    Raises `TomlFault`, and nothing else.
    """
    values, keys, _ = parse_toml_spans(text)
    return values, {path: (span.line, span.column) for path, span in keys.items()}


def parse_toml_spans(
    text: str,
) -> tuple[dict[str, Any], dict[KeyPath, Span], dict[KeyPath, Span]]:
    """The values of `text`, the span of each key, and the span of each value.

    An array item has the same span in both. A table has a key's span only, save an inline one.
    Raises `TomlFault`, and nothing else.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise TomlFault(f"nested deeper than {MAX_DEPTH} levels", 1, 1) from None
    except ValueError as fault:
        raise _fault(str(fault), text) from None
    finder = _Finder(text)
    finder.document()
    return values, finder.keys, finder.values


_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def _fault(message: str, text: str) -> TomlFault:
    at = _AT.search(message)
    if at is None:
        return TomlFault(message, 1, 1)
    if at[1]:
        return TomlFault(message[: at.start()], int(at[1]), int(at[2]))
    lines = text.split("\n")
    return TomlFault(message[: at.start()], len(lines), len(lines[-1]) + 1)


_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_ATOM = re.compile(r"[^,\]}#\r\n]*[^,\]}#\r\n \t]")


class _Finder:
    """Walks accepted TOML once and notes spans; `at` is the offset of what comes next."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.line_starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self.keys: dict[KeyPath, Span] = {}
        self.values: dict[KeyPath, Span] = {}
        # How many tables `[[path]]` has begun: a later `[path.x]` means the last of them.
        self.tables: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self.skip(_GAP)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_GAP)

    def header(self) -> KeyPath:
        """The path of the table that a `[header]` or `[[header]]` begins."""
        start, is_array = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        parts = self.dotted_key()
        self.at += 2 if is_array else 1
        path: KeyPath = ()
        for i, (name, span) in enumerate(parts):
            path = self.note(path, name, span)
            if is_array and i == len(parts) - 1:
                self.tables[path] = self.tables.get(path, 0) + 1
            if path in self.tables:
                path = (*path, self.tables[path] - 1)
                self.keys.setdefault(path, self.span(start))
        return path

    def pair(self, table: KeyPath) -> None:
        path = table
        for name, span in self.dotted_key():
            path = self.note(path, name, span)
        self.at += 1  # the `=`
        self.skip(_SPACE)
        self.value(path)

    def note(self, path: KeyPath, name: str, span: Span) -> KeyPath:
        path = (*path, name)
        if len(path) > MAX_DEPTH:
            raise TomlFault(f"nested deeper than {MAX_DEPTH} levels", span.line, span.column)
        self.keys.setdefault(path, span)
        return path

    def dotted_key(self) -> list[tuple[str, Span]]:
        parts: list[tuple[str, Span]] = []
        while True:
            self.skip(_SPACE)
            start = self.at
            self.skip(_KEY)
            token = self.text[start : self.at]
            name = tomllib.loads(f"k = {token}")["k"] if token[0] in "\"'" else token
            parts.append((name, self.span(start)))
            self.skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def value(self, path: KeyPath) -> None:
        start = self.at
        if len(path) > MAX_DEPTH:
            span = self.span(start)
            raise TomlFault(f"nested deeper than {MAX_DEPTH} levels", span.line, span.column)
        opening = self.text[start]
        if opening == "[":
            self.array(path)
        elif opening == "{":
            self.inline_table(path)
        else:
            self.skip(_STRING if opening in "\"'" else _ATOM)
        self.values[path] = self.span(start)

    def array(self, path: KeyPath) -> None:
        self.at += 1
        self.skip(_GAP)
        i = 0
        while self.text[self.at] != "]":
            item: KeyPath = (*path, i)
            self.value(item)
            self.keys[item] = self.values[item]
            self.skip_comma()
            i += 1
        self.at += 1

    def inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self.skip(_GAP)
        while self.text[self.at] != "}":
            self.pair(path)
            self.skip_comma()
        self.at += 1

    def skip_comma(self) -> None:
        self.skip(_GAP)
        if self.text[self.at] == ",":
            self.at += 1
            self.skip(_GAP)

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def span(self, start: int) -> Span:
        """From `start` to here."""
        return Span(*self.place(start), *self.place(self.at))

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1
