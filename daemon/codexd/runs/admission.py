"""Whether a run may have what it wants next: budget, slots, arguments, policy.

`admit` gives the events to commit before the act (its intent with its reservation), or those
that say why it is not begun; an empty list means that the run waits, and will be woken.
"""

from __future__ import annotations

import hashlib
import logging

from codexd.errors import CodexdError, Denied, ToolFault
from codexd.models import ToolCall
from codexd.runs import spending, start
from codexd.runs.ending import ended
from codexd.runs.events import (
    Begun,
    Body,
    Change,
    ChildSpec,
    Done,
    Noted,
    Refused,
    Reported,
)
from codexd.runs.host import Host
from codexd.runs.next import AskAgain, CallModel, CallTool, Finish, Shorten, StartChild, Want
from codexd.runs.run import Run
from codexd.runs.seat import Seat
from codexd.runs.stuck import subject_of
from codexd.runs.view import Status
from codexd.tools import FileChange, Finding
from codexd.tools.acting import Delegate, ReportFinding, UpdatePlan
from codexd.tools.table import parse_arguments

logger = logging.getLogger(__name__)


async def admit(want: Want, run: Run, seat: Seat, host: Host) -> list[Body]:
    """The events with which `want` begins, or is refused; empty: it waits."""
    try:
        return await _admit(want, run, seat, host)
    except Exception as error:
        # As where acts are performed: a bug ends the call, or else the run, and no other.
        logger.exception("%s of run %s", type(want).__name__, run.id)
        text = f"internal error: {type(error).__name__}: {error}"
        if isinstance(want, CallTool):
            return [_refused(want.call, ToolFault(text), host)]
        return [ended(run, Status.FAILED, host.redact(text))]


async def _admit(want: Want, run: Run, seat: Seat, host: Host) -> list[Body]:
    match want:
        case CallModel():
            return spending.admit_call(run, seat, host)
        case CallTool(call):
            return await _tool(call, run, seat, host)
        case StartChild(index, spec):
            return _child_of_group(index, spec, run, seat)
        case AskAgain(what, say):
            return [Noted(what="asked_again", ask=what, say=say)]
        case Shorten():
            return [spending.shorten(run)]
        case Finish(status, reason, help):
            # It may name what a model wanted to call.
            return [ended(run, status, host.redact(reason), help)]


# Tool calls.


async def _tool(call: ToolCall, run: Run, seat: Seat, host: Host) -> list[Body]:
    tool = seat.tools.get(call.name)
    if tool is None:
        offered = ", ".join(sorted(seat.tools))
        fault = ToolFault(f"there is no tool `{call.name}` here; there are: {offered}")
        return [_refused(call, fault, host)]
    try:
        arguments = parse_arguments(tool, call.arguments)
    except ToolFault as fault:
        return [_refused(call, fault, host)]
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
        except CodexdError as fault:
            return _kept_from(call, fault, host)
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


def _refused(call: ToolCall, fault: CodexdError, host: Host) -> Done:
    # A patch that has no place is told with the lines that stand there.
    return Done(call_id=call.id, tool=call.name, text=host.redact(worded(fault)), is_error=True)


def _kept_from(call: ToolCall, fault: CodexdError, host: Host) -> list[Body]:
    """What `fault`, which keeps the call from being begun, is to the model and to the audit."""
    told = _refused(call, fault, host)
    return (
        [denied(call.name, call.id, call.arguments, fault, host), told]
        if isinstance(fault, Denied)
        else [told]
    )


def denied(tool: str, call_id: str, arguments: str, why: Denied, host: Host) -> Refused:
    """That the policy refused a call of `tool`."""
    subject = host.redact(subject_of(arguments))
    said = host.redact(str(why))
    return Refused(what=tool, subject=subject, by="policy", why=said, call_id=call_id)


def worded(fault: CodexdError) -> str:
    """What a model is told of `fault`."""
    return f"{fault} ({fault.help})" if fault.help else str(fault)


def _plain(reported: ReportFinding) -> tuple[Finding, ...]:
    """The findings, free of how a model may spell them."""
    return tuple(Finding.model_construct(**found.__dict__) for found in reported.findings)


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
        goal = host.redact(asked.goal)
        spec = ChildSpec(
            agent=asked.agent, goal=goal, scope=tuple(asked.scope or ()), budget=asked.budget
        )
        child = start.child_of(seat, spec, host)
    except CodexdError as fault:
        return _kept_from(call, fault, host)
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
