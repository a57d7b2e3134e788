"""`shell`: one granted program, started as an argument list, without a shell.

Offered only where the user's own configuration says `sandbox = "none"`: the policy decides what
is started, and nothing but the user's own account limits what the program then does.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import AliasChoices, Field

from codexd.errors import Denied, ToolFault
from codexd.policy import commands
from codexd.policy.files import inside
from codexd.tools import process
from codexd.tools.arguments import Arguments
from codexd.tools.interface import Effect, Tool, ToolContext, ToolOutput
from codexd.tools.results import as_data, cut, defused

UNHELD = 'not held by the kernel: sandbox = "none"'


class Shell(Arguments):
    """Arguments of `shell`."""

    command: str | tuple[str, ...] = Field(
        validation_alias=AliasChoices("command", "cmd", "argv"),
        description="one program and its arguments: a list, or a line of words and quoted text. "
        "No pipes, redirections, variables or patterns",
    )
    cwd: str = Field(
        default=".",
        validation_alias=AliasChoices("cwd", "workdir", "working_directory"),
        description="folder of the workspace to run in",
    )
    timeout_seconds: float = Field(
        default=60,
        gt=0,
        le=600,
        validation_alias=AliasChoices("timeout_seconds", "timeout"),
    )


async def shell(asked: Shell, context: ToolContext) -> ToolOutput:
    """What the program wrote, both streams in order, and how it ended.

    Raises `Denied` for a command that is not granted, `ToolFault` where it cannot be started.
    """
    argv = commands.parse(asked.command) if isinstance(asked.command, str) else asked.command
    if not argv or not argv[0]:
        raise ToolFault("an empty command", help='give a program, `["cargo", "test"]`')
    if any("\0" in word for word in argv):
        raise ToolFault("a command with a NUL character in it")
    decision = commands.may_exec(context.policy, argv)
    if not decision:
        raise Denied(decision.why)
    path = process.search_path(context.env, context.root)
    program = commands.find_program(argv[0], context.root, path)
    cwd = _folder(asked.cwd, context)
    room = max(context.max_bytes - 700, 200)
    output = process.HeadAndTail(room)
    began = time.monotonic()
    async with _private_folder() as private:
        finished = await process.run(
            [str(program), *argv[1:]],
            cwd=cwd,
            env=_environment(context.env, path, private),
            seconds=asked.timeout_seconds,
            take=output,
            keeper=context.keeper,
        )
    took = time.monotonic() - began
    ended = _ended(finished, asked.timeout_seconds)
    text = cut(defused(output.text.rstrip("\n")), room + 100)
    text = as_data(text, f"program:{Path(argv[0]).name}")
    return ToolOutput(
        f"{text}\n[{ended}; {took:.1f} s; {UNHELD}]",
        is_error=finished.timed_out or finished.status != 0,
        from_outside=True,
    )


def _ended(finished: process.Finished, seconds: float) -> str:
    if finished.timed_out:
        return f"stopped after its time limit of {seconds:g} s"
    if finished.status < 0:
        return f"ended by signal {-finished.status}"
    return f"exit status {finished.status}"


def _folder(path: str, context: ToolContext) -> Path:
    folder = (context.root / inside(context.root, path)).resolve()
    if not folder.is_relative_to(context.root):
        raise Denied(f"`{path}` leads out of the workspace")
    if not folder.is_dir():
        raise ToolFault(f"`{path}` is no folder of the workspace")
    return folder


def _environment(env: Mapping[str, str], path: str, private: Path) -> dict[str, str]:
    """All that the program gets to know: where programs are, the language, a home of its own."""
    kept = {
        name: value
        for name, value in env.items()
        if name in ("LANG", "TZ") or name.startswith("LC_")
    }
    return {
        **kept,
        "PATH": path,
        "HOME": str(private),
        "TMPDIR": str(private / "tmp"),
        "TERM": "dumb",
    }


@asynccontextmanager
async def _private_folder() -> AsyncGenerator[Path]:
    """A home and a temporary folder for one call, gone afterwards."""
    import shutil
    import tempfile

    import anyio

    folder = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp, None, "codexd-"))
    try:
        (folder / "tmp").mkdir()
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            # What a program still writes while we delete is no reason to fail its call.
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)


SHELL_TOOLS = (
    Tool(
        "shell",
        "Run one granted program with its arguments, without a shell, in the workspace. "
        "Answers its output and exit status.",
        Shell,
        Effect.OTHER,
        call=shell,
    ),
)
