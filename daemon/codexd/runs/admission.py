"""Whether a run may have what it wants next: budget, slots, arguments, policy.

`admit` gives the events to commit before the act (its intent with its reservation), or those
that say why it is not begun; an empty list means that the run waits, and will be woken.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from codexd.errors import CodexdError, Denied, ToolFault
from codexd.models import Request, ToolCall, digest
from codexd.runs import ledger, start
from codexd.runs.answer import judge, missing
from codexd.runs.context import request_of, trimmed
from codexd.runs.events import (
    Begun,
    Body,
    Change,
    ChildSpec,
    Done,
    Ended,
    Noted,
    Refused,
    Reported,
)
from codexd.runs.host import Host
from codexd.runs.run import (
    AskAgain,
    CallModel,
    CallTool,
    Finish,
    Run,
    Shorten,
    StartChild,
    Want,
    last_text,
    result_of,
)
from codexd.runs.seat import Opened, Seat
from codexd.runs.view import Status
from codexd.tools import FileChange, Finding
from codexd.tools.acting import Delegate, ReportFinding, UpdatePlan
from codexd.tools.table import parse_arguments

LEAST_OUTPUT = 256
"""A call with a smaller output cap than this, where more is wanted, is not worth making."""


async def admit(want: Want, run: Run, seat: Seat, host: Host) -> list[Body]:
    """The events with which `want` begins, or is refused; empty: it waits."""
    match want:
        case CallModel():
            return _model(run, seat, host)
        case CallTool(call):
            return await _tool(call, run, seat, host)
        case StartChild(index, spec):
            return _child_of_group(index, spec, run, seat)
        case AskAgain(what, say):
            return [Noted(what="asked_again", ask=what, say=say)]
        case Shorten():
            return [_compacted(run, keep_bytes=1_000)]
        case Finish(status, reason, help):
            return [ended(run, status, reason, help)]


# Model calls.


def _model(run: Run, seat: Seat, host: Host) -> list[Body]:
    opened = seat.light if run.lightweight and seat.light else seat.model
    assert opened is not None, "only a run with a model wants to call one"
    assert seat.definition is not None, "a run with a model is an agent's"
    request = request_of(run, seat.definition)
    bound = _bound(opened, request, seat, host, settled=run.settled)
    if run.lightweight:
        short = trimmed(request)
        short_bound = _bound(opened, short, seat, host, settled=None)
        if short_bound < bound:
            request, bound = short, short_bound
    window = host.config.model_context_window or opened.model.window
    if window is not None and bound + LEAST_OUTPUT > window and "compacted" not in run.asked:
        return [_compacted(run, keep_bytes=1_000)]
    want = opened.model.wanted_output(request)
    if window is not None:
        want = min(want, max(LEAST_OUTPUT, window - bound))
    cap = min(want, _room(seat, opened, bound))
    if cap < min(want, LEAST_OUTPUT) or cap <= 0 < want:
        return _does_not_fit(run, seat, opened, request, needed=bound + min(want, LEAST_OUTPUT))
    if not host.take_slot(seat):
        return []
    money = opened.price.bound(bound, cap) if seat.money and opened.price else 0
    hold = ledger.reserve(seat.account, bound + cap)
    money_hold = ledger.reserve(seat.money, money) if seat.money else None
    if hold is None or (seat.money and money_hold is None):
        raise AssertionError("room was there a moment ago, and nobody else could act since")
    act = run.next_act
    seat.holds[act] = (hold, money_hold)
    seat.requests[act] = (opened, replace(request, max_output=cap))
    return [
        Begun(
            act=act,
            what="model",
            digest=digest(request),
            bound=bound,
            cap=cap,
            reserved=bound + cap,
            reserved_micro_usd=money,
            light=run.lightweight,
        )
    ]


def _bound(
    opened: Opened, request: Request, seat: Seat, host: Host, *, settled: tuple[int, int] | None
) -> int:
    """An upper bound of the request's input tokens; `settled` is the last usage where it holds."""
    model = opened.model
    counted = seat.counted
    if counted and counted.tokens is not None and counted.n_items == len(request.items):
        return round(counted.tokens * 1.05) + 1
    if opened is not seat.model:
        settled = None  # another model counts otherwise
    bound = model.input_bound(request, settled)
    return round(bound * host.bound_factor.get(model.name, 1.0))


