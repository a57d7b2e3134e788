"""A whole codexd for a test: a workspace with agents, a home, and a scripted model over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.model_server import Call, ModelServer, Script, Scripted, turns

from codexd.orchestrator import Ask, Delegate, DelegateParallel, Orchestrator, Told
from codexd.runs.events import Body, Event
from codexd.runs.journal import Journal
from codexd.runs.view import RunView

AGENT = """\
name: {name}
goal: Look around.
tools:
  mcp: [{tools}]
  fs: {{read: true, write: [{write}]}}
policies:
  context: {{max_tokens: {budget}, retention: {retention}}}
success_criteria: [{criteria}]
artifacts: [{artifacts}]
"""


def agent(
    name: str,
    *,
    tools: str = "read_file",
    write: str = "",
    budget: int = 100_000,
    retention: str = "permanent",
    criteria: str = "",
    artifacts: str = "",
) -> str:
    """An agent file; lists as YAML has them between brackets."""
    return AGENT.format(
        name=name,
        tools=tools,
        write=write,
        budget=budget,
        retention=retention,
        criteria=criteria,
        artifacts=artifacts,
    )


def result(summary: str = "done", **criteria: str) -> str:
    """A last answer; `criteria` are verdicts by criterion."""
    rows = [
        {"criterion": text, "judged": judged, "evidence": "seen"}
        for text, judged in criteria.items()
    ]
    return json.dumps({"summary": summary, "criteria": rows, "data": None})


def call(name: str, **arguments: Any) -> Call:
    """A tool call."""
    return Call(name, json.dumps(arguments))


def nth_read(n: int) -> Scripted:
    """A call of `read_file`, another one for each `n`."""
    return Scripted(calls=(call("read_file", path="a.txt", limit=1 + n),))


def reading_on(body: dict[str, Any]) -> Scripted:
    """A model that never comes to an end, and yet never makes the same call twice."""
    return nth_read(turns(body))


def by_goal(scripts: Mapping[str, Sequence[Scripted]]) -> Callable[[dict[str, Any]], Scripted]:
    """Answers by the goal of the conversation, each goal's in turn, the last one repeated."""

    def answer(body: dict[str, Any]) -> Scripted:
        first = next(m["content"] for m in body["messages"] if m["role"] == "user")
        goal = str(first).partition("\n")[0]
        answers = scripts[goal]
        return answers[min(turns(body), len(answers) - 1)]

    return answer


@dataclass
class House:
    """What a test has in hand."""

    codexd: Orchestrator
    server: ModelServer
    workspace: Path
    home: Path
    told: list[Told]
    """What was told while requests went on."""

    async def delegate(self, agent: str = "worker", **wanted: Any) -> RunView:
        """One run, to its end."""
        return await self.codexd.delegate(Delegate(agent=agent, **wanted))

    async def together(self, *runs: Delegate, **wanted: Any) -> RunView:
        """Several runs at once, to their end."""
        return await self.codexd.delegate_parallel(DelegateParallel(runs=runs, **wanted))

    @property
    def journal(self) -> Journal:
        """The journal of the workspace."""
        return self.codexd._host.journal  # pyright: ignore[reportPrivateUsage]

    def events(self, run: RunView) -> list[Event]:
        """What the journal has of a run."""
        return self.journal.all_events(run.id)

    def bodies(self, run: RunView, kind: type[Body]) -> list[Any]:
        """The bodies of one kind of event."""
        return [event.body for event in self.events(run) if isinstance(event.body, kind)]


@asynccontextmanager
async def house(
    folder: Path,
    script: Script,
    *agents: str,
    wire: str = "chat",
    config: str = "",
    provider: str = "",
    files: Mapping[str, str] | None = None,
    ask: Ask | None = None,
    model: str | None = None,
    env: Mapping[str, str] | None = None,
    counts_chat: Literal["", "llama.cpp", "vllm"] = "",
    watch: bool = False,
) -> AsyncGenerator[House]:
    """A house of `agents` (files; one `worker` where none is given), the model being `script`.

    `provider` are more lines of its table; they win over ours.
    """
    workspace, home = folder / "workspace", folder / "home"
    (workspace / ".codex" / "agents").mkdir(parents=True, exist_ok=True)
    (home / ".codex").mkdir(parents=True, exist_ok=True)
    for text in agents or (agent("worker"),):
        name = text.split()[1]
        (workspace / ".codex" / "agents" / f"{name}.yaml").write_text(text)
    for path, content in {"a.txt": "alpha\nbeta\n", **(files or {})}.items():
        target = workspace / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    async with ModelServer(script, counts_chat=counts_chat) as server:
        ours = {"base_url": f'"{server.url}"', "request_max_retries": "0"}
        own = provider.partition("[")[0]
        theirs = "\n".join(f"{key} = {ours[key]}" for key in ours if key not in own)
        (home / ".codex" / "codexd.toml").write_text(
            f"""\
model = "small"
model_provider = "scripted"
{config}
[model_providers.scripted]
name = "scripted"
wire_api = "{wire}"
{theirs}
{provider}
"""
        )
        whole = {"HOME": str(home), "PATH": "/usr/bin:/bin", **(env or {})}
        told: list[Told] = []
        async with Orchestrator.open(
            workspace, env=whole, ask=ask, model=model, tell=told.append, watch=watch
        ) as codexd:
            yield House(codexd, server, workspace, home, told)
