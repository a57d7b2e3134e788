"""What happens in runs, as clients are told it: the latest state of each, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import anyio.lowlevel
from pydantic import TypeAdapter

from codexd.lsp.frames import frame
from codexd.lsp.server import MOST_UNSENT, Connection
from codexd.orchestrator import Began, CreatedAgent, Kept, Notice, Orchestrator, Remarks, Told
from codexd.runs.view import RunRow, RunView, rows_of

METHOD = "codexd/events"

AT_ONCE = 16
"""Runs that are looked at before requests are answered again: about a millisecond."""


@dataclass(frozen=True, slots=True)
class ToldRemarks(Remarks):
    """What whoever starts a run should know before it begins."""

    kind: Literal["remarks"] = "remarks"


@dataclass(frozen=True, slots=True)
class ToldBegan(Began):
    """A root run has begun."""

    kind: Literal["began"] = "began"


@dataclass(frozen=True, slots=True)
class ToldCreated(CreatedAgent):
    """An agent was made from a description; it is run next."""

    kind: Literal["created"] = "created"


@dataclass(frozen=True, slots=True)
class ToldKept(Kept):
    """What a resumed run has already: nothing of it is paid or done again."""

    kind: Literal["kept"] = "kept"


ToldRow: TypeAlias = ToldRemarks | ToldBegan | ToldCreated | ToldKept


@dataclass(frozen=True, slots=True)
class Events:
    """What happened since the batch before."""

    runs: tuple[RunRow, ...] = ()
    """The latest state of each run that changed, children too."""
    told: tuple[ToldRow, ...] = ()
    """What there is to say while a request of this client goes on."""


_ROWS = {Remarks: ToldRemarks, Began: ToldBegan, CreatedAgent: ToldCreated, Kept: ToldKept}


def told_row(told: Told) -> ToldRow:
    """`told`, with its kind."""
    return _ROWS[type(told)](**{name: getattr(told, name) for name in type(told).__slots__})


_ROW = TypeAdapter(RunRow)


@dataclass(frozen=True)
class Batch:
    """What changed since the batch before."""

    rows: tuple[RunRow, ...] = ()
    ended_roots: tuple[RunRow, ...] = ()
    """Of `rows`, the root runs that have ended."""
    ended: tuple[RunView, ...] = ()
    """The same, whole."""

    @cached_property
    def json(self) -> dict[str, bytes]:
        """The rows by run: written once, however many clients are told."""
        return {row.id: _ROW.dump_json(row) for row in self.rows}


class Feed:
    """The runs that changed, and what each client has not been told yet."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._changed: set[str] = set()
        """Root runs under way."""
        self._ended: dict[str, RunView] = {}
        self._last: dict[str, RunRow] = {}
        """The rows of runs under way, as they were told last."""
        self._owed: dict[Connection, dict[str, bytes]] = {}
        """Rows that a client has not been sent, by run."""

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

    async def take(self, *, watched: bool = True) -> Batch:
        """What changed since the last time; where nobody watches, only what ended."""
        changed, self._changed = self._changed, set()
        ended, self._ended = self._ended, {}
        rows = [row for view in ended.values() for row in rows_of(view)]
        for n, root in enumerate(changed if watched else (), 1):
            if view := self._orchestrator.driving.live(root):
                rows += rows_of(view)
            if n % AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        fresh = tuple(row for row in rows if self._last.get(row.id) != row)
        self._last |= {row.id: row for row in fresh}
        for row in rows:
            if row.root in ended:
                self._last.pop(row.id, None)
        return Batch(fresh, tuple(row for row in fresh if row.id in ended), tuple(ended.values()))

    def owe(self, connection: Connection, batch: Batch) -> None:
        """The client is to be told of the batch: of each run, only its latest state."""
        if batch.rows and connection.declares("events"):
            self._owed.setdefault(connection, {}).update(batch.json)

    def pay(self, connection: Connection) -> bool:
        """Send the client all it is owed, unless it is slow; whether that was done."""
        owed = self._owed.get(connection)
        if not owed:
            return False
        if connection.slow:
            if connection.unsent + sum(map(len, owed.values())) > MOST_UNSENT:
                connection.let_go()
            return False
        del self._owed[connection]
        connection.write(frame(_HEAD + b",".join(owed.values()) + _TAIL))
        return True

    def owes(self, connection: Connection) -> bool:
        """Whether a client is still to be told something."""
        return connection in self._owed

    def forget(self, connection: Connection) -> None:
        """A client has gone."""
        self._owed.pop(connection, None)


_HEAD, _TAIL = (
    b'{"jsonrpc":"2.0","method":"codexd/events","params":{"runs":[',
    b'],"told":[]}}',
)
