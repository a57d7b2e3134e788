"""The audit log of real runs: what each record says, and what it never says."""

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import House, agent, by_goal, call, house, result
from tests.model_server import Fault, Scripted, Used

from codexd import Delegate
from codexd.errors import BadRequest, UnknownRun
from codexd.runs.events import Answered, Begun, Driven, Started
from codexd.runs.export import Record
from codexd.runs.view import RunView

pytestmark = pytest.mark.anyio

SEED = {
    "event_type", "agent_name", "status", "goal", "start_time", "end_time", "duration_secs",
    "tokens_used", "artifacts", "error",
}  # fmt: skip
"""The fields of the first design's log example."""
READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("alpha and beta"))
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


async def log(here: House, **filters: Any) -> list[Record]:
    """The audit log, as doors get it: it survives JSON."""
    records = [record async for record in here.codexd.audit(**filters)]
    return json.loads(json.dumps(records, allow_nan=False))


def of(records: list[Record], kind: str) -> list[Record]:
    return [record for record in records if record["event_type"] == kind]


def run_of(records: list[Record], view: RunView) -> Record:
    [found] = [
        record
        for record in of(records, "agent_execution")
        if record["codexd"]["run"] == view.id and record["status"] == view.status
    ]
    return found


async def test_a_run_has_the_fields_of_the_first_design_and_one_object_of_ours(
    tmp_path: Path,
) -> None:
    text = agent("worker", tools="write_file", write="out.md", artifacts="out.md")
    write = Scripted(calls=(call("write_file", path="out.md", content="x\n"),))
    async with house(tmp_path, [write, DONE], text) as here:
        view = await here.delegate(goal="write it")
        record = run_of(await log(here), view)
    assert set(record) == SEED | {"codexd"}
    assert (record["agent_name"], record["goal"]) == ("worker", "write it")
    assert (record["status"], record["error"]) == ("completed", None)
    assert record["tokens_used"] == view.spent > 0
    assert record["artifacts"] == ["out.md"]
    assert (record["start_time"], record["end_time"]) == (view.started_at, view.ended_at)
    assert re.fullmatch(TIME, record["start_time"])
    assert record["duration_secs"] == view.seconds
    assert (record["codexd"]["parent"], record["codexd"]["erased"]) == (None, [])


async def test_calls_and_what_they_took_are_records(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE]) as here:
        view = await here.delegate()
        records = await log(here)
    calls, tools, usages = (of(records, kind) for kind in ("api_call", "tool_call", "token_usage"))
    assert [record["finish_reason"] for record in calls] == ["tool_calls", "end"]
    assert calls[1]["answer"]["text"] == DONE.text
    assert calls[0]["answer"]["calls"][0]["name"] == "read_file"
    assert {record["model"] for record in calls} == {"scripted/small"}
    assert all(record["tokens_reserved"] > record["output_cap"] > 0 for record in calls)
    [tool] = tools
    assert (tool["tool"], tool["arguments"]) == ("read_file", {"path": "a.txt"})
    assert (tool["outcome"], tool["effect"]) == ("ok", "none")
    assert "alpha" in tool["result"]
    assert sum(record["tokens_charged"] for record in usages) == view.spent
    assert sum(record["input_tokens"] for record in usages) == here.server.input_tokens
    assert [record["cost_usd"] for record in usages] == [0.0, 0.0]


async def test_every_record_says_whose_it_is_and_where_in_the_chain(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE]) as here:
        view = await here.delegate()
        records = await log(here)
        hashes = {event.seq: event.hash for event in here.events(view)}
    for record in records:
        own = record["codexd"]
        assert own["run"] == view.id
        assert own["hash"] == hashes[own["seq"]]
        assert record["agent_name"] == "worker"
    assert [record["codexd"]["seq"] for record in records] == sorted(
        record["codexd"]["seq"] for record in records
    )


