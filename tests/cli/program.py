"""`codexd` as people start it: a process, on a terminal or between pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process
from tests.cli.terminal import Terminal
from tests.model_server import ModelServer

DAEMON = Path(__file__).parent.parent.parent / "daemon"
SOURCE = '''"""A small program with mistakes."""

import hashlib


def load(x, seen=[]):
    digest = hashlib.md5(x)
    return eval(x) + missing
'''


def workspace(folder: Path) -> Path:
    """A workspace with a file that has something to find."""
    (folder / ".git").mkdir(parents=True)
    (folder / "app.py").write_text(SOURCE, encoding="utf-8")
    return folder


def environment(**more: str) -> dict[str, str]:
    """The test's own environment (its home is a fresh one), and where the package is.

    As in CI: runs are driven by the command itself. Tests that mean the daemon say `CI=""`, or
    set `CODEXD_TESTS_DAEMON`.
    """
    ci = "" if os.environ.get("CODEXD_TESTS_DAEMON") else "true"
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    bare = {"LANG": "C.UTF-8", "PYTHONPATH": str(DAEMON), "PATH": programs, "CI": ci}
    kept = {name: os.environ[name] for name in ("HOME",)}
    return {**bare, **kept, **more}


def codexd(
    folder: Path, *argv: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The ended command, its output read through pipes."""
    return subprocess.run(
        [sys.executable, "-m", "codexd", *argv], cwd=folder, env=environment(**(env or {})),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def model_flags(server: ModelServer, model: str = "small") -> list[str]:
    """Flags that have the scripted server answer; a model `…-cloud` counts as hosted."""
    return [
        "-m", f"local/{model}",
        "-c", f"model_providers.local.base_url={server.url}",
        "-c", "model_providers.local.wire_api=chat",
        "-c", "model_providers.local.name=Local",
    ]  # fmt: skip


@asynccontextmanager
async def on_terminal(
    terminal: Terminal, folder: Path, *argv: str, env: Mapping[str, str] | None = None
) -> AsyncGenerator[Process]:
    """The command with all three streams on `terminal`; it is ended with the block."""
    side = terminal.slave
    process = await anyio.open_process(
        [sys.executable, "-m", "codexd", *argv], cwd=folder,
        env=environment(**{"TERM": "xterm", **(env or {})}), stdin=side, stdout=side, stderr=side,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(terminal: Terminal, condition: Callable[[list[str]], bool]) -> None:
    """Wait until what the terminal shows fulfils `condition`."""
    with anyio.fail_after(30):
        while not condition(terminal.screen):
            await anyio.wait_readable(terminal.master)


async def ended(process: Process, terminal: Terminal) -> int:
    """The exit status, once the process has ended; what it wrote last is on the terminal."""
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            # A terminal that nobody reads fills up, and the program would wait for room.
            tasks.start_soon(_keep_reading, terminal)
            await process.wait()
            tasks.cancel_scope.cancel()
    terminal.take()
    assert process.returncode is not None
    return process.returncode


async def _keep_reading(terminal: Terminal) -> None:
    while True:
        await anyio.wait_readable(terminal.master)
        terminal.take()
