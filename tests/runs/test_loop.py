"""How runs go, from the goal to the end: real agent files, a scripted model over real HTTP."""

import asyncio
import json
from pathlib import Path
from typing import Literal

import anyio
import pytest
from tests.house import agent, by_goal, call, house, reading_on, result
from tests.model_server import Call, Fault, Scripted, Used

from codexd.errors import BadRequest
from codexd.orchestrator import Delegate
from codexd.runs.events import Answered, Begun, Lost, Noted
from codexd.runs.view import Judged, RunView, Status

pytestmark = pytest.mark.anyio

READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("It says alpha and beta."))


async def test_an_agent_reads_a_file_and_answers(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE]) as here:
        run = await here.delegate(goal="What is in a.txt?")
        told = here.server.requests[1].body["messages"][-1]
    assert run.status is Status.COMPLETED
    assert run.summary == "It says alpha and beta."
    assert "alpha" in told["content"]
    assert run.spent == here.server.input_tokens + here.server.output_tokens
    assert run.uncertain == 0


async def test_criteria_are_judged_with_evidence_or_not_at_all(tmp_path: Path) -> None:
    text = agent("worker", criteria='"it is short", "it is true", "it rhymes"')
    answer = Scripted(text=result("ok", **{"It is short.": "met", "it is true": "not_met"}))
    async with house(tmp_path, [READ, answer], text) as here:
        run = await here.delegate()
    assert [(c.text, c.judged) for c in run.criteria] == [
        ("it is short", Judged.MET),
        ("it is true", Judged.NOT_MET),
        ("it rhymes", Judged.NOT_JUDGED),
    ]


async def test_parallel_calls_are_answered_in_the_order_asked(tmp_path: Path) -> None:
    calls = tuple(call("read_file", path=path) for path in ("b.txt", "a.txt", "gone.txt"))
    files = {"b.txt": "second\n"}
    async with house(tmp_path, [Scripted(calls=calls), DONE], files=files) as here:
        run = await here.delegate()
        replies = [m for m in here.server.requests[1].body["messages"] if m["role"] == "tool"]
    assert run.status is Status.COMPLETED
    for reply, word in zip(replies, ("second", "alpha", "gone"), strict=True):
        assert word in reply["content"]


# Budget.


async def test_the_budget_is_never_exceeded(tmp_path: Path) -> None:
    async with house(tmp_path, reading_on, agent("worker", budget=30_000)) as here:
        run = await here.delegate()
    assert run.status is Status.BUDGET_EXCEEDED
    assert 0 < run.spent <= 30_000
    assert here.server.input_tokens + here.server.output_tokens == run.spent
    assert "was not begun" in run.reason
    assert len(here.server.requests) > 1


async def test_lightweight_mode_comes_once_before_the_end(tmp_path: Path) -> None:
    async with house(tmp_path, reading_on, agent("worker", budget=30_000)) as here:
        run = await here.delegate()
        notes = [body.what for body in here.bodies(run, Noted)]
    assert notes.count("lightweight") == 1


async def test_a_run_that_finishes_in_lightweight_mode_is_completed(tmp_path: Path) -> None:
    def script(body: dict[str, object]) -> Scripted:
        return DONE if "Finish now" in json.dumps(body) else reading_on(body)

    async with house(tmp_path, script, agent("worker", budget=30_000)) as here:
        run = await here.delegate()
    assert run.status is Status.COMPLETED
    assert any("budget nearly spent" in note for note in run.notes)


@pytest.mark.parametrize("counter", ["llama.cpp", "vllm"])
async def test_a_small_budget_has_room_for_a_whole_answer_where_the_server_counts(
    tmp_path: Path, counter: Literal["llama.cpp", "vllm"]
) -> None:
    text = agent("worker", budget=6_500)
    async with house(tmp_path, [READ, DONE], text, counts_chat=counter) as here:
        run = await here.delegate()
        first = here.bodies(run, Begun)[0]
    assert run.status is Status.COMPLETED
    assert first.cap == 4_096
    assert run.spent <= 6_500


