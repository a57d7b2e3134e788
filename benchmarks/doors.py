"""What clients cost the daemon while 200 runs stream 50 pieces a second each, and how they fare.

    python benchmarks/doors.py [--rounds 3] [--seconds 4] [--json FILE]

The daemon's part is this process: runs, journal, and the desk behind a Unix socket. The clients
are a process of their own: one takes events and asks for a hover every 20 ms, one is plain and
shown progress, one reads 64 KiB a second. In each round a stretch without clients is followed by
one with them; the doors' share is the difference of what this process's CPU did.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import os
import pstats
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from lsprotocol import types

from _report import Figure, arguments, tell
from _server import serving
from codexd.lsp.desk import Desk
from codexd.lsp.frames import dumps, frame, read_frame
from codexd.lsp.hello import Hello
from codexd.orchestrator import Delegate, Notice
from runs import orchestrator, resident_kb

N, A_SECOND = 200, 50
PIECE = 16
Samples = defaultdict[str, list[float]]


async def measure(rounds: int, seconds: float, profile: Path | None) -> Samples:
    """The samples of all rounds, while one and the same runs go on."""
    samples: Samples = defaultdict(list)
    whole = 8 + rounds * (2 * seconds + 4)
    text = "x" * round(PIECE * A_SECOND * whole)
    with serving([{"text": text, "seconds": whole, "piece": PIECE}]) as port:
        async with (
            orchestrator(port) as codexd,
            Desk.open(codexd) as desk,
            anyio.create_task_group() as tasks,
            listening(desk) as path,
        ):
            answering: set[str] = set()
            all_streaming = anyio.Event()

            def hear(notice: Notice) -> None:
                answering.update({notice.run} if notice.kind == "progress" else ())
                if len(answering) == N:
                    all_streaming.set()

            codexd.listen(hear)
            for _ in range(N):
                tasks.start_soon(codexd.delegate, Delegate(agent="worker"))
            await all_streaming.wait()
            for _ in range(rounds):
                await one_round(path, seconds, samples, profile)
            await codexd.cancel()
    return samples


class listening:  # noqa: N801 - used as a function
    """A Unix socket whose clients are the desk's."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._folder = tempfile.TemporaryDirectory()

    async def __aenter__(self) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._desk.serve(reader, writer, Hello("lsp", "0", os.getpid(), "/"))

        path = str(Path(self._folder.name, "s"))
        self._server = await asyncio.start_unix_server(serve, path)
        return path

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._folder.cleanup()


