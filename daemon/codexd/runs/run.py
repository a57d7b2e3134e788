"""A run is a fold over its events. Nothing here acts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from codexd.models import Answer, Item, Stop, ToolCall, ToolReply, UserText
from codexd.runs.events import (
    Answered,
    Begun,
    Body,
    ChildSpec,
    Done,
    Driven,
    Ended,
    Event,
    Lost,
    Noted,
    Refused,
    Reported,
    Started,
    Stopping,
)
from codexd.runs.stuck import (
    KEPT_TURNS,
    turn_digest,
)
from codexd.runs.view import Status
from codexd.tools import Finding

GO_ON = (
    "You were stopped, and are resumed now. Go on from where you were, then give the last answer."
)


@dataclass(frozen=True, slots=True)
class Pending:
    """One tool call of the last answer, on its way to a reply."""

    call: ToolCall
    act: int | None = None
    reply: ToolReply | None = None
    unmade: bool = False
    """Whether it could not be made: unknown, misfitting, or against the policy."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child run, as its parent knows it."""

    run: str
    act: int
    spec: ChildSpec
    status: Status | None = None
    spent: int = 0
    """What of its spending has joined this run's; so are the next two."""
    uncertain: int = 0
    spent_micro_usd: int = 0


@dataclass(frozen=True)
class Run:
    """The state of a run: everything follows from its events, in order."""

    id: str
    started: Started
    budget: int
    """Tokens that it may spend; so are the next two what its last driver was given."""
    budget_micro_usd: int | None = None
    deadline_seconds: float | None = None
    n: int = 0
    """The number of its last event."""
    began_at: str = ""
    ended_at: str | None = None
    active_ms: int = 0
    items: tuple[Item, ...] = ()
    """The conversation as the next request has it, without pending calls' replies."""
    pending: tuple[Pending, ...] = ()
    """The calls of the last answer, in asked order."""
    in_flight: tuple[Begun, ...] = ()
    children: tuple[Child, ...] = ()
    next_act: int = 1
    settled: tuple[int, int] | None = None
    """(leading items, tokens) that the last usage covers."""
    settled_by: str = ""
    """The model whose usage that was."""
    model_used: str = ""
    findings: tuple[Finding, ...] = ()
    plan: tuple[tuple[str, str], ...] = ()
    wrote: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()
    """What the model was asked for once more."""
    lightweight: bool = False
    spent: int = 0
    uncertain: int = 0
    spent_micro_usd: int = 0
    n_answers: int = 0
    """Of models, faults left out."""
    n_results: int = 0
    """Of tools that acted."""
    n_cut_streams: int = 0
    n_cut_answers: int = 0
    n_unmade: int = 0
    """Answers in a row, up to the newest, that held nothing but calls that cannot be made."""
    turns: tuple[str, ...] = ()
    """The newest answers with calls and what came of them, as digests."""
    last: Answered | None = None
    """The last outcome of a model call."""
    overrun: str = ""
    stopping: Stopping | None = None
    ended: Ended | None = None

    @property
    def is_group(self) -> bool:
        """Whether it is a run without a model whose acts are its children."""
        return not self.started.model

    @property
    def status(self) -> Status:
        """As far as the events say: `INTERRUPTED` and `WAITING` are not theirs to say."""
        return self.ended.status if self.ended else Status.RUNNING


def begin(run_id: str, started: Started) -> Run:
    """A run before its first event."""
    return Run(
        id=run_id,
        started=started,
        budget=started.budget,
        budget_micro_usd=started.budget_micro_usd,
        deadline_seconds=started.deadline_seconds,
    )


def replay(events: Iterable[Event]) -> Run | None:
    """The run that its stored events add up to; `None` without a `started` event."""
    run = None
    for event in events:
        if run is None:
            if not isinstance(event.body, Started):
                return None
            run = begin(event.run, event.body)
        run = fold_event(run, event)
    return run


def fold_event(run: Run, event: Event) -> Run:
    """The run after one more committed event."""
    return stamped(fold(run, (event.body,)), event)


def stamped(run: Run, last: Event) -> Run:
    """The run with the times of its last committed event."""
    ended_at = last.at if isinstance(last.body, Ended) else run.ended_at
    return _with(run, active_ms=last.active_ms, began_at=run.began_at or last.at, ended_at=ended_at)


def fold(run: Run, bodies: Iterable[Body]) -> Run:
    """The run after `bodies`. Pure; one row a kind."""
    for body in bodies:
        run = _with(_FOLDS.get(type(body), _unchanged)(run, body), n=run.n + 1)
    return run


def _unchanged(run: Run, _body: Body) -> Run:
    return run


def _started(run: Run, body: Started) -> Run:
    items = (UserText(opening(body)),) if body.model else ()
    return _with(run, started=body, items=items, notes=body.notes)


