"""`from codexd import Orchestrator`: what a program, and every door, gets from it."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process
from tests.house import House, agent, by_goal, call, house, result
from tests.model_server import ModelServer, Scripted

import codexd
from codexd import CreateAgent, Delegate, DelegateParallel, Orchestrator
from codexd.errors import BadRequest, Unavailable, UnknownAgent, UnknownRun
from codexd.orchestrator import Check, Notice
from codexd.runs.events import Driven, Started
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

DAEMON = Path(codexd.__file__).parent.parent
READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("alpha and beta"))


def program(folder: Path, home: Path, *argv: str) -> tuple[list[str], dict[str, str]]:
    """A command line that codexd's interpreter runs, and its environment."""
    own = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(DAEMON)}
    env = {**own, "CI": "true"}  # the process drives its runs itself
    return [sys.executable, *argv, *(("-C", str(folder)) if "codexd" in argv else ())], env


@asynccontextmanager
async def other_process(here: House, *argv: str) -> AsyncGenerator[Process]:
    """`codexd ARGV` as another process of the same user; ended with the block."""
    command, env = program(here.workspace, here.home, "-m", "codexd", *argv)
    process = await anyio.open_process(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with process:
        yield process
        if process.returncode is None:
            process.kill()


# The package's front.


def example_in(text: str) -> str:
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return textwrap.dedent(example)


def ran(example: str, tmp_path: Path) -> list[str]:
    """The lines that `example` prints, run as a program in a workspace with a bug."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "app.py").write_text("def load(x):\n    return eval(x) + missing\n")
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    command, env = program(tmp_path, tmp_path / "home", "example.py")
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_example_of_the_docstring_runs_as_it_stands(tmp_path: Path) -> None:
    status, *findings = ran(example_in(Orchestrator.__doc__ or ""), tmp_path)
    assert re.fullmatch(r"completed [\d,]+ of 20,000 tokens", status)
    assert any(line.startswith("app.py:2: error: ") for line in findings)


@pytest.mark.parametrize("page", ["README.md", "README.ja.md"])
def test_the_example_of_the_readme_runs_as_it_stands(tmp_path: Path, page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    status, *findings = ran(example_in(text), tmp_path)
    assert status == "completed"
    assert any(line.startswith("app.py:2 ") for line in findings)


def test_what_the_package_names_is_there_and_nothing_else() -> None:
    assert (Orchestrator, Delegate) == (codexd.Orchestrator, codexd.Delegate)
    assert (DelegateParallel, CreateAgent) == (codexd.DelegateParallel, codexd.CreateAgent)
    with pytest.raises(AttributeError, match="Manager"):
        _ = codexd.Manager  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]


# Agents, and what is wrong with files.


async def test_agents_are_as_the_files_are_now(tmp_path: Path) -> None:
    async with house(tmp_path, []) as here:
        assert "worker" in {entry.slug for entry in here.codexd.agents()}
        (here.workspace / ".codex/agents/late.yaml").write_text(agent("late"))
        assert "late" in {entry.slug for entry in here.codexd.agents()}
        assert {entry.origin for entry in here.codexd.agents()} == {"workspace", "built-in"}


async def test_diagnostics_are_of_configuration_and_of_agents(tmp_path: Path) -> None:
    broken = agent("broken").replace("max_tokens", "max_tokns")
    async with house(tmp_path, [], broken, config="colour = 3") as here:
        found = {(each.path.name, each.key, each.nearest) for each in here.codexd.diagnostics()}
    key = "policies.context.max_tokns"
    assert {("codexd.toml", "colour", ""), ("broken.yaml", key, "max_tokens")} <= found


async def test_an_unknown_agent_is_told_with_the_nearest(tmp_path: Path) -> None:
    async with house(tmp_path, []) as here:
        with pytest.raises(UnknownAgent) as unknown:
            await here.delegate("wroker")
        n_agents = len([entry for entry in here.codexd.agents() if entry.shadowed_by is None])
    assert (unknown.value.nearest, unknown.value.n_agents) == ("worker", n_agents)


@pytest.mark.parametrize("scope", ["../elsewhere", "gone.txt", "/etc/passwd"])
async def test_a_scope_that_is_not_there_is_refused(tmp_path: Path, scope: str) -> None:
    async with house(tmp_path, []) as here:
        with pytest.raises(BadRequest, match=re.escape(scope)):
            await here.delegate(scope=(scope,))
        assert await here.codexd.runs() == ()


# Runs that were.


async def put_run(here: House, run_id: str) -> None:
    """A run in the journal that a host drove which is not there any more."""
    started = Started(root=run_id, agent="worker", goal="g", model="m", budget=1)
    await here.journal.append(run_id, 1, (started, Driven(host="gone")), 0)


async def test_a_run_is_found_by_how_its_id_begins(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        done = await here.delegate()
        for start in (done.id, done.short, None):
            assert (await here.codexd.run(start)).id == done.id


async def test_an_id_that_is_none_or_several_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, []) as here:
        with pytest.raises(UnknownRun, match="no run has been made"):
            await here.codexd.run(None)
        await put_run(here, "aaaaa0000001")
        await put_run(here, "aaaaa0000002")
        with pytest.raises(UnknownRun, match="2 runs' ids begin with `aaaa`"):
            await here.codexd.run("aaaa")
        for wrong in ("bbbb", "", "%", "xyz"):
            with pytest.raises(UnknownRun, match=f"`{wrong}`"):
                await here.codexd.run(wrong)
        assert (await here.codexd.run("aaaaa0000001")).short == "aaaaa0000001"


async def test_runs_are_listed_newest_first_with_their_children(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: DONE) as here:
        first = await here.delegate()
        group = await here.together(Delegate(agent="worker"), Delegate(agent="worker"))
        listed = await here.codexd.runs()
        newest = await here.codexd.runs(limit=1)
    assert [run.id for run in listed] == [group.id, first.id]
    assert [child.parent for child in listed[0].children] == [group.id, group.id]
    assert newest == listed[:1]


async def test_a_stored_run_is_what_its_caller_got(tmp_path: Path) -> None:
    text = agent("worker", criteria='"it is short"')
    answer = Scripted(text=result("ok", **{"it is short": "met"}))
    async with house(tmp_path, [READ, answer], text) as here:
        done = await here.delegate(goal="look")
        assert await here.codexd.run(done.id) == done


# Runs that go on.


async def test_a_listener_hears_each_commit_and_progress(tmp_path: Path) -> None:
    heard: list[Notice] = []
    seen: list[RunView | None] = []
    async with house(tmp_path, [READ, DONE]) as here:

        def listen(notice: Notice) -> None:
            heard.append(notice)
            seen.append(here.codexd.live(notice.run))

        here.codexd.listen(listen)
        done = await here.delegate()
        assert here.codexd.live(done.id) is None
    assert {notice.run for notice in heard} == {done.id}
    kinds = [notice.kind for notice in heard]
    assert kinds[:3] == ["started", "driven", "begun"]
    assert kinds[-1] == "ended"
    assert "progress" in kinds
    assert {view.id for view in seen if view} == {done.id}
    doing = [view.doing for view in seen if view]
    assert "read_file a.txt" in doing
    assert any(re.fullmatch(r"answering, \d+ characters", words) for words in doing)


async def test_a_run_that_another_process_drives_is_watched_to_its_end(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = [READ, Scripted(text=DONE.text, hold=gate)]
    seen: list[RunView] = []
    with anyio.fail_after(30):
        async with (
            house(tmp_path, script) as here,
            other_process(here, "delegate", "worker") as process,
        ):
            await here.server.until(lambda server: len(server.requests) == 2)
            async for view in here.codexd.watch(None):
                assert here.codexd.live(view.id) is None
                seen.append(view)
                gate.set()
            assert await process.wait() == 0
    assert seen[0].status is Status.RUNNING
    assert seen[0].doing == "thinking"
    assert (seen[-1].status, seen[-1].summary) == (Status.COMPLETED, "alpha and beta")


async def test_a_run_whose_process_was_killed_is_interrupted(tmp_path: Path) -> None:
    never = Scripted(hold=asyncio.Event())
    with anyio.fail_after(30):
        async with (
            house(tmp_path, [READ, never]) as here,
            other_process(here, "delegate", "worker") as process,
        ):
            await here.server.until(lambda server: len(server.requests) == 2)
            assert (await here.codexd.run(None)).status is Status.RUNNING
            process.send_signal(signal.SIGKILL)
            await process.wait()
            views = [view async for view in here.codexd.watch(None)]
            assert views[-1].status is Status.INTERRUPTED
            assert views[-1].spent > 0
            assert await here.codexd.runs() == (views[-1],)
            assert (await here.codexd.verify())["ok"]


async def test_a_run_is_cancelled_by_how_its_id_begins(tmp_path: Path) -> None:
    held = Scripted(hold=asyncio.Event())
    ended: list[RunView] = []

    async with house(tmp_path, lambda _: held) as here:

        async def delegate() -> None:
            ended.append(await here.delegate())

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delegate)
                await here.server.until(lambda server: len(server.requests) == 1)
                running = await here.codexd.run(None)
                for wrong in ("", "0123456789abcdef"):
                    with pytest.raises(UnknownRun):
                        await here.codexd.cancel(wrong)
                await here.codexd.cancel(running.short)
    assert [run.status for run in ended] == [Status.CANCELLED]


async def test_all_runs_are_cancelled_at_once(tmp_path: Path) -> None:
    held = Scripted(hold=asyncio.Event())
    ended: list[RunView] = []

    async with house(tmp_path, lambda _: held) as here:

        async def delegate() -> None:
            ended.append(await here.delegate())

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delegate)
                tasks.start_soon(delegate)
                await here.server.until(lambda server: len(server.requests) == 2)
                await here.codexd.cancel()
    assert [run.status for run in ended] == [Status.CANCELLED] * 2


async def test_a_caller_that_is_cancelled_has_its_run_end_in_order(tmp_path: Path) -> None:
    held = Scripted(hold=asyncio.Event())
    async with house(tmp_path, lambda _: held) as here:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(here.delegate)
                await here.server.until(lambda server: len(server.requests) == 1)
                tasks.cancel_scope.cancel()
            left = await here.codexd.run(None)
            assert left.status is Status.CANCELLED
            await here.server.until(lambda server: server.open_streams == 0)


async def test_leaving_cancels_and_awaits_every_run(tmp_path: Path) -> None:
    held = Scripted(hold=asyncio.Event())
    ended: list[RunView] = []
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks, house(tmp_path, lambda _: held) as here:

            async def delegate() -> None:
                ended.append(await here.delegate())

            tasks.start_soon(delegate)
            await here.server.until(lambda server: len(server.requests) == 1)
    assert [run.status for run in ended] == [Status.CANCELLED]


async def test_a_fault_of_one_run_reaches_its_caller_as_it_is(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with house(tmp_path, [Scripted(text=DONE.text, hold=gate)]) as here:
        faults: list[BaseException] = []

        async def delegate() -> None:
            try:
                await here.delegate()
            except Unavailable as fault:
                faults.append(fault)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delegate)
                await here.server.until(lambda server: len(server.requests) == 1)
                here.codexd.config.folders.state.joinpath("state.db").unlink()
                gate.set()
        assert len(faults) == 1


# What is at hand.


async def test_models_are_listed_and_a_dead_server_is_told(tmp_path: Path) -> None:
    dead = ModelServer([])
    async with dead:
        url = dead.url
    provider = f'[model_providers.dead]\nbase_url = "{url}"\nwire_api = "chat"\n'
    async with house(tmp_path, [], provider=provider) as here:
        offers = dict(await here.codexd.models())
    assert [entry.id for entry in offers["scripted"] if not isinstance(entry, str)] == [
        "small",
        "large",
    ]
    assert "127.0.0.1" in str(offers["dead"])
    assert "OPENAI_API_KEY is not set" in str(offers["openai"])


async def checks(here: House) -> dict[str, Check]:
    return {check.name: check for check in await here.codexd.doctor()}


async def test_doctor_says_what_is_in_force_and_from_where(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        await here.delegate()
        found = await checks(here)
    assert all(check.ok for check in found.values())
    assert found["workspace"].text.startswith(str(here.workspace))
    assert found["model"].text == f"scripted/small at {here.server.url} (chat)"
    assert found["model"].source.endswith("codexd.toml:1")
    assert "1 runs" in found["journal"].text


async def test_doctor_names_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    broken = agent("broken").replace("tools:", "tools: [")
    config = 'sandbox = "none"\nmodel_context_window = "wide"'
    async with house(tmp_path, [], broken, config=config, model="openai/x") as here:
        await put_run(here, "aaaaa0000001")
        with closing(sqlite3.connect(here.journal.path, isolation_level=None)) as db:
            db.execute('UPDATE event SET facts = \'{"root":"b"}\' WHERE n = 1')
        found = await checks(here)
    assert {name for name, check in found.items() if not check.ok} == {
        "model",
        "agents",
        "configuration",
        "journal",
    }
    assert "OPENAI_API_KEY is not set" in found["model"].text
    assert "1 with errors" in found["agents"].text
    assert "codexd.toml:4:1: error" in found["configuration"].remedy
    assert "chain is broken" in found["journal"].text
    assert "unheld" in found["sandbox"].text


async def test_the_journal_is_verified(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        await here.delegate()
        report = await here.codexd.verify()
        assert (report["ok"], report["runs"], report["faults"]) == (True, 1, [])
        with closing(sqlite3.connect(here.journal.path, isolation_level=None)) as db:
            db.execute("DELETE FROM event WHERE seq = 2")
        report = await here.codexd.verify()
    assert not report["ok"]
    assert {fault["seq"] for fault in report["faults"]} <= {2, 3}


async def test_parallel_runs_need_a_run(tmp_path: Path) -> None:
    async with house(tmp_path, by_goal({})) as here:
        with pytest.raises(BadRequest, match="no agent"):
            await here.codexd.delegate_parallel(DelegateParallel(runs=()))


async def test_the_users_default_profile_reaches_the_runs(tmp_path: Path) -> None:
    write = Scripted(calls=(call("write_file", path="new.txt", content="x\n"),))
    files = {".claude/agents/one.md": "---\nname: one\n---\nDo.\n"}
    config = 'default_profile = "workspace-write"'
    script = [write, Scripted(text=result("done"))]
    async with house(tmp_path, script, files=files, config=config) as here:
        await here.delegate("one")
        assert (here.workspace / "new.txt").read_text() == "x\n"
