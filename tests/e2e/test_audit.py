"""`codexd audit`, as people and scripts use it: real processes on real journals."""

import asyncio
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.cli.program import codexd, environment, model_flags, workspace
from tests.model_server import Call, ModelServer, Scripted

AGENT = """\
name: scribe
goal: Read what there is.
tools: {mcp: [read_file]}
policies: {context: {max_tokens: 90000, retention: RETENTION}}
"""
RESULT = json.dumps({"summary": "「完了」\x07\u0085 done: - [x]", "criteria": [], "data": None})
READS = tuple(Call("read_file", json.dumps({"path": path})) for path in ("odd.txt", ".env"))
SCRIPT = (Scripted(calls=READS), Scripted(text=RESULT))
ODD = 'a: b\n\t"quoted" \x1b[31m 日本語 👍 \u2028 NO yes 1e3\n---\n- x\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = workspace(tmp_path / "work")
    (made / "odd.txt").write_text(ODD, encoding="utf-8")
    (made / ".env").write_text("TOKEN=1\n")
    return made


def agent_file(folder: Path, retention: str = "permanent") -> None:
    path = folder / ".codex/agents/scribe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(AGENT.replace("RETENTION", retention))


async def scripted_run(folder: Path, *argv: str) -> None:
    """A `delegate` of the agent `scribe`, in a process of its own."""
    async with ModelServer(SCRIPT) as server:
        command = ["delegate", "scribe", *model_flags(server), *argv]
        done = await anyio.run_process(
            [sys.executable, "-m", "codexd", *command], cwd=folder, env=environment()
        )
    assert done.returncode == 0


def exported(folder: Path, kind: str, *argv: str) -> list[dict[str, Any]]:
    """The export in one format, read by that format's own reader."""
    done = codexd(folder, "audit", "export", "--format", kind, *argv)
    assert done.returncode == 0, done.stderr
    read: dict[str, Callable[[str], Any]] = {
        "json": json.loads,
        "jsonl": lambda text: [json.loads(line) for line in io.StringIO(text, newline="\n")],
        "yaml": yaml.safe_load,
    }
    return read[kind](done.stdout)


@pytest.mark.anyio
async def test_the_three_formats_say_the_same(folder: Path) -> None:
    agent_file(folder)
    await scripted_run(folder)
    codexd(folder, "delegate-parallel", "code-reviewer,sec-audit")
    as_json, as_lines, as_yaml = (exported(folder, kind) for kind in ("json", "jsonl", "yaml"))
    assert as_json == as_lines == as_yaml
    kinds = {record["event_type"] for record in as_json}
    assert kinds == {"agent_execution", "api_call", "tool_call", "token_usage", "security"}
    results = [record["result"] for record in as_json if record["event_type"] == "tool_call"]
    assert any("日本語 👍 \u2028" in result for result in results if result)
    [refused] = [record for record in as_json if record["event_type"] == "security"]
    assert (refused["decision"], refused["subject"]) == ("denied", ".env")


@pytest.mark.parametrize("kind", ["json", "jsonl", "yaml"])
def test_an_empty_log_is_valid_too(folder: Path, kind: str) -> None:
    assert exported(folder, kind) == []


def test_a_failed_and_a_stopped_run_are_told(folder: Path) -> None:
    agent_file(folder)
    codexd(folder, "delegate", "scribe", "--goal", "write a poem", "-m", "offline")
    codexd(folder, "delegate", "code-reviewer", "--budget", "300")
    records = exported(folder, "json")
    ends = [record for record in records if record["event_type"] == "agent_execution"]
    assert [end["status"] for end in ends] == ["failed", "budget_exceeded"]
    assert all(end["error"] for end in ends)
    only = exported(folder, "json", "--agent", "code-reviewer")
    assert {record["agent_name"] for record in only} == {"code-reviewer"}


@pytest.mark.anyio
async def test_what_retention_took_is_not_in_the_export_nor_in_the_file(folder: Path) -> None:
    agent_file(folder, retention="job")
    await scripted_run(folder)
    records = exported(folder, "jsonl")
    erased = {name for record in records for name in record["codexd"]["erased"]}
    assert erased == {"answer", "arguments", "result"}
    assert "quoted" not in json.dumps(records)
    done = codexd(folder, "audit", "verify")
    assert (done.returncode, done.stdout.endswith("chain whole\n")) == (0, True)


def test_a_run_is_shown_on_a_line_a_record(folder: Path) -> None:
    codexd(folder, "delegate", "code-reviewer")
    codexd(folder, "delegate", "sec-audit")
    last = json.loads(codexd(folder, "runs", "show", "--last", "--json").stdout)
    shown = codexd(folder, "audit", "show", "--run", last["short"])
    lines = shown.stdout.splitlines()
    assert all(" sec-audit " in line for line in lines)
    assert "agent_execution  status=completed" in lines[-1]
    assert codexd(folder, "audit", "show", "--since", "1h").stdout.count("agent_execution") == 2
    late = codexd(folder, "audit", "show", "--since", "2999-01-01").stdout
    assert "agent_execution" not in late
    wrong = codexd(folder, "audit", "show", "--since", "soon")
    assert wrong.returncode == 2
    assert "help:" in wrong.stderr


async def followed(folder: Path, *argv: str) -> AsyncGenerator[dict[str, Any]]:
    """The records that `codexd audit show --follow` tells, as they come."""
    command = [sys.executable, "-m", "codexd", "audit", "show", "--follow", "--json", *argv]
    async with await anyio.open_process(
        command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        stream = BufferedByteReceiveStream(process.stdout)
        try:
            while True:
                yield json.loads(await stream.receive_until(b"\n", 1 << 20))
        finally:
            process.terminate()


@pytest.mark.anyio
async def test_the_log_is_followed_while_another_process_runs(folder: Path) -> None:
    agent_file(folder)
    gate = asyncio.Event()
    script = [SCRIPT[0], Scripted(text=RESULT, hold=gate)]
    kinds: list[str] = []
    with anyio.fail_after(60):
        async with ModelServer(script) as server, anyio.create_task_group() as tasks:
            run = [sys.executable, "-m", "codexd", "delegate", "scribe", *model_flags(server)]
            tasks.start_soon(partial(anyio.run_process, run, cwd=folder, env=environment()))
            async with aclosing(followed(folder, "--agent", "scribe")) as records:
                async for record in records:
                    kinds.append(record["event_type"])
                    # The last answer waits until the log has told of what came before it.
                    if record["event_type"] == "tool_call":
                        gate.set()
                    if record["event_type"] == "agent_execution":
                        break
    assert kinds[:2] == ["api_call", "token_usage"]
    assert sorted(kinds[2:5]) == ["security", "tool_call", "tool_call"]
    assert kinds[5:] == ["api_call", "token_usage", "agent_execution"]


def test_a_tampered_journal_is_found(folder: Path) -> None:
    codexd(folder, "delegate", "code-reviewer")
    [store] = Path(environment()["HOME"]).glob(".local/state/codexd/*/state.db")
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("UPDATE event SET facts = replace(facts, 'completed', 'cancelled')")
    done = codexd(folder, "audit", "verify", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert not report["ok"]
    assert report["faults"]
