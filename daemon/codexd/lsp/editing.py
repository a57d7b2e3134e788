"""What an editor does with documents, and what it asks about them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lsprotocol import types

from codexd.errors import CodexdError
from codexd.lsp import actions
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
        desk.findings.attach(connection)
        if desk.publishers[connection].owes:
            desk.wake()

    async def cancel_progress(params: types.WorkDoneProgressCancelParams) -> None:
        run = desk.progress.run_of(connection, params.token)
        if run is not None:
            with suppress(CodexdError):  # it has just ended
                await desk.orchestrator.cancel(run)

    def opened(params: types.DidOpenTextDocumentParams) -> None:
        uri = params.text_document.uri
        desk.publishers[connection].again(uri)
        desk.findings.changed(connection, uri)

    def changed(params: types.DidChangeTextDocumentParams) -> None:
        desk.findings.changed(connection, params.text_document.uri)

    def saved(_params: types.DidSaveTextDocumentParams) -> None:
        desk.findings.look_soon()

    def closed(params: types.DidCloseTextDocumentParams) -> None:
        desk.findings.changed(connection, params.text_document.uri)

    async def code_actions(params: types.CodeActionParams) -> list[actions.Action]:
        return actions.actions_at(connection, desk, params)

    connection.feature(types.TEXT_DOCUMENT_DID_OPEN)(opened)
    connection.feature(types.TEXT_DOCUMENT_DID_CHANGE)(changed)
    connection.feature(types.TEXT_DOCUMENT_DID_SAVE)(saved)
    connection.feature(types.TEXT_DOCUMENT_DID_CLOSE)(closed)
    kinds = types.CodeActionOptions(code_action_kinds=list(actions.KINDS))
    connection.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)(code_actions)
    connection.feature(types.INITIALIZE)(initialize)
    connection.feature(types.INITIALIZED)(initialized)
    connection.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancel_progress)