async def test_a_budget_below_the_bound_of_the_first_call_is_told_what_would_do(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, [DONE], agent("worker", budget=40_000)) as here:
        small = await here.delegate(budget=1_000)
        enough = await here.delegate(budget=int(small.help.split()[0].replace(",", "")))
    assert small.status is Status.BUDGET_EXCEEDED
    assert small.spent == 0
    assert enough.status is Status.COMPLETED


@pytest.mark.parametrize("budget", [9_000, 15_000, 22_000, 30_000])
@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_no_call_takes_more_input_than_was_reserved_when_old_results_are_shortened(
    tmp_path: Path, budget: int, wire: str
) -> None:
    files = {f"{name}.txt": "word " * 1_900 for name in "bcdefg"}
    script = [
        Scripted(calls=tuple(call("read_file", path=f"{name}.txt") for name in "bcdef")),
        Scripted(calls=(call("read_file", path="g.txt"),)),
        DONE,
    ]
    text = agent("worker", budget=budget)
    async with house(tmp_path, script, text, files=files, wire=wire, counts_chat="vllm") as here:
        run = await here.delegate()
        begun = [body for body in here.bodies(run, Begun) if body.what == "model"]
        answered = here.bodies(run, Answered)
    for before, after in zip(begun, answered, strict=True):
        assert after.usage.input <= before.bound
    assert run.spent <= budget
    assert any(body.shortened for body in begun)


async def test_zero_is_zero(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        run = await here.delegate(budget=0)
    assert run.status is Status.BUDGET_EXCEEDED
    assert here.server.requests == []


async def test_more_than_the_definition_allows_is_refused_with_its_line(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE], agent("worker", budget=500)) as here:
        with pytest.raises(BadRequest, match=r"worker\.yaml:7"):
            await here.delegate(budget=501)
    assert here.server.requests == []


async def test_a_call_without_usage_is_charged_in_full_and_said_to_be_uncertain(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, [Scripted(text=result(), usage=None)]) as here:
        run = await here.delegate()
        begun = here.bodies(run, Begun)[0]
    assert run.spent == run.uncertain == begun.reserved > 0


async def test_an_overrun_is_journalled_and_ends_the_run(tmp_path: Path) -> None:
    greedy = Scripted(calls=READ.calls, usage=Used(input=50_000, output=10))
    async with house(tmp_path, [greedy, DONE], agent("worker", budget=20_000)) as here:
        run = await here.delegate()
    assert run.status is Status.BUDGET_EXCEEDED
    assert run.spent == 50_010
    assert "counted 50,010 tokens" in run.reason
    assert len(here.server.requests) == 1


async def test_a_negative_usage_counts_as_missing(tmp_path: Path) -> None:
    async with house(tmp_path, [Scripted(text=result(), usage=Used(-5, 3))]) as here:
        run = await here.delegate()
    assert run.uncertain == run.spent > 0


async def test_a_shared_total_is_shared_fairly_and_never_passed(tmp_path: Path) -> None:
    runs = [Delegate(agent="worker", goal=f"g{n}") for n in range(3)]
    async with house(tmp_path, reading_on) as here:
        group = await here.together(*runs, total_budget=70_000)
    assert group.spent <= 70_000
    assert group.spent == here.server.input_tokens + here.server.output_tokens
    assert min(child.spent for child in group.children) > 2_000
    assert group.status is Status.BUDGET_EXCEEDED


# Parallel.


async def test_one_failing_run_never_hurts_another(tmp_path: Path) -> None:
    script = by_goal({"a": [READ, DONE], "b": [Scripted(status=401)], "c": [READ, DONE]})
    async with house(tmp_path, script) as here:
        group = await here.together(*(Delegate(agent="worker", goal=goal) for goal in "abc"))
    assert [child.goal for child in group.children] == ["a", "b", "c"]
    assert [child.status for child in group.children] == ["completed", "failed", "completed"]
    assert group.status is Status.FAILED
    assert group.reason == "2 of 3 completed"


