"""Taking a run up again: what it has it keeps, and its limits are new totals."""

import os
from pathlib import Path

import anyio
import pytest
from tests.house import House, agent, by_goal, call, house, nth_read, reading_on, result
from tests.model_server import Fault, Scripted, turns

from codexd.errors import BadRequest, IllegalMove, UnknownRun
from codexd.orchestrator import Delegate, Kept, Orchestrator, Resume
from codexd.runs.events import Begun, Driven
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("It says alpha and beta."))


async def resumed(here: House, run: RunView, **limits: object) -> tuple[RunView, Kept]:
    view = await here.codexd.resume(Resume(run=run.id, **limits))  # type: ignore[arg-type]
    return view, [told for told in here.told if isinstance(told, Kept)][-1]


async def cancelled_at(here: House, n_requests: int) -> RunView:
    """A run that was cancelled while its `n`-th answer was awaited."""
    found: list[RunView] = []

    async def go() -> None:
        found.append(await here.delegate())

    async with anyio.create_task_group() as group:
        group.start_soon(go)
        await here.server.until(lambda server: len(server.requests) == n_requests)
        await here.codexd.cancel()
    return found[0]


async def test_a_cancelled_run_goes_on_where_it_was(tmp_path: Path) -> None:
    hanging = Scripted(text="…", fault=Fault.SILENCE)
    answers = [READ, hanging, DONE]

    async with house(tmp_path, answers) as here:
        first = await cancelled_at(here, 2)
        assert first.status is Status.CANCELLED
        view, kept = await resumed(here, first)
        asked = [turns(received.body) for received in here.server.requests]
    assert view.status is Status.COMPLETED
    assert view.id == first.id
    assert (kept.answers, kept.results) == (1, 1)
    # The first answer was not asked for again; the one that was cut off was.
    assert asked == [0, 1, 1]
    assert view.uncertain == first.uncertain > 0


async def test_a_run_that_reached_its_budget_goes_on_with_a_larger_one(tmp_path: Path) -> None:
    def script(body: dict[str, object]) -> Scripted:
        return reading_on(body) if turns(body) < 40 else DONE

    async with house(tmp_path, script, agent("worker", budget=20_000)) as here:
        first = await here.delegate()
        assert first.status is Status.BUDGET_EXCEEDED
        with pytest.raises(BadRequest, match="has spent"):
            await resumed(here, first)
        view, _ = await resumed(here, first, budget=900_000)
        driven = here.bodies(view, Driven)
    assert view.status is Status.COMPLETED
    assert view.budget == 900_000
    assert first.spent < view.spent <= 900_000
    assert view.spent == here.server.input_tokens + here.server.output_tokens
    assert [body.budget for body in driven] == [None, 900_000]


async def test_a_completed_run_is_never_reopened(tmp_path: Path) -> None:
    async with house(tmp_path, [READ, DONE]) as here:
        first = await here.delegate()
        with pytest.raises(BadRequest, match="is completed"):
            await resumed(here, first, budget=1_000_000)
        with pytest.raises(UnknownRun):
            await here.codexd.resume(Resume(run="ffff"))


async def test_a_run_goes_on_as_the_agent_that_it_began_as(tmp_path: Path) -> None:
    hanging = Scripted(text="…", fault=Fault.SILENCE)
    async with house(tmp_path, [hanging, READ, DONE]) as here:
        first = await cancelled_at(here, 1)
        file = here.workspace / ".codex/agents/worker.yaml"
        file.write_text(agent("worker", tools="grep"))
        view, _ = await resumed(here, first)
        offered = [tool["function"]["name"] for tool in here.server.requests[-1].body["tools"]]
    assert view.status is Status.COMPLETED
    assert "read_file" in offered
    assert "grep" not in offered
    assert any("was changed since" in note for note in view.notes)


async def test_a_group_goes_on_with_those_that_did_not_complete(tmp_path: Path) -> None:
    scripts = {"quick": [DONE], "slow": [*map(nth_read, range(40)), DONE]}
    async with house(tmp_path, by_goal(scripts), agent("worker", budget=20_000)) as here:
        runs = [Delegate(agent="worker", goal=goal) for goal in ("quick", "slow")]
        first = await here.together(*runs)
        assert [child.status for child in first.children] == [
            Status.COMPLETED,
            Status.BUDGET_EXCEEDED,
        ]
        view, _ = await resumed(here, first, budget=1_400_000)
        quick = sum("quick" in str(r.body["messages"][1]) for r in here.server.requests)
        begun = here.bodies(view, Begun)
        stored = await here.codexd.run(view.id)
    assert [child.status for child in view.children] == [Status.COMPLETED, Status.COMPLETED]
    assert view.status is Status.COMPLETED
    assert quick == 1
    # The child went on under its own id, and what it had spent is counted once.
    assert [body.run for body in begun] == [*(child.id for child in view.children), begun[1].run]
    assert view.spent == sum(child.spent for child in view.children) <= view.budget == 1_400_000
    assert view.spent == here.server.input_tokens + here.server.output_tokens
    assert (stored.spent, stored.status) == (view.spent, view.status)
    assert stored.children[1].spent == view.children[1].spent