async def test_a_group_has_no_agents_name_and_its_children_have_a_parent(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: DONE, agent("one"), agent("two")) as here:
        view = await here.together(Delegate(agent="one"), Delegate(agent="two", goal="other"))
        records = await log(here)
    group = run_of(records, view)
    children = [run_of(records, child) for child in view.children]
    assert (group["agent_name"], group["tokens_used"]) == ("", view.spent)
    assert sum(child["tokens_used"] for child in children) == view.spent
    assert {child["agent_name"] for child in children} == {"one", "two"}
    assert {child["codexd"]["parent"] for child in children} == {view.id}
    started = of(records, "tool_call")
    assert {record["child_run"] for record in started} == {child.id for child in view.children}
    assert {"agent": "two", "goal": "other"} in [record["arguments"] for record in started]


async def test_what_went_wrong_is_told(tmp_path: Path) -> None:
    script = by_goal({
        "refused": [Scripted(status=401)],
        "greedy": [Scripted(calls=READ.calls, usage=Used(500_000, 10))],
    })  # fmt: skip
    async with house(tmp_path, script) as here:
        refused = await here.delegate(goal="refused")
        greedy = await here.delegate(goal="greedy")
        records = await log(here)
    assert run_of(records, refused)["error"] == refused.reason != ""
    assert run_of(records, greedy)["status"] == "budget_exceeded"
    assert "500,010" in run_of(records, greedy)["error"]
    [call] = [r for r in of(records, "api_call") if r["codexd"]["run"] == refused.id]
    assert (call["answer"], call["finish_reason"]) == (None, None)
    assert call["error"]


async def test_usage_that_never_arrived_is_uncertain(tmp_path: Path) -> None:
    async with house(tmp_path, [Scripted(text="half of it", fault=Fault.CUT), DONE]) as here:
        view = await here.delegate()
        first, second = of(await log(here), "token_usage")
    assert (first["input_tokens"], first["output_tokens"]) == (None, None)
    assert first["uncertain"] == first["tokens_charged"] == view.uncertain > 0
    assert second["uncertain"] == 0


async def test_a_cancelled_run_tells_of_the_call_that_was_under_way(tmp_path: Path) -> None:
    held = Scripted(hold=asyncio.Event())
    before: list[Record] = []
    async with house(tmp_path, lambda _: held) as here:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(here.delegate)
                await here.server.until(lambda server: len(server.requests) == 1)
                before += await log(here)
                await here.codexd.cancel()
        records = await log(here)
    [running] = before
    assert (running["event_type"], running["status"]) == ("agent_execution", "running")
    assert running["end_time"] is None
    [ended] = of(records, "agent_execution")
    assert (ended["status"], ended["error"]) == ("cancelled", "cancelled by the user")
    [call] = of(records, "api_call")
    assert call["answer"] is None
    assert "usage" in call["error"]
    [usage] = of(records, "token_usage")
    assert usage["uncertain"] == usage["tokens_charged"] == ended["tokens_used"] > 0


async def test_a_run_whose_host_is_gone_is_interrupted_and_what_it_had_begun_is_unknown(
    tmp_path: Path,
) -> None:
    run = secrets.token_hex(6)
    began = (
        Started(root=run, agent="worker", goal="g", model="m", budget=9_000),
        Driven(host="gone"),
        Begun(act=1, what="model", model="m", bound=20, cap=10, reserved=30),
        Answered(act=1, text="look", charged=25),
        Begun(act=2, what="tool", tool="grep", arguments='{"pattern": NaN}'),
        Begun(act=3, what="model", model="m", bound=20, cap=10, reserved=30),
    )
    async with house(tmp_path, []) as here:
        await here.journal.append(run, 1, began, 1_500)
        records = await log(here)
    [ended] = of(records, "agent_execution")
    assert (ended["status"], ended["end_time"], ended["error"]) == ("interrupted", None, None)
    assert (ended["tokens_used"], ended["duration_secs"]) == (25, 1.5)
    [tool] = of(records, "tool_call")
    assert (tool["tool"], tool["outcome"], tool["result"]) == ("grep", "unknown", None)
    assert tool["arguments"] == '{"pattern": NaN}'
    answered, unknown = of(records, "api_call")
    assert (answered["error"], unknown["error"]) == (None, "no outcome is known")


