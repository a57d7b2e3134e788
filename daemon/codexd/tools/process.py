"""Running a program for a tool: an argument list, a time limit, a bounded result, no leftovers.

The one place where tools start processes. What is started was allowed before; what it can do is
the kernel's to decide, and this module's only promise is that it ends with its process group.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codexd.errors import Denied, ToolFault
from codexd.policy.commands import find_program
from codexd.tools.interface import ToolContext
from codexd.tools.keeper import Keeper
from codexd.tools.results import gap_before

if TYPE_CHECKING:
    from anyio.abc import Process

GRACE = 0.5
"""Seconds between TERM and KILL, and for output that comes after the end."""

_GROUPS: set[int] = set()
"""The process groups that are under way."""

Take = Callable[[bytes], bool]
"""Gets output as it comes; `False` says that no more is wanted, and the program is ended."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    status: int
    """Exit status; `-n` for signal n."""
    timed_out: bool = False
    enough: bool = False
    """Ended by us because `take` wanted no more."""


class Head:
    """Keeps the first `limit` bytes, and wants no more after them."""

    def __init__(self, limit: int) -> None:
        self._kept = bytearray()
        self._limit = limit

    def __call__(self, chunk: bytes) -> bool:
        """Whether more is wanted after `chunk`."""
        self._kept += chunk[: self._limit - len(self._kept)]
        return len(self._kept) < self._limit

    @property
    def text(self) -> str:
        """What was kept; bytes that are no UTF-8 are replaced."""
        return self._kept.decode("utf-8", "replace")


class HeadAndTail:
    """Keeps the first and the last bytes of everything, with a note of what fell out between."""

    def __init__(self, limit: int) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._half = limit // 2
        self._dropped = 0

    def __call__(self, chunk: bytes) -> bool:
        """Whether more is wanted: always."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        extra = len(self._tail) - self._half
        if extra > 0:
            del self._tail[:extra]
            self._dropped += extra
        return True

    @property
    def text(self) -> str:
        """What was kept; bytes that are no UTF-8 are replaced."""
        head, tail = bytes(self._head), bytes(self._tail)
        if not self._dropped:
            return (head + tail).decode("utf-8", "replace")
        note = f"\n[… {self._dropped} bytes left out; narrow the command to see them …]\n"
        began, ended = head.decode("utf-8", "ignore"), tail.decode("utf-8", "ignore")
        # What lies in the gap may be the rest of a word on either side.
        began = began[: gap_before(f"{began}x", len(began))]
        ended = ended[len(ended) - gap_before(f"{ended[::-1]}x", len(ended)) :]
        return began + note + ended


def search_path(env: Mapping[str, str], root: Path) -> str:
    """The caller's PATH without relative folders and without folders of the workspace."""
    kept = (
        folder
        for folder in env.get("PATH", os.defpath).split(os.pathsep)
        if Path(folder).is_absolute() and not Path(folder).resolve().is_relative_to(root)
    )
    return os.pathsep.join(kept)


def find(program: str, context: ToolContext) -> str | None:
    """The absolute path of `program` outside the workspace; `None` where there is none."""
    try:
        return str(find_program(program, context.root, search_path(context.env, context.root)))
    except Denied:
        return None


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    take: Take,
    errors: Take | None = None,
    keeper: Keeper | None = None,
) -> Finished:
    """Run `argv` (absolute program first) to its end, its deadline, or the caller's cancellation.

    Standard input is empty. Both streams go to `take` in the order they came, or standard error
    to `errors`. Whatever happens, the process group is gone when this returns or raises; with a
    `keeper` so is what left the group, and all of it also when this process is killed.
    Raises `ToolFault` where the program cannot be started.
    """
    import subprocess

    import anyio
    import anyio.to_thread

    call, mark = keeper.mark() if keeper else (0, {})
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe() if errors else (-1, subprocess.STDOUT)
    try:
        # Our own pipes: asyncio's would make `wait` wait for every heir of theirs.
        process = await anyio.open_process(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out_write,
            stderr=err_write,
            cwd=cwd,
            env={**env, **mark},
            start_new_session=True,
        )
    except OSError as error:
        _close(out_read, err_read)
        raise ToolFault(f"cannot start `{argv[0]}`: {error.strerror}") from error
    finally:
        _close(out_write, err_write)
    _GROUPS.add(process.pid)
    if keeper:
        keeper.knows(process.pid)
    enough = False

    async def read(fd: int, give: Take) -> None:
        nonlocal enough
        while chunk := await _read(fd):
            if not give(chunk):
                enough = True
                group.cancel_scope.cancel()
                return

    try:
        with anyio.move_on_after(seconds) as limit:
            async with anyio.create_task_group() as group, anyio.create_task_group() as readers:
                readers.start_soon(read, out_read, take)
                if errors:
                    readers.start_soon(read, err_read, errors)
                await process.wait()
                _signal(process.pid, _KILL)
                # A child that left the group may hold the pipe open for ever.
                readers.cancel_scope.deadline = anyio.current_time() + GRACE
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
            if keeper:
                keeper.knows(process.pid, ended=True)
                await anyio.to_thread.run_sync(keeper.end, call)
        _GROUPS.discard(process.pid)
        _close(out_read, err_read)
    return Finished(
        process.returncode if process.returncode is not None else -1,
        timed_out=limit.cancelled_caught,
        enough=enough,
    )


def kill_all() -> None:
    """Nothing that was started here is alive: for a process that ends without waiting."""
    for group in _GROUPS:
        _signal(group, _KILL)


_KILL = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL


async def _read(fd: int) -> bytes:
    import anyio

    if sys.platform == "win32":
        return await anyio.to_thread.run_sync(os.read, fd, 65_536, abandon_on_cancel=True)
    await anyio.wait_readable(fd)
    return os.read(fd, 65_536)


async def _end(process: Process) -> None:
    """TERM to the group, KILL to whatever of it is left after the grace."""
    import anyio

    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with anyio.move_on_after(GRACE):
            await process.wait()
    _signal(process.pid, _KILL)
    await process.wait()
    await process.aclose()


def _signal(leader: int, number: signal.Signals) -> None:
    try:
        if sys.platform == "win32":
            os.kill(leader, number)
        else:
            # The session's leader is its group; a group outlives its leader.
            os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def _close(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)
