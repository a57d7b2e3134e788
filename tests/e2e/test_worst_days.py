"""The worst days: what ends a run that nobody wanted to end. What was journalled stays readable,
what failed is said, and the next run works.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from asyncio import Event
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from tests.cli.program import codexd, environment, model_flags, workspace
from tests.house import agent, by_goal, call, result
from tests.model_server import Fault, ModelServer, Scripted, by_turn, turns
from tests.needs import needs

from codexd.orchestrator import Delegate, Orchestrator
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

MODULE = [sys.executable, "-m", "codexd"]
WORKER = agent(
    "worker",
    tools="read_file, write_file",
    write="out.md",
    artifacts="out.md",
    budget=10_000_000,
)
TEXT = "whole\n" * 2000
WRITE = Scripted(calls=(call("write_file", path="out.md", content=TEXT),))
READ = Scripted(calls=(call("read_file", path="app.py"),))
LARGE = Scripted(calls=(call("write_file", path="out.md", content="large\n" * 4000),), piece=65_536)
DONE = Scripted(text=result("all is done"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = workspace(tmp_path / "work")
    save_agent(made, WORKER)
    return made


def save_agent(folder: Path, text: str) -> Path:
    path = folder / ".codex/agents" / f"{text.split()[1]}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@dataclass(frozen=True)
class Ended:
    """What is left of a command."""

    status: int
    out: str
    err: str


@asynccontextmanager
async def started(
    folder: Path, *argv: str, command: Sequence[str] = MODULE, **env: str
) -> AsyncGenerator[Process]:
    """`codexd ARGV…` under way between pipes; killed with the block, were it still there."""
    process = await anyio.open_process(
        [*command, *argv], cwd=folder, env=environment(**env), stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        with anyio.fail_after(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


async def end_of(process: Process) -> Ended:
    said: dict[str, bytes] = {"out": b"", "err": b""}

    async def read(name: str, stream: Any) -> None:
        async for chunk in stream:
            said[name] += chunk

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, "out", process.stdout)
        tasks.start_soon(read, "err", process.stderr)
    return Ended(await process.wait(), said["out"].decode(), said["err"].decode())


async def asked(server: ModelServer, n: int) -> None:
    """The model has been asked `n` times."""
    await server.until(lambda s: len(s.requests) >= n)


async def until(condition: Callable[[], bool]) -> None:
    """For what only the file system tells."""
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await anyio.sleep(0.01)


def never() -> Scripted:
    """An answer that does not come."""
    return Scripted(text="never", hold=Event())


@dataclass(frozen=True)
class After:
    """What another process finds."""

    run: RunView
    """The last run."""
    next: Status
    """How a run ended that was made afterwards."""


async def after(folder: Path, **env: str) -> After:
    """The journal, looked at by what the command itself uses: whole, to be read, to be used."""
    async with Orchestrator.open(folder, env=environment(**env)) as codexd:
        run = await codexd.run(None)
        verified = await codexd.verify()
        assert verified["ok"], verified
        assert [record async for record in codexd.audit()]
        again = await codexd.delegate(Delegate(agent="docs-gen"))
    return After(run, again.status)


def statuses() -> dict[str, str]:
    """By agent, what the database says of its run."""
    with closing(sqlite3.connect(store())) as db:
        return dict(db.execute("SELECT agent, status FROM run"))


def store() -> Path:
    """The database of the one workspace."""
    [path] = Path(os.environ["HOME"]).glob(".local/state/codexd/*/state.db")
    return path


def files(folder: Path) -> set[str]:
    """What stands in the workspace, but for `.git` and `.codex`."""
    return {path.name for path in folder.iterdir()} - {".git", ".codex"}


# --- killed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_asked", [1, 2, 3])
async def test_a_killed_run_is_shown_as_interrupted_with_what_it_had(
    folder: Path, n_asked: int
) -> None:
    script = [READ, WRITE, DONE]
    script[n_asked - 1] = never()
    async with (
        ModelServer(script) as server,
        started(folder, "delegate", "worker", *model_flags(server)) as process,
    ):
        await asked(server, n_asked)
        process.kill()
        assert (await end_of(process)).out == ""
    found = await after(folder)
    assert (found.run.status, found.next) == (Status.INTERRUPTED, Status.COMPLETED)
    # The calls before the last were answered, and are paid for.
    assert (found.run.spent > 0) == (n_asked > 1)
    assert found.run.artifacts == (("out.md",) if n_asked == 3 else ())
    if n_asked == 3:
        assert (folder / "out.md").read_text() == TEXT
    else:
        assert not (folder / "out.md").exists()


async def test_a_run_killed_while_it_writes_leaves_the_old_artifact_or_the_new_one(
    folder: Path,
) -> None:
    old, new = "old\n", "new\n" * 6_000
    target = folder / "out.md"
    target.write_text(old)
    before = target.stat().st_ino

    def is_being_written() -> bool:
        # Something stands beside it, or it is another file.
        return files(folder) != {"app.py", "out.md"} or target.stat().st_ino != before

    write = Scripted(calls=(call("write_file", path="out.md", content=new),), piece=65_536)
    async with (
        ModelServer([write, never()]) as server,
        started(folder, "delegate", "worker", *model_flags(server)) as process,
    ):
        await until(is_being_written)
        process.kill()
        await process.wait()
    assert target.read_text() in (old, new)
    found = await after(folder)
    assert (found.run.status, found.next) == (Status.INTERRUPTED, Status.COMPLETED)


async def test_a_killed_group_keeps_what_its_ended_runs_found(folder: Path) -> None:
    save_agent(folder, agent("slow"))
    async with ModelServer(by_goal({"quick": [DONE], "slow": [never()]})) as server:
        argv = ["delegate-parallel", "worker,slow", "--goals", "quick,slow", *model_flags(server)]
        async with started(folder, *argv) as process:
            await asked(server, 2)
            await until(lambda: statuses().get("worker") == "completed")
            process.kill()
            await process.wait()
    listed = codexd(folder, "runs", "list", "--lang", "ja").stdout
    assert "中断" in listed
    found = await after(folder)
    assert found.run.status is Status.INTERRUPTED
    quick, slow = found.run.children
    assert (quick.status, quick.summary) == (Status.COMPLETED, "all is done")
    assert slow.status is Status.INTERRUPTED


# --- asked to stop ---------------------------------------------------------------------------


@pytest.fixture
def _sleeper(folder: Path) -> None:
    """An agent that may start a program, which the user's own configuration allows."""
    home = Path(os.environ["HOME"])
    (home / ".codex").mkdir()
    (home / ".codex/codexd.toml").write_text('sandbox = "none"\n')
    save_agent(folder, agent("sleeper").replace("mcp: [read_file]", "mcp: []\n  shell: [sh -c]"))


