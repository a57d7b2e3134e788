"""How a run is taken up again: its seat, and those of its tree, rebuilt from the journal.

What the journal has is kept: answers are not paid again, acts done are not done again. An act that
began and has no outcome is done again where that changes nothing, counts as done where the
workspace shows that it was, and is lost otherwise. A tree is taken up at its root. There are no
budget rows: each account follows from the events of its run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from pydantic import TypeAdapter, ValidationError

from codexd.agents.definition import AgentDefinition
from codexd.errors import BadRequest, CodexdError, Denied, IllegalMove
from codexd.policy import Layer
from codexd.runs import acts, changes, ledger, start
from codexd.runs.changes import Side
from codexd.runs.events import Begun, Body, Done, Driven, Noted, Unknown
from codexd.runs.host import Host
from codexd.runs.journal import Journal
from codexd.runs.ledger import Account
from codexd.runs.run import Run, fold, replay
from codexd.runs.seat import Seat, Stopwatch
from codexd.runs.view import Status
from codexd.tools import Effect
from codexd.tools.table import offered, parse_arguments

_LAYERS = TypeAdapter(tuple[Layer, ...])


@dataclass(frozen=True, slots=True)
class Tree:
    """A run and all below it, as the journal has them."""

    run: Run
    readers: frozenset[str] = frozenset()
    """The hosts that were allowed to read files for it."""
    children: Mapping[str, Tree] = field(default_factory=dict[str, "Tree"])
    """By id, in the order in which they began."""

    def __iter__(self) -> Iterator[Run]:
        yield self.run
        for child in self.children.values():
            yield from child


@dataclass(frozen=True, slots=True)
class Limits:
    """New totals; `None`: as before."""

    budget: int | None = None
    budget_micro_usd: int | None = None
    deadline_seconds: float | None = None


def read(journal: Journal, run_id: str) -> Tree:
    """The tree below a run. Raises `IllegalMove` where something of it cannot be driven here."""
    events = journal.all_events(run_id)
    newer = next((event.body for event in events if isinstance(event.body, Unknown)), None)
    run = replay(events)
    if run is None or newer is not None:
        raise IllegalMove(
            f"run `{run_id}` was written by a newer codexd{f' ({newer.name})' if newer else ''}",
            help="resume it with that version",
        )
    if run.status is not Status.COMPLETED and any(event.erased for event in events):
        raise IllegalMove(
            f"the conversation of run `{run_id}` was erased, as the store's retention says",
            help="delegate its goal anew",
        )
    children = {child: read(journal, child) for child in journal.children(run_id)}
    return Tree(run, start.readers_of(event.body for event in events), children)


def definition_of(run: Run) -> AgentDefinition | None:
    """The definition that the run began with; `None` of a group. Raises `IllegalMove`."""
    if run.started.definition is None:
        return None
    try:
        return AgentDefinition.model_validate(run.started.definition)
    except ValidationError as fault:
        raise IllegalMove(
            f"what run `{run.id}` began with cannot be read by this version",
            help="resume it with the version that wrote it",
        ) from fault


def check(run: Run, limits: Limits) -> None:
    """Raises `BadRequest` where the run would end at once, and says what it needs."""
    short = run.id[:4]
    if run.status is Status.COMPLETED:
        raise BadRequest(
            f"run `{short}` is completed",
            help="delegate its goal anew to have it done once more",
        )
    budget = run.budget if limits.budget is None else limits.budget
    if budget <= run.spent or (run.status is Status.BUDGET_EXCEEDED and budget <= run.budget):
        raise BadRequest(
            f"run `{short}` has spent {run.spent:,} of its {run.budget:,} tokens",
            help=f"--budget N is its new total, more than {max(run.spent, run.budget):,}",
        )
    seconds = run.deadline_seconds if limits.deadline_seconds is None else limits.deadline_seconds
    if seconds is not None and seconds * 1000 <= run.active_ms:
        raise BadRequest(
            f"run `{short}` has run for {run.active_ms / 1000:.1f} s of {seconds:g} s",
            help="--deadline TIME is its new total of running time",
        )


async def root_again(
    tree: Tree, limits: Limits, host: Host, *, consent: Sequence[Body] = ()
) -> Seat:
    """The seat of a root run, to be driven on. Raises `Rejected` where it may not be."""
    run = tree.run
    limit = run.budget if limits.budget is None else limits.budget
    micro = limits.budget_micro_usd if limits.budget_micro_usd is not None else run.budget_micro_usd

    def accounts(spent: int, spent_micro: int) -> Accounts:
        account = ledger.open_root(limit)
        account.spent = spent
        money = None
        if micro is not None:
            money = ledger.open_root(micro)
            money.spent = spent_micro
        return account, money

    return await _again(tree, limits, host, accounts, parent=None, consent=tuple(consent))


Accounts: TypeAlias = tuple[Account, Account | None]


async def _again(
    tree: Tree,
    limits: Limits,
    host: Host,
    accounts: Callable[[int, int], Accounts],
    *,
    parent: Seat | None,
    consent: tuple[Body, ...] = (),
) -> Seat:
    """The seat of the run, with those below it that go on; `accounts` opens with what is spent."""
    said = [*_settled(tree, host), *consent, _driven(limits, host), *_remarks(tree.run, host)]
    run = fold(tree.run, said)
    account, money = accounts(run.spent, run.spent_micro_usd)
    seat = _seat(tree, host, account, money, parent, readers=start.readers_of(consent))
    below = _Below(tree, run, seat, host, limits)
    for begun in run.in_flight:
        said += await below.taken_up(begun)
    if run.is_group and run.stopping is None:
        await below.prepare()
    seat.opening = tuple(said)
    seat.children = [
        below.made.get(run_id) or _past(child) for run_id, child in tree.children.items()
    ]
    return seat


def _driven(limits: Limits, host: Host) -> Driven:
    return Driven(
        host=host.journal.host,
        budget=limits.budget,
        budget_micro_usd=limits.budget_micro_usd,
        deadline_seconds=limits.deadline_seconds,
    )


def _remarks(run: Run, host: Host) -> Iterator[Noted]:
    began_as = run.started.definition
    if began_as is None:
        return
    file = began_as.get("source", {}).get("file", "its agent file")
    try:
        now = host.registry().find(run.started.agent).model_dump(mode="json", exclude_defaults=True)
    except CodexdError:
        changed = "is gone"
    else:
        if _meaning(now) == _meaning(began_as):
            return
        changed = "was changed since"
    yield Noted(what="resumed", text=f"{file} {changed}; this run goes on as the agent it began as")


def _meaning(value: Any) -> Any:
    """A stored definition without the places where things stand."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return {k: _meaning(v) for k, v in entries.items() if not k.endswith("source")}
    if isinstance(value, list):
        return [_meaning(part) for part in cast("list[Any]", value)]
    return value


