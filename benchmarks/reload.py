"""How soon an editor is told of an agent file that was saved, among 1,000; what a watch costs.

    python benchmarks/reload.py [--rounds 7] [--json FILE]

Each round saves 40 files as editors do (a file beside it, moved into its place) at moments of no
pattern, and waits for the notice of each; then it lets the watch be for 5 s. What the process uses
meanwhile without a watch is measured in the same way, and shown. The baseline is a look at all
files, which a notice holds: one was read, the others were only asked for their stamp.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio

from _report import Figure, arguments, tell
from agent_files import N, write_agents
from codexd.agents.registry import load
from codexd.orchestrator import Notice, Orchestrator

SAVES = 40
"""Of a round."""
REST_SECONDS = 5.0
MOST_MS, MOST_PERCENT = 60.0, 0.35


async def measure(root: Path, home: Path, paths: Sequence[Path], rounds: int) -> list[Figure]:
    """The figures of one workspace whose agent files are `paths`."""
    halves: list[float] = []
    nearly_all: list[float] = []
    watched: list[float] = []
    unwatched: list[float] = []
    chance = random.Random(1)
    for number in range(rounds):
        async with Orchestrator.open(root, env={"HOME": str(home)}) as codexd:
            codexd.agents()
            unwatched.append(await percent_at_rest())
        async with Orchestrator.open(root, env={"HOME": str(home)}, watch=True) as codexd:
            taken = sorted(await save_some(codexd, chance.sample(paths, SAVES), chance, number))
            halves.append(statistics.median(taken))
            nearly_all.append(taken[int(0.95 * SAVES)])
            watched.append(await percent_at_rest())
    return [
        Figure("atomic save → notice, p50", "ms", halves),
        Figure("atomic save → notice, p95", "ms", nearly_all, at_most=MOST_MS),
        Figure("  a look at all files, one changed", "ms", looks(root, home, paths, rounds)),
        Figure("a watch at rest, of a core", "%", watched, at_most=MOST_PERCENT),
        Figure("  the same without a watch", "%", unwatched),
    ]


async def save_some(
    codexd: Orchestrator, paths: Sequence[Path], chance: random.Random, number: int
) -> list[float]:
    """Milliseconds from each save to its notice."""
    taken: list[float] = []
    told = anyio.Event()

    def hear(notice: Notice) -> None:
        if notice.kind == "agents":
            told.set()

    codexd.listen(hear)
    for path in paths:
        # A fixed rhythm would meet the watch at the same moment of its step each time.
        await anyio.sleep(chance.uniform(0.03, 0.08))
        told = anyio.Event()
        began = save(path, number)
        with anyio.fail_after(10):
            await told.wait()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def save(path: Path, number: int) -> float:
    """When the file, saying something else than before, came into its place."""
    beside = path.with_suffix(".tmp")
    text = path.read_text("utf-8").split("description: ", 1)
    beside.write_text(f"description: {number} ".join(text), "utf-8")
    began = time.perf_counter()
    beside.replace(path)
    return began


async def percent_at_rest() -> float:
    """How much of a core this process uses while nothing happens."""
    began, used = time.perf_counter(), time.process_time()
    await anyio.sleep(REST_SECONDS)
    return 100 * (time.process_time() - used) / (time.perf_counter() - began)


def looks(root: Path, home: Path, paths: Sequence[Path], rounds: int) -> list[float]:
    """Milliseconds that a look takes by itself."""
    taken: list[float] = []
    registry = load(root, home=home)
    for number in range(rounds):
        save(paths[number], number)
        began = time.perf_counter()
        registry = load(root, home=home, cached=registry.entries, changed={paths[number].name})
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=7)
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "workspace"), Path(folder, "home")
        home.mkdir()
        paths = write_agents(root / ".codex" / "agents")
        figures = anyio.run(measure, root, home, paths, asked.rounds)
    tell(f"reload: {N:,} agent files watched", figures, json_path=asked.json)


if __name__ == "__main__":
    main()
