"""No program outlives the codexd that started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from tests.house import agent, call, house, result
from tests.model_server import Scripted

from codexd.orchestrator import Orchestrator
from codexd.runs.view import Status
from codexd.tools.keeper import MARK, Keeper, end_marked, marked

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]

STRAY = "setsid sh -c 'echo $$ > stray; exec sleep 600' & while [ ! -s stray ]; do :; done"
"""Starts what leaves its group and its session, and ends."""
LOOP = "setsid sh -c 'echo $$ > stray; exec sleep 600' & while :; do :; done"
SHELL = agent("worker").replace("mcp: [read_file]", "mcp: []\n  shell: [sh -c]")
HOST = 'sandbox = "none"'


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until_gone(pid: int) -> None:
    with anyio.fail_after(20):
        while is_alive(pid):
            await anyio.lowlevel.checkpoint()


def script(text: str) -> list[Scripted]:
    asked = Scripted(calls=(call("shell", command=["sh", "-c", text], timeout_seconds=600),))
    return [asked, Scripted(text=result())]


async def test_what_left_its_group_ends_with_its_call(tmp_path: Path) -> None:
    async with house(tmp_path, script(STRAY), SHELL, config=HOST) as here:
        run = await here.delegate()
        pid = int((here.workspace / "stray").read_text())
        assert run.status is Status.COMPLETED
        assert not is_alive(pid)


HOSTED = """\
import sys, time
from codexd.tools.keeper import Keeper
import subprocess
keeper = Keeper("feed")
_, mark = keeper.mark()
child = subprocess.Popen(["sh", "-c", sys.argv[1]], env={"PATH": "/usr/bin:/bin", **mark},
                         cwd=sys.argv[2], start_new_session=True)
keeper.knows(child.pid)
print(child.pid, flush=True)
child.wait()
"""


def host_of(text: str, folder: Path) -> tuple[subprocess.Popen[str], int]:
    daemon = Path(__file__).parent.parent.parent / "daemon"
    process = subprocess.Popen(
        [sys.executable, "-c", HOSTED, text, str(folder)],
        stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(daemon), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert process.stdout is not None
    return process, int(process.stdout.readline())


async def stray_in(folder: Path) -> int:
    with anyio.fail_after(20):
        while not ((folder / "stray").exists() and (folder / "stray").read_text().strip()):
            await anyio.lowlevel.checkpoint()
    return int((folder / "stray").read_text())


async def test_all_ends_when_its_host_is_killed(tmp_path: Path) -> None:
    process, leader = host_of(LOOP, tmp_path)
    stray = await stray_in(tmp_path)
    process.kill()
    process.communicate()
    await until_gone(leader)
    await until_gone(stray)


async def test_the_next_codexd_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    async with house(tmp_path, script(""), SHELL, config=HOST) as here:
        hosts = here.journal.path.parent / "hosts"
        home = here.home
    # A host that was killed with its keeper: its lock file is there, nobody holds it.
    (hosts / "feedfeedfeed.lock").touch()
    left = await anyio.open_process(["sleep", "600"], env={MARK: "feedfeedfeed.7"})
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    async with Orchestrator.open(here.workspace, env=env) as codexd:
        assert await left.wait() == -signal.SIGKILL
        assert not (hosts / "feedfeedfeed.lock").exists()
        # The living one is not taken for dead.
        assert len(list(hosts.iterdir())) == 1
        assert codexd._host.journal.clear_dead() == []  # pyright: ignore[reportPrivateUsage]


def test_only_the_marked_are_found() -> None:
    mine = subprocess.Popen(["sleep", "600"], env={MARK: "cafe.1"})
    other = subprocess.Popen(["sleep", "600"], env={MARK: "cafe.12"})
    try:
        assert set(marked("cafe")) == {mine.pid, other.pid}
        assert end_marked("cafe", 1) == 1
        assert mine.wait() == -signal.SIGKILL
        assert set(marked("cafe")) == {other.pid}
        assert set(marked("caf")) == set()
    finally:
        other.kill()
        other.wait()
        mine.wait()


def test_a_keeper_that_was_killed_harms_nobody() -> None:
    keeper = Keeper("beef")
    keeper.knows(os.getpid())
    process = keeper._process  # pyright: ignore[reportPrivateUsage]
    assert process is not None
    process.kill()
    process.wait()
    keeper.knows(os.getpid(), ended=True)
    keeper.leave()
