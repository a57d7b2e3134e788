"""What a door can ask for, and what it is told: plain values, shaped by no wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from codexd.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """One agent, one goal. `None` is the definition's own, or the configuration's."""

    agent: str
    goal: str | None = None
    scope: tuple[str, ...] = ()
    budget: int | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateParallel:
    """Several at once, results in the order asked."""

    runs: tuple[Delegate, ...]
    total_budget: int | None = None
    budget_usd: float | None = None
    """For all together."""
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAgent:
    """An agent from a description, run at once; `save` also writes `.codex/agents/NAME.yaml`."""

    prompt: str
    goal: str | None = None
    budget: int | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None
    save: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A root run, taken up again; limits are new totals, `None`: as before."""

    run: str | None = None
    """How its id begins; `None`: the last root run."""
    budget: int | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a resumed run has already: nothing of it is paid or done again."""

    run: str
    """The shortest start of its id."""
    answers: int
    """Of models."""
    results: int
    """Of tools."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What `undo` put back, or why it put back nothing."""

    run: str
    restored: tuple[str, ...]
    """Files that hold again what they held before the run, workspace-relative."""
    deleted: tuple[str, ...]
    """Files that the run had made, and that are gone again."""
    conflicts: tuple[str, ...]
    """Files that were changed since: with one of these nothing is put back."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The question before a hosted model's first use in a workspace."""

    host: str
    reads: str
    """What it will read, for people: `./** without .env, .git, keys`."""
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreatedAgent:
    """What `create_agent` made, before it runs."""

    name: str
    yaml: str
    origin: str
    """`model`, or the built-in rule that it came from."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened in a run, for a live display: after each commit, or progress (droppable)."""

    run: str
    """Empty: of no run, but of the workspace."""
    kind: str
    """An event kind (`started`, `begun`, `finding`, `ended`, …), or `progress`. Of the workspace:
    `agents` where these are others now, `config` where files that configure are.
    """


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`."""

    name: str
    ok: bool
    text: str
    remedy: str = ""
    source: str = ""
    """The file and line that sets it."""


Ask = Callable[[Consent], Awaitable[str]]
"""Answers `once`, `always` or `no`."""


def micro_usd(usd: float | None) -> int | None:
    """Dollars as whole micro-dollars, rounded down: a limit is never rounded up."""
    if usd is None:
        return None
    if not 0 <= usd < 1e12:
        raise BadRequest(f"a budget of {usd} dollars is none")
    return int(usd * 1_000_000)
