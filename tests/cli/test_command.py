"""Commands that go wrong, as the process tells it."""

import json
import os
from pathlib import Path

import pytest
from tests.cli.program import codexd, workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workspace(tmp_path / "work")


def test_the_version_is_told(folder: Path) -> None:
    done = codexd(folder, "--version")
    assert (done.returncode, done.stdout) == (0, "codexd 0.1.0\n")


def test_help_goes_to_stdout_where_it_was_asked_for(folder: Path) -> None:
    asked, nothing = codexd(folder, "--help"), codexd(folder)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert asked.stdout == nothing.stderr
    assert codexd(folder, "help", "delegate").stdout == codexd(folder, "delegate", "-h").stdout


def test_the_locale_chooses_the_language(folder: Path) -> None:
    env = {"LANG": "ja_JP.UTF-8"}
    assert "コマンド" in codexd(folder, "--help", env=env).stdout
    assert codexd(folder, "delegate", env=env).stderr.startswith("エラー: ")
    assert codexd(folder, "delegate", "--lang", "en", env=env).stderr.startswith("error: ")


ROWS = [
    (["delegat", "x"], 2, ["error: no verb named `delegat`"]),
    (["delegate"], 2, ["error: `codexd delegate` needs AGENT"]),
    (["delegate", "code-reviewer", "--budget", "-1"], 2, ["error: --budget cannot be `-1`"]),
    (["delegate-parallel", "a,b", "--goals", "x"], 2, ["error: 2 agents, but --goals gives 1"]),
    (["delegate", "code-reviewer", "-o", "no/where.json"], 2, ["no such folder", "nothing was"]),
    (["delegate", "code-reviewer", "-c", "budget"], 2, ["error: `budget` is no KEY=VALUE"]),
    (["runs", "show", "abc", "--last"], 2, ["error: `ID` and `--last` together"]),
]
LATER = [
    (["delegate", "code-reviwer"], 2, ["error: no agent named `code-reviwer`", "help:  `code-r"]),
    (["runs", "show"], 2, ["error: no run has been made"]),
    (["runs", "show", "ffff"], 2, ["error: no run's id begins with `ffff`"]),
    (["doctor", "-C", "nowhere"], 2, ["nowhere"]),
    (["delegate", "code-reviewer", "-m", "nobody/x"], 2, ["nobody"]),
    (["delegate", "code-reviewer", "--scope", "gone.py"], 2, ["gone.py"]),
]


@pytest.mark.parametrize(("argv", "status", "words"), ROWS + LATER)
def test_a_mistake_is_told_on_stderr_with_its_status(
    folder: Path, argv: list[str], status: int, words: list[str]
) -> None:
    done = codexd(folder, *argv)
    assert done.returncode == status
    assert done.stdout == ""
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", [argv for argv, _, _ in ROWS])
def test_a_mistake_in_the_command_line_begins_nothing(folder: Path, argv: list[str]) -> None:
    codexd(folder, *argv)
    assert not list(Path(os.environ["HOME"]).iterdir())


def test_with_json_a_fault_is_a_document_too(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviwer", "--json")
    error = json.loads(done.stdout)["error"]
    assert (error["type"], error["message"]) == ("UnknownAgent", "no agent named `code-reviwer`")
    assert done.returncode == 2


def test_a_full_disk_is_told_and_the_result_kept(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviewer", "-o", "/dev/full")
    assert done.returncode == 1
    assert "✔ code-reviewer" in done.stdout
    assert "error: cannot write /dev/full: No space left on device" in done.stderr
    assert "help:  the run is kept: `codexd runs show " in done.stderr
