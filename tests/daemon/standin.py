"""`codexd` with a stand-in for the language server, which tells a client what it knows of it.

As a program: `standin.py VERB…` is `codexd VERB…`, and starts daemons that are stand-ins too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import types
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from codexd.lsp.hello import Hello
from codexd.orchestrator import Delegate, Orchestrator

PROGRAM = (sys.executable, "-P", __file__, "as-daemon")


class Desk:
    """Answers `hello` with the handshake, `delegate` at once; leaves on `exit`."""

    def __init__(self, orchestrator: Orchestrator, tasks: anyio.abc.TaskGroup) -> None:
        self._orchestrator, self._tasks = orchestrator, tasks

    @classmethod
    @asynccontextmanager
    async def open(cls, orchestrator: Orchestrator) -> AsyncGenerator[Desk]:
        async with anyio.create_task_group() as tasks:
            yield cls(orchestrator, tasks)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: Hello
    ) -> None:
        while message := await _read(reader):
            match message["method"]:
                case "exit":
                    return
                case "delegate":
                    self._tasks.start_soon(
                        self._orchestrator.delegate, Delegate(agent=message["params"]["agent"])
                    )
                case _:
                    pass
            told = {"door": hello.door, "cwd": hello.cwd, "pid": hello.pid, "env": dict(hello.env)}
            writer.write(framed({"jsonrpc": "2.0", "id": message["id"], "result": told}))


async def _read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return json.loads(await reader.readexactly(int(head.split(b":")[1])))
    except asyncio.IncompleteReadError:
        return None


def framed(message: dict[str, Any]) -> bytes:
    """The message as it goes over the wire."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def main(argv: list[str]) -> int:
    """`codexd ARGV…`, with the stand-in."""
    module = types.ModuleType("codexd.lsp.desk")
    module.Desk = Desk  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules[module.__name__] = module
    from codexd.daemon import attach

    attach.PROGRAM = PROGRAM
    if argv[0] == "as-daemon":
        from codexd.daemon.__main__ import main as daemon

        return daemon(argv[1:])
    from codexd.cli import main as codexd

    return codexd(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
