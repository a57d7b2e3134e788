"""Streams as real servers send them, cut small: what each does in its own way."""

from __future__ import annotations

import gzip
import json
from typing import Any

import anyio
import pytest
from tests.models.helpers import ignore, provider, request, saying

from codexd.config import ModelChoice
from codexd.config.settings import WireApi
from codexd.errors import (
    ContextTooLong,
    CutStream,
    ModelFault,
    RateLimited,
    RequestRefused,
    Source,
)
from codexd.models import Answer, Stop, Usage
from codexd.models.http import Client
from codexd.models.providers import open_model

pytestmark = pytest.mark.anyio


async def answered(wire: WireApi, body: str | bytes, **how: Any) -> Answer:
    """What a model on `wire` makes of `body`."""
    raw = body.encode() if isinstance(body, str) else body
    async with saying(raw, **how) as url, Client() as client:
        choice = ModelChoice(provider(url, wire), "m", Source("<test>"))
        with anyio.fail_after(10):
            return await open_model(choice, env={}, client=client).stream(request(), ignore)


def sse(*events: Any, done: bool = True, named: bool = False) -> str:
    """The events as a stream; `named`: each with its type as its name."""
    lines = [
        (f"event: {event['type']}\n" if named else "")
        + f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n"
        for event in events
    ]
    return "".join(lines) + ("data: [DONE]\n\n" if done else "")


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice], **more}


def piece(index: int | None = None, id: str = "", name: str = "", arguments: Any = None) -> Any:
    """A piece of a tool call, what is empty left out."""
    found: dict[str, Any] = {} if index is None else {"index": index}
    function = {"name": name} if name else {}
    if arguments is not None:
        function["arguments"] = arguments
    return {**found, **({"id": id} if id else {}), "type": "function", "function": function}


def calls(*pieces: Any) -> dict[str, Any]:
    """A chunk with pieces of tool calls."""
    return chunk({"role": "assistant", "content": "", "tool_calls": list(pieces)})


END = chunk({"content": ""}, "tool_calls")
TWO = [("read_file", '{"path":"a"}'), ("read_file", '{"path":"b"}')]


@pytest.mark.parametrize(
    "events",
    [
        # Ollama: each call whole in a chunk of its own, all with index 0.
        [
            calls(piece(0, "call_a", "read_file", '{"path":"a"}')),
            calls(piece(0, "call_b", "read_file", '{"path":"b"}')),
        ],
        # Ollama before 0.4.7, and others: no index at all.
        [
            calls(piece(None, "call_a", "read_file", '{"path":"a"}')),
            calls(piece(None, "call_b", "read_file", '{"path":"b"}')),
        ],
        # Neither index nor id, both in one chunk.
        [
            calls(
                piece(None, "", "read_file", '{"path":"a"}'),
                piece(None, "", "read_file", '{"path":"b"}'),
            )
        ],
        # vLLM and Poolside: another id with each piece of one call.
        [
            calls(piece(0, "tool-1", "read_file")),
            calls(piece(0, "tool-2", "", '{"path":')),
            calls(piece(0, "tool-3", "", '"a"}')),
            calls(piece(1, "tool-4", "read_file", "")),
            calls(piece(1, "tool-5", "", '{"path":"b"}')),
        ],
        # LM Studio: index, id and name once, then pieces; interleaved.
        [
            calls(piece(0, "1", "read_file", "")),
            calls(piece(1, "2", "read_file", "")),
            calls(piece(0, "", "", '{"path":')),
            calls(piece(1, "", "", '{"path":"b"')),
            calls(piece(0, "", "", '"a"}')),
            calls(piece(1, "", "", "}")),
        ],
        # Without an index, pieces told apart by the id alone.
        [
            calls(piece(None, "1", "read_file", "")),
            calls(piece(None, "2", "read_file", "")),
            calls(piece(None, "1", "", '{"path":"a"}')),
            calls(piece(None, "2", "", '{"path":"b"}')),
        ],
        # The name and the id again with every piece.
        [
            calls(piece(0, "1", "read_file", '{"path":')),
            calls(piece(0, "1", "read_file", '"a"}')),
            calls(piece(1, "2", "read_file", '{"path":"b"}')),
            calls(piece(1, "2", "read_file", "")),
        ],
        # Arguments as an object, and no id.
        [
            calls(piece(0, "", "read_file", {"path": "a"})),
            calls(piece(1, "", "read_file", {"path": "b"})),
        ],
    ],
)
async def test_two_calls_are_two_calls_however_they_are_told(events: list[Any]) -> None:
    answer = await answered("chat", sse(*events, END))
    told = [(call.name, call.arguments.replace(" ", "")) for call in answer.calls]
    assert told == TWO
    assert len({call.id for call in answer.calls}) == 2
    assert answer.stop is Stop.TOOL_CALLS


