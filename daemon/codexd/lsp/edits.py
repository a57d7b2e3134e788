"""Proposals: what a run would have written into files that an editor has unsaved changes in.

The file is left as it is, so that nobody's typing is lost; the run is told so, and the bytes stand
in the journal as those of every write do. Until somebody applies or dismisses it, a proposal is
offered in its file to every client, as the code action "Apply patch of <run>". It is brought
together with what the buffer holds then: hunks whose lines are others by now are named, and left
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from codexd.lsp import disk
from codexd.lsp.buffers import Buffer
from codexd.lsp.lines import Hunk, bare, hunks, merge
from codexd.lsp.server import Connection
from codexd.lsp.text import text
from codexd.lsp.workspace_edit import annotates, apply, edit_of, workspace_edit
from codexd.tools import FileChange

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

MOST = 100
"""Proposals that are kept; the oldest go, and are in the journal still."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a tree of runs would have made of one file."""

    root: str
    """Its root run."""
    by: str
    """`refactorer · 91be`."""
    path: str
    base: tuple[str, ...]
    """The lines that it was made for."""
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a patch."""

    applied: bool
    """Whether the client has put in what fits."""
    misfits: int = 0
    """Hunks whose place is not there any more; with one of these the patch is kept."""


class Edits:
    """The proposals of this workspace."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._root = desk.orchestrator.config.workspace.root
        self.proposals: list[Proposal] = []
        """In the order in which they were made."""

    # --- what runs ask ----------------------------------------------------------------------

    def unsaved(self, changes: Sequence[FileChange]) -> Mapping[str, str]:
        """By path, the client that has a file of `changes` open with text that is not on disk."""
        held: dict[str, str] = {}
        for change in changes:
            clients = self._clients_with(change)
            if clients:
                held[change.path] = clients[0].client_name
        return held

    def propose(self, root: str, agent: str, change: FileChange) -> None:
        """Keep what a run would have written, and tell those who have the file unsaved."""
        base = _shown((change.before or b"").decode("utf-8", "replace"))
        after = _shown((change.after or b"").decode("utf-8", "replace"))
        proposal = Proposal(root, f"{agent} · {root[:4]}", change.path, base, after)
        self.proposals = [*self.proposals, proposal][-MOST:]
        for connection in self._clients_with(change):
            if connection is self._desk.owners.get(root) and annotates(connection):
                self._desk.start(partial(self._offer, connection, proposal))
            else:
                self._announce(connection, proposal)

    def _clients_with(self, change: FileChange) -> list[Connection]:
        """Those who have the file open with other text than is on disk."""
        try:
            on_disk = _shown((change.before or b"").decode())
        except UnicodeDecodeError:
            return []  # in an encoding that we do not know; what an editor shows is no other text
        return [
            connection
            for connection in self._desk.connections
            for document in map(connection.document, self._open(connection, change.path))
            if document is not None and _shown(document.source) != on_disk
        ]

    def _open(self, connection: Connection, path: str) -> list[str]:
        """The URIs by which a client has a file open; a link is another name of it."""
        target = self._root / path
        file = disk.identity(target)
        return [
            uri
            for opened, uri in connection.opened.items()
            if opened == target or (file is not None and disk.identity(opened) == file)
        ]

    async def _offer(self, connection: Connection, proposal: Proposal) -> None:
        if not (await self._apply(connection, proposal.path, [proposal])).applied:
            self._announce(connection, proposal)

    def _announce(self, connection: Connection, proposal: Proposal) -> None:
        if connection.gone or proposal not in self.proposals:
            return
        usable = connection.can("workspace", "apply_edit")
        offered = usable and connection.can("text_document", "code_action")
        key = "proposed" if offered else "proposed_plain"
        words = text(connection.language, key, run=proposal.by, path=proposal.path)
        show(connection, words, types.MessageType.Warning)

    # --- what users do ----------------------------------------------------------------------

    def at(self, path: str) -> list[Proposal]:
        """The proposals for a file."""
        return [proposal for proposal in self.proposals if proposal.path == path]

    def _of(self, connection: Connection, run: str, path: str | None) -> list[Proposal]:
        found = [
            proposal
            for proposal in self.proposals
            if run and proposal.root.startswith(run) and path in (None, proposal.path)
        ]
        if not found:
            raise JsonRpcInvalidParams(text(connection.language, "no_patch", run=run))
        return found

    async def apply(self, connection: Connection, run: str, path: str) -> Applied:
        """Whether the client has put a patch into a file. Raises `JsonRpcInvalidParams`."""
        return await self._apply(connection, path, self._of(connection, run, path))

    def dismiss(self, connection: Connection, run: str, path: str | None) -> int:
        """The patches of a run are not offered any more; how many they were."""
        gone = self._of(connection, run, path)
        self.proposals = [each for each in self.proposals if each not in gone]
        return len(gone)

    async def _apply(
        self, connection: Connection, path: str, proposals: Sequence[Proposal]
    ) -> Applied:
        buffer = connection.buffer(self._uri(connection, path))
        if buffer is None:
            file = self._root / path
            buffer = Buffer(file.as_uri(), file, "")
        if not connection.can("workspace", "apply_edit"):
            show(connection, text(connection.language, "no_edits"), types.MessageType.Warning)
            return Applied(applied=False)
        lines = tuple(bare(buffer.text))
        merged, misfits = lines, list[Hunk]()
        for proposal in proposals:
            done = merge(proposal.base, proposal.after, merged)
            merged = done.lines
            misfits += done.misfits
        by = proposals[0].by
        if misfits:
            self._name(connection, path, proposals[0], misfits)
        label = text(connection.language, "apply_patch", run=by)
        edits = [edit_of(hunk, buffer, label) for hunk in hunks(lines, merged)]
        if edits:
            whole = workspace_edit(connection, buffer, edits, by)
            if not await apply(connection, whole, label):
                return Applied(applied=False, misfits=len(misfits))
        if not misfits:
            self.proposals = [each for each in self.proposals if each not in proposals]
        return Applied(applied=bool(edits) or not misfits, misfits=len(misfits))

    def _uri(self, connection: Connection, path: str) -> str:
        opened = self._open(connection, path)
        return opened[0] if opened else connection.uri_of(self._root / path)

    def _name(
        self, connection: Connection, path: str, proposal: Proposal, misfits: Sequence[Hunk]
    ) -> None:
        """Tell which hunks do not fit, by the lines that they were made for."""
        language = connection.language
        places = ", ".join(
            text(language, "line", line=hunk.start + 1, text=_gist(proposal.base, hunk))
            for hunk in misfits[:5]
        )
        more = f", … (+{len(misfits) - 5})" if len(misfits) > 5 else ""
        words = text(language, "misfits", path=path, run=proposal.by, places=places + more)
        show(connection, words, types.MessageType.Warning)


def show(
    connection: Connection, words: str, kind: types.MessageType = types.MessageType.Info
) -> None:
    """Tell the client's user something."""
    if connection.ready and not connection.gone:
        params = types.ShowMessageParams(type=kind, message=words)
        connection.protocol.notify(types.WINDOW_SHOW_MESSAGE, params)


def _gist(base: Sequence[str], hunk: Hunk) -> str:
    line = base[hunk.start] if hunk.start < hunk.end else "".join(hunk.lines[:1])
    return line.strip()[:60]


def _shown(text: str) -> tuple[str, ...]:
    """The lines of a file, as editors show them."""
    return tuple(bare(text.removeprefix("\ufeff")))
