"""A store that takes no record: runs wait with what happened, then say what was lost."""

import resource
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from tests.house import agent, call, house, result
from tests.model_server import Scripted, turns

from codexd.errors import Unavailable
from codexd.orchestrator import Notice
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("It says alpha and beta."))


@contextmanager
def files_may_grow() -> Generator[None]:
    """After the block files may grow again, whatever it did; a write past the limit is a fault."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def fill() -> None:
    """From now on no file of this process takes a byte."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def free() -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def full_at(turn: int):
    """A script whose answer at `turn` comes when the disk has become full."""

    def script(body: dict[str, object]) -> Scripted:
        if turns(body) == turn:
            fill()
        return READ if turns(body) < 2 else DONE

    return script


async def test_a_run_waits_for_room_and_loses_nothing(tmp_path: Path) -> None:
    with files_may_grow():
        async with house(tmp_path, full_at(1), agent("worker")) as here:
            seen: list[str] = []
            waits = anyio.Event()

            def look(notice: Notice) -> None:
                view = here.codexd.live(notice.run)
                if view is not None and view.status is Status.WAITING:
                    seen.append(view.doing)
                    waits.set()

            here.codexd.listen(look)
            found: list[RunView] = []
            asked = 0

            async def go() -> None:
                found.append(await here.delegate())

            async with anyio.create_task_group() as group:
                group.start_soon(go)
                await waits.wait()
                asked = len(here.server.requests)
                free()
            billed = here.server.input_tokens + here.server.output_tokens
    [run] = found
    assert "audit log" in seen[0]
    # While it waited nothing was begun; what had been paid for was kept.
    assert asked == 2
    assert (run.status, run.spent, run.uncertain) == (Status.COMPLETED, billed, 0)


async def test_when_it_waited_long_enough_it_says_what_was_lost(tmp_path: Path) -> None:
    config = "[journal]\nhold_seconds = 0"
    with files_may_grow():
        async with house(tmp_path, full_at(1), agent("worker"), config=config) as here:
            with pytest.raises(Unavailable, match=r"not recorded of run `\w+`: an answer \("):
                await here.delegate()
            free()
            [run] = await here.codexd.runs()
            asked = len(here.server.requests)
    assert asked == 2
    assert run.spent > 0
    assert not run.status.ended or run.status is Status.INTERRUPTED


async def test_who_asks_to_stop_is_not_kept_waiting(tmp_path: Path) -> None:
    with files_may_grow():
        async with house(tmp_path, full_at(1), agent("worker")) as here:

            def look(notice: Notice) -> None:
                view = here.codexd.live(notice.run)
                if view is not None and view.status is Status.WAITING:
                    group.start_soon(here.codexd.cancel)

            here.codexd.listen(look)
            async with anyio.create_task_group() as group:
                with pytest.raises(Unavailable, match="not recorded"):
                    await here.delegate()
                free()
