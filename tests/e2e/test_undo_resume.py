"""`runs undo` and `runs resume` as people type them: real processes, real files, a real journal."""

import json
import signal
import sys
from asyncio import Event as Gate
from pathlib import Path

import anyio
import pytest
from tests.cli.program import codexd, environment, model_flags, workspace
from tests.house import agent, call, result
from tests.model_server import ModelServer, Script, Scripted

pytestmark = pytest.mark.anyio

PATCH = """\
*** Begin Patch
*** Update File: a.txt
@@
-alpha
+ALPHA
*** Add File: new.txt
+new
*** Delete File: old.txt
*** End Patch
"""
WRITES = (Scripted(calls=(call("apply_patch", patch=PATCH),)), Scripted(text=result("written")))
READ = call("read_file", path="a.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = workspace(tmp_path / "work")
    (made / "a.txt").write_bytes(b"alpha\r\nbeta\r\n")
    (made / "a.txt").chmod(0o640)
    (made / "old.txt").write_text("old\n")
    (made / ".codex" / "agents").mkdir(parents=True)
    text = agent("worker", tools="read_file, apply_patch", write="./**")
    (made / ".codex" / "agents" / "worker.yaml").write_text(text)
    return made


async def delegated(folder: Path, script: Script) -> None:
    """`codexd delegate worker` has ended well."""
    async with ModelServer(script) as server:
        command = [sys.executable, "-m", "codexd", "delegate", "worker", *model_flags(server)]
        await anyio.run_process(command, cwd=folder, env=environment())


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


async def test_undo_says_what_it_put_back_and_what_it_took_away(folder: Path) -> None:
    before = files(folder)
    await delegated(folder, WRITES)
    assert (folder / "a.txt").read_bytes() == b"ALPHA\r\nbeta\r\n"
    undone = codexd(folder, "runs", "undo", "--last")
    again = codexd(folder, "runs", "undo", "--last")
    lines = [" ".join(line.split()) for line in undone.stdout.splitlines()]
    assert lines == ["restored a.txt", "restored old.txt", "deleted new.txt"]
    assert (undone.returncode, undone.stderr) == (0, "")
    assert files(folder) == before
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o640
    assert again.returncode == 0
    assert "wrote nothing that is not as before" in again.stdout
    assert codexd(folder, "audit", "verify").returncode == 0


async def test_undo_of_a_file_that_was_changed_since_touches_none(folder: Path) -> None:
    await delegated(folder, WRITES)
    (folder / "a.txt").write_text("mine\n")
    left = files(folder)
    undone = codexd(folder, "runs", "undo", "--last")
    told = codexd(folder, "runs", "undo", "--last", "--json")
    assert undone.stdout.splitlines() == [
        "changed since a.txt",
        "nothing was put back: somebody changed these files after the run",
    ]
    assert undone.returncode == told.returncode == 1
    found = json.loads(told.stdout)
    assert (found["restored"], found["deleted"], found["conflicts"]) == ([], [], ["a.txt"])
    assert files(folder) == left


async def test_undo_tells_programs_what_it_did(folder: Path) -> None:
    await delegated(folder, WRITES)
    listed = codexd(folder, "runs", "list", "--ids").stdout.split()
    undone = codexd(folder, "runs", "undo", listed[0], "--json")
    assert undone.returncode == 0
    assert json.loads(undone.stdout) == {
        "run": listed[0],
        "restored": ["a.txt", "old.txt"],
        "deleted": ["new.txt"],
        "conflicts": [],
    }


async def test_a_run_ended_by_sigterm_goes_on_without_paying_again(folder: Path) -> None:
    held = Gate()
    answers = [
        Scripted(calls=(READ, call("read_file", path="old.txt"))),
        Scripted(calls=(READ, call("read_file", path="app.py"))),
        Scripted(text="never said", hold=held),
        Scripted(text=result("read it all")),
    ]
    async with ModelServer(answers) as server:
        program = [sys.executable, "-m", "codexd"]
        flags = model_flags(server)
        process = await anyio.open_process(
            [*program, "delegate", "worker", *flags], cwd=folder, env=environment()
        )
        with anyio.fail_after(30):
            await server.until(lambda s: len(s.requests) == 3)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 128 + signal.SIGTERM
        resumed = await anyio.run_process(
            [*program, "runs", "resume", "--last", *flags], cwd=folder, env=environment()
        )
        n_asked = len(server.requests)
        last = server.requests[-1].body["messages"]
    said = "↻ 2 answers and 4 tool results taken from the journal, none paid again"
    assert said in resumed.stderr.decode()
    assert "✔ worker" in resumed.stdout.decode()
    # The third answer, cut off, is the only one that was asked for again.
    assert n_asked == 4
    assert sum(message["role"] == "assistant" for message in last) == 2
    assert sum(message["role"] == "tool" for message in last) == 4
    assert codexd(folder, "audit", "verify").returncode == 0
