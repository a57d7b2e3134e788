"""YAML as agent files have it: values and where each stands, out of libyaml's events.

Scalars are YAML 1.2's (`yes` and `on` are texts). Tags, anchors, aliases and repeated keys are
faults, depth and size are capped: what cannot be meant in an agent file cannot do harm in one.
PyYAML's own composers are not used: the C one crashes on 100,000 brackets, and both read 1.1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, cast

import yaml

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
"""Only its events are used. Without libyaml they come from PyYAML's own scanner, slower."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 40

KeyPath: TypeAlias = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something stands: lines and columns from 1, in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


START = Place(1, 1, 1, 1)


class YamlFault(Exception):
    """The text is no YAML that an agent file may hold; `place` is where."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message, self.place = message, place


@dataclass(slots=True)
class Document:
    """One YAML document, read."""

    value: Any
    """`None` for an empty text."""
    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    """Of each mapping's keys, by the path of its value; of a list's items, where each begins."""
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])


def decode(data: bytes) -> str:
    """The text of a file. Raises `YamlFault` for what is too large or no UTF-8."""
    if len(data) > MAX_BYTES:
        raise YamlFault(f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read", START)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        raise YamlFault("the file is not UTF-8", Place(line, column, line, column + 1)) from None


def parse(text: str, *, first_line: int = 1) -> Document:
    """The one document in `text`, whose first line is line `first_line` of its file.

    Raises `YamlFault`.
    """
    lines = _Lines(text, first_line)
    try:
        return _Reader(text, lines).document()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line, column = lines.place(mark) if mark else (first_line, 1)
        sign = text[mark.index : mark.index + 1] if mark else ""
        raise YamlFault(_plain(error, sign), Place(line, column, line, column + 1)) from None
    except yaml.reader.ReaderError as error:
        # The position counts bytes.
        before = text.encode()[: error.position].decode(errors="ignore")
        line = before.count("\n") + first_line
        column = len(before.rpartition("\n")[2]) + 1
        message = f"a character that YAML does not allow: {_code_point(error.character)}"
        raise YamlFault(message, Place(line, column, line, column + 1)) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + first_line
        raise YamlFault("half of a surrogate pair", Place(line, 1, line, 2)) from None


def _plain(error: yaml.MarkedYAMLError, sign: str) -> str:
    """What is wrong at `sign`, the character where the parser stopped."""
    problem = error.problem or "not YAML"
    tab = "a tab stands here; YAML is indented with spaces"
    hints = {
        "found character that cannot start any token": tab
        if sign == "\t"
        else f"`{sign}` cannot begin a text; put it in quotes",
        "found a tab character that violates indentation": tab,
        "found unexpected end of stream": "the file ends inside quotes that begin "
        f"in line {error.context_mark.line + 1 if error.context_mark else 1}",
        "mapping values are not allowed in this context": "a second `: ` in one line; "
        "put the text in quotes",
        "did not find expected key": "a key was expected here; look at the indentation",
    }
    return hints.get(problem, problem)


def _code_point(character: Any) -> str:
    return f"U+{character:04X}" if isinstance(character, int) else repr(character)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come."""

    value: list[Any] | dict[str, Any]
    path: KeyPath
    is_flow: bool
    key: str | None = None
    """Of a mapping: the key whose value comes next."""


class _Lines:
    """Lines as editors count them: YAML ends one at three more signs, so then marks mislead."""

    def __init__(self, text: str, first: int) -> None:
        self._first = first
        self._starts: list[int] | None = None
        if not text.isascii() and re.search("[\x85\u2028\u2029]", text):
            self._starts = [0, *(each.end() for each in re.finditer(r"\r\n|\r|\n", text))]

    def place(self, mark: Any) -> tuple[int, int]:
        """The line and the column of `mark`."""
        if self._starts is None:
            return mark.line + self._first, mark.column + 1
        n = bisect_right(self._starts, mark.index) - 1
        return n + self._first, mark.index - self._starts[n] + 1


