"""What a hosted model costs beside a bare client: `python benchmarks/streams.py [--agents 500]`.

Each agent makes two streaming calls, one after the other, to the scripted server in a process of
its own; each call takes 200 ms there. Ratios are taken within one run. Prints a table, and JSON
with `--json`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "daemon"), str(ROOT)]

from codexd.config import ModelChoice, Provider  # noqa: E402  (the clone's own, installed or not)
from codexd.config.settings import WireApi  # noqa: E402
from codexd.errors import Source  # noqa: E402
from codexd.models import Brief, Model, Request, ToolReply, ToolSchema, UserText  # noqa: E402
from codexd.models.providers import open_client, open_model  # noqa: E402

SECONDS_A_CALL = 0.2
SCRIPT = [
    {
        "text": "I look at the file first. " * 4,
        "calls": [{"name": "read", "arguments": '{"p": 1}'}],
    },
    {"text": "It has two bugs, on one line. " * 6},
]
TOOLS = tuple(
    ToolSchema(f"tool_{i}", "does something useful", {"type": "object", "properties": {}})
    for i in range(8)
)
SYSTEM = "You review code. " * 60
RESULT = "a line of a file\n" * 100
WIRES: tuple[WireApi, ...] = ("responses", "chat", "messages")
PATHS = {"responses": "responses", "chat": "chat/completions", "messages": "messages"}


@dataclass(frozen=True, slots=True)
class Figure:
    """What `agents` side by side took."""

    what: str
    agents: int
    wall_seconds: float
    cpu_ms_an_agent: float
    wall_of_one: float
    """Wall time, as a multiple of one agent's."""


def request(*items: Any) -> Request:
    """A request as an agent makes it."""
    brief = Brief("reviewer", "reviews", "find bugs")
    return Request(SYSTEM, (UserText("find bugs"), *items), TOOLS, 4_096, brief)


async def hosted_agent(model: Model) -> None:
    """Two calls of our own."""
    pieces: list[str] = []
    first = await model.stream(request(), pieces.append)
    reply = ToolReply(first.calls[0].id, "read", RESULT)
    second = await model.stream(request(first, reply), pieces.append)
    if not (second.text and second.usage and pieces):
        raise SystemExit("the server did not answer as scripted")


async def bare_agent(session: aiohttp.ClientSession, url: str, bodies: list[bytes]) -> None:
    """Two calls with aiohttp alone: ready bodies, each event parsed, nothing made of it."""
    for body in bodies:
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as r:
            async for line in r.content:
                if line.startswith(b"data: {"):
                    json.loads(line[6:])


def bodies_of(wire: WireApi, provider: Provider) -> list[bytes]:
    """The bodies of both calls, as our own model would send them."""
    from codexd.models import Answer, ToolCall
    from codexd.models.providers import _wire  # pyright: ignore[reportPrivateUsage]
    from codexd.models.wire import Target

    first = Answer(str(SCRIPT[0]["text"]), (ToolCall("call_0_0", "read", '{"p": 1}'),))
    target = Target(provider, "m")
    requests = request(), request(first, ToolReply("call_0_0", "read", RESULT))
    return [json.dumps(_wire(provider).body(asked, target)).encode() for asked in requests]


async def measured(
    what: str, agents: int, run: Callable[[], Coroutine[None, None, None]], one: float | None
) -> Figure:
    """`agents` of `run` at once: wall time and the CPU of this process."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(agents):
            group.start_soon(run)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return Figure(
        what, agents, round(wall, 3), round(cpu * 1000 / agents, 3), round(wall / (one or wall), 2)
    )


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def server() -> Generator[int]:
    """The scripted server as a process; its port."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as script:
        json.dump([{**answer, "delay": SECONDS_A_CALL} for answer in SCRIPT], script)
        script.flush()
        command = [sys.executable, str(ROOT / "tests/model_server.py"), "--by-turn"]
        with subprocess.Popen(
            [*command, "--script", script.name], stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield int(process.stdout.readline() if process.stdout else "0")
            finally:
                process.terminate()


async def compare(port: int, sizes: list[int]) -> list[Figure]:
    """All figures of one run."""
    figures: list[Figure] = []
    base = f"http://127.0.0.1:{port}/v1"
    connector = aiohttp.TCPConnector(limit=0)
    async with open_client() as client, aiohttp.ClientSession(connector=connector) as session:
        for wire in WIRES:
            provider = Provider("local", "Local", base, wire)
            choice = ModelChoice(provider, "m", Source("<benchmark>"))
            model = open_model(choice, env={}, client=client)
            bodies = bodies_of(wire, provider)
            url = f"{base}/{PATHS[wire]}"
            runs: dict[str, Callable[[], Coroutine[None, None, None]]] = {
                f"{wire}, bare aiohttp": lambda u=url, b=bodies: bare_agent(session, u, b),
                f"{wire}, codexd": lambda m=model: hosted_agent(m),
            }
            for what, run in runs.items():
                await run()
                one = await measured(what, 1, run, None)
                figures.append(one)
                for agents in sizes:
                    figures.append(await measured(what, agents, run, one.wall_seconds))  # noqa: PERF401  (one after the other)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, nargs="*", default=[100, 500])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with server() as port:
        figures = asyncio.run(compare(port, given.agents))
    if given.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    print(f"{'':28}{'agents':>8}{'wall s':>9}{'× one':>8}{'CPU ms an agent':>18}")
    for f in figures:
        print(
            f"{f.what:28}{f.agents:8}{f.wall_seconds:9.2f}{f.wall_of_one:8.2f}{f.cpu_ms_an_agent:18.2f}"
        )


if __name__ == "__main__":
    main()
