"""What a door is shown of a run: plain values, no insides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from codexd.tools import Finding


class Status(StrEnum):
    """What a run is. `INTERRUPTED` is derived (not ended, and its host is gone), never an event."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    BUDGET_EXCEEDED = "budget_exceeded"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen unless somebody resumes it."""
        return self not in (Status.RUNNING, Status.WAITING)


class Judged(StrEnum):
    """What became of one success criterion."""

    MET = "met"
    NOT_MET = "not_met"
    NOT_JUDGED = "not_judged"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One success criterion, judged, with the evidence given."""

    text: str
    judged: Judged
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run, as doors show it."""

    id: str
    """12 hex digits."""
    short: str
    """The shortest leading part of `id`, at least 4 digits, that no other run shares."""
    parent: str | None
    root: str
    agent: str
    """Empty for a `delegate-parallel` group."""
    goal: str
    status: Status
    doing: str
    """What it does now (`grep "License"`), what it waits for, or empty."""
    model: str
    billed: bool
    """Whether tokens of this model cost money; `False`: counted, not billed."""
    spent: int
    """Tokens settled, its children's included."""
    budget: int
    uncertain: int
    """Of `spent`, tokens charged for calls whose usage never arrived."""
    spent_usd: float | None
    """Dollars settled, its children's included: 0.0 where nobody bills (rules, a model on this
    machine); `None` where the price of any of its models is not known."""
    budget_usd: float | None
    started_at: str
    """RFC 3339 UTC with milliseconds."""
    ended_at: str | None
    seconds: float
    """Running time."""
    deadline_seconds: float | None
    summary: str
    reason: str
    """Why it ended as it did, where not `completed`; what to do about it stands in `help`."""
    help: str
    findings: tuple[Finding, ...]
    criteria: tuple[Criterion, ...]
    artifacts: tuple[str, ...]
    """Declared or written files that it left, workspace-relative."""
    missing_artifacts: tuple[str, ...]
    plan: tuple[tuple[str, str], ...]
    """(step, `pending` | `in_progress` | `completed`)."""
    data: object
    """The structured result beyond summary and criteria (a plan, a list), or `None`."""
    notes: tuple[str, ...]
    """Lightweight mode, overruns, compactions, grants not honoured: one sentence each."""
    children: tuple[RunView, ...] = ()
    scope: tuple[str, ...] = ()
    """The paths that it is about, workspace-relative; empty: all of them."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in a list, as often as it changes: what is large of a `RunView` is left out."""

    id: str
    short: str
    parent: str | None
    root: str
    agent: str
    goal: str
    """At most `GOAL_CHARACTERS` of it."""
    status: Status
    doing: str
    model: str
    billed: bool
    spent: int
    budget: int
    uncertain: int
    spent_usd: float | None
    budget_usd: float | None
    started_at: str
    ended_at: str | None
    seconds: float
    deadline_seconds: float | None
    reason: str
    n_findings: int


GOAL_CHARACTERS = 200


def tree(run: RunView) -> Iterator[RunView]:
    """A run and all below it, parents first."""
    yield run
    for child in run.children:
        yield from tree(child)


def rows_of(run: RunView) -> Iterator[RunRow]:
    """The rows of a run's tree, parents first."""
    yield RunRow(
        id=run.id,
        short=run.short,
        parent=run.parent,
        root=run.root,
        agent=run.agent,
        goal=run.goal[:GOAL_CHARACTERS],
        status=run.status,
        doing=run.doing,
        model=run.model,
        billed=run.billed,
        spent=run.spent,
        budget=run.budget,
        uncertain=run.uncertain,
        spent_usd=run.spent_usd,
        budget_usd=run.budget_usd,
        started_at=run.started_at,
        ended_at=run.ended_at,
        seconds=run.seconds,
        deadline_seconds=run.deadline_seconds,
        reason=run.reason,
        n_findings=len(run.findings),
    )
    for child in run.children:
        yield from rows_of(child)
