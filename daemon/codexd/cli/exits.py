"""What the exit status says of runs that have ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codexd.cli.faults import BUDGET, CANCELLED, COMPLETED, DEADLINE, DENIED, FAILED
from codexd.errors import Severity
from codexd.runs.view import RunView, Status
from codexd.tools import Finding

_STATUS = {
    Status.COMPLETED: COMPLETED,
    Status.FAILED: FAILED,
    Status.INTERRUPTED: FAILED,
    Status.BUDGET_EXCEEDED: BUDGET,
    Status.DEADLINE_EXCEEDED: DEADLINE,
    Status.CANCELLED: CANCELLED,
}
_FIRST = (CANCELLED, FAILED, DENIED, BUDGET, DEADLINE, COMPLETED)
SEVERITIES = tuple(Severity)
"""Worst first."""


def first_of(codes: Iterable[int]) -> int:
    """Of several exit statuses the one that is told: the first of 130, 1, 5, 3, 4, 0."""
    return min(codes, key=_FIRST.index, default=COMPLETED)


def exit_status(run: RunView, fail_on: Severity | None = None) -> int:
    """The exit status of an ended run; of a group's children where it is one."""
    # A child that an agent delegated to is that agent's affair; a group's are the user's.
    asked = run.children if not run.agent and run.children else (run,)
    codes = [_STATUS.get(each.status, FAILED) for each in asked]
    if fail_on is not None:
        bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
        found = (finding for each in tree(run) for finding in each.findings)
        codes += [FAILED for finding in found if finding.severity in bad]
    return first_of(codes)


def identity(finding: Finding) -> tuple[str, int, int, str, str]:
    """What two agents that found the same have in common: the place first."""
    return (finding.path, finding.line, finding.column, finding.rule, finding.message)


def tree(run: RunView) -> Iterator[RunView]:
    """The run, then those below it."""
    yield run
    for child in run.children:
        yield from tree(child)
