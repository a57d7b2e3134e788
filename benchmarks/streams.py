"""What a hosted model costs beside a bare client, on each wire.

    python benchmarks/streams.py [--rounds 3] [--json FILE]

Each agent makes two streaming calls, one after the other, to the scripted server in a process of
its own; each call takes 200 ms there. No run, no journal: the model alone. The baseline is
aiohttp with ready bodies; each ratio is to one agent of the same round.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from _report import Figure, arguments, tell
from _server import TIMED, bare_agent, bare_session, serving
from codexd.config import ModelChoice, Provider
from codexd.config.settings import WireApi
from codexd.errors import Source
from codexd.models import (
    Answer,
    Brief,
    Model,
    Request,
    ToolCall,
    ToolReply,
    ToolSchema,
    UserText,
)
from codexd.models.providers import open_client, open_model

N = 500
SCRIPT: list[dict[str, Any]] = [
    {
        "text": "I look at the file first. " * 4,
        "calls": [{"name": "read", "arguments": '{"p": 1}'}],
        **TIMED,
    },
    {"text": "It has two bugs, on one line. " * 6, **TIMED},
]
TOOLS = tuple(
    ToolSchema(f"tool_{i}", "does something useful", {"type": "object", "properties": {}})
    for i in range(8)
)
SYSTEM = "You review code. " * 60
RESULT = "a line of a file\n" * 100
PATHS: dict[WireApi, str] = {
    "responses": "responses",
    "chat": "chat/completions",
    "messages": "messages",
}


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


def bodies_of(wire: WireApi, provider: Provider) -> list[bytes]:
    """The bodies of both calls, as our own model would send them."""
    from codexd.models.providers import _wire  # pyright: ignore[reportPrivateUsage]
    from codexd.models.wire import Target

    first = Answer(str(SCRIPT[0]["text"]), (ToolCall("call_0_0", "read", '{"p": 1}'),))
    target = Target(provider, "m")
    requests = request(), request(first, ToolReply("call_0_0", "read", RESULT))
    return [json.dumps(_wire(provider).body(asked, target)).encode() for asked in requests]


async def compare(rounds: int) -> list[Figure]:
    """The figures of all wires, ours and bare."""
    samples: defaultdict[str, list[float]] = defaultdict(list)
    with serving(SCRIPT) as port:
        base = f"http://127.0.0.1:{port}/v1"
        async with open_client() as client, bare_session() as session:
            for wire, path in PATHS.items():
                provider = Provider("local", "Local", base, wire)
                choice = ModelChoice(provider, "m", Source("<benchmark>"))
                model = open_model(choice, env={}, client=client)
                url, bodies = f"{base}/{path}", bodies_of(wire, provider)
                works: dict[str, Callable[[], Coroutine[None, None, None]]] = {
                    f"{wire}, codexd": lambda m=model: hosted_agent(m),
                    f"{wire}, bare aiohttp": lambda u=url, b=bodies: bare_agent(session, u, b),
                }
                for _ in range(rounds):
                    for what, work in works.items():
                        one, _ = await timed(work, 1)
                        wall, cpu = await timed(work, N)
                        samples[f"{what}: {N}, wall of one"].append(wall / one)
                        samples[f"{what}: CPU an agent"].append(cpu * 1000 / N)
    return [Figure(name, "ms" if "CPU" in name else "×", found) for name, found in samples.items()]


async def timed(work: Callable[[], Coroutine[None, None, None]], n: int) -> tuple[float, float]:
    """(wall seconds, CPU seconds of this process) of `n` agents at once."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(n):
            group.start_soon(work)
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=3)
    figures = anyio.run(compare, asked.rounds)
    tell(f"streams: {N} two-call agents, the model alone", figures, json_path=asked.json)


if __name__ == "__main__":
    main()
