"""What runs leave behind where something goes wrong: nothing held, nothing open, nothing unpaid."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import result
from tests.runs.test_trees import FlatPrice, Rules, below, check_end, hosted

from codexd.agents.definition import AgentDefinition
from codexd.errors import BadRequest, CutStream
from codexd.models import Answer, Request, ToolCall, Usage
from codexd.models.interface import OnText
from codexd.runs import start
from codexd.runs.events import Answered, Begun, ChildSpec, Done, Refused
from codexd.runs.host import Host
from codexd.runs.loop import drive
from codexd.runs.seat import Cancel, Opened, Seat
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio

Said = Answer | Exception
DONE = Answer(result("done"), usage=Usage(10, 5))


@dataclass
class Says(Rules):
    """A model that answers each goal's conversation from a list, the last for ever."""

    seed: int = 0
    answers: Mapping[str, Sequence[Said]] | Sequence[Said] = ()

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        answers = self.answers
        if isinstance(answers, Mapping):
            answers = answers[request.brief.goal]
        said = answers[min(self.n_calls_of(request), len(answers) - 1)]
        if isinstance(said, Exception):
            raise said
        return said

    def n_calls_of(self, request: Request) -> int:
        return sum(isinstance(item, Answer) for item in request.items)


def calls(*asked: tuple[str, str], ids: Sequence[str] | None = None) -> Answer:
    """An answer that calls tools."""
    named = ids or [f"c{i}" for i in range(len(asked))]
    made = tuple(ToolCall(id, *call) for id, call in zip(named, asked, strict=True))
    return Answer("", made, usage=Usage(10, 5))


def delegated(agent: str, goal: str, **more: object) -> tuple[str, str]:
    return "delegate", json.dumps({"agent": agent, "goal": goal, **more})


async def ran(
    host: Host,
    model: Rules,
    *,
    agent: str = "boss",
    price: FlatPrice | None = None,
    micro_usd: int | None = None,
    prepare: Callable[[AgentDefinition], AgentDefinition] = lambda definition: definition,
) -> Seat:
    """A run with the goal `look`, driven to its end and checked."""
    host.open_model = lambda _definition: Opened(model, price or FlatPrice(), billed=True)
    order = start.Order(
        definition=prepare(host.registry().find(agent)),
        spec=ChildSpec(agent=agent, goal="look", budget=100_000),
        budget_micro_usd=micro_usd,
    )
    root = start.root_of(order, host)
    with anyio.fail_after(10):
        await drive(root, host)
    check_end(root, host, lies=model.lies)
    return root


def bodies(host: Host, seat: Seat, kind: type[Any]) -> list[Any]:
    return [e.body for e in host.journal.all_events(seat.run.id) if isinstance(e.body, kind)]


