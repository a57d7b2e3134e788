"""How a run comes to be: its definition, budget, policy and tools, checked before it begins."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, cast

from pydantic_core import from_json, to_json

from codexd.agents.definition import AgentDefinition
from codexd.errors import BadRequest, BudgetExceeded, Denied
from codexd.policy import Grant, Layer
from codexd.runs import ledger
from codexd.runs.context import system_prompt
from codexd.runs.events import Approved, Body, ChildSpec, Driven, Started
from codexd.runs.host import Host
from codexd.runs.ledger import Account
from codexd.runs.run import begin
from codexd.runs.seat import Opened, Seat
from codexd.tools import Tool
from codexd.tools.table import offered, schema_of

HOSTED = "hosted model"
"""What is asked for and approved where a run's model stands on another machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted of one agent, before anything was checked."""

    definition: AgentDefinition
    spec: ChildSpec
    budget_micro_usd: int | None = None
    artifacts: tuple[str, ...] | None = None
    """The declared artifacts as this run is to write them; `None`: as declared."""
    data_schema: dict[str, Any] | None = None
    """What the `data` of its result is to be, as JSON Schema; `None`: free."""


def root_of(order: Order, host: Host, *, consent: Sequence[Body] = ()) -> Seat:
    """A root run, ready to be driven. Raises `Rejected` where it may not begin."""
    account = ledger.open_root(budget_of(order, host))
    money = _money_root(order.budget_micro_usd)
    return _seat(order, host, parent=None, account=account, money=money, extra=consent)


