"""The daemon, asked by a command of the terminal: what it may say at any moment."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from codexd.cli.door import door_of
from codexd.cli.parse import parse
from codexd.cli.remote import Remote
from codexd.cli.text import Text
from codexd.daemon.attach import Attached
from codexd.errors import Denied
from codexd.lsp.frames import dumps, frame, read_frame
from codexd.orchestrator import Ask, Delegate
from codexd.orchestrator.verbs import unheard

pytestmark = pytest.mark.anyio

QUESTION = {"host": "far.example", "reads": "./**", "agents": ["worker"]}


@dataclass
class Daemon:
    """The other end, played by the test."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, **message: Any) -> None:
        self.writer.write(frame(dumps({"jsonrpc": "2.0", **message})))

    async def came(self, method: str) -> dict[str, Any]:
        """The next message of that method."""
        with anyio.fail_after(20):
            while True:
                body = await read_frame(self.reader)
                assert body is not None
                message = json.loads(body)
                if message.get("method") == method:
                    return message


@asynccontextmanager
async def asking(ask: Ask | None = None) -> AsyncGenerator[tuple[Remote, Daemon]]:
    ours, theirs = socket.socketpair()
    daemon = Daemon(*await asyncio.open_connection(sock=theirs))
    door = door_of(parse(["delegate", "worker"]), Text("en"))
    attached = Attached(ours, {"version": "0", "pid": 1}, b"")
    async with Remote.open(attached, door, {}, ask, unheard) as remote:
        yield remote, daemon
    daemon.writer.close()


async def test_a_question_that_somebody_else_has_answered_is_taken_back() -> None:
    asked, over = anyio.Event(), anyio.Event()

    async def ask(_: object) -> str:
        asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            over.set()
        return "no"

    async with asking(ask) as (_, daemon):
        daemon.send(id="q", method="codexd/approve", params=QUESTION)
        with anyio.fail_after(20):
            await asked.wait()
            daemon.send(method="$/cancelRequest", params={"id": "q"})
            await over.wait()


@pytest.mark.parametrize("suspend", [False, True])
async def test_what_has_not_begun_is_not_begun_once_it_is_stopped(*, suspend: bool) -> None:
    refused: list[Denied] = []
    async with asking() as (remote, daemon), anyio.create_task_group() as tasks:

        async def run() -> None:
            with pytest.raises(Denied) as fault:
                await remote.delegate(Delegate(agent="worker"))
            refused.append(fault.value)

        tasks.start_soon(run)
        wanted = await daemon.came("codexd/delegate")
        await (remote.suspend() if suspend else remote.cancel())
        assert (await daemon.came("$/cancelRequest"))["params"] == {"id": wanted["id"]}
        error = {"code": -32800, "message": "the request was cancelled"}
        daemon.send(id=wanted["id"], error=error)
    assert len(refused) == 1
