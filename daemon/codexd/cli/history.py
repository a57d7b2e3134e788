"""The verbs about runs that were: `runs list`, `runs show`, `runs watch`."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio

from codexd.cli.door import Door
from codexd.cli.exits import exit_status
from codexd.cli.faults import Misuse
from codexd.cli.live import Stage
from codexd.cli.render import result, run_page, runs_table
from codexd.cli.units import read_count
from codexd.runs.view import RunView


def list_(door: Door) -> int:
    """`codexd runs list`."""
    limit = read_count("--limit", door.asked.one("--limit") or "20")

    async def ask() -> tuple[RunView, ...]:
        async with door.open() as codexd:
            return await codexd.runs(limit=limit)

    runs = anyio.run(ask)
    if door.json:
        door.give(runs)
    elif door.asked.has("--ids"):
        door.show([run.short for run in runs])
    else:
        door.show(runs_table(runs, door.page, now=datetime.now(UTC)))
    return 0


def show(door: Door) -> int:
    """`codexd runs show [ID | --last]`."""
    which = _which(door)

    async def ask() -> RunView:
        async with door.open() as codexd:
            return await codexd.run(which)

    run = anyio.run(ask)
    if door.json:
        door.give(run)
    else:
        door.show(run_page(run, door.page))
    return 0


def watch(door: Door) -> int:
    """`codexd runs watch [ID | --last]`: its exit status is that of the run."""
    run = anyio.run(_watch, door)
    if door.json:
        door.give(run)
    else:
        again = door.command(f"codexd runs show {run.short}")
        door.show(result(run, door.page, again=again))
    return exit_status(run)


def _which(door: Door) -> str | None:
    """The id asked for; `None`: the last run."""
    named = door.asked.one("ID")
    if named is not None and door.asked.has("--last"):
        raise Misuse("both", one="ID", other="--last")
    return named


async def _watch(door: Door) -> RunView:
    """The run, shown until it has ended."""
    which = _which(door)
    seen: list[RunView] = []
    stage = Stage(door.err, door.progress, lambda: seen[-1:], repaints=door.repaints)
    try:
        async with door.open() as codexd, anyio.create_task_group() as tasks:
            tasks.start_soon(stage.show)
            async for run in codexd.watch(which):
                seen.append(run)
                del seen[:-1]
            tasks.cancel_scope.cancel()
    finally:
        if stage.screen is not None:
            stage.screen.erase()
    stage.end(seen[-1], keep=not door.out.isatty())
    return seen[-1]
