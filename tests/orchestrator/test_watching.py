"""Agent files that change while an orchestrator is open: it follows, and who listens is told."""

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from tests.house import agent, call, house, result
from tests.model_server import Scripted, turns
from tests.needs import missing, needs

import codexd
from codexd.agents.registry import AgentEntry, places
from codexd.config import load
from codexd.errors import BadRequest, Severity
from codexd.orchestrator import Notice, Orchestrator
from codexd.orchestrator.ground import remote, survey
from codexd.orchestrator.opening import open_host
from codexd.orchestrator.watching import Watch
from codexd.runs.events import Refused, Started
from codexd.runs.journal import open_journal
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio

DONE = Scripted(text=result())


class Watched:
    """A workspace and a home whose agents are watched, and what listeners were told."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "workspace", folder / "home"
        self.agents = self.root / ".codex" / "agents"
        self.told: list[str] = []
        self._told = anyio.Event()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        self.root.mkdir(exist_ok=True)
        self.home.mkdir(exist_ok=True)
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        async with Orchestrator.open(self.root, env=env, watch=True) as self.codexd:
            self.codexd.listen(self._hear)
            yield

    def _hear(self, notice: Notice) -> None:
        assert notice.run == ""
        self.told.append(notice.kind)
        self._told.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for notices until `holds`."""
        with anyio.fail_after(20):
            while not holds():
                self._told = anyio.Event()
                await self._told.wait()

    def entry(self, name: str) -> AgentEntry | None:
        found = (each for each in self.codexd.registry.entries if each.slug == name)
        return next(found, None)

    def goal(self, name: str) -> str | None:
        entry = self.entry(name)
        return entry.definition.goal if entry and entry.definition else None

    async def until_goal(self, name: str, goal: str | None) -> None:
        await self.until(lambda: self.goal(name) == goal)


