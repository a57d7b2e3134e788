"""A recording played back: exactly, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from tests.models.helpers import ignore, request

from codexd.errors import RequestRefused
from codexd.models import UserText, digest
from codexd.models.replay import Replay

RECORD: dict[str, Any] = {
    "text": "fine",
    "calls": [{"id": "c1", "name": "f", "arguments": "{}"}],
    "opaque": [{"codexd": "from", "model": "x/y"}, {"type": "thinking"}],
    "stop": "tool_calls",
    "usage": {"input": 30, "output": 4, "cached": 2, "reasoning": 1, "cache_written": 0},
    "model": "y-1",
}


@pytest.mark.anyio
async def test_an_answer_is_what_was_recorded() -> None:
    answer = await Replay([RECORD]).stream(request(), ignore)
    assert answer.text == "fine"
    assert answer.calls[0].id == "c1"
    assert list(answer.opaque) == RECORD["opaque"]
    assert answer.usage is not None
    assert answer.usage.total == 34
    assert answer.model == "y-1"


@pytest.mark.anyio
async def test_another_conversation_is_refused() -> None:
    replay = Replay([{**RECORD, "request": digest(request())}])
    with pytest.raises(RequestRefused, match="another conversation"):
        await replay.stream(request(UserText("more")), ignore)
    assert (await replay.stream(request(), ignore)).text == "fine"


@pytest.mark.anyio
async def test_runs_side_by_side_find_their_own_answers() -> None:
    here, there = request(UserText("here")), request(UserText("there"))
    records = [
        {"text": "here", "request": digest(here)},
        {"text": "there", "request": digest(there)},
    ]
    replay = Replay(records)
    assert (await replay.stream(there, ignore)).text == "there"
    assert (await replay.stream(here, ignore)).text == "here"


@pytest.mark.anyio
async def test_the_end_of_a_recording_is_told() -> None:
    replay = Replay([{"text": "only"}])
    await replay.stream(request(), ignore)
    with pytest.raises(RequestRefused, match="at its end after 1"):
        await replay.stream(request(), ignore)


def test_the_digest_is_of_what_is_read_not_of_what_may_be_spent() -> None:
    assert digest(request(max_output=5)) == digest(request(max_output=500))
    assert digest(request(system="other")) != digest(request())
    assert digest(request(tools=())) != digest(request())
    assert digest(request(UserText("a"))) != digest(request(UserText("b")))


WRONG: list[dict[str, Any]] = [
    {"calls": [{}]},
    {"stop": "never"},
    {"usage": {"tokens": 3}},
    {"calls": 7},
]


@pytest.mark.parametrize("record", WRONG)
def test_a_record_that_is_no_answer_is_named(record: dict[str, Any]) -> None:
    with pytest.raises(RequestRefused, match="record 2"):
        Replay([RECORD, record])


def test_bounds_are_what_the_recorded_call_took() -> None:
    replay = Replay([RECORD])
    assert replay.input_bound(request(), None) == 30
    assert replay.wanted_output(request()) == 4