def _room(seat: Seat, opened: Opened, bound: int) -> int:
    """The output that budget and money leave room for, after `bound` tokens of input."""
    room = seat.account.room - bound
    if seat.money is not None and opened.price is not None:
        money = seat.money.room - opened.price.bound(bound, 0)
        per_1000 = max(1, opened.price.bound(0, 1000))
        room = min(room, money * 1000 // per_1000 - 1)
    return room


def _does_not_fit(
    run: Run, seat: Seat, opened: Opened, request: Request, *, needed: int
) -> list[Body]:
    counted = seat.counted
    if counted is None or (counted.tokens is not None and counted.n_items != len(request.items)):
        seat.to_count = request
        seat.waiting = "count"
        return []
    for account in (seat.account, seat.money):
        if account is not None and ledger.wait(account, seat.wake):
            seat.waiting = "budget"
            return []
    if not run.lightweight:
        return [
            Noted(what="lightweight", text="budget nearly spent: asked to finish with what it has")
        ]
    left = max(0, seat.account.room)
    reason = (
        f"the next step could cost {needed:,} tokens and {left:,} were left, so it was not begun"
        if needed > left
        else "the next step could cost more money than was left, so it was not begun"
    )
    return [ended(run, Status.BUDGET_EXCEEDED, reason)]


def _compacted(run: Run, *, keep_bytes: int) -> Noted:
    text = "the conversation outgrew the model's window: old tool results were shortened"
    upto = max(0, len(run.items) - 1)
    return Noted(what="compacted", text=text, upto=upto, keep_bytes=keep_bytes)


# Tool calls.


async def _tool(call: ToolCall, run: Run, seat: Seat, host: Host) -> list[Body]:
    tool = seat.tools.get(call.name)
    if tool is None:
        offered = ", ".join(sorted(seat.tools))
        return [_refused(call, f"there is no tool `{call.name}` here; there are: {offered}")]
    try:
        arguments = parse_arguments(tool, call.arguments)
    except ToolFault as fault:
        return [_refused(call, str(fault))]
    if isinstance(arguments, ReportFinding):
        return [Reported(call_id=call.id, findings=_plain(arguments))]
    if isinstance(arguments, UpdatePlan):
        plan = tuple((step.step, str(step.status)) for step in arguments.plan)
        return [Noted(what="plan", call_id=call.id, text=arguments.explanation, plan=plan)]
    if isinstance(arguments, Delegate):
        return _child_of_run(call, arguments, run, seat, host)
    if not host.take_slot(seat):
        return []
    changes: tuple[FileChange, ...] = ()
    if tool.prepare is not None:
        assert seat.context is not None, "a run with tools has a place to use them"
        try:
            changes = await tool.prepare(arguments, seat.context)
        except Denied as denied:
            return [
                Refused(what=tool.name, subject=_subject(call), by="policy", why=str(denied)),
                _refused(call, str(denied)),
            ]
        except CodexdError as fault:
            return [_refused(call, str(fault))]
    act = run.next_act
    seat.changes[act] = changes
    seat.calls[act] = (tool, arguments)
    return [
        Begun(
            act=act,
            what="tool",
            call_id=call.id,
            tool=tool.name,
            arguments=host.redact(call.arguments),
            digest=_sha256(f"{tool.name}\0{call.arguments}".encode())[:32],
            effect=tool.effect,
            changes=tuple(_change(change) for change in changes),
        )
    ]


def _refused(call: ToolCall, text: str) -> Done:
    return Done(call_id=call.id, tool=call.name, text=text, is_error=True)


def _plain(reported: ReportFinding) -> tuple[Finding, ...]:
    """The findings, free of how a model may spell them."""
    return tuple(Finding.model_construct(**found.__dict__) for found in reported.findings)


def _subject(call: ToolCall) -> str:
    try:
        arguments: dict[str, Any] = json.loads(call.arguments)
        return str(next(iter(arguments.values()), ""))[:200]
    except (ValueError, AttributeError):
        return ""


def _change(change: FileChange) -> Change:
    return Change(
        path=change.path,
        before=change.before,
        before_sha256=None if change.before is None else _sha256(change.before),
        after_sha256=None if change.after is None else _sha256(change.after),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Child runs.


def _child_of_group(index: int, spec: ChildSpec, run: Run, seat: Seat) -> list[Body]:
    """A group's children were checked and given their accounts before the group began."""
    child = seat.prepared[index]
    act = run.next_act
    seat.child_acts[act] = child
    return [_child_begun(act, "", spec, child)]


def _child_of_run(call: ToolCall, asked: Delegate, run: Run, seat: Seat, host: Host) -> list[Body]:
    try:
        spec = ChildSpec(
            agent=asked.agent, goal=asked.goal, scope=tuple(asked.scope or ()), budget=asked.budget
        )
        child = start.child_of(seat, spec, host)
    except CodexdError as fault:
        help = f" ({fault.help})" if fault.help else ""
        return [_refused(call, f"{fault}{help}")]
    act = run.next_act
    seat.child_acts[act] = child
    return [_child_begun(act, call.id, spec, child)]


def _child_begun(act: int, call_id: str, spec: ChildSpec, child: Seat) -> Begun:
    return Begun(
        act=act,
        what="child",
        call_id=call_id,
        tool="delegate",
        run=child.run.id,
        spec=spec,
        allowance=child.account.granted,
    )


# The end.


def ended(run: Run, status: Status, reason: str = "", help: str = "") -> Ended:
    """The run's last event: its result as far as it got."""
    result = result_of(run)
    summary = result.summary if result else last_text(run)
    declared = run.started.artifacts
    return Ended(
        status=status,
        summary=summary,
        criteria=judge(run.started.criteria, result),
        artifacts=run.wrote,
        missing_artifacts=missing(declared, run.wrote),
        data=result.data if result else None,
        reason=reason,
        help=help,
        spent=run.spent,
        uncertain=run.uncertain,
        spent_micro_usd=run.spent_micro_usd,
    )