async def one_round(path: str, seconds: float, samples: Samples, profile: Path | None) -> None:
    """A stretch without clients, and one with them."""
    command = [sys.executable, __file__, "--client", path, "--seconds", str(seconds)]
    async with await anyio.open_process(command, stderr=None) as clients:
        await line_of(clients)  # it is there, and has imported what it needs
        alone, late_alone = await share(seconds)
        assert clients.stdin is not None
        await clients.stdin.send(b"go\n")
        await line_of(clients)  # all are attached
        profiler = cProfile.Profile() if profile else None
        if profiler:
            profiler.enable()
        attended, late_attended = await share(seconds)
        if profiler and profile:
            profiler.disable()
            with profile.open("w") as out:
                pstats.Stats(profiler, stream=out).sort_stats("tottime").print_stats(45)
        told: dict[str, Any] = json.loads(await line_of(clients))
    late = sorted(told["latencies"])
    samples["late alone"].append(late_alone * 1000)
    samples["late attended"].append(late_attended * 1000)
    samples["alone"].append(alone * 100)
    samples["attended"].append(attended * 100)
    samples["doors"].append((attended - alone) * 100)
    samples["p50"].append(late[len(late) // 2] * 1000)
    samples["p99"].append(late[len(late) * 99 // 100] * 1000)
    samples["messages"].append(told["most"])
    samples["rss"].append(resident_kb() / 1024)


async def line_of(process: Process) -> str:
    """The next line of what a process says."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        line += await process.stdout.receive()
    return line.decode()


async def share(seconds: float) -> tuple[float, float]:
    """How much of a core this process takes for a while; by how much its loop is late, p99."""
    gc.collect()
    late: list[float] = []
    cpu, wall = time.process_time(), time.perf_counter()
    while (now := time.perf_counter()) < wall + seconds:
        await anyio.sleep(0.005)
        late.append(time.perf_counter() - now - 0.005)
    taken = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return taken, sorted(late)[len(late) * 99 // 100]


# --- the clients ----------------------------------------------------------------------------


class Client:
    """One client of the desk."""

    def __init__(self) -> None:
        self.answered: dict[int, float] = {}
        self.told: list[float] = []
        self._n = 0

    async def attach(self, path: str, capabilities: dict[str, Any]) -> dict[str, Any]:
        """The server's capabilities."""
        self.reader, self.writer = await asyncio.open_unix_connection(path)
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        body = await read_frame(self.reader)
        assert body is not None
        self.writer.write(frame(dumps({"jsonrpc": "2.0", "method": "initialized", "params": {}})))
        return json.loads(body)["result"]["capabilities"]

    def ask(self, method: str, params: Any) -> int:
        """The id of a request that was sent."""
        self._n += 1
        message = {"jsonrpc": "2.0", "id": self._n, "method": method, "params": params}
        self.writer.write(frame(dumps(message)))
        return self._n

    async def listen(self) -> None:
        """Take what comes, and answer what is asked."""
        while (body := await read_frame(self.reader)) is not None:
            message = json.loads(body)
            if "method" not in message:
                self.answered[message["id"]] = time.perf_counter()
            elif "id" in message:
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": None}
                self.writer.write(frame(dumps(answer)))
            elif message.get("params", {}).get("value", {}).get("kind") != "begin":
                self.told.append(time.perf_counter())

    async def dawdle(self) -> None:
        """Take 64 KiB a second."""
        more = b"at first"
        while more:
            more = await self.reader.read(1 << 16)
            await anyio.sleep(1)


async def attend(path: str, seconds: float) -> None:
    """Three clients for a while; what they saw, as a line of JSON."""
    events, plain, slow = Client(), Client(), Client()
    print("here", flush=True)
    await anyio.to_thread.run_sync(sys.stdin.readline)
    ours = {"experimental": {"codexd": {"events": True, "approve": True}}}
    await events.attach(path, ours)
    await plain.attach(path, {"window": {"workDoneProgress": True}})
    await slow.attach(path, ours)
    print("attached", flush=True)
    hover = {"textDocument": {"uri": "file:///none.yaml"}, "position": POSITION}
    sent: dict[int, float] = {}
    async with anyio.create_task_group() as tasks:
        for work in (events.listen, plain.listen, slow.dawdle):
            tasks.start_soon(work)
        until = time.perf_counter() + seconds - 0.5
        while (now := time.perf_counter()) < until:
            sent[events.ask(types.TEXT_DOCUMENT_HOVER, hover)] = now
            await anyio.sleep(0.02)
        await anyio.sleep(0.3)
        tasks.cancel_scope.cancel()
    latencies = [events.answered[each] - at for each, at in sent.items() if each in events.answered]
    most = max(most_a_second(events.told), most_a_second(plain.told))
    print(json.dumps({"latencies": latencies, "most": most, "asked": len(sent)}), flush=True)


POSITION = {"line": 0, "character": 0}


def most_a_second(times: Sequence[float]) -> int:
    """How many of them lie within one second, where that is most."""
    return max((sum(at <= each < at + 1 for each in times) for at in times), default=0)


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each stretch; default: 4")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--profile", type=Path, help="write where the time went to this file")
    asked = arguments(parser, rounds=3)
    if asked.client:
        anyio.run(attend, asked.client, asked.seconds)
        return
    samples = anyio.run(measure, asked.rounds, asked.seconds, asked.profile)
    figures = [
        Figure("a hover meanwhile, p50", "ms", samples["p50"]),
        Figure("a hover meanwhile, p99", "ms", samples["p99"], at_most=20.0),
        Figure("the doors, of a core", "%", samples["doors"], at_most=25.0),
        Figure("messages a second, at most", "", samples["messages"], at_most=11.0),
        Figure("  the runs alone, of a core", "%", samples["alone"]),
        Figure("  runs and doors, of a core", "%", samples["attended"]),
        Figure("  the loop is late, runs alone, p99", "ms", samples["late alone"]),
        Figure("  the loop is late, with doors, p99", "ms", samples["late attended"]),
        Figure("  resident", "MB", samples["rss"]),
    ]
    title = f"doors: {N} runs, {A_SECOND} pieces a second each, three clients"
    tell(title, figures, json_path=asked.json)


if __name__ == "__main__":
    main()