def sleeping() -> Scripted:
    """Starts a program that does not end for a minute, nor when it is asked to."""
    script = (
        "trap '' TERM INT HUP; echo $$ > pid.new; mv pid.new pid; "
        "n=0; while [ $n -lt 1200 ]; do n=$((n + 1)); sleep 0.05; done"
    )
    return Scripted(calls=(call("shell", command=["sh", "-c", script], timeout_seconds=600),))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    # One that nobody has waited for yet is dead, too.
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.usefixtures("_sleeper")
@pytest.mark.parametrize(
    ("number", "status", "sign", "end"),
    [
        (signal.SIGINT, 130, "■", Status.CANCELLED),
        (signal.SIGTERM, 143, "✖", Status.INTERRUPTED),
        (signal.SIGHUP, 129, "■", Status.CANCELLED),
    ],
)
async def test_asked_to_stop_all_ends_in_order_and_what_there_is_is_given(
    folder: Path, number: signal.Signals, status: int, sign: str, end: Status
) -> None:
    script = by_goal({"quick": [WRITE, DONE], "slow": [sleeping(), DONE]})
    async with ModelServer(script) as server:
        argv = ["delegate-parallel", "worker,sleeper", "--goals", "quick,slow", "-o", "out.json"]
        async with started(folder, *argv, *model_flags(server)) as process:
            await until((folder / "pid").exists)
            await until(lambda: statuses().get("worker") == "completed")
            process.send_signal(number)
            ended = await end_of(process)
    assert ended.status == status, ended.err
    assert "✔ worker" in ended.out
    assert "all is done" in ended.out
    assert f"{sign} sleeper" in ended.out
    assert "stopping…" in ended.err
    assert not is_alive(int((folder / "pid").read_text()))
    assert (folder / "out.md").read_text() == TEXT
    found = await after(folder)
    ends = [child.status for child in found.run.children]
    assert ends == [Status.COMPLETED, end]
    assert f"go on    codexd runs resume {found.run.short}" in ended.out
    assert json.loads((folder / "out.json").read_text())["id"] == found.run.id


