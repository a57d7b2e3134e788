"""Which agent files are found, which wins, and what stays in service."""

import os
from pathlib import Path

import pytest

from codexd.agents import registry
from codexd.agents.registry import AgentEntry, Registry, load
from codexd.errors import BadDefinition, Severity, UnknownAgent
from codexd.policy import may_write


class Place:
    """A workspace and a home, with agent files in them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.root = folder / "home", folder / "workspace"
        self.home.mkdir()
        self.root.mkdir()

    def agent(self, name: str, file: str = "", folder: str = ".codex/agents") -> Path:
        return self.write(f"{folder}/{file or name + '.yaml'}", f"name: {name}\ngoal: g\n")

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def load(self, cached: Registry | None = None) -> Registry:
        return load(self.root, home=self.home, cached=cached.entries if cached else ())

    def entry(self, path: Path, cached: Registry | None = None) -> AgentEntry:
        return next(each for each in self.load(cached).entries if each.path == path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_empty_workspace_has_the_agents_that_come_with_codexd(place: Place) -> None:
    found = place.load()
    assert {entry.origin for entry in found.entries} == {"built-in"}
    assert found.find("code-reviewer").tools[0] == "analyze"
    assert found.diagnostics == ()
    assert [entry.path for entry in found.entries if entry.diagnostics] == []


def test_the_workspace_wins_over_the_user_and_both_over_what_is_built_in(place: Place) -> None:
    mine = place.agent("code-reviewer")
    users = place.home / ".codex/agents/cr.yaml"
    users.parent.mkdir(parents=True)
    users.write_text("name: Code Reviewer\ngoal: g\n")
    entries = [each for each in place.load().entries if each.slug == "code-reviewer"]
    assert [each.origin for each in entries] == ["workspace", "user", "built-in"]
    assert [each.shadowed_by for each in entries] == [None, mine, mine]
    assert place.load().find("Code Reviewer").source.file == str(mine)


def test_a_shadowed_file_says_which_one_shadows_it(place: Place) -> None:
    first, second = place.agent("x", "a.yaml"), place.agent("x", "b.yaml")
    [remark] = place.entry(second).diagnostics
    assert remark.severity is Severity.INFORMATION
    assert str(first) in remark.message
    assert place.entry(first).diagnostics == ()


def test_files_of_other_names_and_hidden_ones_are_no_agents(place: Place) -> None:
    place.agent("x", ".#x.yaml")
    place.write(".codex/agents/notes.txt", "name: x")
    assert {entry.origin for entry in place.load().entries} == {"built-in"}


@pytest.mark.parametrize("name", ["Python Reviewer", "python-reviewer", "py", "@py", "review"])
def test_an_agent_is_found_by_name_slug_stem_and_alias(place: Place, name: str) -> None:
    place.agent("Python Reviewer", "py.yaml")
    place.write(
        ".codex/aliases.yaml",
        'aliases:\n  "@py": python-reviewer\nshortcuts:\n  review: Python Reviewer\n',
    )
    assert place.load().find(name).name == "Python Reviewer"


def test_an_unknown_agent_is_named_with_the_nearest(place: Place) -> None:
    with pytest.raises(UnknownAgent) as caught:
        place.load().find("code-reviwer")
    assert caught.value.nearest == "code-reviewer"
    assert "all 8" in caught.value.help


def test_a_broken_file_keeps_its_name_and_says_what_is_wrong(place: Place) -> None:
    path = place.write(".codex/agents/code-reviewer.yaml", "name: [\n")
    with pytest.raises(BadDefinition) as caught:
        place.load().find("code-reviewer")
    assert caught.value.diagnostics[0].path == path


def test_a_file_that_breaks_keeps_its_last_good_version_until_it_is_mended(place: Place) -> None:
    path = place.agent("x")
    good = place.load()
    path.write_text("name: x\ngoal: [\n")
    broken = place.load(good)
    entry = place.entry(path, good)
    assert entry.stale
    assert broken.find("x") == good.find("x")
    assert {each.severity for each in entry.diagnostics} >= {Severity.ERROR}
    assert place.entry(path, broken) == entry, "unchanged and broken: taken as it is"
    path.write_text("name: x\ngoal: another\n")
    assert not place.entry(path, broken).stale
    assert place.load(broken).find("x").goal == "another"


def test_a_file_that_did_not_change_is_not_read_again(place: Place) -> None:
    path = place.agent("x")
    before = place.load()
    stamp = path.stat()
    path.write_text(path.read_text().replace("goal: g", "goal: h"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert place.load(before).find("x").goal == "g"
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    assert place.load(before).find("x").goal == "h"


def test_what_shadowed_a_cached_file_may_go(place: Place) -> None:
    first, second = place.agent("x", "a.yaml"), place.agent("x", "b.yaml")
    before = place.load()
    first.unlink()
    entry = place.entry(second, before)
    assert entry.shadowed_by is None
    assert entry.diagnostics == ()


def test_a_file_that_is_gone_is_no_longer_served(place: Place) -> None:
    path = place.agent("x")
    before = place.load()
    path.unlink()
    with pytest.raises(UnknownAgent):
        place.load(before).find("x")


def test_what_is_no_readable_file_is_a_diagnostic_and_never_waited_for(place: Place) -> None:
    large = place.write(".codex/agents/large.yaml", "#" * (registry.MAX_BYTES + 1))
    pipe = large.with_name("pipe.yaml")
    os.mkfifo(pipe)
    gone = large.with_name("gone.yaml")
    gone.symlink_to("nowhere.yaml")
    folder = large.with_name("folder.yaml")
    folder.mkdir()
    secret = place.home / "secret.yaml"
    secret.write_text("name: secret\n")
    link = large.with_name("link.yaml")
    link.symlink_to(secret)
    for path in (large, pipe, gone, folder, link):
        entry = place.entry(path)
        assert entry.definition is None
        assert entry.diagnostics[0].severity is Severity.ERROR


def test_a_place_that_cannot_be_looked_into_is_a_diagnostic(place: Place) -> None:
    place.write(".codex/agents", "no folder")
    place.root.joinpath(".claude").symlink_to(place.home)
    (place.home / "agents").mkdir()
    found = place.load()
    assert [each.path.parent.name for each in found.diagnostics] == [".codex", ".claude"]
    assert found.find("code-reviewer")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("aliases:\n  a: [code-reviewer]\n", 2),
        ("aliases:\n  a: code-reviewer\nalias: {}\n", 3),
        ("aliases: [a]\n", 1),
        ("- a\n", 1),
        ("aliases:\n  a: code-reviewer: c\n", 2),
        ("aliases:\n  a: *b\n", 2),
        ("aliases:\n  a: nobody\n", 2),
        ("\x00", 1),
        ("[" * 100_000, 1),
    ],
)
def test_a_wrong_aliases_file_is_a_diagnostic_at_its_line(
    place: Place, text: str, line: int
) -> None:
    place.write(".codex/aliases.yaml", text)
    [remark] = place.load().diagnostics
    assert remark.line == line


@pytest.mark.parametrize("text", ["", "# nothing\n", "aliases:\nshortcuts: {}\n"])
def test_an_empty_aliases_file_is_right(place: Place, text: str) -> None:
    place.write(".codex/aliases.yaml", text)
    assert place.load().diagnostics == ()


def test_an_alias_never_leads_to_an_alias(place: Place) -> None:
    place.write(".codex/aliases.yaml", "aliases:\n  a: b\n  b: a\n")
    with pytest.raises(UnknownAgent):
        place.load().find("a")


def test_a_home_that_is_the_workspace_has_its_agents_once(place: Place) -> None:
    path = place.agent("x")
    found = load(place.root, home=place.root)
    assert [(each.path, each.origin) for each in found.entries if each.slug == "x"] == [
        (path, "user")
    ]


NO_TOOLS = {
    ".claude/agents/one.md": "---\nname: one\n---\nDo.\n",
    ".cursor/agents/two.md": "---\nname: two\nreadonly: true\n---\nDo.\n",
    ".claude/agents/three.md": "---\nname: three\npermissionMode: plan\n---\nDo.\n",
    ".github/agents/four.agent.md": "---\nname: four\n---\nDo.\n",
    ".codex/agents/five.toml": ('name = "five"\ndescription = "d"\ndeveloper_instructions = "i"\n'),
}


@pytest.mark.parametrize("profile", ["read-only", "workspace-write"])
def test_a_file_without_tools_gets_those_of_the_users_default_profile(
    place: Place, profile: str
) -> None:
    for path, text in NO_TOOLS.items():
        place.write(path, text)
    found = load(place.root, home=place.home, profile=profile)
    may = {
        name: bool(may_write((found.find(name).policy,), "src/x.py"))
        for name in ("one", "two", "three", "four", "five")
    }
    wide = profile == "workspace-write"
    # What its author forbids stays forbidden.
    assert may == {"one": wide, "two": False, "three": False, "four": wide, "five": wide}
    for name, writes in may.items():
        assert ("write_file" in found.find(name).tools) == writes
        assert not may_write((found.find(name).policy,), ".git/config")
