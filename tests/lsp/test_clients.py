"""Many clients of one daemon: who sees what, who is asked, and what becomes of those that stall."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import agent, call, nth_read, reading_on, result
from tests.lsp.editor import OURS, Editor, Failed, Message, Office, office
from tests.model_server import Fault, Scripted, turns

from codexd.lsp.server import MOST_UNSENT, SLOW_UNSENT, Connection

pytestmark = pytest.mark.anyio

DONE = Scripted(text=result())
HANGING = Scripted(text="…", fault=Fault.SILENCE)
HOSTED = "scripted/small-cloud"
PROGRESS: Message = {"window": {"workDoneProgress": True}}


def streaming(_body: Message) -> Scripted:
    """An answer of two seconds, 100 pieces a second."""
    return Scripted(text=result("x" * 3_000), seconds=2)


async def settled(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    with anyio.fail_after(20):
        while not condition():
            await anyio.lowlevel.checkpoint()


# --- who sees what --------------------------------------------------------------------------


async def test_two_editors_and_a_terminal_see_the_same_runs(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [HANGING, DONE]) as here,
        here.editor() as one,
        here.editor() as other,
        here.editor(door="cli") as terminal,
    ):
        first = await one.request("codexd/delegate", {"agent": "worker"})
        run = await terminal.request("codexd/delegate", {"agent": "worker", "wait": True})
        for client in (one, other, terminal):
            await client.row(lambda row: row["id"] == first["run"])
            ended = await client.row(lambda row: row["status"] == "completed")
            assert (ended["id"], ended["spent"]) == (run["id"], run["spent"])
            listed = await client.request("codexd/runs", {"rows": True})
            assert [row["id"] for row in listed["rows"]] == [run["id"], first["run"]]


async def test_what_is_told_of_a_request_goes_to_whoever_made_it(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE]) as here,
        here.editor() as one,
        here.editor() as other,
        here.editor(ours=None) as plain,
    ):
        run = await one.request("codexd/delegate", {"agent": "worker", "wait": True})
        await other.row(lambda row: row["status"] == "completed")
        told = [row for batch in one.all("codexd/events") for row in batch["told"]]
        assert {"kind": "began", "run": run["id"]} in told
        assert not [row for batch in other.all("codexd/events") for row in batch["told"]]
        await plain.request("codexd/agents")
        assert [each for each in plain.received if "method" in each] == []


async def test_a_client_that_is_gone_leaves_its_requests_to_nobody(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as other:
        async with here.editor() as one:
            for _ in range(50):
                one.begin("codexd/doctor")
                one.begin("codexd/runs")
        await settled(lambda: here.desk.n_clients == 1)
        await other.request("codexd/agents")


async def test_a_run_can_be_found_as_soon_as_its_id_is_known(tmp_path: Path) -> None:
    async with office(tmp_path, [HANGING] * 9) as here, here.editor() as editor:
        for _ in range(5):
            began = await editor.request("codexd/delegate", {"agent": "worker"})
            assert (await editor.request("codexd/run", began))["status"] == "running"
            assert (await editor.request("codexd/cancel", began))["runs"] == [began["run"]]


# --- consent --------------------------------------------------------------------------------


def asked(client: Editor, method: str = "codexd/approve") -> list[Message]:
    """The questions that a client was asked, whole."""
    return [each for each in client.received if each.get("method") == method]


def taken_back(client: Editor) -> list[Any]:
    """The ids of the questions that the server has taken back."""
    return [params["id"] for params in client.all("$/cancelRequest")]


def start(client: Editor, **more: Any) -> int:
    """Ask for a run by a hosted model."""
    return client.begin(
        "codexd/delegate", {"agent": "worker", "model": HOSTED, "wait": True, **more}
    )


async def test_consent_is_asked_of_the_client_that_starts_the_run(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as one, here.editor() as other:
        one.answers["codexd/approve"] = lambda _: {"answer": "once"}
        assert (await one.answer(start(one)))["status"] == "completed"
        [question] = asked(one)
        assert question["params"] == {
            "kind": "hosted_model",
            "host": "ollama.com",
            "reads": question["params"]["reads"],
            "agents": ["worker"],
        }
        assert question["params"]["reads"].startswith("./**")
        assert asked(other) == []


ANSWERS: list[Any] = [None, {}, [], "once", {"answer": "yes"}, {"answer": None}, {"answer": "no"}]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_is_no_yes_is_a_no(tmp_path: Path, answer: Any) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as one:
        one.answers["codexd/approve"] = lambda _: answer
        with pytest.raises(Failed) as failed:
            await one.answer(start(one))
        assert (failed.value.code, failed.value.data["type"]) == (-32014, "Denied")
        assert here.house.server.requests == []


@pytest.mark.parametrize(
    ("locale", "titles"),
    [
        ("en", ["Deny", "Allow once", "Always here"]),
        ("ja", ["拒否", "今回だけ", "常に許可"]),
    ],
)
async def test_a_plain_editor_is_asked_by_a_message_with_deny_first(
    tmp_path: Path, locale: str, titles: list[str]
) -> None:
    async with (
        office(tmp_path, [DONE] * 3) as here,
        here.editor(ours=None, locale=locale) as plain,
    ):
        plain.answers["window/showMessageRequest"] = lambda params: params["actions"][0]
        with pytest.raises(Failed):
            await plain.answer(start(plain))
        plain.answers["window/showMessageRequest"] = lambda _: None
        with pytest.raises(Failed):
            await plain.answer(start(plain))
        for n in (1, 2):
            plain.answers["window/showMessageRequest"] = lambda params, n=n: params["actions"][n]
            assert (await plain.answer(start(plain)))["status"] == "completed"
        questions = [each["params"] for each in asked(plain, "window/showMessageRequest")]
        assert [action["title"] for action in questions[0]["actions"]] == titles
        assert "ollama.com" in questions[0]["message"]
        # It said always.
        assert (await plain.answer(start(plain)))["status"] == "completed"
        assert len(asked(plain, "window/showMessageRequest")) == len(questions) == 4


async def test_a_silent_client_leaves_the_question_to_all_that_can_ask(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], silent_seconds=0.1) as here,
        here.editor() as silent,
        here.editor() as other,
        here.editor() as third,
        here.editor(ours={"events": True}) as deaf,
    ):
        for client in (silent, third):
            client.answers["codexd/approve"] = lambda _: Editor.LATER
        other.answers["codexd/approve"] = lambda _: {"answer": "once"}
        assert (await silent.answer(start(silent)))["status"] == "completed"
        for client in (silent, third):
            [question] = asked(client)
            await client.told("$/cancelRequest")
            assert taken_back(client) == [question["id"]]
            # An answer that comes late is nobody's.
            client.send({"jsonrpc": "2.0", "id": question["id"], "result": {"answer": "no"}})
            await client.request("codexd/agents")
        assert (len(asked(other)), taken_back(other)) == (1, [])
        assert asked(deaf) == asked(deaf, "window/showMessageRequest") == []


async def test_the_first_answer_may_be_that_of_the_silent_client(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], silent_seconds=0.1) as here,
        here.editor() as silent,
        here.editor() as other,
    ):
        for client in (silent, other):
            client.answers["codexd/approve"] = lambda _: Editor.LATER
        wanted = start(silent)
        await other.told("codexd/approve")
        [question] = asked(silent)
        silent.send({"jsonrpc": "2.0", "id": question["id"], "result": {"answer": "no"}})
        with pytest.raises(Failed):
            await silent.answer(wanted)
        await other.told("$/cancelRequest")


async def test_a_client_that_cannot_ask_leaves_the_question_at_once(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], silent_seconds=3600) as here,
        here.editor() as one,
        here.editor() as other,
    ):
        one.answers["codexd/approve"] = lambda _: Editor.LATER
        other.answers["codexd/approve"] = lambda _: {"answer": "once"}
        wanted = start(one)
        await one.told("codexd/approve")
        [question] = asked(one)
        error = {"code": -32601, "message": "no such method"}
        one.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
        assert (await one.answer(wanted))["status"] == "completed"


async def test_the_question_of_a_client_that_is_gone_goes_to_the_others(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE], silent_seconds=3600) as here, here.editor() as other:
        other.answers["codexd/approve"] = lambda _: {"answer": "once"}
        async with here.editor() as one:
            one.answers["codexd/approve"] = lambda _: Editor.LATER
            start(one)
            await one.told("codexd/approve")
        await other.row(lambda row: row["status"] == "completed")


async def test_a_terminal_is_asked_for_its_own_command_alone(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], silent_seconds=0.1) as here,
        here.editor(door="cli") as one,
        here.editor(door="cli") as other,
        here.editor() as editor,
    ):
        for client in (one, other):
            client.answers["codexd/approve"] = lambda _: Editor.LATER
        editor.answers["codexd/approve"] = lambda _: {"answer": "once"}
        assert (await one.answer(start(one)))["status"] == "completed"
        assert (len(asked(one)), len(asked(editor)), asked(other)) == (1, 1, [])


async def test_a_question_that_nobody_is_there_for_is_a_no(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE], silent_seconds=3600) as here:
        async with here.editor() as one:
            one.answers["codexd/approve"] = lambda _: Editor.LATER
            start(one)
            await one.told("codexd/approve")
        async with here.editor() as other:
            assert await other.request("codexd/runs") == {"runs": [], "rows": []}
        assert here.house.server.requests == []


async def test_a_cancelled_request_takes_its_question_back(tmp_path: Path) -> None:
    for wire in ("codexd/delegate", "workspace/executeCommand"):
        async with office(tmp_path / wire[:6], [DONE]) as here, here.editor() as one:
            one.answers["codexd/approve"] = lambda _: Editor.LATER
            params: Message = {"agent": "worker", "model": HOSTED}
            if wire.startswith("workspace"):
                params = {"command": "codexd.delegate", "arguments": [params]}
            wanted = one.begin(wire, params)
            await one.told("codexd/approve")
            one.cancel(wanted)
            with pytest.raises(Failed) as failed:
                await one.answer(wanted)
            assert failed.value.code == -32800
            await one.told("$/cancelRequest")
            assert taken_back(one) == [asked(one)[0]["id"]]
            assert await one.request("codexd/runs") == {"runs": [], "rows": []}


# --- the environment ------------------------------------------------------------------------


async def test_a_run_has_the_keys_of_the_client_that_started_it(tmp_path: Path) -> None:
    keys = {"one": "sk-one-0123456789abcdef0123", "two": "sk-two-0123456789abcdef0123"}
    provider = 'env_key = "SCRIPTED_KEY"'
    async with (
        office(tmp_path, lambda _: DONE, provider=provider) as here,
        here.editor(env={"SCRIPTED_KEY": keys["one"]}) as one,
        here.editor(env={"SCRIPTED_KEY": keys["two"]}) as two,
        here.editor() as none,
    ):
        for client in (one, two, one):
            run = await client.request("codexd/delegate", {"agent": "worker", "wait": True})
            assert run["status"] == "completed"
        sent = [request.headers["Authorization"] for request in here.house.server.requests]
        assert sent == [f"Bearer {keys[name]}" for name in ("one", "two", "one")]
        with pytest.raises(Failed, match="SCRIPTED_KEY"):
            await none.request("codexd/delegate", {"agent": "worker", "wait": True})
        state = here.house.codexd.config.folders.state
        kept = b"".join(each.read_bytes() for each in state.rglob("*") if each.is_file())
        assert not [key for key in keys.values() if key.encode() in kept]


# --- progress -------------------------------------------------------------------------------


def reports(client: Editor) -> list[Message]:
    """What was said of progress, in order: `begin`, `report`, `end`."""
    return [params["value"] for params in client.all("$/progress")]


async def test_progress_begins_when_the_client_has_made_its_token_and_ends(tmp_path: Path) -> None:
    def script(body: Message) -> Scripted:
        return nth_read(turns(body)) if turns(body) < 12 else DONE

    worker = agent("worker", budget=20_000)
    async with (
        office(tmp_path, script, worker) as here,
        here.editor(ours=None, capabilities=PROGRESS) as one,
        here.editor(ours=None, capabilities=PROGRESS) as other,
    ):
        tokens: list[str] = []
        one.answers["window/workDoneProgress/create"] = lambda _: Editor.LATER
        wanted = one.begin("codexd/delegate", {"agent": "worker", "wait": True})
        token = (await one.told("window/workDoneProgress/create"))["token"]
        tokens += [token, (await other.told("window/workDoneProgress/create"))["token"]]
        await one.request("codexd/agents")
        assert reports(one) == []
        [question] = asked(one, "window/workDoneProgress/create")
        one.send({"jsonrpc": "2.0", "id": question["id"], "result": None})
        await one.answer(wanted)
        for client, token in zip((one, other), tokens, strict=True):
            await client.told("$/progress", lambda params: params["value"]["kind"] == "end")
            assert {params["token"] for params in client.all("$/progress")} == {token}
            said = reports(client)
            kinds = [each["kind"] for each in said]
            assert kinds == ["begin", *["report"] * (len(said) - 2), "end"]
            shares = [each["percentage"] for each in said[:-1]]
            assert shares == sorted(shares)
            assert len(asked(client, "window/workDoneProgress/create")) == 1
        assert len(set(tokens)) == 2


async def test_children_have_no_progress_of_their_own(tmp_path: Path) -> None:
    delegate = Scripted(calls=(call("delegate", agent="worker", goal="look"),))
    agents = (agent("boss", tools="delegate"), agent("worker"))
    async with (
        office(tmp_path, [delegate, DONE, DONE], *agents) as here,
        here.editor(capabilities=PROGRESS) as one,
    ):
        await one.request("codexd/delegate", {"agent": "boss", "wait": True})
        await one.row(lambda row: row["agent"] == "boss" and row["status"] == "completed")
        assert len(asked(one, "window/workDoneProgress/create")) <= 1
        assert [row for batch in one.all("codexd/events") for row in batch["runs"] if row["parent"]]


async def test_a_cancel_of_the_progress_cancels_the_run(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reading_on) as here,
        here.editor(capabilities=PROGRESS) as one,
        here.editor(capabilities=PROGRESS) as other,
    ):
        began = await one.request("codexd/delegate", {"agent": "worker"})
        mine = (await one.told("$/progress"))["token"]
        await other.told("$/progress")
        # The token of one client is not that of another.
        other.notify("window/workDoneProgress/cancel", {"token": mine})
        await other.request("codexd/agents")
        assert (await one.request("codexd/run", began))["status"] == "running"
        one.notify("window/workDoneProgress/cancel", {"token": mine})
        await other.row(lambda row: row["status"] == "cancelled")


@pytest.mark.parametrize(
    ("ours", "capabilities"),
    [({**OURS, "progress": False}, PROGRESS), (OURS, {"window": {}}), (None, None)],
)
async def test_progress_is_shown_to_those_who_can_and_want(
    tmp_path: Path, ours: Message | None, capabilities: Message | None
) -> None:
    async with (
        office(tmp_path, [DONE]) as here,
        here.editor(ours=ours, capabilities=capabilities) as one,
    ):
        await one.request("codexd/delegate", {"agent": "worker", "wait": True})
        await one.request("codexd/agents")
        assert asked(one, "window/workDoneProgress/create") == reports(one) == []


async def test_a_client_that_refuses_the_token_hears_no_more_of_it(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [HANGING]) as here,
        here.editor(capabilities=PROGRESS) as one,
    ):
        one.answers["window/workDoneProgress/create"] = lambda _: Editor.LATER
        began = await one.request("codexd/delegate", {"agent": "worker"})
        await one.told("window/workDoneProgress/create")
        [question] = asked(one, "window/workDoneProgress/create")
        error = {"code": -32603, "message": "no"}
        one.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
        await one.request("codexd/cancel", began)
        await one.row(lambda row: row["status"] == "cancelled")
        assert reports(one) == []


# --- how often, and how much ----------------------------------------------------------------


def streamed(client: Editor) -> list[float]:
    """When a client was told what can be told later, too."""
    found: list[float] = []
    for message, at in zip(client.received, client.times, strict=True):
        params = message.get("params", {})
        rows = message.get("method") == "codexd/events" and params["runs"]
        report = message.get("method") == "$/progress" and params["value"]["kind"] == "report"
        if rows or report:
            found.append(at)
    return found


def most_a_second(times: Sequence[float]) -> int:
    """How many of them lie within one second, where that is most."""
    return max(sum(at <= each < at + 1 for each in times) for at in times)


async def several_streams(here: Office, client: Editor, n: int) -> None:
    """`n` runs that stream for two seconds."""
    wanted = [client.begin("codexd/delegate", {"agent": "worker", "wait": True}) for _ in range(n)]
    for each in wanted:
        assert (await client.answer(each))["status"] == "completed"
    await settled(lambda: not here.house.codexd.driving.n_roots)


async def test_however_much_happens_a_client_is_told_ten_times_a_second(tmp_path: Path) -> None:
    async with (
        office(tmp_path, streaming) as here,
        here.editor(capabilities=PROGRESS) as both,
        here.editor() as events,
        here.editor(ours=None, capabilities=PROGRESS) as plain,
    ):
        await several_streams(here, events, 10)
        for client in (both, events, plain):
            times = streamed(client)
            # One more may lie on the edge.
            assert len(times) >= 10, len(times)
            assert most_a_second(times) <= 11
        assert {message.get("method") for message in both.received} >= {
            "codexd/events",
            "$/progress",
        }


async def stalled(here: Office, client: Editor) -> Connection:
    """Have `client` read no more, and more than 1 MiB lie there for it."""
    [connection] = [each for each in here.desk.connections if each.client_name == "stalled"]
    client.reads = anyio.Event()
    while not connection.slow:
        client.begin("codexd/agents")
        await client.writer.drain()
        await anyio.lowlevel.checkpoint()
    return connection


STALLED: Message = {"clientInfo": {"name": "stalled"}}


async def test_a_client_that_reads_nothing_is_kept_the_latest_state_alone(tmp_path: Path) -> None:
    async with (
        office(tmp_path, streaming) as here,
        here.editor(capabilities=PROGRESS, **STALLED) as slow,
        here.editor() as other,
    ):
        connection = await stalled(here, slow)
        await settled(lambda: not connection.protocol.n_going_on)
        unsent = connection.unsent
        assert unsent > SLOW_UNSENT
        await several_streams(here, other, 5)
        # One question a run, about a token for its progress.
        assert connection.unsent - unsent < 5_000
        assert len(streamed(other)) >= 10
        n = len(slow.received)
        slow.reads.set()
        await slow.row(lambda row: row["status"] == "completed")
        batches = [m["params"] for m in slow.received[n:] if m.get("method") == "codexd/events"]
        assert [[row["status"] for row in batch["runs"]] for batch in batches] == [
            ["completed"] * 5
        ]


async def test_a_client_that_asks_and_never_reads_is_let_go(tmp_path: Path) -> None:
    async with (
        office(tmp_path, streaming) as here,
        here.editor(**STALLED) as slow,
        here.editor() as other,
    ):
        connection = await stalled(here, slow)
        most = 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(several_streams, here, other, 3)
            while not connection.gone:
                if connection.protocol.n_going_on < 20:
                    slow.begin("codexd/agents")
                most = max(most, connection.unsent)
                await anyio.lowlevel.checkpoint()
        assert SLOW_UNSENT < most <= MOST_UNSENT
        await settled(lambda: here.desk.n_clients == 1)
        assert len(streamed(other)) >= 10
        await other.request("codexd/agents")


# --- nothing is left behind -----------------------------------------------------------------


async def test_a_client_that_has_gone_leaves_nothing_in_memory(tmp_path: Path) -> None:
    async with office(tmp_path, lambda _: DONE) as here, here.editor() as other:
        seen: list[weakref.ref[Connection]] = []
        for _ in range(20):
            async with here.editor(capabilities=PROGRESS) as one:
                seen.append(weakref.ref(here.desk.connections[-1]))
                uri = one.open(here.workspace / "a.txt", "alpha")
                one.change(uri, 2, "beta")
                await one.request("codexd/delegate", {"agent": "worker", "wait": True})
        await settled(lambda: here.desk.n_clients == 1)
        await other.request("codexd/agents")
        gc.collect()
        assert [each for each in seen if each() is not None] == []


async def test_200_clients_come_and_go_without_growth(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here:
        counts: list[int] = []
        for n in range(200):
            async with here.editor() as one:
                await one.request("codexd/agents")
            if n in (99, 199):
                await settled(lambda: here.desk.n_clients == 0)
                gc.collect()
                counts.append(len(gc.get_objects()))
                assert not [each for each in gc.get_objects() if isinstance(each, Connection)]
        assert counts[1] - counts[0] < 1_000


async def test_notifications_leave_nothing_behind(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as one:
        uri = one.open(here.workspace / "a.txt", "alpha")
        for n in range(1_000):
            one.change(uri, n + 2, f"text {n}")
            one.notify("window/workDoneProgress/cancel", {"token": "none"})
        await one.request("codexd/agents")
        [connection] = here.desk.connections
        await settled(lambda: not connection.protocol.n_going_on)
        buffer = connection.buffer(uri)
        assert buffer is not None
        assert buffer.text == "text 999"
