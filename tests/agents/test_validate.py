"""What `codexd agents validate` says of files and folders."""

import os
from pathlib import Path

import pytest

from codexd.agents.validate import check_paths
from codexd.errors import Severity, Source
from codexd.policy import Grant, Layer


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def codes(found: tuple[tuple[Path, tuple[object, ...]], ...]) -> dict[str, int]:
    return {path.name: len(remarks) for path, remarks in found}


def test_without_paths_the_whole_registry_is_checked(tmp_path: Path) -> None:
    bad = write(tmp_path / ".codex/agents/bad.yaml", "name: [\n")
    write(tmp_path / ".codex/aliases.yaml", "aliases: 1\n")
    found = dict(check_paths([], root=tmp_path, home=tmp_path / "home"))
    assert found[bad][0].severity is Severity.ERROR
    assert found[tmp_path / ".codex/aliases.yaml"]
    assert len(found) == 8 + 2


def test_a_file_outside_all_places_is_checked_and_keeps_its_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "drafts/x.yaml", "name: x\nmax_tokns: 1\n")
    monkeypatch.chdir(tmp_path)
    [(path, [remark])] = check_paths([Path("drafts/x.yaml")], root=tmp_path, home=tmp_path / "h")
    assert path == Path("drafts/x.yaml")
    assert (remark.line, remark.nearest) == (2, "max_tokens")


def test_a_folder_is_its_agent_files_each_once(tmp_path: Path) -> None:
    good = write(tmp_path / "drafts/good.yaml", "name: good\n")
    write(tmp_path / "drafts/bad.yml", "goal: g\n")
    write(tmp_path / "drafts/notes.txt", "")
    found = check_paths([tmp_path / "drafts", good], root=tmp_path, home=tmp_path / "h")
    assert codes(found) == {"bad.yml": 1, "good.yaml": 0}


def test_what_is_no_agent_file_is_said_so(tmp_path: Path) -> None:
    text = write(tmp_path / "notes.txt", "")
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    found = check_paths([text, tmp_path / "none.yaml", pipe], root=tmp_path, home=tmp_path / "h")
    assert codes(found) == {"notes.txt": 1, "none.yaml": 1, "pipe.yaml": 1}


def test_what_is_wider_than_a_ceiling_is_said_wherever_the_file_stands(tmp_path: Path) -> None:
    ceiling = Layer(
        "user ceiling", Source("c.toml", 3), write=(Grant("./out", Source("c.toml", 4)),)
    )
    text = "name: x\ntools:\n  fs:\n    write: ['./', './out/a']\n"
    served = write(tmp_path / ".codex/agents/x.yaml", text)
    draft = write(tmp_path / "drafts/y.yaml", text)
    found = check_paths([served, draft], root=tmp_path, home=tmp_path / "h", ceilings=(ceiling,))
    for _, remarks in found:
        [remark] = [each for each in remarks if each.code == "above-ceiling"]
        assert (remark.line, remark.column, remark.end_column) == (4, 13, 17)
        assert "(c.toml:3): what is left of it is `./out`" in remark.message
