"""Every verb, as a request and as a command; faults named; cancelling both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.house import agent, call, reading_on, result
from tests.lsp.editor import Failed, office
from tests.model_server import Fault, Scripted

from codexd.orchestrator.table import VERBS

pytestmark = pytest.mark.anyio

READ = Scripted(calls=(call("read_file", path="a.txt"),))
DONE = Scripted(text=result("It says alpha and beta."))
HANGING = Scripted(text="…", fault=Fault.SILENCE)


async def test_a_request_that_starts_a_run_is_answered_with_its_id_at_once(tmp_path: Path) -> None:
    async with office(tmp_path, [HANGING]) as here, here.editor() as editor:
        began = await editor.request("codexd/delegate", {"agent": "worker"})
        row = await editor.row(lambda row: row["id"] == began["run"])
        assert row["status"] == "running"
        assert (row["agent"], row["parent"]) == ("worker", None)


async def test_with_wait_it_is_answered_with_the_ended_run(tmp_path: Path) -> None:
    async with office(tmp_path, [READ, DONE]) as here, here.editor() as editor:
        run = await editor.command("codexd.delegate", {"agent": "worker", "wait": True})
        assert (run["status"], run["summary"]) == ("completed", "It says alpha and beta.")
        ended = await editor.row(lambda row: row["status"] == "completed")
        assert ended["id"] == run["id"]
        assert ended["spent"] == run["spent"] > 0


async def test_a_command_that_fails_says_what_to_do_in_its_message(tmp_path: Path) -> None:
    async with office(tmp_path, []) as here, here.editor() as editor:
        with pytest.raises(Failed) as told:
            await editor.command("codexd.delegate", {"agent": "wroker"})
        with pytest.raises(Failed) as apart:
            await editor.request("codexd/delegate", {"agent": "wroker"})
        assert told.value.data == apart.value.data
        assert told.value.message == f"{apart.value.message}; {apart.value.data['help']}"


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("delegate", {}, -32602, "`agent` is missing"),
        ("delegate", {"agent": "worker", "budgt": 5}, -32602, "`budgt` is no parameter"),
        ("delegate", {"agent": "worker", "budget": "5"}, -32602, "`budget`"),
        ("delegate", {"agent": "worker", "wait": 1}, -32602, "`wait`"),
        ("delegate", {"agent": "worker", "budget": -1}, -32602, "budget"),
        ("delegate", ["worker"], -32602, "takes one object"),
        ("delegate", {"agent": "wroker"}, -32010, "no agent named `wroker`"),
        ("delegateParallel", {"runs": [{"agent": 1}]}, -32602, "`runs.0.agent`"),
        ("delegateParallel", {"runs": []}, -32602, "no agent was named"),
        (
            "delegateParallel",
            {"runs": [{"agent": "worker", "model": "offline"}]},
            -32602,
            "a model or configuration of its own",
        ),
        ("run", {"run": "abcd"}, -32011, "no run's id begins with `abcd`"),
        ("history", {"limit": 501}, -32602, "`limit` is 501"),
        ("cancel", {"run": "abcd"}, -32011, "abcd"),
        ("agents", {"all": True}, -32602, "`all` is no parameter"),
    ],
)
async def test_a_wrong_parameter_is_named(
    tmp_path: Path, method: str, params: object, code: int, message: str
) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as editor:
        with pytest.raises(Failed) as as_request:
            await editor.request(f"codexd/{method}", params)
        with pytest.raises(Failed) as as_command:
            await editor.command(f"codexd.{method}", params)
    for failed in (as_request, as_command):
        assert failed.value.code == code
        assert message in failed.value.message


async def test_every_verb_answers_as_request_and_as_command(tmp_path: Path) -> None:
    async with office(tmp_path, [READ, DONE]) as here, here.editor() as editor:
        run = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        for verb in VERBS:
            if verb.starts or verb.name == "undo":
                continue
            params = {"run": run["id"]} if verb.name in ("run", "history") else {}
            as_request = await editor.request(f"codexd/{verb.name}", params)
            as_command = await editor.command(f"codexd.{verb.name}", *([params] if params else []))
            assert set(as_request) == set(as_command), verb.name


async def test_history_comes_in_pages(tmp_path: Path) -> None:
    async with office(tmp_path, [READ, DONE]) as here, here.editor() as editor:
        run = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        kinds: list[str] = []
        after: int | None = 0
        while after is not None:
            params = {"run": run["id"], "after": after, "limit": 3}
            page = await editor.request("codexd/history", params)
            kinds += [event["kind"] for event in page["events"]]
            after = page["next"]
        assert kinds[0] == "started"
        assert kinds[-1] == "ended"
        assert len(kinds) > 6


async def test_cancelling_a_waiting_request_ends_its_run(tmp_path: Path) -> None:
    for wire in ("codexd/delegate", "workspace/executeCommand"):
        async with office(tmp_path / wire[:6], reading_on) as here, here.editor() as editor:
            params: object = {"agent": "worker", "wait": True}
            if wire.startswith("workspace"):
                params = {"command": "codexd.delegate", "arguments": [params]}
            asked = editor.begin(wire, params)
            await editor.row(lambda row: row["spent"] > 0)
            editor.cancel(asked)
            with pytest.raises(Failed) as failed:
                await editor.answer(asked)
            assert failed.value.code == -32800
            ended = await editor.row(lambda row: row["status"] == "cancelled")
            assert ended["reason"]


async def test_a_run_is_cancelled_by_any_client(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reading_on) as here,
        here.editor() as one,
        here.editor() as other,
    ):
        began = await one.request("codexd/delegate", {"agent": "worker"})
        await other.row(lambda row: row["id"] == began["run"])
        assert await other.request("codexd/cancel", began) == {"runs": [began["run"]]}
        await one.row(lambda row: row["status"] == "cancelled")


async def test_a_run_goes_on_when_the_editor_that_asked_leaves(tmp_path: Path) -> None:
    worker = agent("worker", budget=10**9)
    async with office(tmp_path, reading_on, worker) as here, here.editor() as other:
        async with here.editor() as one:
            one.begin("codexd/delegate", {"agent": "worker", "wait": True})
            row = await other.row(lambda row: row["spent"] > 0)
        later = await other.row(lambda each: each["spent"] > row["spent"] + 1_000)
        assert (later["id"], later["status"]) == (row["id"], "running")
        await other.request("codexd/cancel", {"run": row["id"]})


async def test_a_run_that_a_terminal_waits_for_leaves_off_with_it(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reading_on) as here,
        here.editor(door="cli") as terminal,
        here.editor() as editor,
    ):
        terminal.begin("codexd/delegate", {"agent": "worker", "wait": True})
        row = await editor.row(lambda row: row["spent"] > 0)
        terminal.writer.close()
        await editor.row(lambda row: row["status"] == "interrupted")
        again = await editor.request("codexd/resume", {"run": row["id"]})
        assert again["run"] == row["id"]


async def test_a_model_named_with_the_request_answers_it_alone(tmp_path: Path) -> None:
    async with office(tmp_path, [READ, DONE]) as here, here.editor() as editor:
        params = {"agent": "code-reviewer", "model": "offline", "wait": True}
        run = await editor.request("codexd/delegate", params)
        assert run["model"] == "offline"
        run = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        assert run["model"] == "scripted/small"


async def test_a_run_under_way_is_told_as_it_is_now_and_not_as_the_journal_has_it(
    tmp_path: Path,
) -> None:
    hanging = Scripted(text="one piece", fault=Fault.SILENCE)
    async with office(tmp_path, [hanging]) as here, here.editor() as editor:
        await editor.request("codexd/delegate", {"agent": "worker"})
        row = await editor.row(lambda row: row["doing"].startswith("answering"))
        run = await editor.request("codexd/run", {"run": row["id"]})
        [listed] = (await editor.request("codexd/runs", {"rows": True}))["rows"]
        assert run["doing"] == listed["doing"] == row["doing"]
        await editor.request("codexd/cancel", {"run": row["id"]})


async def test_of_two_who_resume_a_run_at_once_one_does_and_it_stays_there(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reading_on, agent("worker", budget=10**9)) as here,
        here.editor(door="cli") as terminal,
        here.editor() as one,
        here.editor() as other,
    ):
        terminal.begin("codexd/delegate", {"agent": "worker", "wait": True})
        row = await one.row(lambda row: row["spent"] > 0)
        terminal.writer.close()
        await one.row(lambda row: row["status"] == "interrupted")
        params = {"run": row["id"]}
        asked = [one.begin("codexd/resume", params), other.begin("codexd/resume", params)]
        outcomes: list[str] = []
        for editor, msg_id in zip((one, other), asked, strict=True):
            try:
                await editor.answer(msg_id)
                outcomes.append("resumed")
            except Failed as failed:
                outcomes.append(failed.data["type"])
        assert sorted(outcomes) == ["IllegalMove", "resumed"]
        # Whoever reads the journal sees it driven, and it is told on.
        stored = here.house.journal.stored(row["id"])
        assert stored is not None
        assert stored.host == here.house.journal.host
        assert await one.request("codexd/cancel", params) == {"runs": [row["id"]]}
        await other.row(lambda row: row["status"] == "cancelled")
