"""Every way a provider fails, as its type, and whether it may have been billed."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.model_server import Fault, ModelServer, Scripted
from tests.models.helpers import WIRES, Clock, ignore, provider, request, saying, table
from tests.needs import needs

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
    UnknownModel,
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
    async with saying(f"data: {event}\n\n".encode()) as url, Client() as client:
        choice = ModelChoice(provider(url, "responses"), "m", Source("<test>"))
        model = open_model(choice, env={}, client=client)
        with pytest.raises(CutStream) as caught:
            await model.stream(request(), ignore)
    assert caught.value.billed


async def fault_of(url: str, model: str = "m", **more: Any) -> ModelFault:
    """How a model at `url` fails."""
    async with Client() as client:
        here = replace(provider(url, "chat"), request_max_retries=0, **more)
        choice = ModelChoice(here, model, Source("<test>"))
        with anyio.fail_after(20), pytest.raises(ModelFault) as caught:
            await open_model(choice, env={}, client=client).stream(request(), ignore)
    return caught.value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b"<html>\r\n<head><title>502 Bad\n Gateway &amp; more</title></head></html>",
            "says 502: Bad Gateway & more",
        ),
        (b"<html><body>no title</body></html>", "says 502: a web page"),
        (b'[{"error": {"code": 400, "message": "an error of Gemini"}}]', "an error of Gemini"),
        (
            b'{"error":{"message":"Provider returned error","metadata":{"raw":"slow down"}}}',
            "Provider returned error: slow down",
        ),
        (b'{"detail": "Not Found"}', "says 502: Not Found"),
    ],
)
async def test_what_a_refusal_says_is_told_in_plain_words(body: bytes, said: str) -> None:
    async with saying(body, status=502, kind="text/html") as url:
        assert said in str(await fault_of(url))


@pytest.mark.parametrize(
    ("end", "help"),
    [
        ("", "most end in /v1"),
        ("/v1/chat/completions", "leave /chat/completions out of the base_url"),
        ("/v1/v1", "/v1 stands twice"),
        ("/v1", "does it speak chat"),
    ],
)
async def test_a_path_that_is_not_there_points_to_the_base_url(end: str, help: str) -> None:
    async with saying(b"404 page not found", status=404, kind="text/plain") as url:
        fault = await fault_of(url.removesuffix("/v1") + end)
    assert type(fault) is RequestRefused
    assert help in fault.help
    assert "model_providers.local" in fault.help


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (404, "The model `smal` does not exist or you do not have access to it.", "x"),
        (400, "The requested model 'smal' does not exist.", "model_not_found"),
        (404, 'model "smal" not found, try pulling it first', "api_error"),
        (404, "model: smal", "not_found_error"),
        (400, "smal is not a valid model ID", ""),
        (400, "Model Not Exist", ""),
        (400, "Invalid model: smal", "1500"),
    ],
)
async def test_an_unknown_model_is_told_with_the_nearest_that_there_is(
    status: int, message: str, code: str
) -> None:
    said = Scripted(status=status, message=message, code=code)
    async with ModelServer([said], models=("large", "small")) as server:
        fault = await fault_of(server.url, "smal")
    assert type(fault) is UnknownModel
    assert message in str(fault)
    assert fault.help == (
        "`local/small` is the nearest; `codexd models` shows all 2 that Local offers"
    )


async def test_an_unknown_model_of_a_provider_without_a_list_is_told_all_the_same() -> None:
    body = b'{"error": {"message": "model \'m\' not found"}}'
    async with saying(body, status=404, kind="application/json") as url:
        fault = await fault_of(url)
    assert type(fault) is UnknownModel
    assert "codexd models" in fault.help


@pytest.mark.parametrize(
    ("status", "code"), [(429, "insufficient_quota"), (429, "billing_hard_limit"), (402, "402")]
)
async def test_an_empty_purse_is_told_from_a_crowd(status: int, code: str) -> None:
    async with ModelServer([Scripted(status=status, code=code)]) as server:
        fault = await fault_of(server.url)
    assert "credit" in fault.help
    assert "fewer agents" not in fault.help


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody trusts, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        *(needs("openssl"), "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"),
        *("-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


async def test_a_certificate_that_is_not_trusted_is_told_and_can_be_named(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with saying(b"data: [DONE]\n\n", tls=context) as url:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        fault = await fault_of(url)
        assert isinstance(fault, Unreachable)
        assert "certificate is not trusted" in str(fault)
        assert "SSL_CERT_FILE" in fault.help
        assert not fault.billed
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        # It answers now, if only with nothing.
        assert isinstance(await fault_of(url), CutStream)


async def test_https_to_a_server_that_speaks_http_is_told() -> None:
    async with saying(b"") as url:
        fault = await fault_of(url.replace("http:", "https:"))
    assert isinstance(fault, Unreachable)
    assert "TLS failed" in str(fault)
    assert "base_url is https://127.0.0.1" in fault.help
    assert not fault.billed