@pytest.mark.usefixtures("_sleeper")
async def test_asked_twice_it_ends_at_once_and_leaves_nothing_alive(folder: Path) -> None:
    async with (
        ModelServer([sleeping(), DONE]) as server,
        started(folder, "delegate", "sleeper", *model_flags(server)) as process,
    ):
        await until((folder / "pid").exists)
        # Both wait for it while it is stopped, so that the second comes before the end in order.
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)
        ended = await end_of(process)
    assert ended.status in (130, 143)  # which of them came second is the kernel's affair
    assert "is kept: codexd runs resume --last" in ended.err
    await until(lambda: not is_alive(int((folder / "pid").read_text())))
    found = await after(folder)
    assert (found.run.status, found.next) == (Status.INTERRUPTED, Status.COMPLETED)


@pytest.mark.usefixtures("_sleeper")
async def test_ctrl_c_twice_leaves_nothing_alive(folder: Path) -> None:
    async with (
        ModelServer([sleeping(), DONE]) as server,
        started(folder, "delegate", "sleeper", *model_flags(server)) as process,
    ):
        await until((folder / "pid").exists)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = b""
        while b"stopping" not in said:
            said += await process.stderr.receive()
        process.send_signal(signal.SIGINT)
        assert (await end_of(process)).status == 130
    await until(lambda: not is_alive(int((folder / "pid").read_text())))
    # The end in order takes half a second, and may have been first.
    assert (await after(folder)).run.status in (Status.INTERRUPTED, Status.CANCELLED)


# --- the model -------------------------------------------------------------------------------


async def test_a_stream_that_is_cut_is_told_and_the_report_before_it_kept(folder: Path) -> None:
    cut = Scripted(text="never whole", fault=Fault.CUT)
    async with ModelServer(lambda body: cut if turns(body) else WRITE) as server:
        flags = [*model_flags(server), "-c", "model_providers.local.request_max_retries=0"]
        async with started(folder, "delegate", "worker", *flags) as process:
            ended = await end_of(process)
    assert ended.status == 1
    assert "✖ worker  failed" in ended.out
    assert f"127.0.0.1:{server.port}" in ended.out
    found = await after(folder)
    assert (found.run.status, found.run.artifacts) == (Status.FAILED, ("out.md",))
    assert found.run.reason


async def test_a_model_server_that_dies_in_mid_stream_fails_the_run_and_is_named(
    folder: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"text": "word " * 2000, "piece": 5, "chunk_delay": 0.05}]))
    command = [sys.executable, "-m", "tests.model_server", "--script", str(script), "--by-turn"]
    async with serving(command) as server:
        assert server.stdout is not None
        port = int(await server.stdout.receive())
        local = {
            "base_url": f"http://127.0.0.1:{port}/v1",
            "wire_api": "chat",
            "request_max_retries": "0",
        }
        flags = ["-m", "local/x"]
        for key, value in local.items():
            flags += ["-c", f"model_providers.local.{key}={value}"]
        async with started(folder, "delegate", "worker", *flags) as process:
            await until(lambda: store_there() and is_calling())
            server.kill()
            ended = await end_of(process)
    assert ended.status == 1
    assert f"127.0.0.1:{port}" in ended.out
    found = await after(folder)
    assert (found.run.status, found.next) == (Status.FAILED, Status.COMPLETED)


