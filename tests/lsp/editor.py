"""A client for tests: raw JSON-RPC over a socket to a desk in this process, or to a daemon."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import anyio
from tests.house import House, house
from tests.model_server import Script

from codexd.lsp.desk import Desk
from codexd.lsp.frames import dumps, frame, read_frame
from codexd.lsp.hello import Hello

Message = dict[str, Any]

TIME = 20
"""Seconds that anything awaited may take at most, on the busiest machine."""

OURS: Message = {"events": True, "approve": True}


class Failed(Exception):
    """The server answered with an error."""

    def __init__(self, error: Message) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


@dataclass
class Editor:
    """One client. What the server sends is kept, and can be waited for."""

    LATER: ClassVar[object] = object()
    """What an entry of `answers` gives where the request is not answered yet."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: list[Message] = field(default_factory=list[Message])
    answers: dict[str, Callable[[Any], Any]] = field(
        default_factory=dict[str, Callable[[Any], Any]]
    )
    """How requests of the server are answered, by method; others get `null`."""
    times: list[float] = field(default_factory=list[float])
    """When each of `received` came."""
    closed: bool = False
    reads: anyio.Event = field(default_factory=anyio.Event)
    """Another one, not set, has it stop reading."""
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _last_id: int = 0

    # --- going on ---------------------------------------------------------------------------

    async def listen(self) -> None:
        """Take what the server sends, until it closes."""
        self.reads.set()
        while (body := await read_frame(self.reader)) is not None:
            message = json.loads(body)
            self.received.append(message)
            self.times.append(anyio.current_time())
            if "method" in message and "id" in message and message["method"] in self.answers:
                result = self.answers[message["method"]](message.get("params"))
                if result is not self.LATER:
                    self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})
            elif "method" in message and "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            self._tell()
            await self.reads.wait()
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def send(self, message: Message) -> None:
        """Send any message."""
        self.writer.write(frame(dumps(message)))

    async def until(self, found: Callable[[], Any], what: str = "") -> Any:
        """What `found` gives, as soon as it gives something."""
        try:
            with anyio.fail_after(TIME):
                while not (value := found()):
                    if self.closed:
                        raise ConnectionError(f"closed before {what}")
                    await self._changed.wait()
                return value
        except TimeoutError:
            methods = [message.get("method", "answer") for message in self.received]
            raise AssertionError(f"waited for {what}; received {methods}") from None

    async def until_closed(self) -> None:
        """Wait until the server has closed the connection."""
        with anyio.fail_after(TIME):
            while not self.closed:
                await self._changed.wait()

    # --- requests and notifications ---------------------------------------------------------

    def begin(self, method: str, params: Any = None) -> int:
        """Send a request without waiting; its id."""
        self._last_id += 1
        self.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._last_id

    async def answer(self, msg_id: int | str | None) -> Any:
        """The result of a request that was begun. Raises `Failed`."""

        def found() -> Message | None:
            for message in self.received:
                if "method" not in message and message.get("id") == msg_id:
                    return message
            return None

        message = await self.until(found, f"the answer to {msg_id}")
        if "error" in message:
            raise Failed(message["error"])
        return message["result"]

    async def request(self, method: str, params: Any = None) -> Any:
        """The result of a request. Raises `Failed`."""
        return await self.answer(self.begin(method, params))

    async def command(self, name: str, *arguments: Any) -> Any:
        """The result of a command."""
        params = {"command": name, "arguments": list(arguments)}
        return await self.request("workspace/executeCommand", params)

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def cancel(self, msg_id: int) -> None:
        """Cancel a request."""
        self.notify("$/cancelRequest", {"id": msg_id})

    def all(self, method: str) -> list[Any]:
        """The parameters of every message of that method so far."""
        return [each.get("params") for each in self.received if each.get("method") == method]

    async def told(self, method: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The parameters of the first message of that method that fits, now or later."""

        def found() -> list[Any] | None:
            return next(([params] for params in self.all(method) if fits(params)), None)

        return (await self.until(found, method))[0]

    async def row(self, fits: Callable[[Message], bool]) -> Message:
        """The first row of a run that fits, among the events."""

        def found() -> Message | None:
            batches = self.all("codexd/events")
            rows = [row for batch in batches for row in batch["runs"]]
            return next((row for row in rows if fits(row)), None)

        return await self.until(found, "a row of a run")

    # --- documents --------------------------------------------------------------------------

    def open(self, path: Path, text: str, *, language: str = "plaintext") -> str:
        """Open a document; its URI."""
        uri = path.as_uri()
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def change(self, uri: str, version: int, text: str) -> None:
        """Replace the whole text of an open document."""
        params = {
            "textDocument": {"uri": uri, "version": version},
            "contentChanges": [{"text": text}],
        }
        self.notify("textDocument/didChange", params)

    async def diagnostics(self, uri: str, fits: Callable[[list[Any]], bool]) -> list[Any]:
        """The diagnostics of a document once the last publication of them fits."""

        def found() -> list[Any] | None:
            published = [
                params["diagnostics"]
                for params in self.all("textDocument/publishDiagnostics")
                if params["uri"] == uri
            ]
            return published[-1:] if published and fits(published[-1]) else None

        return (await self.until(found, f"diagnostics of {uri}"))[0]

    async def initialize(
        self,
        root: Path,
        *,
        ours: Message | None = None,
        capabilities: Message | None = None,
        **more: Any,
    ) -> Message:
        """The server's capabilities, after the whole handshake of LSP."""
        experimental = {"experimental": {"codexd": ours}} if ours is not None else {}
        params = {
            "processId": os.getpid(),
            "rootUri": root.as_uri(),
            "capabilities": {**(capabilities or {}), **experimental},
            **more,
        }
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        return result


@asynccontextmanager
async def attached(
    desk: Desk, *, door: str = "lsp", env: Mapping[str, str] | None = None
) -> AsyncGenerator[Editor]:
    """A client of a desk in this process, over a socket; leaving hangs up."""
    ours, theirs = socket.socketpair()
    server_side = await asyncio.open_connection(sock=theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    hello = Hello(door, "0.1.0", os.getpid(), "/", env or {})
    editor = Editor(reader, writer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.serve, *server_side, hello)
        tasks.start_soon(editor.listen)
        try:
            yield editor
        finally:
            editor.reads.set()
            writer.close()


@dataclass
class Office:
    """A house with a desk in it."""

    house: House
    desk: Desk

    @property
    def workspace(self) -> Path:
        """The workspace's root."""
        return self.house.workspace

    @asynccontextmanager
    async def editor(
        self,
        *,
        door: str = "lsp",
        ours: Message | None = OURS,
        capabilities: Message | None = None,
        env: Mapping[str, str] | None = None,
        **more: Any,
    ) -> AsyncGenerator[Editor]:
        """An initialized client; `ours` is what it declares of codexd's own, `None`: nothing."""
        whole = {"PATH": "/usr/bin:/bin", "HOME": str(self.house.home), **(env or {})}
        async with attached(self.desk, door=door, env=whole) as editor:
            await editor.initialize(self.workspace, ours=ours, capabilities=capabilities, **more)
            yield editor


@asynccontextmanager
async def office(
    folder: Path, script: Script, *agents: str, silent_seconds: float = 10, **more: Any
) -> AsyncGenerator[Office]:
    """A house of `agents` whose model is `script`, with a desk that clients attach to."""
    async with (
        house(folder, script, *agents, watch=True, **more) as here,
        Desk.open(here.codexd, silent_seconds=silent_seconds) as desk,
    ):
        yield Office(here, desk)