async def test_what_retention_took_is_null_and_named(tmp_path: Path) -> None:
    text = agent("worker", retention="job")
    async with house(tmp_path, [READ, DONE], text) as here:
        view = await here.delegate(goal="short lived")
        records = await log(here)
        assert (await here.codexd.verify())["ok"]
    assert [record["codexd"]["erased"] for record in of(records, "api_call")] == [["answer"]] * 2
    assert {record["answer"] for record in of(records, "api_call")} == {None}
    [tool] = of(records, "tool_call")
    assert tool["codexd"]["erased"] == ["arguments", "result"]
    assert (tool["arguments"], tool["result"], tool["tool"]) == (None, None, "read_file")
    assert "alpha and beta\n" not in json.dumps(records)
    record = run_of(records, view)
    assert (record["goal"], record["tokens_used"]) == ("short lived", view.spent)


async def test_what_the_policy_refused_is_a_matter_of_security(tmp_path: Path) -> None:
    text = agent("worker", tools="read_file, write_file, delegate", write="out/x.md")
    refused = Scripted(
        calls=(
            call("read_file", path=".env"),
            call("write_file", path="a.txt", content="mine"),
        )
    )
    files = {".env": "TOKEN=1\n"}
    async with house(tmp_path, [refused, DONE], text, files=files) as here:
        await here.delegate()
        records = of(await log(here), "security")
    assert [(r["decision"], r["what"], r["subject"], r["by"]) for r in records] == [
        ("denied", "read_file", ".env", "policy"),
        ("denied", "write_file", "a.txt", "policy"),
    ]
    assert all(record["reason"] for record in records)


async def test_a_child_that_would_be_too_deep_is_a_matter_of_security(tmp_path: Path) -> None:
    deeper = Scripted(calls=(call("delegate", agent="worker", goal="deeper"),))
    text = agent("worker", tools="delegate")
    config = "[agents]\nmax_depth = 0"
    async with house(tmp_path, [deeper, DONE], text, config=config) as here:
        await here.delegate()
        [record] = of(await log(here), "security")
    assert (record["decision"], record["what"], record["subject"]) == (
        "denied",
        "delegate",
        "worker",
    )
    assert "max_depth" in record["reason"]


# What is asked for.


async def test_a_run_stands_for_its_tree(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: DONE, agent("one"), agent("two")) as here:
        await here.delegate("one")
        group = await here.together(Delegate(agent="one"), Delegate(agent="two"))
        await here.delegate("two")
        whole = await log(here)
        tree = await log(here, run=group.id[:6])
        child = await log(here, run=group.children[1].id)
        ones = await log(here, agent="one")
        both = await log(here, agent="two", run=group.id)
    ids = {group.id, *(each.id for each in group.children)}
    assert {record["codexd"]["run"] for record in tree} == ids
    assert tree == [record for record in whole if record["codexd"]["run"] in ids]
    assert {record["codexd"]["run"] for record in child} == {group.children[1].id}
    assert ones == [record for record in whole if record["agent_name"] == "one"]
    assert both == child


async def test_records_are_from_a_time_on(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: DONE) as here:
        await here.delegate()
        second = await here.delegate()
        whole = await log(here)
        late = await log(here, since=second.ended_at)
        assert await log(here, since="1h") == whole
        assert await log(here, since="0s") == []
        for wrong in ("yesterday", "-3h", "999999999w", ""):
            with pytest.raises(BadRequest, match="neither a time nor a length"):
                await log(here, since=wrong)
    assert whole[-len(late) :] == late
    assert run_of(late, second)["end_time"] == second.ended_at


async def test_a_run_that_is_none_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, []) as here:
        with pytest.raises(UnknownRun):
            await log(here, run="feed")
        assert await log(here) == []


async def test_following_a_run_ends_with_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = [READ, Scripted(text=DONE.text, hold=gate)]
    async with house(tmp_path, script) as here:
        seen: list[Record] = []

        async def follow() -> None:
            await here.server.until(lambda server: len(server.requests) == 2)
            view = await here.codexd.run(None)
            async for record in here.codexd.audit(run=view.id, follow=True):
                seen.append(record)
                gate.set()

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow)
                await here.delegate()
        assert seen == await log(here)
    assert seen[-1]["event_type"] == "agent_execution"
