"""Performing what was begun. Each act answers through its run's mailbox, cancelled or not."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

import anyio

from codexd.errors import CodexdError, Denied, ModelFault, NeedsModel, Unavailable
from codexd.models import Request, digest
from codexd.runs import ledger
from codexd.runs.admission import denied, worded
from codexd.runs.events import Answered, Begun, Body, Done, Lost, Noted
from codexd.runs.host import Host
from codexd.runs.run import Run
from codexd.runs.seat import Cancel, Counted, Opened, Outcome, Seat, Suspend
from codexd.runs.view import Status
from codexd.tools import Effect, ToolOutput, files

logger = logging.getLogger(__name__)


async def perform(begun: Begun, seat: Seat, host: Host) -> None:
    """Do the act, and put its outcome into the mailbox."""
    scope = seat.scopes[begun.act]
    try:
        match begun.what:
            case "model":
                bodies = await _call_model(begun, seat, host, scope)
            case "tool":
                bodies = await _call_tool(begun, seat, host, scope)
            case "child":
                bodies = await _run_child(begun, seat, host)
    except Unavailable:
        raise
    except Exception as error:
        # The one place where a bug ends an act instead of the process: the run goes on, or ends
        # as failed, with everything that it has.
        logger.exception("act %d (%s) of run %s", begun.act, begun.tool or "model", seat.run.id)
        bodies = _crashed(begun, seat, host.redact(f"{type(error).__name__}: {error}"))
    finally:
        forget(seat, (begun,))
    seat.inbox.put(Outcome(bodies))


def forget(seat: Seat, acts: Iterable[Begun]) -> None:
    """Drop what was kept for acts that are over, or were never committed."""
    for begun in acts:
        seat.scopes.pop(begun.act, None)
        seat.requests.pop(begun.act, None)
        seat.calls.pop(begun.act, None)
        seat.changes.pop(begun.act, None)
        for hold in seat.holds.pop(begun.act, ()):
            if hold is not None and not hold.settled:
                ledger.settle(hold, 0)


def lost(begun: Begun) -> Lost:
    """The outcome of an act that began and was broken off. A model call is charged in full: nobody
    knows what its provider counted.
    """
    if begun.what != "model":
        return Lost(act=begun.act, call_id=begun.call_id, why="interrupted; effect unknown")
    return Lost(
        act=begun.act,
        why="stopped before its usage was known",
        charged=begun.reserved,
        charged_micro_usd=begun.reserved_micro_usd,
    )


def _crashed(begun: Begun, seat: Seat, why: str) -> tuple[Body, ...]:
    text = f"internal error: {why}"
    if begun.what != "model":
        return (Done(act=begun.act, call_id=begun.call_id, text=text, is_error=True),)
    charged, micro = _settle(seat, begun, None, None)
    return (
        Answered(
            act=begun.act,
            charged=charged,
            uncertain=charged,
            charged_micro_usd=micro,
            fault="Crash",
            message=text,
        ),
    )


async def count(opened: Opened, request: Request, seat: Seat) -> None:
    """Have the provider count the input of `request`; a provider that cannot leaves our bound."""
    try:
        tokens = await opened.model.count_input(request)
    except ModelFault:
        tokens = None
    seat.inbox.put(Counted(opened.model.name, digest(request), tokens))


# Model calls.


async def _call_model(
    begun: Begun, seat: Seat, host: Host, scope: anyio.CancelScope
) -> tuple[Body, ...]:
    opened, request = seat.requests[begun.act]
    began = time.monotonic()
    seat.streamed = 0

    def on_text(text: str) -> None:
        seat.streamed += len(text)
        host.publish(seat.run.id, "progress")

    answer = None
    fault: CodexdError | None = None
    with scope:
        try:
            answer = await opened.model.stream(request, on_text)
        except (ModelFault, NeedsModel) as error:
            fault = error
    ms = round((time.monotonic() - began) * 1000)
    if answer is None and fault is None:
        _settle(seat, begun, None, None)
        return (lost(begun),)
    if answer is None:
        billed = isinstance(fault, ModelFault) and fault.billed
        charged, micro = _settle(seat, begun, None if billed else 0, 0)
        return (
            Answered(
                act=begun.act,
                charged=charged,
                uncertain=charged,
                charged_micro_usd=micro,
                ms=ms,
                fault=type(fault).__name__,
                message=host.redact(str(fault)),
                help=fault.help if fault else "",
            ),
        )
    usage = answer.usage
    cost = opened.price.cost(usage) if usage and opened.price else None
    charged, micro = _settle(seat, begun, usage.total if usage else None, cost)
    bodies: list[Body] = [
        Answered(
            act=begun.act,
            text=host.redact(answer.text),
            calls=answer.calls,
            opaque=tuple(dict(item) for item in answer.opaque),
            stop=answer.stop.value,
            model=answer.model,
            usage=usage,
            charged=charged,
            uncertain=0 if usage else charged,
            charged_micro_usd=micro,
            ms=ms,
        )
    ]
    if usage and usage.total > begun.reserved:
        if usage.input > begun.bound:
            known = host.bound_factor.get(opened.model.name, 1.0)
            host.bound_factor[opened.model.name] = known * usage.input / max(1, begun.bound)
        bodies.append(
            Noted(
                what="overrun",
                text=f"{opened.model.name} counted {usage.total:,} tokens where at most "
                f"{begun.reserved:,} were reserved; the run was ended",
            )
        )
    return tuple(bodies)


def _settle(seat: Seat, begun: Begun, used: int | None, micro_usd: int | None) -> tuple[int, int]:
    """Settle the act's reservation, once; `None`: nobody knows, so all of it. What was charged."""
    hold, money = seat.holds.pop(begun.act)
    charged = hold.n if used is None else used
    ledger.settle(hold, charged)
    if money is None:
        return charged, micro_usd or 0
    micro = money.n if micro_usd is None else micro_usd
    ledger.settle(money, micro)
    return charged, micro