def _driven(run: Run, body: Driven) -> Run:
    run = _with(
        run,
        budget=run.budget if body.budget is None else body.budget,
        budget_micro_usd=(
            run.budget_micro_usd if body.budget_micro_usd is None else body.budget_micro_usd
        ),
        deadline_seconds=(
            run.deadline_seconds if body.deadline_seconds is None else body.deadline_seconds
        ),
    )
    if run.is_group:
        # Whoever takes a group up again wants all of it.
        children = (
            child if child.status is Status.COMPLETED else replace(child, status=None)
            for child in run.children
        )
        run = _with(run, children=tuple(children))
    return run if run.ended is None else _reopened(run)


def _reopened(run: Run) -> Run:
    """A run that had ended, on its way again: what stopped it is over, what it has it keeps."""
    items = run.items
    if items and isinstance(items[-1], Answer) and not run.pending:
        # A last answer would only end it once more.
        items = (*items, UserText(GO_ON))
    return _with(
        run,
        items=items,
        ended=None,
        ended_at=None,
        stopping=None,
        overrun="",
        lightweight=False,
        last=None,
        asked=frozenset[str](),
        n_cut_streams=0,
        n_cut_answers=0,
        n_unmade=0,
        turns=(),
    )


def _begun(run: Run, body: Begun) -> Run:
    children = run.children
    if body.what == "child" and body.spec is not None:
        known = next((child for child in children if child.run == body.run), None)
        if known is None:
            children = (*children, Child(body.run, body.act, body.spec))
        else:
            again = replace(known, act=body.act, status=None)
            children = tuple(again if child is known else child for child in children)
    return _with(
        run,
        in_flight=(*run.in_flight, body),
        pending=tuple(
            replace(p, act=body.act) if p.call.id == body.call_id and p.reply is None else p
            for p in run.pending
        ),
        children=children,
        next_act=max(run.next_act, body.act + 1),
    )


def _answered(run: Run, body: Answered) -> Run:
    begun = next((begun for begun in run.in_flight if begun.act == body.act), None)
    run = _with(
        _landed(run, body.act),
        spent=run.spent + body.charged,
        uncertain=run.uncertain + body.uncertain,
        spent_micro_usd=run.spent_micro_usd + body.charged_micro_usd,
        last=body,
    )
    if body.fault:
        cut = body.fault == "CutStream"
        return _with(run, n_cut_streams=run.n_cut_streams + cut, settled=None)
    answer = Answer(body.text, body.calls, body.opaque, Stop(body.stop), body.usage, body.model)
    # As it was sent: what was counted is what the next bound builds on.
    told = cut_to_fit(run.items) if begun and begun.shortened else run.items
    items = (*told, answer)
    return _with(
        run,
        items=items,
        n_answers=run.n_answers + 1,
        pending=tuple(Pending(call) for call in body.calls),
        settled=(len(items), body.usage.total) if body.usage else None,
        settled_by=begun.model if begun else "",
        model_used=body.model or run.model_used,
        n_cut_answers=run.n_cut_answers + (answer.stop is Stop.MAX_OUTPUT),
    )


def _done(run: Run, body: Done) -> Run:
    run = _with(
        _landed(run, body.act),
        spent=run.spent + body.spent,
        uncertain=run.uncertain + body.uncertain,
        spent_micro_usd=run.spent_micro_usd + body.spent_micro_usd,
        wrote=(*run.wrote, *(path for path in body.wrote if path not in run.wrote)),
        n_results=run.n_results + (body.act > 0 and not body.run),
        children=_came_back(run.children, body) if body.run else run.children,
    )
    unmade = not body.act and body.is_error
    return _replied(run, body.call_id, body.text, is_error=body.is_error, unmade=unmade)


def _refused(run: Run, body: Refused) -> Run:
    pending = tuple(
        replace(p, unmade=True) if p.call.id == body.call_id else p for p in run.pending
    )
    return _with(run, pending=pending) if body.call_id else run


def _came_back(children: tuple[Child, ...], done: Done) -> tuple[Child, ...]:
    for index, child in enumerate(children):
        if child.run == done.run:
            back = replace(
                child,
                status=done.status,
                spent=child.spent + done.spent,
                uncertain=child.uncertain + done.uncertain,
                spent_micro_usd=child.spent_micro_usd + done.spent_micro_usd,
            )
            return (*children[:index], back, *children[index + 1 :])
    return children


def _lost(run: Run, body: Lost) -> Run:
    was_call = any(begun.act == body.act and begun.what == "model" for begun in run.in_flight)
    run = _with(
        _landed(run, body.act),
        last=None if was_call else run.last,
        spent=run.spent + body.charged,
        uncertain=run.uncertain + body.charged,
        spent_micro_usd=run.spent_micro_usd + body.charged_micro_usd,
        settled=None,
    )
    return _replied(run, body.call_id, body.why, is_error=True)