@asynccontextmanager
async def serving(command: Sequence[str]) -> AsyncGenerator[Process]:
    """A process of the checkout, killed with the block, were it still there."""
    process = await anyio.open_process(command, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


def store_there() -> bool:
    return any(Path(os.environ["HOME"]).glob(".local/state/codexd/*/state.db"))


def is_calling() -> bool:
    """Whether a model call is announced in the journal."""
    with closing(sqlite3.connect(store())) as db:
        try:
            kinds = {kind for (kind,) in db.execute("SELECT kind FROM event")}
        except sqlite3.OperationalError:
            return False  # the table is not made yet
    return "begun" in kinds


# --- the disk --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 600 KB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs leave to mount a small disk: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


AT_ONCE = ("-c", "journal.hold_seconds=0")
"""Runs do not wait for room."""


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)


def reading() -> list[Scripted]:
    """Answers that have some 40 KB more written to the journal at each step."""
    return [
        Scripted(calls=(call("read_file", path="noise.txt", offset=n + 1),)) for n in range(200)
    ]


async def test_a_disk_that_fills_up_during_a_run_is_named_and_nothing_is_lost(
    folder: Path, small_disk: Path
) -> None:
    (folder / "noise.txt").write_text(f"{os.urandom(30_000).hex()}\n" * 300)
    env = {"XDG_STATE_HOME": str(small_disk)}
    async with ModelServer(reading()) as server:
        argv = ["delegate", "worker", *model_flags(server), *AT_ONCE]
        async with started(folder, *argv, **env) as process:
            ended = await end_of(process)
        n_asked = len(server.requests)
    assert ended.status == 1
    assert ended.err.count("error: ") == 1
    assert "disk is full" in ended.err
    assert "help:  free some space" in ended.err
    assert 1 < n_asked < 200
    grow(small_disk)
    found = await after(folder, **env)
    assert (found.run.status, found.next) == (Status.INTERRUPTED, Status.COMPLETED)
    assert found.run.spent > 0


async def test_files_that_may_grow_no_further_are_told_like_a_full_disk(folder: Path) -> None:
    (folder / "noise.txt").write_text(f"{os.urandom(30_000).hex()}\n" * 300)
    limited = ["sh", "-c", 'ulimit -f 400; exec "$@"', "sh", *MODULE]
    async with ModelServer(reading()) as server:
        argv = ["delegate", "worker", *model_flags(server), *AT_ONCE]
        async with started(folder, *argv, command=limited) as process:
            ended = await end_of(process)
    assert ended.status == 1
    assert f"error: the journal cannot be used: {store()}: " in ended.err
    assert "help:  free some space" in ended.err
    found = await after(folder)
    assert (found.run.status, found.next) == (Status.INTERRUPTED, Status.COMPLETED)


async def test_an_artifact_that_the_disk_does_not_take_is_told_and_the_old_one_stands(
    folder: Path, small_disk: Path
) -> None:
    inside = workspace(small_disk / "work")
    save_agent(inside, WORKER)
    (inside / "out.md").write_text("old\n")
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(bytes(free - 8_192))
    async with (
        ModelServer(by_turn([LARGE, DONE])) as server,
        started(inside, "delegate", "worker", *model_flags(server)) as process,
    ):
        ended = await end_of(process)
    assert ended.status == 0
    assert "no space left to write `out.md`" in ended.out
    assert "missing  out.md" in ended.out
    assert (inside / "out.md").read_text() == "old\n"
    assert files(inside) == {"app.py", "out.md"}