async def test_a_cut_stream_is_paid_in_money_too(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        cut = CutStream("cut", billed=True)
        root = await ran(host, Says(answers=[cut]), micro_usd=10**9)
        begun, outcomes = bodies(host, root, Begun), bodies(host, root, Answered)
    assert [o.charged_micro_usd for o in outcomes] == [b.reserved_micro_usd for b in begun]
    assert root.money is not None
    assert root.money.spent == sum(b.reserved_micro_usd for b in begun) > 0


async def test_a_call_without_usage_is_told_at_its_full_price_without_a_limit_too(
    tmp_path: Path,
) -> None:
    async with hosted(tmp_path) as host:
        root = await ran(host, Says(answers=[replace(DONE, usage=None)]))
        begun = bodies(host, root, Begun)[0]
    assert root.run.spent_micro_usd == FlatPrice().bound(begun.bound, begun.cap) > 0


async def test_a_count_that_cannot_be_is_none(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        for usage in (Usage(-5, 10), Usage(10**400, 1), Usage(1, 2**64)):
            root = await ran(host, Says(answers=[replace(DONE, usage=usage)]))
            assert root.run.status is Status.COMPLETED
            assert root.run.uncertain == root.run.spent > 0
        assert host.bound_factor == {}, "nor does it make later calls dearer"


async def test_a_child_refused_its_budget_leaves_its_parent_whole(tmp_path: Path) -> None:
    answers = {
        "look": [calls(delegated("boss", "split")), DONE],
        "split": [calls(delegated("worker", "part", budget=0)), DONE],
    }
    async with hosted(tmp_path) as host:
        root = await ran(host, Says(answers=answers))
        refused = bodies(host, root.children[0], Done)[0]
    assert "nothing of the budget is left" in refused.text
    assert [seat.run.status for seat in below(root)] == [Status.COMPLETED] * 2


async def test_a_child_that_may_not_begin_gives_tokens_and_money_back(tmp_path: Path) -> None:
    answers = {
        "look": [calls(delegated("boss", "split")), DONE],
        "split": [calls(delegated("worker", "part")), DONE],
    }
    async with hosted(tmp_path) as host:
        model = Says(answers=answers)
        elsewhere = Opened(Says(host="elsewhere.example"), FlatPrice(), billed=True)
        here = Opened(model, FlatPrice(), billed=True)

        def opened(definition: AgentDefinition | None) -> Opened:
            return elsewhere if definition and definition.name == "worker" else here

        host.open_model = opened
        order = start.Order(
            definition=host.registry().find("boss"),
            spec=ChildSpec(agent="boss", goal="look"),
            budget_micro_usd=10**9,
        )
        root = start.root_of(order, host)
        await drive(root, host)
        check_end(root, host, lies=True)
        refused = bodies(host, root.children[0], Refused)[0]
    assert "elsewhere.example" in refused.why
    assert [seat.run.status for seat in below(root)] == [Status.COMPLETED] * 2


async def test_a_limit_in_money_of_one_run_of_a_group_holds(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        model = Says(answers=[replace(DONE, usage=Usage(100, 10))])
        host.open_model = lambda _definition: Opened(model, FlatPrice(), billed=True)
        definition = host.registry().find("worker")
        orders = [
            start.Order(
                definition=definition,
                spec=ChildSpec(agent="worker", goal=goal),
                budget_micro_usd=limit,
            )
            for goal, limit in (("free", None), ("poor", 5))
        ]
        group = start.group_of(
            orders, host, total_budget=None, budget_micro_usd=None, deadline_seconds=None
        )
        await drive(group, host)
        check_end(group, host, lies=True)
    assert [child.run.status for child in group.children] == ["completed", "budget_exceeded"]


async def test_a_light_model_without_a_price_keeps_no_limit_in_money(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        host.light_model = lambda: Opened(Says(name="test/light"), None, billed=True)
        with pytest.raises(BadRequest, match="test/light"):
            await ran(host, Says(answers=[DONE]), micro_usd=100)


@pytest.mark.parametrize("ids", [("", ""), ("same", "same")])
async def test_calls_without_ids_of_their_own_get_their_own_replies(
    tmp_path: Path, ids: tuple[str, str]
) -> None:
    reads = [("read_file", '{"path": "a.txt"}'), ("read_file", '{"path": "gone.txt"}')]
    async with hosted(tmp_path) as host:
        root = await ran(host, Says(answers=[calls(*reads, ids=ids), DONE]))
        told = [item.text for item in root.run.items if hasattr(item, "call_id")]
    assert "alpha" in told[0]
    assert "gone.txt" in told[1]


async def test_an_agent_that_starts_no_child_runs_is_told_so(tmp_path: Path) -> None:
    def alone(definition: AgentDefinition) -> AgentDefinition:
        return definition.model_copy(update={"max_parallel_tasks": 0})

    async with hosted(tmp_path) as host:
        model = Says(answers=[calls(delegated("worker", "part")), DONE])
        root = await ran(host, model, prepare=alone)
        refused = bodies(host, root, Refused)[0]
    assert "max_parallel_tasks" in refused.why
    assert root.run.status is Status.COMPLETED


async def test_a_bug_before_an_act_ends_that_run_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Says):
        def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
            if request.brief.goal == "part":
                raise ZeroDivisionError("a bug")
            return super().input_bound(request, settled)

    answers = {"look": [calls(delegated("worker", "part")), DONE]}
    async with hosted(tmp_path) as host:
        root = await ran(host, Broken(answers=answers))
    child = root.children[0]
    assert child.run.status is Status.FAILED
    assert child.run.ended is not None
    assert "ZeroDivisionError" in child.run.ended.reason
    assert root.run.status is Status.COMPLETED
    assert "Traceback" in caplog.text


async def test_what_no_text_can_hold_is_told_and_stored_nevertheless(tmp_path: Path) -> None:
    abyss = '{"a":' * 5_000 + "1" + "}" * 5_000
    half = '{"path": "\\ud800.txt"}'
    answers = [
        calls(("read_file", half), ("read_file", abyss), ("list_dir", "{}")),
        Answer('{"summary": "x", "criteria": [], "data": {"a": "\\udc00"}}', usage=Usage(1, 1)),
        Answer(abyss, usage=Usage(1, 1)),
    ]
    async with hosted(tmp_path) as host:
        (host.context.root / "name-\udcff.txt").write_text("odd")

        def listing(definition: AgentDefinition) -> AgentDefinition:
            return definition.model_copy(update={"tools": ("read_file", "list_dir")})

        root = await ran(host, Says(answers=answers), agent="worker", prepare=listing)
        replies = [done.text for done in bodies(host, root, Done)]
    assert root.run.ended
    assert "no JSON" in replies[0]
    assert "no JSON" in replies[1]
    assert "a.txt" in replies[2]


async def test_who_is_stopped_before_the_first_step_begins_nothing(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        host.open_model = lambda _definition: Opened(Says(answers=[DONE]), FlatPrice(), billed=True)
        spec = ChildSpec(agent="worker", goal="look")
        orders = [start.Order(definition=host.registry().find("worker"), spec=spec)] * 2
        group = start.group_of(
            orders, host, total_budget=None, budget_micro_usd=None, deadline_seconds=None
        )
        group.inbox.put(Cancel(Status.CANCELLED, "never mind"))
        await drive(group, host)
        check_end(group, host, lies=False)
        assert bodies(host, group, Begun) == []
    assert group.run.status is Status.CANCELLED


@pytest.mark.parametrize("said", ["…", "", "{}", '{"summary": " ", "criteria": [], "data": null}'])
async def test_who_says_and_does_nothing_has_not_completed(tmp_path: Path, said: str) -> None:
    async with hosted(tmp_path) as host:
        root = await ran(host, Says(answers=[Answer(said, usage=Usage(10, 5))]))
    assert root.run.status is Status.FAILED