def _settled(tree: Tree, host: Host) -> Iterator[Body]:
    """The outcomes of acts that need no look at the workspace."""
    for begun in tree.run.in_flight:
        if begun.what == "model":
            yield acts.lost(begun)
        elif begun.what == "child":
            child = tree.children.get(begun.run)
            if child is not None and child.run.ended is not None:
                yield acts.child_done(begun, child.run, tree.run, host)


def _seat(
    tree: Tree,
    host: Host,
    account: Account,
    money: Account | None,
    parent: Seat | None,
    *,
    readers: frozenset[str],
) -> Seat:
    run, started = tree.run, tree.run.started
    seat = Seat(
        run,
        account,
        money,
        parent=parent,
        readers=parent.readers if parent else tree.readers | readers,
        watch=Stopwatch(before_ms=run.active_ms),
    )
    seat.definition = definition_of(run)
    if seat.definition is None:
        return seat
    layers = _LAYERS.validate_python(started.policy)
    seat.model = host.open_again(started.model, seat.definition)
    reader = seat.model.model.host
    if reader and reader not in seat.readers:
        raise Denied(f"{reader} was not allowed to read files here")
    seat.light = host.light_model()
    # What was narrowed since holds; what was widened since does not.
    policy = (*host.context.policy, *layers)
    seat.context = replace(host.context, policy=policy, scope=started.scope)
    tools, _ = offered(
        [str(tool["name"]) for tool in started.tools],
        shell_allowed=host.config.sandbox == "none",
        web_search=host.config.web_search is not None,
        policy=policy,
    )
    seat.tools = {tool.name: tool for tool in tools}
    return seat


def _past(tree: Tree) -> Seat:
    """A run that is over, in the tree of one that goes on."""
    children = [_past(child) for child in tree.children.values()]
    return Seat(tree.run, ledger.open_root(0), children=children)


