"""Progress as LSP has it: one work-done progress a root run a client, with a token of its own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codexd.lsp.events import Batch
from codexd.lsp.server import Connection
from codexd.runs.view import RunRow

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk


@dataclass(slots=True)
class _Shown:
    """One run, as one client is shown it."""

    connection: Connection
    token: str
    row: RunRow
    begun: bool = False
    fresh: bool = True
    """Whether `row` was not told yet."""
    percentage: int = 0


class Progress:
    """The progress of every run at every client that can show one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown: dict[tuple[int, str], _Shown] = {}
        """By client and run."""

    def show(self, batch: Batch) -> None:
        """Tell the clients of a batch: every end, and of what goes on one run each."""
        roots = [row for row in batch.rows if row.parent is None]
        for connection in self._desk.connections:
            if not connection.can("window", "work_done_progress") or not connection.ready:
                continue
            if connection.declines("progress"):
                continue
            for row in roots:
                self._note(connection, row)
        self._report()

    def _note(self, connection: Connection, row: RunRow) -> None:
        key = (id(connection), row.id)
        shown = self._shown.get(key)
        if row.status.ended:
            if shown is not None:
                del self._shown[key]
                if shown.begun:
                    end = types.WorkDoneProgressEnd(message=_words(row))
                    self._send(shown, end)
            return
        if shown is None:
            shown = self._shown[key] = _Shown(connection, f"codexd-{uuid.uuid4()}", row)
            self._desk.tasks.start_soon(self._create, shown)
        shown.row, shown.fresh = row, True

    async def _create(self, shown: _Shown) -> None:
        params = types.WorkDoneProgressCreateParams(token=shown.token)
        protocol = shown.connection.protocol
        try:
            await protocol.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
        except (JsonRpcException, ConnectionError):
            return  # a client that cannot is told no more of this run
        if self._shown.get((id(shown.connection), shown.row.id)) is not shown:
            return  # it has ended meanwhile
        shown.begun = True
        begin = types.WorkDoneProgressBegin(
            title=_title(shown.row), cancellable=True, percentage=0, message=_words(shown.row)
        )
        self._send(shown, begin)

    def _report(self) -> None:
        """One report a client: the one that has waited longest."""
        told: set[int] = set()
        for key, shown in list(self._shown.items()):
            client = id(shown.connection)
            if not shown.begun or not shown.fresh or client in told or shown.connection.slow:
                continue
            told.add(client)
            row, shown.fresh = shown.row, False
            share = 100 * row.spent // row.budget if row.budget else 0
            shown.percentage = max(shown.percentage, min(share, 100))
            report = types.WorkDoneProgressReport(
                message=_words(row), percentage=shown.percentage, cancellable=True
            )
            self._send(shown, report)
            # Whoever was told stands last.
            self._shown[key] = self._shown.pop(key)

    def _send(
        self,
        shown: _Shown,
        value: types.WorkDoneProgressBegin
        | types.WorkDoneProgressReport
        | types.WorkDoneProgressEnd,
    ) -> None:
        params = types.ProgressParams(token=shown.token, value=value)
        shown.connection.protocol.notify(types.PROGRESS, params)

    def run_of(self, connection: Connection, token: object) -> str | None:
        """The run whose progress a client knows by `token`."""
        for (client, run), shown in self._shown.items():
            if client == id(connection) and shown.token == token:
                return run
        return None

    def forget(self, connection: Connection) -> None:
        """A client has gone."""
        for key in [key for key in self._shown if key[0] == id(connection)]:
            del self._shown[key]


def _title(row: RunRow) -> str:
    return f"codexd: {row.agent or 'several agents'}"


def _words(row: RunRow) -> str:
    """`grep "License" · 412 of 5,000 tokens`."""
    doing = row.doing or str(row.status).replace("_", " ")
    return f"{doing} · {row.spent:,} of {row.budget:,} tokens"
