"""What people meet in a real editor, each set up as docs/editors.md says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import codexd
from tests.e2e.editors.editors import EDITORS, EMACS, NEOVIM_011, NEOVIM_07, PAGES, Editor
from tests.e2e.editors.workplace import furnished, use_model
from tests.house import result
from tests.model_server import ModelServer, Scripted

pytestmark = pytest.mark.anyio

each_editor = pytest.mark.parametrize("editor", EDITORS, ids=lambda editor: editor.name)
each_neovim = pytest.mark.parametrize(
    "editor", [NEOVIM_07, NEOVIM_011], ids=lambda editor: editor.name
)
FOUND = {
    "B006": ([5, 17, 5, 19], "the default is made once and shared by all calls"),
    "F841": ([6, 4, 6, 10], "Local variable `digest` is assigned to but never used"),
    "F821": ([7, 21, 7, 28], "`missing` is defined nowhere"),
}
"""What the rules find in the workspace's code: where, and what they say."""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return furnished(tmp_path / "work")


def check(rows: Iterable[dict[str, Any]], *rules: str) -> None:
    """The diagnostics are those of `rules`."""
    shown = sorted(rows, key=lambda row: row["range"])
    assert [row["range"] for row in shown] == [FOUND[rule][0] for rule in rules]
    for row, rule in zip(shown, rules, strict=True):
        assert FOUND[rule][1] in row["message"]


@each_editor
async def test_an_agent_file_is_a_language(editor: Editor, here: Path) -> None:
    async with editor.doing("agent_file", here) as watched:
        [wrong] = await watched.saw("wrong")
        assert wrong["range"] == [3, 12, 3, 21]
        assert "unknown key `max_tokns`; nearest `max_tokens`" in wrong["message"]
        assert "Its standing purpose" in await watched.saw("hover")
        assert (await watched.saw("actions"))[0] == "Change to `max_tokens`"
        assert (await watched.saw("mended")).rstrip().endswith("{max_tokens: 5000}")
        assert any(word.startswith("success_criteria") for word in await watched.saw("words"))
        assert (await watched.saw("completed")).splitlines()[-1].startswith("success_criteria:")


@each_editor
async def test_findings_stand_where_the_code_is_that_they_are_about(
    editor: Editor, here: Path
) -> None:
    async with editor.doing("findings", here) as watched:
        assert await watched.saw("before") == []
        ended = await watched.saw("ended")
        assert "code-reviewer: 3 findings, 1 error" in ended
        assert ended.endswith("artifacts/code-review-report.md")
        check(await watched.saw("findings"), "B006", "F841", "F821")


@each_neovim
async def test_a_file_is_reviewed_and_a_finding_dismissed_by_code_actions(
    editor: Editor, here: Path
) -> None:
    async with editor.doing("actions", here) as watched:
        offered = await watched.saw("offered")
        assert offered == ["Review file with code-reviewer", "Generate tests for file"]
        check(await watched.saw("findings"), "B006", "F841", "F821")
        assert {title.partition(":")[0] for title in await watched.saw("mending")} >= {
            "Explain", "Dismiss", "Fix with refactorer",
        }  # fmt: skip
        check(await watched.saw("left"), "B006", "F821")


@each_editor
async def test_the_agent_is_run_from_over_its_name(editor: Editor, here: Path) -> None:
    async with ModelServer(lambda _: Scripted(result())) as server:
        use_model(server.url, here)
        async with editor.doing("over_the_name", here) as watched:
            run, policy = (await watched.saw("offered"))[:2]
            assert (run, policy) == ("▶ Run · never run", "Effective policy")
            assert "worker: done · " in await watched.saw("ended")
            assert "no network" in await watched.saw("policy")
            assert (await watched.saw("twins"))[0].startswith("▶ Run · completed, ")


@each_neovim
async def test_how_it_went_is_known_to_the_next_daemon(editor: Editor, here: Path) -> None:
    async with ModelServer(lambda _: Scripted(result())) as server:
        use_model(server.url, here)
        async with editor.doing("over_the_name", here):
            pass
        assert codexd(here, "daemon", "stop", env={"CI": ""}).returncode == 0
        async with editor.doing("over_the_name", here) as watched:
            assert (await watched.saw("offered"))[0].startswith("▶ Run · completed, ")


@each_editor
async def test_an_agent_that_is_not_there_is_told_with_what_to_do(
    editor: Editor, here: Path
) -> None:
    async with editor.doing("wrong_name", here) as watched:
        assert "`code-reviewer` is the nearest" in await watched.saw("told")


@each_editor
async def test_a_run_that_takes_long_is_cancelled(editor: Editor, here: Path) -> None:
    async with ModelServer(lambda _: Scripted("done", delay=60)) as server:
        use_model(server.url, here)
        async with editor.doing("cancel", here) as watched:
            if editor is not EMACS:
                assert "worker" in await watched.saw("progress")
            assert "worker: cancelled" in await watched.saw("ended")


def test_both_pages_have_the_same_settings() -> None:
    english, japanese = (
        re.findall(r"^```\w+\n.*?^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for page in PAGES
    )
    assert len(english) >= 5
    assert japanese == english