@dataclass(slots=True)
class _Below:
    """What a run that goes on had begun, or has still to begin: calls of tools, and child runs."""

    tree: Tree
    run: Run
    """As it is once its opening is committed, but for what is decided here."""
    seat: Seat
    host: Host
    limits: Limits
    made: dict[str, Seat] = field(default_factory=dict[str, Seat])

    async def taken_up(self, begun: Begun) -> list[Body]:
        """What became of the act; nothing where it is done again."""
        if begun.what == "child":
            return await self._child(begun)
        done = None if self.run.stopping else await self._call(begun)
        return [acts.lost(begun)] if done is None else done

    async def _call(self, begun: Begun) -> list[Body] | None:
        """The outcome of a tool call, `[]` where it is done again, `None` where nobody knows."""
        tool = self.seat.tools.get(begun.tool)
        call = next((p.call for p in self.run.pending if p.act == begun.act), None)
        if tool is None or call is None or begun.effect is Effect.OTHER:
            return None
        try:
            arguments = parse_arguments(tool, call.arguments)
            if begun.effect is Effect.FILE_WRITE:
                assert self.seat.context is not None, "a run with tools has a place to use them"
                assert tool.prepare is not None, "what writes files says first which"
                side = await changes.side_of(begun.changes, self.seat.context)
                if side is Side.AFTER:
                    return [_wrote(begun)]
                if side is Side.ELSEWHERE:
                    return None
                await changes.put_back(begun.changes, self.seat.context)
                again = await tool.prepare(arguments, self.seat.context)
                if [changes.sha256(change.after) for change in again] != [
                    change.after_sha256 for change in begun.changes
                ]:
                    return None
                self.seat.changes[begun.act] = again
        except CodexdError:
            return None
        self.seat.calls[begun.act] = (tool, arguments)
        self.seat.again += (begun,)
        return []

    # Child runs.

    async def _child(self, begun: Begun) -> list[Body]:
        tree = self.tree.children.get(begun.run)
        try:
            if tree is not None:
                self.made[begun.run] = child = await self._resumed(tree, sure=begun.allowance)
            else:
                child = self._new(begun)
        except CodexdError as fault:
            text = f"{fault} ({fault.help})" if fault.help else str(fault)
            return [_failed(begun, text)]
        self.seat.child_acts[begun.act] = child
        self.seat.again += (begun,)
        return []

    def _new(self, begun: Begun) -> Seat:
        """A child whose intent is all that there is of it, under the id that it was to have."""
        if not self.run.is_group:
            assert begun.spec is not None, "the intent of a child says what was asked for"
            return start.child_of(self.seat, begun.spec, self.host, run_id=begun.run)
        index = next(i for i, child in enumerate(self.run.children) if child.run == begun.run)
        return start.child_of_group(self.seat, index, self.host, run_id=begun.run)

    async def prepare(self) -> None:
        """Have the children of a group ready that are to begin, or to begin again."""
        begun = {begun.run for begun in self.run.in_flight}
        prepared: dict[int, Seat] = {}
        for index in range(len(self.run.started.children)):
            if index >= len(self.run.children):
                prepared[index] = start.child_of_group(self.seat, index, self.host)
                continue
            child = self.run.children[index]
            tree = self.tree.children.get(child.run)
            if child.status is None and child.run not in begun and tree is not None:
                prepared[index] = await self._resumed(tree, sure=0)
                self.made[child.run] = prepared[index]
        self.seat.prepared = prepared

    async def _resumed(self, tree: Tree, *, sure: int) -> Seat:
        """A child's seat; what of its spending has joined its parent's is not counted again."""
        run, up, up_money = tree.run, self.seat.account, self.seat.money
        known = next((c for c in self.run.children if c.run == run.id), None)
        joined, joined_micro = (known.spent, known.spent_micro_usd) if known else (0, 0)
        limits = self._limits_of(run)
        limit = run.budget if limits.budget is None else limits.budget
        sure += limit - run.budget

        def accounts(spent: int, micro: int) -> Accounts:
            account = ledger.resume_child(
                up, cap=limit - joined, sure=max(0, sure - joined), spent=spent - joined
            )
            money = None
            if up_money is not None:
                money = ledger.resume_child(
                    up_money, cap=up_money.cap, sure=0, spent=micro - joined_micro
                )
            return account, money

        return await _again(tree, limits, self.host, accounts, parent=self.seat)

    def _limits_of(self, child: Run) -> Limits:
        """A child's part of what was added to a group: the same for each that goes on."""
        if not self.run.is_group:
            return Limits()
        going_on = sum(child.status is None for child in self.run.children)
        going_on += len(self.run.started.children) - len(self.run.children)
        added = max(0, self.run.budget - self.tree.run.budget) // max(1, going_on)
        seconds = self.limits.deadline_seconds
        return Limits(
            budget=child.budget + added if added else None,
            deadline_seconds=seconds if child.deadline_seconds is not None else None,
        )


def _wrote(begun: Begun) -> Done:
    """The outcome of a write that the workspace shows was made."""
    paths = [change.path for change in begun.changes]
    return Done(
        act=begun.act,
        call_id=begun.call_id,
        tool=begun.tool,
        text="done before the interruption: " + ", ".join(paths),
        wrote=tuple(change.path for change in begun.changes if change.after_sha256 is not None),
    )


def _failed(begun: Begun, text: str) -> Done:
    """The outcome of a child run that cannot be taken up, or cannot begin any more."""
    return Done(
        act=begun.act,
        call_id=begun.call_id,
        tool="delegate",
        text=text,
        is_error=True,
        run=begun.run,
        status=Status.FAILED,
    )
