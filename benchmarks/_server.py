"""The scripted model server as a process of its own, and the bare client that ours is held to."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from tests.model_server import ModelServer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT)]
"""The clone's own code, installed or not."""

SECONDS_A_CALL = 0.2
TIMED: dict[str, Any] = {"delay": 0.02, "seconds": SECONDS_A_CALL}
"""A call takes 200 ms in all, its events spread over nine tenths of it."""


@contextmanager
def serving(script: Sequence[dict[str, Any]]) -> Generator[int]:
    """The port of a server that gives each conversation the answers of `script` in turn."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(list(script), file)
        file.flush()
        command = [sys.executable, "-m", "tests.model_server", "--by-turn", "--script", file.name]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                yield int(server.stdout.readline())
            finally:
                server.terminate()


@asynccontextmanager
async def recording(script: Sequence[dict[str, Any]]) -> AsyncGenerator[ModelServer]:
    """A server of `script` in this event loop, which remembers what it was sent."""
    from tests.model_server import ModelServer, by_turn, read_script

    async with ModelServer(by_turn(read_script(json.dumps(list(script))))) as server:
        yield server


async def bare_agent(session: aiohttp.ClientSession, url: str, bodies: Sequence[bytes]) -> None:
    """An agent's calls with aiohttp alone: ready bodies, each event parsed, nothing made of it."""
    headers = {"Content-Type": "application/json"}
    for body in bodies:
        async with session.post(url, data=body, headers=headers) as answer:
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    json.loads(line[6:])


def bare_session() -> aiohttp.ClientSession:
    """A session without a limit of connections. To be made inside the event loop."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
