"""Every verb that a door can ask for, in one table: what it takes, what it gives back."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from codexd.agents.listing import agent_rows
from codexd.errors import BadRequest
from codexd.orchestrator.listing import event_row, midnight
from codexd.orchestrator.orchestrator import Orchestrator
from codexd.orchestrator.verbs import (
    Agents,
    AuditPage,
    Budget,
    Caller,
    Cancel,
    Checks,
    CreateAgent,
    Delegate,
    DelegateParallel,
    HistoryPage,
    ListRuns,
    ModelList,
    Nothing,
    ProviderModels,
    ReadAudit,
    ReadHistory,
    Resume,
    Runs,
    Stopping,
    Undone,
    Which,
)
from codexd.runs.view import RunView, rows_of


@dataclass(frozen=True, slots=True)
class Verb:
    """One of them. Doors spell its name as is their custom."""

    name: str
    """As in `codexd/<name>`."""
    about: str
    request: type
    answer: type
    do: Callable[[Orchestrator, Any, Caller], Awaitable[Any]]
    starts: bool = False
    """Whether it drives runs, and so takes as long as they do."""


MOST_RUNS, MOST_EVENTS, MOST_RECORDS = 2_000, 500, 5_000


async def _stop(codexd: Orchestrator, request: Cancel, _: Caller) -> Stopping:
    if request.suspend:
        await codexd.suspend(request.run)
        return Stopping(() if request.run is None else (request.run,))
    return Stopping(await codexd.cancel(request.run))


async def _undo(codexd: Orchestrator, request: Which, _: Caller) -> Undone:
    return await codexd.undo(request.run)


async def _agents(codexd: Orchestrator, _request: Nothing, caller: Caller) -> Agents:
    config = await codexd.config_of(caller)
    registry = codexd.registry
    return Agents(agent_rows(registry.entries, config), registry.diagnostics)


async def _runs(codexd: Orchestrator, request: ListRuns, _: Caller) -> Runs:
    limit = _within("limit", request.limit, MOST_RUNS)
    runs = await codexd.runs(limit=limit)
    if request.rows:
        return Runs(rows=tuple(row for run in runs for row in rows_of(run)))
    return Runs(runs)


async def _run(codexd: Orchestrator, request: Which, _: Caller) -> RunView:
    return await codexd.run(request.run)


async def _history(codexd: Orchestrator, request: ReadHistory, _: Caller) -> HistoryPage:
    limit = _within("limit", request.limit, MOST_EVENTS)
    run, events = await codexd.events(request.run, after=request.after, limit=limit)
    rows = tuple(event_row(event) for event in events)
    return HistoryPage(run, rows, rows[-1].n if len(rows) == limit else None)


async def _budget(codexd: Orchestrator, request: Which, _: Caller) -> Budget:
    today = await codexd.spent_since(midnight(datetime.now().astimezone()))
    running = tuple(row for run in codexd.driving.roots() for row in rows_of(run))
    if request.run is None:
        return Budget(today, running)
    return Budget(today, running, next(rows_of(await codexd.run(request.run))))


async def _audit(codexd: Orchestrator, request: ReadAudit, _: Caller) -> AuditPage:
    limit = _within("limit", request.limit, MOST_RECORDS)
    found = codexd.audit(run=request.run, agent=request.agent, since=request.since)
    latest = deque([record async for record in found], maxlen=limit)
    return AuditPage(tuple(latest), await codexd.verify() if request.verify else None)


async def _models(codexd: Orchestrator, _request: Nothing, caller: Caller) -> ModelList:
    return ModelList(
        tuple(
            ProviderModels(provider, fault=found)
            if isinstance(found, str)
            else ProviderModels(provider, tuple(found))
            for provider, found in await codexd.models(caller)
        )
    )


async def _doctor(codexd: Orchestrator, _request: Nothing, caller: Caller) -> Checks:
    return Checks(await codexd.doctor(caller))


def _within(name: str, value: int, most: int) -> int:
    if 1 <= value <= most:
        return value
    raise BadRequest(f"`{name}` is {value}; it goes from 1 to {most:,}")


VERBS = (
    Verb(
        "delegate",
        "One agent works on one goal.",
        Delegate,
        RunView,
        Orchestrator.delegate,
        starts=True,
    ),
    Verb(
        "delegateParallel",
        "Several agents at once.",
        DelegateParallel,
        RunView,
        Orchestrator.delegate_parallel,
        starts=True,
    ),
    Verb(
        "createAgent",
        "An agent from a description, run at once.",
        CreateAgent,
        RunView,
        Orchestrator.create_agent,
        starts=True,
    ),
    Verb(
        "resume",
        "Go on with a run that stopped.",
        Resume,
        RunView,
        Orchestrator.resume,
        starts=True,
    ),
    Verb("cancel", "Stop runs, with their trees.", Cancel, Stopping, _stop),
    Verb("undo", "Put back the files that a run wrote.", Which, Undone, _undo),
    Verb("agents", "All agents, and what is wrong.", Nothing, Agents, _agents),
    Verb("runs", "The latest runs.", ListRuns, Runs, _runs),
    Verb("run", "One run: result, findings, spending.", Which, RunView, _run),
    Verb(
        "history",
        "The events of one run, in pages.",
        ReadHistory,
        HistoryPage,
        _history,
    ),
    Verb("budget", "What is being spent, and was.", Which, Budget, _budget),
    Verb("audit", "The audit log.", ReadAudit, AuditPage, _audit),
    Verb("models", "The models that can be used.", Nothing, ModelList, _models),
    Verb("doctor", "What is in force, and missing.", Nothing, Checks, _doctor),
)
"""Later ones come with what they are about: approvals and trust, MCP servers, research, tasks."""
