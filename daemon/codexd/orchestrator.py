"""The verbs that a door can ask for. A door parses, asks here, renders; it decides nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codexd.agents.registry import AgentEntry, Registry
from codexd.config import Config
from codexd.errors import Diagnostic
from codexd.models.interface import ModelEntry
from codexd.runs.view import RunView


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
    kind: str
    """An event kind (`started`, `begun`, `finding`, `ended`, …), or `progress`."""


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


class Orchestrator:
    """Everything that doors can ask for, in one workspace.

    ```python
    async with Orchestrator.open(Path(".")) as codexd:
        run = await codexd.delegate(Delegate(agent="code-reviewer"))
        print(run.status, len(run.findings))
    ```
    """

    config: Config
    registry: Registry

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        model: str | None = None,
        overrides: Mapping[str, str] | None = None,
        ask: Ask | None = None,
    ) -> AsyncGenerator[Orchestrator]:
        """An orchestrator of `folder`'s workspace; leaving cancels and awaits every run.

        `model` is `-m`, `overrides` are `-c`; `ask` is asked before a hosted model's first use
        (`None`: then only a model named by flag or configuration is used).
        Raises `BadConfig`, `Unavailable`.
        """
        raise NotImplementedError
        yield

    def listen(self, listener: Callable[[Notice], None]) -> None:
        """Have `listener` called, on the event loop, after each commit and on progress."""
        raise NotImplementedError

    def live(self, run_id: str) -> RunView | None:
        """The view of a run that this process drives, as it is now; `None` otherwise. Cheap."""
        raise NotImplementedError

    async def delegate(self, request: Delegate) -> RunView:
        """The ended run. Raises `Rejected` where it is not begun."""
        raise NotImplementedError

    async def delegate_parallel(self, request: DelegateParallel) -> RunView:
        """The ended group; its children in the order asked."""
        raise NotImplementedError

    async def create_agent(
        self, request: CreateAgent, show: Callable[[CreatedAgent], None]
    ) -> RunView:
        """The ended run of the agent made; `show` gets the agent before it is saved or run."""
        raise NotImplementedError

    async def cancel(self, run_id: str | None = None) -> None:
        """Ask the run (`None`: every one driven here) to stop; it ends as `cancelled`."""
        raise NotImplementedError

    def agents(self) -> tuple[AgentEntry, ...]:
        """All agents, in the registry's order, shadowed ones too."""
        raise NotImplementedError

    async def runs(self, *, limit: int = 20) -> tuple[RunView, ...]:
        """Root runs of this workspace, newest first, children inside."""
        raise NotImplementedError

    async def run(self, run_id: str | None) -> RunView:
        """The run whose id begins so; `None`: the last root run. Raises `UnknownRun`."""
        raise NotImplementedError

    def watch(self, run_id: str | None) -> AsyncIterator[RunView]:
        """The run after each change, whoever drives it, until it has ended."""
        raise NotImplementedError

    def audit(
        self,
        *,
        run: str | None = None,
        agent: str | None = None,
        since: str | None = None,
        follow: bool = False,
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Export records, oldest first: `{"event_type": "agent_execution" | "api_call" | …}`.

        `since` is RFC 3339, or a length such as `2h`.
        """
        raise NotImplementedError

    async def verify(self) -> Mapping[str, Any]:
        """`{"ok": bool, "events": int, "runs": int, "faults": [{"seq": int, "what": str}]}`."""
        raise NotImplementedError

    async def models(self) -> tuple[tuple[str, Sequence[ModelEntry] | str], ...]:
        """(provider, its models or why they cannot be had): `offline`, and each usable provider."""
        raise NotImplementedError

    async def doctor(self) -> tuple[Check, ...]:
        """What is in force, from where, and what is missing."""
        raise NotImplementedError

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Of configuration files and agent files."""
        raise NotImplementedError
