"""2,000 runs in one process: what grows with them, and what does not.

    python benchmarks/soak.py [--runs 2000] [--json FILE] [--plot benchmarks/soak.svg]

Twenty runs at once, of two model calls and a tool call each, against a local server that answers
at once. Between two hundreds nothing runs, and memory, descriptors, threads and the database are
looked at. Growth is from the first quarter of what comes after the warm-up to its last quarter.
A second soak keeps 1 MB of conversations only: the file then uses the pages of erased ones again.
"""

from __future__ import annotations

import argparse
import gc
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import anyio
import anyio.to_thread

from _plot import Line, Panel, plot
from _report import Figure, arguments, tell
from _server import serving
from codexd import Orchestrator
from codexd.orchestrator import Delegate
from runs import READ, RESULT, orchestrator, resident_kb

AT_ONCE, BATCH, WARM_UP = 20, 100, 400
SCRIPT: list[dict[str, Any]] = [
    {"text": "I look at the file first. " * 400, "calls": [READ], "piece": 4_000},
    {"text": RESULT, "piece": 4_000},
]
"""The first answer is larger than a page of the database: its room can be used again whole."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How it stands after `n` runs, while none is under way."""

    n: int
    resident_kb: float
    descriptors: float
    threads: float
    file_kb: float
    """The database without its log of what is not yet in it."""
    content_kb: float
    """The conversations in it."""


def look(codexd: Orchestrator, n: int) -> Sample:
    """A sample; the database's log is first written into it."""
    gc.collect()
    path = codexd.config.folders.state / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA cache_size = -64")  # what is looked with is not to be seen
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        [content] = db.execute("SELECT total(length(content)) FROM event").fetchone()
    return Sample(
        n,
        resident_kb(),
        entries("/proc/self/fd"),
        entries("/proc/self/task"),
        path.stat().st_size / 1024,
        content / 1024,
    )


def entries(folder: str) -> int:
    """How many there are in a folder."""
    return len(list(Path(folder).iterdir()))


async def soak(n: int, config: str = "") -> list[Sample]:
    """A sample after each hundred of `n` runs."""
    samples: list[Sample] = []
    with serving(SCRIPT) as port:
        async with orchestrator(port, config) as codexd:
            await start_threads()
            while len(samples) * BATCH < n:
                await batch(codexd)
                samples.append(look(codexd, (len(samples) + 1) * BATCH))
    return samples


async def start_threads() -> None:
    """There are as many threads as runs: how soon all of them are needed at once is chance."""
    together = Barrier(AT_ONCE)
    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(anyio.to_thread.run_sync, together.wait)


async def batch(codexd: Orchestrator) -> None:
    """A hundred runs, each a root of its own, twenty at once."""

    async def some() -> None:
        for _ in range(BATCH // AT_ONCE):
            run = await codexd.delegate(Delegate(agent="worker"))
            assert run.status == "completed", run

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(some)


Quantity = Callable[[Sample], float]


def growth(samples: Sequence[Sample], quantity: Quantity) -> float:
    """By how much the quantity grew a run, from the first quarter of the samples to the last."""
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]
    more = statistics.median(map(quantity, last)) - statistics.median(map(quantity, first))
    return more / (last[0].n - first[0].n)


def figures(kept: Sequence[Sample], small: Sequence[Sample]) -> list[Figure]:
    """What is promised of the samples after the warm-up."""
    kept = [sample for sample in kept if sample.n >= WARM_UP]
    small = [sample for sample in small if sample.n >= WARM_UP]
    half = len(kept) // 2
    early, late = (growth(part, lambda s: s.file_kb) for part in (kept[: half + 1], kept[half:]))
    whole, lean = (growth(samples, lambda s: s.file_kb) for samples in (kept, small))
    said, still = (growth(samples, lambda s: s.content_kb) for samples in (kept, small))
    n = kept[-1].n - kept[0].n
    return [
        Figure("memory", "KB/run", [growth(kept, lambda s: s.resident_kb)], at_most=1.0),
        Figure(f"descriptors in {n:,} runs", "", [grown(kept, lambda s: s.descriptors)], at_most=0),
        Figure(f"threads in {n:,} runs", "", [grown(kept, lambda s: s.threads)], at_most=0),
        Figure("database, all kept", "KB/run", [whole]),
        Figure("  its second half, against its first", "×", [late / early], at_most=1.05),
        Figure("database, 1 MB kept", "KB/run", [lean]),
        Figure("  its conversations", "KB/run", [still], at_most=0.05),
        Figure("  room of erased ones used again", "%", [(whole - lean) / said * 100], at_least=60),
    ]


def grown(samples: Sequence[Sample], quantity: Quantity) -> float:
    """By how much the quantity's peak grew from the first half of the samples to the second."""
    half = len(samples) // 2
    return max(map(quantity, samples[half:])) - max(map(quantity, samples[:half]))


def panels(kept: Sequence[Sample], small: Sequence[Sample]) -> list[Panel]:
    """The samples as pictures."""

    def line(samples: Sequence[Sample], name: str, quantity: Quantity) -> Line:
        return Line(name, [(sample.n, quantity(sample)) for sample in samples])

    return [
        Panel("resident memory", "MB", [line(kept, "", lambda s: s.resident_kb / 1024)]),
        Panel(
            "database",
            "MB",
            [
                line(kept, "all kept", lambda s: s.file_kb / 1024),
                line(small, "1 MB kept", lambda s: s.file_kb / 1024),
                line(small, "1 MB: conversations", lambda s: s.content_kb / 1024),
            ],
        ),
        Panel("open descriptors", "", [line(kept, "", lambda s: s.descriptors)]),
        Panel("threads", "", [line(kept, "", lambda s: s.threads)]),
    ]


def main() -> None:
    """Measure, tell and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000, help="default: 2,000")
    parser.add_argument("--plot", type=Path, help="also draw the samples in this file")
    asked = arguments(parser, rounds=1)
    kept = anyio.run(soak, asked.runs)
    small = anyio.run(soak, asked.runs, "[journal]\nkeep_mb = 1")
    title = f"soak: {asked.runs:,} runs in one process, {AT_ONCE} at once"
    tell(title, figures(kept, small), json_path=asked.json)
    if asked.plot:
        asked.plot.write_text(plot(title, "runs", panels(kept, small)), encoding="utf-8")


if __name__ == "__main__":
    main()
