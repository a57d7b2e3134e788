"""Progress as LSP has it: one work-done progress a root run a client, with a token of its own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codexd.lsp.events import Batch
from codexd.lsp.server import Connection
from codexd.lsp.text import text, told
from codexd.runs.view import RunRow

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk


CREATE_SECONDS = 60
"""For a client to make its token: one that never answers is not waited for by every run."""


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
        self._shown: dict[Connection, dict[str, _Shown]] = {}
        """By client and run."""

    def note(self, connection: Connection, batch: Batch) -> None:
        """Have a client shown what of a batch it is to be shown; every end at once."""
        if connection.can("window", "work_done_progress") and not connection.declines("progress"):
            for row in batch.rows:
                if row.parent is None:
                    self._note(connection, row)

    def _note(self, connection: Connection, row: RunRow) -> None:
        at = self._shown.setdefault(connection, {})
        shown = at.get(row.id)
        if row.status.ended:
            if shown is not None:
                del at[row.id]
                if shown.begun:
                    end = types.WorkDoneProgressEnd(message=_words(row, connection.language))
                    self._send(shown, end)
            return
        if shown is None:
            shown = at[row.id] = _Shown(connection, f"codexd-{uuid.uuid4()}", row)
            self._desk.start(partial(self._create, shown))
        shown.row, shown.fresh = row, True

    async def _create(self, shown: _Shown) -> None:
        params = types.WorkDoneProgressCreateParams(token=shown.token)
        protocol = shown.connection.protocol
        try:
            with anyio.fail_after(CREATE_SECONDS):
                await protocol.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
        except (JsonRpcException, ConnectionError, TimeoutError):
            return  # a client that cannot is told no more of this run
        if self._shown.get(shown.connection, {}).get(shown.row.id) is not shown:
            return  # it has ended meanwhile
        shown.begun, shown.fresh = True, False
        language = shown.connection.language
        begin = types.WorkDoneProgressBegin(
            title=f"codexd: {shown.row.agent or text(language, 'group')}",
            cancellable=True,
            percentage=_percentage(shown),
            message=_words(shown.row, language),
        )
        self._send(shown, begin)

    def report(self, connection: Connection) -> bool:
        """Report on the run that has waited longest; whether one was reported on."""
        shown = None if connection.slow else self._next(connection)
        if shown is None:
            return False
        row, shown.fresh = shown.row, False
        words = _words(row, connection.language)
        report = types.WorkDoneProgressReport(
            message=words, percentage=_percentage(shown), cancellable=True
        )
        self._send(shown, report)
        # Whoever was told stands last.
        at = self._shown[connection]
        at[row.id] = at.pop(row.id)
        return True

    def owes(self, connection: Connection) -> bool:
        """Whether a client is still to be shown something."""
        return self._next(connection) is not None

    def _next(self, connection: Connection) -> _Shown | None:
        at = self._shown.get(connection, {})
        return next((shown for shown in at.values() if shown.begun and shown.fresh), None)

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
        at = self._shown.get(connection, {})
        return next((run for run, shown in at.items() if shown.token == token), None)

    def forget(self, connection: Connection) -> None:
        """A client has gone."""
        self._shown.pop(connection, None)


def _percentage(shown: _Shown) -> int:
    """What is settled of its limit; it never falls, whatever becomes of that."""
    row = shown.row
    share = 100 * row.spent // row.budget if row.budget else 0
    shown.percentage = max(shown.percentage, min(share, 100))
    return shown.percentage


def _words(row: RunRow, language: str) -> str:
    """`grep "License" · 412 of 5,000 tokens`."""
    doing = told(language, row.doing) or text(language, row.status.value)
    spent = text(language, "spent", spent=f"{row.spent:,}", budget=f"{row.budget:,}")
    return f"{doing} · {spent}"