class _Reader:
    """Events into values; its own stack, so that no text can exhaust Python's."""

    def __init__(self, text: str, lines: _Lines) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)  # pyright: ignore[reportUnknownMemberType]
        self._lines = lines
        self._found = Document(None)

    def document(self) -> Document:
        """The document. Raises what libyaml raises, and `YamlFault`."""
        n_documents = 0
        stack: list[_Open] = []
        for event in self._events:
            kind = cast("type[Any]", type(event))
            if kind is yaml.ScalarEvent:
                self._scalar(event, stack)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._begin(event, stack)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end(event, stack.pop())
            elif kind is yaml.AliasEvent:
                raise YamlFault("an alias (`*`) has no meaning here", self._place(event))
            elif kind is yaml.DocumentStartEvent:
                n_documents += 1
                if n_documents > 1:
                    message = "a second document; an agent file holds one"
                    raise YamlFault(message, self._place(event))
        return self._found

    def _scalar(self, event: Any, stack: list[_Open]) -> None:
        place = self._plain(event)
        holder = stack[-1] if stack else None
        if holder is not None and holder.key is None and isinstance(holder.value, dict):
            key: str = event.value
            path = (*holder.path, key)
            if len(key) > MAX_KEY:
                raise YamlFault(f"a key of more than {MAX_KEY} characters", place)
            if key in holder.value:
                first = self._found.keys[path].line
                raise YamlFault(f"the key `{key}` stands twice; first in line {first}", place)
            self._found.keys[path] = place
            holder.key = key
        else:
            # Quotes and blocks make texts; `implicit` says that there are none.
            value = scalar(event.value) if event.implicit[0] else event.value
            self._put(value, place, holder)

    def _begin(self, event: Any, stack: list[_Open]) -> None:
        place = self._plain(event)
        holder = stack[-1] if stack else None
        if holder is not None and holder.key is None and isinstance(holder.value, dict):
            raise YamlFault("a key must be a text", place)
        if len(stack) >= MAX_DEPTH:
            raise YamlFault(f"nested deeper than {MAX_DEPTH}", place)
        value: list[Any] | dict[str, Any] = {} if type(event) is yaml.MappingStartEvent else []
        path = self._put(value, place, holder)
        stack.append(_Open(value, path, event.flow_style))

    def _put(self, value: Any, place: Place, holder: _Open | None) -> KeyPath:
        """Put `value` where it belongs; its path."""
        path: KeyPath = ()
        if holder is None:
            self._found.value = value
        elif isinstance(holder.value, list):
            path = (*holder.path, len(holder.value))
            holder.value.append(value)
            self._found.keys[path] = place
        else:
            assert holder.key is not None
            path = (*holder.path, holder.key)
            holder.value[holder.key] = value
            holder.key = None
        self._found.values[path] = place
        return path

    def _end(self, event: Any, closed: _Open) -> None:
        place = self._found.values[closed.path]
        end = self._lines.place(event.end_mark)
        if not closed.is_flow and closed.value:
            # libyaml ends a block where the next thing begins; it ends with its last item.
            last = len(closed.value) - 1 if isinstance(closed.value, list) else [*closed.value][-1]
            end = self._found.values[*closed.path, last][2:]
        self._found.values[closed.path] = Place(place.line, place.column, *end)

    def _plain(self, event: Any) -> Place:
        """Where `event` stands. Raises `YamlFault` where it has an anchor or a tag."""
        place = self._place(event)
        if event.anchor is not None:
            raise YamlFault("an anchor (`&`) has no meaning in an agent file", place)
        if event.tag is not None:
            raise YamlFault(f"a tag ({event.tag}) has no meaning in an agent file", place)
        return place

    def _place(self, event: Any) -> Place:
        return Place(*self._lines.place(event.start_mark), *self._lines.place(event.end_mark))


_NUMBERS = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<special>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
MAX_KEY = 200
"""Characters of the longest key: remarks repeat them."""
MAX_NUMBER = 40
"""Characters of the longest number; longer ones stay texts."""


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain scalar means in YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789.+-" or len(text) > MAX_NUMBER:
        return text
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return text
    if match["special"]:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if match["float"]:
        return float(text)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
