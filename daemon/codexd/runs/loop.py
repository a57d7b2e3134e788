"""How a run is driven: commit what happened together with what begins next, then act.

`drive` is never cancelled: cancelling is a message in the run's mailbox. Everything that an act
does comes back through that mailbox, as events; what the run wants next is decided in
`run.next_acts`, and whether it may have it, in `admit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import anyio

from codexd.errors import IllegalMove, Unavailable, leaves
from codexd.runs import acts
from codexd.runs.admission import admit
from codexd.runs.events import Begun, Body, Stopping
from codexd.runs.host import Host
from codexd.runs.run import fold, next_acts, stamped
from codexd.runs.seat import Cancel, Counted, Message, Outcome, Seat
from codexd.runs.view import Status


async def drive(seat: Seat, host: Host) -> None:
    """Drive the run of `seat` until it has ended; `seat.run` is then the ended run.

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
            if seat.run.started.deadline_seconds is not None:
                group.start_soon(_watch_deadline, seat.run.started.deadline_seconds, seat)
            while True:
                begun = await _step(seat, host, news)
                if seat.run.ended:
                    break
                if seat.run.stopping:
                    _stop_acts(seat)
                for body in begun:
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
        for child in seat.prepared:
            if child not in seat.children and not child.account.closed:
                child.close()


async def _step(seat: Seat, host: Host, news: Sequence[Body]) -> list[Begun]:
    """Commit `news` with all that may begin after it; what began."""
    seat.waiting = ""
    run = fold(seat.run, news)
    begin: list[Body] = []
    progress = True
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
                bodies = (*news, *begin)
                events = await host.journal.append(run.id, seat.run.n + 1, bodies, seat.watch.ms)
            except BaseException:
                for body in begun:
                    acts.forget(seat, body, (0, 0))
                    if body.what == "child":
                        seat.child_acts[body.act].close()
                raise
            seat.run = stamped(run, events[-1])
            host.published(seat, events)
    return begun


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
            case Counted():
                seat.counted[message.model] = message
            case _:
                pass
    return news


def _stop_acts(seat: Seat) -> None:
    """End what is in flight: calls are cancelled, children are asked."""
    stopping = seat.run.stopping
    if stopping is None:
        return
    for child in seat.children:
        if not child.run.ended:
            child.inbox.put(Cancel(stopping.status, stopping.why))
    for begun in seat.run.in_flight:
        if begun.what != "child" and begun.act in seat.scopes:
            seat.scopes[begun.act].cancel()


async def _watch_deadline(seconds: float, seat: Seat) -> None:
    await anyio.sleep(max(0.0, seconds - seat.watch.ms / 1000))
    seat.inbox.put(Cancel(Status.DEADLINE_EXCEEDED, f"its deadline of {seconds:g} s has passed"))