# Tool calls.


async def _call_tool(
    begun: Begun, seat: Seat, host: Host, scope: anyio.CancelScope
) -> tuple[Body, ...]:
    tool, arguments = seat.calls[begun.act]
    assert seat.context is not None
    began = time.monotonic()
    output: ToolOutput | None = None
    refused: tuple[Body, ...] = ()
    with scope:
        try:
            if tool.prepare is not None:
                output = await files.apply(seat.changes[begun.act], seat.context)
            elif tool.call is not None:
                output = await tool.call(arguments, seat.context)
        except CodexdError as fault:
            output = ToolOutput(worded(fault), is_error=True)
            if isinstance(fault, Denied):
                refused = (denied(tool.name, begun.arguments, fault, host),)
    if output is None:
        # What may be done again is, when the run is resumed.
        again = seat.suspended and begun.effect in (Effect.NONE, Effect.IDEMPOTENT)
        return () if again else (lost(begun),)
    return (
        *refused,
        Done(
            act=begun.act,
            call_id=begun.call_id,
            tool=tool.name,
            text=host.redact(output.text),
            is_error=output.is_error,
            wrote=output.wrote,
            ms=round((time.monotonic() - began) * 1000),
        ),
    )


# Child runs.


async def _run_child(begun: Begun, seat: Seat, host: Host) -> tuple[Body, ...]:
    from codexd.runs.loop import drive  # a run is driven by what performs its acts

    child = seat.child_acts[begun.act]
    if child not in seat.children:
        seat.children.append(child)
    if seat.run.stopping:
        stopping = seat.run.stopping
        child.inbox.put(Cancel(stopping.status, stopping.why))
    elif seat.suspended:
        child.inbox.put(Suspend())
    await drive(child, host)
    if child.run.ended is None:
        # Suspended: what is begun stays begun, and is resumed with its parent.
        return ()
    ledger.close(child.account)
    if child.money is not None:
        ledger.close(child.money)
    return (child_done(begun, child.run, seat.run, host),)


def child_done(begun: Begun, child: Run, parent: Run, host: Host) -> Done:
    """The outcome of a child run that has ended; what of its spending is the parent's by now, from
    a drive before, is left out.
    """
    known = next((known for known in parent.children if known.run == child.id), None)
    return Done(
        act=begun.act,
        call_id=begun.call_id,
        tool="delegate",
        text=host.redact(told(child)),
        is_error=child.status is not Status.COMPLETED,
        run=child.id,
        status=child.status,
        spent=child.spent - (known.spent if known else 0),
        uncertain=child.uncertain - (known.uncertain if known else 0),
        spent_micro_usd=child.spent_micro_usd - (known.spent_micro_usd if known else 0),
        wrote=child.wrote,
        ms=child.active_ms,
    )


def told(run: Run) -> str:
    """What a parent's model is told of a child that has ended."""
    ended = run.ended
    assert ended is not None
    lines = [f"{run.started.agent}: {ended.status.value}"]
    lines += [text for text in (ended.reason, ended.summary) if text]
    lines += [
        f"{finding.path}:{finding.line}: {finding.severity}: {finding.message}"
        for finding in run.findings[:50]
    ]
    if len(run.findings) > 50:
        lines.append(f"… {len(run.findings) - 50} more findings")
    if run.wrote:
        lines.append("wrote " + ", ".join(run.wrote))
    return "\n".join(lines)
