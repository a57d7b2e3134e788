"""Whole runs against a local model server: parallel speed, CPU an agent, memory of a waiting run.

`python benchmarks/bench_runs.py [--json FILE]`. Journal and budget are on, the server is a
process of its own, answers stream and take 200 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio

from codexd import Orchestrator
from codexd.orchestrator import Delegate, DelegateParallel

ROOT = Path(__file__).resolve().parent.parent
AGENT = """\
name: worker
goal: Look at one file and say what is in it.
tools:
  mcp: [read_file]
  fs: {read: true}
policies:
  context: {max_tokens: 100000, retention: permanent}
"""
TWO_CALLS: list[dict[str, Any]] = [
    {
        "calls": [{"name": "read_file", "arguments": '{"path": "a.txt"}'}],
        "delay": 0.1,
        "chunk_delay": 0.01,
    },
    {
        "text": '{"summary": "It says hello, and nothing else that matters.", "criteria": [], '
        '"data": null}',
        "delay": 0.1,
        "chunk_delay": 0.02,
    },
]
ONE_CALL: list[dict[str, Any]] = [
    {"text": '{"summary": "done", "criteria": [], "data": null}', "delay": 0.2}
]


@contextmanager
def serving(script: list[dict[str, Any]]) -> Generator[int]:
    """The port of a scripted model server in a process of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(script, file)
        file.flush()
        command = ["-m", "tests.model_server", "--port", "0", "--script", file.name, "--by-turn"]
        server = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.terminate()
            server.wait()


@asynccontextmanager
async def orchestrator(folder: Path, port: int) -> AsyncGenerator[Orchestrator]:
    """An orchestrator of a small workspace whose model is the server."""
    workspace, home = folder / "workspace", folder / "home"
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
"""
    )
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    async with Orchestrator.open(workspace, env=env) as opened:
        yield opened


async def timed(codexd: Orchestrator, n: int) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process) of `n` agents at once."""
    cpu, wall = time.process_time(), time.perf_counter()
    runs = tuple(Delegate(agent="worker", goal=f"task {index}") for index in range(n))
    group = await codexd.delegate_parallel(DelegateParallel(runs=runs))
    assert {child.status for child in group.children} == {"completed"}, group.children[0]
    return time.perf_counter() - wall, time.process_time() - cpu


async def parallel_and_sequence(rounds: int) -> dict[str, float]:
    """How much faster three equal agents are at once than one after the other."""
    ratios: list[float] = []
    with serving(ONE_CALL) as port, tempfile.TemporaryDirectory() as folder:
        async with orchestrator(Path(folder), port) as codexd:
            await timed(codexd, 1)
            for _ in range(rounds):
                began = time.perf_counter()
                for _ in range(3):
                    await codexd.delegate(Delegate(agent="worker"))
                sequence = time.perf_counter() - began
                ratios.append(sequence / (await timed(codexd, 3))[0])
    return {"three_at_once_speedup": statistics.median(ratios), "least": min(ratios)}


async def many(rounds: int) -> dict[str, float]:
    """Wall time of 100 and 500 two-call agents over that of one, and CPU an agent."""
    walls: dict[int, list[float]] = {1: [], 100: [], 500: []}
    cpus: dict[int, list[float]] = {1: [], 100: [], 500: []}
    with serving(TWO_CALLS) as port, tempfile.TemporaryDirectory() as folder:
        async with orchestrator(Path(folder), port) as codexd:
            await timed(codexd, 20)
            for _ in range(rounds):
                for n in walls:
                    wall, cpu = await timed(codexd, n)
                    walls[n].append(wall)
                    cpus[n].append(cpu / n * 1000)
    one = statistics.median(walls[1])
    return {
        "one_agent_s": one,
        "100_agents_over_one": statistics.median(walls[100]) / one,
        "500_agents_over_one": statistics.median(walls[500]) / one,
        "500_agents_cpu_ms_each": statistics.median(cpus[500]),
        "100_agents_cpu_ms_each": statistics.median(cpus[100]),
    }


async def waiting_memory() -> dict[str, float]:
    """KB that a run costs while it waits for its first answer."""
    n = 400
    script = [{**ONE_CALL[0], "delay": 8.0}]
    with serving(script) as port, tempfile.TemporaryDirectory() as folder:
        async with orchestrator(Path(folder), port) as codexd:
            runs = tuple(Delegate(agent="worker", goal=f"task {index}") for index in range(n))
            gc.collect()
            before = after = rss_kb()
            async with anyio.create_task_group() as group:
                group.start_soon(codexd.delegate_parallel, DelegateParallel(runs=runs))
                await anyio.sleep(5)
                gc.collect()
                after = rss_kb()
                await codexd.cancel()
    return {"waiting_run_kb": (after - before) / n}


def rss_kb() -> float:
    """This process's resident memory."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


TARGETS = {
    "three_at_once_speedup": ("at least", 2.85),
    "100_agents_over_one": ("at most", 1.5),
    "500_agents_over_one": ("at most", 4.0),
    "500_agents_cpu_ms_each": ("at most", 3.0),
    "waiting_run_kb": ("at most", 100.0),
}


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures = anyio.run(parallel_and_sequence, options.rounds)
    figures |= anyio.run(many, options.rounds)
    figures |= anyio.run(waiting_memory)
    for name, value in figures.items():
        how, target = TARGETS.get(name, ("", None))
        print(f"{name:28} {value:10.2f}   {how} {target if target is not None else ''}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
