"""What the authors themselves left to do: TODO, FIXME and the like, in comments."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from codexd.errors import Severity
from codexd.tools.analyze.code import CodeFile, Weighed
from codexd.tools.interface import Finding

MARK = re.compile(r"\b(FIXME|XXX|BUG|HACK|TODO)\b(?:\([^)]*\))?[:\s]*(.*)")

COMMENT = re.compile(r"(?:#|//|/\*|<!--|--|^\s*\*|^\s*[;%])\s*(.*)")
"""The start of a comment in the languages that lizard reads, and in markup and configuration."""

MATTERS = {"FIXME": 4, "BUG": 4, "XXX": 3, "HACK": 2, "TODO": 1}

LONGEST = 120


def todos(files: Iterable[CodeFile]) -> Iterator[Weighed]:
    """Each mark with what its author wrote behind it: FIXME and BUG before TODO."""
    for file in files:
        for line, column, comment in comments(file):
            if not (mark := MARK.search(comment)):
                continue
            word, rest = mark[1], mark[2].strip(" */->")
            severity = Severity.HINT if word == "TODO" else Severity.INFORMATION
            said = rest if len(rest) <= LONGEST else f"{rest[: LONGEST - 1]}…"
            yield Weighed(
                MATTERS[word],
                Finding(
                    path=file.path,
                    line=line,
                    column=column + mark.start(),
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
        for number, line in enumerate(file.text.splitlines(), 1):
            if comment := COMMENT.search(line):
                yield number, comment.start(1) + 1, comment[1]
