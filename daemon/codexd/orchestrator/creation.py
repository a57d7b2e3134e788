"""An agent from a description: made by the model in force in a run of its own, or by a rule."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.export import to_yaml
from codexd.agents.generation import definition_from_answer, generation_prompt, nearest_rule
from codexd.agents.toolnames import BUILT_IN
from codexd.errors import BadDefinition, BadRequest, NeedsModel, Source
from codexd.orchestrator import consent
from codexd.orchestrator.verbs import Ask, CreateAgent, CreatedAgent
from codexd.policy import Layer
from codexd.runs import start
from codexd.runs.events import ChildSpec
from codexd.runs.host import Host
from codexd.runs.seat import Seat
from codexd.runs.view import RunView, Status


@dataclass(frozen=True, slots=True)
class Made:
    """An agent that did not exist before."""

    definition: AgentDefinition
    shown: CreatedAgent
    rest: int | None
    """What is left of the budget asked for, after its making."""


async def create(
    request: CreateAgent,
    host: Host,
    ask: Ask | None,
    drive: Callable[[Seat], Awaitable[RunView]],
) -> Made:
    """The agent that `request.prompt` describes. Raises `NeedsModel`, `BadDefinition`, `Denied`."""
    if not request.prompt.strip():
        raise BadRequest("the description of the agent is empty")
    if host.config.model.provider is None:
        rule = nearest_rule(request.prompt, host.registry())
        if rule is None:
            raise NeedsModel(
                "making this agent needs a language model: no built-in agent is near enough",
                help="name one with -m PROVIDER/MODEL; `codexd agents list` shows what rules have",
            )
        return _made(rule, f"the built-in {rule.name}", request.budget)
    generator = _generator()
    await consent.obtain(host, [generator], ask)
    budget = request.budget if request.budget is not None else host.config.default_budget
    seat = start.root_of(
        start.Order(
            definition=generator,
            spec=ChildSpec(agent=generator.name, goal=request.prompt, budget=budget),
        ),
        host,
    )
    view = await drive(seat)
    rest = max(0, budget - view.spent)
    if view.status is not Status.COMPLETED:
        raise BadDefinition(f"no agent was made: {view.reason or view.status}", (), help=view.help)
    definition, remarks = definition_from_answer(
        json.dumps(view.data) if view.data is not None else view.summary,
        description=request.prompt,
        max_budget=rest,
    )
    errors = tuple(remark for remark in remarks if remark.severity == "error")
    if errors:
        raise BadDefinition(f"the agent that was made is not sound: {errors[0].message}", errors)
    return _made(definition, "the model", rest if request.budget is not None else None)


def save(made: Made, root: Path) -> Path:
    """Write `.codex/agents/NAME.yaml`. Raises `BadRequest` where that name is taken."""
    folder = root / ".codex" / "agents"
    path = folder / f"{made.definition.slug}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        raise BadRequest(
            f"{path} is already there", help="rename it, or leave --save out"
        ) from None
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(made.shown.yaml)
        file.flush()
        os.fsync(file.fileno())
    return path


def _made(definition: AgentDefinition, origin: str, rest: int | None) -> Made:
    shown = CreatedAgent(name=definition.slug, yaml=to_yaml(definition), origin=origin)
    return Made(definition, shown, rest)


def _generator() -> AgentDefinition:
    """The agent that makes agents: it may do nothing but answer."""
    system, _ = generation_prompt("", BUILT_IN)
    source = Source("<built in>")
    nothing = Layer(name="agent agent-create", source=source, read=(), write=(), exec=(), net=())
    return AgentDefinition(
        name="agent-create",
        source=source,
        dialect="yaml",
        instructions=system,
        policy=nothing,
    )
