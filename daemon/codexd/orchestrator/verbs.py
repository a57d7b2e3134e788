"""What a door can ask for, and what it is told: plain values, shaped by no wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from pydantic import ConfigDict

from codexd.agents.listing import AgentRow
from codexd.errors import BadRequest, Diagnostic
from codexd.models.interface import ModelEntry
from codexd.runs.view import RunRow, RunView


class Request:
    """What a door asks for; read from a wire, it takes no parameter but its own."""

    __slots__ = ()
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags(Request):
    """What may be said beside any goal, for this request alone."""

    model: str | None = None
    """`PROVIDER/MODEL`, `replay/FILE` or `offline`, as `-m` has it; `None`: the configuration's."""
    config: Mapping[str, str] = field(default_factory=dict[str, str])
    """Configuration by dotted key, as `-c` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate(Flags):
    """One agent, one goal. `None` is the definition's own, or the configuration's."""

    agent: str
    goal: str | None = None
    scope: tuple[str, ...] = ()
    budget: int | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateParallel(Flags):
    """Several at once, results in the order asked."""

    runs: tuple[Delegate, ...]
    total_budget: int | None = None
    budget_usd: float | None = None
    """For all together."""
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAgent(Flags):
    """An agent from a description, run at once; `save` also writes `.codex/agents/NAME.yaml`."""

    prompt: str
    goal: str | None = None
    budget: int | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None
    save: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Flags):
    """A root run, taken up again; limits are new totals, `None`: as before."""

    run: str | None = None
    """How its id begins; `None`: the last root run."""
    budget: int | None = None
    budget_usd: float | None = None
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Remarks:
    """What whoever starts a run should know before it begins."""

    diagnostics: tuple[Diagnostic, ...]
    """What is wrong in the configuration and in the files of its agents, and is not used."""
    unused: tuple[Check, ...] = ()
    """On a workspace's first run: the models that could be used, and are not."""


@dataclass(frozen=True, slots=True)
class Began:
    """A root run has begun."""

    run: str
    """Its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Request):
    """One run is to stop, with its tree, or every one that is driven here."""

    run: str | None = None
    """How its id begins; `None`: every one."""
    suspend: bool = False
    """It leaves off where it is, to be resumed, and does not end as `cancelled`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Which(Request):
    """One run."""

    run: str | None = None
    """How its id begins; `None`: the last root run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns(Request):
    """The latest root runs."""

    limit: int = 20
    """At most 2,000."""
    rows: bool = False
    """Rows are wanted, children among them, and not whole runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHistory(Request):
    """The events of one run, a page of them."""

    run: str | None = None
    after: int = 0
    """The number of the last event that is known already."""
    limit: int = 500
    """At most 500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAudit(Request):
    """The records of the audit log."""

    run: str | None = None
    """Of this run's tree alone."""
    agent: str | None = None
    since: str | None = None
    """RFC 3339, or a length such as `2h`."""
    limit: int = 500
    """The latest ones, at most 5,000."""
    verify: bool = False
    """Whether the chain is checked, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing(Request):
    """No parameter is known."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The runs that were asked to stop: they end in a moment, with what they have."""

    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agents:
    """All agents in the registry's order, shadowed ones too."""

    agents: tuple[AgentRow, ...]
    problems: tuple[Diagnostic, ...]
    """Of `aliases.yaml`, and of folders that could not be read."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Root runs, newest first."""

    runs: tuple[RunView, ...] = ()
    rows: tuple[RunRow, ...] = ()


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a run, as the journal has it."""

    n: int
    seq: int
    at: str
    kind: str
    erased: bool
    """Whether retention took its content."""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some events of a run, in their order."""

    run: str
    events: tuple[EventRow, ...]
    next: int | None
    """What to ask for as `after` to go on; `None`: these are the last ones so far."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is being spent, and what was."""

    today: int
    """Tokens of the root runs that began since midnight, in this machine's time zone."""
    running: tuple[RunRow, ...]
    """The runs that are under way here."""
    run: RunRow | None = None
    """The run that was asked for."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Records of the audit log, oldest first."""

    records: tuple[Mapping[str, Any], ...]
    verified: Mapping[str, Any] | None = None
    """`{"ok", "events", "runs", "faults"}`, where that was asked for."""


@dataclass(frozen=True, slots=True)
class ProviderModels:
    """The models of one provider, or why they cannot be had."""

    provider: str
    models: tuple[ModelEntry, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ModelList:
    """`offline`, and each usable provider."""

    providers: tuple[ProviderModels, ...]


@dataclass(frozen=True, slots=True)
class Checks:
    """What `doctor` says."""

    checks: tuple[Check, ...]


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
    """An event kind (`started`, `begun`, `finding`, `ended`, …), `suspended`, or `progress`. Of the
    workspace: `agents` where these are others now, `config` where files that configure are.
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


Ask: TypeAlias = Callable[[Consent], Awaitable[str]]
"""Answers `once`, `always` or `no`."""

Told: TypeAlias = Remarks | Began | CreatedAgent | Kept
"""What whoever asked hears while the request goes on."""


def unheard(_told: Told) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks."""

    env: Mapping[str, str]
    """The environment that the runs are given: keys, PATH, proxies, locale."""
    ask: Ask | None = None
    """Asked before a hosted model's first use; `None`: nobody is there to answer."""
    tell: Callable[[Told], None] = unheard


def micro_usd(usd: float | None) -> int | None:
    """Dollars as whole micro-dollars, rounded down: a limit is never rounded up."""
    if usd is None:
        return None
    if not 0 <= usd < 1e12:
        raise BadRequest(f"a budget of {usd} dollars is none")
    return int(usd * 1_000_000)
