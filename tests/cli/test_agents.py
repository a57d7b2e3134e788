"""The verbs about agents, on files as users have them."""

import json
import tomllib
from pathlib import Path
from typing import Any, cast

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


def without_places(value: Any) -> Any:
    """A definition without where it was said: files and lines differ, meanings do not."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {key: without_places(each) for key, each in found.items() if "source" not in key}
    if isinstance(value, list):
        return [without_places(each) for each in cast("list[Any]", value)]
    return value


def shown(folder: Path, name: str) -> dict[str, Any]:
    done = codexd(folder, "agents", "show", name, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_an_exported_agent_loaded_again_means_the_same(folder: Path, name: str) -> None:
    before = shown(folder, name)
    exported = codexd(folder, "agents", "export", name, "--format", "yaml").stdout
    file = folder / ".codex" / "agents" / f"{name}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(exported, encoding="utf-8")
    again = shown(folder, name)
    assert again["agent"]["source"]["file"] == str(file)
    # Whose word a grant is follows from the file's place: a workspace's opens less.
    assert again["agent"]["policy"].pop("own") is False
    assert before["agent"]["policy"].pop("own") is True
    assert without_places(again["agent"]) == without_places(before["agent"])
    assert again["in_force"] == before["in_force"]
    assert again["problems"] == before["problems"] == []
    assert codexd(folder, "agents", "export", name).stdout == exported


def test_an_agent_exported_for_codex_is_read_again_as_codex_reads_it(folder: Path) -> None:
    exported = codexd(folder, "agents", "export", "sec-audit", "--format", "toml").stdout
    file = folder / ".codex" / "agents" / "sec-audit.toml"
    file.parent.mkdir(parents=True)
    file.write_text(exported, encoding="utf-8")
    before = tomllib.loads(exported)
    agent = shown(folder, "sec-audit")["agent"]
    assert (agent["dialect"], agent["name"]) == ("toml", "sec-audit")
    assert agent["instructions"] == before["developer_instructions"]
    assert codexd(folder, "agents", "validate", str(file)).returncode == 0


def test_an_agent_is_found_by_name_slug_stem_and_alias(folder: Path) -> None:
    agents = folder / ".codex" / "agents"
    agents.mkdir(parents=True)
    (agents / "py.yaml").write_text("name: Python Reviewer\ngoal: g\n")
    (folder / ".codex" / "aliases.yaml").write_text('aliases: {"@pr": python-reviewer}\n')
    for name in ("Python Reviewer", "python-reviewer", "py", "@pr"):
        assert shown(folder, name)["agent"]["name"] == "Python Reviewer"


def test_an_agent_that_is_not_there_is_told_with_the_nearest(folder: Path) -> None:
    for verb in ("show", "export"):
        done = codexd(folder, "agents", verb, "code-reviwer")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [
            "error: no agent named `code-reviwer`",
            "help:  `code-reviewer` is the nearest; `codexd agents list` shows all 8",
        ]


def test_the_list_as_data_tells_of_shadowed_and_broken_files(folder: Path) -> None:
    agents = folder / ".codex" / "agents"
    agents.mkdir(parents=True)
    (agents / "code-reviewer.yaml").write_text("name: code-reviewer\ngoal: mine\n")
    (agents / "broken.yaml").write_text("name: [\n")
    listed = json.loads(codexd(folder, "agents", "list", "--json").stdout)
    reviewers = [each for each in listed if each["slug"] == "code-reviewer"]
    assert [each["origin"] for each in reviewers] == ["workspace", "built-in"]
    assert [each["shadowed_by"] for each in reviewers] == [
        None,
        str(agents / "code-reviewer.yaml"),
    ]
    [broken] = [each for each in listed if each["slug"] == "broken"]
    assert broken["name"] is None
    assert [problem["severity"] for problem in broken["problems"]] == ["error"]


def test_problems_as_data_have_their_place_and_the_nearest_key(folder: Path) -> None:
    file = folder / "mine.yaml"
    file.write_text("name: mine\ngoal: x\nmax_tokns: 5000\n")
    done = codexd(folder, "agents", "validate", "mine.yaml", "--json")
    [problem] = json.loads(done.stdout)
    assert (problem["line"], problem["column"], problem["end_column"]) == (3, 1, 10)
    assert (problem["code"], problem["nearest"]) == ("unknown-key", "max_tokens")
    gone = codexd(folder, "agents", "validate", "gone.yaml")
    assert gone.returncode == 1
    assert gone.stdout == "gone.yaml:1:1: error: is not there\n"
    fine = codexd(folder, "agents", "validate", str(folder), "--json")
    assert json.loads(fine.stdout) == [problem | {"path": str(file)}]


def test_the_keys_are_given_as_a_json_schema(folder: Path) -> None:
    ours = json.loads(codexd(folder, "agents", "schema").stdout)
    assert "budget in tokens" in ours["properties"]["max_tokens"]["description"]
    japanese = codexd(folder, "agents", "schema", "--format", "claude", "--lang", "ja").stdout
    assert "使えるツール" in json.loads(japanese)["properties"]["tools"]["description"]
