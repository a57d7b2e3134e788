"""How a run is driven: commit what happened together with what begins next, then act.

`drive` is never cancelled: cancelling is a message in the run's mailbox. Everything that an act
does comes back through that mailbox, as events; what the run wants next is decided in
`next.next_acts`, and whether it may have it, in `admit`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import anyio

from codexd.errors import IllegalMove, Unavailable, leaves
from codexd.runs import acts
from codexd.runs.admission import admit
from codexd.runs.events import Answered, Begun, Body, Done, Event, Stopping
from codexd.runs.host import Host
from codexd.runs.next import next_acts
from codexd.runs.run import fold, stamped
from codexd.runs.seat import Cancel, Counted, Message, Outcome, Seat, Suspend
from codexd.runs.view import Status

RETRY_SECONDS = 0.25
"""Between two tries of a store that takes no record."""


async def drive(seat: Seat, host: Host) -> None:
    """Drive the run of `seat` until it has ended, or was suspended; `seat.run` is then as it was
    committed last.

    Raises `Unavailable` where the journal does not take an event, `IllegalMove` where another host
    drives the run: nothing more is begun, what is in flight is ended, in the whole tree, and the
    run is left to be resumed.
    """
    host.seats[seat.run.id] = seat
    seat.watch.start()
    # Who was stopped before the first step begins nothing.
    news: Sequence[Body] = (*seat.opening, *_news(seat, seat.inbox.take_nowait()))
    try:
        async with anyio.create_task_group() as group:
            deadline = fold(seat.run, seat.opening).deadline_seconds
            if deadline is not None:
                group.start_soon(_watch_deadline, deadline, seat)
            while True:
                begun = await _step(seat, host, news)
                if seat.run.ended or (seat.suspended and not seat.scopes):
                    break
                if seat.run.stopping or seat.suspended:
                    _stop_acts(seat)
                for body in (*begun, *_again(seat, host)):
                    # Made here, so that a stop can end the act before its task has run at all.
                    seat.scopes[body.act] = anyio.CancelScope()
                    group.start_soon(acts.perform, body, seat, host)
                if seat.to_count is not None:
                    group.start_soon(acts.count, *seat.to_count, seat)
                    seat.to_count = None
                news = _news(seat, await seat.inbox.take())
            group.cancel_scope.cancel()
    except BaseExceptionGroup as faults:
        # A store that is gone stops every act; whoever started the run is told of it once.
        told = next((f for f in leaves(faults) if isinstance(f, Unavailable | IllegalMove)), None)
        if told is None:
            raise
        raise told from None
    finally:
        host.leave(seat)
        for child in seat.prepared.values():
            if child not in seat.children and not child.account.closed:
                child.close()


async def _step(seat: Seat, host: Host, news: Sequence[Body]) -> list[Begun]:
    """Commit `news` with all that may begin after it; what began."""
    seat.waiting = ""
    run = fold(seat.run, news)
    begin: list[Body] = []
    progress = not seat.suspended
    while progress:
        progress = False
        for want in next_acts(run):
            bodies = await admit(want, run, seat, host)
            run = fold(run, bodies)
            begin += bodies
            progress = progress or bool(bodies)
    host.keep_slot(seat, run)
    begun = [body for body in begin if isinstance(body, Begun)]
    if news or begin:
        with anyio.CancelScope(shield=True):
            try:
                events = await _committed((*news, *begin), news, seat, host)
            except BaseException:
                for body in begun:
                    acts.forget(seat, body, (0, 0))
                    if body.what == "child":
                        seat.child_acts[body.act].close()
                raise
            seat.run = stamped(run, events[-1])
            host.published(seat, events)
    return begun


async def _committed(
    bodies: Sequence[Body], held: Sequence[Body], seat: Seat, host: Host
) -> Sequence[Event]:
    """The events as committed. While the store takes none the run waits: what happened is `held`
    and tried again for a while, and nothing of the rest begins.

    Raises `Unavailable`, which names what was lost.
    """
    until = time.monotonic() + (host.config.journal_hold_seconds if seat.run.n else 0)
    while True:
        try:
            return await host.journal.append(seat.run.id, seat.run.n + 1, bodies, seat.watch.ms)
        except Unavailable as fault:
            if fault.lasting or seat.inbox.stops or time.monotonic() >= until:
                lost = _told(held)
                words = f"{fault}; not recorded of run `{seat.run.id[:4]}`: {lost}"
                raise Unavailable(words if lost else str(fault), help=fault.help) from fault
        seat.waiting = "journal"
        host.publish(seat.run.id, "progress")
        await anyio.sleep(RETRY_SECONDS)


def _told(held: Sequence[Body]) -> str:
    """What happened, in words: `an answer (3,210 tokens), 2 tool results`."""
    answers = [body for body in held if isinstance(body, Answered) and not body.fault]
    results = sum(isinstance(body, Done) for body in held)
    parts: list[str] = []
    if answers:
        parts.append(f"an answer ({sum(body.charged for body in answers):,} tokens)")
    if results:
        parts.append(f"{results} tool result{'s' if results > 1 else ''}")
    return ", ".join(parts)


def _again(seat: Seat, host: Host) -> tuple[Begun, ...]:
    """The acts that a host before this one began, as far as they may be done again now: children
    at once, calls where there is a slot.
    """
    children = tuple(begun for begun in seat.again if begun.what == "child")
    calls = tuple(begun for begun in seat.again if begun.what != "child")
    if calls and not host.take_slot(seat):
        seat.again = calls
        return children
    seat.again = ()
    return children + calls


def _news(seat: Seat, messages: Iterable[Message]) -> list[Body]:
    """What `messages` say happened."""
    news: list[Body] = []
    for message in messages:
        match message:
            case Outcome(bodies):
                news += bodies
            case Cancel(status, why):
                if seat.run.stopping is None and not any(isinstance(b, Stopping) for b in news):
                    news.append(Stopping(status=status, why=why))
            case Suspend():
                seat.suspended = True
            case Counted():
                seat.counted[message.model] = message
            case _:
                pass
    return news


def _stop_acts(seat: Seat) -> None:
    """End what is in flight: calls are cancelled, children are asked, what was to be done again is
    not.
    """
    stopping = seat.run.stopping
    for child in seat.children:
        if not child.run.ended:
            child.inbox.put(Cancel(stopping.status, stopping.why) if stopping else Suspend())
    for begun in seat.run.in_flight:
        if begun.what != "child" and begun.act in seat.scopes:
            seat.scopes[begun.act].cancel()
    if stopping:
        for begun in seat.again:
            if begun.what != "child":
                seat.inbox.put(Outcome((acts.lost(begun),)))
    # A child that was to be taken up again is, where it is to be stopped: it has an end to write.
    children = tuple(begun for begun in seat.again if begun.what == "child")
    seat.again = children if stopping else ()


async def _watch_deadline(seconds: float, seat: Seat) -> None:
    await anyio.sleep(max(0.0, seconds - seat.watch.ms / 1000))
    seat.inbox.put(Cancel(Status.DEADLINE_EXCEEDED, f"its deadline of {seconds:g} s has passed"))