COUNTED = {"prompt_tokens": 90, "completion_tokens": 7, "total_tokens": 97}


@pytest.mark.parametrize(
    "events",
    [
        # OpenAI: `null` in each chunk, then a chunk of its own without choices.
        [
            chunk({"role": "assistant", "content": "fine"}, usage=None),
            chunk({}, "stop", usage=None),
            {"choices": [], "usage": COUNTED},
        ],
        # OpenRouter: with an empty choice, after the end.
        [
            chunk({"content": "fine"}),
            chunk({"content": ""}, "stop"),
            chunk({"role": "assistant", "content": ""}, usage=COUNTED),
        ],
        # vLLM with continuous counts, LM Studio: growing in each chunk.
        [
            chunk({"content": "fi"}, usage={**COUNTED, "completion_tokens": 1, "total_tokens": 91}),
            chunk({"content": "ne"}, "stop", usage=COUNTED),
        ],
        # LiteLLM: an empty object first; Mistral: with the end.
        [chunk({"content": "fine"}, usage={}), chunk({"content": None}, "stop", usage=COUNTED)],
    ],
)
async def test_usage_is_found_where_each_server_puts_it(events: list[Any]) -> None:
    answer = await answered("chat", sse(*events))
    assert answer.text == "fine"
    assert answer.usage == Usage(90, 7)


async def test_reasoning_goes_by_many_names_and_is_no_text() -> None:
    for key in ("reasoning_content", "reasoning"):
        thought = chunk({"role": "assistant", "content": None, key: "Let me see"})
        answer = await answered("chat", sse(thought, chunk({"content": "42"}), chunk({}, "stop")))
        assert answer.text == "42"
        assert answer.opaque == ()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        # vLLM, of old and now; what follows is not an answer of nothing.
        (sse({"object": "error", "message": "EngineDeadError", "code": 500}), CutStream),
        (sse({"error": {"message": "TimeoutError", "code": 504}}), CutStream),
        (sse(), CutStream),
        (sse(chunk({"content": ""})), CutStream),
        # OpenRouter, in the middle and as what it was told itself.
        (
            sse(
                chunk({"content": "so f"}),
                chunk({"content": ""}, "error", error={"code": 502, "message": "upstream"}),
            ),
            CutStream,
        ),
        (
            sse({"choices": [{"finish_reason": "stop", "native_finish_reason": "network_error"}]}),
            CutStream,
        ),
        (sse({"error": {"code": 429, "message": "slow down"}}), RateLimited),
        # DeepSeek under load.
        (sse(chunk({"content": "so f"}), chunk({}, "insufficient_system_resource")), CutStream),
        # LM Studio, with a name.
        (
            "event: error\n"
            + sse({"error": {"message": "the model is loaded with context length of only 4096"}}),
            ContextTooLong,
        ),
    ],
)
async def test_a_chat_server_that_gives_up_after_200_is_believed(
    body: str, fault: type[ModelFault]
) -> None:
    with pytest.raises(fault) as caught:
        await answered("chat", body)
    assert type(caught.value) is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, CutStream),
        ({"type": "rate_limit_error", "message": "too fast"}, RateLimited),
        (
            {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"},
            ContextTooLong,
        ),
    ],
)
async def test_anthropic_may_give_up_in_the_middle(
    error: dict[str, str], fault: type[ModelFault]
) -> None:
    events = [START, {"type": "ping"}, {"type": "error", "error": error}]
    with pytest.raises(fault) as caught:
        await answered("messages", sse(*events, done=False, named=True))
    assert type(caught.value) is fault


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("content_filter: RECITATION", Stop.REFUSED),
        ("sensitive", Stop.REFUSED),
        ("model_length", Stop.MAX_OUTPUT),
        ("max_tokens", Stop.MAX_OUTPUT),
        ("eos_token", Stop.END),
        ("tool_calls", Stop.END),
    ],
)
async def test_words_of_other_chat_servers_for_the_end(word: str, stop: Stop) -> None:
    answer = await answered("chat", sse(chunk({"content": "so far"}), chunk({}, word)))
    assert answer.stop is stop


