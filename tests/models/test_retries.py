"""When a refused call is made again, and how all calls of a provider wait together."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import pytest
from tests.model_server import Scripted
from tests.models.helpers import WIRES, Clock, ignore, provider, request, table

from codexd.config.settings import WireApi
from codexd.errors import Overloaded, RateLimited
from codexd.models import refusals
from codexd.models.http import Gate

FINE = Scripted(text="fine")


@pytest.mark.anyio
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
async def test_a_refusal_that_may_pass_is_tried_again(wire: WireApi, status: int) -> None:
    async with table(wire, [Scripted(status=status), Scripted(status=status), FINE]) as t:
        answer = await t.model.stream(request(), ignore)
        assert len(t.server.requests) == 3
    assert answer.text == "fine"
    assert t.clock.slept == [0.5, 1.0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"retry-after-ms": "150", "Retry-After": "1"}, 0.15),
        ({"Retry-After": "soon"}, 0.5),
    ],
)
async def test_retry_after_is_honoured(headers: dict[str, str], waited: float) -> None:
    async with table("chat", [Scripted(status=429, headers=headers), FINE]) as t:
        await t.model.stream(request(), ignore)
    assert t.clock.slept == pytest.approx([waited])


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
    wait = refusals.retry_after({"retry-after": "Sun, 01 Nov 2026 12:00:30 GMT"}, now=now)
    assert wait == 30.0
    past = refusals.retry_after({"retry-after": "Sun, 01 Nov 2026 11:00:00 GMT"}, now=now)
    assert past == 0.0
    assert refusals.retry_after({}, now=now) is None


@pytest.mark.anyio
async def test_a_pause_of_an_hour_is_not_waited_for() -> None:
    async with table("chat", [Scripted(status=429, headers={"Retry-After": "3600"})]) as t:
        with pytest.raises(RateLimited):
            await t.model.stream(request(), ignore)
    assert t.clock.slept == []


@pytest.mark.anyio
async def test_retries_end_where_the_provider_says() -> None:
    async with table("messages", lambda _: Scripted(status=529), request_max_retries=2) as t:
        with pytest.raises(Overloaded):
            await t.model.stream(request(), ignore)
        assert len(t.server.requests) == 3
    assert t.clock.slept == [0.5, 1.0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "scripted",
    [
        Scripted(status=400),
        Scripted(status=401),
        Scripted(status=429, code="insufficient_quota"),
        Scripted(status=500, headers={"x-should-retry": "false"}),
        Scripted(status=500, message="the request exceeds the available context size"),
    ],
)
async def test_what_will_not_pass_is_not_tried_again(scripted: Scripted) -> None:
    async with table("chat", lambda _: scripted) as t:
        with pytest.raises(Exception, match="says"):
            await t.model.stream(request(), ignore)
        assert len(t.server.requests) == 1


@pytest.mark.anyio
async def test_one_gate_holds_all_calls_of_a_provider() -> None:
    clock = Clock()
    gate = Gate(clock.sleep, clock.time, lambda: 0.0)
    gate.back_off(0, 30.0)
    gate.back_off(0, 5.0)
    passed: list[float] = []

    async def call() -> None:
        await gate.passed()
        passed.append(clock.now)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(call)
    assert passed == [1_030.0] * 10
    assert clock.slept == [30.0]


@pytest.mark.anyio
async def test_models_of_one_provider_share_the_gate_and_others_do_not() -> None:
    async with table("chat", []) as t:
        here = provider(t.server.url, "chat")
        assert t.client.gate(here) is t.client.gate(provider("http://elsewhere", "chat"))
        assert t.client.gate(here) is not t.client.gate(provider("http://x", "chat", id="other"))


def test_back_off_grows_and_jitter_only_shortens_it() -> None:
    waits: list[float] = []
    for attempt in range(8):
        gate = Gate(clock=lambda: 0.0, jitter=lambda: 1.0)
        gate.back_off(attempt, None)
        waits.append(gate.not_before)
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
