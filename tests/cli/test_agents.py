"""The verbs about agents, on files as users have them."""

import json
from pathlib import Path

import pytest
from tests.cli.program import codexd, workspace

BUILT_IN = {"code-reviewer", "sec-audit", "test-gen", "docs-gen", "refactorer", "researcher"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workspace(tmp_path / "work")


def test_the_built_in_agents_are_listed(folder: Path) -> None:
    names = set(codexd(folder, "agents", "list", "--names").stdout.split())
    assert names >= BUILT_IN
    listed = json.loads(codexd(folder, "agents", "list", "--json").stdout)
    assert {each["slug"] for each in listed} == names
    assert {each["origin"] for each in listed} == {"built-in"}
    table = codexd(folder, "agents", "list").stdout
    assert all(name in table for name in names)


def test_an_agent_is_shown_with_what_it_may_do_and_where_that_is_said(folder: Path) -> None:
    page = codexd(folder, "agents", "show", "sec-audit").stdout
    assert "in force" in page
    assert "no network" in page
    assert "sec-audit.yaml:" in page


def test_what_is_wrong_is_told_with_its_place_and_status(folder: Path) -> None:
    agents = folder / ".codex" / "agents"
    agents.mkdir(parents=True)
    assert codexd(folder, "agents", "validate").returncode == 0
    (agents / "mine.yaml").write_text("name: mine\ngoal: x\nmax_tokns: 5000\n", encoding="utf-8")
    told = codexd(folder, "agents", "validate").stdout
    assert told.startswith(".codex/agents/mine.yaml:3:1: ")
    assert "max_tokens" in told
    (agents / "mine.yaml").write_text("name: [\n", encoding="utf-8")
    for argv in ([], [".codex/agents/mine.yaml"], [".codex/agents"]):
        done = codexd(folder, "agents", "validate", *argv)
        assert done.returncode == 1
        assert ".codex/agents/mine.yaml:" in done.stdout


def test_validating_leaves_no_state_behind(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    codexd(folder, "agents", "validate", env={"HOME": str(home)})
    codexd(folder, "agents", "list", "--names", env={"HOME": str(home)})
    assert not list(home.iterdir())


@pytest.mark.parametrize(("kind", "sign"), [("yaml", "name:"), ("toml", "name = ")])
def test_an_agent_is_exported(folder: Path, kind: str, sign: str) -> None:
    done = codexd(folder, "agents", "export", "sec-audit", "--format", kind)
    assert done.returncode == 0
    assert sign in done.stdout
    # What Codex's format cannot say is said beside it.
    assert bool(done.stderr) is (kind == "toml")
