"""The root runs that this process drives: each to its end, whoever asked for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import anyio
import anyio.to_thread

from codexd.errors import IllegalMove, Unavailable, UnknownRun, leaves
from codexd.orchestrator.verbs import Notice
from codexd.runs.host import Host
from codexd.runs.loop import drive
from codexd.runs.seat import Cancel, Seat, Suspend
from codexd.runs.view import RunView, Status
from codexd.runs.views import live_view

logger = logging.getLogger(__name__)

RETAIN_EVERY = 50
"""Root runs between two looks at what the store keeps."""


class Driving:
    """What is being driven here, and who listens."""

    def __init__(self, host: Host) -> None:
        self._config, self._journal = host.config, host.journal
        self.seats, self._erase_at_end = host.seats, host.erase_at_end
        self._roots: list[Seat] = []
        self._root_ended = anyio.Event()
        self._n_ended = 0
        self._is_closed = False
        self._listeners: list[Callable[[Notice], None]] = []
        self._beginning: dict[str, Callable[[], None]] = {}
        """Whom to tell, once, that a run is in the journal."""

    @property
    def n_roots(self) -> int:
        """How many root runs are driven here."""
        return len(self._roots)

    def roots(self) -> tuple[RunView, ...]:
        """The root runs that are under way, as they are now."""
        return tuple(live_view(seat, seat.run.id[:4]) for seat in self._roots)

    def root_of(self, run_id: str) -> str | None:
        """The root of a run that is driven here."""
        seat = self.seats.get(run_id)
        return seat.run.started.root if seat else None

    def listen(self, listener: Callable[[Notice], None]) -> None:
        """Have `listener` called, on the event loop, after each commit and on progress."""
        self._listeners.append(listener)

    def publish(self, run: str, kind: str) -> None:
        """Tell every listener."""
        if kind != "progress" and (began := self._beginning.pop(run, None)):
            began()
        for listener in self._listeners:
            try:
                listener(Notice(run, kind))
            except Exception:
                # A display that broke is no reason for a run to end.
                logger.exception("a listener to run %s", run)

    def live(self, run_id: str) -> RunView | None:
        """The view of a run that is driven here, as it is now; `None` otherwise. Cheap."""
        seat = self.seats.get(run_id)
        return live_view(seat, run_id[:4]) if seat else None

    async def drive(self, seat: Seat, host: Host, began: Callable[[], None]) -> RunView:
        """Drive a root run to its end; a caller that is cancelled has it end in order first.

        `began` is called when it is in the journal, and so can be found by its id.
        """
        if self._is_closed:
            raise Unavailable(
                "codexd is about to end here, so no run begins", help="ask again in a moment"
            )
        if any(other.run.id == seat.run.id for other in self._roots):
            # The journal would refuse the second one, too, and both would be thought to have left.
            raise IllegalMove(
                f"run `{seat.run.id[:4]}` is being driven, by process {os.getpid()}",
                help=f"codexd runs watch {seat.run.id[:4]}",
            )
        self._roots.append(seat)
        self._beginning[seat.run.id] = began
        try:
            await _drive_shielded(seat, host)
            view = live_view(seat, await self.short(seat.run.id))
            await self._retain()
            return view
        finally:
            with anyio.CancelScope(shield=True):
                if not seat.run.ended:
                    await self._leave_off(seat)
                await self._forget(seat)
            self._roots.remove(seat)
            self._beginning.pop(seat.run.id, None)
            # Whoever waits has this one: several do.
            self._root_ended.set()
            self._root_ended = anyio.Event()

    async def _leave_off(self, seat: Seat) -> None:
        """Have a run that has not ended be nobody's, though this process goes on."""
        with suppress(Unavailable):  # it shows as running here until this process ends
            await self._journal.release(seat.run.started.root)
        seat.suspended = True
        self.publish(seat.run.id, "suspended")

    async def _forget(self, seat: Seat) -> None:
        """Let the tree of a root run go, with what the retention of what completed lets go."""
        for child in seat.children:
            await self._forget(child)
        run = seat.run
        self.seats.pop(run.id, None)
        if run.status is not Status.COMPLETED or run.started.retention == "permanent":
            return
        try:
            if run.started.retention == "job":
                await self._journal.erase(run.id)
            else:
                self._erase_at_end.append(run.id)
        except Unavailable:  # it has its result all the same; tried again when the host stops
            self._erase_at_end.append(run.id)

    async def _retain(self) -> None:
        """Keep of the conversations of ended runs what the configuration says; now and then."""
        self._n_ended += 1
        if self._n_ended % RETAIN_EVERY == 1:
            days = timedelta(days=self._config.journal_keep_days)
            since = (datetime.now(UTC) - days).isoformat(timespec="milliseconds")
            with suppress(Unavailable):  # tried again when more runs have ended
                await self._journal.retain(
                    since=since.replace("+00:00", "Z"), n_bytes=self._config.journal_keep_mb << 20
                )

    async def short(self, run_id: str) -> str:
        """The shortest start of a run's id that no other run shares."""
        try:
            return await anyio.to_thread.run_sync(self._journal.short, run_id)
        except Unavailable:  # the run has ended and has its result, whatever the store is now
            return run_id

    def cancel(self, run_id: str | None = None) -> tuple[str, ...]:
        """Ask the run (`None`: every one driven here) to stop, and give its whole id; it ends as
        `cancelled`. Raises `UnknownRun`.
        """
        seats = self._roots if run_id is None else [self._driven(run_id)]
        for seat in seats:
            seat.inbox.put(Cancel(Status.CANCELLED, "cancelled by the user"))
        return tuple(seat.run.id for seat in seats)

    def suspend(self, run_id: str | None = None) -> None:
        """Have the root run (`None`: every one) leave off in order; it can be resumed.

        Raises `UnknownRun`.
        """
        for seat in self._roots if run_id is None else [self._driven(run_id)]:
            seat.inbox.put(Suspend())

    def _driven(self, run_id: str) -> Seat:
        driven = self.seats.items()
        seats = [seat for id, seat in driven if run_id and id.startswith(run_id)]
        if len(seats) != 1:
            several = f"{len(seats)} runs driven here have ids that begin with `{run_id}`"
            raise UnknownRun(several if seats else f"no run driven here is `{run_id}`")
        return seats[0]

    def take_no_more(self) -> None:
        """Have no run begin or be resumed here from now on; those under way go on."""
        self._is_closed = True

    async def until_none(self) -> None:
        """Return when no run is driven here."""
        while self._roots:
            await self._root_ended.wait()

    async def leave(self) -> None:
        """Every run has ended, cancelled where it had not."""
        self.cancel()
        await self.until_none()
        for run_id in self._erase_at_end:
            await self._journal.erase(run_id)


async def _drive_shielded(seat: Seat, host: Host) -> None:
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_with_caller, seat)
            with anyio.CancelScope(shield=True):
                await drive(seat, host)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as faults:
        # Tasks are how a run is driven, and nothing that a caller should have to know.
        raise next(leaves(faults)) from faults


async def _cancel_with_caller(seat: Seat) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        seat.inbox.put(Cancel(Status.CANCELLED, "whoever asked for it has gone"))
