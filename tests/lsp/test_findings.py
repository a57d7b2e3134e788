"""The findings of runs, as diagnostics at every client."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from lsprotocol import types
from tests.house import agent, by_goal, call, result
from tests.lsp.editor import Editor, Failed, Message, Office, office
from tests.model_server import Fault, Scripted

from codexd.lsp import anchors
from codexd.lsp.buffers import Buffer
from codexd.lsp.desk import Desk
from codexd.tools import Finding

pytestmark = pytest.mark.anyio

REPORTING = agent("worker", tools="read_file, report_finding")
TEXT = 'one = 1\ngreet = "🙂🙂 %s" % oops  # é\nthree = 3\nfour = 4\nfive = 5\n'
LINE = 'greet = "🙂🙂 %s" % oops  # é'
OOPS: Message = {
    "path": "src/a.py", "line": 2, "column": 19, "end_line": 2, "end_column": 23,
    "severity": "error", "message": "`oops` is not defined", "rule": "F821",
}  # fmt: skip
DONE = Scripted(text=result("looked"))
HANGING = Scripted(text="…", fault=Fault.SILENCE)

PUBLISH: Message = {"textDocument": {"publishDiagnostics": {"versionSupport": True}}}


def encoded(name: str) -> Message:
    return {**PUBLISH, "general": {"positionEncodings": [name]}}


def reports(*findings: Message) -> Scripted:
    return Scripted(calls=(call("report_finding", findings=list(findings)),))


def source(here: Office) -> Path:
    return here.workspace / "src/a.py"


async def found(editor: Editor, path: Path) -> Message:
    """The one diagnostic of a file, as soon as there is one."""
    [diagnostic] = await editor.diagnostics(path.as_uri(), bool)
    return diagnostic


async def none_left(editor: Editor, path: Path) -> None:
    await editor.diagnostics(path.as_uri(), lambda shown: not shown)


async def at_line(editor: Editor, path: Path, line: int) -> Message:
    [diagnostic] = await editor.diagnostics(
        path.as_uri(), lambda shown: [d["range"]["start"]["line"] for d in shown] == [line]
    )
    return diagnostic


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 24), ("utf-16", 20), ("utf-32", 18)])
async def test_a_finding_is_shown_to_every_client_in_its_own_units(
    tmp_path: Path, encoding: str, column: int
) -> None:
    script = [reports(OOPS), HANGING]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=encoded(encoding)) as one,
        here.editor(capabilities=PUBLISH, ours=None) as other,
    ):
        began = await one.request("codexd/delegate", {"agent": "worker"})
        # It comes while the run goes on.
        shown = await found(one, source(here))
        assert shown == {
            "range": {
                "start": {"line": 1, "character": column},
                "end": {"line": 1, "character": column + 4},
            },
            "severity": 1,
            "code": "F821",
            "source": f"worker · {began['run'][:4]}",
            "message": "`oops` is not defined",
            "data": {"run": began["run"], "index": 0},
        }
        assert (await found(other, source(here)))["range"]["start"]["character"] == 20


async def test_a_client_that_declares_no_diagnostics_is_sent_none(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor() as plain,
        here.editor(capabilities=PUBLISH) as other,
    ):
        await plain.request("codexd/delegate", {"agent": "worker", "wait": True})
        await found(other, source(here))
        await plain.request("codexd/agents", {})
        assert plain.all("textDocument/publishDiagnostics") == []


async def test_each_client_has_it_where_its_own_buffer_has_the_line(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=encoded("utf-32")) as one,
        here.editor(capabilities=encoded("utf-8")) as other,
    ):
        path = source(here)
        uri = one.open(path, f"# 🙂\n# unsaved\n{TEXT}")
        await one.request("codexd/delegate", {"agent": "worker", "wait": True})
        mine = await at_line(one, path, 3)
        theirs = await at_line(other, path, 1)
        assert [each["range"]["start"]["character"] for each in (mine, theirs)] == [18, 24]
        # A version goes with an open document, and with no other.
        published = [each.all("textDocument/publishDiagnostics")[-1] for each in (one, other)]
        assert [each.get("version") for each in published] == [1, None]

        one.change(uri, 2, TEXT.replace("oops", "name"))
        await none_left(one, path)
        await at_line(other, path, 1)
        one.change(uri, 3, f"# back\n{TEXT}")
        await at_line(one, path, 2)


async def test_edits_elsewhere_in_the_file_move_it_and_undo_brings_it_back(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        path = source(here)
        uri = editor.open(path, TEXT)
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        first = await at_line(editor, path, 1)
        for version, (text, line) in enumerate(
            [
                (f"\n\n\n{TEXT}", 4),
                (TEXT.replace("one = 1\n", ""), 0),
                (TEXT.replace("\n", "\r\n"), 1),
                (f"{LINE}\n", 0),
                ("", None),
                (TEXT, 1),
            ],
            2,
        ):
            editor.change(uri, version, text)
            if line is None:
                await none_left(editor, path)
            else:
                assert (await at_line(editor, path, line))["message"] == first["message"]


async def test_edits_of_a_text_with_form_feeds_go_into_the_right_line(tmp_path: Path) -> None:
    text = f"# \f \x85 \u2028\n{TEXT}"
    script = [reports({**OOPS, "line": 3, "end_line": 3}), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": text}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        path = source(here)
        uri = editor.open(path, text)
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        await at_line(editor, path, 2)

        def edit(version: int, line: int, start: int, end: int, new: str) -> None:
            where = {
                "start": {"line": line, "character": start},
                "end": {"line": line, "character": end},
            }
            params = {
                "textDocument": {"uri": uri, "version": version},
                "contentChanges": [{"range": where, "text": new}],
            }
            editor.notify("textDocument/didChange", params)

        edit(2, 1, 0, 3, "1\n1")
        await at_line(editor, path, 3)
        edit(3, 3, 20, 24, "name")
        await none_left(editor, path)
        edit(4, 3, 20, 24, "oops")
        await at_line(editor, path, 3)


async def test_nothing_is_sent_where_nothing_changed(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        path = source(here)
        uri = editor.open(path, TEXT)
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        await at_line(editor, path, 1)
        n_told = len(editor.all("textDocument/publishDiagnostics"))
        for version in range(2, 30):
            editor.change(uri, version, f"{TEXT}# {version}\n")
        editor.change(uri, 30, f"\n{TEXT}")
        await at_line(editor, path, 2)
        assert len(editor.all("textDocument/publishDiagnostics")) == n_told + 1


async def test_a_file_that_changes_on_disk_takes_its_findings_along(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        path = source(here)
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        await at_line(editor, path, 1)
        path.write_text(f"# one more\n{TEXT}")
        await at_line(editor, path, 2)
        path.unlink()
        await none_left(editor, path)
        path.write_text(TEXT)
        await at_line(editor, path, 1)


async def test_what_a_client_opens_is_told_again(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        path = source(here)
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        await at_line(editor, path, 1)
        editor.open(path, TEXT)
        method = "textDocument/publishDiagnostics"
        again = await editor.told(method, lambda params: params.get("version") == 1)
        assert len(again["diagnostics"]) == 1


async def test_what_one_client_dismisses_is_gone_at_all_and_stays_so(tmp_path: Path) -> None:
    script = [reports(OOPS, {**OOPS, "line": 4, "message": "four"}), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as one,
    ):
        path = source(here)
        async with here.editor(capabilities=PUBLISH) as other:
            run = await one.request("codexd/delegate", {"agent": "worker", "wait": True})
            for editor in (one, other):
                await editor.diagnostics(path.as_uri(), lambda shown: len(shown) == 2)
            await one.command("codexd.dismissFinding", {"run": run["id"], "index": 0})
            for editor in (one, other):
                await at_line(editor, path, 3)
            with pytest.raises(Failed) as failed:
                await one.command("codexd.dismissFinding", {"run": run["id"], "index": 0})
            assert failed.value.code == -32602
        async with here.editor(capabilities=PUBLISH) as late:
            await at_line(late, path, 3)
            answer = await late.command("codexd.clearFindings", {"run": run["short"]})
            assert answer == {"dismissed": 1}
            await none_left(late, path)
        await none_left(one, path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"run": "abcd"}, "`index` is missing"),
        ({"run": 1, "index": 0}, "`run`"),
        ({"run": "abcd", "indx": 0}, "`indx` is no parameter"),
        ("abcd", "takes one object"),
    ],
)
async def test_a_wrong_parameter_of_a_command_is_named(
    tmp_path: Path, arguments: object, message: str
) -> None:
    async with office(tmp_path, [DONE]) as here, here.editor() as editor:
        with pytest.raises(Failed) as failed:
            await editor.command("codexd.dismissFinding", arguments)
    assert failed.value.code == -32602
    assert message in failed.value.message


LATER: Message = {**OOPS, "line": 4, "column": 1, "end_line": 4, "end_column": 5, "message": "four"}
B: Message = {**LATER, "path": "src/b.py"}


async def test_a_second_run_of_an_agent_replaces_what_it_looked_at_again(tmp_path: Path) -> None:
    script = by_goal(
        {
            "all": [reports(OOPS, B), DONE],
            "a only": [reports(LATER), DONE],
            "broken": [reports(OOPS), Scripted(status=400)],
        }
    )
    other = agent("other", tools="report_finding")
    files = {"src/a.py": TEXT, "src/b.py": TEXT}
    async with (
        office(tmp_path, script, REPORTING, other, files=files) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        a, b = source(here), here.workspace / "src/b.py"

        async def run(agent: str, goal: str, *scope: str) -> None:
            order: Message = {"agent": agent, "goal": goal, "scope": list(scope), "wait": True}
            await editor.request("codexd/delegate", order)

        async def lines(path: Path, *wanted: int) -> None:
            await editor.diagnostics(
                path.as_uri(),
                lambda shown: [d["range"]["start"]["line"] for d in shown] == list(wanted),
            )

        await run("worker", "all")
        await lines(a, 1)
        await lines(b, 3)
        await run("worker", "a only", "src/a.py")
        await lines(a, 3)
        await lines(b, 3)
        # Another agent takes nothing away, and what failed has not looked everywhere.
        await run("other", "all")
        await lines(a, 1, 3)
        await lines(b, 3, 3)
        await run("worker", "broken")
        await lines(a, 1, 1, 3)
        # What is reported once more is shown once.
        await run("worker", "broken")
        await lines(a, 1, 1, 3)
        await run("worker", "all")
        await lines(a, 1, 1)


async def test_the_findings_of_runs_in_the_journal_are_shown_where_the_file_is_as_it_was(
    tmp_path: Path,
) -> None:
    script = [reports(OOPS, B), DONE]
    files = {"src/a.py": TEXT, "src/b.py": TEXT}
    async with office(tmp_path, script, REPORTING, files=files) as here:
        for path in files:
            os.utime(here.workspace / path, (time.time() - 60, time.time() - 60))
        await here.house.delegate()
        (here.workspace / "src/b.py").write_text(f"# later\n{TEXT}")
        async with (
            Desk.open(here.house.codexd) as again,
            Office(here.house, again).editor(capabilities=PUBLISH) as editor,
        ):
            await at_line(editor, source(here), 1)
            told = editor.all("textDocument/publishDiagnostics")
            assert [params["uri"] for params in told] == [source(here).as_uri()]


async def test_what_is_reported_once_more_is_the_newer_runs(tmp_path: Path) -> None:
    script = by_goal({"once": [reports(OOPS), DONE], "again": [reports(OOPS), HANGING]})
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        for goal, wait in (("once", True), ("again", False)):
            order: Message = {"agent": "worker", "goal": goal, "wait": wait}
            run = await editor.request("codexd/delegate", order)
            short = run.get("id", run.get("run"))[:4]
            await editor.diagnostics(
                source(here).as_uri(),
                lambda shown, short=short: [d["source"] for d in shown] == [f"worker · {short}"],
            )


@pytest.mark.parametrize("path", ["../a.txt", "/etc/hostname", "no/such.py", "src", "pipe"])
async def test_a_finding_of_no_file_of_the_workspace_is_shown_nowhere(
    tmp_path: Path, path: str
) -> None:
    script = [reports({**OOPS, "path": path}, OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        os.mkfifo(here.workspace / "pipe")
        run = await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        assert len(run["findings"]) == 2
        await at_line(editor, source(here), 1)
        told = editor.all("textDocument/publishDiagnostics")
        assert {params["uri"] for params in told} == {source(here).as_uri()}


async def test_paths_as_models_spell_them_lead_to_the_file(tmp_path: Path) -> None:
    script = [
        reports({**OOPS, "path": "./src/../src/a.py"}, {**OOPS, "path": "src\\a.py", "line": 99}),
        DONE,
    ]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        both = await editor.diagnostics(source(here).as_uri(), lambda shown: len(shown) == 2)
        # What is past the end is at the end.
        assert [each["range"]["start"]["line"] for each in both] == [1, 5]


async def test_the_clients_own_spelling_of_the_workspace_is_kept(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here:
        link = tmp_path / "ln k"
        link.symlink_to(here.workspace)
        async with here.editor(capabilities=PUBLISH, rootUri=link.as_uri()) as editor:
            await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
            await found(editor, link / "src/a.py")
            uri = editor.open(link / "src/a.py", f"\n{TEXT}")
            assert (await at_line(editor, link / "src/a.py", 2))["severity"] == 1
            editor.change(uri, 2, "")
            await none_left(editor, link / "src/a.py")


async def test_many_findings_come_in_parts_and_all_of_them(tmp_path: Path) -> None:
    files = {f"src/f{n}.py": TEXT for n in range(150)}
    script = [
        reports(
            *({**OOPS, "path": path, "message": f"{n}"} for path in files for n in range(4)),
        ),
        DONE,
    ]
    async with (
        office(tmp_path, script, REPORTING, files=files) as here,
        here.editor(capabilities=PUBLISH) as editor,
    ):
        await editor.request("codexd/delegate", {"agent": "worker", "wait": True})
        for path in files:
            uri = (here.workspace / path).as_uri()
            await editor.diagnostics(uri, lambda shown: len(shown) == 4)
        assert len(editor.all("textDocument/publishDiagnostics")) == len(files)


async def test_rules_find_something_real_and_it_moves_along(tmp_path: Path) -> None:
    text = "import os\n\n\ndef run(key):\n    try:\n        return key\n    except:\n        pass\n"
    async with (
        office(tmp_path, [DONE], files={"src/a.py": text}) as here,
        here.editor(capabilities=encoded("utf-8")) as editor,
    ):
        path = source(here)
        uri = editor.open(path, f'"""é🙂"""\n{text}')
        order: Message = {"agent": "code-reviewer", "model": "offline", "scope": ["src/a.py"]}
        await editor.request("codexd/delegate", order)
        shown = await editor.diagnostics(path.as_uri(), lambda shown: "F401" in _codes(shown))
        [unused] = [each for each in shown if each["code"] == "F401"]
        assert unused["range"]["start"]["line"] == 1
        editor.change(uri, 2, text.replace("import os\n", ""))
        await editor.diagnostics(path.as_uri(), lambda shown: "F401" not in _codes(shown))


def _codes(shown: list[Any]) -> list[str]:
    return [each["code"] for each in shown]


async def test_a_client_that_leaves_in_the_middle_takes_nothing_along(tmp_path: Path) -> None:
    script = [reports(OOPS), DONE]
    async with (
        office(tmp_path, script, REPORTING, files={"src/a.py": TEXT}) as here,
        here.editor(capabilities=PUBLISH) as stays,
    ):
        async with here.editor(capabilities=PUBLISH) as goes:
            goes.open(source(here), TEXT)
            await goes.request("codexd/delegate", {"agent": "worker"})
        await at_line(stays, source(here), 1)
        assert list(here.desk.publishers) == here.desk.connections


# --- places, directly ------------------------------------------------------------------------

LETTERS = "ab é🙂\t"


def anchored(lines: list[str], finding: Finding) -> anchors.Anchored:
    base, known = anchors.base_of("\n".join(lines).encode())
    return anchors.anchor("1234", 0, "a.py", finding, base, known)


@pytest.mark.parametrize("encoding", list(types.PositionEncodingKind))
@pytest.mark.parametrize("seed", range(60))
def test_through_edits_elsewhere_it_covers_the_same_text(
    seed: int, encoding: types.PositionEncodingKind
) -> None:
    random = Random(seed)
    lines = ["".join(random.choices(LETTERS, k=random.randrange(9))) for _ in range(40)]
    at = random.randrange(40)
    lines[at] = f"the {''.join(random.choices(LETTERS, k=9))} only one"
    start = random.randrange(1, 10)
    end = random.randrange(start + 1, 14)
    finding = Finding(
        path="a.py", line=at + 1, column=start, end_line=at + 1, end_column=end, message="m"
    )
    held, new = anchored(lines, finding), list(lines)
    for _ in range(random.randrange(1, 10)):
        here, cut = random.randrange(len(new) + 1), random.randrange(3)
        if here <= (only := new.index(lines[at])) < here + cut:
            cut = only - here
        new[here : here + cut] = [f"🙂{random.random()}" for _ in range(random.randrange(3))]
    text = "\n".join(new)
    places = anchors.matched(held.base, anchors.hashes(text))
    place = anchors.place(held, places)
    assert place is not None
    where = anchors.range_of(held, *place, encoding)
    buffer = Buffer("file:///a.py", Path("a.py"), text, 1, encoding)
    (line, column), (end_line, end_column) = buffer.point(where.start), buffer.point(where.end)
    assert line == end_line
    assert new[line - 1][column - 1 : end_column - 1] == lines[at][start - 1 : end - 1]


@pytest.mark.parametrize(
    ("end_line", "edit", "place"),
    [
        (3, 4, None),  # every line of a short range is what it is about
        (3, 2, None),
        (3, 9, (2, 3)),
        (12, 5, (2, 12)),  # a long one is a place
        (12, 2, None),
        (12, 12, (2, None)),
        (99, 1, (2, 20)),
    ],
)
def test_an_edit_of_its_lines_makes_it_go(
    end_line: int, edit: int, place: tuple[int, int | None] | None
) -> None:
    lines = [f"line {n}" for n in range(1, 21)]
    held = anchored(lines, Finding(path="a.py", line=2, end_line=end_line, message="m"))
    lines[edit - 1] = "edited"
    if edit == 4:
        lines[2] = "edited too"
    places = anchors.matched(held.base, anchors.hashes("\n".join(lines)))
    assert anchors.place(held, places) == place
