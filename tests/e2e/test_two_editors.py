"""Two real editors and a terminal at once, on one workspace."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest
from anyio.abc import Process
from tests.cli.program import codexd, environment
from tests.e2e.editors.editors import NEOVIM_011, NEOVIM_07, SECONDS, Watched
from tests.e2e.editors.workplace import furnished, use_model
from tests.house import by_goal, call, result
from tests.model_server import ModelServer, Scripted

from codexd.daemon.endpoint import Place

pytestmark = pytest.mark.anyio

TERMINAL, MEANWHILE = "from the terminal", "meanwhile"
STARTED = ("one", "two", "three")
"""Goals of runs that the editor starts which is killed."""


@asynccontextmanager
async def terminal(here: Path, goal: str) -> AsyncGenerator[Process]:
    """A command of the terminal that waits for its run; it has ended well with the block."""
    argv = [sys.executable, "-m", "codexd", "delegate", "worker", "--goal", goal]
    async with await anyio.open_process(
        argv, cwd=here, env=environment(CI=""), stdout=PIPE, stderr=PIPE
    ) as process:
        yield process
        with anyio.fail_after(SECONDS):
            assert await process.wait() == 0


def finding(goal: str, gate: asyncio.Event) -> list[Scripted]:
    """Answers that report one finding, the goal as its message, once the gate is open."""
    row = {"path": "app.py", "line": 7, "severity": "warning", "message": goal}
    return [
        Scripted(calls=(call("report_finding", findings=[row]),), hold=gate),
        Scripted(text=result()),
    ]


def messages(watched: Watched, name: str) -> set[str]:
    return {row["message"] for row in watched.told[name]}


async def test_an_editor_that_crashes_takes_nothing_with_it(tmp_path: Path) -> None:
    here, first, rest = furnished(tmp_path / "work"), asyncio.Event(), asyncio.Event()
    script = {goal: finding(goal, rest) for goal in (MEANWHILE, *STARTED)}
    script[TERMINAL] = finding(TERMINAL, first)
    async with (
        ModelServer(by_goal(script)) as server,
        NEOVIM_07.doing("crashes", here) as crashing,
        NEOVIM_011.doing("goes_on", here) as other,
    ):
        use_model(server.url, here)
        for editor in (crashing, other):
            await editor.saw("attached")
        async with terminal(here, TERMINAL):
            for editor in (crashing, other):
                assert "worker" in await editor.saw("progress")
            first.set()
        for editor in (crashing, other):
            await editor.saw("terminal")
            assert messages(editor, "terminal") == {TERMINAL}
        await crashing.saw("started")
        async with terminal(here, MEANWHILE):
            with anyio.fail_after(SECONDS):
                await server.until(lambda s: s.open_streams == 4)
            await crashing.kill()
            rest.set()
        await other.saw("found")
        assert messages(other, "found") >= {MEANWHILE, *STARTED}
    listed = json.loads(codexd(here, "runs", "list", "--json", env={"CI": ""}).stdout)
    assert {row["status"] for row in listed} == {"completed"}
    assert len(listed) == 5
    log = await anyio.Path(Place(str(here), os.environ).log).read_text()
    assert log.count('"daemon_started"') == 1
