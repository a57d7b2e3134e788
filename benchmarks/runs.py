"""Whole runs against a local model server: parallel speed, CPU an agent, memory of a waiting run.

    python benchmarks/runs.py [--rounds 7] [--json FILE]

Journal and budget are on; the server is a process of its own, whose answers stream and take
200 ms each. The baseline is aiohttp alone, sending the same two bodies that an agent of ours
sent. Each round measures one agent, 100, 500 and the baseline in turn; its ratios are its own.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anyio

from _report import Figure, arguments, tell
from _server import TIMED, bare_agent, bare_session, recording, serving
from codexd import Orchestrator
from codexd.orchestrator import Delegate, DelegateParallel, Notice

AGENT = """\
name: worker
goal: Look at one file and say what is in it.
tools:
  mcp: [read_file]
  fs: {read: true}
policies:
  context: {max_tokens: 100000, retention: permanent}
"""
RESULT = (
    '{"summary": "It says hello, and nothing else that matters.", "criteria": [], "data": null}'
)
READ = {"name": "read_file", "arguments": '{"path": "a.txt"}'}
TWO_CALLS: list[dict[str, Any]] = [
    {"text": "I look at the file first. " * 4, "calls": [READ], **TIMED},
    {"text": RESULT, **TIMED},
]
ONE_CALL: list[dict[str, Any]] = [{"text": RESULT, **TIMED}]
STALLED: list[dict[str, Any]] = [{"text": RESULT, "fault": "silence"}]
"""Half an answer, and then nothing."""

Samples: TypeAlias = defaultdict[str, list[float]]
Work: TypeAlias = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def orchestrator(port: int, config: str = "") -> AsyncGenerator[Orchestrator]:
    """An orchestrator of a small workspace whose model is the server at `port`."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, home = Path(folder, "workspace"), Path(folder, "home")
        (workspace / ".codex" / "agents").mkdir(parents=True)
        (workspace / ".codex" / "agents" / "worker.yaml").write_text(AGENT)
        (workspace / "a.txt").write_text("hello\n" * 20)
        (home / ".codex").mkdir(parents=True)
        (home / ".codex" / "codexd.toml").write_text(
            f"""model = "bench"
model_provider = "bench"
[agents]
max_threads = 1000
[model_providers.bench]
name = "bench"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "chat"
{config}
"""
        )
        env = {"HOME": str(home), "PATH": os.environ["PATH"]}
        async with Orchestrator.open(workspace, env=env) as opened:
            gc.freeze()  # as the command does
            yield opened


async def at_once(codexd: Orchestrator, n: int) -> None:
    """`n` equal agents at once."""
    runs = tuple(Delegate(agent="worker", goal=f"task {index:03}") for index in range(n))
    group = await codexd.delegate_parallel(DelegateParallel(runs=runs))
    assert {child.status for child in group.children} == {"completed"}, group.children[0]


async def timed(work: Work, n: int) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process, its journal's thread too) of `work(n)`."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await work(n)
    return time.perf_counter() - wall, time.process_time() - cpu


async def three(rounds: int, samples: Samples) -> None:
    """How much faster three equal agents are at once than one after the other."""
    with serving(ONE_CALL) as port:
        async with orchestrator(port) as codexd:
            await at_once(codexd, 3)
            for _ in range(rounds):
                began = time.perf_counter()
                for _ in range(3):
                    await codexd.delegate(Delegate(agent="worker"))
                sequence = time.perf_counter() - began
                together, _ = await timed(lambda n: at_once(codexd, n), 3)
                samples["three"].append(sequence / together)


async def many(rounds: int, samples: Samples) -> None:
    """100 and 500 two-call agents against one, ours and bare."""
    bodies = await bodies_of_a_run()
    with serving(TWO_CALLS) as port:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        async with orchestrator(port) as codexd, bare_session() as session:

            async def bare(n: int) -> None:
                async with anyio.create_task_group() as group:
                    for _ in range(n):
                        group.start_soon(bare_agent, session, url, bodies)

            works: dict[str, Work] = {"ours": lambda n: at_once(codexd, n), "bare": bare}
            for work in works.values():
                await work(20)
            for _ in range(rounds):
                for name, work in works.items():
                    one, _ = await timed(work, 1)
                    samples[f"{name} 1"].append(one)
                    for n in (100, 500):
                        wall, cpu = await timed(work, n)
                        samples[f"{name} {n}"].append(wall / one)
                        samples[f"{name} {n} cpu"].append(cpu / n * 1000)


async def bodies_of_a_run() -> list[bytes]:
    """The two bodies that one of our agents sends."""
    async with recording(TWO_CALLS) as server:
        async with orchestrator(server.port) as codexd:
            await at_once(codexd, 1)
        return [received.raw for received in server.requests]


async def waiting(rounds: int, samples: Samples) -> None:
    """KB of resident memory that a run costs while its model says nothing more."""
    n = 200
    answering: set[str] = set()
    changed = anyio.Event()

    def hear(notice: Notice) -> None:
        if notice.kind == "progress":
            answering.add(notice.run)
            changed.set()

    async def stalled(n: int) -> None:
        nonlocal changed
        runs = tuple(Delegate(agent="worker", goal=f"task {index:03}") for index in range(n))
        group.start_soon(codexd.delegate_parallel, DelegateParallel(runs=runs))
        wanted = len(answering) + n
        while len(answering) < wanted:
            await changed.wait()
            changed = anyio.Event()
        gc.collect()

    with serving(STALLED) as port:
        async with orchestrator(port) as codexd, anyio.create_task_group() as group:
            codexd.listen(hear)
            await stalled(20)
            # Each round's runs stay, so that the next ones find no memory that was freed.
            for _ in range(min(rounds, 3)):
                before = resident_kb()
                await stalled(n)
                samples["waiting"].append((resident_kb() - before) / n)
            await codexd.cancel()


def resident_kb() -> float:
    """This process's resident memory; where only its peak can be had, that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1024


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=7)
    samples: Samples = defaultdict(list)
    for measure in (waiting, three, many):
        # The first, while the process is small: what others have freed would hide it.
        anyio.run(measure, asked.rounds, samples)
    figures = [
        Figure("3 agents at once, against in sequence", "×", samples["three"], at_least=2.85),
        Figure("one two-call agent", "s", samples["ours 1"]),
        Figure("100 agents, wall of one", "×", samples["ours 100"], at_most=1.5),
        Figure("500 agents, wall of one", "×", samples["ours 500"], at_most=4.0),
        Figure("CPU an agent, of 100", "ms", samples["ours 100 cpu"], at_most=3.0),
        Figure("CPU an agent, of 500", "ms", samples["ours 500 cpu"], at_most=3.0),
        Figure("  bare aiohttp: 100, wall of one", "×", samples["bare 100"]),
        Figure("  bare aiohttp: 500, wall of one", "×", samples["bare 500"]),
        Figure("  bare aiohttp: CPU an agent, of 500", "ms", samples["bare 500 cpu"]),
        Figure("memory of a run that waits", "KB", samples["waiting"], at_most=100.0),
    ]
    tell("runs: whole runs, 200 ms a call, journal and budget on", figures, json_path=asked.json)


if __name__ == "__main__":
    main()
