"""Changes of one document, as a client may be asked to make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codexd.lsp.buffers import Buffer
from codexd.lsp.lines import Hunk
from codexd.lsp.server import Connection

END = 1 << 30
"""A column past every end."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change, and what the user is told of it."""

    range: types.Range
    text: str
    label: str
    sure: bool = False
    """Whether it may be made without a look at it."""


def annotates(connection: Connection) -> bool:
    """Whether the client shows changes to its user before it makes them."""
    edit = ("workspace", "workspace_edit")
    return connection.can(*edit, "document_changes") and connection.can(
        *edit, "change_annotation_support"
    )


def workspace_edit(
    connection: Connection, buffer: Buffer, edits: Sequence[Edit], about: str
) -> types.WorkspaceEdit:
    """The edits as far as the client can be told of them; `about` says whose they are."""
    plain = [types.TextEdit(edit.range, edit.text) for edit in edits]
    if not connection.can("workspace", "workspace_edit", "document_changes"):
        return types.WorkspaceEdit(changes={buffer.uri: plain})
    document = types.OptionalVersionedTextDocumentIdentifier(buffer.uri, buffer.version)
    if not annotates(connection):
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [*plain])])
    annotations = {
        str(n): types.ChangeAnnotation(
            edit.label, needs_confirmation=not edit.sure, description=about
        )
        for n, edit in enumerate(edits)
    }
    annotated = [
        types.AnnotatedTextEdit(annotation_id=str(n), range=edit.range, new_text=edit.text)
        for n, edit in enumerate(edits)
    ]
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(document, [*annotated])],
        change_annotations=annotations,
    )


async def apply(connection: Connection, edit: types.WorkspaceEdit, label: str) -> bool:
    """Whether the client has made the edit: it, or its user, may not want to."""
    params = types.ApplyWorkspaceEditParams(edit=edit, label=label)
    try:
        answer = await connection.protocol.ask(types.WORKSPACE_APPLY_EDIT, params)
    except (ConnectionError, JsonRpcException):
        return False
    return bool(getattr(answer, "applied", False))


def edit_of(hunk: Hunk, buffer: Buffer, label: str) -> Edit:
    """A hunk over the buffer's lines, with line ends as the buffer has them."""
    eol = _line_end(buffer)
    n_lines, lines = len(buffer.lines), list(hunk.lines)
    if hunk.end < n_lines:
        where = buffer.range(hunk.start + 1, 1, hunk.end + 1, 1)
        return Edit(where, "".join(line + eol for line in lines), label)
    # It goes to the end of the text, after which there is no line to begin at.
    if hunk.start == n_lines or not lines:
        where = buffer.range(hunk.start, END, n_lines, END)
        return Edit(where, "".join(eol + line for line in lines), label)
    where = buffer.range(hunk.start + 1, 1, n_lines, END)
    return Edit(where, eol.join(lines), label)


def _line_end(buffer: Buffer) -> str:
    first = buffer.lines[0]
    return first[len(first.rstrip("\r\n")) :] or "\n"
