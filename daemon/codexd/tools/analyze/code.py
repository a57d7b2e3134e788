"""Plain values that every kind of analysis shares: a file's text, a finding with its weight."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from codexd.errors import Severity
from codexd.tools.interface import Finding

TEST_PATH = re.compile(
    r"(^|/)(tests?|__tests__|spec|testing)/|(^|/)(test_[^/]*|conftest)\.\w+$"
    r"|[._-](test|tests|spec)\.\w+$"
)

ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class CodeFile:
    """One file as the policy let it be read."""

    path: str
    """Workspace-relative, forward slashes."""
    text: str

    @property
    def suffix(self) -> str:
        """`.py`, or empty."""
        name = self.path.rpartition("/")[2]
        return name[name.rfind(".") :].lower() if "." in name[1:] else ""

    @property
    def is_python(self) -> bool:
        """Whether it is Python source (a stub is none: it has neither bodies nor docstrings)."""
        return self.suffix == ".py"

    @property
    def is_test(self) -> bool:
        """Whether its path is that of a test."""
        return TEST_PATH.search(self.path) is not None


class Weighed(NamedTuple):
    """A finding, and how much it matters among those of its severity."""

    weight: int
    finding: Finding


def worst_first(found: Iterable[Weighed]) -> list[Finding]:
    """The findings by severity, weight and place, each once; among equals tests come last."""
    unique = {(f.path, f.line, f.column, f.rule): (weight, f) for weight, f in found}

    def rank(item: tuple[tuple[str, int, int, str], tuple[int, Finding]]) -> tuple[Any, ...]:
        place, (weight, finding) = item
        is_test = TEST_PATH.search(finding.path) is not None
        return ORDER[finding.severity], is_test, -weight, place

    return [finding for _, (_, finding) in sorted(unique.items(), key=rank)]


def parse(file: CodeFile) -> ast.Module | None:
    """The syntax tree of a Python file; `None` where it has none (ruff says why)."""
    with warnings.catch_warnings():
        # An invalid escape in somebody's file is no concern of whoever reads our stderr.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(file.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def column_of(file_lines: list[str], line: int) -> int:
    """The 1-based column of the first sign of a line that is no blank."""
    text = file_lines[line - 1] if 0 < line <= len(file_lines) else ""
    return len(text) - len(text.lstrip()) + 1
