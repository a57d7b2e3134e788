"""Which workspace a folder belongs to, and where its state lives."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from codexd.config.workspace import find_workspace, folders
from codexd.errors import BadConfig


@pytest.mark.parametrize(
    ("files", "root"),
    [
        (["a/.git/HEAD", "a/b/.codex/x"], "a"),
        (["a/.git/HEAD", "a/b/.git"], "a/b"),
        (["a/.codex/x"], "a"),
        ([".codex/x"], "a/b/c"),
        ([".codex/x", "a/.codex/x"], "a"),
        ([], "a/b/c"),
    ],
)
def test_the_root_is_the_nearest_repository_else_the_nearest_codex_folder_else_the_folder(
    tmp_path: Path, files: list[str], root: str
) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert find_workspace(tmp_path / "a/b/c", home=tmp_path).root == tmp_path / root


def test_the_home_folder_itself_is_a_workspace_of_its_own(tmp_path: Path) -> None:
    (tmp_path / ".codex").mkdir()
    assert find_workspace(tmp_path, home=tmp_path).root == tmp_path


def test_the_id_is_that_of_the_real_path(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    workspace = find_workspace(link, home=tmp_path)
    assert workspace == find_workspace(real, home=tmp_path)
    assert workspace.id == hashlib.sha256(str(real).encode()).hexdigest()[:16]


def test_a_relative_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_workspace(Path(), home=tmp_path).root == tmp_path


def test_no_folder_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "absent"):
        with pytest.raises(BadConfig, match=name):
            find_workspace(tmp_path / name, home=tmp_path)


def test_state_lives_in_the_xdg_folders_and_nothing_is_made(tmp_path: Path) -> None:
    workspace = find_workspace(tmp_path, home=tmp_path)
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    found = folders(workspace, env | {"XDG_CACHE_HOME": "relative/is/ignored"})
    assert found.state == tmp_path / "state/codexd" / workspace.id
    assert found.all_state == tmp_path / "state/codexd"
    assert found.data == tmp_path / ".local/share/codexd"
    assert found.cache == tmp_path / ".cache/codexd" / workspace.id
    assert list(tmp_path.iterdir()) == []
