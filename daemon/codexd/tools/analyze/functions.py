"""Functions of many languages, as lizard finds them: which are too complex, which are untested."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

PRIVATE = re.compile(r"(^|[.:#])_|^\(anonymous\)$|^anonymous__\d+$|^\*|^[^\w]*$|\b__\w+__$")

OFFERS: Mapping[str, Callable[[Function], bool]] = {
    ".go": lambda one: one.own_name[:1].isupper(),
    ".rs": lambda one: re.match(r"pub\s+(?!\()", one.signature) is not None,
    **dict.fromkeys(
        (".java", ".cs"),
        lambda one: re.search(r"\b(public|protected|default)\b", one.signature) is not None,
    ),
    **dict.fromkeys(
        (".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".m", ".mm"),
        # A member that is `static` is offered; it stands indented in its class.
        lambda one: not (one.column == 1 and re.match(r"static\b", one.signature)),
    ),
    **dict.fromkeys(
        (".kt", ".kts", ".scala", ".swift", ".php", ".ts", ".tsx"),
        lambda one: (
            re.search(r"\b(private|fileprivate|protected|internal)\b|^#", one.signature) is None
        ),
    ),
}
"""How a function's first line says that others may call it, by the suffix of its language."""

ANONYMOUS = re.compile(r"^\(anonymous\)$|^anonymous__\d+$")

ENTRIES = {"main"}
"""What the system calls and no test does; a `main()` of Python is called by both."""

RUST_TESTS = re.compile(r"^#\[cfg\((?:all\()?test\b", re.MULTILINE)
"""From here on a Rust file is its own test."""


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


def offered(file: CodeFile) -> list[Function]:
    """The functions of one file that others may call: none that stands inside another, none
    that its language keeps to the file, none of the file's own tests.
    """
    says = OFFERS.get(file.suffix)
    last = own_tests(file)
    public: list[Function] = []
    end_before, end_here, here = 0, 0, 0
    for one in sorted(functions(file), key=lambda one: (one.line, -one.lines)):
        # `end_before`: how far the functions that began on earlier lines reach.
        if one.line > here:
            end_before, here = max(end_before, end_here), one.line
        end_here = max(end_here, one.line + one.lines)
        inner = one.line + one.lines <= end_before
        entry = one.own_name in ENTRIES and not file.is_python
        if inner or entry or PRIVATE.search(one.name) or (last and one.line > last):
            continue
        if says is None or says(one):
            public.append(one)
    return public


def own_tests(file: CodeFile) -> int:
    """The line from which on a file is its own test; 0 where it has none."""
    begin = RUST_TESTS.search(file.text) if file.suffix == ".rs" else None
    return file.text.count("\n", 0, begin.start()) + 1 if begin else 0


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
        # What is long in a test is long by its nature: cases one after the other.
        if file.is_test:
            continue
        for one in functions(file):
            name = "an anonymous function" if ANONYMOUS.search(one.name) else f"`{one.own_name}`"
            if one.paths > LIMIT:
                yield Weighed(
                    one.paths,
                    Finding(
                        path=one.path,
                        line=one.line,
                        column=one.column,
                        severity=Severity.WARNING if one.paths >= MUCH else Severity.INFORMATION,
                        message=(
                            f"{one.paths} paths lead through {name} ({one.lines} lines): "
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
        elif first := own_tests(file):
            tests = file.text.splitlines()[first - 1 :]
            named.update(re.findall(r"\w+", "\n".join(tests)))
    for file in files:
        if file.is_test:
            continue
        for one in offered(file):
            if one.own_name in named:
                continue
            much = "1 path" if one.paths == 1 else f"{one.paths} paths"
            yield Weighed(
                one.paths,
                Finding(
                    path=one.path,
                    line=one.line,
                    column=one.column,
                    severity=Severity.WARNING if one.paths > LIMIT else Severity.INFORMATION,
                    message=f"no test names `{one.own_name}`, and {much} lead through it",
                    rule="untested",
                ),
            )
