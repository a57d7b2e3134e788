"""Random trees of runs through the real loop: no limit is passed, nothing is lost or left over.

The model is a real one, of rules: what it answers follows from a seed, the goal of the
conversation and its length, so that a tree goes the same way however its runs take turns.
"""

import random
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.house import agent, result

from codexd.config import load
from codexd.errors import CutStream, ModelFault, NeedsModel, RateLimited, Unavailable
from codexd.models import Answer, Request, Stop, ToolCall, Usage, bounds, digest
from codexd.models.interface import OnText
from codexd.orchestrator.opening import open_host
from codexd.runs import start
from codexd.runs.events import Answered, Begun, ChildSpec, Done, Event, Lost, Noted, decode, encode
from codexd.runs.host import Host
from codexd.runs.journal import open_journal
from codexd.runs.ledger import Account
from codexd.runs.loop import drive
from codexd.runs.run import replay
from codexd.runs.seat import Cancel, Opened, Seat
from codexd.runs.slots import Slots
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio

N_SLOTS = 2
GOALS = ("look", "split", "dig")
BIG = "word " * 1_600


def said(request: Request) -> int:
    """Bytes of the conversation: what the worst of tokenizers counts."""
    return bounds.utf8(request.system) + sum(bounds.of_item(item) for item in request.items)


@dataclass(frozen=True)
class FlatPrice:
    """Dearer for output, as prices are, and something for the call itself."""

    input: int = 2
    output: int = 7
    call: int = 11

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        return self.input * input_tokens + self.output * output_tokens + self.call

    def cost(self, usage: Usage) -> int:
        return self.bound(usage.input - usage.cached, usage.output)


