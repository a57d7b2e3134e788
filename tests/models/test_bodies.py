"""The whole body of one request on each wire, and what differs between models."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest
from tests.model_server import Scripted
from tests.models.helpers import READ, SCHEMA, WIRES, ignore, provider, request, table

from codexd.config import Provider
from codexd.config.settings import WireApi
from codexd.errors import RequestRefused
from codexd.models import Answer, Request, Stop, ToolCall, ToolReply, UserText
from codexd.models.chat import body as chat_body
from codexd.models.conversation import Called, Raw, pack
from codexd.models.messages import body as messages_body
from codexd.models.responses import body as responses_body
from codexd.models.wire import Target

ASKED = Answer(
    "I read both.",
    (ToolCall("c1", "read_file", '{"path": "a"}'), ToolCall("c2", "read_file", '{"path":')),
    stop=Stop.TOOL_CALLS,
)
# Results come back in another order than asked, and somebody says something twice.
WHOLE = request(
    ASKED,
    ToolReply("c2", "read_file", "no such file", is_error=True),
    ToolReply("c1", "read_file", "import os"),
    UserText("be brief"),
    UserText("and kind"),
    answer_schema=SCHEMA,
    temperature=0.2,
    effort="low",
)
NARROW = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "files": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["summary", "files"],
    "additionalProperties": False,
}


def target(wire: WireApi, **more: Any) -> Target:
    return Target(provider("http://127.0.0.1:1/v1", wire), "m", **more)


def test_responses() -> None:
    assert responses_body(WHOLE, target("responses")) == {
        "model": "m",
        "stream": True,
        "store": False,
        "instructions": "You review code.",
        "input": [
            {"type": "message", "role": "user", "content": "find bugs"},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I read both."}],
            },
            {
                "type": "function_call",
                "call_id": "c1",
                "name": "read_file",
                "arguments": '{"path": "a"}',
            },
            {
                "type": "function_call",
                "call_id": "c2",
                "name": "read_file",
                "arguments": '{"path":',
            },
            {"type": "function_call_output", "call_id": "c1", "output": "import os"},
            {"type": "function_call_output", "call_id": "c2", "output": "error: no such file"},
            {"type": "message", "role": "user", "content": "be brief"},
            {"type": "message", "role": "user", "content": "and kind"},
        ],
        "max_output_tokens": 1_000,
        "include": ["reasoning.encrypted_content"],
        "parallel_tool_calls": True,
        "tools": [
            {
                "type": "function",
                "name": "read_file",
                "description": "Read a file.",
                "parameters": READ.parameters,
                "strict": False,
            }
        ],
        "text": {
            "format": {"type": "json_schema", "name": "answer", "schema": NARROW, "strict": True}
        },
        "temperature": 0.2,
        "reasoning": {"effort": "low"},
    }


def test_chat() -> None:
    assert chat_body(WHOLE, target("chat")) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "You review code."},
            {"role": "user", "content": "find bugs"},
            {
                "role": "assistant",
                "content": "I read both.",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "read_file", "arguments": '{"path": "a"}'},
                    },
                    {
                        "id": "c2",
                        "type": "function",
                        "function": {
                            "name": "read_file",
                            "arguments": '{"not_json": "{\\"path\\":"}',
                        },
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "import os"},
            {"role": "tool", "tool_call_id": "c2", "content": "error: no such file"},
            {"role": "user", "content": "be brief\n\nand kind"},
        ],
        "max_tokens": 1_000,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "read_file",
                    "description": "Read a file.",
                    "parameters": READ.parameters,
                },
            }
        ],
        "temperature": 0.2,
        "reasoning_effort": "low",
    }


OPENAI = provider("https://api.openai.com/v1", "chat")
AZURE = provider("https://mine.openai.azure.com/openai/v1", "chat")


@pytest.mark.parametrize("openai", [OPENAI, AZURE])
def test_openai_holds_the_last_answer_to_a_schema_beside_tools(openai: Provider) -> None:
    assert chat_body(WHOLE, Target(openai, "m"))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": NARROW, "strict": True},
    }


def test_other_servers_get_a_schema_only_where_it_keeps_no_tool_from_being_called() -> None:
    assert "response_format" not in chat_body(WHOLE, target("chat"))
    assert "response_format" in chat_body(replace(WHOLE, tools=()), target("chat"))


def test_messages() -> None:
    cache = {"cache_control": {"type": "ephemeral"}}
    assert messages_body(WHOLE, target("messages")) == {
        "model": "m",
        "stream": True,
        "max_tokens": 1_000,
        "system": [{"type": "text", "text": "You review code.", **cache}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "find bugs"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I read both."},
                    {"type": "tool_use", "id": "c1", "name": "read_file", "input": {"path": "a"}},
                    {
                        "type": "tool_use",
                        "id": "c2",
                        "name": "read_file",
                        "input": {"not_json": '{"path":'},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "import os"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "c2",
                        "content": "no such file",
                        "is_error": True,
                    },
                    {"type": "text", "text": "be brief"},
                    {"type": "text", "text": "and kind", **cache},
                ],
            },
        ],
        "tools": [
            {
                "name": "read_file",
                "description": "Read a file.",
                "input_schema": READ.parameters,
            }
        ],
        "output_config": {"format": {"type": "json_schema", "schema": NARROW}, "effort": "low"},
        "temperature": 0.2,
    }


def test_only_openai_is_sent_the_new_name_of_the_cap() -> None:
    for openai in (OPENAI, AZURE):
        assert "max_completion_tokens" in chat_body(WHOLE, Target(openai, "m"))
    assert "max_tokens" in chat_body(WHOLE, target("chat"))


def test_a_last_call_writes_no_cache_that_nobody_reads() -> None:
    last = messages_body(replace(WHOLE, lightweight=True), target("messages"))
    assert "cache_control" not in json.dumps(last["messages"])


def test_messages_declares_the_tools_of_earlier_calls_and_forbids_them() -> None:
    without = messages_body(replace(WHOLE, tools=()), target("messages"))
    assert without["tools"] == [{"name": "read_file", "input_schema": {"type": "object"}}]
    assert without["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("wire", "body"),
    [("responses", responses_body), ("chat", chat_body), ("messages", messages_body)],
)
def test_an_answer_that_said_nothing_is_left_out(wire: WireApi, body: Any) -> None:
    silent = request(Answer(" "), UserText("well?"))
    assert "assistant" not in json.dumps(body(silent, target(wire)))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wire", "said", "key"),
    [
        ("responses", "Encrypted content is not supported with this model.", "include"),
        ("responses", "Unsupported parameter: 'temperature' is not supported.", "temperature"),
        ("responses", "Unsupported parameter: 'reasoning.effort' is not supported.", "reasoning"),
        ("chat", "This response_format type is unavailable now", "response_format"),
        ("chat", "property 'reasoning_content' is unsupported", "reasoning_content"),
        ("chat", "Unrecognized request argument supplied: stream_options", "stream_options"),
        ("chat", "Use 'max_completion_tokens' instead.", "max_tokens"),
        ("messages", "output_config.format: Extra inputs are not permitted", "output_config"),
        ("messages", "temperature may only be set to 1", "temperature"),
    ],
)
async def test_what_a_model_refuses_is_left_out_from_then_on(
    wire: WireApi, said: str, key: str
) -> None:
    def has(body: dict[str, Any]) -> bool:
        return key in body or any(key in message for message in body.get("messages", ()))

    def script(body: dict[str, Any]) -> Scripted:
        return Scripted(status=400, message=said) if has(body) else Scripted(text="fine")

    thought = pack("local/m", [Raw({"reasoning_content": "hm"}), *map(Called, ASKED.calls)])
    asked: Request = replace(
        WHOLE,
        items=(WHOLE.items[0], replace(ASKED, opaque=thought), *WHOLE.items[2:]),
        effort=None if key == "output_config" else "low",
        tools=() if key == "response_format" else WHOLE.tools,
    )
    async with table(wire, script) as t:
        for _ in range(2):
            assert (await t.model.stream(asked, ignore)).text == "fine"
        assert [has(received.body) for received in t.server.requests] == [True, False, False]
    assert t.clock.slept == []


@pytest.mark.anyio
async def test_calls_side_by_side_all_learn_what_a_model_refuses() -> None:
    def script(body: dict[str, Any]) -> Scripted:
        refused = Scripted(status=400, message="temperature is not supported")
        return refused if "temperature" in body else Scripted(text="fine")

    texts: list[str] = []
    async with table("chat", script) as t:

        async def call() -> None:
            texts.append((await t.model.stream(WHOLE, ignore)).text)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(call)
    assert texts == ["fine"] * 10


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["messages: bad", "this grammar is bad", "bad: reasoning_content"])
async def test_a_refusal_that_names_nothing_that_was_sent_is_final(said: str) -> None:
    async with table("chat", lambda _: Scripted(status=400, message=said)) as t:
        with pytest.raises(RequestRefused):
            await t.model.stream(WHOLE, ignore)
        assert len(t.server.requests) == 1


def test_arguments_go_back_as_they_came_so_that_their_tokens_are_those_counted() -> None:
    call = ToolCall("c1", "read_file", '{"path":"a",  "why":"\\u00e9"}')
    sent = chat_body(request(Answer("", (call,))), target("chat"))["messages"][2]
    assert sent["tool_calls"][0]["function"]["arguments"] == call.arguments


@pytest.mark.anyio
@pytest.mark.parametrize("wire", WIRES)
async def test_half_a_surrogate_pair_in_the_conversation_is_sent_as_an_escape(
    wire: WireApi,
) -> None:
    async with table(wire, [Scripted(text="fine")]) as t:
        odd = request(UserText("a file named \udce9.py"))
        assert t.model.input_bound(odd, None) > 0
        await t.model.stream(odd, ignore)
        assert b"\\udce9.py" in t.server.requests[0].raw
