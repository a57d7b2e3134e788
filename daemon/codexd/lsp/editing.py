"""What an editor does with documents, and what it asks about them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lsprotocol import types

from codexd.errors import CodexdError
from codexd.lsp import actions
from codexd.lsp.server import Connection, path_of

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
        desk.validation.attach(connection)
        if desk.publishers[connection].owes:
            desk.wake()

    async def cancel_progress(params: types.WorkDoneProgressCancelParams) -> None:
        run = desk.progress.run_of(connection, params.token)
        if run is not None:
            with suppress(CodexdError):  # it has just ended
                await desk.orchestrator.cancel(run)

    def opened(params: types.DidOpenTextDocumentParams) -> None:
        uri = params.text_document.uri
        connection.note_opened(uri)
        desk.publishers[connection].again(uri)
        changed_at(uri)

    def changed(params: types.DidChangeTextDocumentParams) -> None:
        changed_at(params.text_document.uri)

    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        desk.findings.look_soon()
        # The system's own word that a file changed may be late, or never come.
        await desk.orchestrator.look_again(path_of(params.text_document.uri))

    def closed(params: types.DidCloseTextDocumentParams) -> None:
        connection.note_closed(params.text_document.uri)
        changed_at(params.text_document.uri)

    def changed_at(uri: str) -> None:
        desk.findings.changed(connection, uri)
        desk.validation.edited(connection, uri)

    async def code_actions(params: types.CodeActionParams) -> list[actions.Action]:
        of_agent_files = await desk.language.actions(connection, params)
        found = [*of_agent_files, *actions.actions_at(connection, desk, params)]
        return actions.wanted(connection, params.context.only, found)

    connection.feature(types.TEXT_DOCUMENT_DID_OPEN)(opened)
    connection.feature(types.TEXT_DOCUMENT_DID_CHANGE)(changed)
    connection.feature(types.TEXT_DOCUMENT_DID_SAVE)(saved)
    connection.feature(types.TEXT_DOCUMENT_DID_CLOSE)(closed)
    kinds = types.CodeActionOptions(code_action_kinds=list(actions.KINDS))
    connection.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)(code_actions)
    connection.feature(types.INITIALIZE)(initialize)
    connection.feature(types.INITIALIZED)(initialized)
    connection.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(cancel_progress)
