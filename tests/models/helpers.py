"""What the tests of models share: requests, models of a scripted server, a clock that obeys."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from tests.model_server import ModelServer, Script

from codexd.config import ModelChoice, Provider
from codexd.config.settings import WireApi
from codexd.errors import Source
from codexd.models import Brief, Item, Model, Request, ToolSchema, UserText
from codexd.models.http import Client
from codexd.models.providers import open_model

WIRES: tuple[WireApi, ...] = ("responses", "chat", "messages")
PATHS = {"responses": "/responses", "chat": "/chat/completions", "messages": "/messages"}
READ = ToolSchema(
    "read_file",
    "Read a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
SCHEMA = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "maxLength": 200, "title": "Summary"},
        "files": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["summary"],
}


def request(*items: Item, **more: Any) -> Request:
    """A request; `items` follow the goal."""
    asked = Request(
        system="You review code.",
        items=(UserText("find bugs"), *items),
        tools=(READ,),
        max_output=1_000,
        brief=Brief("reviewer", "reviews code", "find bugs"),
    )
    return replace(asked, **more)


@dataclass
class Clock:
    """Time that passes when somebody sleeps, and no other time."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list[float])

    async def sleep(self, delay: float, /) -> None:
        """Let `delay` seconds be over."""
        self.slept.append(delay)
        self.now += delay

    def time(self) -> float:
        """Seconds, from nowhere in particular."""
        return self.now


def provider(url: str, wire: WireApi, **more: Any) -> Provider:
    """A provider named `local` at `url`."""
    return replace(Provider("local", "Local", url, wire), **more)


@dataclass
class Table:
    """A scripted server and a model that speaks to it."""

    server: ModelServer
    model: Model
    clock: Clock
    client: Client


@asynccontextmanager
async def table(
    wire: WireApi, script: Script, *, env: Mapping[str, str] | None = None, **more: Any
) -> AsyncGenerator[Table]:
    """A server with `script` and a model on `wire`; `more` are fields of its provider."""
    clock = Clock()
    async with (
        ModelServer(script) as server,
        Client(sleep=clock.sleep, clock=clock.time, jitter=lambda: 0.0) as client,
    ):
        choice = ModelChoice(provider(server.url, wire, **more), "m", Source("<test>"))
        yield Table(server, open_model(choice, env=env or {}, client=client), clock, client)


@asynccontextmanager
async def saying(
    body: bytes,
    *,
    status: int = 200,
    kind: str = "text/event-stream",
    piece: int = 0,
    encoding: str = "",
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[str]:
    """The URL of a server that answers `body` whatever it is asked, `piece` bytes at a time."""

    async def handler(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Type": kind})
        if encoding:
            response.headers["Content-Encoding"] = encoding
        await response.prepare(asked)
        size = piece or max(1, len(body))
        for start in range(0, len(body), size):
            await response.write(body[start : start + size])
        await response.write_eof()
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def ignore(text: str) -> None:
    """Nobody reads along."""