# Framing: what proxies and small servers make of a stream.

PLAIN = sse(chunk({"role": "assistant", "content": "直す 😀"}), chunk({}, "stop", usage=COUNTED))


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        PLAIN.replace("data: ", "data:"),
        PLAIN.replace("\n", "\r\n"),
        ": OPENROUTER PROCESSING\n\n" + PLAIN.replace("\n\n", "\n\n: ping\n\n"),
        PLAIN.removesuffix("data: [DONE]\n\n"),
        PLAIN.removesuffix("\n\n"),
        "\ufeff" + PLAIN,
        "retry: 3000\n\n" + PLAIN,
    ],
)
@pytest.mark.parametrize("size", [0, 1, 7])
async def test_however_it_is_framed_and_cut_it_is_one_answer(body: str, size: int) -> None:
    answer = await answered("chat", body, piece=size)
    assert (answer.text, answer.usage) == ("直す 😀", Usage(90, 7))


@pytest.mark.parametrize("size", [0, 11])
async def test_a_proxy_may_compress_what_was_to_be_sent_plain(size: int) -> None:
    body = gzip.compress(PLAIN.encode())
    assert (await answered("chat", body, piece=size, encoding="gzip")).text == "直す 😀"


async def test_what_says_it_is_compressed_and_is_not_is_cut() -> None:
    with pytest.raises(CutStream):
        await answered("chat", PLAIN, encoding="gzip")


@pytest.mark.parametrize(
    ("body", "kind", "said", "help"),
    [
        # LM Studio where the path is wrong: "Returning 200 anyway".
        (
            '{"error":"Unexpected endpoint or method. (POST /v1/v1/chat/completions)"}',
            "application/json; charset=utf-8",
            "Unexpected endpoint",
            "base_url of model_providers.local",
        ),
        ('{"error":{"message":"no credit","code":402}}', "application/json", "no credit", ""),
        (
            "<!doctype html><html><title>Sign in</title></html>",
            "text/html",
            "a web page",
            "base_url of model_providers.local",
        ),
    ],
)
async def test_what_is_no_stream_says_why_and_bills_nothing(
    body: str, kind: str, said: str, help: str
) -> None:
    with pytest.raises(RequestRefused, match=said) as caught:
        await answered("chat", body, kind=kind)
    assert help in caught.value.help
    assert not caught.value.billed


async def test_a_whole_answer_where_a_stream_was_asked_for_may_be_billed() -> None:
    whole = {"object": "chat.completion", "choices": [{"message": {"content": "hi"}}]}
    with pytest.raises(CutStream, match="application/json") as caught:
        await answered("chat", json.dumps(whole), kind="application/json")
    assert caught.value.billed