async def test_a_deadline_is_a_new_total_of_running_time(tmp_path: Path) -> None:
    hanging = Scripted(text="…", fault=Fault.SILENCE)
    async with house(tmp_path, [hanging, DONE]) as here:
        first = await here.delegate(deadline_seconds=0.2)
        assert first.status is Status.DEADLINE_EXCEEDED
        with pytest.raises(BadRequest, match="has run for"):
            await resumed(here, first)
        view, _ = await resumed(here, first, deadline_seconds=600.0)
    assert view.status is Status.COMPLETED
    assert view.deadline_seconds == 600
    assert view.seconds >= first.seconds


async def test_a_tree_is_resumed_at_its_root(tmp_path: Path) -> None:
    async with house(tmp_path, [DONE]) as here:
        group = await here.together(Delegate(agent="worker", goal="a"))
        with pytest.raises(BadRequest, match="is part of"):
            await resumed(here, group.children[0])


# Undo.


def patch(*lines: str) -> Scripted:
    text = "\n".join(("*** Begin Patch", *lines, "*** End Patch"))
    return Scripted(calls=(call("apply_patch", patch=text),))


CHANGES = (
    patch("*** Update File: a.txt", "@@", "-alpha", "+ALPHA"),
    patch("*** Update File: a.txt", "@@", "-beta", "+BETA", "*** Add File: b.txt", "+new"),
    patch("*** Delete File: c.txt"),
)
WRITER = agent("worker", tools="apply_patch", write="./**")


async def test_undo_puts_back_what_a_run_wrote(tmp_path: Path) -> None:
    files = {"c.txt": "gone soon\n"}
    async with house(tmp_path, [*CHANGES, DONE], WRITER, files=files) as here:
        run = await here.delegate()
        assert (here.workspace / "a.txt").read_text() == "ALPHA\nBETA\n"
        undone = await here.codexd.undo(run.id)
        again = await here.codexd.undo(run.id)
        shown = await here.codexd.run(run.id)
    assert undone.restored == ("a.txt", "c.txt")
    assert undone.deleted == ("b.txt",)
    assert (here.workspace / "a.txt").read_text() == "alpha\nbeta\n"
    assert (here.workspace / "c.txt").read_text() == "gone soon\n"
    assert not (here.workspace / "b.txt").exists()
    assert (again.restored, again.deleted, again.conflicts) == ((), (), ())
    assert shown.status is Status.COMPLETED
    assert shown.ended_at == run.ended_at
    assert "put back: a.txt, c.txt, b.txt" in shown.notes


async def test_undo_changes_nothing_where_a_file_was_changed_since(tmp_path: Path) -> None:
    async with house(tmp_path, [*CHANGES, DONE], WRITER, files={"c.txt": "x\n"}) as here:
        run = await here.delegate()
        (here.workspace / "a.txt").write_text("mine\n")
        undone = await here.codexd.undo(run.id)
    assert undone.conflicts == ("a.txt",)
    assert undone.restored == undone.deleted == ()
    assert (here.workspace / "a.txt").read_text() == "mine\n"
    assert (here.workspace / "b.txt").read_text() == "new\n"
    assert not (here.workspace / "c.txt").exists()


async def test_undo_puts_back_a_protected_file_that_its_agent_was_allowed_to_write(
    tmp_path: Path,
) -> None:
    change = patch("*** Update File: .vscode/settings.json", "@@", "-{}", '+{"a": 1}')
    text = agent("worker", tools="apply_patch", write=".vscode/settings.json")
    mine = '[policy]\nwrite = [".vscode/settings.json", "**"]'
    files = {".vscode/settings.json": "{}\n"}
    async with house(tmp_path, [change, DONE], text, files=files, config=mine) as here:
        run = await here.delegate()
        undone = await here.codexd.undo(run.id)
    assert undone.restored == (".vscode/settings.json",)
    assert (here.workspace / ".vscode/settings.json").read_text() == "{}\n"


async def test_a_run_that_somebody_drives_is_not_taken_from_him(tmp_path: Path) -> None:
    hanging = Scripted(text="…", fault=Fault.SILENCE)
    async with house(tmp_path, [hanging, DONE]) as here, anyio.create_task_group() as group:
        group.start_soon(here.delegate)
        await here.server.until(lambda server: bool(server.requests))
        env = {"HOME": str(here.home), "PATH": "/usr/bin:/bin"}
        async with Orchestrator.open(here.workspace, env=env) as other:
            [run] = await other.runs()
            with pytest.raises(IllegalMove, match=rf"is being driven, by process {os.getpid()}"):
                await other.resume(Resume(run=run.id))
            with pytest.raises(IllegalMove, match="is being driven"):
                await other.undo(run.id)
        await here.codexd.cancel()


async def test_of_two_who_resume_a_run_at_once_one_does(tmp_path: Path) -> None:
    hanging = Scripted(text="…", fault=Fault.SILENCE)
    async with house(tmp_path, [hanging, DONE, DONE]) as here:
        first = await cancelled_at(here, 1)
        env = {"HOME": str(here.home), "PATH": "/usr/bin:/bin"}
        ends: list[str] = []

        async def go(codexd: Orchestrator) -> None:
            try:
                view = await codexd.resume(Resume(run=first.id))
            except (IllegalMove, BadRequest) as refused:
                ends.append(type(refused).__name__)
            else:
                ends.append(view.status)

        async with (
            Orchestrator.open(here.workspace, env=env) as other,
            anyio.create_task_group() as group,
        ):
            group.start_soon(go, here.codexd)
            group.start_soon(go, other)
        asked = len(here.server.requests)
        assert here.journal.verify()[0] == []
    assert len(ends) == 2
    assert ends.count("completed") == 1
    assert asked == 2