@dataclass
class Rules:
    """A model whose answers follow from a seed. It counts a token a byte."""

    seed: int
    name: str = "test/rules"
    host: str = ""
    caps_output: bool = True
    reports_usage: bool = True
    exact: bool = False
    window: int | None = None
    trouble: float = 0.3
    """How often something goes wrong."""
    lies: bool = True
    """Whether it ever counts what cannot be."""
    seats: dict[str, Seat] = field(default_factory=dict[str, Seat])
    wrong: list[str] = field(default_factory=list[str])
    n_calls: int = 0
    stop_at: int = 0
    """At which call whoever runs the tree cancels it."""

    def wanted_output(self, request: Request) -> int:
        return 64 if request.lightweight else 300

    def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
        if settled is not None:
            return bounds.of_growth(request, settled)
        return said(request) + bounds.ITEM_FRAMING

    async def count_input(self, request: Request) -> int | None:
        rng = self._rng(request)
        match rng.randrange(4):
            case 0:
                return None
            case 1:
                raise RateLimited("counting is limited")
            case _:
                return said(request)

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        asked = digest(request)
        flying = [(seat, b) for seat in self.seats.values() for b in seat.run.in_flight]
        mine = [(seat, begun) for seat, begun in flying if begun.digest == asked]
        # What is wrong here must not pass for a fault of the model.
        if not mine:
            self.wrong.append("an intent is committed first")
        for seat, begun in mine:
            tokens, money = seat.holds[begun.act]
            if tokens.n != begun.reserved or (money and money.n != begun.reserved_micro_usd):
                self.wrong.append("what is reserved is what was journalled")
        self.n_calls += 1
        rng = self._rng(request)
        for _ in range(rng.randrange(6)):
            await anyio.lowlevel.checkpoint()
        if self.n_calls == self.stop_at:
            root = next(iter(self.seats.values()))
            root.inbox.put(Cancel(Status.CANCELLED, "enough"))
            if rng.random() < 0.7:
                await anyio.sleep_forever()
        on_text("…")
        if rng.random() < self.trouble:
            self._fail(rng)
        answer = self._answer(request, rng)
        text = answer.text + "".join(c.arguments for c in answer.calls)
        output = min(request.max_output, bounds.utf8(text))
        honest = Usage(said(request), output, cached=rng.randint(0, 50))
        return Answer(answer.text, answer.calls, (), answer.stop, self._told(honest, rng), "rules")

    def _rng(self, request: Request) -> random.Random:
        return random.Random(f"{self.seed} {request.brief.goal} {len(request.items)}")

    def _fail(self, rng: random.Random) -> None:
        match rng.randrange(6):
            case 0 | 1:
                raise CutStream("cut", billed=True)
            case 2:
                raise RateLimited("not now")
            case 3:
                raise NeedsModel("rules have no answer")
            case 4:
                raise ModelFault("odd", billed=rng.random() < 0.5)
            case _:
                raise RuntimeError("a bug in a wire")

    def _told(self, honest: Usage, rng: random.Random) -> Usage | None:
        if rng.random() >= self.trouble:
            return honest
        if not self.lies:
            return None
        match rng.randrange(6):
            case 0 | 1:
                return None
            case 2:
                return Usage(honest.input + rng.randint(1, 5_000), honest.output)
            case 3:
                return Usage(honest.input, honest.output + rng.randint(1, 5_000))
            case 4:
                return Usage(-5, honest.output)
            case _:
                return Usage(10 ** rng.choice([12, 25, 400]), 1)

    def _answer(self, request: Request, rng: random.Random) -> Answer:
        goal = request.brief.goal
        depth = goal.count("/")
        n = len(request.items)
        calls: list[tuple[str, str]] = []
        for i in range(rng.randrange(4)):
            kind = rng.randrange(8)
            if kind <= 1 and depth < 3:
                budget = rng.choice(["", ', "budget": 0', f', "budget": {rng.randint(1, 9_000)}'])
                name = rng.choice(["boss", "worker", "nobody"])
                calls.append(
                    ("delegate", f'{{"agent": "{name}", "goal": "{goal}/{n}.{i}"{budget}}}')
                )
            elif kind == 2:
                path = rng.choice(["out/x.txt", "a.txt"])
                calls.append(("write_file", f'{{"path": "{path}", "content": "{n}"}}'))
            elif kind == 3:
                calls.append(("report_finding", '{"path": "a.txt", "line": 1, "message": "m"}'))
            elif kind == 4:
                calls.append((rng.choice(["read_file", "nonsense"]), "{broken"))
            else:
                path = rng.choice(["a.txt", "big.txt", "gone.txt", "../up"])
                calls.append(("read_file", f'{{"path": "{path}"}}'))
        if calls and n < 12 and not (request.lightweight and rng.random() < 0.5):
            ids = [rng.choice([f"c{n}.{i}", f"c{n}", ""]) for i in range(len(calls))]
            asked = [ToolCall(i, *call) for i, call in zip(ids, calls, strict=True)]
            return Answer("", tuple(asked), stop=Stop.TOOL_CALLS)
        match rng.randrange(8):
            case 0:
                return Answer("", stop=Stop.MAX_OUTPUT)
            case 1:
                return Answer("no", stop=Stop.REFUSED)
            case 2:
                return Answer("plain words")
            case 3:
                return Answer("")
            case _:
                return Answer(result())


@asynccontextmanager
async def hosted(folder: Path) -> AsyncGenerator[Host]:
    """A host with two agents; its model is still to be set."""
    workspace, home = folder / "workspace", folder / "home"
    agents = workspace / ".codex" / "agents"
    agents.mkdir(parents=True)
    (home / ".codex").mkdir(parents=True)
    for name, tools in (("boss", "delegate, read_file"), ("worker", "read_file")):
        text = agent(name, tools=f"{tools}, report_finding, write_file", write="./out")
        (agents / f"{name}.yaml").write_text(text)
    (workspace / "a.txt").write_text("alpha\n")
    (workspace / "big.txt").write_text(BIG)
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    config = replace(load(workspace, env=env), journal_hold_seconds=0)
    with open_journal(config.folders.state, config.folders.data / "journal.key") as journal:
        async with open_host(config, env, journal) as (host, _):
            yield host


def order(host: Host, rng: random.Random, *, budget: int | None = None) -> start.Order:
    name = rng.choice(["boss", "boss", "worker"])
    return start.Order(
        definition=host.registry().find(name),
        spec=ChildSpec(agent=name, goal=f"{rng.choice(GOALS)}{rng.random()}", budget=budget),
        budget_micro_usd=rng.choice([None, None, rng.randint(0, 100_000)]),
    )