async def test_output_that_a_full_device_does_not_take_is_told_and_the_run_kept(
    folder: Path,
) -> None:
    done = codexd(folder, "delegate", "docs-gen", "-o", "/dev/full", "-C", str(folder))
    assert done.returncode == 1
    found = await after(folder)
    assert done.stderr.splitlines()[-2:] == [
        "error: cannot write /dev/full: No space left on device",
        f"help:  the run is kept: `codexd runs show {found.run.short} --json -C {folder}`",
    ]
    assert found.run.status is Status.COMPLETED


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_stream_on_a_full_disk_loses_no_run(folder: Path, stream: str) -> None:
    full = {"stdout": ">/dev/full", "stderr": "2>/dev/full"}[stream]
    command = ["sh", "-c", f'exec "$@" {full}', "sh", *MODULE]
    async with started(folder, "delegate", "docs-gen", command=command) as process:
        done = await end_of(process)
    if stream == "stdout":
        assert done.status == 1
        assert "error: cannot write: No space left on device\nhelp:  " in done.err
    else:
        assert done.status == 0
        assert done.out.startswith("✔ docs-gen  completed")
    assert (await after(folder)).run.status is Status.COMPLETED


# --- the journal -----------------------------------------------------------------------------


def ruin(how: str) -> None:
    if how == "truncated":
        os.truncate(store(), 5000)
    elif how == "garbage":
        store().write_bytes(os.urandom(40_000))
    else:
        store().unlink()
        store_folder = next(Path(os.environ["HOME"]).glob(".local/state/codexd/*"))
        (store_folder / "state.db").mkdir()


@pytest.mark.parametrize("how", ["truncated", "garbage", "a folder"])
def test_a_ruined_journal_is_named_and_left_as_it_is(folder: Path, how: str) -> None:
    assert codexd(folder, "audit", "verify").returncode == 0
    ruin(how)
    left = store().read_bytes() if store().is_file() else b""
    for argv in (["delegate", "docs-gen"], ["runs", "list"]):
        done = codexd(folder, *argv)
        assert (done.returncode, done.stdout) == (1, "")
        first, *rest = done.stderr.splitlines()
        assert first.startswith(f"error: the journal cannot be used: {store()}: ")
        assert rest[0].startswith("help:  ")
    assert (store().read_bytes() if store().is_file() else b"") == left
    told = codexd(folder, "doctor")
    assert told.returncode == 1
    assert "✖ journal" in told.stdout


