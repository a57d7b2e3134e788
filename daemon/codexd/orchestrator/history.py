"""What was, and what others drive: the runs and the audit log of a workspace, read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from codexd.errors import UnknownRun
from codexd.runs.events import Ended, Event
from codexd.runs.export import Exporter, Record, since
from codexd.runs.journal import Journal
from codexd.runs.run import replay
from codexd.runs.store import Stored
from codexd.runs.view import RunView
from codexd.runs.views import from_row, view_of

POLL_SECONDS = 0.15
"""How often a run that another process drives is looked at."""


class History:
    """The journal of a workspace, as doors are shown it."""

    def __init__(self, journal: Journal, root: Path) -> None:
        self._journal, self._root = journal, root

    async def runs(self, *, limit: int = 20) -> tuple[RunView, ...]:
        """Root runs of this workspace, newest first, children inside."""
        ids = await anyio.to_thread.run_sync(self._journal.roots, limit)
        return tuple([await self._view(run_id) for run_id in ids])

    async def run(self, run_id: str | None) -> RunView:
        """The run whose id begins so; `None`: the last root run. Raises `UnknownRun`."""
        return await self._view(await anyio.to_thread.run_sync(self._find, run_id))

    async def _view(self, run_id: str) -> RunView:
        """The run of that id."""
        return await anyio.to_thread.run_sync(self._stored_view, run_id)

    async def events(
        self, run_id: str | None, *, after: int = 0, limit: int
    ) -> tuple[str, list[Event]]:
        """The id of a run, and its next events after its `after`th. Raises `UnknownRun`."""
        whole = await anyio.to_thread.run_sync(self._find, run_id)
        events = await anyio.to_thread.run_sync(self._journal.all_events, whole)
        return whole, [event for event in events if event.n > after][:limit]

    async def spent_since(self, at: str) -> int:
        """Tokens of the root runs that began at or after `at` (RFC 3339 UTC)."""
        [spent] = await anyio.to_thread.run_sync(self._journal.column, "spent_since", at)
        return spent

    async def watch(self, run_id: str | None) -> AsyncIterator[RunView]:
        """The run after each change, whoever drives it, until it has ended."""
        view = await self.run(run_id)
        yield view
        while not view.status.ended:
            await anyio.sleep(POLL_SECONDS)
            fresh = await self.run(view.id)
            # Whoever drives it keeps its stopwatch; here, time since the last event is added.
            if fresh != view:
                view = fresh
                yield view

    def _find(self, run_id: str | None) -> str:
        journal = self._journal
        if run_id is None:
            newest = journal.roots(1)
            if not newest:
                raise UnknownRun(
                    f"no run has been made in {self._root} yet",
                    help="`codexd delegate code-reviewer` makes one",
                )
            return newest[0]
        if not run_id or set(run_id) - set("0123456789abcdef"):
            raise UnknownRun(f"`{run_id}` is no run's id", help="`codexd runs list` shows them")
        found = journal.ids_like(run_id)
        if len(found) != 1:
            several, none = (
                f"{len(found)} runs' ids begin with `{run_id}`",
                f"no run's id begins with `{run_id}`",
            )
            raise UnknownRun(several if found else none, help="`codexd runs list` shows them")
        return found[0]

    def _stored_view(self, run_id: str) -> RunView:
        journal = self._journal
        # Asked first: what its process wrote before it went is then among the events.
        stored = journal.stored(run_id)
        alive = stored is not None and (stored.ended_at is not None or self._alive(stored))
        run = replay(journal.all_events(run_id))
        if run is None:
            if stored is None:
                raise UnknownRun(f"run `{run_id}` is not in the journal")
            run = from_row(stored)
        children = [self._stored_view(child) for child in journal.children(run_id)]
        interrupted = not run.ended and not alive
        short = journal.short(run_id)
        return view_of(run, short=short, children=children, interrupted=interrupted)

    def _is_alive(self, run_id: str) -> bool:
        """Whether the process that drives the run, or drove it last, is there and drives it."""
        stored = self._journal.stored(run_id)
        return stored is not None and self._alive(stored)

    def _alive(self, stored: Stored) -> bool:
        # What this process has left off is driven by nobody, though its host is there.
        if stored.host == self._journal.host:
            return self._is_driven(stored.id)
        return self._journal.host_alive(stored.host)

    def _is_driven(self, run_id: str) -> bool:
        """Whether this process drives the run: who only reads drives none."""
        return False

    # The audit log.

    async def audit(
        self,
        *,
        run: str | None = None,
        agent: str | None = None,
        since: str | None = None,
        follow: bool = False,
    ) -> AsyncIterator[Record]:
        """The records of `runs/export.py`, in the order in which they were completed; then of
        the runs that have not ended.

        `run` stands for its whole tree. `since` is RFC 3339, or a length such as `2h`. With
        `follow` it goes on until `run` has ended, or for ever. Raises `BadRequest`, `UnknownRun`.
        """
        journal, exporter = self._journal, Exporter()
        earliest = _since(since)
        top = await anyio.to_thread.run_sync(self._find, run) if run is not None else None
        after = await anyio.to_thread.run_sync(journal.seq_before, top) if top else 0

        def wanted(record: Record) -> bool:
            return (top is None or exporter.is_below(record["codexd"]["run"], top)) and (
                agent is None or record["agent_name"] == agent
            )

        while True:
            # Asked first: what a process wrote before it went is then among the events.
            alive = top is None or await anyio.to_thread.run_sync(self._is_alive, top)
            events = await anyio.to_thread.run_sync(journal.events_after, after)
            for event in events:
                after = event.seq
                for record in exporter.records(event):
                    if wanted(record) and (earliest is None or event.at >= earliest):
                        yield record
                if follow and top == event.run and isinstance(event.body, Ended):
                    return
            if events:
                continue
            if not (follow and alive):
                break
            await anyio.sleep(POLL_SECONDS)
        for record in await anyio.to_thread.run_sync(list, exporter.unfinished(self._is_alive)):
            if wanted(record):
                yield record

    async def verify(self) -> Mapping[str, Any]:
        """`{"ok": bool, "events": int, "runs": int, "faults": [{"seq": int, "what": str}]}`."""
        faults, n_events, n_runs = await anyio.to_thread.run_sync(self._journal.verify)
        return {
            "ok": not faults,
            "events": n_events,
            "runs": n_runs,
            "faults": [asdict(fault) for fault in faults],
        }


def _since(text: str | None) -> str | None:
    return None if text is None else since(text, now=datetime.now(UTC))
