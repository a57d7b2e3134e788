"""Models opened, listed and noticed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.model_server import ModelServer, Scripted
from tests.models.helpers import WIRES, ignore, provider, request, saying, table

from codexd.config import ModelChoice
from codexd.config.known import KNOWN
from codexd.config.settings import WireApi
from codexd.errors import AuthFailed, BadConfig, CutStream, Source, Unreachable
from codexd.models.http import Client
from codexd.models.providers import key_hints, list_models, open_client, open_model

ROOT = Path(__file__).parents[2]


@pytest.mark.anyio
async def test_a_provider_lists_its_models_on_each_wire() -> None:
    async with ModelServer([], models=("a", "b")) as server, open_client() as client:
        for wire in WIRES:
            listed = await list_models(provider(server.url, wire), {}, client)
            assert [entry.id for entry in listed] == ["a", "b"]
            assert listed[0].provider == "local"
            assert listed[0].details["owned_by"] == "scripted"


@pytest.mark.anyio
async def test_a_key_that_is_not_set_is_named_before_anything_is_sent() -> None:
    async with open_client() as client:
        choice = ModelChoice(KNOWN["openai"], "m", Source("<test>"))
        for env in ({}, {"OPENAI_API_KEY": " "}):
            with pytest.raises(AuthFailed, match="OPENAI_API_KEY") as caught:
                open_model(choice, env=env, client=client)
            assert "export OPENAI_API_KEY" in caught.value.help
        with pytest.raises(AuthFailed, match="characters"):
            open_model(choice, env={"OPENAI_API_KEY": "sk-\nx"}, client=client)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wire", "header", "value"),
    [
        ("responses", "Authorization", "Bearer k-1"),
        ("chat", "Authorization", "Bearer k-1"),
        ("messages", "x-api-key", "k-1"),
    ],
)
async def test_the_key_goes_where_the_wire_wants_it(wire: WireApi, header: str, value: str) -> None:
    more: dict[str, Any] = {
        "env_key": "K",
        "http_headers": {"X-Mine": "1"},
        "query_params": {"api-version": "2026 a"},
    }
    async with table(wire, [Scripted(text="x")], env={"K": " k-1\n"}, **more) as t:
        await t.model.stream(request(), ignore)
        received = t.server.requests[0]
    assert received.headers[header] == value
    assert received.headers["X-Mine"] == "1"
    assert received.path.endswith("?api-version=2026+a") or "2026%20a" in received.path


@pytest.mark.anyio
async def test_the_host_is_named_only_where_something_leaves_the_machine() -> None:
    async with open_client() as client:
        openai = open_model(
            ModelChoice(KNOWN["openai"], "gpt-5", Source("<test>")),
            env={"OPENAI_API_KEY": "k"},
            client=client,
        )
        ollama, cloud = (
            open_model(ModelChoice(KNOWN["ollama"], name, Source("<test>")), env={}, client=client)
            for name in ("qwen3:8b", "qwen3:480b-cloud")
        )
    assert openai.host == "api.openai.com"
    assert openai.name == "openai/gpt-5"
    assert openai.window is not None
    assert ollama.host == ""
    assert cloud.host == "ollama.com"
    assert ollama.window is None


@pytest.mark.anyio
async def test_the_configured_window_wins() -> None:
    async with open_client() as client:
        choice = ModelChoice(KNOWN["ollama"], "x", Source("<test>"))
        assert open_model(choice, env={}, client=client, window=8_192).window == 8_192


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("running", "window"),
    [
        ({"models": [{"name": "m:latest", "context_length": 4_096}]}, 4_096),
        ({"models": [{"name": "other", "context_length": 4_096}]}, None),
        ({"models": [{"name": "m:latest"}]}, None),
        ({"error": "Unexpected endpoint or method."}, None),
        (None, None),
    ],
)
async def test_the_window_of_an_ollama_is_known_once_it_has_answered(
    running: dict[str, Any] | None, window: int | None
) -> None:
    async with ModelServer([Scripted(text="x")] * 2, running=running) as server, Client() as client:
        choice = ModelChoice(provider(server.url, "chat"), "m", Source("<test>"))
        model = open_model(choice, env={}, client=client)
        assert model.window is None
        for _ in range(2):
            await model.stream(request(), ignore)
        assert model.window == window
        assert len(server.other_requests) == (2 if running is not None else 0)


@pytest.mark.anyio
async def test_what_a_server_cuts_to_its_window_is_bound_by_it() -> None:
    running = {"models": [{"name": "m", "context_length": 300}]}
    async with ModelServer([], running=running) as server, Client() as client:
        choice = ModelChoice(provider(server.url, "chat"), "m", Source("<test>"))
        model = open_model(choice, env={}, client=client)
        assert model.input_bound(request(), None) > 300
        # It cannot count, but it says how much it reads at most.
        assert await model.count_input(request()) is None
        assert model.input_bound(request(), None) == 300
        assert model.input_bound(request(), (1, 290)) == 300
        assert model.input_bound(request(), (1, 10)) < 300
        assert server.requests == []


@pytest.mark.anyio
async def test_a_window_that_was_only_told_is_no_bound() -> None:
    async with open_client() as client:
        choice = ModelChoice(provider("https://api.invalid/v1", "chat"), "m", Source("<test>"))
        model = open_model(choice, env={}, client=client, window=300)
        assert model.input_bound(request(), None) > 300


@pytest.mark.anyio
async def test_a_server_without_a_counter_counts_nothing() -> None:
    async with table("chat", []) as t:
        assert await t.model.count_input(request()) is None
    async with table("messages", []) as t:
        assert await t.model.count_input(request()) is not None


@pytest.mark.anyio
@pytest.mark.parametrize("counter", ["llama.cpp", "vllm"])
async def test_local_servers_count_where_they_have_a_counter(
    counter: Literal["llama.cpp", "vllm"],
) -> None:
    async with ModelServer([], counts_chat=counter) as server, open_client() as client:
        choice = ModelChoice(provider(server.url, "chat"), "m", Source("<test>"))
        counted = await open_model(choice, env={}, client=client).count_input(request())
        body = server.other_requests[-1].body
    assert counted is not None
    assert body["messages"]
    assert body["tools"]
    assert not body.keys() & {"stream", "max_tokens", "stream_options"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "ids"),
    [
        # An Ollama that holds no model; Together's bare list.
        (b'{"object": "list", "data": null}', []),
        (b'[{"id": "a"}, {"id": "b"}]', ["a", "b"]),
    ],
)
async def test_lists_of_models_come_in_other_shapes(body: bytes, ids: list[str]) -> None:
    async with saying(body, kind="application/json") as url, open_client() as client:
        listed = await list_models(provider(url, "chat"), {}, client)
    assert [entry.id for entry in listed] == ids


@pytest.mark.anyio
async def test_a_page_where_a_list_should_be_points_to_the_base_url() -> None:
    async with saying(b"<html></html>", kind="text/html") as url, open_client() as client:
        with pytest.raises(CutStream) as caught:
            await list_models(provider(url, "chat"), {}, client)
    assert url in caught.value.help


@pytest.mark.anyio
async def test_keys_and_local_servers_are_noticed_and_nothing_is_sent() -> None:
    async with ModelServer([]) as server:
        local = replace(KNOWN["ollama"], base_url=server.url)
        absent = replace(KNOWN["ollama"], id="absent", base_url="http://127.0.0.1:1/v1")
        known = {**KNOWN, "ollama": local, "absent": absent}
        env = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": ""}
        hints = await key_hints(env, known=known)
        assert [(hint.provider.id, hint.found) for hint in hints] == [
            ("openai", "OPENAI_API_KEY is set"),
            ("ollama", f"127.0.0.1:{server.port} answers"),
        ]
        assert "k" not in str(server.other_requests[0].headers.values())


@pytest.mark.anyio
async def test_a_server_that_hangs_is_not_waited_for() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        local = replace(KNOWN["ollama"], base_url=f"http://127.0.0.1:{port}/v1")
        assert await key_hints({}, known={"ollama": local}) == ()


@contextmanager
def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Generator[None]:
    with monkeypatch.context() as patch:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.mark.anyio
async def test_plain_http_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = "http://127.0.0.1:1"
    with environment(monkeypatch, HTTP_PROXY=proxy, HTTPS_PROXY=proxy, ALL_PROXY=proxy):
        async with table("chat", [Scripted(text="direct")]) as t:
            assert (await t.model.stream(request(), ignore)).text == "direct"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("no_proxy", "asked"), [("", ["CONNECT model.invalid:443"]), ("model.invalid", [])]
)
async def test_https_goes_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, asked: list[str]
) -> None:
    lines: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines.append(head.decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = f"http://127.0.0.1:{port}"
        with environment(monkeypatch, HTTPS_PROXY=proxy, NO_PROXY=no_proxy):
            async with Client() as client:
                there = provider("https://model.invalid/v1", "chat")
                there = replace(there, env_key="K", request_max_retries=0)
                choice = ModelChoice(there, "m", Source("<test>"))
                model = open_model(choice, env={"K": "sk-secret"}, client=client)
                with pytest.raises(Unreachable) as caught:
                    await model.stream(request(), ignore)
    assert not caught.value.billed
    assert [line.split(" HTTP")[0] for line in lines] == asked
    assert "sk-secret" not in "".join(lines)


@pytest.mark.anyio
async def test_a_proxy_that_is_no_http_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with environment(monkeypatch, ALL_PROXY="socks5://127.0.0.1:1"):
        async with Client() as client:
            there = provider("https://model.invalid/v1", "chat")
            model = open_model(ModelChoice(there, "m", Source("<test>")), env={}, client=client)
            with pytest.raises(BadConfig, match="socks5"):
                await model.stream(request(), ignore)


def test_known_providers_name_no_model() -> None:
    assert set(KNOWN) == {"openai", "anthropic", "ollama"}
    assert KNOWN["ollama"].env_key is None


def test_the_table_of_providers_is_light_to_import() -> None:
    code = (
        "import sys; import codexd.models.providers, codexd.models.replay;"
        "print([m for m in ('httpx', 'aiohttp', 'genai_prices') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "daemon")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
