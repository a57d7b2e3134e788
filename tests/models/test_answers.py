"""What each wire makes of its own peculiarities: opaque items, endings, counts, odd servers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.model_server import Call, Scripted, Used, by_turn
from tests.models.helpers import WIRES, ignore, provider, request, table

from codexd.config.settings import WireApi
from codexd.models import Answer, Stop, ToolReply
from codexd.models.chat import ChatReading
from codexd.models.responses import ResponsesReading
from codexd.models.wire import Target

pytestmark = pytest.mark.anyio

OPAQUE: dict[WireApi, dict[str, Any]] = {
    "responses": {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [],
        "encrypted_content": "gAAAA é \u2028==",
    },
    "chat": {"reasoning_content": "First I read. 直"},
    "messages": {"type": "thinking", "thinking": "First I read. 直", "signature": "EqQB/+=="},
}


def sent_back(wire: WireApi, body: dict[str, Any]) -> list[Any]:
    """What stands between the goal and the results."""
    if wire == "responses":
        return [i for i in body["input"] if i.get("role") != "user" and "output" not in i]
    said = [m for m in body["messages"] if m["role"] == "assistant"]
    return said[0]["content"] if wire == "messages" else said


async def second_body(wire: WireApi, first: Scripted, change: Any = None) -> dict[str, Any]:
    """The body of the call after `first`, whose answer went through JSON as in a journal."""
    async with table(wire, by_turn([first, Scripted(text="done")])) as t:
        answer = await t.model.stream(request(), ignore)
        answer = replace(answer, opaque=tuple(json.loads(json.dumps(answer.opaque))))
        answer = change(answer) if change else answer
        replies = [ToolReply(call.id, call.name, "result") for call in answer.calls]
        await t.model.stream(request(answer, *replies), ignore)
        return t.server.requests[1].body


@pytest.mark.parametrize("wire", WIRES)
async def test_opaque_items_come_back_byte_for_byte_and_in_order(wire: WireApi) -> None:
    call = Call("read_file", '{"path": "a"}', id="call_9")
    first = Scripted(text="I read.", calls=(call,), opaque=(OPAQUE[wire],))
    back = sent_back(wire, await second_body(wire, first))
    if wire == "chat":
        assert back[0]["reasoning_content"] == OPAQUE[wire]["reasoning_content"]
        assert back[0]["content"] == "I read."
        assert back[0]["tool_calls"][0]["id"] == "call_9"
    else:
        assert back[0] == OPAQUE[wire]
        assert [item["type"] for item in back[1:]] == (
            ["message", "function_call"] if wire == "responses" else ["text", "tool_use"]
        )


@pytest.mark.parametrize("wire", WIRES)
async def test_opaque_items_are_not_sent_to_another_model(wire: WireApi) -> None:
    def others(answer: Answer) -> Answer:
        assert answer.opaque[0] == {"codexd": "from", "model": "local/m"}
        return replace(answer, opaque=({**answer.opaque[0], "model": "x/y"}, *answer.opaque[1:]))

    call = Call("read_file", '{"path": "a"}')
    first = Scripted(text="I read.", calls=(call,), opaque=(OPAQUE[wire],))
    back = json.dumps(sent_back(wire, await second_body(wire, first, others)))
    assert "I read." in back
    assert "read_file" in back
    assert "encrypted" not in back
    assert "First" not in back


@pytest.mark.parametrize("wire", ["responses", "messages"])
async def test_thoughts_that_were_cut_before_they_led_to_anything_are_not_sent_back(
    wire: WireApi,
) -> None:
    word = "max_tokens" if wire == "messages" else "max_output_tokens"
    only_thought = Scripted(opaque=(OPAQUE[wire],), stop=word)
    body = await second_body(wire, only_thought)
    assert "First" not in json.dumps(body)
    assert "gAAAA" not in json.dumps(body)
    assert all(message.get("content") for message in body.get("messages") or body["input"])


@pytest.mark.parametrize("wire", WIRES)
async def test_a_redacted_text_is_sent_back_redacted(wire: WireApi) -> None:
    def redacted(answer: Answer) -> Answer:
        assert "hunter2" not in json.dumps(answer.opaque)
        return replace(answer, text="it is [redacted]")

    call = Call("read_file", '{"path": "a"}')
    first = Scripted(text="it is hunter2", calls=(call,), opaque=(OPAQUE[wire],))
    back = json.dumps(sent_back(wire, await second_body(wire, first, redacted)))
    assert "hunter2" not in back
    assert "it is [redacted]" in back


def responses_answer(*output: dict[str, Any]) -> tuple[Answer | None, Target]:
    target = Target(provider("http://x", "responses"), "m")
    reading = ResponsesReading(request(), target)
    for item in output:
        reading.take({"type": "response.output_item.done", "item": item})
    reading.take({"type": "response.completed", "response": {"status": "completed"}})
    return reading.answer(), target


async def test_reasoning_stays_beside_what_it_led_to() -> None:
    from codexd.models.responses import body

    def message(name: str, text: str) -> dict[str, Any]:
        part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
        return {"id": name, "type": "message", "role": "assistant", "content": [part]}

    call = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    output: list[dict[str, Any]] = [
        {"id": "rs_1", "type": "reasoning", "encrypted_content": "A"},
        {**message("msg_1", "First."), "phase": "commentary"},
        {"id": "rs_2", "type": "reasoning", "encrypted_content": "B"},
        call,
        message("msg_2", "Second."),
    ]
    answer, target = responses_answer(*output)
    assert answer is not None
    assert answer.text == "First.\n\nSecond."
    sent = body(request(answer, ToolReply("c1", "f", "r")), target)["input"][1:-1]
    assert [item["id"] for item in sent] == ["rs_1", "msg_1", "rs_2", "fc_1", "msg_2"]
    assert sent[1]["phase"] == "commentary"
    assert [item["content"][0]["text"] for item in (sent[1], sent[4])] == ["First.", "Second."]


@pytest.mark.parametrize(
    ("wire", "word", "stop"),
    [
        ("responses", "max_output_tokens", Stop.MAX_OUTPUT),
        ("responses", "content_filter", Stop.REFUSED),
        ("chat", "stop", Stop.END),
        ("chat", "length", Stop.MAX_OUTPUT),
        ("chat", "content_filter", Stop.REFUSED),
        ("chat", "eos", Stop.END),
        ("messages", "end_turn", Stop.END),
        ("messages", "stop_sequence", Stop.END),
        ("messages", "max_tokens", Stop.MAX_OUTPUT),
        ("messages", "model_context_window_exceeded", Stop.MAX_OUTPUT),
        ("messages", "pause_turn", Stop.MAX_OUTPUT),
        ("messages", "refusal", Stop.REFUSED),
        ("messages", "a_word_of_tomorrow", Stop.END),
    ],
)
async def test_why_an_answer_ended(wire: WireApi, word: str, stop: Stop) -> None:
    async with table(wire, [Scripted(text="so far", stop=word)]) as t:
        answer = await t.model.stream(request(), ignore)
    assert answer.stop is stop
    assert answer.text == "so far"


@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_cut_at_the_cap_says_so(wire: WireApi) -> None:
    async with table(wire, [Scripted(text="word " * 100)]) as t:
        answer = await t.model.stream(request(max_output=20), ignore)
    assert answer.stop is Stop.MAX_OUTPUT
    assert answer.usage is not None
    assert answer.usage.output == 20


async def test_a_model_that_only_thought_gets_more_room_the_next_time() -> None:
    async with table("responses", []) as t:
        silent, cut = Answer("", stop=Stop.MAX_OUTPUT), Answer("so far", stop=Stop.MAX_OUTPUT)
        first = t.model.wanted_output(request())
        assert t.model.wanted_output(request(cut)) == first
        assert t.model.wanted_output(request(silent)) == 2 * first
        assert t.model.wanted_output(request(silent, silent)) == 4 * first
        assert t.model.wanted_output(request(*[silent] * 9)) == 32_768


@pytest.mark.parametrize("wire", WIRES)
async def test_a_refusal_is_text_and_a_stop(wire: WireApi) -> None:
    async with table(wire, [Scripted(refusal="I cannot do that.")]) as t:
        pieces: list[str] = []
        answer = await t.model.stream(request(), pieces.append)
    assert answer.stop is Stop.REFUSED
    assert answer.text == "".join(pieces) == "I cannot do that."


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("used", [Used(-5, 3), Used(5, -3), Used(1.5, 2)])  # pyright: ignore[reportArgumentType]  (a provider may say anything)
async def test_counts_that_are_none_are_missing(wire: WireApi, used: Used) -> None:
    async with table(wire, [Scripted(text="x", usage=used)]) as t:
        answer = await t.model.stream(request(), ignore)
    assert answer.usage is None


@pytest.mark.parametrize("wire", WIRES)
async def test_more_than_the_cap_is_passed_on_as_counted(wire: WireApi) -> None:
    scripted = Scripted(text="x", usage=Used(10**9, 10**9), ignores_cap=True)
    async with table(wire, [scripted]) as t:
        answer = await t.model.stream(request(), ignore)
    assert answer.usage is not None
    assert answer.usage.total == 2 * 10**9


async def test_what_anthropic_wrote_to_its_cache_is_input() -> None:
    used = Used(1_000, 10, cached=300, cache_written=500)
    async with table("messages", [Scripted(text="x", usage=used)]) as t:
        usage = (await t.model.stream(request(), ignore)).usage
    assert usage is not None
    assert (usage.input, usage.cached, usage.cache_written) == (1_000, 300, 500)


async def test_a_chat_stream_may_end_without_done() -> None:
    async with table("chat", [Scripted(text="fine", done=False)]) as t:
        answer = await t.model.stream(request(), ignore)
    assert answer.text == "fine"
    assert answer.usage is not None


def chat_answer(*deltas: dict[str, Any], finish: str = "stop", **last: Any) -> Answer:
    reading = ChatReading(request(), Target(provider("http://x", "chat"), "m"))
    for delta in deltas:
        reading.take({"choices": [{"delta": delta}]})
    reading.take({"choices": [{"delta": None, "finish_reason": finish}], **last})
    answer = reading.answer()
    assert answer is not None
    return answer


def call_delta(**more: Any) -> dict[str, Any]:
    return {"tool_calls": [more]}


async def test_calls_without_an_index_are_told_apart_by_id() -> None:
    answer = chat_answer(
        call_delta(id="a", function={"name": "f", "arguments": '{"x":'}),
        call_delta(function={"arguments": "1}"}),
        call_delta(id="b", function={"name": "g", "arguments": "{}"}),
    )
    assert [(c.id, c.name, c.arguments) for c in answer.calls] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]
    assert answer.stop is Stop.TOOL_CALLS


async def test_calls_with_one_index_for_all_are_told_apart_by_id() -> None:
    answer = chat_answer(
        call_delta(index=0, id="a", function={"name": "f", "arguments": "{}"}),
        call_delta(index=0, id="b", function={"name": "g", "arguments": "{}"}),
    )
    assert [call.name for call in answer.calls] == ["f", "g"]


async def test_calls_without_ids_get_their_own() -> None:
    answer = chat_answer(
        call_delta(index=0, function={"name": "f", "arguments": {"x": 1}}),
        call_delta(index=1, id="", function={"name": "g"}),
        finish="tool_calls",
    )
    assert len({call.id for call in answer.calls}) == 2
    assert all(call.id for call in answer.calls)
    assert [call.arguments for call in answer.calls] == ['{"x": 1}', "{}"]


async def test_interleaved_calls_are_put_together_by_index() -> None:
    answer = chat_answer(
        call_delta(index=0, id="a", function={"name": "f", "arguments": ""}),
        call_delta(index=1, id="b", function={"name": "g", "arguments": ""}),
        call_delta(index=0, function={"arguments": "[0]"}),
        call_delta(index=1, function={"arguments": "[1]"}),
    )
    assert [call.arguments for call in answer.calls] == ["[0]", "[1]"]


async def test_what_a_call_carries_beside_is_kept_for_its_provider() -> None:
    from codexd.models.chat import body

    extra = {"google": {"thought_signature": "Cj4="}}
    delta = call_delta(index=0, id="a", extra_content=extra, function={"name": "f"})
    answer = chat_answer(delta)
    target = Target(provider("http://x", "chat"), "m")
    message = body(request(answer, ToolReply("a", "f", "r")), target)["messages"][2]
    assert message["tool_calls"][0]["extra_content"] == extra


async def test_content_may_be_a_list_of_parts() -> None:
    thinking: dict[str, Any] = {"type": "thinking", "thinking": []}
    parts = [thinking, {"type": "text", "text": "hello"}]
    assert chat_answer({"content": parts}).text == "hello"


async def test_reasoning_that_only_the_total_counts_is_output() -> None:
    counted = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 150}
    usage = chat_answer({"content": "x"}, usage=counted).usage
    assert usage is not None
    assert usage.output == 50


async def test_a_surrogate_pair_that_comes_in_halves_is_joined() -> None:
    async with table("chat", [Scripted(text="ok 😀 fine", piece=1)]) as t:
        # The server escapes nothing; what JavaScript servers cut in halves is tried below.
        assert (await t.model.stream(request(), ignore)).text == "ok 😀 fine"
    halves = "ok \ud83d", "\ude00 fine"
    answer = chat_answer(*({"content": half} for half in halves))
    from codexd.models.hosted import _well_formed  # pyright: ignore[reportPrivateUsage]

    assert _well_formed(answer).text == "ok 😀 fine"
