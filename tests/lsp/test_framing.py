"""Whatever bytes a client sends: every request is answered, and no other client is hurt."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import result
from tests.lsp.editor import Editor, Failed, Office, attached, office
from tests.model_server import Fault, Scripted

from codexd.lsp import protocol
from codexd.lsp.frames import MAX_BYTES, dumps, frame

pytestmark = pytest.mark.anyio

DONE = Scripted(text=result())
HANGING = Scripted(text="…", fault=Fault.SILENCE)

AGENTS = b'{"jsonrpc":"2.0","id":77,"method":"codexd/agents"}'
N = len(AGENTS)


@asynccontextmanager
async def attacked(folder: Path) -> AsyncGenerator[tuple[Office, Editor]]:
    """A desk with a client to attack it from; another client is well at the end."""
    async with office(folder, [HANGING] * 9) as here, here.editor() as other:
        async with here.editor() as attacker:
            yield here, attacker
        await other.request("codexd/agents")


async def refused(editor: Editor, msg_id: object = None) -> Failed:
    """The error that answers `msg_id`."""

    def found() -> Any:
        errors = [each for each in editor.received if "error" in each and each["id"] == msg_id]
        return errors[-1:]

    [message] = await editor.until(found, f"an error for {msg_id!r}")
    return Failed(message["error"])


# --- headers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"Content-Length: 100000000000000", "more than"),
        (b"Content-Length: %d" % (MAX_BYTES + 1), "more than"),
        (b"Content-Length: -5", "is no length"),
        (b"Content-Length: +5", "is no length"),
        (b"Content-Length: 5_0", "is no length"),
        (b"Content-Length: 0x10", "is no length"),
        (b"Content-Length: " + "\u0665".encode(), "is no length"),
        (b"Content-Length: " + b"9" * 40, "is no length"),
        (b"Content-Length:", "is no length"),
        (b"Content-Length: 5\r\nContent-Length: 6", "that differ"),
        (b"Content-Type: application/json", "no Content-Length"),
        (b"Content-Length 5", "is no header"),
        (b"GET / HTTP/1.1", "is no header"),
        (b"\x00\xff\xfe garbage", "is no header"),
        (b"X: " + b"x" * 5_000, "headers of more than"),
        (b"\r\n" * 5_000, "headers of more than"),
        (b"x" * 200_000, "without an end"),
    ],
)
async def test_headers_that_are_none_are_told_and_end_the_connection(
    tmp_path: Path, header: bytes, says: str
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        attacker.writer.write(header + b"\r\n\r\n")
        assert says in (await refused(attacker)).message
        with anyio.fail_after(5):
            await attacker.until_closed()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: %d\r\n\r\n",
        b"content-length: %d\r\n\r\n",
        b"CONTENT-LENGTH:%d\r\n\r\n",
        b"Content-Length: %d\n\n",
        b"Content-Length : %d \r\n\r\n",
        b"\r\n\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: 0%d\r\nContent-Length: 0%d\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nX-Other: a: b\r\n\r\n",
    ],
)
async def test_headers_may_be_spelled_otherwise(tmp_path: Path, headers: bytes) -> None:
    async with attacked(tmp_path) as (_, attacker):
        attacker.writer.write(headers.replace(b"%d", b"%d" % N) + AGENTS)
        await attacker.answer(77)


async def test_a_body_may_come_a_byte_at_a_time(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_, attacker):
        for byte in frame(AGENTS):
            attacker.writer.write(bytes([byte]))
            await attacker.writer.drain()
            await anyio.lowlevel.checkpoint()
        await attacker.answer(77)


@pytest.mark.parametrize("sent", [b"Content-Length: 50\r\n\r\n{", b"Content-Le", b"X: y\r\n", b""])
async def test_a_client_that_hangs_up_in_the_middle_is_gone(tmp_path: Path, sent: bytes) -> None:
    async with office(tmp_path, [DONE]) as here:
        async with here.editor() as one:
            one.writer.write(sent)
        async with here.editor() as other:
            await other.request("codexd/agents")
        with anyio.fail_after(5):
            while here.desk.n_clients:
                await anyio.lowlevel.checkpoint()


# --- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\x00\x01\x02", -32700),
        (b'{"jsonrpc":"2.0","id":77,"method":"\xff"}', -32700),
        (AGENTS.decode().encode("utf-16"), -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, -32700),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"codexd/agents"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"codexd/agents","params":{"a":NaN}}', -32700),
        (b"null", -32600),
        (b'"text"', -32600),
        (b"[" + AGENTS + b"]", -32600),
        (b"[]", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"codexd/agents"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"codexd/agents"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"codexd/agents"}', -32600),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"codexd/agents"}', -32600),
        (b'{"jsonrpc":"2.0","id":[1],"method":"codexd/agents"}', -32600),
    ],
)
async def test_a_body_without_a_request_is_told_and_nothing_else(
    tmp_path: Path, body: bytes, code: int
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        attacker.writer.write(frame(body))
        assert (await refused(attacker)).code == code
        await attacker.request("codexd/agents")


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        ('"method":"codexd/agents","jsonrpc":"1.0"', -32600, "jsonrpc"),
        ('"method":5', -32600, "`method`"),
        ('"method":null', -32600, "`method`"),
        ('"method":"codexd/nothing"', -32601, "codexd/nothing"),
        ('"method":"textDocument/implementation","params":{}', -32601, "implementation"),
        ('"method":"' + "x" * 100_000 + '"', -32601, "…"),
        ('"method":"\\ud800"', -32601, "no method"),
        ('"method":"codexd/run","params":{"run":"\\ud800"}', -32602, "no Unicode"),
        ('"method":"codexd/runs","params":{"limit":1e400}', -32602, "limit"),
        ('"method":"codexd/runs","params":{"limit":' + "9" * 4_000 + "}", -32602, "limit"),
        ('"method":"codexd/history","params":{"after":' + "9" * 30 + "}", -32011, "no run"),
        ('"method":"codexd/agents","params":"x"', -32602, "one object"),
        ('"method":"codexd/agents","params":[1,2]', -32602, "one object"),
    ],
)
async def test_a_request_that_is_wrong_is_answered_by_its_id(
    tmp_path: Path, more: str, code: int, says: str
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        jsonrpc = "" if "jsonrpc" in more else '"jsonrpc":"2.0",'
        attacker.writer.write(frame(f'{{{jsonrpc}"id":77,{more}}}'.encode()))
        failed = await refused(attacker, 77)
        assert (failed.code, len(failed.message) < 5_000) == (code, True), failed
        assert says in failed.message


@pytest.mark.parametrize("amount", ["1e400", "9" * 30, "-1", "1e308", "0.0"])
@pytest.mark.parametrize("name", ["budget", "budget_usd", "deadline_seconds"])
async def test_huge_numbers_are_refused_or_are_limits(
    tmp_path: Path, name: str, amount: str
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        params = f'{{"agent":"worker","{name}":{amount}}}'
        body = f'{{"jsonrpc":"2.0","id":77,"method":"codexd/delegate","params":{params}}}'
        attacker.writer.write(frame(body.encode()))
        answer = await attacker.until(
            lambda: next((m for m in attacker.received if m.get("id") == 77), None)
        )
        error = answer.get("error", {"code": -32602, "message": name})
        assert (error["code"], name.partition("_")[0] in error["message"]) == (-32602, True), error


async def test_an_id_is_given_back_as_it_came(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_, attacker):
        for msg_id in ("", "x" * 100_000, 0, -1, 2**70, "1", "\ud800", "日本"):
            attacker.send({"jsonrpc": "2.0", "id": msg_id, "method": "codexd/agents"})
            await attacker.answer(msg_id)


DEEP = [900, 990, 5_000]


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("depth", DEEP)
async def test_however_deep_parameters_are_the_request_is_answered(
    tmp_path: Path, depth: int
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        ways = {
            "codexd/agents": nested(depth),
            "codexd/delegate": f'{{"agent":"worker","config":{nested(depth)}}}',
            "workspace/executeCommand": (
                f'{{"command":"codexd.agents","arguments":[{nested(depth)}]}}'
            ),
            "initialize": nested(depth),
        }
        for method, params in ways.items():
            n = len(attacker.received)
            body = f'{{"jsonrpc":"2.0","id":77,"method":"{method}","params":{params}}}'
            attacker.writer.write(frame(body.encode()))
            await attacker.until(
                lambda n=n: [each for each in attacker.received[n:] if "error" in each], method
            )
            code = attacker.received[-1]["error"]["code"]
            assert code in (-32700, -32602, -32600), attacker.received[-1]
        await attacker.request("codexd/agents")


ODD: list[Any] = [
    {"jsonrpc": "2.0"},
    {"jsonrpc": "2.0", "id": 1, "method": "codexd/cancel", "params": {}},
    {"a": {"jsonrpc": "2.0", "id": 1, "result": None}},
    {"class": 1, "_meta": 2, "type_name": "x", "def": {"_0": [None]}},
    {"params": {"params": 1}, "id": 5, "method": "x"},
    {"__class__": "x", "__proto__": {}, "": 0},
]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_keys_are_named_in_our_own_parameters(tmp_path: Path, odd: Any) -> None:
    async with attacked(tmp_path) as (_, attacker):
        for ask in (
            lambda: attacker.request("codexd/agents", odd),
            lambda: attacker.command("codexd.agents", odd),
        ):
            with pytest.raises(Failed) as failed:
                await ask()
            assert failed.value.code == -32602
            assert set(odd) <= set(failed.value.data["parameters"])


@pytest.mark.parametrize("odd", ODD)
async def test_odd_keys_in_standard_parameters_do_no_harm(tmp_path: Path, odd: Any) -> None:
    async with office(tmp_path, [DONE]) as here, attached(here.desk) as editor:
        await editor.initialize(here.workspace, ours=odd, initializationOptions=odd)
        editor.notify("workspace/didChangeConfiguration", {"settings": odd})
        editor.notify("textDocument/didSave", odd)
        both: list[Any] = [{"command": "codexd.agents", "arguments": [], **odd}, {"x": odd}]
        for params in both:
            asked = editor.begin("workspace/executeCommand", params)
            await editor.until(
                lambda asked=asked: [m for m in editor.received if m.get("id") == asked], "it"
            )


async def test_standard_parameters_that_are_wrong_are_named(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_, attacker):
        wrong: list[tuple[Any, str]] = [
            ({"arguments": []}, "command"),
            ({"command": "codexd.agents", "arguments": 5}, "arguments"),
            (None, "params"),
            ("x", "params"),
            ([], "params"),
        ]
        for params, field in wrong:
            with pytest.raises(Failed) as failed:
                await attacker.request("workspace/executeCommand", params)
            assert failed.value.code == -32602
            assert field in failed.value.message


async def test_a_command_takes_one_object_or_none(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_, attacker):
        none: list[Any] = [{}, {"arguments": None}, {"arguments": []}, {"arguments": [None]}]
        for arguments in none:
            params = {"command": "codexd.agents", **arguments}
            assert (await attacker.request("workspace/executeCommand", params))["agents"]
        assert (await attacker.command("codexd.agents", {}))["agents"]
        wrong: list[tuple[list[Any], str]] = [
            ([{}, {}], "not 2 values"),
            ([[]], "one object"),
            (["x"], "one object"),
        ]
        for arguments, says in wrong:
            with pytest.raises(Failed, match=says) as failed:
                await attacker.command("codexd.agents", *arguments)
            assert failed.value.code == -32602
        with pytest.raises(Failed, match=r"codexd\.nothing") as failed:
            await attacker.command("codexd.nothing")
        assert failed.value.code == -32602


# --- order ----------------------------------------------------------------------------------


async def test_an_id_in_use_is_refused_and_the_first_request_goes_on(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (here, attacker):
        asked = attacker.begin("codexd/delegate", {"agent": "worker", "wait": True})
        row = await attacker.row(lambda row: row["status"] == "running")
        attacker.send({"jsonrpc": "2.0", "id": asked, "method": "codexd/agents"})
        assert (await refused(attacker, asked)).code == -32600
        attacker.received.clear()
        await here.house.codexd.cancel(row["id"])
        assert (await attacker.answer(asked))["status"] == "cancelled"
        # It is free again now.
        attacker.received.clear()
        attacker.send({"jsonrpc": "2.0", "id": asked, "method": "codexd/agents"})
        assert (await attacker.answer(asked))["agents"]


async def test_before_initialize_only_that_is_answered(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, attached(here.desk) as editor:
        editor.notify("textDocument/didOpen", {"nonsense": 1})
        editor.notify("initialized", {})
        for method in ("codexd/agents", "textDocument/hover", "shutdown", "x"):
            with pytest.raises(Failed) as failed:
                await editor.request(method, {})
            assert failed.value.code == -32002
        with pytest.raises(Failed) as failed:
            await editor.request("initialize", {"capabilities": 5})
        assert failed.value.code == -32602
        assert "capabilities" in failed.value.message
        await editor.initialize(here.workspace)
        with pytest.raises(Failed) as failed:
            await editor.initialize(here.workspace)
        assert failed.value.code == -32600
        await editor.request("codexd/agents")


async def test_after_shutdown_only_exit_is_heard(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_, attacker):
        waiting = attacker.begin("codexd/delegate", {"agent": "worker", "wait": True})
        await attacker.row(lambda row: row["status"] == "running")
        assert await attacker.request("shutdown") is None
        assert (await refused(attacker, waiting)).code == -32800
        with pytest.raises(Failed) as failed:
            await attacker.request("codexd/agents")
        assert failed.value.code == -32600
        attacker.notify("exit")
        await attacker.until_closed()


async def test_exit_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async with office(tmp_path, [HANGING]) as here, here.editor() as other:
        async with attached(here.desk) as stranger:
            stranger.notify("exit")
            await stranger.until_closed()
        async with here.editor() as one:
            began = await one.request("codexd/delegate", {"agent": "worker"})
            one.notify("exit", {"odd": 1})
            await one.until_closed()
        run = await other.request("codexd/run", began)
        assert run["status"] == "running"


WRONG: list[tuple[str, Any]] = [
    ("textDocument/didOpen", {"textDocument": 5}),
    ("textDocument/didOpen", None),
    ("textDocument/didChange", {"textDocument": {"uri": "file:///x"}, "contentChanges": [{}]}),
    ("textDocument/didClose", {"textDocument": {"uri": "file:///never-opened"}}),
    ("$/cancelRequest", {"id": {"a": 1}}),
    ("$/cancelRequest", {}),
    ("$/cancelRequest", {"id": 4711}),
    ("window/workDoneProgress/cancel", {"token": [1]}),
    ("window/workDoneProgress/cancel", {"token": "unknown"}),
    ("$/setTrace", {"value": "everything"}),
    ("$/nothing", {"a": 1}),
    ("codexd/agents", {}),
    ("codexd/delegate", {"agent": "worker"}),
    ("initialize", {}),
    ("shutdown", None),
]


@pytest.mark.parametrize(("method", "params"), WRONG)
async def test_a_notification_that_is_wrong_is_not_answered(
    tmp_path: Path, method: str, params: Any
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        attacker.notify(method, params)
        n = len(attacker.received)
        await attacker.request("codexd/agents")
        assert [message for message in attacker.received[n:] if "method" not in message] == [
            attacker.received[-1]
        ]
        assert await attacker.request("codexd/runs") == {"runs": [], "rows": []}


async def test_a_notification_that_is_wrong_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with attacked(tmp_path) as (_, attacker):
        with caplog.at_level(logging.WARNING, "codexd"):
            attacker.notify("textDocument/didOpen", {"textDocument": {"uri": "file:///x"}})
            await attacker.request("codexd/agents")
    [record] = [each for each in caplog.records if "ignored" in each.getMessage()]
    assert "textDocument/didOpen" in record.getMessage()
    assert "textDocument.text" in record.getMessage()


async def test_answers_that_nobody_waits_for_are_dropped(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_, attacker):
        asked = attacker.begin("codexd/delegate", {"agent": "worker", "wait": True})
        await attacker.row(lambda row: row["status"] == "running")
        errors: list[Any] = [{"code": "x"}, {"code": 1e300}, "text", [], {"message": {}}, 0]
        for msg_id in ("unknown", 0, asked, "x" * 100_000):
            attacker.send({"jsonrpc": "2.0", "id": msg_id, "result": {"jsonrpc": "2.0"}})
            for error in errors:
                attacker.send({"jsonrpc": "2.0", "id": msg_id, "error": error})
        attacker.cancel(asked)
        assert (await refused(attacker, asked)).code == -32800
        assert [each["id"] for each in attacker.received if "error" in each] == [asked]


async def test_requests_beyond_all_measure_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_REQUESTS", 5)
    async with attacked(tmp_path) as (_, attacker):
        params = {"agent": "worker", "wait": True}
        asked = [attacker.begin("codexd/delegate", params) for _ in range(8)]
        for msg_id in asked[-3:]:
            failed = await refused(attacker, msg_id)
            assert (failed.code, "5 requests" in failed.message) == (-32803, True)
        for msg_id in asked[:5]:
            attacker.cancel(msg_id)
            assert (await refused(attacker, msg_id)).code == -32800
        await attacker.request("codexd/agents")


async def test_what_the_client_cannot_have_sent_is_not_cancelled_by_it(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as editor:
        editor.answers["codexd/approve"] = lambda _: editor.LATER
        params = {"agent": "worker", "model": "scripted/small-cloud", "wait": True}
        asked = editor.begin("codexd/delegate", params)
        await editor.told("codexd/approve")
        [question] = [m["id"] for m in editor.received if m.get("method") == "codexd/approve"]
        editor.notify("$/cancelRequest", {"id": question})
        await editor.request("codexd/agents")
        editor.send({"jsonrpc": "2.0", "id": question, "result": {"answer": "once"}})
        assert (await editor.answer(asked))["status"] == "completed"


def test_json_in_bodies_is_ascii() -> None:
    assert json.loads(dumps({"a": "\ud800日本"})) == {"a": "\ud800日本"}
