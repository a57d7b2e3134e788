"""An agent from a description: made by the model in force in a run of its own, or by a rule."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from codexd.agents.definition import AgentDefinition
from codexd.agents.export import to_yaml
from codexd.agents.generation import definition_from_answer, generation_prompt, nearest_rule
from codexd.agents.toolnames import BUILT_IN
from codexd.errors import BadDefinition, BadRequest, ModelFault, NeedsModel, Source, ToolFault
from codexd.orchestrator import consent
from codexd.orchestrator.verbs import Ask, CreateAgent, CreatedAgent, micro_usd
from codexd.policy import Grant, Layer
from codexd.policy.writing import write_bytes
from codexd.runs import start
from codexd.runs.events import Body, ChildSpec
from codexd.runs.host import Host
from codexd.runs.seat import Seat
from codexd.runs.view import RunView, Status


@dataclass(frozen=True, slots=True)
class Made:
    """An agent that did not exist before, and the run that it is to begin with."""

    definition: AgentDefinition
    shown: CreatedAgent
    first: start.Order
    """Its run, with what its making left of the budget, the money and the time."""
    consent: Sequence[Body] = ()


async def create(
    request: CreateAgent,
    host: Host,
    ask: Ask | None,
    drive: Callable[[Seat], Awaitable[RunView]],
) -> Made | RunView:
    """The agent that `request.prompt` describes; the run of its making where that did not
    complete. Raises `NeedsModel`, `Denied`, `ModelFault` where an answer holds no agent.
    """
    if not request.prompt.strip():
        raise BadRequest("the description of the agent is empty")
    if host.config.model.is_offline:
        rule = nearest_rule(request.prompt, host.registry())
        if rule is None:
            raise NeedsModel(
                "making this agent needs a language model: no built-in agent is near enough",
                help="name one with -m PROVIDER/MODEL; `codexd agents list` shows what rules have",
            )
        # Its own goal: the description is of an agent to make, and not of what that is to do.
        return _made(rule, f"the built-in {rule.name}", request)
    generator, schema = _generator()
    allowed = await consent.obtain(host, [generator], ask)
    budget = host.config.default_budget if request.budget is None else request.budget
    spec = ChildSpec(
        agent=generator.name,
        goal=request.prompt,
        budget=budget,
        deadline_seconds=request.deadline_seconds,
    )
    order = start.Order(
        definition=generator,
        spec=spec,
        budget_micro_usd=micro_usd(request.budget_usd),
        data_schema=schema,
    )
    making = await drive(start.root_of(order, host, consent=allowed))
    if making.status is not Status.COMPLETED:
        return making
    definition = _definition(making, request.prompt, max_budget=max(0, budget - making.spent))
    return _made(definition, "the model", request, making=making, consent=allowed)


def save(made: Made, host: Host) -> None:
    """Write `.codex/agents/NAME.yaml`. Raises `BadRequest` where that name is taken."""
    slug, root = made.definition.slug, host.config.workspace.root
    path = f".codex/agents/{slug}.yaml"
    for entry in host.registry().entries:
        if entry.slug == slug and entry.origin != "built-in":
            raise _taken(slug, str(entry.path))
    # The one write that is granted: the path in full, so that nothing else is reached through it.
    source = Source("<command line>")
    layer = Layer(name="agent-create --save", source=source, write=(Grant(path, source),))
    content = made.shown.yaml.encode()
    try:
        write_bytes(root, (layer,), path, content, expect_before=None)
    except ToolFault as fault:
        raise _taken(slug, str(root / path)) from fault


def _taken(slug: str, path: str) -> BadRequest:
    return BadRequest(
        f"an agent named `{slug}` is there already: {path}",
        help="move that file away, or leave --save out; the agent made is shown above",
    )


def _definition(making: RunView, description: str, *, max_budget: int) -> AgentDefinition:
    """The agent in the result of its making."""
    data = making.data
    text = data if isinstance(data, str) else json.dumps(data)
    try:
        definition, remarks = definition_from_answer(
            making.summary if data is None else text, description=description, max_budget=max_budget
        )
    except BadDefinition as fault:
        raise ModelFault(f"no agent was made: {fault}", help=fault.help) from fault
    errors = [remark for remark in remarks if remark.severity == "error"]
    if errors:
        raise ModelFault(f"the agent that was made is not sound: {errors[0].message}")
    return definition


def _made(
    definition: AgentDefinition,
    origin: str,
    request: CreateAgent,
    *,
    making: RunView | None = None,
    consent: Sequence[Body] = (),
) -> Made:
    budget, micro = request.budget, micro_usd(request.budget_usd)
    seconds = request.deadline_seconds
    if making is not None:
        budget = None if budget is None else max(0, budget - making.spent)
        micro = None if micro is None else max(0, micro - round((making.spent_usd or 0) * 1e6))
        seconds = None if seconds is None else max(0.0, seconds - making.seconds)
    if budget is not None and definition.max_tokens is not None:
        budget = min(budget, definition.max_tokens)
    spec = ChildSpec(
        agent=definition.name,
        goal=request.goal,
        budget=budget,
        deadline_seconds=seconds,
    )
    return Made(
        definition=definition,
        shown=CreatedAgent(name=definition.slug, yaml=to_yaml(definition), origin=origin),
        first=start.Order(definition=definition, spec=spec, budget_micro_usd=micro),
        consent=consent,
    )


def _generator() -> tuple[AgentDefinition, dict[str, Any]]:
    """The agent that makes agents, which may do nothing but answer; what its `data` is to be."""
    system, schema = generation_prompt("", BUILT_IN)
    source = Source("<built in>")
    nothing = Layer(name="agent agent-create", source=source, read=(), write=(), exec=(), net=())
    generator = AgentDefinition(
        name="agent-create",
        source=source,
        dialect="yaml",
        instructions=system,
        policy=nothing,
    )
    return generator, schema
