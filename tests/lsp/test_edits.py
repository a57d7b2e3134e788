"""Writes of runs into files that an editor has unsaved changes in: proposals."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from lsprotocol import types
from tests.house import agent, call, result
from tests.lsp.editor import Editor, Failed, Message, Office, office
from tests.lsp.test_actions import CAPABILITIES, actions, span, titled
from tests.model_server import Scripted

from codexd.lsp.buffers import Buffer
from codexd.lsp.lines import bare, hunks
from codexd.lsp.workspace_edit import edit_of

pytestmark = pytest.mark.anyio

TEXT = "one\ntwo 🙂\nthree\nfour\nfive\nsix\n"
AFTER = TEXT.replace("two 🙂", "2 🙂").replace("six", "6")
WRITER = agent("worker", tools="write_file, apply_patch", write="./")
DONE = Scripted(text=result("written"))
ORDER: Message = {"agent": "worker", "wait": True}
UNANNOTATED: Message = {
    "textDocument": {"codeAction": CAPABILITIES["textDocument"]["codeAction"]},
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
}


def writes(path: str, content: str, **more: str) -> list[Scripted]:
    files = {path: content, **more}
    calls = tuple(call("write_file", path=path, content=files[path]) for path in files)
    return [Scripted(calls=calls), DONE]


def house_of(tmp_path: Path, script: list[Scripted]) -> Any:
    return office(tmp_path, script, WRITER, files={"src/a.py": TEXT})


def with_edits(text: str, edit: Message, encoding: str = "utf-16") -> str:
    """`text` after the edits of a `WorkspaceEdit` for one document."""
    edits = (
        edit["documentChanges"][0]["edits"]
        if "documentChanges" in edit
        else next(iter(edit["changes"].values()))
    )
    buffer = Buffer("file:///a", Path("a"), text, 1, types.PositionEncodingKind(encoding))
    lines = buffer.lines

    def offset(position: Message) -> int:
        line, column = buffer.point(types.Position(position["line"], position["character"]))
        return sum(map(len, lines[: line - 1])) + column - 1

    # Of several at one place, the first stands first.
    for each in sorted(edits, key=lambda each: offset(each["range"]["start"]))[::-1]:
        start, end = offset(each["range"]["start"]), offset(each["range"]["end"])
        text = text[:start] + each["newText"] + text[end:]
    return text


def told_to_the_model(here: Office) -> str:
    """The results of tools in the last request."""
    messages = here.house.server.requests[-1].body["messages"]
    return "\n".join(str(m["content"]) for m in messages if m["role"] == "tool")


async def test_a_saved_file_is_written(tmp_path: Path) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        editor.open(here.workspace / "src/a.py", TEXT.replace("\n", "\r\n"))
        await editor.request("codexd/delegate", ORDER)
        assert (here.workspace / "src/a.py").read_text() == AFTER
        assert await editor.command("codexd.patches") == []


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\xef\xbb\xbf" + TEXT.encode(), TEXT),
        (b"caf\xe9\n", "café\n"),  # in an encoding that we do not know: it cannot be compared
    ],
)
async def test_what_an_editor_shows_otherwise_than_we_read_it_is_not_unsaved(
    tmp_path: Path, data: bytes, shown: str
) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        path = here.workspace / "src/a.py"
        path.write_bytes(data)
        editor.open(path, shown)
        await editor.request("codexd/delegate", ORDER)
        assert path.read_text() == AFTER


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_the_runs_own_editor_is_shown_each_hunk_before_it_goes_in(
    tmp_path: Path, encoding: str
) -> None:
    capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
    script = writes("src/a.py", AFTER, **{"new.txt": "new\n"})
    async with (
        house_of(tmp_path, script) as here,
        here.editor(capabilities=capabilities) as editor,
    ):
        path = here.workspace / "src/a.py"
        mine = f"# mine 🙂\n{TEXT.replace('four', 'FOUR')}"
        editor.open(path, mine)
        editor.answers["workspace/applyEdit"] = accepting
        run = await editor.request("codexd/delegate", ORDER)
        asked = await editor.told("workspace/applyEdit")
        edit = asked["edit"]
        assert edit["documentChanges"][0]["textDocument"] == {"uri": path.as_uri(), "version": 1}
        assert len(edit["changeAnnotations"]) == 2
        assert all(each["needsConfirmation"] for each in edit["changeAnnotations"].values())
        merged = mine.replace("two 🙂", "2 🙂").replace("six", "6")
        assert with_edits(mine, edit, encoding) == merged
        # The file is as it was, the others are written, and the run knows.
        assert path.read_text() == TEXT
        assert (here.workspace / "new.txt").read_text() == "new\n"
        assert run["artifacts"] == ["new.txt"]
        assert "src/a.py has unsaved changes in an editor" in told_to_the_model(here)
        await nothing_waits(editor)


def accepting(_params: object) -> Message:
    return {"applied": True}


def declining(_params: object) -> Message:
    return {"applied": False}


async def message(editor: Editor, words: str) -> Message:
    """The first message that has these words."""

    def fits(params: Message) -> bool:
        return words in params["message"]

    return await editor.told("window/showMessage", fits)


async def nothing_waits(editor: Editor) -> None:
    while await editor.command("codexd.patches"):
        pass


async def test_who_would_apply_at_once_is_given_a_code_action(tmp_path: Path) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(capabilities=UNANNOTATED) as editor,
        here.editor(capabilities=CAPABILITIES) as other,
    ):
        path = here.workspace / "src/a.py"
        mine = f"mine\n{TEXT}"
        editor.open(path, mine)
        run = await editor.request("codexd/delegate", ORDER)
        told = await message(editor, "src/a.py")
        assert f"Apply patch of worker · {run['short']}" in told["message"]
        assert editor.all("workspace/applyEdit") == other.all("workspace/applyEdit") == []
        patch = {"run": run["id"], "by": f"worker · {run['short']}", "path": "src/a.py"}
        assert await other.command("codexd.patches") == [patch]

        offered = await actions(editor, path, span(0, 0, 0, 0))
        command = titled(offered, f"Apply patch of worker · {run['short']}")["command"]
        editor.answers["workspace/applyEdit"] = declining
        answer = await editor.command(command["command"], *command["arguments"])
        assert answer == {"applied": False, "misfits": 0}
        editor.answers["workspace/applyEdit"] = accepting
        answer = await editor.command(command["command"], *command["arguments"])
        assert answer == {"applied": True, "misfits": 0}
        edit = editor.all("workspace/applyEdit")[-1]["edit"]
        assert "changeAnnotations" not in edit
        assert with_edits(mine, edit) == f"mine\n{AFTER}"
        assert await other.command("codexd.patches") == []
        with pytest.raises(Failed, match="no patch"):
            await editor.command(command["command"], *command["arguments"])


async def test_an_editor_that_takes_no_edits_is_told_what_to_do(tmp_path: Path) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(ours=None) as editor,
    ):
        editor.open(here.workspace / "src/a.py", "mine\n")
        await editor.command("codexd.delegate", ORDER)
        told = await message(editor, "src/a.py")
        assert "save the file" in told["message"]
        assert (here.workspace / "src/a.py").read_text() == TEXT


async def test_the_editor_that_has_it_unsaved_is_told_and_not_the_one_that_asked(
    tmp_path: Path,
) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(capabilities=CAPABILITIES) as asks,
        here.editor(capabilities=CAPABILITIES) as types_in_it,
    ):
        path = here.workspace / "src/a.py"
        types_in_it.open(path, "mine\n")
        asks.open(path, TEXT)
        run = await asks.request("codexd/delegate", ORDER)
        await message(types_in_it, run["short"])
        await types_in_it.request("codexd/agents", {})
        assert types_in_it.all("workspace/applyEdit") == asks.all("workspace/applyEdit") == []


async def test_a_hunk_that_does_not_fit_is_named_and_the_patch_stays(tmp_path: Path) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(capabilities=UNANNOTATED) as editor,
    ):
        path = here.workspace / "src/a.py"
        mine = TEXT.replace("two 🙂", "TWO")
        uri = editor.open(path, mine)
        run = await editor.request("codexd/delegate", ORDER)
        which = {"run": run["id"], "path": "src/a.py"}
        editor.answers["workspace/applyEdit"] = accepting
        answer = await editor.command("codexd.applyPatch", which)
        assert answer == {"applied": True, "misfits": 1}
        await message(editor, "line 2 (`two 🙂`)")
        applied = with_edits(mine, editor.all("workspace/applyEdit")[-1]["edit"])
        assert applied == mine.replace("six", "6")
        # Undone by hand, the rest fits.
        editor.change(uri, 2, applied.replace("TWO", "two 🙂"))
        answer = await editor.command("codexd.applyPatch", which)
        assert answer == {"applied": True, "misfits": 0}
        edit = editor.all("workspace/applyEdit")[-1]["edit"]
        assert with_edits(applied.replace("TWO", "two 🙂"), edit) == AFTER


async def test_a_patch_is_dismissed_by_anyone(tmp_path: Path) -> None:
    async with (
        house_of(tmp_path, writes("src/a.py", AFTER)) as here,
        here.editor(capabilities=UNANNOTATED) as editor,
        here.editor(capabilities=UNANNOTATED) as other,
    ):
        path = here.workspace / "src/a.py"
        editor.open(path, "mine\n")
        run = await editor.request("codexd/delegate", ORDER)
        offered = await actions(other, path, span(0, 0, 0, 0))
        command = titled(offered, f"Dismiss patch of worker · {run['short']}")["command"]
        await other.command(command["command"], *command["arguments"])
        assert await editor.command("codexd.patches") == []
        titles = [each["title"] for each in await actions(editor, path, span(0, 0, 0, 0))]
        assert not [title for title in titles if "patch" in title]


async def test_an_unsaved_file_is_not_moved_or_deleted(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Delete File: src/a.py\n*** End Patch"
    script = [Scripted(calls=(call("apply_patch", patch=patch),)), DONE]
    async with (
        house_of(tmp_path, script) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        editor.open(here.workspace / "src/a.py", "mine\n")
        await editor.request("codexd/delegate", ORDER)
        assert (here.workspace / "src/a.py").read_text() == TEXT
        assert "it is not moved or deleted" in told_to_the_model(here)


async def test_undo_leaves_alone_what_was_only_proposed(tmp_path: Path) -> None:
    script = writes("src/a.py", AFTER, **{"new.txt": "new\n"})
    async with (
        house_of(tmp_path, script) as here,
        here.editor(capabilities=UNANNOTATED) as editor,
    ):
        path = here.workspace / "src/a.py"
        editor.open(path, "mine\n")
        run = await editor.request("codexd/delegate", ORDER)
        path.write_text("mine\n")
        undone = await editor.request("codexd/undo", {"run": run["id"]})
        assert (undone["deleted"], undone["conflicts"]) == (["new.txt"], [])
        assert path.read_text() == "mine\n"


async def test_a_file_that_is_not_granted_is_not_proposed_either(tmp_path: Path) -> None:
    worker = agent("worker", tools="write_file", write="docs/")
    script = writes("src/a.py", AFTER, **{".git/hooks/x": "boo\n"})
    async with (
        office(tmp_path, script, worker, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=CAPABILITIES) as editor,
    ):
        editor.open(here.workspace / "src/a.py", "mine\n")
        editor.open(here.workspace / ".git/hooks/x", "mine\n")
        await editor.request("codexd/delegate", ORDER)
        assert await editor.command("codexd.patches") == []
        assert editor.all("workspace/applyEdit") == []


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(150))
def test_edits_of_a_buffer_make_what_the_hunks_say(seed: int, eol: str) -> None:
    random = Random(seed)

    def text() -> str:
        return eol.join(random.choices(["", "a", "🙂b", "c c"], k=random.randrange(1, 9)))

    old, new = text(), text()
    buffer = Buffer("file:///a", Path("a"), old, 1)
    edits = [edit_of(hunk, buffer, "it") for hunk in hunks(bare(old), bare(new))]
    changes = {
        "changes": {
            "a": [
                {
                    "range": span(
                        edit.range.start.line, edit.range.start.character,
                        edit.range.end.line, edit.range.end.character,
                    ),
                    "newText": edit.text,
                }
                for edit in edits
            ]
        }
    }  # fmt: skip
    assert bare(with_edits(old, changes)) == bare(new)