@pytest.fixture
def place(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def write(file: Path, name: str = "x", goal: str = "first") -> Path:
    """An agent file, written in place, and its folders where they are not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"name: {name}\ngoal: {goal}\n")
    return file


def save(file: Path, name: str = "x", goal: str = "first") -> None:
    """The same as most editors do it: beside the file, then in its place."""
    write(file.with_name(f".{file.name}.tmp"), name, goal).replace(file)


async def test_a_file_is_added_changed_renamed_and_deleted(place: Watched) -> None:
    place.agents.mkdir(parents=True)
    async with place.opened():
        file = write(place.agents / "x.yaml")
        await place.until_goal("x", "first")
        write(file, goal="other")
        await place.until_goal("x", "other")
        save(file, goal="atomic")
        await place.until_goal("x", "atomic")
        moved = file.rename(place.agents / "y.yaml")
        await place.until(lambda: (entry := place.entry("x")) is not None and entry.path == moved)
        moved.unlink()
        await place.until_goal("x", None)
    assert set(place.told) == {"agents"}


async def test_a_file_that_breaks_serves_its_last_good_version_until_it_is_mended(
    place: Watched,
) -> None:
    file = write(place.agents / "x.yaml")
    async with place.opened():
        file.write_text("name: x\ngoal: [\n")
        await place.until(lambda: (entry := place.entry("x")) is not None and entry.stale)
        assert place.goal("x") == "first"
        assert Severity.ERROR in {each.severity for each in place.codexd.diagnostics()}
        save(file, goal="mended")
        await place.until_goal("x", "mended")
        assert place.codexd.diagnostics() == ()


async def test_a_file_that_shadows_another_comes_and_goes(place: Watched) -> None:
    write(place.home / ".codex/agents/x.yaml", goal="user's")
    async with place.opened():
        file = write(place.agents / "x.yaml", goal="ours")
        await place.until(lambda: place.codexd.registry.find("x").goal == "ours")
        file.unlink()
        await place.until(lambda: place.codexd.registry.find("x").goal == "user's")


async def test_a_workspace_that_is_moved_away_and_made_again_is_followed(place: Watched) -> None:
    write(place.agents / "x.yaml")
    async with place.opened():
        place.root.rename(place.root.with_name("elsewhere"))
        await place.until_goal("x", None)
        write(place.agents / "x.yaml", goal="again")
        await place.until_goal("x", "again")
        write(place.agents / "x.yaml", goal="other")
        await place.until_goal("x", "other")


async def test_a_file_that_says_what_it_said_is_no_news(place: Watched) -> None:
    file = write(place.agents / "x.yaml")
    async with place.opened():
        file.touch()
        save(file)
        (place.root / "notes.txt").write_text("of no concern")
        save(place.agents / "y.yaml", "y")
        await place.until_goal("y", "first")
    assert place.told == ["agents"]


async def test_a_branch_switch_that_changes_a_thousand_files_is_a_few_looks(
    place: Watched,
) -> None:
    git = [needs("git"), "-C", str(place.root), "-c", "user.name=t", "-c", "user.email=t@t"]

    async def commit(branch: str) -> None:
        for number in range(1000):
            write(place.agents / f"a{number:03}.yaml", f"a{number:03}", branch)
        for line in (("checkout", "-qb", branch), ("add", "."), ("commit", "-qm", branch)):
            await anyio.run_process([*git, *line])

    place.root.mkdir()
    await anyio.run_process([*git, "init", "-q"])
    await commit("one")
    await commit("two")
    async with place.opened():
        await anyio.run_process([*git, "checkout", "-q", "one"])

        def ours() -> set[str]:
            entries = (each for each in place.codexd.registry.entries if each.origin == "workspace")
            return {each.definition.goal for each in entries if each.definition}

        await place.until(lambda: ours() == {"one"})
        assert len(place.codexd.agents()) > 1000
    assert len(place.told) < 30


@pytest.mark.parametrize(
    "path",
    [
        "workspace/.codex/agents/x.yaml",
        "workspace/.claude/agents/x.md",
        "workspace/.github/agents/x.agent.md",
        "home/.codex/agents/x.yaml",
    ],
)
async def test_a_folder_may_come_later_go_and_come_again(
    place: Watched, tmp_path: Path, path: str
) -> None:
    file = tmp_path / path
    async with place.opened():
        for n in range(3):
            file.parent.mkdir(parents=True)
            file.write_text(_text(file, n))
            await place.until(lambda: place.entry("x") is not None)
            file.write_text(_text(file, n + 10))
            await place.until(lambda n=n: _description(place) == f"d{n + 10}")
            shutil.rmtree(file.parent.parent)
            await place.until(lambda: place.entry("x") is None)


def _text(file: Path, n: int) -> str:
    if file.suffix == ".md":
        return f"---\nname: x\ndescription: d{n}\n---\nDo.\n"
    return f"name: x\ngoal: g\ndescription: d{n}\n"


def _description(place: Watched) -> str:
    entry = place.entry("x")
    return entry.definition.description if entry and entry.definition else ""


async def test_where_a_linked_folder_leads_is_watched_also_when_the_link_is_made_later(
    place: Watched, tmp_path: Path
) -> None:
    target = write(tmp_path / "workspace/shared/team/x.yaml")
    other = write(tmp_path / "workspace/other/x.yaml", goal="elsewhere")
    async with place.opened():
        place.agents.parent.mkdir()
        place.agents.symlink_to("../shared/team")
        await place.until_goal("x", "first")
        save(target, goal="behind the link")
        await place.until_goal("x", "behind the link")
        place.agents.unlink()
        place.agents.symlink_to(other.parent)
        await place.until_goal("x", "elsewhere")
        shutil.rmtree(other.parent)
        await place.until_goal("x", None)
        write(other, goal="made again")
        await place.until_goal("x", "made again")


async def test_where_a_linked_file_leads_is_watched(place: Watched, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "agent.yaml"
    link = place.home / ".codex/agents/x.yaml"
    link.parent.mkdir(parents=True)
    async with place.opened():
        link.symlink_to(target)  # nothing is there yet
        write(target)
        await place.until_goal("x", "first")
        save(target, goal="other")
        await place.until_goal("x", "other")


async def test_links_in_a_circle_end_no_watch(place: Watched) -> None:
    place.agents.parent.mkdir(parents=True)
    place.agents.symlink_to("circle")
    (place.agents.parent / "circle").symlink_to("agents")
    async with place.opened():
        place.agents.unlink()
        write(place.agents / "x.yaml")
        await place.until_goal("x", "first")


async def test_a_name_that_is_no_utf_8_ends_no_watch(place: Watched) -> None:
    async with place.opened():
        for n in range(2):
            (place.root / os.fsdecode(b"\xff%d" % n)).write_text("")
            write(place.agents / f"x{n}.yaml", f"x{n}")
            await place.until_goal(f"x{n}", "first")


async def test_aliases_are_followed(place: Watched) -> None:
    async with place.opened():
        (place.root / ".codex").mkdir()
        file = place.root / ".codex" / "aliases.yaml"
        file.write_text('aliases:\n  "@cr": code-reviewer\n')
        await place.until(lambda: "@cr" in place.codexd.registry.aliases)
        file.unlink()
        await place.until(lambda: not place.codexd.registry.aliases)
    assert set(place.told) == {"agents"}


@pytest.mark.parametrize(
    "file",
    [
        "workspace/.codex/codexd.toml",
        "workspace/.codex/config.toml",
        "home/.codex/codexd.toml",
        "home/.codex/config.toml",
        "workspace/AGENTS.md",
    ],
)
async def test_a_file_that_configures_is_told_of(place: Watched, tmp_path: Path, file: str) -> None:
    async with place.opened():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("# new\n")
        await place.until(lambda: "config" in place.told)
        place.told.clear()
        path.with_suffix(".new").write_text("# newer\n")
        path.with_suffix(".new").replace(path)
        await place.until(lambda: "config" in place.told)
    assert set(place.told) == {"config"}


async def test_what_changed_before_the_watch_began_is_seen(place: Watched) -> None:
    write(place.agents / "x.yaml")
    place.home.mkdir()
    config = load(place.root, env={"HOME": str(place.home)})
    with open_journal(config.folders.state, config.folders.data / "journal.key") as journal:
        async with open_host(config, {"HOME": str(place.home)}, journal) as (host, _):
            watch = Watch(host, lambda: None)
            assert watch.registry.find("x").goal == "first"
            save(place.agents / "x.yaml", goal="meanwhile")
            async with anyio.create_task_group() as group:
                group.start_soon(watch.run)
                with anyio.fail_after(5):
                    await watch.begun.wait()
                assert watch.registry.find("x").goal == "meanwhile"
                group.cancel_scope.cancel()


async def test_who_asks_sees_the_files_as_they_are_without_waiting(place: Watched) -> None:
    file = write(place.agents / "x.yaml")
    async with place.opened():
        save(file, goal="saved")
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(place.codexd.look_again, file)
        assert place.goal("x") == "saved"
        assert place.told == ["agents"]


async def test_a_fault_of_who_opened_it_comes_as_it_is(place: Watched) -> None:
    with pytest.raises(BadRequest, match="mine"):
        async with place.opened():
            raise BadRequest("mine")


async def test_folders_that_come_and_go_in_a_flurry_end_no_watch(
    place: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    def flurry() -> None:
        for _ in range(300):
            write(place.agents / "y.yaml", "y")
            shutil.rmtree(place.agents.parent)

    async with place.opened():
        await anyio.to_thread.run_sync(flurry)
        write(place.agents / "x.yaml")
        await place.until_goal("x", "first")
    assert caplog.records == []


# Runs.


async def test_a_run_is_told_the_rules_of_the_project_as_they_are_now(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE], watch=True, files={"AGENTS.md": "Use tabs."}) as here:
        (here.workspace / "AGENTS.md").write_text("Use spaces.")
        await here.delegate()
        [request] = here.server.requests
    system = request.body["messages"][0]["content"]
    assert ("Use spaces." in system, "Use tabs." in system) == (True, False)


async def test_a_run_begun_right_after_a_save_has_what_was_saved(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE], watch=True) as here:
        file = here.workspace / ".codex/agents/worker.yaml"
        for goal in ("Look here.", "Look away."):
            file.write_text(agent("worker").replace("Look around.", goal))
            run = await here.delegate()
            [started] = here.bodies(run, Started)
            assert started.goal == goal


async def test_a_running_run_keeps_the_definition_it_began_with(tmp_path: Path) -> None:
    followed = asyncio.Event()
    file = tmp_path / "workspace/.codex/agents/worker.yaml"
    other = agent("worker", tools="list_dir", budget=7).replace("around", "away")

    def script(body: dict[str, Any]) -> Scripted:
        if turns(body):
            return DONE
        file.write_text(other)
        return Scripted(calls=(call("read_file", path="a.txt"),), hold=followed)

    async with house(tmp_path, script, watch=True) as here:
        here.codexd.listen(lambda notice: followed.set() if notice.kind == "agents" else None)
        with anyio.fail_after(20):
            run = await here.delegate()
        assert here.codexd.registry.find("worker").max_tokens == 7
        first, last = (each.body for each in here.server.requests)
    assert (run.status, run.budget) == (Status.COMPLETED, 100_000)
    assert (first["tools"], first["messages"][0]) == (last["tools"], last["messages"][0])


@pytest.mark.parametrize("watch", [True, False])
async def test_an_agent_that_edits_agent_files_gains_nothing_by_it(
    tmp_path: Path,
    watch: bool,
) -> None:
    tools = "read_file, write_file, delegate"
    grants = ".codex/agents/worker.yaml, .codex/agents/helper.yaml"
    worker = agent("worker", tools=tools, write=grants)
    wide = {
        name: agent(name, tools=tools, write='"**"').replace("around", "everywhere")
        for name in ("worker", "helper")
    }
    stray = call("write_file", path="stray.txt", content="mine")
    followed = asyncio.Event()

    def script(body: dict[str, Any]) -> Scripted:
        goal = next(each["content"] for each in body["messages"] if each["role"] == "user")
        if goal.startswith("part"):
            return [Scripted(calls=(stray,)), DONE][min(turns(body), 1)]
        edits = [
            call("write_file", path=f".codex/agents/{name}.yaml", content=text)
            for name, text in wide.items()
        ]
        delegated = [call("delegate", agent=name, goal="part") for name in wide]
        steps = [tuple(edits), (stray,), tuple(delegated)]
        if turns(body) == len(steps):
            return DONE
        return Scripted(calls=steps[turns(body)], hold=followed if watch and turns(body) else None)

    # A repository alone does not open these files to its agents; here the user has.
    config = '[policy]\nwrite = ["./", ".codex/agents/worker.yaml", ".codex/agents/helper.yaml"]'
    async with house(tmp_path, script, worker, agent("helper"), config=config, watch=watch) as here:

        def hear(_: Notice) -> None:
            found = [here.codexd.registry.find(name).goal for name in wide]
            if found == ["Look everywhere."] * 2:
                followed.set()

        here.codexd.listen(hear)
        run = await here.delegate(goal="all")
        text = (here.workspace / ".codex/agents/worker.yaml").read_text()
        await here.codexd.look_again()
        after = await here.delegate("helper", goal="part")
        assert "everywhere" in text, "the edit itself was granted"
        assert len(run.children) == 2
        denied = [len(here.bodies(each, Refused)) for each in run.children]
        stray_after = (here.workspace / "stray.txt").exists()
    assert after.status is Status.COMPLETED
    assert denied == [1, 1]
    assert stray_after, "and what is begun by a person has what the files say"


# Where nothing can be watched.


def test_no_folder_is_watched_with_what_is_below_it(tmp_path: Path) -> None:
    place = Watched(tmp_path)
    write(place.agents / "x.yaml")
    (place.root / "node_modules/deep/deeper").mkdir(parents=True)
    (place.home / "music/loud").mkdir(parents=True)
    found = survey(places(place.root, place.home), ())
    ours = {Path(each) for each in found.folders if each.startswith(str(tmp_path))}
    assert ours == {place.root, place.agents.parent, place.agents, place.home}


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("/home/me", None),
        ("/net/home", ("/net/home", "nfs4")),
        ("/net/homestead", None),
        ("/net/home/local/x", None),
        ("/mnt/my work/x", ("/mnt/my work/x", "fuse.sshfs")),
    ],
)
def test_a_file_system_that_tells_of_no_change_is_known(
    folder: str, wanted: tuple[str, str] | None
) -> None:
    mounts = (
        "/dev/sda / ext4 rw 0 0\nserver:/home /net/home nfs4 rw 0 0\n"
        "/dev/sdb /net/home/local xfs rw 0 0\nme@host:/ /mnt/my\\040work fuse.sshfs rw 0 0\n"
    )
    assert remote({"/tmp", folder}, mounts) == wanted


POLLED = """
import anyio, sys
from pathlib import Path
from codexd import Orchestrator

async def main():
    root, home = Path(sys.argv[1], "workspace"), Path(sys.argv[1], "home")
    root.mkdir(), home.mkdir()
    async with Orchestrator.open(root, env={"HOME": str(home)}, watch=True) as codexd:
        told = anyio.Event()
        codexd.listen(lambda notice: told.set())
        print([(each.code, each.severity, each.message) for each in codexd.diagnostics()])
        (root / ".codex/agents").mkdir(parents=True)
        (root / ".codex/agents/x.yaml").write_text("name: x\\ngoal: polled\\n")
        with anyio.fail_after(20):
            await told.wait()
        print(codexd.registry.find("x").goal)

anyio.run(main)
"""


@pytest.mark.parametrize("limit", ["instances", "watches"])
def test_without_an_inotify_watch_left_the_files_are_polled_and_it_is_said(
    tmp_path: Path, limit: str
) -> None:
    # Limits of a user namespace are its own: nobody else here runs out.
    start = f'echo 0 > /proc/sys/user/max_inotify_{limit} && exec "$@"'
    inside = [needs("unshare"), "-Ur", "sh", "-c", start, "sh"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        missing("user namespaces, which this machine does not let us make")
    done = subprocess.run(
        [*inside, sys.executable, "-c", textwrap.dedent(POLLED), str(tmp_path)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(codexd.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, goal = done.stdout.splitlines()
    assert "polled" in said
    assert "information" in said
    assert "no inotify watch is left (fs.inotify.max_user_watches" in said
    assert goal == "polled"