def test_a_lost_key_begins_no_second_journal_over_the_first(folder: Path) -> None:
    codexd(folder, "runs", "list")
    key = Path(os.environ["HOME"]) / ".local/share/codexd/journal.key"
    key.unlink()
    done = codexd(folder, "runs", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the journal's key is gone: {key}" in done.stderr
    assert not key.exists()


async def test_a_journal_that_another_program_holds_is_waited_for(folder: Path) -> None:
    codexd(folder, "runs", "list")
    with closing(sqlite3.connect(store(), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        async with started(folder, "delegate", "docs-gen") as process:
            await until(lambda: any(store().parent.glob("hosts/*.lock")))
            db.execute("COMMIT")
            ended = await end_of(process)
    assert ended.status == 0, ended.err
    assert (await after(folder)).run.status is Status.COMPLETED


# --- what changes underfoot ------------------------------------------------------------------


async def test_two_commands_at_once_share_a_workspace_and_an_artifact(folder: Path) -> None:
    texts = ("one\n" * 6_000, "two\n" * 6_000)
    gate = Event()
    script = {
        text[:3]: [
            Scripted(
                calls=(call("write_file", path="out.md", content=text),), piece=65_536, hold=gate
            ),
            DONE,
        ]
        for text in texts
    }
    ends: list[Ended] = []

    async def delegate(goal: str, server: ModelServer) -> None:
        argv = ["delegate", "worker", "--goal", goal, *model_flags(server)]
        async with started(folder, *argv) as process:
            ends.append(await end_of(process))

    async with ModelServer(by_goal(script)) as server, anyio.create_task_group() as tasks:
        for goal in script:
            tasks.start_soon(delegate, goal, server)
        await asked(server, 2)
        gate.set()
    assert [(each.status, each.err.count("error")) for each in ends] == [(0, 0), (0, 0)]
    assert (folder / "out.md").read_text() in texts
    assert files(folder) == {"app.py", "out.md"}
    async with Orchestrator.open(folder, env=environment()) as codexd:
        runs = await codexd.runs()
        assert (await codexd.verify())["ok"]
    assert [run.status for run in runs] == [Status.COMPLETED] * 2
    # Whoever saw the other's file come up beneath it wrote nothing, and says so.
    wrote = [run for run in runs if run.artifacts == ("out.md",)]
    refused = [run for run in runs if not run.artifacts]
    assert wrote
    assert len(wrote) + len(refused) == 2
    assert all("out.md" in run.reason for run in refused), refused


async def test_a_workspace_deleted_under_a_run_ends_it_and_keeps_its_journal(folder: Path) -> None:
    gate = Event()
    write = Scripted(calls=(call("write_file", path="out.md", content="x"),), hold=gate)
    async with (
        ModelServer(by_turn([write, DONE])) as server,
        started(folder, "delegate", "worker", *model_flags(server)) as process,
    ):
        await asked(server, 1)
        os.rename(folder, f"{folder}.gone")  # noqa: PTH104 - anyio has none for a plain path
        gate.set()
        ended = await end_of(process)
    assert "Traceback" not in ended.err
    assert "internal" not in ended.err
    assert "missing  out.md" in ended.out
    workspace(folder)  # which fails where the folder is there
    found = await after(folder)
    assert found.run.status.ended
    assert found.run.artifacts == ()


async def test_an_agent_file_changed_during_a_run_changes_the_next_one(folder: Path) -> None:
    gate = Event()
    save_agent(folder, agent("reader", budget=9_000))
    async with (
        ModelServer([Scripted(text=result("as it was"), hold=gate)]) as server,
        started(folder, "delegate", "reader", "--json", *model_flags(server)) as process,
    ):
        await asked(server, 1)
        save_agent(folder, "name: reader\ngaol: [\n")
        gate.set()
        ended = await end_of(process)
    view = json.loads(ended.out)
    assert (ended.status, view["status"], view["budget"]) == (0, "completed", 9_000)
    done = codexd(folder, "delegate", "reader")
    assert (done.returncode, done.stdout) == (2, "")
    assert "reader.yaml:3:1: error: " in done.stderr


SHIM = r"""
#include <time.h>
#include <unistd.h>
#include <stdlib.h>
#include <sys/syscall.h>
/* The system's clock, put back by a day once the file is there. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && access(getenv("BACK_FILE"), F_OK) == 0) now->tv_sec -= 86400;
    return status;
}
"""


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A library that puts a program's clock back."""
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(SHIM)
    subprocess.run([needs("cc"), "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.mark.skipif(sys.platform != "linux", reason="needs LD_PRELOAD")
async def test_a_clock_that_is_put_back_breaks_neither_run_nor_journal(
    folder: Path, tmp_path: Path, clock: Path
) -> None:
    gate, back = Event(), tmp_path / "back"
    env = {"LD_PRELOAD": str(clock), "BACK_FILE": str(back)}
    save_agent(folder, agent("reader"))
    argv = ["delegate", "reader", "--deadline", "10m", "--json"]
    async with (
        ModelServer([READ, Scripted(text=result(), hold=gate)]) as server,
        started(folder, *argv, *model_flags(server), **env) as process,
    ):
        await asked(server, 2)
        back.touch()
        gate.set()
        ended = await end_of(process)
    view = json.loads(ended.out)
    assert (ended.status, view["status"]) == (0, "completed")
    assert view["ended_at"] < view["started_at"]
    assert 0 <= view["seconds"] < 600
    done = codexd(folder, "runs", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert (await after(folder)).next is Status.COMPLETED