# Anthropic, and those that speak its wire.

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "usage": {
            "input_tokens": 30,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 10,
            "output_tokens": 8,
        },
    },
}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def stopped(reason: str, **usage: Any) -> list[dict[str, Any]]:
    """The last two events."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


async def test_thinking_comes_back_with_its_signature_and_redacted_thinking_as_it_is() -> None:
    hidden = {"type": "redacted_thinking", "data": "Eo8BCk=="}
    answer = await answered(
        "messages",
        sse(
            START,
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "Let me "},
                {"type": "thinking_delta", "thinking": "see"},
                {"type": "signature_delta", "signature": "EuYB=="},
            ),
            *block(1, hidden),
            *block(
                2,
                {"type": "tool_use", "id": "toolu_1", "name": "list_dir", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
            ),
            *stopped("tool_use", output_tokens=5),
            done=False,
            named=True,
        ),
    )
    thinking = {"type": "thinking", "thinking": "Let me see", "signature": "EuYB=="}
    assert answer.opaque[1:3] == (thinking, hidden)
    assert [(call.name, call.arguments) for call in answer.calls] == [("list_dir", "{}")]
    assert answer.usage == Usage(60, 5, cached=10, cache_written=20)


async def test_the_input_of_a_call_may_come_whole_at_its_start() -> None:
    start = {"type": "tool_use", "id": "t", "name": "read_file", "input": {"path": "é"}}
    events = [START, *block(0, start), *stopped("tool_use", output_tokens=5)]
    answer = await answered("messages", sse(*events, done=False, named=True))
    assert answer.calls[0].arguments == '{"path": "é"}'


@pytest.mark.parametrize(
    "usage",
    [
        # Cumulative counts again at the end; zeros from servers that counted the input before.
        {"input_tokens": 30, "cache_read_input_tokens": 10, "output_tokens": 5},
        {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5},
        {"input_tokens": None, "output_tokens": 5},
    ],
)
async def test_the_last_count_never_takes_input_back(usage: dict[str, Any]) -> None:
    text = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "hi"})
    events = [START, *text, *stopped("end_turn", **usage)]
    answer = await answered("messages", sse(*events, done=False, named=True))
    assert answer.usage == Usage(60, 5, cached=10, cache_written=20)


async def test_a_server_may_count_all_input_at_the_end() -> None:
    start = {**START, "message": {**START["message"], "usage": {"input_tokens": 0}}}
    text = block(0, {"type": "text"}, {"type": "text_delta", "text": "hi"})
    events = [start, *text, *stopped("end_turn", input_tokens=44, output_tokens=5)]
    answer = await answered("messages", sse(*events, done=False, named=True))
    assert answer.usage == Usage(44, 5)


# OpenAI Responses, and those that speak its wire.


def response(status: str, output: list[Any], **more: Any) -> dict[str, Any]:
    """The last event of a response."""
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 40},
        "total_tokens": 150,
    }
    said = {"id": "resp_1", "status": status, "model": "gpt", "output": output, "usage": usage}
    return {"type": f"response.{status}", "response": {**said, **more}}


CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "read_file",
    "arguments": '{"path":"a"}',
}


async def test_cached_and_reasoning_tokens_are_kept_apart() -> None:
    reasoning: dict[str, Any] = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [],
        "encrypted_content": "gAAA=",
    }
    answer = await answered(
        "responses",
        sse(
            {"type": "response.created", "response": {"id": "resp_1", "output": []}},
            {"type": "response.output_item.added", "item": {"type": "reasoning"}},
            {"type": "response.output_item.done", "output_index": 0, "item": reasoning},
            {"type": "response.function_call_arguments.delta", "delta": '{"path":'},
            {"type": "response.output_item.done", "output_index": 1, "item": CALL},
            response("completed", [reasoning, CALL]),
            named=True,
        ),
    )
    assert answer.usage == Usage(100, 50, cached=64, reasoning=40)
    assert answer.opaque[1] == reasoning
    assert answer.stop is Stop.TOOL_CALLS


async def test_a_response_may_come_with_its_end_alone() -> None:
    text = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    answer = await answered("responses", sse(response("completed", [text]), done=False))
    assert answer.text == "hi"


async def test_a_response_cut_at_its_cap_keeps_what_it_said_and_what_it_took() -> None:
    text = {"type": "message", "content": [{"type": "output_text", "text": "so far"}]}
    cut = response("incomplete", [text], incomplete_details={"reason": "max_output_tokens"})
    answer = await answered("responses", sse(cut, done=False))
    assert (answer.text, answer.stop) == ("so far", Stop.MAX_OUTPUT)
    assert answer.usage is not None


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (
            response("failed", [], error={"code": "server_error", "message": "An error occurred"}),
            CutStream,
        ),
        (
            response("failed", [], error={"code": "rate_limit_exceeded", "message": "TPM"}),
            RateLimited,
        ),
        (
            response("failed", [], error={"code": "context_length_exceeded", "message": "long"}),
            ContextTooLong,
        ),
        ({"type": "error", "code": None, "message": "overloaded", "param": None}, CutStream),
        ({"type": "error", "error": {"type": "x", "message": "overloaded"}}, CutStream),
    ],
)
async def test_a_response_that_failed_says_how(
    event: dict[str, Any], fault: type[ModelFault]
) -> None:
    with pytest.raises(fault) as caught:
        await answered("responses", sse(event, done=False))
    assert type(caught.value) is fault