def group_of(
    orders: Sequence[Order],
    host: Host,
    *,
    total_budget: int | None,
    budget_micro_usd: int | None,
    deadline_seconds: float | None,
    consent: Sequence[Body] = (),
) -> Seat:
    """A run without a model whose acts are its children, each checked before any begins."""
    orders = [_without_secrets(order, host) for order in orders]
    budgets = [budget_of(order, host) for order in orders]
    limit = sum(budgets) if total_budget is None else total_budget
    if limit < 0:
        raise BadRequest(f"a total budget of {limit} is below zero")
    account = ledger.open_root(limit)
    money = _money_root(budget_micro_usd)
    run_id = _new_id()
    started = Started(
        root=run_id,
        goal=host.redact("; ".join(dict.fromkeys(_goal(order) for order in orders))),
        budget=limit,
        budget_micro_usd=budget_micro_usd,
        deadline_seconds=deadline_seconds,
        children=tuple(order.spec for order in orders),
    )
    group = Seat(
        run=begin(run_id, started),
        account=account,
        money=money,
        readers=readers_of(consent),
        opening=(started, *consent, Driven(host=host.journal.host)),
    )
    children: dict[int, Seat] = {}
    artifacts = _own_artifacts([order.definition.artifacts for order in orders])
    for index, (order, budget, own) in enumerate(zip(orders, budgets, artifacts, strict=True)):
        sure = budget if total_budget is None else min(budget, limit // len(orders))
        child = ledger.open_child(account, cap=min(budget, limit), sure=sure)
        assert child is not None, "shares of a limit fit into it"
        children[index] = _child(replace(order, artifacts=own), group, child, host)
    group.prepared = children
    return group


def child_of_group(group: Seat, index: int, host: Host, *, run_id: str | None = None) -> Seat:
    """A child of a group that is taken up again and had not begun it. Raises `CodexdError`."""
    specs = group.run.started.children
    definitions = [host.registry().find(spec.agent) for spec in specs]
    own = _own_artifacts([definition.artifacts for definition in definitions])[index]
    order = Order(definition=definitions[index], spec=specs[index], artifacts=own)
    cap = min(budget_of(order, host), group.account.room)
    return _below(order, group, cap, sure=cap // len(specs), host=host, run_id=run_id)


def child_of(parent: Seat, spec: ChildSpec, host: Host, *, run_id: str | None = None) -> Seat:
    """A child that a running agent delegates to. Raises `CodexdError`, told to its model."""
    if parent.run.started.max_children == 0:
        raise Denied("this agent starts no child runs (max_parallel_tasks is 0)")
    definition = host.registry().find(spec.agent)
    depth = parent.run.started.depth + 1
    deepest = min(
        [host.config.max_depth, *(x.depth for x in _policy_of(parent, host) if x.depth is not None)]
    )
    if depth > deepest:
        raise Denied(f"a run at depth {depth} is deeper than the limit of {deepest} (max_depth)")
    order = Order(definition=definition, spec=spec)
    cap = min(budget_of(order, host), parent.account.room)
    sure = cap if spec.budget is not None else 0
    return _below(order, parent, cap, sure=sure, host=host, run_id=run_id)


def _below(
    order: Order, parent: Seat, cap: int, *, sure: int, host: Host, run_id: str | None
) -> Seat:
    """A child with an allowance of its parent's."""
    account = ledger.open_child(parent.account, cap=cap, sure=sure) if cap > 0 else None
    if account is None:
        raise BudgetExceeded("nothing of the budget is left for a child run")
    return _child(order, parent, account, host, run_id=run_id)


def budget_of(order: Order, host: Host) -> int:
    """The run's limit in tokens. Raises `BadRequest` where more was asked than may be."""
    own = order.definition.max_tokens
    asked = order.spec.budget
    if asked is None:
        return own if own is not None else host.config.default_budget
    if asked < 0:
        raise BadRequest(f"a budget of {asked} is below zero")
    if own is not None and asked > own and not host.config.may_raise_budget:
        source = order.definition.max_tokens_source or order.definition.source
        raise BadRequest(
            f"a budget of {asked:,} is more than the {own:,} of {order.definition.name} ({source})",
            help=f"ask for {own} or less, or raise max_tokens there",
        )
    return asked


def _child(
    order: Order, parent: Seat, account: Account, host: Host, *, run_id: str | None = None
) -> Seat:
    """A child with its accounts, which are closed again where it may not begin."""
    money = _money_root(order.budget_micro_usd)
    if parent.money is not None:
        room = max(0, parent.money.room)
        cap = room if order.budget_micro_usd is None else min(room, order.budget_micro_usd)
        money = ledger.open_child(parent.money, cap=cap, sure=0)
    try:
        return _seat(order, host, parent=parent, account=account, money=money, run_id=run_id)
    except BaseException:
        for opened in (account, money):
            if opened is not None:
                ledger.close(opened)
        raise


def _seat(
    order: Order,
    host: Host,
    *,
    parent: Seat | None,
    account: Account,
    money: Account | None,
    extra: Sequence[Body] = (),
    run_id: str | None = None,
) -> Seat:
    definition, spec = order.definition, order.spec
    opened = host.open_model(definition)
    readers = parent.readers if parent else readers_of(extra)
    if opened.model.host and opened.model.host not in readers:
        raise Denied(
            f"{opened.model.host} was not allowed to read files here",
            help=f"run {definition.name} by itself: then it is asked for",
        )
    light = host.light_model()
    for used in (opened, light):
        if money is not None and used is not None and used.price is None:
            raise BadRequest(
                f"no price is known for {used.model.name}, so a limit in money cannot be kept",
                help="leave --budget-usd out: the limit in tokens holds",
            )
    artifacts = definition.artifacts if order.artifacts is None else order.artifacts
    above = _policy_of(parent, host)
    policy = (*above, _for_artifacts(definition.policy, definition.artifacts, artifacts))
    tools, notes = offered(
        _tools_for(definition, opened),
        shell_allowed=host.config.sandbox == "none",
        web_search=host.config.web_search is not None,
        policy=policy,
    )
    run_id = run_id or _new_id()
    started = Started(
        parent=parent.run.id if parent else None,
        root=parent.run.started.root if parent else run_id,
        depth=parent.run.started.depth + 1 if parent else 0,
        agent=definition.name,
        definition=_stored(definition, host),
        goal=host.redact(_goal(order)),
        scope=spec.scope,
        system=host.redact(system_prompt(definition, project_rules=host.project_rules)),
        tools=tuple(_schema(tool) for tool in tools),
        policy=tuple(_plain(layer) for layer in policy),
        model=opened.model.name,
        billed=opened.billed,
        priced=opened.price is not None and (light is None or light.price is not None),
        window=opened.model.window,
        budget=account.cap,
        budget_micro_usd=money.cap if money else None,
        deadline_seconds=_deadline(spec.deadline_seconds, definition.timeout_seconds, parent),
        criteria=tuple(map(host.redact, definition.success_criteria)),
        artifacts=artifacts,
        data_schema=order.data_schema,
        retention=definition.retention.value,
        max_children=definition.max_parallel_tasks,
        max_turns=definition.max_turns,
        stream_retries=opened.stream_retries,
        notes=tuple(notes),
    )
    return Seat(
        run=begin(run_id, started),
        account=account,
        money=money,
        definition=definition,
        model=opened,
        light=light,
        tools={tool.name: tool for tool in tools},
        context=replace(host.context, policy=policy, scope=spec.scope),
        parent=parent,
        readers=readers,
        opening=(started, *extra, Driven(host=host.journal.host)),
    )


def _tools_for(definition: AgentDefinition, opened: Opened) -> tuple[str, ...]:
    """The definition's tools; rules look through `analyze`, which reads what the agent may."""
    by_rules = opened.by_rules and "read_file" in definition.tools
    return tuple(dict.fromkeys((*definition.tools, *(("analyze",) if by_rules else ()))))


def _policy_of(parent: Seat | None, host: Host) -> tuple[Layer, ...]:
    """The layers above a new run: its parent's, or the ceilings alone."""
    while parent is not None and parent.context is None:
        parent = parent.parent
    return parent.context.policy if parent and parent.context else host.context.policy


def _goal(order: Order) -> str:
    definition = order.definition
    return order.spec.goal or definition.goal or definition.description


def _without_secrets(order: Order, host: Host) -> Order:
    if order.spec.goal is None:
        return order
    spec = order.spec.model_copy(update={"goal": host.redact(order.spec.goal)})
    return replace(order, spec=spec)


def _stored(definition: AgentDefinition, host: Host) -> dict[str, Any]:
    """The definition as plain data, what its author wrote for the model redacted."""
    plain = definition.model_dump(mode="json", exclude_defaults=True)
    return plain | {key: _redacted(plain[key], host) for key in _PROSE & plain.keys()}


_PROSE = frozenset(("description", "goal", "instructions", "success_criteria", "extras"))


def _redacted(value: Any, host: Host) -> Any:
    """Plain data with every text in it redacted."""
    if isinstance(value, str):
        return host.redact(value)
    if isinstance(value, dict):
        return {key: _redacted(each, host) for key, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_redacted(each, host) for each in cast("list[Any]", value)]
    return value


def _deadline(*lengths: float | Seat | None) -> float | None:
    """The shortest of some lengths and of what is left of the parent's."""
    found: list[float] = []
    for length in lengths:
        if isinstance(length, Seat):
            limit = length.run.deadline_seconds
            if limit is not None:
                found.append(max(0.0, limit - length.watch.ms / 1000))
        elif length is not None:
            found.append(length)
    return min(found, default=None)


def _schema(tool: Tool) -> dict[str, Any]:
    told = schema_of(tool)
    return {"name": told.name, "description": told.description, "parameters": told.parameters}


@lru_cache(maxsize=64)  # hundreds of runs of one definition have the same layers
def _plain(layer: Layer) -> dict[str, Any]:
    """The layer as plain data, as it is read again; shared: not to be changed."""
    return from_json(to_json(asdict(layer)))


def _own_artifacts(declared: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each run's artifacts; one that several declare becomes `NAME.<n>.EXT` of each."""
    times = Counter(path for paths in declared for path in set(paths))
    seen: Counter[str] = Counter()
    own: list[tuple[str, ...]] = []
    for paths in declared:
        mine: list[str] = []
        for text in paths:
            if times[text] > 1 and not set("*?[") & set(text):
                seen[text] += 1
                path = PurePosixPath(text)
                mine.append(str(path.with_name(f"{path.stem}.{seen[text]}{path.suffix}")))
            else:
                mine.append(text)
        own.append(tuple(mine))
    return own


def _for_artifacts(layer: Layer, declared: tuple[str, ...], own: tuple[str, ...]) -> Layer:
    """`layer` with the grants of the declared artifacts moved to what this run is to write."""
    if layer.write is None or declared == own:
        return layer
    moved = dict(zip(declared, own, strict=True))
    write = tuple(
        Grant(moved.get(grant.value.removeprefix("./"), grant.value), grant.source)
        for grant in layer.write
    )
    return replace(layer, write=write)


def _money_root(limit: int | None) -> Account | None:
    return None if limit is None else ledger.open_root(limit)


def _new_id() -> str:
    return secrets.token_hex(6)


def readers_of(bodies: Iterable[Body]) -> frozenset[str]:
    """The hosts that were allowed to read files, as events say."""
    return frozenset(
        body.subject for body in bodies if isinstance(body, Approved) and body.what == HOSTED
    )
