"""Performing what was begun. Each act answers through its run's mailbox, cancelled or not."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace

import anyio

from codexd.errors import CodexdError, Denied, IllegalMove, ModelFault, NeedsModel, Unavailable
from codexd.models import Answer, Request, ToolCall, digest
from codexd.runs import editors, ledger
from codexd.runs.admission import denied, worded
from codexd.runs.events import Answered, Begun, Body, Done, Lost, Noted
from codexd.runs.host import Host
from codexd.runs.run import Run
from codexd.runs.seat import Cancel, Counted, Opened, Outcome, Seat, Suspend
from codexd.runs.view import Status
from codexd.tools import Effect, ToolOutput

logger = logging.getLogger(__name__)

MOST_FACTOR = 4.0
"""How far a bound is raised at most: bytes are more than tokens, so the rest is nonsense."""


async def perform(begun: Begun, seat: Seat, host: Host) -> None:
    """Do the act, settle its reservation as its outcome says, and put that into the mailbox.

    Raises what driving a child raises: a journal that takes no event ends the whole tree.
    """
    scope = seat.scopes[begun.act]
    # Without an outcome it is charged in full: nobody knows how far it came.
    charged = begun.reserved, begun.reserved_micro_usd
    try:
        match begun.what:
            case "model":
                bodies = await _call_model(begun, seat, host, scope)
            case "tool":
                bodies = await _call_tool(begun, seat, host, scope)
            case "child":
                bodies = await _run_child(begun, seat, host)
    except (Unavailable, IllegalMove):
        raise
    except Exception as error:
        # The one place where a bug ends an act instead of the process: the run goes on, or ends
        # as failed, with everything that it has.
        logger.exception("act %d (%s) of run %s", begun.act, begun.tool or "model", seat.run.id)
        bodies = _crashed(begun, host.redact(f"{type(error).__name__}: {error}"))
    else:
        charged = _charged(bodies)
    finally:
        forget(seat, begun, charged)
    seat.inbox.put(Outcome(bodies))


def forget(seat: Seat, begun: Begun, charged: tuple[int, int]) -> None:
    """Drop what was kept for an act, and settle what it had reserved: tokens, micro-dollars."""
    for kept in (seat.scopes, seat.requests, seat.calls, seat.changes):
        kept.pop(begun.act, None)
    for hold, used in zip(seat.holds.pop(begun.act, ()), charged, strict=False):
        if hold is not None:
            ledger.settle(hold, used)


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


def _charged(bodies: Iterable[Body]) -> tuple[int, int]:
    for body in bodies:
        if isinstance(body, Answered | Lost):
            return body.charged, body.charged_micro_usd
    return 0, 0


def _crashed(begun: Begun, why: str) -> tuple[Body, ...]:
    text = f"internal error: {why}"
    if begun.what != "model":
        return (Done(act=begun.act, call_id=begun.call_id, text=text, is_error=True),)
    return (
        Answered(
            act=begun.act,
            charged=begun.reserved,
            uncertain=begun.reserved,
            charged_micro_usd=begun.reserved_micro_usd,
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
    except Exception:
        logger.exception("counting the input of run %s", seat.run.id)
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
    if answer is not None:
        return _answered(begun, answer, opened, seat, host, ms)
    if fault is None:
        return (lost(begun),)
    billed = isinstance(fault, ModelFault) and fault.billed
    charged = begun.reserved if billed else 0
    return (
        Answered(
            act=begun.act,
            charged=charged,
            uncertain=charged,
            charged_micro_usd=begun.reserved_micro_usd if billed else 0,
            ms=ms,
            fault=type(fault).__name__,
            message=host.redact(str(fault)),
            help=fault.help,
        ),
    )


def _answered(
    begun: Begun, answer: Answer, opened: Opened, seat: Seat, host: Host, ms: int
) -> tuple[Body, ...]:
    usage = answer.usage if answer.usage and answer.usage.is_possible else None
    charged, micro_usd = begun.reserved, begun.reserved_micro_usd
    if usage is not None:
        charged = usage.total
        micro_usd = opened.price.cost(usage) if opened.price else 0
    answered = Answered(
        act=begun.act,
        text=host.redact(answer.text),
        calls=_told_apart(answer.calls, begun.act),
        opaque=tuple(dict(item) for item in answer.opaque),
        stop=answer.stop.value,
        model=answer.model,
        usage=usage,
        charged=charged,
        uncertain=0 if usage else charged,
        charged_micro_usd=micro_usd,
        ms=ms,
    )
    if usage is not None and usage.input > begun.bound:
        name, known = opened.model.name, host.bound_factor.get(opened.model.name, 1.0)
        raised = known * usage.input / max(1, begun.bound)
        host.bound_factor[name] = min(raised, MOST_FACTOR)
    over = ""
    if charged > begun.reserved:
        over = f"{charged:,} tokens where at most {begun.reserved:,} were reserved"
    elif seat.money is not None and micro_usd > begun.reserved_micro_usd:
        reserved = begun.reserved_micro_usd / 1e6
        over = f"${micro_usd / 1e6:.6f} where at most ${reserved:.6f} were reserved"
    if not over:
        return (answered,)
    text = f"{opened.model.name} counted {over}; the run was ended"
    return answered, Noted(what="overrun", text=text)


def _told_apart(calls: tuple[ToolCall, ...], act: int) -> tuple[ToolCall, ...]:
    """The calls, each with an id of its own: by that it finds its reply."""
    ids = {call.id for call in calls}
    if len(ids) == len(calls) and "" not in ids:
        return calls
    return tuple(replace(call, id=f"call_{act}_{i}") for i, call in enumerate(calls))


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
                started = seat.run.started
                output = await editors.write(
                    seat.changes[begun.act],
                    seat.context,
                    host.editors,
                    root=started.root,
                    agent=started.agent,
                )
            elif tool.call is not None:
                output = await tool.call(arguments, seat.context)
        except CodexdError as fault:
            output = ToolOutput(worded(fault), is_error=True)
            if isinstance(fault, Denied):
                refused = (denied(tool.name, begun.call_id, begun.arguments, fault, host),)
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
    child.close()
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
