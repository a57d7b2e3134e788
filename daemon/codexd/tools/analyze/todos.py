"""What the authors themselves left to do: TODO, FIXME and the like, in comments."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from codexd.errors import Severity
from codexd.tools.analyze.code import CodeFile, Weighed
from codexd.tools.interface import Finding

MARK = re.compile(
    r"\b(FIXME|TODO)\b(?:\([^)]*\))?[:\s]*(.*)"
    # These are words as well: they count where a comment begins, or with their colon.
    r"|(?:^\W*\b|\b(?=\w+(?:\([^)]*\))?:))(XXX|BUG|HACK)\b(?:\([^)]*\))?[:\s]*(.*)"
)

HASH = re.compile(r"\.(sh|rb|pl|pm|r|gd)$", re.IGNORECASE)
DASHES = re.compile(r"\.(lua|sql)$", re.IGNORECASE)
TEXT = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`'
"""Texts of most languages, in which nothing is a comment."""
LINE = {HASH: r"(?<!\S)#", DASHES: r"--"}
"""What begins a comment to the end of its line, where that is not `//`."""

MATTERS = {"FIXME": 4, "BUG": 4, "XXX": 3, "HACK": 2, "TODO": 1}

LONGEST = 120


def todos(files: Iterable[CodeFile]) -> Iterator[Weighed]:
    """Each mark with what its author wrote behind it: FIXME and BUG before TODO."""
    for file in files:
        for line, column, comment in comments(file):
            if not (mark := MARK.search(comment)):
                continue
            word, rest = mark[1] or mark[3], (mark[2] or mark[4] or "").strip(" */->")
            severity = Severity.HINT if word == "TODO" else Severity.INFORMATION
            said = rest if len(rest) <= LONGEST else f"{rest[: LONGEST - 1]}…"
            yield Weighed(
                MATTERS[word],
                Finding(
                    path=file.path,
                    line=line,
                    column=column + mark.start(1 if mark[1] else 3),
                    severity=severity,
                    message=f"{word}: {said or 'nothing more is said'}",
                    rule=word,
                ),
            )


def comments(file: CodeFile) -> Iterator[tuple[int, int, str]]:
    """Line, column and text of each comment."""
    if file.is_python:
        # Only a tokenizer knows a comment from a `#` in a string.
        try:
            for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
                if token.type == tokenize.COMMENT:
                    yield token.start[0], token.start[1] + 1, token.string
        except (tokenize.TokenError, SyntaxError, ValueError):
            return
    else:
        yield from comments_of_others(file)


def comments_of_others(file: CodeFile) -> Iterator[tuple[int, int, str]]:
    """The comments of a file that is not Python, line by line."""
    begin = next((sign for suffix, sign in LINE.items() if suffix.search(file.path)), "//")
    signs = re.compile(rf"{TEXT}|(?P<line>{begin}|<!--)|(?P<block>/\*)")
    in_block = False
    for number, line in enumerate(file.text.splitlines(), 1):
        at = 0
        while at < len(line):
            if in_block:
                end = line.find("*/", at)
                in_block = end < 0
                yield comment(number, line, at, len(line) if end < 0 else end)
                at = len(line) if end < 0 else end + 2
                continue
            found = signs.search(line, at)
            if found is None:
                break
            at = found.end()
            in_block = found["block"] is not None
            if found["line"] is not None:
                yield comment(number, line, at, len(line))
                break


def comment(number: int, line: str, start: int, end: int) -> tuple[int, int, str]:
    """Line, column and text of what stands between two places of a line."""
    text = line[start:end]
    bare = text.lstrip(" \t*/!")
    return number, start + len(text) - len(bare) + 1, bare
