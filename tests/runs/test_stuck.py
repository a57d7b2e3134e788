"""A model that is stuck is told once, then the run ends; one that gets on is left alone."""

from pathlib import Path
from typing import Any

import pytest
from tests.house import agent, call, house, result
from tests.model_server import Call, Scripted, turns

from codexd.models import ToolCall, ToolReply
from codexd.orchestrator import Resume
from codexd.runs.events import Ended, Noted
from codexd.runs.stuck import n_repeats, turn_digest
from codexd.runs.view import Status

READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("done"))


def said(body: dict[str, Any]) -> str:
    """What the last message of a request says."""
    return str(body["messages"][-1]["content"])


@pytest.mark.anyio
async def test_the_same_call_with_the_same_result_is_told_once_then_ends_the_run(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, lambda _: READ) as here:
        run = await here.delegate()
        told = ["again and again" in said(request.body) for request in here.server.requests]
    assert run.status is Status.FAILED
    assert (
        run.reason == "the model made the same call 5 times with the same result: read_file a.txt"
    )
    assert "another model" in run.help
    assert told == [False, False, False, True, False]
    assert run.spent == here.server.input_tokens + here.server.output_tokens


@pytest.mark.anyio
async def test_a_model_that_listens_completes(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> Scripted:
        return DONE if "again and again" in said(body) else READ

    async with house(tmp_path, script) as here:
        run = await here.delegate()
    assert run.status is Status.COMPLETED
    assert len(here.server.requests) == 4


@pytest.mark.anyio
async def test_a_circle_of_calls_is_a_loop_too(tmp_path: Path) -> None:
    circle = [READ, Scripted(calls=(call("list_dir", path="."), call("read_file", path="b")))]
    text = agent("worker", tools="read_file, list_dir", budget=1_000_000)
    async with house(tmp_path, lambda body: circle[turns(body) % 2], text) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert "5 times with the same result: list_dir ." in run.reason
    assert len(here.server.requests) == 10


@pytest.mark.anyio
async def test_a_call_whose_result_changes_is_no_loop(tmp_path: Path) -> None:
    watched = tmp_path / "workspace" / "a.txt"

    def script(body: dict[str, Any]) -> Scripted:
        watched.write_text(f"{turns(body)}\n")
        return READ if turns(body) < 8 else DONE

    async with house(tmp_path, script) as here:
        run = await here.delegate()
        asked = here.bodies(run, Noted)
    assert (run.status, asked) == (Status.COMPLETED, [])


@pytest.mark.anyio
async def test_a_run_that_ended_in_a_loop_may_be_resumed_and_has_its_tries_again(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, lambda body: READ if turns(body) < 8 else DONE) as here:
        run = await here.delegate()
        again = await here.codexd.resume(Resume(run=run.id))
        ends = here.bodies(run, Ended)
    assert [end.status for end in ends] == [Status.FAILED, Status.COMPLETED]
    assert again.status is Status.COMPLETED


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ((Call("reed_file"),), "there is no tool `reed_file` here"),
        ((Call("read_file", "{oops"),), "no JSON"),
        ((Call("read_file", '{"paht": "a.txt"}'),), "path"),
        ((call("read_file", path="/etc/passwd"),), "/etc/passwd"),
        ((call("write_file", path="x.txt", content="x"), Call("reed_file")), "`reed_file`"),
    ],
    ids=["not-offered", "no-json", "misfit", "denied", "denied-in-front"],
)
async def test_answers_of_nothing_but_calls_that_cannot_be_made_are_bounded(
    tmp_path: Path, calls: tuple[Call, ...], why: str
) -> None:
    def script(body: dict[str, Any]) -> Scripted:
        # Never the same twice: this is not about loops.
        other = Call("unheard_of", f'{{"n": {turns(body)}}}')
        return Scripted(calls=(other, *calls))

    text = agent("worker", tools="read_file, write_file", write="./out")
    async with house(tmp_path, script, text) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert run.reason.startswith("no call could be made in 5 answers; the last: ")
    assert why in run.reason
    assert len(here.server.requests) == 5


@pytest.mark.anyio
async def test_one_call_that_is_made_begins_the_count_anew(tmp_path: Path) -> None:
    def script(body: dict[str, Any]) -> Scripted:
        n = turns(body)
        if n == 9:
            return DONE
        return READ if n == 4 else Scripted(calls=(Call(f"unheard_of_{n}"),))

    async with house(tmp_path, script, agent("worker", budget=1_000_000)) as here:
        run = await here.delegate()
    # Four that could not be made, one that was, four again: never five in a row.
    assert run.status is Status.COMPLETED
    assert len(here.server.requests) == 10


@pytest.mark.anyio
async def test_what_ends_a_run_shows_no_secret_that_the_model_wanted_to_pass_on(
    tmp_path: Path,
) -> None:
    key = "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z" * 2
    searched = Scripted(calls=(call("grep", pattern=key),))
    async with house(tmp_path, lambda _: searched, agent("worker", tools="grep")) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert "same result: grep" in run.reason
    assert key not in run.reason


def test_a_program_that_took_another_time_gave_the_same_result() -> None:
    def ran(seconds: str, code: int = 1) -> str:
        text = f"boom\n[exit {code}; {seconds} s; unheld]"
        return turn_digest([(ToolCall("c", "shell", "{}"), ToolReply("c", "shell", text))])

    assert ran("0.3") == ran("12.4")
    assert ran("0.3") != ran("0.3", code=0)


@pytest.mark.parametrize(
    ("turns", "n"),
    [("", 0), ("a", 1), ("ab", 1), ("baa", 2), ("ababab", 3), ("xabcabc", 2), ("abcdabcd", 1)],
)
def test_repeats_are_counted_from_the_newest_turn_back(turns: str, n: int) -> None:
    assert n_repeats(tuple(turns)) == n
