"""Agents run from the terminal, end to end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.cli.program import (
    codexd,
    ended,
    environment,
    model_flags,
    on_terminal,
    until,
    workspace,
)
from tests.cli.terminal import Terminal
from tests.house import agent, result
from tests.model_server import ModelServer, Scripted

from codexd.cli.live import FRAMES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workspace(tmp_path / "work")


def is_busy(screen: list[str]) -> bool:
    return any(row[0] in FRAMES for row in screen if row)


def no_spinner(screen: list[str]) -> bool:
    return not set("".join(screen)) & set(FRAMES)


@pytest.fixture(params=["here", "daemon"], autouse=True)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Everything holds whoever drives the runs: the command itself, or the workspace's daemon."""
    if request.param == "daemon":
        monkeypatch.setenv("CODEXD_TESTS_DAEMON", "1")
        assert codexd(folder, "daemon", "start").returncode == 0


@pytest.fixture
def silent() -> ModelServer:
    """A model that never answers."""
    return ModelServer([Scripted(text="never", hold=asyncio.Event())])


# --- between pipes ---------------------------------------------------------------------------


def test_results_go_to_stdout_and_progress_to_stderr(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviewer", "-m", "offline")
    assert done.returncode == 0
    assert done.stdout.startswith("✔ code-reviewer  completed  ")
    assert "F821" in done.stdout
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("code-reviewer  started  ")
    assert last.startswith("code-reviewer  completed  ")
    assert "\x1b" not in done.stdout + done.stderr


def test_json_is_one_document_and_the_file_holds_the_same(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviewer", "--json", "-o", "out.json")
    view = json.loads(done.stdout)
    assert (view["agent"], view["status"], view["model"]) == (
        "code-reviewer", "completed", "offline",
    )  # fmt: skip
    assert json.loads((folder / "out.json").read_text(encoding="utf-8")) == view


def test_several_run_at_once_and_are_told_in_the_order_asked(folder: Path) -> None:
    done = codexd(folder, "delegate-parallel", "sec-audit,code-reviewer,sec-audit")
    assert done.returncode == 0
    names = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✔")]
    assert names == ["sec-audit", "code-reviewer", "sec-audit"]
    assert "3 of 3 completed in " in done.stdout


def test_a_reached_budget_is_told_and_has_its_status(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviewer", "--budget", "300", "--lang", "ja")
    assert done.returncode == 3
    assert done.stdout.startswith("■ code-reviewer  予算到達  ")
    assert " / 300 トークン" in done.stdout


@pytest.mark.parametrize(("worst", "status"), [("error", 1), ("warning", 1)])
def test_findings_fail_the_command_where_that_is_asked_for(
    folder: Path, worst: str, status: int
) -> None:
    done = codexd(folder, "delegate", "code-reviewer", "--fail-on", worst)
    assert done.returncode == status
    assert "completed" in done.stdout


def test_a_deadline_is_echoed(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviewer", "--deadline", "30")
    assert "deadline 30m" in done.stderr.splitlines()


def test_a_scope_is_written_from_where_one_stands(folder: Path) -> None:
    below = folder / "src"
    below.mkdir()
    (below / "one.py").write_text("x = undefined_here\n", encoding="utf-8")
    done = codexd(below, "delegate", "code-reviewer", "--scope", "one.py", "--json")
    found = json.loads(done.stdout)["findings"]
    assert {each["path"] for each in found} == {"src/one.py"}


def test_what_ran_is_listed_shown_and_verified(folder: Path) -> None:
    codexd(folder, "delegate-parallel", "code-reviewer,sec-audit")
    table = codexd(folder, "runs", "list", "--lang", "ja").stdout
    assert "完了" in table
    assert "code-reviewer, sec-audit" in table
    shown = codexd(folder, "runs", "show", "--last").stdout
    assert "✔ sec-audit" in shown
    assert codexd(folder, "audit", "verify").stdout.endswith("3 runs: chain whole\n")
    exported = codexd(folder, "audit", "export", "--format", "jsonl").stdout
    kinds = [json.loads(line)["event_type"] for line in exported.splitlines()]
    assert kinds.count("agent_execution") == 3


def test_a_watched_run_that_has_ended_is_shown_with_its_status(folder: Path) -> None:
    codexd(folder, "delegate", "code-reviewer", "--budget", "300")
    done = codexd(folder, "runs", "watch", "--last")
    assert done.returncode == 3
    assert "budget reached" in done.stdout


@pytest.mark.anyio
async def test_a_variable_that_only_a_flag_names_is_found(folder: Path) -> None:
    async with ModelServer([Scripted(text="nothing found")]) as server:
        flags = [*model_flags(server), "-c", "model_providers.local.env_key=MY_KEY"]
        env = environment(MY_KEY="sk-0123456789")
        argv = [sys.executable, "-m", "codexd", "delegate", "code-reviewer", *flags]
        await anyio.run_process(argv, cwd=folder, env=env, check=False)
        assert server.requests[0].headers["Authorization"] == "Bearer sk-0123456789"


@pytest.mark.anyio
async def test_a_recording_is_played_from_its_beginning_by_every_command(folder: Path) -> None:
    agents = folder / ".codex" / "agents"
    agents.mkdir(parents=True)
    (agents / "looker.yaml").write_text(agent("looker"), encoding="utf-8")
    async with ModelServer([Scripted(text=result("seen"))]) as server:
        argv = [sys.executable, "-m", "codexd", "delegate", "looker", *model_flags(server)]
        await anyio.run_process(argv, cwd=folder, env=environment())
    exported = codexd(folder, "audit", "export", "--format", "jsonl").stdout
    (folder / "rec").write_text(exported, encoding="utf-8")
    again = ["delegate", "looker", "-m", "replay/rec"]
    assert [codexd(folder, *again).returncode for _ in range(2)] == [0, 0]


def test_a_key_that_was_not_used_is_named_on_the_first_run_only(folder: Path) -> None:
    env = {"OPENAI_API_KEY": "sk-0123456789abcdef"}
    first = codexd(folder, "delegate", "code-reviewer", env=env)
    second = codexd(folder, "delegate", "code-reviewer", env=env)
    assert "OPENAI_API_KEY" in first.stderr
    assert "OPENAI_API_KEY" not in second.stderr
    assert "sk-0123456789abcdef" not in first.stderr + first.stdout


def test_whoever_reads_the_first_line_only_hears_no_complaint(folder: Path) -> None:
    codexd(folder, "delegate", "code-reviewer")
    # The reader's end is closed before the program writes anything.
    reader, writer = os.pipe()
    os.close(reader)
    running = subprocess.Popen(
        [sys.executable, "-m", "codexd", "audit", "export"], cwd=folder, env=environment(),
        stdout=writer, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writer)
    _, complaint = running.communicate(timeout=30)
    assert complaint == ""
    assert running.returncode == 141


# --- on a terminal ---------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_run_is_a_row_while_it_goes_on_and_a_result_after(folder: Path) -> None:
    with Terminal(100) as terminal:
        async with on_terminal(terminal, folder, "delegate", "code-reviewer") as process:
            await until(terminal, is_busy)
            assert not terminal.cursor_shown
            assert await ended(process, terminal) == 0
        assert terminal.screen[0].startswith("✔ code-reviewer  completed  ")
        assert no_spinner(terminal.screen)
        assert terminal.cursor_shown


@pytest.mark.anyio
async def test_ctrl_c_cancels_in_order(folder: Path, silent: ModelServer) -> None:
    with Terminal(100) as terminal:
        async with silent as server:
            argv = ["delegate", "code-reviewer", *model_flags(server)]
            async with on_terminal(terminal, folder, *argv) as process:
                await until(terminal, is_busy)
                process.send_signal(signal.SIGINT)
                assert await ended(process, terminal) == 130
        assert terminal.screen[0].startswith("■ code-reviewer  cancelled  ")
        assert no_spinner(terminal.screen)
        assert terminal.cursor_shown
    assert json.loads(codexd(folder, "runs", "show", "--json").stdout)["status"] == "cancelled"


@pytest.mark.anyio
async def test_ctrl_c_stops_the_run_of_an_agent_that_was_just_made(folder: Path) -> None:
    made = {
        "name": "looker", "description": "Looks.", "goal": "Look.", "instructions": "Look around.",
        "tools": ["read_file"], "artifacts": [], "net": [], "max_tokens": 30_000,
        "success_criteria": [],
    }  # fmt: skip
    answered = json.dumps({"summary": "made", "criteria": [], "data": made})
    hold = asyncio.Event()

    def answer(body: dict[str, Any]) -> Scripted:
        making = "look at things" in json.dumps(body["messages"])
        return Scripted(text=answered) if making else Scripted(text="never", hold=hold)

    with Terminal(100) as terminal:
        async with ModelServer(answer) as server:
            argv = ["agent-create", "look at things", *model_flags(server)]
            async with on_terminal(terminal, folder, *argv) as process:
                await until(
                    terminal, lambda screen: "looker" in "".join(screen) and is_busy(screen)
                )
                await server.until(lambda s: len(s.requests) == 2)
                process.send_signal(signal.SIGINT)
                assert await ended(process, terminal) == 130
    shown = json.loads(codexd(folder, "runs", "show", "--json").stdout)
    assert (shown["agent"], shown["status"]) == ("looker", "cancelled")


@pytest.mark.anyio
async def test_a_request_to_end_restores_the_terminal_and_loses_nothing(
    folder: Path, silent: ModelServer
) -> None:
    with Terminal(100) as terminal:
        async with silent as server:
            argv = ["delegate", "code-reviewer", *model_flags(server)]
            async with on_terminal(terminal, folder, *argv) as process:
                await until(terminal, is_busy)
                process.send_signal(signal.SIGTERM)
                assert await ended(process, terminal) == 143
        assert terminal.screen[0].startswith("✖ code-reviewer  interrupted  ")
        assert any("codexd runs resume " in row for row in terminal.screen)
        assert no_spinner(terminal.screen)
        assert terminal.cursor_shown
    assert json.loads(codexd(folder, "runs", "show", "--json").stdout)["status"] == "interrupted"


@pytest.mark.anyio
async def test_a_passed_deadline_has_its_status(folder: Path, silent: ModelServer) -> None:
    with Terminal(100) as terminal:
        async with silent as server:
            argv = ["delegate", "code-reviewer", "--deadline", "1s", *model_flags(server)]
            async with on_terminal(terminal, folder, *argv) as process:
                assert await ended(process, terminal) == 4
        assert terminal.screen[:1] == ["deadline 1s"]
        assert terminal.screen[1].startswith("■ code-reviewer  deadline reached  ")


def is_asked(screen: list[str]) -> bool:
    return any("[N]o" in row for row in screen)


@pytest.mark.anyio
@pytest.mark.parametrize("answer", ["n\n", "\n", "yes\n"])
async def test_a_hosted_model_reads_nothing_without_consent(
    folder: Path, silent: ModelServer, answer: str
) -> None:
    with Terminal(100) as terminal:
        async with silent as server:
            argv = ["delegate", "code-reviewer", *model_flags(server, "big-cloud")]
            async with on_terminal(terminal, folder, *argv) as process:
                await until(terminal, is_asked)
                os.write(terminal.master, answer.encode())
                assert await ended(process, terminal) == 5
            assert not server.requests
        assert (
            "ollama.com will read files of this workspace that code-reviewer"
            in (terminal.screen[0])
        )


@pytest.mark.anyio
async def test_ctrl_c_at_the_question_is_a_cancel(folder: Path, silent: ModelServer) -> None:
    with Terminal(100) as terminal:
        async with silent as server:
            argv = ["delegate", "code-reviewer", *model_flags(server, "big-cloud")]
            async with on_terminal(terminal, folder, *argv) as process:
                await until(terminal, is_asked)
                process.send_signal(signal.SIGINT)
                assert await ended(process, terminal) == 130
            assert not server.requests


@pytest.mark.anyio
async def test_always_is_asked_once(folder: Path) -> None:
    async with ModelServer([Scripted(text="nothing found")]) as server:
        argv = ["delegate", "code-reviewer", *model_flags(server, "big-cloud")]
        with Terminal(100) as terminal:
            async with on_terminal(terminal, folder, *argv) as process:
                await until(terminal, is_asked)
                os.write(terminal.master, b"a\n")
                await ended(process, terminal)
            assert server.requests
        with Terminal(100) as terminal:
            async with on_terminal(terminal, folder, *argv) as process:
                await ended(process, terminal)
            assert "[N]o" not in terminal.output


@pytest.mark.anyio
@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}])
async def test_a_terminal_that_knows_no_escapes_gets_none(
    folder: Path, env: dict[str, str]
) -> None:
    with Terminal(100) as terminal:
        async with on_terminal(terminal, folder, "delegate", "code-reviewer", env=env) as process:
            assert await ended(process, terminal) == 0
        assert "\x1b" not in terminal.output
        assert "code-reviewer  started" in terminal.screen[0]


@pytest.mark.anyio
async def test_no_color_means_none(folder: Path) -> None:
    env = {"NO_COLOR": "1"}
    with Terminal(100) as terminal:
        async with on_terminal(terminal, folder, "delegate", "code-reviewer", env=env) as process:
            assert await ended(process, terminal) == 0
        assert "\x1b[3" not in terminal.output
        assert "✔ code-reviewer" in terminal.output


@pytest.mark.anyio
async def test_a_run_is_watched_from_another_terminal(folder: Path, silent: ModelServer) -> None:
    with Terminal(100) as here, Terminal(100) as there:
        async with silent as server:
            argv = ["delegate", "code-reviewer", *model_flags(server)]
            async with on_terminal(here, folder, *argv) as driver:
                await until(here, is_busy)
                async with on_terminal(there, folder, "runs", "watch", "--last") as watcher:
                    await until(there, is_busy)
                    assert "code-reviewer" in there.screen[0]
                    driver.send_signal(signal.SIGINT)
                    assert await ended(driver, here) == 130
                    assert await ended(watcher, there) == 130
        assert there.screen[0].startswith("■ code-reviewer  cancelled  ")
        assert there.cursor_shown


@pytest.mark.anyio
async def test_whoever_only_watches_may_leave(folder: Path, silent: ModelServer) -> None:
    with Terminal(100) as here, Terminal(100) as there:
        async with silent as server:
            argv = ["delegate", "code-reviewer", *model_flags(server)]
            async with on_terminal(here, folder, *argv) as driver:
                await until(here, is_busy)
                async with on_terminal(there, folder, "runs", "watch") as watcher:
                    await until(there, is_busy)
                    watcher.send_signal(signal.SIGINT)
                    assert await ended(watcher, there) == 130
                assert there.screen == []
                assert there.cursor_shown
                assert driver.returncode is None