async def test_three_runs_are_in_flight_at_once(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = Scripted(text=result(), hold=gate)
    async with house(tmp_path, lambda _: script) as here, anyio.create_task_group() as group:
        group.start_soon(here.together, *[Delegate(agent="worker")] * 3)
        with anyio.fail_after(10):
            await here.server.until(lambda server: server.open_streams == 3)
        gate.set()


async def test_runs_that_declare_the_same_artifact_write_one_each(tmp_path: Path) -> None:
    text = agent("worker", tools="write_file", artifacts="out/report.md")

    def script(body: dict[str, object]) -> Scripted:
        told = json.dumps(body)
        if '"role": "tool"' in told:
            return DONE
        path = next(p for p in ("out/report.1.md", "out/report.2.md") if p in told)
        return Scripted(calls=(call("write_file", path=path, content=f"I am {path}\n"),))

    async with house(tmp_path, script, text) as here:
        group = await here.together(*[Delegate(agent="worker")] * 2)
    assert [child.artifacts for child in group.children] == [
        ("out/report.1.md",),
        ("out/report.2.md",),
    ]
    assert (here.workspace / "out/report.2.md").read_text() == "I am out/report.2.md\n"


async def test_one_place_is_enough_for_parents_and_children(tmp_path: Path) -> None:
    script = by_goal(
        {
            "split": [Scripted(calls=(call("delegate", agent="worker", goal="part"),)), DONE],
            "part": [READ, DONE],
        }
    )
    agents = (agent("boss", tools="delegate"), agent("worker"))
    config = "[agents]\nmax_threads = 1"
    async with house(tmp_path, script, *agents, config=config) as here:
        with anyio.fail_after(20):
            group = await here.together(*[Delegate(agent="boss", goal="split")] * 4)
    assert group.status is Status.COMPLETED
    assert [len(child.children) for child in group.children] == [1, 1, 1, 1]


# Children.


async def test_a_childs_spending_is_its_parents_too_and_counted_once(tmp_path: Path) -> None:
    script = by_goal(
        {
            "split": [Scripted(calls=(call("delegate", agent="worker", goal="part"),)), DONE],
            "part": [READ, Scripted(text=result("the part is done"))],
        }
    )
    async with house(tmp_path, script, agent("boss", tools="delegate"), agent("worker")) as here:
        run = await here.delegate("boss", goal="split")
        told = here.server.requests[-1].body["messages"][-1]["content"]
    assert run.status is Status.COMPLETED
    assert run.spent == here.server.input_tokens + here.server.output_tokens
    assert 0 < run.children[0].spent < run.spent
    assert "the part is done" in told


async def test_a_child_cannot_read_what_its_parent_may_not(tmp_path: Path) -> None:
    boss = agent("boss", tools="delegate").replace(
        "policies:", "policies:\n  permissions: {filesystem: [./only]}"
    )
    boss = boss.replace("fs: {read: true, write: []}", "shell: []")
    script = by_goal(
        {
            "split": [Scripted(calls=(call("delegate", agent="worker", goal="part"),)), DONE],
            "part": [READ, Scripted(text=result("not allowed"))],
        }
    )
    async with house(tmp_path, script, boss, agent("worker"), files={"only/b": "b"}) as here:
        run = await here.delegate("boss", goal="split")
        told = [m for r in here.server.requests for m in r.body["messages"] if m["role"] == "tool"]
    assert run.status is Status.COMPLETED
    assert not any("alpha" in m["content"] for m in told)


async def test_runs_end_at_the_depth_limit(tmp_path: Path) -> None:
    deeper = Scripted(calls=(call("delegate", agent="boss", goal="deeper"),))
    async with house(
        tmp_path,
        by_goal({"deeper": [deeper, DONE]}),
        agent("boss", tools="delegate"),
        config="[agents]\nmax_depth = 2",
    ) as here:
        run = await here.delegate("boss", goal="deeper")
        told = json.dumps(here.server.requests[-1].body) + json.dumps(
            [r.body for r in here.server.requests]
        )
    depth = 0
    view: RunView | None = run
    while view:
        depth, view = depth + 1, next(iter(view.children), None)
    assert depth == 3
    assert "max_depth" in told


# Models that misbehave.


async def test_an_unknown_tool_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    async with house(tmp_path, [Scripted(calls=(Call("reed_file"),)), DONE]) as here:
        run = await here.delegate()
        told = here.server.requests[1].body["messages"][-1]["content"]
    assert run.status is Status.COMPLETED
    assert "reed_file" in told
    assert "read_file" in told


async def test_arguments_that_do_not_fit_are_told_to_the_model(tmp_path: Path) -> None:
    bad = Scripted(calls=(Call("read_file", "{oops"), call("read_file", paht="a.txt")))
    async with house(tmp_path, [bad, DONE]) as here:
        run = await here.delegate()
        replies = [m for m in here.server.requests[1].body["messages"] if m["role"] == "tool"]
    assert run.status is Status.COMPLETED
    assert len(replies) == 2
    assert "path" in replies[1]["content"]


async def test_plain_text_is_asked_for_a_result_once(tmp_path: Path) -> None:
    text = agent("worker", criteria='"it is true"')
    async with house(tmp_path, [READ, Scripted(text="It says alpha.")] * 2, text) as here:
        run = await here.delegate()
    assert run.status is Status.COMPLETED
    assert len(here.server.requests) == 4 or len(here.server.requests) == 3
    assert run.summary == "It says alpha."
    assert [criterion.judged for criterion in run.criteria] == [Judged.NOT_JUDGED]


async def test_a_missing_artifact_is_asked_for_once_then_reported(tmp_path: Path) -> None:
    text = agent("worker", tools="write_file", artifacts="out/report.md")
    async with house(tmp_path, [DONE, DONE, DONE], text) as here:
        run = await here.delegate()
        asked = here.server.requests[1].body["messages"][-1]["content"]
    assert "out/report.md" in asked
    assert len(here.server.requests) == 2
    assert run.missing_artifacts == ("out/report.md",)


async def test_a_model_that_does_nothing_has_not_completed(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: Scripted(text="")) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert "nothing" in run.reason


async def test_a_refusal_fails_and_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, [Scripted(refusal="I will not.")]) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert "I will not." in run.reason


