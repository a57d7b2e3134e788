"""A recording of real runs, played back by the same commands with nobody there to answer."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.cli.program import codexd, environment, model_flags, workspace
from tests.house import by_goal, call, result
from tests.model_server import Fault, ModelServer, Script, Scripted, Used

pytestmark = pytest.mark.anyio

WRITER = """\
name: writer
goal: write it
tools: {mcp: [read_file, report_finding, write_file]}
policies: {context: {max_tokens: BUDGET, retention: RETENTION}}
success_criteria: [It is written]
artifacts: [ARTIFACTS]
"""
FOUND = {
    "path": "app.py", "line": 8, "column": 12, "severity": "error", "message": "eval",
    "rule": "S307",
}  # fmt: skip
SCRIPT = [
    Scripted(calls=(call("read_file", path="app.py"),), usage=Used(700, 30, 100, 10)),
    Scripted(text="half of it", fault=Fault.CUT),
    Scripted(calls=(call("report_finding", findings=[FOUND]),), usage=None),
    Scripted(calls=(call("write_file", path="out.md", content="# 結果\n"),)),
    Scripted(text=result("done", **{"It is written": "met"}), usage=Used(1500, 60)),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = workspace(tmp_path / "work")
    agent_file(made)
    return made


def agent_file(
    folder: Path, *, budget: int = 90_000, retention: str = "permanent", artifacts: str = ""
) -> None:
    path = folder / ".codex/agents/writer.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = WRITER.replace("BUDGET", str(budget)).replace("RETENTION", retention)
    path.write_text(text.replace("ARTIFACTS", artifacts))


async def recorded(folder: Path, script: Script, *argv: str, form: str = "jsonl") -> dict[str, Any]:
    """The result of `codexd ARGV` with a scripted model, whose recording is then in `rec`."""
    async with ModelServer(script) as server:
        command = [sys.executable, "-m", "codexd", *argv, "--json", *model_flags(server)]
        done = await anyio.run_process(command, cwd=folder, env=environment(), check=False)
    assert done.returncode in (0, 3), done.stderr
    exported = codexd(folder, "audit", "export", "--format", form, "--run", told(done.stdout)["id"])
    (folder / "rec").write_text(exported.stdout, encoding="utf-8")
    return told(done.stdout)


def told(stdout: str | bytes) -> dict[str, Any]:
    return json.loads(stdout)


def same(run: dict[str, Any]) -> dict[str, Any]:
    """What a run and its replay have in common: all but ids, times, and who was asked."""
    own = {"id", "short", "root", "parent", "started_at", "ended_at", "seconds", "model"}
    kept = {key: value for key, value in run.items() if key not in own}
    return kept | {"children": [same(child) for child in run["children"]]}


def replayed(folder: Path, *argv: str) -> dict[str, Any]:
    done = codexd(folder, *argv, "--json", "-m", "replay/rec")
    return told(done.stdout)


@pytest.mark.parametrize("form", ["json", "jsonl", "yaml"])
async def test_the_same_command_gives_the_same_result_report_and_tokens(
    folder: Path, form: str
) -> None:
    agent_file(folder, artifacts="out.md")
    run = await recorded(folder, SCRIPT, "delegate", "writer", form=form)
    report = folder / "out.md"
    assert run["status"] == "completed"
    assert run["uncertain"] > 0
    assert [finding["rule"] for finding in run["findings"]] == ["S307"]
    written = report.read_bytes()
    report.unlink()
    again = replayed(folder, "delegate", "writer")
    assert same(again) == same(run)
    assert report.read_bytes() == written
    assert again["model"] == "replay/rec"


async def test_runs_side_by_side_find_their_own_answers(folder: Path) -> None:
    script = by_goal({
        goal: [Scripted(calls=(call("read_file", path="app.py"),)), Scripted(text=result(goal))]
        for goal in ("first", "second", "third")
    })  # fmt: skip
    argv = ["delegate-parallel", "writer,writer,writer", "--goals", "first,second,third"]
    run = await recorded(folder, script, *argv)
    again = replayed(folder, *argv)
    assert [child["summary"] for child in again["children"]] == ["first", "second", "third"]
    assert same(again) == same(run)


async def test_a_run_that_was_asked_to_finish_is_asked_so_again(folder: Path) -> None:
    agent_file(folder, budget=9_000)
    script = [
        Scripted(calls=(call("read_file", path="app.py"),), usage=Used(3_000, 300)),
        Scripted(text=result("hurried"), usage=Used(3_300, 100)),
    ]
    run = await recorded(folder, script, "delegate", "writer")
    assert any("budget nearly spent" in note for note in run["notes"])
    assert same(replayed(folder, "delegate", "writer")) == same(run)


async def test_what_rules_did_is_played_back_too(folder: Path) -> None:
    agent_file(folder, artifacts="out.md")
    argv = ["delegate", "writer", "--goal", "review the code"]
    run = told(codexd(folder, *argv, "--json", "-m", "offline").stdout)
    exported = codexd(folder, "audit", "export", "--format", "jsonl").stdout
    (folder / "rec").write_text(exported, encoding="utf-8")
    (folder / "out.md").unlink()
    assert run["findings"]
    assert same(replayed(folder, *argv)) == same(run)


async def test_another_goal_another_agent_and_another_file_are_told_apart(folder: Path) -> None:
    script = [Scripted(calls=SCRIPT[0].calls), Scripted(text=result("done"))]
    await recorded(folder, script, "delegate", "writer", "--goal", "this")

    def refused(*argv: str) -> tuple[int, str]:
        done = codexd(folder, "delegate", *argv, "-m", "replay/rec")
        return done.returncode, done.stdout + done.stderr

    status, words = refused("writer", "--goal", "that")
    assert status == 1
    assert "another conversation" in words
    assert "the files, the agent and the goal" in " ".join(words.split())
    status, words = refused("code-reviewer")
    assert status == 2
    assert "no answers of `code-reviewer`" in words
    assert "it has those of writer" in words
    (folder / "app.py").write_text("changed = 1\n")
    status, words = refused("writer", "--goal", "this")
    assert status == 1
    assert "answer 2 of the recording is to another conversation" in words


async def test_answers_that_retention_took_cannot_be_played(folder: Path) -> None:
    agent_file(folder, retention="job")
    await recorded(folder, [Scripted(text=result("gone"))], "delegate", "writer")
    done = codexd(folder, "delegate", "writer", "-m", "replay/rec")
    assert done.returncode == 1
    assert "retention took it" in done.stdout + done.stderr


def test_a_recording_that_is_not_there_begins_nothing(folder: Path) -> None:
    done = codexd(folder, "delegate", "writer", "-m", "replay/gone.jsonl")
    assert done.returncode == 2
    assert "recording gone.jsonl cannot be read" in done.stderr
    assert "audit export" in done.stderr
    assert codexd(folder, "runs", "list", "--ids").stdout == ""
    assert codexd(folder, "doctor", "-m", "replay/gone.jsonl").returncode == 1