def planted(host: Host, rng: random.Random) -> Seat:
    """A random tree, ready to be driven."""
    if rng.random() < 0.4:
        return start.root_of(order(host, rng, budget=rng.choice([0, 900, 9_000, 60_000])), host)
    orders = [order(host, rng, budget=rng.randint(0, 30_000)) for _ in range(rng.randint(1, 4))]
    return start.group_of(
        orders,
        host,
        total_budget=rng.choice([None, rng.randint(0, 60_000)]),
        budget_micro_usd=rng.choice([None, rng.randint(0, 300_000)]),
        deadline_seconds=None,
    )


def below(seat: Seat) -> Iterator[Seat]:
    """The seat and all under it."""
    yield seat
    for child in seat.children:
        yield from below(child)


def check_now(host: Host, run: str) -> None:
    """What holds of places and of a run's accounts at every moment."""
    busy = [
        seat
        for seat in host.seats.values()
        if any(b.what != "child" and b.act in seat.scopes for b in seat.run.in_flight)
    ]
    assert all(seat.has_slot for seat in busy)
    assert len(busy) <= N_SLOTS
    seat = host.seats[run]
    assert seat.has_slot or all(begun.what == "child" for begun in seat.run.in_flight)
    for account in (seat.account, seat.money):
        while account is not None and not account.closed:
            # Above the top of the tree a provider's overrun may have gone; nothing else may.
            assert account.held >= 0
            assert account.spent >= 0
            account = account.up


def overrun(events: list[Event]) -> tuple[int, int]:
    """By how much settled calls passed their reservations: tokens, micro-dollars."""
    begun = {e.body.act: e.body for e in events if isinstance(e.body, Begun)}
    tokens = micro = 0
    for event in events:
        if isinstance(event.body, Answered | Lost):
            held = begun[event.body.act]
            tokens += max(0, event.body.charged - held.reserved)
            micro += max(0, event.body.charged_micro_usd - held.reserved_micro_usd)
    return tokens, micro


def is_settled(account: Account | None, *, top: bool) -> bool:
    """Whether nothing is held or open any more."""
    return account is None or (
        account.held == 0 and account.n_open == 0 and (top or account.closed)
    )


def check_end(root: Seat, host: Host, *, lies: bool) -> None:
    """What holds of a tree that has ended."""
    seats = list(below(root))
    spent = {seat.run.id: 0 for seat in seats}
    for seat in reversed(seats):
        events = host.journal.all_events(seat.run.id)
        assert replay(events) == seat.run, "the journal says what was seen live"
        for event in events:
            part = encode(event.body)
            assert decode(part.kind, part.v, part.facts, part.content) == event.body
        assert seat.run.ended, "every run that began has ended"
        assert not seat.run.in_flight
        outcomes = [e.body for e in events if isinstance(e.body, Answered | Lost)]
        own = sum(body.charged for body in outcomes)
        reserved = {e.body.act: e.body.reserved for e in events if isinstance(e.body, Begun)}
        for body in outcomes:
            if isinstance(body, Lost) or body.fault in ("CutStream", "Crash"):
                assert body.charged == reserved[body.act], "what may be owed is charged in full"
        acts = [e.body.act for e in events if isinstance(e.body, Begun)]
        ends = [e.body.act for e in events if isinstance(e.body, Answered | Lost | Done)]
        assert sorted(acts) == sorted(act for act in ends if act), "each act ends once"
        whole = own + sum(spent[child.run.id] for child in seat.children)
        spent[seat.run.id] = whole
        assert seat.account.spent == whole == seat.run.spent == seat.run.ended.spent
        journalled = [overrun(host.journal.all_events(one.run.id)) for one in below(seat)]
        assert whole <= seat.run.started.budget + sum(tokens for tokens, _ in journalled)
        if seat.money is not None:
            limit = seat.run.started.budget_micro_usd
            assert limit is not None
            assert seat.money.spent == seat.run.spent_micro_usd
            assert seat.money.spent <= limit + sum(micro for _, micro in journalled)
        tokens, micro = overrun(events)
        if not lies:
            assert (tokens, micro) == (0, 0), "who counts rightly never passes a reservation"
        if tokens or (micro and seat.money is not None):
            notes = [e.body.what for e in events if isinstance(e.body, Noted)]
            assert "overrun" in notes
            assert seat.run.ended.status is not Status.COMPLETED
        assert is_settled(seat.account, top=seat is root)
        assert is_settled(seat.money, top=seat.money is None or seat.money.up is None)
        kept = (seat.requests, seat.calls, seat.holds, seat.scopes, seat.changes)
        assert not any(kept)
    assert root.account.calls.in_flight == 0


