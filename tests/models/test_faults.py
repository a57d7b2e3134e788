"""Every way a provider fails, as its type, and whether it may have been billed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web
from tests.model_server import Fault, ModelServer, Scripted
from tests.models.helpers import WIRES, Clock, ignore, provider, request, table

from codexd.config import ModelChoice
from codexd.config.settings import WireApi
from codexd.errors import (
    AuthFailed,
    ContextTooLong,
    CutStream,
    ModelFault,
    Overloaded,
    RateLimited,
    RequestRefused,
    Source,
    Unreachable,
)
from codexd.models.http import Client
from codexd.models.providers import open_model

pytestmark = pytest.mark.anyio
each_wire = pytest.mark.parametrize("wire", WIRES)


@each_wire
@pytest.mark.parametrize(
    ("scripted", "fault"),
    [
        (Scripted(status=429), RateLimited),
        (Scripted(status=429, code="insufficient_quota"), RateLimited),
        (Scripted(status=500), Overloaded),
        (Scripted(status=503), Overloaded),
        (Scripted(status=529), Overloaded),
        (Scripted(status=401, message="bad key"), AuthFailed),
        (Scripted(status=403), AuthFailed),
        (Scripted(status=400, message="the maximum context length is 8 tokens"), ContextTooLong),
        (Scripted(status=400, message="prompt is too long: 9 tokens > 8 maximum"), ContextTooLong),
        (Scripted(status=413), ContextTooLong),
        (Scripted(status=400, message="no such thing"), RequestRefused),
        (Scripted(status=404, message="no such model"), RequestRefused),
        (Scripted(status=422), RequestRefused),
    ],
    ids=lambda value: f"{value.status}-{value.code}" if isinstance(value, Scripted) else None,
)
async def test_a_refusing_status_is_its_fault_and_costs_nothing(
    wire: WireApi, scripted: Scripted, fault: type[ModelFault]
) -> None:
    async with table(wire, lambda _: scripted, request_max_retries=1) as t:
        with pytest.raises(fault) as caught:
            await t.model.stream(request(), ignore)
    assert type(caught.value) is fault
    assert not caught.value.billed
    assert str(scripted.status) in str(caught.value)
    assert scripted.message in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@each_wire
@pytest.mark.parametrize(
    "fault",
    [
        Fault.CUT,
        Fault.END_EARLY,
        Fault.BROKEN_JSON,
        Fault.NOT_UTF8,
        Fault.LONG_LINE,
        Fault.ERROR_EVENT,
    ],
)
async def test_a_stream_that_breaks_is_cut_and_may_be_billed(wire: WireApi, fault: Fault) -> None:
    async with table(wire, [Scripted(text="a long answer " * 20, fault=fault)]) as t:
        with anyio.fail_after(20), pytest.raises(CutStream) as caught:
            await t.model.stream(request(), ignore)
        assert caught.value.billed
        assert len(t.server.requests) == 1


@each_wire
async def test_silence_in_a_stream_cuts_it(wire: WireApi) -> None:
    script = [Scripted(text="a long answer " * 20, fault=Fault.SILENCE)]
    async with table(wire, script, stream_idle_timeout_ms=50) as t:
        with anyio.fail_after(5), pytest.raises(CutStream, match=r"0\.05 s") as caught:
            await t.model.stream(request(), ignore)
    assert caught.value.billed


@each_wire
async def test_silence_before_a_stream_may_be_billed_and_is_not_asked_again(wire: WireApi) -> None:
    script = [Scripted(hold=asyncio.Event())]
    async with table(wire, script, stream_idle_timeout_ms=50) as t:
        with anyio.fail_after(5), pytest.raises(Unreachable) as caught:
            await t.model.stream(request(), ignore)
        assert caught.value.billed
        assert len(t.server.requests) == 1


@each_wire
async def test_a_connection_dropped_after_the_request_may_be_billed(wire: WireApi) -> None:
    async with table(wire, [Scripted(fault=Fault.DROP)]) as t:
        with anyio.fail_after(5), pytest.raises(Unreachable) as caught:
            await t.model.stream(request(), ignore)
        assert caught.value.billed
        assert len(t.server.requests) == 1


@each_wire
async def test_events_that_nobody_knows_are_passed_over(wire: WireApi) -> None:
    async with table(wire, [Scripted(text="all is well", fault=Fault.UNKNOWN_EVENT)]) as t:
        assert (await t.model.stream(request(), ignore)).text == "all is well"


@each_wire
async def test_slow_chunks_are_waited_for(wire: WireApi) -> None:
    scripted = Scripted(text="bit by bit", piece=1, chunk_delay=0.002)
    async with table(wire, [scripted], stream_idle_timeout_ms=2_000) as t:
        assert (await t.model.stream(request(), ignore)).text == "bit by bit"


@each_wire
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_lines_may_end_in_any_way(wire: WireApi, newline: str) -> None:
    async with table(wire, [Scripted(text="one\\ntwo", newline=newline, piece=2)]) as t:
        assert (await t.model.stream(request(), ignore)).text == "one\\ntwo"


@each_wire
async def test_an_answer_that_is_no_stream_is_cut(wire: WireApi) -> None:
    headers = {"Content-Type": "application/json"}
    async with table(wire, [Scripted(text="x", headers=headers)]) as t:
        with pytest.raises(CutStream, match="application/json"):
            await t.model.stream(request(), ignore)


@each_wire
async def test_a_redirect_is_not_followed(wire: WireApi) -> None:
    async with ModelServer([]) as elsewhere:
        moved = Scripted(status=307, headers={"Location": f"{elsewhere.url}/x"})
        async with table(wire, [moved]) as t:
            with pytest.raises(RequestRefused, match="redirects"):
                await t.model.stream(request(), ignore)
        assert not elsewhere.requests
        assert not elsewhere.other_requests


async def test_a_server_that_is_not_there_costs_nothing_and_is_not_waited_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        clock = Clock()
        async with Client(sleep=clock.sleep, clock=clock.time) as client:
            choice = ModelChoice(provider(url, "chat"), "m", Source("<test>"))
            model = open_model(choice, env={}, client=client)
            with pytest.raises(Unreachable, match=r"127\.0\.0\.1") as caught:
                await model.stream(request(), ignore)
    assert not caught.value.billed
    assert caught.value.help == "is Local running?"
    assert clock.slept == []


async def test_a_host_that_is_not_found_is_tried_again_and_costs_nothing() -> None:
    clock = Clock()
    async with Client(sleep=clock.sleep, clock=clock.time, jitter=lambda: 0.0) as client:
        nowhere = provider("http://nowhere.invalid/v1", "chat")
        model = open_model(ModelChoice(nowhere, "m", Source("<test>")), env={}, client=client)
        with anyio.fail_after(20), pytest.raises(Unreachable, match=r"nowhere\.invalid") as caught:
            await model.stream(request(), ignore)
    assert not caught.value.billed
    assert clock.slept == [0.5, 1.0]


@each_wire
async def test_a_call_that_is_cancelled_closes_its_connection(wire: WireApi) -> None:
    script = [Scripted(text="a long answer " * 20, fault=Fault.SILENCE)]
    async with table(wire, script) as t:
        with anyio.fail_after(5):
            with anyio.CancelScope() as scope:
                await t.model.stream(request(), lambda text: scope.cancel())
            await t.server.until(lambda server: server.left == 1)
        assert t.server.open_streams == 0


async def test_a_fault_never_shows_the_key() -> None:
    said = Scripted(status=401, message="Incorrect API key provided: sk-secret-1")
    env = {"LOCAL_API_KEY": "sk-secret-1"}
    async with table("chat", [said], env=env, env_key="LOCAL_API_KEY") as t:
        with pytest.raises(AuthFailed) as caught:
            await t.model.stream(request(), ignore)
        assert t.server.requests[0].headers["Authorization"] == "Bearer sk-secret-1"
        assert "sk-secret-1" not in repr(vars(t.model))
    assert "sk-secret-1" not in f"{caught.value} {caught.value.help}"
    assert "LOCAL_API_KEY" in caught.value.help


@pytest.mark.parametrize(
    "event",
    [
        '{"type": "response.output_item.done"}',
        '{"type": "response.completed", "response": {"output": [{}]}}',
        '["type"]',
        '{"type": "response.output_text.delta", "delta": 7}',
        '{"type": "response.completed", "response": {"output": [{"type": "function_call"}]}}',
        '{"type": "response.completed", "response": {"model": 7}}',
        "[" * 100_000,
    ],
)
async def test_events_of_another_shape_cut_the_stream(event: str) -> None:
    async with saying(f"data: {event}\n\n") as url, Client() as client:
        choice = ModelChoice(provider(url, "responses"), "m", Source("<test>"))
        model = open_model(choice, env={}, client=client)
        with pytest.raises(CutStream) as caught:
            await model.stream(request(), ignore)
    assert caught.value.billed


@asynccontextmanager
async def saying(body: str) -> AsyncGenerator[str]:
    """The URL of a server that streams `body` whatever it is asked."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/responses", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
