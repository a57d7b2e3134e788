"""The verbs that run agents: `delegate`, `delegate-parallel`, `agent-create`, `runs resume`."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import anyio
from anyio.abc import TaskStatus

from codexd.cli.agents import diagnostics_lines
from codexd.cli.asking import Asker
from codexd.cli.columns import clean
from codexd.cli.door import Door, Runner
from codexd.cli.exits import exit_status
from codexd.cli.faults import CANCELLED, FAILED, Misuse, lines_of
from codexd.cli.live import Stage
from codexd.cli.page import Page
from codexd.cli.parse import Asked
from codexd.cli.plain import check_writable, document, write_whole
from codexd.cli.render import go_on, result
from codexd.cli.units import length, read_dollars, read_seconds, read_tokens
from codexd.errors import Denied, Severity, Unavailable
from codexd.orchestrator import (
    Began,
    CreateAgent,
    CreatedAgent,
    Delegate,
    DelegateParallel,
    Kept,
    Remarks,
    Resume,
    Told,
)
from codexd.runs.view import RunView, Status

MOST_REMARKS = 5
"""How many of them a run begins with."""

T = TypeVar("T")
Act = Callable[[Runner], Awaitable[RunView]]


def delegate(door: Door) -> int:
    """`codexd delegate AGENT`."""
    asked = door.asked
    request = Delegate(
        agent=asked.one("AGENT") or "",
        goal=asked.one("--goal"),
        scope=asked.all("--scope"),
        budget=_read(asked, "--budget", read_tokens),
        budget_usd=_read(asked, "--budget-usd", read_dollars),
        deadline_seconds=_read(asked, "--deadline", read_seconds),
    )

    async def act(codexd: Runner) -> RunView:
        return await codexd.delegate(_placed(request, door))

    return anyio.run(_drive, door, act)


def delegate_parallel(door: Door) -> int:
    """`codexd delegate-parallel A,B,C`."""
    asked = door.asked
    request = DelegateParallel(
        runs=parallel_requests(asked),
        total_budget=_read(asked, "--total-budget", read_tokens),
        budget_usd=_read(asked, "--budget-usd", read_dollars),
        deadline_seconds=_read(asked, "--deadline", read_seconds),
    )

    async def act(codexd: Runner) -> RunView:
        runs = tuple(_placed(run, door) for run in request.runs)
        return await codexd.delegate_parallel(replace(request, runs=runs))

    return anyio.run(_drive, door, act)


def agent_create(door: Door) -> int:
    """`codexd agent-create PROMPT`."""
    asked = door.asked
    request = CreateAgent(
        prompt=asked.one("PROMPT") or "",
        goal=asked.one("--goal"),
        budget=_read(asked, "--budget", read_tokens),
        budget_usd=_read(asked, "--budget-usd", read_dollars),
        save=asked.has("--save"),
    )

    async def act(codexd: Runner) -> RunView:
        return await codexd.create_agent(request)

    return anyio.run(_drive, door, act)


def resume(door: Door) -> int:
    """`codexd runs resume [ID | --last]`."""
    asked = door.asked
    request = Resume(
        run=door.run_id(),
        budget=_read(asked, "--budget", read_tokens),
        budget_usd=_read(asked, "--budget-usd", read_dollars),
        deadline_seconds=_read(asked, "--deadline", read_seconds),
    )

    async def act(codexd: Runner) -> RunView:
        return await codexd.resume(request)

    return anyio.run(_drive, door, act)


# --- requests --------------------------------------------------------------------------------


def parallel_requests(asked: Asked) -> tuple[Delegate, ...]:
    """A request an agent, in the order asked. Raises `Misuse` where counts do not match."""
    agents = [name.strip() for name in (asked.one("A,B,C") or "").split(",")]
    if not all(agents):
        raise Misuse("empty-agent", value=asked.one("A,B,C"))
    goals = _each(asked, "--goals", "--goal", len(agents))
    scopes = _each(asked, "--scopes", "--scope", len(agents))
    name, budgets = ("--budgets", "_") if asked.has("--budgets") else ("--budget", "_,")
    counts = [
        read_tokens(name, each, separators=budgets) if each else None
        for each in _each(asked, "--budgets", "--budget", len(agents))
    ]
    return tuple(
        Delegate(
            agent=agent,
            goal=goal or None,
            scope=(scope,) if scope else (),
            budget=budget,
        )
        for agent, goal, scope, budget in zip_longest(agents, goals, scopes, counts)
    )


def _each(asked: Asked, listed: str, repeated: str, n_agents: int) -> list[str]:
    """One value an agent, from a list by commas or from a repeated flag; none, or all."""
    if asked.has(listed) and asked.has(repeated):
        raise Misuse("both", one=listed, other=repeated)
    name = listed if asked.has(listed) else repeated
    values = list(asked.all(repeated))
    if asked.has(listed):
        values = [value.strip() for value in (asked.one(listed) or "").split(",")]
    if values and len(values) != n_agents:
        raise Misuse("counts", agents=n_agents, name=name, given=len(values))
    return values


def _read(asked: Asked, name: str, read: Callable[[str, str], T]) -> T | None:
    value = asked.one(name)
    return None if value is None else read(name, value)


def _placed(request: Delegate, door: Door) -> Delegate:
    """`request` with its scope as the workspace sees it: people write paths from where they are."""
    scope = tuple(place(path, door.folder, door.root) for path in request.scope)
    return replace(request, scope=scope)


def place(path: str, folder: Path, root: Path) -> str:
    """`path`, written in `folder`, relative to `root`; as it is where it is no path there."""
    there = (folder / path).resolve()
    if there.exists() and there.is_relative_to(root):
        return there.relative_to(root).as_posix()
    return path


# --- the run ---------------------------------------------------------------------------------


async def _drive(door: Door, act: Act) -> int:
    """Have `act` done, shown while it goes on, its result given; the exit status."""
    # What is imported stays: looking through it for garbage takes a tenth of the time of many runs.
    gc.freeze()
    output = _output(door)
    stage = Stage(door.err, door.progress, repaints=door.repaints)
    asker = Asker(stage, door.progress)
    ask, tell = asker.ask if door.can_ask else None, partial(_tell, door, stage)
    async with door.runner(ask, tell) as codexd:
        stage.look = codexd.roots
        heard: list[int] = []
        obey = partial(_obey_signals, codexd, stage, asker, door, heard)
        run = await _staged(stage, asker, obey, partial(act, codexd))
        # A terminal that shows progress and no result keeps the rows.
        stage.end(run, keep=not door.out.isatty())
        status = _give(run, door, output)
        stopped = status == CANCELLED or run.status is Status.INTERRUPTED
        return 128 + heard[0] if heard and stopped else status


async def _staged(
    stage: Stage,
    asker: Asker,
    obey: Callable[..., Coroutine[None, None, None]],
    act: Callable[[], Awaitable[RunView]],
) -> RunView:
    """The run that `act` ends with; until then shown, and stopped by signals."""
    ended: list[RunView] = []
    try:
        async with anyio.create_task_group() as tasks:
            # Before anything is begun or shown: whoever stops it then is heard.
            await tasks.start(obey)
            tasks.start_soon(stage.show)
            ended.append(await act())
            tasks.cancel_scope.cancel()
    except* Denied as denied:
        # Ctrl-C at the question is a cancel, not the user's "no".
        if asker.stopped.is_set():
            raise KeyboardInterrupt from denied
        raise
    finally:
        if stage.screen is not None:
            stage.screen.erase()
    return ended[0]


async def _obey_signals(
    codexd: Runner,
    stage: Stage,
    asker: Asker,
    door: Door,
    heard: list[int],
    *,
    task_status: TaskStatus[None],
) -> None:
    """The first request to stop (Ctrl-C, TERM, a closed terminal) is `heard`: the runs end in
    order. Another Ctrl-C or TERM ends this process at once.
    """
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # `nohup` has them ignored, and means it.
    minded = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]
    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(*minded) as signals:
            task_status.started()
            async for number in signals:
                if not heard:
                    heard.append(number)
                    asker.stopped.set()
                    stage.say(door.text("stopping"))
                    if number == signal.SIGTERM:
                        # Whoever ends processes wants the machine, not the goal given up.
                        tasks.start_soon(codexd.suspend)
                    else:
                        tasks.start_soon(codexd.cancel)
                    continue
                if number == signal.SIGHUP:
                    # Of one closed terminal both the kernel and the shell tell.
                    continue
                codexd.abandon()
                # What happened is in the journal; the runs show as interrupted.
                further = door.command("codexd runs resume --last")
                stage.write([door.text("interrupted", command=further)])
                os._exit(128 + number)


def _tell(door: Door, stage: Stage, told: Told) -> None:
    """Say what there is to say before a run, and what a run goes on with."""
    match told:
        case Remarks():
            stage.write(_remarks(told, door))
            stage.write(_unused_models(told, door.progress))
        case CreatedAgent():
            _show_created(door, stage, told)
        case Kept():
            _show_kept(door, stage, told)
        case Began():
            deadline = _read(door.asked, "--deadline", read_seconds)
            if deadline:
                stage.write([door.text("deadline", time=length(deadline))])


def _remarks(told: Remarks, door: Door) -> list[str]:
    """What was wrong and is not used, a line each; the rest of a long list is told as a number."""
    text = door.text
    lines = diagnostics_lines(told.diagnostics, door.root)
    shown = [clean(line) for line in lines[:MOST_REMARKS]]
    more = len(lines) - len(shown)
    return [*shown, text("hidden-remarks", n=more)] if more else shown


def _unused_models(told: Remarks, page: Page) -> list[str]:
    """Which models could have been used, and were not."""
    return [
        line
        for hint in told.unused
        for line in page.labelled(
            page.text("note"),
            f"{page.text.told(hint.text)}: {page.text.told(hint.remedy)}",
            indent=6,
        )
    ]


def _show_created(door: Door, stage: Stage, created: CreatedAgent) -> None:
    """The agent that was made, before it is saved or run."""
    text, page = door.text, door.progress
    head = text("created", name=created.name, origin=text.told(created.origin))
    if door.asked.has("--save"):
        head += f" → .codex/agents/{created.name}.yaml"
    body = [f"  {clean(line)}" for line in created.yaml.rstrip().splitlines()]
    stage.write([page.ink("bold", clean(head)), *body])


def _show_kept(door: Door, stage: Stage, kept: Kept) -> None:
    """What a resumed run has already, before it goes on."""
    text, page = door.text, door.progress
    answers = text.count("kept.answers", kept.answers)
    results = text.count("kept.results", kept.results)
    stage.write([f"{page.ink('green', '↻')} {text('kept', answers=answers, results=results)}"])


def _output(door: Door) -> Path | None:
    """The file of `-o`, which can be written as far as one can tell beforehand."""
    name = door.asked.one("--output")
    if name is None:
        return None
    check_writable(name, door.text)
    return Path(name)


def _give(run: RunView, door: Door, output: Path | None) -> int:
    """Give the result: to stdout, and to the file that `-o` names."""
    worst = door.asked.one("--fail-on")
    status = exit_status(run, Severity(worst) if worst else None)
    fault = _write(run, door, output) if output else None
    if door.json:
        door.give(run)
    else:
        which = run.short if door.asked.verb.name.startswith("runs ") else "--last"
        again = door.command(f"codexd runs show {which}")
        written = str(output) if output and not fault else ""
        further = go_on(run, door.command)
        door.show(result(run, door.page, again=again, written=written, go_on=further))
    if fault is not None:
        door.err.write("".join(f"{line}\n" for line in lines_of(fault, door.text)))
        return status or FAILED
    return status


def _write(run: RunView, door: Door, output: Path) -> Unavailable | None:
    """Write the run to `output`; the fault where the disk would not take it."""
    try:
        write_whole(output, document(run))
    except OSError as fault:
        text = door.text
        return Unavailable(
            text("output.lost", path=output, why=fault.strerror or str(fault)),
            help=text(
                "output.lost.help", command=door.command(f"codexd runs show {run.short} --json")
            ),
        )
    return None