async def test_a_cut_stream_is_asked_again_and_paid_for(tmp_path: Path) -> None:
    script = [Scripted(text=result("never whole"), fault=Fault.CUT), DONE]
    async with house(tmp_path, script) as here:
        run = await here.delegate()
        first = here.bodies(run, Begun)[0]
    assert run.status is Status.COMPLETED
    assert run.uncertain == first.reserved
    assert len(here.server.requests) == 2


async def test_streams_that_are_always_cut_fail_at_last(tmp_path: Path) -> None:
    cut = Scripted(text=result("never whole"), fault=Fault.CUT)
    async with house(tmp_path, lambda _: cut) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert len(here.server.requests) == 3


async def test_how_often_a_cut_stream_is_asked_for_again_is_the_providers(tmp_path: Path) -> None:
    cut = Scripted(text=result("never whole"), fault=Fault.CUT)
    async with house(tmp_path, lambda _: cut, provider="stream_max_retries = 0") as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert len(here.server.requests) == 1


async def test_a_run_is_told_of_its_last_turn_and_may_conclude_in_it(tmp_path: Path) -> None:
    text = agent("worker", artifacts="out.md") + "max_turns: 3\n"
    async with house(tmp_path, [READ, READ, DONE], text) as here:
        run = await here.delegate()
        said = [asked.body["messages"][-1]["content"] for asked in here.server.requests]
    assert (run.status, run.summary) == (Status.COMPLETED, "It says alpha and beta.")
    assert run.missing_artifacts == ("out.md",)
    assert ["last turn" in words for words in said] == [False, False, True]


