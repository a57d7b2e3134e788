"""A recording played back: exactly, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.models.helpers import ignore, request

from codexd.errors import BadConfig, CutStream, RequestRefused
from codexd.models import UserText, digest
from codexd.models.replay import Replay, read_recording

ANSWER: dict[str, Any] = {
    "text": "fine",
    "calls": [{"id": "c1", "name": "f", "arguments": "{}"}],
    "opaque": [{"codexd": "from", "model": "x/y"}, {"type": "thinking"}],
    "stop": "tool_calls",
    "usage": {"input": 30, "output": 4, "cached": 2, "reasoning": 1, "cache_written": 0},
    "model": "y-1",
}


def record(answer: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """An `api_call` record of the audit log, as far as it is played."""
    return {"event_type": "api_call", "model": "x/y", "answer": answer, **more}


RECORD = record(ANSWER)


@pytest.mark.anyio
async def test_an_answer_is_what_was_recorded() -> None:
    answer = await Replay([RECORD]).stream(request(), ignore)
    assert answer.text == "fine"
    assert answer.calls[0].id == "c1"
    assert list(answer.opaque) == ANSWER["opaque"]
    assert answer.usage is not None
    assert answer.usage.total == 34
    assert answer.model == "y-1"


@pytest.mark.anyio
async def test_another_conversation_is_refused() -> None:
    replay = Replay([record(ANSWER, request_digest=digest(request()))])
    with pytest.raises(RequestRefused, match="another conversation"):
        await replay.stream(request(UserText("more")), ignore)
    assert (await replay.stream(request(), ignore)).text == "fine"


@pytest.mark.anyio
async def test_runs_side_by_side_find_their_own_answers() -> None:
    here, there = request(UserText("here")), request(UserText("there"))
    records = [
        record({"text": "here"}, request_digest=digest(here)),
        record({"text": "there"}, request_digest=digest(there)),
    ]
    replay = Replay(records)
    assert (await replay.stream(there, ignore)).text == "there"
    assert (await replay.stream(here, ignore)).text == "here"


@pytest.mark.anyio
async def test_the_end_of_a_recording_is_told() -> None:
    replay = Replay([record({"text": "only"})])
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


@pytest.mark.parametrize("answer", WRONG)
def test_a_record_that_holds_no_answer_is_named(answer: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match="model call 2"):
        Replay([RECORD, record(answer)])


def test_bounds_are_what_the_recorded_call_took() -> None:
    replay = Replay([RECORD])
    assert replay.input_bound(request(), None) == 30
    assert replay.wanted_output(request()) == 4


def test_bounds_are_what_was_reserved_where_that_is_known() -> None:
    replay = Replay([record(ANSWER, tokens_reserved=900, output_cap=250, context_window=8_000)])
    assert replay.input_bound(request(), None) == 650
    assert replay.wanted_output(request()) == 250
    assert replay.window == 8_000


@pytest.mark.anyio
async def test_a_recorded_fault_comes_again() -> None:
    fault = {"type": "CutStream", "help": "ask again", "billed": True}
    replay = Replay([record(None, fault=fault, error="it broke"), RECORD])
    with pytest.raises(CutStream, match="it broke") as raised:
        await replay.stream(request(), ignore)
    assert (raised.value.help, raised.value.billed) == ("ask again", True)
    assert (await replay.stream(request(), ignore)).text == "fine"


def test_a_fault_that_is_none_is_named() -> None:
    fault = {"type": "Path", "help": "", "billed": False}
    with pytest.raises(BadConfig, match="no fault is called Path"):
        Replay([record(None, fault=fault)])


@pytest.mark.anyio
async def test_an_answer_that_retention_took_is_named() -> None:
    with pytest.raises(RequestRefused, match="answer 1 is not in the recording"):
        await Replay([record(None, codexd={"erased": ["answer"]})]).stream(request(), ignore)


@pytest.mark.anyio
async def test_a_call_whose_outcome_nobody_knows_is_not_played() -> None:
    replay = Replay([record(None, error="no outcome is known"), RECORD])
    assert (await replay.stream(request(), ignore)).text == "fine"


FILES = {
    "nothing": "",
    "words": "hello",
    "half": '[{"event_type": "api_call"}',
    "no-yaml": "- a: [",
    "numbers": "[1, 2]",
    "a-result": '{"id": "1234", "status": "completed"}',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_file_that_is_no_recording_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(text)
    with pytest.raises(BadConfig, match=str(path)) as raised:
        read_recording(path)
    assert "audit export" in raised.value.help


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="No such file"):
        read_recording(tmp_path / "gone")
