"""What people meet in a real editor, each set up as docs/editors.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.editors.editors import EDITORS, NEOVIM_07, NEOVIM_011, Editor
from tests.e2e.editors.workplace import furnished, use_model
from tests.model_server import ModelServer, Scripted

pytestmark = pytest.mark.anyio

each_neovim = pytest.mark.parametrize(
    "editor", (NEOVIM_07, NEOVIM_011), ids=lambda editor: editor.name
)
each_editor = pytest.mark.parametrize("editor", EDITORS, ids=lambda editor: editor.name)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return furnished(tmp_path / "work")


@each_editor
async def test_findings_of_a_run_stand_in_the_file_that_they_are_about(
    editor: Editor, here: Path
) -> None:
    async with editor.doing("findings", here) as watched:
        assert await watched.saw("before") == []
        print(await watched.saw("findings"))
        print(await watched.saw("ended"))
        print(await watched.saw("messages"))


@each_neovim
async def test_a_code_action_has_a_file_reviewed(editor: Editor, here: Path) -> None:
    async with editor.doing("action", here) as watched:
        print(await watched.saw("actions"))
        print(await watched.saw("findings"))
        print(await watched.saw("mending"))
        print(await watched.saw("left"))
        print(await watched.saw("messages"))


@each_editor
async def test_an_agent_that_is_not_there_is_told_in_words(editor: Editor, here: Path) -> None:
    async with editor.doing("wrong_name", here) as watched:
        assert "`code-reviewer` is the nearest" in await watched.saw("told")


@each_editor
async def test_a_run_that_takes_long_can_be_cancelled(editor: Editor, here: Path) -> None:
    async with ModelServer(lambda _: Scripted("done", delay=60)) as server:
        use_model(server.url, here)
        async with editor.doing("cancel", here) as watched:
            print(await watched.saw("progress"))
            print(await watched.saw("ended"))
        await server.until(lambda s: s.left == 1)


@each_editor
async def test_an_agent_file_is_a_language(editor: Editor, here: Path) -> None:
    async with editor.doing("agent_file", here) as watched:
        for name in ("wrong", "hover", "actions", "mended", "words", "completed", "messages"):
            print(name, await watched.saw(name))