async def test_a_run_that_is_not_done_in_its_turns_ends_with_what_it_has(tmp_path: Path) -> None:
    found = {"path": "a.txt", "line": 1, "severity": "warning", "message": "odd"}
    report = Scripted(calls=(call("report_finding", findings=[found]),))
    text = agent("worker", tools="read_file, report_finding") + "max_turns: 2\n"
    async with house(tmp_path, [READ, report, DONE], text) as here:
        run = await here.delegate()
    assert (run.status, len(run.findings)) == (Status.FAILED, 1)
    assert "limit of 2 turns" in run.reason
    assert "max_turns" in run.help
    assert len(here.server.requests) == 2


async def test_a_refused_call_costs_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, [Scripted(status=400, message="no such model")]) as here:
        run = await here.delegate()
    assert run.status is Status.FAILED
    assert run.spent == 0
    assert "no such model" in run.reason


async def test_a_context_that_is_too_long_is_shortened_once(tmp_path: Path) -> None:
    long = {"big.txt": "word " * 2_000}
    big = Scripted(calls=(call("read_file", path="big.txt"),))
    small = Scripted(calls=(call("read_file", path="a.txt"),))
    too_long = Scripted(status=400, code="context_length_exceeded", message="too long")
    async with house(tmp_path, [big, small, too_long, DONE], files=long) as here:
        run = await here.delegate()
        sizes = [len(request.raw) for request in here.server.requests]
    assert run.status is Status.COMPLETED
    assert sizes[3] < sizes[2] - 5_000
    assert any("shortened" in note for note in run.notes)


async def test_a_conversation_that_outgrows_the_window_is_shortened_before(
    tmp_path: Path,
) -> None:
    long = {"big.txt": "word " * 2_000}
    big = Scripted(calls=(call("read_file", path="big.txt"),))
    async with house(
        tmp_path, [big, big, READ, DONE], files=long, config="model_context_window = 7000"
    ) as here:
        run = await here.delegate()
    assert run.status is Status.COMPLETED
    assert any("shortened" in note for note in run.notes)
    assert max(len(request.raw) for request in here.server.requests) // 4 < 7_000


# Stops.


async def test_cancelling_ends_a_run_at_once_and_charges_what_may_be_owed(tmp_path: Path) -> None:
    gate = asyncio.Event()
    views: list[RunView] = []
    script = Scripted(text=result(), hold=gate)
    async with house(tmp_path, lambda _: script) as here:
        async with anyio.create_task_group() as group:

            async def run() -> None:
                views.append(await here.delegate())

            group.start_soon(run)
            with anyio.fail_after(10):
                await here.server.until(lambda server: server.open_streams == 1)
            with anyio.fail_after(1):
                await here.codexd.cancel()
                await here.server.until(lambda server: server.left == 1)
        lost = here.bodies(views[0], Lost)
    assert views[0].status is Status.CANCELLED
    assert views[0].spent == views[0].uncertain == lost[0].charged > 0


