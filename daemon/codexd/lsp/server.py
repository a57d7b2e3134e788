"""One client's connection: a pygls server of its own, over the orchestrator that all share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import anyio
from lsprotocol import types
from pygls.exceptions import JsonRpcParseError
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path
from pygls.workspace import TextDocument

from codexd import __version__
from codexd.lsp import disk
from codexd.lsp.buffers import Buffer
from codexd.lsp.frames import FrameFault, read_frame
from codexd.lsp.hello import Hello
from codexd.lsp.protocol import Protocol

if TYPE_CHECKING:
    from cattrs import Converter

    from codexd.words import Lang

logger = logging.getLogger(__name__)

MiB = 1 << 20
MOST_UNSENT = 16 * MiB
"""Above it a client is disconnected: it does not read, and others need the memory."""
SLOW_UNSENT = MiB
"""Above it only the latest state of what changes is kept for a client."""
DRAIN_SECONDS = 2
"""For what a client has asked before its end of input to be answered."""
CLOSING_SECONDS = 2
"""For a client that leaves to take what was written to it."""

Command = Callable[[Sequence[Any]], Awaitable[Any]]


class Connection(LanguageServer):
    """One client: its documents, its capabilities, the way to it."""

    protocol: Protocol  # pyright: ignore[reportIncompatibleVariableOverride] - ours is narrower

    def __init__(
        self, hello: Hello, writer: asyncio.StreamWriter, root: Path, converter: Converter
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - pygls' `*args`
            "codexd",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=Protocol,
            converter_factory=lambda: converter,
        )
        self.hello, self.root = hello, root
        self._root_uri = from_fs_path(str(root)) or ""
        self.cancelled: set[str | int] = set()
        """The requests that the client has asked to cancel."""
        self.commands: dict[str, Command] = {}
        self.initialize: types.InitializeParams | None = None
        self.ready = False
        """Whether the client has said `initialized`: before, it drops what it is sent."""
        self.opened: dict[Path, str] = {}
        """By path, the documents that it has open, in its own spelling."""
        self.told_last = ""
        """What it was sent in the last batch: `rows` of runs, or `progress`."""
        self._writer = writer
        self.protocol.set_writer(cast("Any", writer))

    # --- bytes ------------------------------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Act on what the client sends until it leaves."""
        try:
            while not self.gone and (body := await read_frame(reader)) is not None:
                self.protocol.receive(body)
                # A client that sends without end leaves room for the others.
                await asyncio.sleep(0)
            await self._drain()
        except FrameFault as fault:
            what = f"{fault}; the connection ends here"
            self.protocol.refuse(None, JsonRpcParseError(what))
        finally:
            await self._close()

    async def _drain(self) -> None:
        """Answer what a script has asked before its end of input. A command of the terminal is
        gone by then, and what it waits for leaves off.
        """
        self.protocol.forget_questions()
        if not self.gone and self.hello.door != "cli":
            with anyio.move_on_after(DRAIN_SECONDS):
                await self.protocol.until_answered()

    def write(self, data: bytes) -> None:
        """Send `data`; a client that reads nothing for too long is let go."""
        if self.gone:
            return
        if self.unsent + len(data) > MOST_UNSENT:
            self.let_go()
        else:
            self._writer.write(data)

    def let_go(self) -> None:
        """End the connection to a client that reads nothing; what was not sent is lost."""
        logger.warning("a client that reads nothing was let go", extra={"pid": self.hello.pid})
        self._writer.transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    @property
    def slow(self) -> bool:
        """Whether it should be sent no more than the latest state."""
        return self.unsent > SLOW_UNSENT

    @property
    def gone(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._writer.is_closing()

    def leave(self) -> None:
        """End the connection, once what was written is sent."""
        self._writer.close()

    async def _close(self) -> None:
        self._writer.close()
        self.protocol.forget()
        with anyio.move_on_after(CLOSING_SECONDS), suppress(OSError):
            await self._writer.wait_closed()
        # A client that has hung up, and yet reads nothing, is waited for no longer.
        self._writer.transport.abort()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log it. (pygls pops it up in the editor.)"""
        logger.error("%s", error, exc_info=error)

    # --- what the client is -----------------------------------------------------------------

    @property
    def client_name(self) -> str:
        """What people call it: `Neovim`, `Visual Studio Code`, `terminal`."""
        info = self.initialize.client_info if self.initialize else None
        if info is not None:
            return info.name
        return "terminal" if self.hello.door == "cli" else "an editor"

    @property
    def language(self) -> Lang:
        """`ja` where the client says so, else `en`."""
        locale = (self.initialize.locale if self.initialize else None) or ""
        return "ja" if locale.lower().startswith("ja") else "en"

    def declares(self, feature: str) -> bool:
        """Whether the client takes `feature` of ours: `capabilities.experimental.codexd`."""
        capabilities = self.initialize.capabilities if self.initialize else None
        experimental = capabilities.experimental if capabilities else None
        return bool(_get(_get(experimental, "codexd"), feature))

    def declines(self, feature: str) -> bool:
        """Whether the client has said no to `feature`, which is given to all others."""
        capabilities = self.initialize.capabilities if self.initialize else None
        experimental = capabilities.experimental if capabilities else None
        return _get(_get(experimental, "codexd"), feature) is False

    def offer_command(self, name: str, command: Command) -> None:
        """Have `workspace/executeCommand` know `name`, and say so at `initialize`."""
        self.commands[name] = command
        self.protocol.fm.commands[name] = command  # pyright: ignore[reportUnknownMemberType]

    def can(self, *path: str) -> bool:
        """Whether the client has a capability: `can("window", "work_done_progress")`."""
        return bool(self.capability(*path))

    def capability(self, *path: str) -> Any:
        """What the client says of a capability; `None` where it says nothing."""
        value: Any = self.initialize.capabilities if self.initialize else None
        for name in path:
            value = getattr(value, name, None)
        return value

    # --- documents --------------------------------------------------------------------------

    def note_opened(self, uri: str) -> None:
        """The client has opened a document."""
        path = self.path_of(uri)
        if path is not None:
            self.opened[path] = uri

    def note_closed(self, uri: str) -> None:
        """The client has closed a document."""
        path = self.path_of(uri)
        if path is not None and self.opened.get(path) == uri:
            del self.opened[path]

    def uri_of(self, path: Path) -> str:
        """The URI of a file, in the client's own spelling where it has used one."""
        if uri := self.opened.get(path):
            return uri
        whole = from_fs_path(str(path)) or ""
        root_uri = self.initialize.root_uri if self.initialize else None
        if root_uri and path.is_relative_to(self.root):
            return root_uri.rstrip("/") + whole.removeprefix(self._root_uri)
        return whole

    def relative(self, uri: str) -> str | None:
        """The workspace-relative path of a file by its URI; `None`: it is outside."""
        path = self.path_of(uri)
        if path is None or not path.is_relative_to(self.root):
            return None
        return path.relative_to(self.root).as_posix()

    def path_of(self, uri: str) -> Path | None:
        """The file that a URI names, in the workspace as we spell that; `None`: it names none."""
        path = path_of(uri)
        root_uri = self.initialize.root_uri if self.initialize else None
        # The client may have come to the workspace by way of a link.
        root = path_of(root_uri) if root_uri else None
        if path is None or root is None or root == self.root or not path.is_relative_to(root):
            return path
        return self.root / path.relative_to(root)

    def document(self, uri: str) -> TextDocument | None:
        """A document that the client has open. (pygls knows each by its URI without escapes.)"""
        return self.workspace.text_documents.get(unquote(uri))

    def unread(self, uri: str) -> Unread:
        """The document as the client has it now, else the file, which is still to be read."""
        encoding = types.PositionEncodingKind(self.workspace.position_encoding or "utf-16")
        path, document = self.path_of(uri), self.document(uri)
        if path is None or document is None:
            return Unread(uri, path, None, encoding)
        return Unread(
            uri, path, Buffer(uri, path, document.source, document.version, encoding), encoding
        )

    def buffer(self, uri: str) -> Buffer | None:
        """The document as the client has it, else the file; `None` where it is none."""
        return self.unread(uri).read()


@dataclass(frozen=True, slots=True)
class Unread:
    """A document of a client, or the file where it has none open."""

    uri: str
    path: Path | None
    open: Buffer | None
    encoding: types.PositionEncodingKind

    def read(self) -> Buffer | None:
        """Its text; `None` where there is no such file, or none that is text of bearable size."""
        if self.open is not None or self.path is None:
            return self.open
        text = disk.text_of(self.path)
        return None if text is None else Buffer(self.uri, self.path, text, None, self.encoding)


def path_of(uri: str) -> Path | None:
    """The file that a URI names; `None` where it names none."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _get(value: Any, name: str) -> Any:
    """A key of what the client sent: cattrs leaves it a mapping, or makes it an object."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).get(name)
    return getattr(value, name, None)
