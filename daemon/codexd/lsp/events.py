"""What happens in runs, as clients are told it: the latest state of each, in batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import TypeAdapter

from codexd.lsp.server import Connection
from codexd.orchestrator import Notice, Orchestrator
from codexd.runs.view import RunRow, RunView, rows_of

METHOD = "codexd/events"

_ROW = TypeAdapter(RunRow)


@dataclass(frozen=True, slots=True)
class Batch:
    """What changed since the batch before."""

    rows: tuple[RunRow, ...] = ()
    ended_roots: tuple[RunRow, ...] = ()
    """Of `rows`, the root runs that have ended."""
    ended: tuple[RunView, ...] = ()
    """The same, whole."""


class Feed:
    """The runs that changed, and what each client has not been told yet."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._changed: set[str] = set()
        """Root runs under way."""
        self._ended: dict[str, RunView] = {}
        self._last: dict[str, RunRow] = {}
        """The rows of runs under way, as they were told last."""
        self._owed: WeakKeyDictionary[Connection, dict[str, Any]] = WeakKeyDictionary()
        """Rows, as JSON, that a slow client has not been sent."""

    def note(self, notice: Notice) -> None:
        """Remember that a run changed; cheap, as it is called for every bit of streamed text."""
        driving = self._orchestrator.driving
        root = driving.root_of(notice.run)
        if root is None:
            return
        if notice.kind in ("ended", "suspended") and notice.run == root:
            # Its seat is gone when the batch is made.
            view = driving.live(root)
            if view is not None:
                self._ended[root] = view
            self._changed.discard(root)
        elif root not in self._ended:
            self._changed.add(root)

    def take(self) -> Batch:
        """What changed since the last time."""
        changed, self._changed = self._changed, set()
        ended, self._ended = self._ended, {}
        views = [self._orchestrator.driving.live(root) for root in changed]
        rows = [row for view in (*views, *ended.values()) if view for row in rows_of(view)]
        fresh = tuple(row for row in rows if self._last.get(row.id) != row)
        self._last |= {row.id: row for row in fresh}
        for row in fresh:
            if row.root in ended:
                self._last.pop(row.id, None)
        return Batch(fresh, tuple(row for row in fresh if row.id in ended), tuple(ended.values()))

    def send(self, connection: Connection, batch: Batch) -> None:
        """Send the batch, with what is owed; a slow client is owed the latest state of each."""
        owed = self._owed.setdefault(connection, {})
        for row in batch.rows:
            owed[row.id] = row
        if owed and not connection.slow:
            runs = [_ROW.dump_python(row, mode="json") for row in owed.values()]
            owed.clear()
            connection.protocol.notify(METHOD, {"runs": runs, "told": []})

    def owes(self, connections: Iterable[Connection]) -> bool:
        """Whether a client is still to be told something."""
        return any(self._owed.get(connection) for connection in connections)
