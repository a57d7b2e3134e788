"""What every model does that answers from a script: the three wires, and a replay."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import anyio
import pytest
from tests.model_server import COUNTED, Call, Scripted, Used
from tests.models.helpers import WIRES, ignore, request, table

from codexd.config.settings import WireApi
from codexd.errors import RequestRefused
from codexd.models import Model, Stop, ToolCall, ToolReply
from codexd.models.replay import Replay

pytestmark = pytest.mark.anyio
Play = Callable[..., AbstractAsyncContextManager[Model]]


@asynccontextmanager
async def hosted(wire: WireApi, *script: Scripted) -> AsyncGenerator[Model]:
    async with table(wire, script) as t:
        yield t.model


@asynccontextmanager
async def replayed(*script: Scripted) -> AsyncGenerator[Model]:
    yield Replay([record(scripted) for scripted in script])


def record(scripted: Scripted) -> dict[str, Any]:
    calls = [
        asdict(ToolCall(c.id or f"call_0_{i}", c.name, c.arguments))
        for i, c in enumerate(scripted.calls)
    ]
    usage = None
    if scripted.usage == COUNTED:
        usage = {"input": 40, "output": 4}
    elif scripted.usage:
        usage = asdict(scripted.usage)
    answer = {
        "text": scripted.text,
        "calls": calls,
        "stop": "tool_calls" if calls else "end",
        "usage": usage,
        "model": "m",
    }
    return {"event_type": "api_call", "model": "local/m", "answer": answer}


@pytest.fixture(params=[*WIRES, "replay"])
def play(request: pytest.FixtureRequest) -> Play:
    return replayed if request.param == "replay" else partial(hosted, request.param)


async def test_text_comes_in_pieces_and_whole(play: Play) -> None:
    async with play(Scripted(text="two bugs, both on line 2133 — 直す")) as model:
        pieces: list[str] = []
        answer = await model.stream(request(), pieces.append)
    assert "".join(pieces) == answer.text == "two bugs, both on line 2133 — 直す"
    assert answer.stop is Stop.END
    assert answer.calls == ()
    assert answer.opaque == ()
    assert answer.model == "m"


async def test_parallel_calls_come_in_the_order_asked(play: Play) -> None:
    calls = tuple(Call("read_file", f'{{"path": "f{i}.py", "why": "日本"}}') for i in range(4))
    async with play(Scripted(text="I read.", calls=calls)) as model:
        answer = await model.stream(request(), ignore)
    assert [call.arguments for call in answer.calls] == [call.arguments for call in calls]
    assert len({call.id for call in answer.calls}) == 4
    assert answer.stop is Stop.TOOL_CALLS


async def test_calls_without_text_stream_nothing(play: Play) -> None:
    async with play(Scripted(calls=(Call("read_file", '{"path": "a"}'),))) as model:
        pieces: list[str] = []
        answer = await model.stream(request(), pieces.append)
    assert pieces == []
    assert answer.text == ""


async def test_arguments_that_are_no_json_come_as_they_are(play: Play) -> None:
    async with play(Scripted(calls=(Call("read_file", '{"path": '),))) as model:
        answer = await model.stream(request(), ignore)
    assert answer.calls[0].arguments == '{"path": '


async def test_usage_comes_with_its_parts(play: Play) -> None:
    used = Used(input=900, output=70, cached=512, reasoning=30)
    async with play(Scripted(text="done", usage=used)) as model:
        answer = await model.stream(request(), ignore)
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (900, 70)
    assert answer.usage.cached == 512
    assert answer.usage.total == 970


async def test_usage_that_is_not_sent_is_none(play: Play) -> None:
    async with play(Scripted(text="done", usage=None)) as model:
        answer = await model.stream(request(), ignore)
    assert answer.usage is None
    assert answer.text == "done"


async def test_what_the_script_lacks_is_refused(play: Play) -> None:
    async with play(Scripted(text="only this")) as model:
        await model.stream(request(), ignore)
        with pytest.raises(RequestRefused):
            await model.stream(request(), ignore)


async def test_a_conversation_goes_on_after_its_tools(play: Play) -> None:
    script = Scripted(calls=(Call("read_file", '{"path": "a"}'),)), Scripted(text="fine")
    async with play(*script) as model:
        first = await model.stream(request(), ignore)
        reply = ToolReply(first.calls[0].id, "read_file", "import os")
        second = await model.stream(request(first, reply), ignore)
    assert second.text == "fine"


async def test_the_input_bound_is_never_below_what_is_counted(play: Play) -> None:
    script = (
        Scripted(text="読む", calls=(Call("read_file", '{"path": "a"}'),)),
        Scripted(text="fine"),
    )
    async with play(*script) as model:
        first = await model.stream(request(), ignore)
        assert first.usage is not None
        assert model.input_bound(request(), None) >= first.usage.input
        longer = request(first, ToolReply(first.calls[0].id, "read_file", "長い\n" * 500))
        bound = model.input_bound(longer, (2, first.usage.total))
        second = await model.stream(longer, ignore)
        assert second.usage is not None
        assert bound >= second.usage.input


async def test_many_calls_of_one_model_run_at_once(play: Play) -> None:
    async with play(*[Scripted(text="same")] * 50) as model:
        texts: list[str] = []

        async def one() -> None:
            texts.append((await model.stream(request(), ignore)).text)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for _ in range(50):
                    group.start_soon(one)
    assert texts == ["same"] * 50


async def test_a_count_is_a_number_or_none(play: Play) -> None:
    async with play(Scripted(text="x")) as model:
        counted = await model.count_input(request())
    assert counted is None or counted > 0


@pytest.mark.parametrize("wire", WIRES)
async def test_calls_one_after_the_other_share_a_connection(wire: WireApi) -> None:
    async with table(wire, [Scripted(text="x")] * 3) as t:
        for _ in range(3):
            await t.model.stream(request(), ignore)
        assert len(t.server.connections) == 1
