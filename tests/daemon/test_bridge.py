"""`codexd lsp`, as an editor starts it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
from tests.cli.program import DAEMON
from tests.daemon.conftest import Site, read_frame
from tests.daemon.standin import framed

from codexd.daemon import bridge


def initialize(folder: Path, **params: object) -> bytes:
    told: dict[str, object] = {"rootUri": folder.as_uri(), "capabilities": {}, **params}
    return framed({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": told})


EXIT = framed({"jsonrpc": "2.0", "method": "exit"})


def say(process: subprocess.Popen[bytes], message: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(message)
    process.stdin.flush()


def out(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def test_the_first_message_and_those_after_it_reach_the_daemon(site: Site) -> None:
    with site.start("lsp", "--stdio", OPENAI_API_KEY="its-own-key") as editor:
        say(editor, initialize(site.folder))
        hello = read_frame(out(editor))["result"]
        say(editor, framed({"jsonrpc": "2.0", "id": 2, "method": "more"}))
        assert read_frame(out(editor))["id"] == 2
        assert (hello["door"], hello["pid"]) == ("lsp", editor.pid)
        assert hello["env"]["OPENAI_API_KEY"] == "its-own-key"
        editor.communicate(EXIT, timeout=30)
    assert editor.returncode == 0


def test_the_workspace_is_the_one_named_not_the_folder_it_starts_in(
    site: Site, tmp_path: Path
) -> None:
    other = tmp_path / "with blank ü"
    (other / ".git").mkdir(parents=True)
    there = Site(other, site.env, site.open)
    status, said, _ = site.run("lsp", said=initialize(other) + EXIT)
    assert (status, json.loads(said.partition("\r\n\r\n")[2])["id"]) == (0, 1)
    assert site.find() is None
    assert there.run("daemon", "stop")[1].startswith("the daemon (pid ")


@pytest.mark.parametrize(
    ("params", "root"),
    [
        ({"rootUri": "file:///a%20b/%C3%BC"}, "/a b/ü"),
        ({"rootUri": "file://localhost/a"}, "/a"),
        ({"rootUri": None, "workspaceFolders": [{"uri": "file:///w", "name": ""}]}, "/w"),
        ({"rootUri": None, "rootPath": "/old"}, "/old"),
        ({"rootUri": "untitled:x", "workspaceFolders": None}, str(Path.cwd())),
        ({"rootUri": "vscode-remote://x/y"}, str(Path.cwd())),
        (["positional"], str(Path.cwd())),
        ({"rootUri": 7, "workspaceFolders": [3], "rootPath": "relative"}, str(Path.cwd())),
        ({"rootUri": "file:///100%"}, "/100%"),
        ({"rootUri": "file:///%zz% 1%2"}, "/%zz% 1%2"),
    ],
)
def test_the_workspace_is_taken_from_what_initialize_says(params: Any, root: str) -> None:
    folder = bridge._folder_of(params)  # pyright: ignore[reportPrivateUsage]
    assert folder == root


def test_a_lost_daemon_ends_the_bridge_with_one_line(site: Site) -> None:
    with site.start("lsp") as editor:
        say(editor, initialize(site.folder))
        read_frame(out(editor))
        os.kill(site.said["pid"], signal.SIGKILL)
        assert editor.wait(30) == 1
        _, err = editor.communicate()
    assert err.decode().splitlines() == [
        "error: the connection to the daemon is lost; editors start this again"
    ]


def test_the_end_of_input_is_an_orderly_end(site: Site) -> None:
    status, said, err = site.run("lsp", said=initialize(site.folder))
    assert (status, err) == (0, "")
    assert '"id": 1' in said
    assert site.run("lsp") == (0, "", "")


def test_an_editor_that_cannot_be_served_is_told_why(site: Site) -> None:
    config = site.folder / ".codex" / "codexd.toml"
    config.parent.mkdir()
    config.write_text("= broken")
    status, said, err = site.run("lsp", said=initialize(site.folder))
    error = json.loads(said.partition("\r\n\r\n")[2])["error"]
    assert status == 1
    assert "codexd.toml:1:1" in error["message"]
    assert "mend the file" in error["message"]
    assert error["data"] == {"retry": False}
    assert "codexd.toml:1:1" in err
    config.unlink()


@pytest.mark.parametrize(
    "said",
    [
        b"garbage\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 2\r\n\r\n[]",
        b"x" * 10_000,
    ],
)
def test_what_is_no_message_ends_it_with_a_word(site: Site, said: bytes) -> None:
    status, out, err = site.run("lsp", said=said)
    assert (status, out) == (2, "")
    assert "no message of the Language Server Protocol" in err


def test_a_head_in_lower_case_is_read(site: Site) -> None:
    first = initialize(site.folder).replace(b"Content-Length", b"content-length")
    assert site.run("lsp", said=first + EXIT)[0] == 0


@pytest.mark.parametrize(("flags", "env"), [(["--standalone"], {}), ([], {"CI": "true"})])
def test_without_a_daemon_it_serves_in_its_own_process(
    site: Site, flags: list[str], env: dict[str, str]
) -> None:
    status, said, err = site.run("lsp", *flags, said=initialize(site.folder) + EXIT, **env)
    assert (status, err) == (0, "")
    hello = json.loads(said.partition("\r\n\r\n")[2])["result"]
    assert hello["door"] == "lsp"
    assert site.find() is None


def test_in_ci_a_daemon_that_runs_is_used(site: Site) -> None:
    site.attach()
    assert site.run("lsp", said=initialize(site.folder) + EXIT, CI="true")[0] == 0
    assert [line["metadata"].get("door") for line in site.log].count("lsp") == 2


def test_the_real_language_server_answers_through_it(site: Site) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "codexd", "lsp"], cwd=site.folder, env=site.env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as editor:  # fmt: skip
        say(editor, initialize(site.folder))
        assert read_frame(out(editor))["result"]["serverInfo"]["name"] == "codexd"
        say(editor, framed({"jsonrpc": "2.0", "id": 2, "method": "shutdown"}))
        assert read_frame(out(editor))["id"] == 2
        say(editor, EXIT)
        assert editor.wait(30) == 0


def test_it_imports_little_since_an_editor_waits_for_it() -> None:
    program = (
        "import sys; before = set(sys.modules); from codexd.cli import main; main(['lsp']);"
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], env={"PYTHONPATH": str(DAEMON), "HOME": "/"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    modules = set(done.stdout.split())
    heavy = {"argparse", "asyncio", "dataclasses", "hashlib", "pathlib", "socket", "subprocess"}
    assert not modules & {*heavy, "threading", "typing", "pydantic", "codexd.errors"}
    assert {name for name in modules if name.startswith("codexd.")} == {
        "codexd.cli", "codexd.config", "codexd.config.places", "codexd.daemon",
        "codexd.daemon.attach", "codexd.daemon.bridge", "codexd.daemon.ending",
        "codexd.daemon.endpoint",
    }  # fmt: skip
