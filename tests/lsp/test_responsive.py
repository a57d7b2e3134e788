"""Nobody waits for what another client, or a large text, has to be done for."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import result
from tests.lsp.editor import OURS, Editor, Failed, Message, attached, office
from tests.model_server import Scripted

from codexd.lsp import protocol

pytestmark = pytest.mark.anyio

DONE = Scripted(text=result("done"))
WRONG = "name: a{n}\ngoal: Look around.\nmax_tokns: 500\n"
PLAIN: dict[str, Any] = {"textDocument": {"publishDiagnostics": {}, "hover": {}}}
LENSES: dict[str, Any] = {"workspace": {"codeLens": {"refreshSupport": True}}}


@asynccontextmanager
async def lateness() -> AsyncGenerator[list[float]]:
    """By how many seconds the event loop was late, each time that it was asked."""
    late: list[float] = []

    async def look() -> None:
        while True:
            before = time.perf_counter()
            await anyio.sleep(0.001)
            late.append(time.perf_counter() - before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        yield late
        tasks.cancel_scope.cancel()


async def test_a_large_agent_file_is_looked_at_while_others_are_answered(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        text = WRONG.format(n=1) + "".join(f"k{n}: [a, b]\n" for n in range(20_000))
        began = time.perf_counter()
        async with lateness() as late:
            uri = editor.open(here.workspace / ".codex/agents/large.yaml", text)
            hover = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 1}}
            assert await editor.request("textDocument/hover", hover)
            await editor.diagnostics(uri, lambda all: len(all) > 1)
        assert max(late) < (time.perf_counter() - began) / 4


async def test_a_branch_of_many_agent_files_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        agents = here.workspace / ".codex/agents"
        began = time.perf_counter()
        async with lateness() as late:
            for n in range(300):
                (agents / f"a{n}.yaml").write_text(WRONG.format(n=n))
            said = "textDocument/publishDiagnostics"
            await editor.until(lambda: len({one["uri"] for one in editor.all(said)}) == 300)
        assert max(late) < (time.perf_counter() - began) / 4


async def test_what_was_asked_before_the_end_of_input_is_answered(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, attached(here.desk) as script:
        params: Message = {
            "processId": None,
            "rootUri": here.workspace.as_uri(),
            "capabilities": {},
        }
        asked = [
            script.begin("initialize", params),
            script.begin("codexd/doctor"),
            script.begin("codexd/delegate", {"agent": "worker", "wait": True}),
        ]
        script.writer.write_eof()
        await script.until_closed()
        answers = {each["id"]: each for each in script.received if "id" in each}
        assert [("result" in answers[each]) for each in asked] == [True] * 3


async def test_questions_that_a_client_leaves_open_do_not_count_as_its_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_REQUESTS", 3)
    async with office(tmp_path, [DONE]) as here, attached(here.desk) as editor:
        editor.answers["codexd/approve"] = lambda _: Editor.LATER
        await editor.initialize(here.workspace, ours=OURS)
        [connection] = here.desk.connections
        for _ in range(4):
            connection.protocol.send_request("codexd/approve", {})
        await editor.until(lambda: len(editor.all("codexd/approve")) == 4)
        assert await editor.request("codexd/agents")


async def test_a_client_is_asked_once_to_look_at_its_lenses_until_it_has(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, attached(here.desk) as editor:
        editor.answers["workspace/codeLens/refresh"] = lambda _: Editor.LATER
        await editor.initialize(here.workspace, ours=OURS, capabilities=LENSES)
        for _ in range(5):
            await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        await editor.told("workspace/codeLens/refresh")
        here.desk.language.changed()
        await editor.request("codexd/agents")
        assert len(editor.all("workspace/codeLens/refresh")) == 1
        editor.answers["workspace/codeLens/refresh"] = lambda _: None
        [asked] = [each for each in editor.received if "refresh" in each.get("method", "")]
        editor.send({"jsonrpc": "2.0", "id": asked["id"], "result": None})
        await editor.until(lambda: len(editor.all("workspace/codeLens/refresh")) == 2)


async def test_an_answer_beyond_all_measure_is_refused_and_the_client_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as editor:
        monkeypatch.setattr(protocol, "MOST_BYTES", 500)
        with pytest.raises(Failed) as refused:
            await editor.request("codexd/agents")
        assert (refused.value.code, "ask for less" in refused.value.message) == (-32803, True)
        assert await editor.request("codexd/runs") == {"runs": [], "rows": []}


async def test_work_for_a_client_that_fails_ends_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        raise KeyError("its client has gone")

    async with office(tmp_path, [DONE]) as here, here.editor() as editor:
        with caplog.at_level(logging.CRITICAL, "codexd.lsp.desk"):
            here.desk.start(work)
            await editor.request("codexd/agents")
            ended = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        assert ended["status"] == "completed"


async def test_a_workspace_that_is_come_to_by_a_link_has_its_agent_files(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, attached(here.desk) as editor:
        link = tmp_path / "by a link"
        link.symlink_to(here.workspace)
        await editor.initialize(link, ours=OURS, capabilities=PLAIN)
        uri = editor.open(link / ".codex/agents/a1.yaml", WRONG.format(n=1))
        hover = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 1}}
        assert await editor.request("textDocument/hover", hover)
        await editor.diagnostics(uri, lambda all: len(all) == 1)


async def test_a_pipe_where_a_file_is_expected_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        pipe = here.workspace / ".codex/agents/pipe.yaml"
        os.mkfifo(pipe)
        hover = {
            "textDocument": {"uri": pipe.as_uri()},
            "position": {"line": 0, "character": 1},
        }
        assert await editor.request("textDocument/hover", hover) is None