async def test_cancelling_a_group_cancels_the_whole_tree(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = by_goal(
        {
            "split": [Scripted(calls=(call("delegate", agent="worker", goal="part"),))],
            "part": [Scripted(text=result(), hold=gate)],
        }
    )
    views: list[RunView] = []
    agents = (agent("boss", tools="delegate"), agent("worker"))
    async with house(tmp_path, script, *agents) as here, anyio.create_task_group() as group:

        async def run() -> None:
            views.append(await here.together(*[Delegate(agent="boss", goal="split")] * 2))
            gate.set()

        group.start_soon(run)
        with anyio.fail_after(10):
            await here.server.until(lambda server: server.open_streams == 2)
            await here.codexd.cancel()
            await gate.wait()
    statuses = [views[0].status]
    for boss in views[0].children:
        statuses += [boss.status, boss.children[0].status]
    assert statuses == [Status.CANCELLED] * 5


async def test_a_deadline_ends_a_run_with_what_it_has(tmp_path: Path) -> None:
    gate = asyncio.Event()
    report = call("report_finding", findings=[{"path": "a.txt", "line": 1, "message": "odd"}])
    script = [Scripted(calls=(report,)), Scripted(text=result(), hold=gate)]
    async with house(tmp_path, script, agent("worker", tools="report_finding")) as here:
        with anyio.fail_after(10):
            run = await here.delegate(deadline_seconds=0.4)
    assert run.status is Status.DEADLINE_EXCEEDED
    assert [finding.message for finding in run.findings] == ["odd"]


# What is kept.


async def test_a_write_keeps_the_bytes_before_it_in_its_intent(tmp_path: Path) -> None:
    text = agent("worker", tools="write_file", write="./out")
    write = Scripted(calls=(call("write_file", path="out/x.txt", content="new\n"),))
    async with house(tmp_path, [write, DONE], text, files={"out/x.txt": "old\n"}) as here:
        run = await here.delegate()
        begun = next(body for body in here.bodies(run, Begun) if body.changes)
    assert (here.workspace / "out/x.txt").read_text() == "new\n"
    assert begun.changes[0].before == b"old\n"
    assert run.artifacts == ("out/x.txt",)


async def test_calls_after_a_write_see_it(tmp_path: Path) -> None:
    text = agent("worker", tools="write_file, read_file", write="./out")
    both = Scripted(
        calls=(
            call("write_file", path="out/x.txt", content="fresh\n"),
            call("read_file", path="out/x.txt"),
        )
    )
    async with house(tmp_path, [both, DONE], text) as here:
        await here.delegate()
        told = here.server.requests[1].body["messages"][-1]["content"]
    assert "fresh" in told


async def test_secrets_in_results_reach_neither_model_nor_journal(tmp_path: Path) -> None:
    key = "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z" * 2
    async with house(tmp_path, [READ, DONE], files={"a.txt": f"key = {key}\n"}) as here:
        run = await here.delegate()
        sent = json.dumps([request.body for request in here.server.requests])
        kept = "".join(event.body.model_dump_json() for event in here.events(run))
    assert key not in sent
    assert key not in kept
    assert "redacted" in sent


async def test_retention_job_erases_the_conversation_and_keeps_the_result(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE], agent("worker", retention="job")) as here:
        run = await here.delegate()
        answers = here.bodies(run, Answered)
        again = await here.codexd.run(run.id)
        verified = await here.codexd.verify()
    assert [answer.text for answer in answers] == ["", ""]
    assert all(answer.usage for answer in answers)
    assert again.summary == "It says alpha and beta."
    assert verified["ok"]


async def test_a_run_that_did_not_complete_keeps_its_conversation(tmp_path: Path) -> None:
    script = [READ, Scripted(status=400, message="no")]
    async with house(tmp_path, script, agent("worker", retention="job")) as here:
        run = await here.delegate()
        answers = here.bodies(run, Answered)
    assert run.status is Status.FAILED
    assert answers[0].calls


async def test_a_stored_run_is_shown_as_it_was_live(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE]) as here:
        run = await here.delegate()
        again = await here.codexd.run(None)
    assert again == run


async def test_the_light_model_finishes_in_lightweight_mode(tmp_path: Path) -> None:
    def script(body: dict[str, object]) -> Scripted:
        return DONE if body["model"] == "tiny" else reading_on(body)

    config = 'light_model = "tiny"'
    text = agent("worker", budget=30_000)
    # Another model's tokens are known by its provider's count alone, which this wire has.
    async with house(tmp_path, script, text, config=config, wire="responses") as here:
        run = await here.delegate()
        used = [request.body["model"] for request in here.server.requests]
    assert run.status is Status.COMPLETED
    assert used[-1] == "tiny"
    assert set(used[:-1]) == {"small"}
