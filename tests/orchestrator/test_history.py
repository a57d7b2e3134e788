"""What is shown of runs that went wrong, and what is let go of them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from tests.house import House, agent, call, house, result
from tests.model_server import Scripted

from codexd.errors import BadRequest, Unavailable
from codexd.orchestrator import Delegate, Notice
from codexd.runs.events import Ended, Started
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("alpha and beta"))


def tampered(here: House, script: str) -> None:
    with closing(sqlite3.connect(here.journal.path, isolation_level=None)) as db:
        db.executescript(script)


@pytest.mark.parametrize("what", ["v = 99", "facts = '{'", "facts = '[]'", "facts = 5"])
async def test_one_run_that_cannot_be_read_hides_no_other(tmp_path: Path, what: str) -> None:
    async with house(tmp_path, lambda _: DONE) as here:
        first, second = await here.delegate(goal="one"), await here.delegate(goal="two")
        tampered(here, f"UPDATE event SET {what} WHERE kind = 'started' AND run = '{first.id}'")
        listed = await here.codexd.runs()
        shown = await here.codexd.run(first.id)
    assert [run.id for run in listed] == [second.id, first.id]
    assert (shown.goal, shown.status, shown.spent) == ("one", Status.COMPLETED, first.spent)
    assert "cannot be read" in shown.notes[0]


async def test_a_run_whose_middle_was_damaged_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE]) as here:
        run = await here.delegate()
        tampered(here, "UPDATE event SET facts = 'x', digest = 'y', hash = 'z' WHERE n = 4")
        shown = await here.codexd.run(run.id)
        verified = await here.codexd.verify()
    assert shown.status is Status.COMPLETED
    assert shown.summary == run.summary
    assert not verified["ok"]


async def test_a_result_that_cannot_be_erased_is_given_all_the_same(tmp_path: Path) -> None:
    runs: list[RunView] = []

    async def use() -> None:
        async with house(tmp_path, [DONE], agent("worker", retention="job")) as here:

            def spoil(notice: Notice) -> None:
                if notice.kind == "ended":
                    here.journal.path.unlink()

            here.codexd.listen(spoil)
            runs.append(await here.delegate())

    with pytest.raises(Unavailable, match="deleted"):  # told when the host stops
        await use()
    assert runs[0].status is Status.COMPLETED
    assert runs[0].summary == "alpha and beta"


async def test_nothing_is_kept_of_a_run_whose_caller_has_gone(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: Scripted(text=result(), delay=30)) as here:
        begun: list[str] = []
        here.codexd.listen(lambda notice: begun.append(notice.run))
        with anyio.fail_after(10), anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(here.delegate)
                await here.server.until(lambda server: server.open_streams == 1)
                scope.cancel()
        assert begun
        assert here.codexd.live(begun[0]) is None
        ended = here.journal.all_events(begun[0])[-1].body
    assert isinstance(ended, Ended)
    assert ended.status is Status.CANCELLED


async def test_a_display_that_breaks_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(notice: Notice) -> None:
        raise BrokenPipeError

    async with house(tmp_path, [READ, DONE]) as here:
        here.codexd.listen(broken)
        run = await here.delegate()
    assert run.status is Status.COMPLETED
    assert "listener" in caplog.text


async def test_a_scope_may_be_named_by_way_of_a_link(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        (tmp_path / "alias").symlink_to(here.workspace)
        run = await here.delegate(scope=(str(tmp_path / "alias" / "a.txt"),))
        assert here.bodies(run, Started)[0].scope == ("a.txt",)


@pytest.mark.parametrize("scope", ["x" * 5_000, "a\0b", "alias/../../a.txt", "/etc/passwd"])
async def test_a_scope_that_no_file_can_have_is_refused(tmp_path: Path, scope: str) -> None:
    async with house(tmp_path, [DONE]) as here:
        (tmp_path / "alias").symlink_to(here.workspace)
        with pytest.raises(BadRequest):
            await here.delegate(scope=(scope,))
    assert here.server.requests == []


async def test_a_scope_that_leads_out_by_a_link_is_read_by_no_tool(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hidden words\n")
    read = Scripted(calls=(call("read_file", path="out/secret.txt"),))
    async with house(tmp_path, [read, DONE]) as here:
        (here.workspace / "out").symlink_to(tmp_path)
        await here.delegate(scope=("out",))
        told = here.server.requests[1].body["messages"][-1]["content"]
    assert "hidden words" not in told


async def test_a_total_below_zero_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        with pytest.raises(BadRequest, match="below zero"):
            await here.together(Delegate(agent="worker"), total_budget=-1)
