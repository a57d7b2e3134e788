"""The verbs about runs that were: `runs list`, `runs show`, `runs watch`, `runs undo`."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio

from codexd.cli.door import Door
from codexd.cli.exits import exit_status
from codexd.cli.live import Stage
from codexd.cli.render import go_on, result, run_page, runs_table, undone_page
from codexd.cli.units import read_count
from codexd.orchestrator import Undone
from codexd.orchestrator.verbs import unheard
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
    which = door.run_id()

    async def ask() -> RunView:
        async with door.open() as codexd:
            return await codexd.run(which)

    run = anyio.run(ask)
    if door.json:
        door.give(run)
    else:
        door.show(run_page(run, door.page, go_on=go_on(run, door.command)))
    return 0


def watch(door: Door) -> int:
    """`codexd runs watch [ID | --last]`: its exit status is that of the run."""
    run = anyio.run(_watch, door)
    if door.json:
        door.give(run)
    else:
        again = door.command(f"codexd runs show {run.short}")
        door.show(result(run, door.page, again=again, go_on=go_on(run, door.command)))
    return exit_status(run)


def undo(door: Door) -> int:
    """`codexd runs undo [ID | --last]`: 1 where files were changed since, and nothing is done."""
    which = door.run_id()

    async def ask() -> Undone:
        async with door.runner(None, unheard) as codexd:
            return await codexd.undo(which)

    undone = anyio.run(ask)
    if door.json:
        door.give(undone)
    else:
        door.show(undone_page(undone, door.page))
    return 1 if undone.conflicts else 0


def cancel(door: Door) -> int:
    """`codexd runs cancel [ID | --last]`: 0 once the daemon has told the runs."""
    which, last = door.run_id(), door.asked.has("--last")

    async def ask() -> list[RunView]:
        async with door.daemon() as remote, door.open() as here:
            if which is None and not last:
                stopped = await remote.cancel_all()
            else:
                stopped = await remote.cancel((await here.run(which)).id)
            return [await here.run(run) for run in stopped]

    runs = anyio.run(ask)
    if door.json:
        door.give({"runs": [run.id for run in runs]})
    elif runs:
        door.show(door.text("cancel.asked", run=run.short, agent=run.agent) for run in runs)
    else:
        door.show([door.text("cancel.none")])
    return 0


async def _watch(door: Door) -> RunView:
    """The run, shown until it has ended."""
    which = door.run_id()
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
