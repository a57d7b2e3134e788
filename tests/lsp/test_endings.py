"""The end of a run, in the editor that started it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest
from tests.cli.samples import AUDIT, REVIEW, run
from tests.house import agent, call, result
from tests.lsp.editor import Editor, Failed, Message, office
from tests.model_server import Fault, Scripted

from codexd.lsp import endings
from codexd.lsp.text import TEXT
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

WRITING = agent(
    "worker", tools="write_file, report_finding", write="report.md", artifacts="report.md"
)
FOUND: Message = {"path": "a.txt", "line": 2, "severity": "error", "message": "beta"}
REPORT = Scripted(
    calls=(
        call("report_finding", findings=[FOUND]),
        call("write_file", path="report.md", content="# Report\n"),
    )
)
DONE = Scripted(text=result("looked"))
HANGING = Scripted(text="…", fault=Fault.SILENCE)
SHOWS: Message = {"window": {"showDocument": {"support": True}}}
ORDER: Message = {"agent": "worker", "wait": True}


def choosing(editor: Editor, n: int) -> None:
    """Have the user choose the `n`th of what is offered."""
    editor.answers["window/showMessageRequest"] = lambda params: params["actions"][n]
    editor.answers["window/showDocument"] = lambda _: {"success": True}


async def test_the_report_is_offered_and_opened(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [REPORT, DONE], WRITING) as here,
        here.editor(capabilities=SHOWS) as editor,
        here.editor(capabilities=SHOWS) as other,
    ):
        choosing(editor, 0)
        ended = await editor.request("codexd/delegate", ORDER)
        asked = await editor.told("window/showMessageRequest")
        assert asked["message"] == f"worker: 1 finding, 1 error · {ended['spent']:,} tokens"
        assert [action["title"] for action in asked["actions"]] == ["Open report", "Show findings"]
        shown = await editor.told("window/showDocument")
        assert shown["uri"] == (here.workspace / "report.md").as_uri()
        await other.request("codexd/agents", {})
        assert {message.get("method") for message in other.received} <= {"codexd/events", None}


async def test_the_findings_are_shown_where_the_buffer_has_them(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [REPORT, DONE], WRITING) as here,
        here.editor(capabilities=SHOWS) as editor,
    ):
        choosing(editor, 1)
        uri = editor.open(here.workspace / "a.txt", "new\nalpha\nbeta\n")
        await editor.request("codexd/delegate", ORDER)
        shown = await editor.told("window/showDocument")
        assert (shown["uri"], shown["selection"]["start"]["line"]) == (uri, 2)


@pytest.mark.parametrize("support", [True, False])
async def test_a_plain_editor_is_asked_nothing_that_would_stop_who_types(
    tmp_path: Path, support: bool
) -> None:
    shows: Message = {"window": {"showDocument": {"support": support}}}
    async with (
        office(tmp_path, [REPORT, DONE], WRITING) as here,
        here.editor(ours=None, capabilities=shows) as editor,
    ):
        ended = await editor.command("codexd.delegate", ORDER)
        told = await editor.told("window/showMessage")
        assert (
            told["message"] == f"worker: 1 finding, 1 error · {ended['spent']:,} tokens · report.md"
        )
        assert editor.all("window/showMessageRequest") == []


async def test_who_cannot_show_a_document_is_told_where_it_is(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [REPORT, DONE], WRITING) as here,
        here.editor(ours=None) as editor,
    ):
        ended = await editor.command("codexd.delegate", ORDER)
        told = await editor.told("window/showMessage")
        assert told["message"].endswith("tokens · report.md")
        answer = await editor.command("codexd.openReport", {"run": ended["short"]})
        assert answer == {"path": "report.md"}
        at = f"report: {here.workspace / 'report.md'}"
        await editor.told("window/showMessage", lambda params: params["message"] == at)


async def test_a_run_without_a_report_says_so(tmp_path: Path) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor(locale="ja_JP") as editor:
        await editor.request("codexd/delegate", ORDER)
        told = await editor.told("window/showMessage")
        assert told["message"].startswith("worker: 完了 · ")
        with pytest.raises(Failed, match="レポートはありません"):
            await editor.command("codexd.openReport")


async def test_a_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    async with office(tmp_path, [Scripted(status=401)]) as here, here.editor() as editor:
        run = await editor.request("codexd/delegate", ORDER)
        told = await editor.told("window/showMessage")
        assert told["type"] == 1
        assert run["reason"].rstrip(".") in told["message"]
        assert told["message"].startswith("worker: failed · ")


async def test_a_command_of_the_terminal_gets_no_message(tmp_path: Path) -> None:
    async with (
        office(tmp_path, [REPORT, DONE], WRITING) as here,
        here.editor(door="cli", capabilities=SHOWS) as terminal,
        here.editor() as editor,
    ):
        run = await terminal.request("codexd/delegate", ORDER)
        await editor.row(lambda row: row["id"] == run["id"] and row["status"] == "completed")
        await terminal.request("codexd/agents", {})
        methods = {message.get("method") for message in terminal.received}
        assert methods == {"codexd/events", None}


async def test_when_who_asked_has_gone_nobody_is_bothered(tmp_path: Path) -> None:
    async with office(tmp_path, [HANGING]) as here, here.editor() as other:
        async with here.editor() as editor:
            began = await editor.request("codexd/delegate", {"agent": "worker"})
            await other.row(lambda row: row["id"] == began["run"])
        await other.request("codexd/cancel", began)
        await other.row(lambda row: row["status"] == "cancelled")
        await other.request("codexd/agents", {})
        assert other.all("window/showMessage") == []


GROUP = run("", children=(run(findings=REVIEW), run("sec-audit", findings=AUDIT)), spent=4600)


@pytest.mark.parametrize(
    ("view", "english", "japanese"),
    [
        (run(findings=REVIEW), "code-reviewer: 30 findings, 2 errors · 3,120 tokens",
         "code-reviewer: 指摘 30 件, エラー 2 件 · 3,120 トークン"),
        (run(), "code-reviewer: done · 3,120 tokens", "code-reviewer: 完了 · 3,120 トークン"),
        (GROUP, "2 agents: 38 findings, 2 errors · 4,600 tokens",
         "2 エージェント: 指摘 38 件, エラー 2 件 · 4,600 トークン"),
        (run(status=Status.FAILED, reason="no key.", help="set X"),
         "code-reviewer: failed · 3,120 tokens — no key. set X",
         "code-reviewer: 失敗 · 3,120 トークン — no key。set X"),
    ],
)  # fmt: skip
def test_an_end_is_one_short_sentence(view: RunView, english: str, japanese: str) -> None:
    assert endings.sentence(view, "en") == english
    assert endings.sentence(view, "ja") == japanese


@pytest.mark.parametrize("status", [status for status in Status if status.ended])
def test_every_end_has_its_words(status: Status) -> None:
    assert endings.sentence(replace(run(), status=status), "ja")


def test_the_report_of_the_root_comes_first() -> None:
    child = run(artifacts=("b.py", "child.md"))
    assert endings.report_of(run(artifacts=("a.py",), children=(child,))) == "child.md"
    assert endings.report_of(run(artifacts=("a.py", "a.md"), children=(child,))) == "a.md"
    assert endings.report_of(run(artifacts=("a.py",))) is None


@pytest.mark.parametrize("key", TEXT)
def test_both_languages_have_the_same_fields(key: str) -> None:
    english, japanese = ({name for _, name, _, _ in Formatter().parse(t)} for t in TEXT[key])
    assert english - {None} == japanese - {None}
