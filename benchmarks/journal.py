"""CPU of journal and ledger a model call; and what the journal takes an event.

    python benchmarks/journal.py [--rounds 5] [--json FILE]

500 runs at once, each with an account of its own under one of the group, go through what the
loop does for a model call: reserve, append the intent, settle, append the outcome. The journal
is the real one: a writer thread, group commit, `synchronous=FULL`, the hash chain, the `run`
table. CPU is the process's, both threads, of which that of the same tasks with neither journal
nor ledger is taken off.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.lowlevel

from _report import Figure, arguments, tell
from codexd.models import ToolCall, Usage
from codexd.runs import ledger
from codexd.runs.events import Answered, Begun, Body, Started
from codexd.runs.journal import Journal, open_journal

N = 500
CALLS = 4
STARTED = Started(root="0" * 12, agent="worker", goal="g" * 40, system="s" * 2_000, budget=100_000)
USAGE = Usage(input=1_800, output=120)
TEXT = "It says hello, and nothing else that matters. " * 5
LIMIT = 10_000_000

Work: TypeAlias = Callable[[], Coroutine[None, None, None]]


def intent(act: int) -> Begun:
    """What is committed before a model call."""
    return Begun(
        act=act, what="model", digest="0" * 64, model="bench/bench", bound=2_000, cap=4_096,
        reserved=6_096,
    )  # fmt: skip


def outcome(act: int) -> Answered:
    """What is committed after it: 500 bytes or so, together."""
    calls = (ToolCall(f"call_{act}", "read_file", '{"path": "a.txt"}'),)
    return Answered(act=act, text=TEXT, calls=calls, usage=USAGE, charged=USAGE.total, ms=200)


async def with_both(journal: Journal, run: str, group: ledger.Account) -> None:
    """A run's model calls, reserved, settled and committed."""
    account = ledger.open_child(group, cap=LIMIT, sure=10_000)
    assert account is not None
    await journal.append(run, 1, (STARTED,), 0)
    n = 2
    for act in range(1, CALLS + 1):
        hold = ledger.reserve(account, 6_096)
        assert hold is not None
        await journal.append(run, n, (intent(act),), act)
        ledger.settle(hold, USAGE.total)
        await journal.append(run, n + 1, (outcome(act),), act)
        n += 2
    ledger.close(account)


async def with_neither() -> None:
    """The same tasks, with as many turns of the loop and the same events made."""
    await anyio.lowlevel.checkpoint()
    for act in range(1, CALLS + 1):
        made: tuple[Body, ...] = (intent(act),)
        await anyio.lowlevel.checkpoint()
        made = (*made, outcome(act))
        await anyio.lowlevel.checkpoint()


async def measured(
    works: Sequence[Work],
) -> tuple[float, float]:
    """(wall, CPU) seconds of all `works` at once."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as group:
        for work in works:
            group.start_soon(work)
    return time.perf_counter() - wall, time.process_time() - cpu


async def appended(journal: Journal, run: str, taken: list[float]) -> None:
    """Eight appends of one event each, and how long each took."""
    await journal.append(run, 1, (STARTED,), 0)
    for n in range(2, 10):
        began = time.perf_counter()
        await journal.append(run, n, (outcome(n),), n)
        taken.append(time.perf_counter() - began)


async def lag(found: list[float]) -> None:
    """How much later than asked a task gets its turn, until it is cancelled."""
    while True:
        began = time.perf_counter()
        await anyio.sleep(0.001)
        found.append(time.perf_counter() - began - 0.001)


async def measure(rounds: int) -> list[Figure]:
    """All figures."""
    samples: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            with open_journal(root / "state", root / "journal.key") as journal:
                await calls(journal, samples)
                await appends(journal, samples)
        samples["ledger"].append(microseconds_of_the_ledger())
    return [
        Figure("journal and ledger, CPU a model call", "ms", samples["call"], at_most=0.2),
        Figure("  ledger alone: reserve + settle, depth 3", "µs", samples["ledger"]),
        Figure("  an event, CPU", "µs", samples["event"]),
        Figure("  an append, 500 runs at once, median", "ms", samples["append"]),
        Figure("  longest lag of the event loop", "ms", samples["lag"]),
    ]


async def calls(journal: Journal, samples: defaultdict[str, list[float]]) -> None:
    """What a model call takes of journal and ledger."""
    group = ledger.open_root(LIMIT)
    ids = [f"{number:012x}" for number in range(N)]
    _, ours = await measured([partial(with_both, journal, run, group) for run in ids])
    _, bare = await measured([with_neither] * N)
    samples["call"].append((ours - bare) * 1000 / (N * CALLS))


async def appends(journal: Journal, samples: defaultdict[str, list[float]]) -> None:
    """What an event takes, and how long who appends it waits."""
    taken: list[float] = []
    lags: list[float] = []
    ids = [f"{number:012x}" for number in range(N, 2 * N)]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lag, lags)
        _, cpu = await measured([partial(appended, journal, run, taken) for run in ids])
        samples["event"].append(cpu * 1e6 / (N * 9))
        tasks.cancel_scope.cancel()
    samples["append"].append(statistics.median(taken) * 1000)
    samples["lag"].append(max(lags) * 1000)


def microseconds_of_the_ledger() -> float:
    """Of one reservation and its settling, two accounts below the root."""
    account = ledger.open_root(LIMIT)
    for _ in range(2):
        child = ledger.open_child(account, cap=LIMIT, sure=0)
        assert child is not None
        account = child
    began = time.process_time()
    for _ in range(10_000):
        hold = ledger.reserve(account, 6_096)
        assert hold is not None
        ledger.settle(hold, 10)
    return (time.process_time() - began) * 100


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=5)
    figures = anyio.run(measure, asked.rounds)
    tell("journal: 500 runs at once, FULL, group commit", figures, json_path=asked.json)


if __name__ == "__main__":
    main()
