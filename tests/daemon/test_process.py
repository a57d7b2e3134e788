"""The daemon's life: its ends, its runs, its log, and the commands about it."""

import json
import os
import select
import shutil
import signal
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.daemon.conftest import Site, lock_is_free, table, until_gone
from tests.house import agent
from tests.model_server import ModelServer, Scripted

from codexd.daemon import ending
from codexd.daemon.logs import Log
from codexd.orchestrator import Orchestrator
from codexd.runs.view import Status


def configure(site: Site, text: str) -> None:
    config = Path(site.env["HOME"]) / ".codex" / "codexd.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)


def test_it_ends_when_nobody_has_needed_it_for_a_while(site: Site) -> None:
    configure(site, "[daemon]\nidle_seconds = 1\n")
    staying = site.talk(site.attach())
    looking = site.attach("status")
    assert looking.answer["idle_seconds"] == 1
    staying.ask("hello")
    staying.close()
    until_gone(site.place)
    assert site.log[-1]["metadata"] == {"why": "idle"}
    assert not Path(site.place.endpoint).exists()


def test_one_that_nobody_finds_any_more_ends_and_the_next_takes_its_place(site: Site) -> None:
    first = site.attach("status").pid
    Path(site.place.endpoint).unlink()
    second = site.attach("status").pid
    assert site.log[-2]["metadata"] == {"why": "lost"}
    # With its whole folder the lock is gone as well: then both are there for a moment.
    shutil.rmtree(site.place.folder)
    third = site.attach("status").pid
    for pid in (first, second):
        assert ended(pid)
    assert site.said["pid"] == third
    found = site.find("status")
    assert found is not None
    found.sock.close()


def ended(pid: int) -> bool:
    """Whether a process ends within a while."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process) as file:
        return bool(select.select([file], [], [], 20)[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(site: Site, number: signal.Signals) -> None:
    attached = site.attach()
    address = site.said["address"]
    os.kill(attached.pid, number)
    until_gone(site.place)
    assert not Path(address).exists()
    assert not Path(site.place.endpoint).exists()
    assert [line["event"] for line in site.log] == [
        "daemon_started", "client_attached", "client_left", "daemon_stopped",
    ]  # fmt: skip


def test_a_daemon_that_hangs_is_ended_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = site.attach("status").pid
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(ending, "END_SECONDS", 0.5)
    assert ending.end(site.place, None) == pid
    assert lock_is_free(site.place)


@pytest.mark.anyio
@pytest.mark.parametrize("door", ["stop", "retire"])
async def test_runs_leave_off_when_it_ends_and_can_be_resumed(
    site: Site, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = site.folder / ".codex" / "agents"
    agents.mkdir(parents=True)
    (agents / "worker.yaml").write_text(agent("worker"))
    async with ModelServer(lambda _: Scripted("done", delay=60)) as server:
        provider = f'name = "s"\nwire_api = "chat"\nbase_url = "{server.url}"\n'
        configure(
            site,
            f'model = "m"\nmodel_provider = "s"\n[model_providers.s]\n{provider}',
        )
        await anyio.to_thread.run_sync(
            lambda: site.talk(site.attach()).ask("delegate", agent="worker")
        )
        with anyio.fail_after(20):
            await server.until(lambda s: len(s.requests) == 1)
        assert (await anyio.to_thread.run_sync(site.attach, "status")).answer["runs"] == 1
        if door == "retire":
            monkeypatch.setattr("codexd.daemon.attach.PROTOCOL", 2)
        asked = await anyio.to_thread.run_sync(site.attach, door)
        with anyio.fail_after(25):
            assert await anyio.to_thread.run_sync(ending.until_gone, asked.sock)
        async with Orchestrator.open(site.folder, env=site.env) as codexd:
            run = await codexd.run(None)
    assert run.status is Status.INTERRUPTED
    assert [line["event"] for line in site.log if line["run"]] == ["run_started"]


def test_the_commands_tell_of_it_and_end_it(site: Site) -> None:
    assert site.run("daemon", "status")[0] == 3
    assert table(site.run("daemon", "status", "--json")[1]) == {"running": False}
    started = site.run("daemon", "start", CI="true")
    pid = site.said["pid"]
    assert started == (
        0, f"a daemon runs for {site.root}: pid {pid}; `codexd daemon stop` ends it\n", ""
    )  # fmt: skip
    assert "was running already" in site.run("daemon", "start")[1]
    status = table(site.run("daemon", "status", "--json")[1])
    assert (status["pid"], status["clients"], status["runs"]) == (pid, 0, 0)
    assert (status["root"], status["log"]) == (site.root, site.place.log)
    assert "10 min" in site.run("daemon", "status")[1]
    assert site.run("daemon", "restart")[0] == 0
    assert site.said["pid"] != pid
    stopped = site.run("daemon", "stop", "--lang", "ja")
    assert stopped[0] == 0
    assert "停止しました" in stopped[1]
    assert lock_is_free(site.place)
    assert site.run("daemon", "stop")[1] == f"no daemon runs for {site.root}\n"


def test_its_log_is_shown_to_people_and_as_it_is(site: Site) -> None:
    assert "no daemon has run yet" in site.run("daemon", "logs")[1]
    site.run("daemon", "start")
    site.run("daemon", "stop")
    _, lines, _ = site.run("daemon", "logs", "--limit", "1")
    assert "daemon_stopped  why=stopped" in lines
    rows = [table(line) for line in site.run("daemon", "logs", "--json")[1].splitlines()]
    assert [row["event"] for row in rows] == ["daemon_started", "daemon_stopped"]
    assert list(rows[0]) == [
        "timestamp", "level", "agent", "event", "run", "duration_ms", "metadata",
    ]  # fmt: skip


def test_its_log_can_be_followed(site: Site) -> None:
    site.run("daemon", "start")
    with site.start("daemon", "logs", "-f", "--limit", "1", "--json") as following:
        assert following.stdout is not None
        assert table(following.stdout.readline().decode())["event"] == "daemon_started"
        site.run("daemon", "stop")
        assert table(following.stdout.readline().decode())["event"] == "daemon_stopped"
        following.terminate()


def test_a_log_line_has_no_secret_in_it(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.keep_out({"MINE": "plain words of mine"})
    log.keep_out({"MINE": "other words of mine"})
    said = {"a": ["plain words of mine", {"b": "sk-ant-api03-" + "aB3" * 31}], "n": 1}
    log.write("event", {**said, "c": 'other words of mine"'}, run="r")
    log.close()
    row = json.loads((tmp_path / "log").read_text())
    assert row["metadata"]["a"][0] == "[redacted: MINE 0]"
    assert "aB3" not in str(row)
    assert "other words" not in str(row)
    assert (row["run"], row["metadata"]["n"]) == ("r", 1)


def test_a_log_that_grows_is_begun_anew(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", largest=300)
    for i in range(6):
        log.write("event", {"i": i})
    log.close()
    kept = [(tmp_path / name).read_text().splitlines() for name in ("log.1", "log")]
    assert json.loads((kept[0] + kept[1])[-1])["metadata"] == {"i": 5}
    assert all(len(lines) < 4 for lines in kept)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
