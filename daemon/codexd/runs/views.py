"""From a run (fold) to what doors show of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from codexd.runs.ending import ended
from codexd.runs.events import Begun, Ended, Started
from codexd.runs.run import Run, begin
from codexd.runs.seat import Seat
from codexd.runs.store import Stored
from codexd.runs.view import RunView, Status


def view_of(
    run: Run,
    *,
    short: str,
    children: Sequence[RunView],
    interrupted: bool = False,
    waiting: str = "",
    active_ms: int | None = None,
) -> RunView:
    """What a door is shown of `run`; `interrupted` is for who can tell whether its host lives."""
    started = run.started
    end = run.ended or ended(run, Status.RUNNING)
    status = run.status
    if not run.ended:
        status = Status.INTERRUPTED if interrupted else Status.WAITING if waiting else status
    # A child's spending joins its parent's when it ends; until then it is added here.
    done = {child.run for child in run.children if child.status is not None}
    live = [child for child in children if child.id not in done]
    # One that was resumed has joined it in part.
    joined = [child for child in run.children if child.status is None]
    priced = started.priced or run.is_group
    known = priced and all(child.spent_usd is not None for child in children)
    micro = run.spent_micro_usd + sum(round((c.spent_usd or 0) * 1e6) for c in live)
    micro -= sum(child.spent_micro_usd for child in joined)
    return RunView(
        id=run.id,
        short=short,
        parent=started.parent,
        root=started.root,
        agent=started.agent,
        goal=started.goal,
        status=status,
        doing=waiting_for(waiting) if waiting else _doing(run) if not status.ended else "",
        model=started.model,
        billed=started.billed or any(child.billed for child in children),
        spent=run.spent + sum(c.spent for c in live) - sum(c.spent for c in joined),
        budget=run.budget,
        uncertain=run.uncertain
        + sum(child.uncertain for child in live)
        - sum(child.uncertain for child in joined),
        spent_usd=micro / 1e6 if known else None,
        budget_usd=None if run.budget_micro_usd is None else run.budget_micro_usd / 1e6,
        started_at=run.began_at,
        ended_at=run.ended_at,
        seconds=(run.active_ms if active_ms is None else active_ms) / 1000,
        deadline_seconds=run.deadline_seconds,
        summary=end.summary,
        reason=end.reason,
        help=end.help,
        findings=run.findings,
        criteria=end.criteria,
        artifacts=run.wrote,
        missing_artifacts=end.missing_artifacts if run.ended else (),
        plan=run.plan,
        data=end.data,
        notes=run.notes,
        children=tuple(children),
        scope=started.scope,
    )


def from_row(stored: Stored) -> Run:
    """What can be told of a run whose events a newer codexd wrote, or somebody damaged."""
    started = Started(
        root=stored.root,
        parent=stored.parent,
        agent=stored.agent,
        goal=stored.goal,
        model="unknown",
        budget=0,
        notes=("its events cannot be read by this codexd; `codexd audit verify` checks them",),
    )
    known = stored.status if stored.status in set(Status) else Status.FAILED
    return replace(
        begin(stored.id, started),
        began_at=stored.started_at,
        ended_at=stored.ended_at,
        spent=stored.spent,
        uncertain=stored.uncertain,
        notes=started.notes,
        ended=Ended(status=Status(known), spent=stored.spent) if stored.ended_at else None,
    )


def live_view(seat: Seat, short: str) -> RunView:
    """The view of a run that is driven here, as it is now."""
    children = [live_view(child, child.run.id[:4]) for child in seat.children]
    active_ms = seat.run.active_ms if seat.run.ended else seat.watch.ms
    view = view_of(
        seat.run,
        short=short,
        children=children,
        interrupted=seat.suspended,
        waiting=seat.waiting,
        active_ms=active_ms,
    )
    if seat.streamed and view.doing == _THINKING:
        return replace(view, doing=f"answering, {seat.streamed:,} characters")
    return view


_THINKING = "thinking"


def _doing(run: Run) -> str:
    if not run.in_flight:
        return ""
    begun = run.in_flight[-1]
    match begun.what:
        case "model":
            return _THINKING
        case "child":
            names = [child.spec.agent for child in run.children if child.status is None]
            return f"waiting for {', '.join(names)}"
        case "tool":
            return f"{begun.tool} {_gist(begun)}".strip()


def _gist(begun: Begun) -> str:
    """The one argument that tells a call from others of its tool."""
    try:
        arguments: dict[str, Any] = json.loads(begun.arguments)
    except ValueError:
        return ""
    for key in (
        "pattern",
        "query",
        "path",
        "paths",
        "file_path",
        "kinds",
        "command",
        "url",
        "glob",
    ):
        if value := arguments.get(key):
            text = str(value).strip("[]").replace("'", "")
            return f'"{text}"' if key in ("pattern", "query") else text
    return ""


def waiting_for(what: str) -> str:
    """What a run waits for, in words."""
    words = {
        "slot": "waiting for a free place",
        "budget": "waiting for budget that other runs hold",
        "count": "counting its input",
        "journal": "waiting for the audit log, which takes no record",
    }
    return words.get(what, what)
