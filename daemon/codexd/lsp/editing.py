"""What an editor does with documents, and what it asks about them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lsprotocol import types

from codexd.errors import CodexdError
from codexd.lsp.server import Connection

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk


def offer(connection: Connection, desk: Desk) -> None:
    """Have the documents of `connection` followed."""

    # Not coroutines: a client may send its first request with `initialize`, in one breath.
    def initialize(params: types.InitializeParams) -> None:
        connection.initialize = params

    def initialized(_params: types.InitializedParams) -> None:
        connection.ready = True

    async def cancel_progress(params: types.WorkDoneProgressCancelParams) -> None:
        run = desk.progress.run_of(connection, params.token)
        if run is not None:
            with suppress(CodexdError):  # it has just ended
                await desk.orchestrator.cancel(run)

    connection.feature(types.INITIALIZE)(initialize)
    connection.feature(types.INITIALIZED)(initialized)
    connection.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancel_progress)
