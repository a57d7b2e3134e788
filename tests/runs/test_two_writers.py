"""Two runs that change one file at once: nobody's change is lost, nobody's is overwritten."""

from asyncio import Event as Gate
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import agent, call, house, result
from tests.model_server import Scripted, turns

from codexd.orchestrator import Delegate
from codexd.runs.events import Done
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio

WRITER = agent("worker", tools="read_file, apply_patch, write_file", write="./**")


def patch(line: str, by: str) -> Scripted:
    text = f"*** Begin Patch\n*** Update File: a.txt\n@@\n-{line}\n+{by}\n*** End Patch"
    return Scripted(calls=(call("apply_patch", patch=text),))


@pytest.mark.parametrize("n_runs", [2, 8])
async def test_of_runs_that_change_one_line_at_once_one_wins_and_the_others_are_told(
    tmp_path: Path, n_runs: int
) -> None:
    goals = [f"by {index}" for index in range(n_runs)]
    read = Scripted(calls=(call("read_file", path="a.txt"),))
    gate = Gate()
    n_read = 0

    def script(body: dict[str, Any]) -> Scripted:
        nonlocal n_read
        goal = str(body["messages"][1]["content"]).partition("\n")[0]
        match turns(body):
            case 0:
                return read
            case 1:
                # Nobody writes before all have read.
                n_read += 1
                if n_read == n_runs:
                    gate.set()
                said = patch("alpha", goal)
                return Scripted(calls=said.calls, hold=gate)
            case _:
                return Scripted(text=result(goal))

    async with house(tmp_path, script, WRITER) as here:
        with anyio.fail_after(30):
            group = await here.together(*(Delegate(agent="worker", goal=goal) for goal in goals))
        text = (here.workspace / "a.txt").read_text()
        outcomes = {
            run.summary: next(b for b in here.bodies(run, Done) if b.tool == "apply_patch")
            for run in group.children
        }
    assert all(run.status is Status.COMPLETED for run in group.children)
    won = [goal for goal, done in outcomes.items() if not done.is_error]
    assert len(won) == 1
    assert text == f"{won[0]}\nbeta\n"
    for goal in set(goals) - set(won):
        assert "a.txt" in outcomes[goal].text
        assert outcomes[goal].wrote == ()


async def test_a_file_that_changed_since_it_was_prepared_is_a_conflict_and_stays(
    tmp_path: Path,
) -> None:
    """The second run prepared its change before the first made its own."""
    script = [patch("alpha", "mine"), Scripted(text=result("told"))]
    async with house(tmp_path, script, WRITER) as here:
        file = here.workspace / "a.txt"

        def meddle(notice: object) -> None:
            # The intent is in the journal, the act has not begun.
            if getattr(notice, "kind", "") == "begun" and b"alpha" in file.read_bytes():
                begun = [e.body for e in here.journal.events_after(0) if e.body.kind == "begun"]
                if any(getattr(body, "changes", ()) for body in begun):
                    file.write_text("theirs\nbeta\n")

        here.codexd.listen(meddle)
        run = await here.delegate()
        [done] = [body for body in here.bodies(run, Done) if body.tool == "apply_patch"]
        assert file.read_text() == "theirs\nbeta\n"
    assert done.is_error
    assert "changed meanwhile" in done.text
    assert run.status is Status.COMPLETED
