"""Functions of many languages, as lizard finds them: which are too complex, which are untested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from codexd.errors import Severity
from codexd.tools.analyze.code import CodeFile, Weighed, column_of
from codexd.tools.interface import Finding

LIMIT = 15
"""Paths through one function that a reader and a test suite can still follow."""

MUCH = 25
"""From here on splitting is due, not only advised."""

PRIVATE = re.compile(r"(^|[.:#])_|^\(anonymous\)$|^\*|^[^\w]*$|\b__\w+__$")


@dataclass(frozen=True, slots=True)
class Function:
    """One function with a body."""

    path: str
    name: str
    """As the language writes it: `Server.run`, `Server::run`, `run`."""
    signature: str
    """Its first line."""
    line: int
    column: int
    lines: int
    paths: int
    """McCabe's cyclomatic complexity."""

    @property
    def own_name(self) -> str:
        """The name without what it belongs to."""
        return re.split(r"\.|::|#", self.name)[-1]


def functions(file: CodeFile) -> list[Function]:
    """The functions of one file as they stand; none where lizard does not know the language."""
    # Only here: the import reads every language that it knows. It has no types.
    lizard: Any = import_module("lizard")
    if not lizard.get_reader_for(file.path):
        return []
    lines = file.text.splitlines()
    # lizard holds untyped data, and its parsers give up on odd sources in ways of their own.
    try:
        found = lizard.analyze_file.analyze_source_code(file.path, file.text).function_list
    except (RecursionError, IndexError, KeyError, ValueError, AttributeError, TypeError):
        return []
    return [
        Function(
            path=file.path,
            name=str(one.name),
            signature=first_line(lines, int(one.start_line)),
            line=max(int(one.start_line), 1),
            column=column_of(lines, int(one.start_line)),
            lines=int(one.end_line) - int(one.start_line) + 1,
            paths=int(one.cyclomatic_complexity),
        )
        for one in found
    ]


def first_line(lines: list[str], number: int) -> str:
    """How a function begins in its own language, without the brace."""
    text = lines[number - 1].strip().rstrip("{").rstrip() if 0 < number <= len(lines) else ""
    return text if len(text) <= 120 else f"{text[:119]}…"


def complexity(files: Iterable[CodeFile]) -> Iterator[Weighed]:
    """The functions with more than `LIMIT` paths through them."""
    for file in files:
        for one in functions(file):
            if one.paths > LIMIT:
                yield Weighed(
                    one.paths,
                    Finding(
                        path=one.path,
                        line=one.line,
                        column=one.column,
                        severity=Severity.WARNING if one.paths >= MUCH else Severity.INFORMATION,
                        message=(
                            f"{one.paths} paths lead through `{one.own_name}` ({one.lines} lines): "
                            f"hard to test and to change; {LIMIT} are still readable"
                        ),
                        rule="complexity",
                    ),
                )


def untested(files: Sequence[CodeFile]) -> Iterator[Weighed]:
    """The public functions whose name stands in no test, the most complex first."""
    named: set[str] = set()
    for file in files:
        if file.is_test:
            named.update(re.findall(r"\w+", file.text))
    for file in files:
        if file.is_test:
            continue
        for one in functions(file):
            if PRIVATE.search(one.name) or one.own_name in named:
                continue
            much = "1 path leads" if one.paths == 1 else f"{one.paths} paths lead"
            yield Weighed(
                one.paths,
                Finding(
                    path=one.path,
                    line=one.line,
                    column=one.column,
                    severity=Severity.WARNING if one.paths > LIMIT else Severity.INFORMATION,
                    message=f"no test names `{one.own_name}`, and {much} through it",
                    rule="untested",
                ),
            )
