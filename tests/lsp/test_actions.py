"""Code actions: on findings, and on any selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.house import agent, call, result
from tests.lsp.editor import Editor, Failed, Message, Office, office
from tests.model_server import Scripted

pytestmark = pytest.mark.anyio

TEXT = 'import os\ngreet = "🙂🙂 %s" % oops  # é\nthree = 3\nfour = 4\n'
FINDING: Message = {
    "path": "src/a.py", "line": 2, "column": 19, "end_line": 2, "end_column": 23,
    "severity": "error", "message": "`oops` is not defined", "rule": "F821",
}  # fmt: skip
FIX: Message = {
    "title": "Call it `name`",
    "edits": [{"line": 2, "column": 19, "end_line": 2, "end_column": 23, "text": "name"},
              {"line": 1, "column": 1, "end_line": 2, "end_column": 1, "text": ""}],
}  # fmt: skip
DONE = Scripted(text=result("looked"))
WORKER = agent("worker", tools="read_file, report_finding")

LITERAL: Message = {
    "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", "refactor"]}}
}
CAPABILITIES: Message = {
    "textDocument": {"publishDiagnostics": {}, "codeAction": LITERAL},
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {
            "documentChanges": True,
            "changeAnnotationSupport": {"groupsOnLabel": False},
        },
    },
}
PLAIN: Message = {"textDocument": {"publishDiagnostics": {}}, "workspace": {"applyEdit": True}}


def reports(**fix: Any) -> list[Scripted]:
    finding = {**FINDING, "fix": {**FIX, **fix}}
    return [Scripted(calls=(call("report_finding", findings=[finding]),)), DONE]


def span(line: int, start: int, end_line: int, end: int) -> Message:
    return {
        "start": {"line": line, "character": start},
        "end": {"line": end_line, "character": end},
    }


async def actions(
    editor: Editor, path: Path, where: Message, only: list[str] | None = None
) -> list[Message]:
    """What is offered at a place."""
    context: Message = {"diagnostics": []}
    if only is not None:
        context["only"] = only
    params = {"textDocument": {"uri": path.as_uri()}, "range": where, "context": context}
    return await editor.request("textDocument/codeAction", params) or []


def titled(offered: list[Message], title: str) -> Message:
    [found] = [each for each in offered if each["title"] == title]
    return found


async def reported(here: Office, editor: Editor) -> Message:
    """The run that has reported the finding, which the editor is shown."""
    run = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
    await editor.diagnostics((here.workspace / "src/a.py").as_uri(), bool)
    return run


async def test_what_can_be_done_about_a_finding(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reports(), WORKER, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        path = here.workspace / "src/a.py"
        run = await reported(here, editor)
        offered = await actions(editor, path, span(1, 3, 1, 3), ["quickfix"])
        assert [each["title"] for each in offered] == [
            "Call it `name`",
            "Fix with refactorer",
            "Explain: `oops` is not defined",
            "Dismiss: `oops` is not defined",
        ]
        assert {each["kind"] for each in offered} == {"quickfix"}
        assert all(each["diagnostics"][0]["code"] == "F821" for each in offered)
        said = "this finding of worker at src/a.py:2: `oops` is not defined (F821)"
        assert offered[1]["command"] == {
            "title": "Fix with refactorer",
            "command": "codexd.delegate",
            "arguments": [
                {
                    "agent": "refactorer",
                    "goal": f"Mend {said}. Change nothing else.",
                    "scope": ["src/a.py"],
                }
            ],
        }
        explain = offered[2]["command"]["arguments"][0]
        assert explain["agent"] == "worker"
        assert said in explain["goal"]
        # Elsewhere there is nothing to mend.
        assert await actions(editor, path, span(2, 3, 2, 3), ["quickfix"]) == []
        dismiss = offered[3]["command"]
        assert dismiss["arguments"] == [{"run": run["id"], "index": 0}]
        await editor.command(dismiss["command"], *dismiss["arguments"])
        assert await actions(editor, path, span(1, 3, 1, 3), ["quickfix"]) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_a_fix_is_made_for_the_buffer_with_a_look_at_each_change(
    tmp_path: Path, encoding: str
) -> None:
    capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
    async with (
        office(tmp_path, reports(safe=True), WORKER, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=capabilities) as editor,
    ):
        path = here.workspace / "src/a.py"
        editor.open(path, f"# 🙂 unsaved\n{TEXT}")
        run = await reported(here, editor)
        offered = await actions(editor, path, span(2, 0, 2, 0), ["quickfix"])
        fix = titled(offered, "Call it `name`")
        assert fix["isPreferred"] is True
        edit = fix["edit"]
        [document] = edit["documentChanges"]
        assert document["textDocument"] == {"uri": path.as_uri(), "version": 1}
        column = {"utf-8": 24, "utf-16": 20, "utf-32": 18}[encoding]
        assert document["edits"] == [
            {"range": span(2, column, 2, column + 4), "newText": "name", "annotationId": "0"},
            {"range": span(1, 0, 2, 0), "newText": "", "annotationId": "1"},
        ]
        assert edit["changeAnnotations"]["0"] == {
            "label": "Call it `name`",
            "needsConfirmation": False,
            "description": f"worker · {run['short']}",
        }


async def test_a_fix_whose_lines_are_others_now_is_not_offered(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reports(), WORKER, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        path = here.workspace / "src/a.py"
        editor.open(path, TEXT.replace("import os", "import os  # needed"))
        run = await reported(here, editor)
        offered = await actions(editor, path, span(1, 0, 1, 0), ["quickfix"])
        assert "Call it `name`" not in [each["title"] for each in offered]
        with pytest.raises(Failed, match="no fix that fits"):
            await editor.command("codexd.applyFix", {"run": run["id"], "index": 0})


async def test_a_client_that_takes_commands_only_is_given_those(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reports(), WORKER, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PLAIN, ours=None) as editor,
    ):
        path = here.workspace / "src/a.py"
        await editor.command("codexd.delegate", {"agent": "worker", "wait": True})
        await editor.diagnostics(path.as_uri(), bool)
        offered = await actions(editor, path, span(1, 0, 1, 0))
        assert {frozenset(each) for each in offered} == {
            frozenset({"title", "command", "arguments"})
        }
        assert all(len(each["arguments"]) == 1 for each in offered)
        editor.answers["workspace/applyEdit"] = lambda _: {"applied": True}
        fix = titled(offered, "Call it `name`")
        assert await editor.command(fix["command"], *fix["arguments"]) == {"applied": True}
        asked = await editor.told("workspace/applyEdit")
        assert list(asked["edit"]) == ["changes"]
        assert len(asked["edit"]["changes"][path.as_uri()]) == 2


async def test_every_command_that_is_offered_is_advertised(tmp_path: Path) -> None:
    async with (
        office(tmp_path, reports(), WORKER, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PLAIN) as editor,
    ):
        advertised = editor.received[0]["result"]["capabilities"]
        path = here.workspace / "src/a.py"
        await reported(here, editor)
        offered = [
            *await actions(editor, path, span(1, 0, 1, 0)),
            *await actions(editor, path, span(1, 0, 2, 0)),
        ]
        known = set(advertised["executeCommandProvider"]["commands"])
        assert {each["command"] for each in offered} <= known
        assert "quickfix" in advertised["codeActionProvider"]["codeActionKinds"]


RUST = agent("rust-doctor").replace("goal:", "description: Mends Rust and Cargo.\ngoal:")
PYTHON = agent("py").replace("goal:", "description: Knows Python well.\ngoal:")


async def test_a_selection_is_delegated_to_the_agents_that_fit(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], WORKER, RUST, PYTHON, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        path = here.workspace / "src/a.py"
        offered = await actions(editor, path, span(1, 0, 3, 0), ["refactor"])
        titles = [each["title"] for each in offered]
        assert titles[0] == "Delegate selection to py…"
        assert titles[-3:] == [
            "Review selection with code-reviewer",
            "Generate tests for selection",
            "Create an agent for this…",
        ]
        assert len(titles) == 9
        assert not [title for title in titles if "rust-doctor" in title]
        assert {each["kind"] for each in offered} == {"refactor.codexd"}
        for each in offered[:-1]:
            [order] = each["command"]["arguments"]
            assert 'src/a.py:2-3 (from "greet = "🙂🙂 %s" % oops  # é")' in order["goal"]
            assert order["scope"] == ["src/a.py"]
        create = offered[-1]["command"]
        assert create["command"] == "codexd.createAgent"
        assert "Python code such as src/a.py:2-3" in create["arguments"][0]["prompt"]


async def test_the_place_is_named_in_the_lines_of_the_file(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        path = here.workspace / "src/a.py"
        uri = editor.open(path, f"# unsaved\n# 🙂\n{TEXT}")
        review = "Review selection with code-reviewer"
        offered = await actions(editor, path, span(4, 2, 5, 3))
        goal = titled(offered, review)["command"]["arguments"][0]["goal"]
        assert 'src/a.py:3-4 (from "three = 3")' in goal
        editor.change(uri, 2, f"# 🙂\n{TEXT}")
        offered = await actions(editor, path, span(0, 0, 0, 2))
        goal = titled(offered, review)["command"]["arguments"][0]["goal"]
        assert 'src/a.py:1 (from "# 🙂"; the editor has unsaved changes there)' in goal


async def test_at_a_mere_cursor_the_file_is_what_is_meant(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES, locale="ja") as editor,
    ):
        path = here.workspace / "src/a.py"
        offered = await actions(editor, path, span(2, 0, 2, 0))
        assert [(each["title"], each["kind"]) for each in offered] == [
            ("ファイルを code-reviewer でレビュー", "source.codexd.review"),
            ("ファイルのテストを生成", "source.codexd.tests"),
        ]
        only = await actions(editor, path, span(2, 0, 2, 0), ["source.codexd.tests"])
        assert [each["kind"] for each in only] == ["source.codexd.tests"]
        assert await actions(editor, path, span(2, 0, 2, 0), ["source.organizeImports"]) == []


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "file:///etc/hostname", "file:///no/such"])
async def test_outside_the_workspace_nothing_is_offered(tmp_path: Path, uri: str) -> None:
    async with (
        office(tmp_path, [DONE]) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        params: Message = {
            "textDocument": {"uri": uri},
            "range": span(0, 0, 0, 1),
            "context": {"diagnostics": []},
        }
        assert not await editor.request("textDocument/codeAction", params)


async def test_a_delegated_selection_runs(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [DONE], files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        offered = await actions(editor, here.workspace / "src/a.py", span(0, 0, 1, 0))
        command = titled(offered, "Delegate selection to worker…")["command"]
        began = await editor.command(command["command"], *command["arguments"])
        row = await editor.row(lambda row: row["id"] == began["run"])
        assert row["goal"] == 'Look around. Only src/a.py:1 (from "import os").'
