"""Agent files as a language, over the wire: from the unsaved buffer, and from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.house import agent, call, result
from tests.lsp.editor import Editor, Failed, office
from tests.model_server import Scripted

pytestmark = pytest.mark.anyio

DONE = Scripted(text=result("done"))
READ = Scripted(calls=(call("read_file", path="a.txt"),))
CODE_ACTION = "textDocument/codeAction"
LICENCES = "name: licences 📜\ngoal: Name every file without a licence\nmax_tokns: 5000\n"
PLAIN: dict[str, Any] = {
    "textDocument": {
        "publishDiagnostics": {"versionSupport": True},
        "hover": {},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}},
    },
    "workspace": {"codeLens": {"refreshSupport": True}},
}


def at(uri: str, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}


async def said(editor: Editor, uri: str, code: str) -> dict[str, Any]:
    """The one diagnostic of that code, as soon as it is there."""
    found = await editor.diagnostics(uri, lambda all: any(one["code"] == code for one in all))
    [one] = [one for one in found if one["code"] == code]
    return one


async def test_an_unsaved_mistake_is_marked_and_its_fix_offered(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        uri = editor.open(here.workspace / ".codex/agents/licences.yaml", LICENCES)
        wrong = await said(editor, uri, "unknown-key")
        assert wrong["range"] == {
            "start": {"line": 2, "character": 0},
            "end": {"line": 2, "character": 9},
        }
        assert "max_tokens" in str(wrong["data"])
        context = {"diagnostics": [wrong]}
        params = {"textDocument": {"uri": uri}, "range": wrong["range"], "context": context}
        actions = await editor.request("textDocument/codeAction", params)
        fix = next(action for action in actions if action.get("isPreferred"))
        [edit] = fix["edit"]["changes"][uri]
        assert edit == {"range": wrong["range"], "newText": "max_tokens"}
        editor.change(uri, 2, LICENCES.replace("max_tokns", "max_tokens"))
        await editor.diagnostics(uri, lambda all: not all)


async def test_keys_are_completed_while_the_text_is_broken(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        text = "name: licences\nmax_t"
        uri = editor.open(here.workspace / ".codex/agents/licences.yaml", text)
        items = await editor.request("textDocument/completion", at(uri, 1, 5))
        assert "max_tokens" in {item["label"] for item in items}
        assert await editor.request("textDocument/hover", at(uri, 0, 8))
        symbols = await editor.request(
            "textDocument/documentSymbol", {"textDocument": {"uri": uri}}
        )
        assert [symbol["name"] for symbol in symbols][:1] == ["name"]


async def test_another_document_is_none_of_our_business(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        uri = editor.open(here.workspace / "docker-compose.yaml", LICENCES)
        assert await editor.request("textDocument/hover", at(uri, 0, 2)) is None
        assert await editor.request("textDocument/completion", at(uri, 0, 2)) is None
        lenses = await editor.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert lenses is None
        assert not editor.all("textDocument/publishDiagnostics")


async def test_a_lens_runs_the_agent_and_then_says_how_it_went(tmp_path: Path) -> None:
    async with office(tmp_path, [READ, DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        path = here.workspace / ".codex/agents/worker.yaml"
        uri = editor.open(path, path.read_text())
        asked = {"textDocument": {"uri": uri}}
        [run, policy] = await editor.request("textDocument/codeLens", asked)
        assert "never run" in run["command"]["title"]
        await editor.command(run["command"]["command"], *run["command"]["arguments"])
        await editor.told("workspace/codeLens/refresh", lambda _: True)
        [again, _] = await editor.request("textDocument/codeLens", asked)
        assert "completed" in again["command"]["title"]
        told = await editor.command(policy["command"]["command"], *policy["command"]["arguments"])
        assert told["policy"] == ["reads ./**", "writes nothing", "no network", "no shell"]


async def test_a_file_on_disk_is_marked_for_everyone_and_its_mending_too(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE]) as here,
        here.editor(capabilities=PLAIN) as one,
        here.editor(capabilities=PLAIN) as other,
    ):
        path = here.workspace / ".codex/agents/licences.yaml"
        path.write_text(LICENCES)
        for editor in (one, other):
            await said(editor, path.as_uri(), "unknown-key")
            await editor.told("codexd/agentsChanged")
        names = {row["slug"] for row in (await one.request("codexd/agents"))["agents"]}
        assert "licences" in names
        path.write_text(LICENCES.replace("max_tokns", "max_tokens"))
        for editor in (one, other):
            await editor.diagnostics(path.as_uri(), lambda all: not all)


async def test_a_broken_file_keeps_its_last_good_version_in_service(tmp_path: Path) -> None:
    async with office(tmp_path, [READ, DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        path = here.workspace / ".codex/agents/worker.yaml"
        path.write_text(agent("worker").replace("goal:", "goal: ["))
        found = await editor.diagnostics(path.as_uri(), lambda all: len(all) > 1)
        assert any("stays in service" in one["message"] for one in found)
        run = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        assert run["status"] == "completed"


async def test_what_is_configured_decides_from_the_moment_it_is_saved(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(capabilities=PLAIN) as editor:
        path = here.workspace / ".codex/agents/writer.yaml"
        path.write_text(agent("writer", tools="read_file, write_file", write="src/"))
        await editor.told("codexd/agentsChanged")
        config = here.house.home / ".codex/codexd.toml"
        config.write_text(config.read_text() + '\n[policy]\nwrite = ["docs/"]\n')
        await said(editor, path.as_uri(), "above-ceiling")


async def test_an_editor_that_comes_later_hears_of_what_was_wrong_before(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here:
        path = here.workspace / ".codex/agents/licences.yaml"
        path.write_text(LICENCES)
        async with here.editor(capabilities=PLAIN) as editor:
            await said(editor, path.as_uri(), "unknown-key")


async def test_an_editor_that_speaks_japanese_is_answered_so(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE]) as here,
        here.editor(capabilities=PLAIN, locale="ja") as editor,
    ):
        path = here.workspace / ".codex/agents/worker.yaml"
        uri = editor.open(path, path.read_text())
        [run, _] = await editor.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        assert "実行" in run["command"]["title"]
        await editor.command("codexd.effectivePolicy", {"agent": "worker"})
        told = await editor.told("window/showMessage")
        assert told["message"] == "worker: ./** を読む · 何も書かない · 通信なし · shell なし"
        hover = await editor.request("textDocument/hover", at(uri, 0, 8))
        assert "何も書かない · 通信なし" in hover["contents"]["value"]
        with pytest.raises(Failed, match="で始まる実行はありません"):
            await editor.command("codexd.run", {"run": "ffff"})


async def test_only_actions_of_the_kinds_that_are_asked_for_come(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE]) as here,
        here.editor(capabilities=PLAIN) as editor,
        here.editor(capabilities={"textDocument": {"publishDiagnostics": {}}}) as simple,
    ):
        path = here.workspace / ".codex/agents/worker.yaml"
        path.write_text(f"{agent('worker')}max_tokns: 5000\n")
        wrong = await said(editor, path.as_uri(), "unknown-key")

        async def titles(client: Editor, **context: Any) -> list[str]:
            params = {
                "textDocument": {"uri": path.as_uri()},
                "range": {"start": {"line": 0, "character": 0}, "end": wrong["range"]["end"]},
                "context": {"diagnostics": [wrong], **context},
            }
            return [each["title"] for each in await client.request(CODE_ACTION, params)]

        fixes = ["Change to `max_tokens`", "Remove `max_tokns`"]
        twins = ["▶ Run · never run", "Effective policy"]
        assert (await titles(editor))[:4] == [*fixes, *twins]
        assert await titles(editor, only=["quickfix"]) == fixes
        assert await titles(editor, only=["source.organizeImports"]) == []
        # Who knows no whole actions is given what is a command.
        assert (await titles(simple))[:2] == twins