async def one_tree(host: Host, seed: int) -> Seat:
    """A tree, driven to its end and checked."""
    rng = random.Random(seed)
    model = Rules(
        seed,
        trouble=rng.choice([0.0, 0.1, 0.4]),
        lies=rng.random() < 0.5,
        window=rng.choice([None, None, 4_000]),
        stop_at=rng.choice([0, 0, rng.randint(1, 8)]),
    )
    price = rng.choice([FlatPrice(), FlatPrice(0, 0, 0), FlatPrice(1, 1, 0), FlatPrice(3, 0, 0)])
    light = Rules(seed + 1, name="test/light", lies=model.lies, trouble=model.trouble)
    opened = Opened(model, price, billed=True)
    small = rng.choice([None, Opened(light, price, billed=True)])
    host.open_model = lambda _definition: opened
    host.light_model = lambda: small
    host.bound_factor.clear()
    host.seats.clear()
    model.seats = light.seats = host.seats
    host.slots = Slots(N_SLOTS)
    root = planted(host, rng)
    host.publish = lambda run, _kind: check_now(host, run)
    with anyio.fail_after(5):
        await drive(root, host)
    check_end(root, host, lies=model.lies)
    assert model.wrong + light.wrong == []
    free = [host.slots.take(lambda: None) for _ in range(N_SLOTS + 1)]
    assert free == [True] * N_SLOTS + [False], "every place is free again"
    return root


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_trees_keep_their_limits_and_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    async def one() -> None:
        async with hosted(tmp_path_factory.mktemp("tree")) as host:
            await one_tree(host, seed)
            assert host.journal.verify()[0] == []

    anyio.run(one)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), at=st.integers(1, 6))
def test_a_journal_that_fails_ends_the_tree_and_frees_its_places(
    tmp_path_factory: pytest.TempPathFactory, seed: int, at: int
) -> None:
    async def one() -> None:
        async with hosted(tmp_path_factory.mktemp("tree")) as host:
            model = Failing(seed, trouble=0.0, host_=host, fail_at=at)
            host.open_model = lambda _definition: Opened(model, FlatPrice(), billed=True)
            host.slots = Slots(N_SLOTS)
            model.seats = host.seats
            root = planted(host, random.Random(seed))
            with anyio.fail_after(20):
                if await failed(root, host):
                    assert model.n_calls_after == 0, "nothing more is begun"
                    assert not root.run.ended
                await host.journal._ask(roomy)  # pyright: ignore[reportPrivateUsage]
            for seat in below(root):
                assert replay(host.journal.all_events(seat.run.id)) in (seat.run, None)
                assert not any((seat.requests, seat.calls, seat.holds, seat.scopes))
            assert root.account.calls.in_flight == 0
            assert host.journal.verify()[0] == []
            assert [host.slots.take(lambda: None) for _ in range(N_SLOTS)] == [True] * N_SLOTS

    anyio.run(one)


async def failed(root: Seat, host: Host) -> bool:
    try:
        await drive(root, host)
    except Unavailable as fault:
        return "full" in str(fault)
    return False


def crammed(db: sqlite3.Connection) -> None:
    """No page more: as on a disk that is full."""
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")


def roomy(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA max_page_count = 1000000")


@dataclass
class Failing(Rules):
    """Fills the disk at one of its calls, with an answer that finds no room any more."""

    host_: Host | None = None
    fail_at: int = 1
    has_failed: bool = False
    n_calls_after: int = 0

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        self.n_calls_after += self.has_failed
        answer = await super().stream(request, on_text)
        if self.n_calls == self.fail_at and self.host_ is not None:
            await self.host_.journal._ask(crammed)  # pyright: ignore[reportPrivateUsage]
            return replace(answer, text="x" * 200_000)
        return answer