def _reported(run: Run, body: Reported) -> Run:
    fresh = tuple(finding for finding in body.findings if finding not in run.findings)
    run = _with(run, findings=run.findings + fresh)
    return _replied(run, body.call_id, f"{len(fresh)} noted")


def _noted(run: Run, body: Noted) -> Run:
    if body.text and body.what != "plan":
        run = _with(run, notes=(*run.notes, body.text))
    match body.what:
        case "plan":
            return _replied(_with(run, plan=body.plan), body.call_id, "noted")
        case "lightweight":
            return _with(run, lightweight=True)
        case "resumed" | "undone" | "erased":
            return run
        case "overrun":
            return _with(run, overrun=body.text)
        case "compacted":
            items = shortened(run.items, upto=body.upto, keep_bytes=body.keep_bytes)
            # A fault that led here is answered by this; the next call is a fresh one.
            asked = run.asked | {"compacted"}
            return _with(run, items=items, settled=None, last=None, asked=asked)
        case "asked_again":
            return _with(
                run,
                items=(*run.items, UserText(body.say)),
                asked=run.asked | {body.ask},
            )


def _stopping(run: Run, body: Stopping) -> Run:
    return _with(run, stopping=run.stopping or body)


def _ended(run: Run, body: Ended) -> Run:
    return _with(run, ended=body)


_FOLDS: dict[type[Body], Callable[[Run, Any], Run]] = {
    Started: _started,
    Driven: _driven,
    Begun: _begun,
    Answered: _answered,
    Done: _done,
    Lost: _lost,
    Refused: _refused,
    Reported: _reported,
    Noted: _noted,
    Stopping: _stopping,
    Ended: _ended,
}


def _landed(run: Run, act: int) -> Run:
    """The run with `act` no longer in flight."""
    # They stand as they began, and so by their numbers; a group may have hundreds.
    index = bisect_left(run.in_flight, act, key=_number)
    if index == len(run.in_flight) or run.in_flight[index].act != act:
        return run
    return _with(run, in_flight=run.in_flight[:index] + run.in_flight[index + 1 :])


_number = attrgetter("act")


def _replied(
    run: Run, call_id: str, text: str, *, is_error: bool = False, unmade: bool = False
) -> Run:
    """The run with a reply to one call; once all calls have theirs, they join the conversation."""
    if not call_id:
        return run
    pending = tuple(
        replace(
            p,
            reply=ToolReply(call_id, p.call.name, text, is_error),
            unmade=p.unmade or unmade,
        )
        if p.call.id == call_id and p.reply is None
        else p
        for p in run.pending
    )
    turn = tuple((p.call, p.reply) for p in pending if p.reply is not None)
    if not turn or len(turn) < len(pending):
        return _with(run, pending=pending)
    return _with(
        run,
        pending=(),
        items=(*run.items, *(reply for _, reply in turn)),
        n_unmade=run.n_unmade + 1 if all(p.unmade for p in pending) else 0,
        turns=(*run.turns, turn_digest(turn))[-KEPT_TURNS:],
    )


KEEP_WHEN_LIGHT = 400
"""Bytes that an old tool result keeps in lightweight mode."""


def shortened(items: tuple[Item, ...], *, upto: int, keep_bytes: int) -> tuple[Item, ...]:
    """`items` with the tool results among the first `upto` cut to `keep_bytes` each."""

    def cut(item: Item) -> Item:
        if not isinstance(item, ToolReply) or len(item.text.encode()) <= keep_bytes:
            return item
        head = item.text.encode()[:keep_bytes].decode(errors="ignore")
        return replace(item, text=f"{head}\n[shortened; call the tool again for the rest]")

    return (*(cut(item) for item in items[:upto]), *items[upto:])


def cut_to_fit(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The conversation of a run whose budget is nearly spent: all but the newest item shortened."""
    return shortened(items, upto=max(0, len(items) - 1), keep_bytes=KEEP_WHEN_LIGHT)


def opening(started: Started) -> str:
    """The first message of a run's conversation: the goal, and what belongs to it."""
    parts = [started.goal or "Do what you are for."]
    if started.scope:
        parts.append("Scope (what this is about): " + ", ".join(started.scope))
    if started.criteria:
        parts.append("Success criteria:\n" + "\n".join(f"- {text}" for text in started.criteria))
    if started.artifacts:
        parts.append("Write these files:\n" + "\n".join(f"- {a}" for a in started.artifacts))
    return "\n\n".join(parts)


def _with(run: Run, **changes: Any) -> Run:
    """The run with some fields changed.

    `dataclasses.replace` sets every field anew, which takes 10 µs here, forty times a run.
    """
    fresh = object.__new__(Run)
    fresh.__dict__.update(run.__dict__)
    fresh.__dict__.update(changes)
    return fresh
