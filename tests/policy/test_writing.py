"""Files are replaced whole, where they are granted, or not at all."""

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from codexd.errors import Denied, ToolFault
from codexd.policy import Layer, Policy, writing
from codexd.policy.beneath import Opened, Opener, open_beneath
from codexd.policy.writing import read_current, write_all, write_bytes

MakeLayer = Callable[..., Layer]


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.name.endswith(".tmp")]


def test_nothing_is_written_while_somebody_else_has_the_turn(
    root: Path, everything: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "TURN_SECONDS", 0)
    other = os.open(root, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(ToolFault, match="kept the workspace's folder locked"):
        write_bytes(root, everything, "README.md", b"new", expect_before=b"# hello\n")
    assert (root / "README.md").read_bytes() == b"# hello\n"
    assert leftovers(root) == []
    os.close(other)
    write_bytes(root, everything, "README.md", b"new", expect_before=b"# hello\n")
    assert (root / "README.md").read_bytes() == b"new"


def test_a_new_file_is_made_with_its_folders(
    opener: Opener, root: Path, everything: Policy
) -> None:
    write_bytes(root, everything, "a/b/c.md", b"x", expect_before=None, opener=opener)
    assert (root / "a" / "b" / "c.md").read_bytes() == b"x"
    assert leftovers(root) == []


def test_a_file_is_replaced_and_keeps_its_mode(
    opener: Opener, root: Path, everything: Policy
) -> None:
    (root / "run.py").write_text("old")
    (root / "run.py").chmod(0o751)
    os.link(root / "run.py", root / "other")
    write_bytes(root, everything, "run.py", b"new", expect_before=b"old", opener=opener)
    assert (root / "run.py").read_bytes() == b"new"
    assert stat.S_IMODE((root / "run.py").stat().st_mode) == 0o751
    # The other name of a hard link is another file now: a store's copy is never changed.
    assert (root / "other").read_bytes() == b"old"
    assert leftovers(root) == []


def test_a_file_is_removed(opener: Opener, root: Path, everything: Policy) -> None:
    write_bytes(root, everything, "README.md", None, expect_before=b"# hello\n", opener=opener)
    assert not (root / "README.md").exists()


@pytest.mark.parametrize("before", [None, b"something else"])
def test_a_file_that_changed_meanwhile_is_a_conflict(
    opener: Opener, root: Path, everything: Policy, before: bytes | None
) -> None:
    with pytest.raises(ToolFault):
        write_bytes(root, everything, "README.md", b"new", expect_before=before, opener=opener)
    assert (root / "README.md").read_bytes() == b"# hello\n"


def test_a_file_that_vanished_is_a_conflict(opener: Opener, root: Path, everything: Policy) -> None:
    with pytest.raises(ToolFault, match="is gone"):
        write_bytes(root, everything, "gone.md", b"new", expect_before=b"old", opener=opener)
    assert not (root / "gone.md").exists()


def test_a_change_already_made_is_not_made_again(
    opener: Opener, root: Path, everything: Policy
) -> None:
    changes = [("README.md", b"# hello\n", b"one"), ("b.md", None, b"two")]
    assert write_all(root, everything, changes, opener=opener) == ("README.md", "b.md")
    assert write_all(root, everything, changes, opener=opener) == ()


def test_all_changes_are_made_or_none(opener: Opener, root: Path, everything: Policy) -> None:
    changes = [("new/x.md", None, b"x"), ("src/a.py", b"A = 1\n", b"A = 2\n"), ("c", b"not", b"c")]
    with pytest.raises(ToolFault):
        write_all(root, everything, changes, opener=opener)
    assert (root / "src" / "a.py").read_bytes() == b"A = 1\n"
    assert not (root / "new").exists()
    assert leftovers(root) == []


def test_a_fault_after_the_first_rename_puts_everything_back(
    root: Path, everything: Policy
) -> None:
    (root / "z").mkdir()
    (root / "z" / "last.md").write_text("old")
    n_opened = 0

    def meddling(top: int, path: str, flags: int = os.O_RDONLY, *, follow: bool = True) -> Opened:
        """Somebody else changes the last file once all has been checked."""
        nonlocal n_opened
        n_opened += path == "z"
        if n_opened == 2:
            (root / "z" / "last.md").write_text("somebody else's")
        return open_beneath(top, path, flags, follow=follow)

    changes = [
        ("deep/new.md", None, b"new"),
        ("src/a.py", b"A = 1\n", b"A = 2\n"),
        ("README.md", b"# hello\n", None),
        ("z/last.md", b"old", b"new"),
    ]
    with pytest.raises(ToolFault, match="changed meanwhile"):
        write_all(root, everything, changes, opener=meddling)
    assert n_opened == 2
    assert not (root / "deep").exists()
    assert (root / "src" / "a.py").read_bytes() == b"A = 1\n"
    assert (root / "README.md").read_bytes() == b"# hello\n"
    assert (root / "z" / "last.md").read_text() == "somebody else's"
    assert leftovers(root) == []


@pytest.mark.parametrize(
    "path",
    [
        "artifacts-evil/x", "src/a.py", "../x", "artifacts/../src/a.py", "/tmp/x", "artifacts/.env",
        "artifacts/.git/hooks/pre-commit", "artifacts/.GIT/x", "artifacts/AGENTS.md",
        "artifacts/\0", "artifacts/.vscode/tasks.json", "artifacts/.e\u200bnv",
    ],
)  # fmt: skip
def test_what_is_not_granted_is_not_written(
    opener: Opener, root: Path, layer: MakeLayer, path: str
) -> None:
    policy = (layer(read=["./**"], write=["./artifacts"]),)
    with pytest.raises(Denied):
        write_bytes(root, policy, path, b"x", expect_before=None, opener=opener)
    assert not (root / "artifacts").exists()


def test_one_refused_change_refuses_all(opener: Opener, root: Path, layer: MakeLayer) -> None:
    policy = (layer(write=["./artifacts"]),)
    with pytest.raises(Denied):
        write_all(root, policy, [("artifacts/x", None, b"x"), ("y", None, b"y")], opener=opener)
    assert not (root / "artifacts").exists()


@pytest.mark.parametrize("target", ["../outside", "src", "."])
def test_a_granted_root_that_is_a_link_is_not_written_through(
    opener: Opener, root: Path, layer: MakeLayer, target: str
) -> None:
    (root / "artifacts").symlink_to(target)
    policy = (layer(write=["./artifacts"]),)
    with pytest.raises(Denied, match="symbolic link"):
        write_bytes(root, policy, "artifacts/x", b"x", expect_before=None, opener=opener)
    with pytest.raises(Denied, match="symbolic link"):
        write_bytes(root, policy, "artifacts", b"x", expect_before=None, opener=opener)
    assert not (root.parent / "outside" / "x").exists()
    assert not (root / "src" / "x").exists()
    assert not (root / "x").exists()


def test_a_link_is_never_replaced(opener: Opener, root: Path, everything: Policy) -> None:
    (root / "link").symlink_to("README.md")
    with pytest.raises(Denied, match="symbolic link"):
        write_bytes(root, everything, "link", b"x", expect_before=b"# hello\n", opener=opener)
    assert (root / "link").is_symlink()
    assert (root / "README.md").read_bytes() == b"# hello\n"


def test_a_folder_or_a_fifo_is_never_replaced(
    opener: Opener, root: Path, everything: Policy
) -> None:
    os.mkfifo(root / "pipe")
    for path in ("src", "pipe"):
        with pytest.raises(ToolFault):
            write_bytes(root, everything, path, b"x", expect_before=None, opener=opener)


def test_a_huge_file_is_refused_before_its_bytes_fill_the_memory(
    root: Path, everything: Policy
) -> None:
    huge = 1 << 40
    with (root / "sparse").open("wb") as file:
        file.truncate(huge)
    for change in (b"x", None):
        with pytest.raises(ToolFault, match="larger than 16 MiB"):
            write_bytes(root, everything, "sparse", change, expect_before=b"")
    with pytest.raises(ToolFault, match="larger than 16 MiB"):
        read_current(root, everything, "sparse")
    assert (root / "sparse").stat().st_size == huge


def test_a_file_in_the_place_of_a_folder_is_a_fault(
    opener: Opener, root: Path, everything: Policy
) -> None:
    with pytest.raises(ToolFault):
        write_bytes(root, everything, "README.md/x", b"x", expect_before=None, opener=opener)


def test_the_same_file_twice_in_one_call_is_refused(root: Path, everything: Policy) -> None:
    with pytest.raises(ToolFault, match="twice"):
        write_all(root, everything, [("a", None, b"1"), ("./a", None, b"2")])


def test_a_folder_renamed_to_a_protected_name_meanwhile_is_not_written(
    root: Path, everything: Policy
) -> None:
    (root / "safe").mkdir()
    (root / "safe" / "config").write_text("old")

    def renaming(top: int, path: str, flags: int = os.O_RDONLY, *, follow: bool = True) -> Opened:
        """The folder is renamed between its opening and the look at where it is."""
        opened = open_beneath(top, path, flags, follow=follow)
        return Opened(opened.fd, ".git") if path == "safe" else opened

    with pytest.raises(ToolFault, match="kept changing"):
        write_bytes(root, everything, "safe/config", b"x", expect_before=b"old", opener=renaming)
    assert (root / "safe" / "config").read_text() == "old"


def test_what_stands_there_is_told_only_to_who_may_write(
    opener: Opener, root: Path, layer: MakeLayer
) -> None:
    policy = (layer(write=["./src"]),)
    assert read_current(root, policy, "src/a.py", opener=opener) == b"A = 1\n"
    assert read_current(root, policy, "src/none/b.py", opener=opener) is None
    with pytest.raises(Denied):
        read_current(root, policy, "README.md", opener=opener)


def test_no_descriptor_is_left_open(opener: Opener, root: Path, everything: Policy) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    write_bytes(root, everything, "q/r/s.md", b"x", expect_before=None, opener=opener)
    with pytest.raises(ToolFault):
        write_bytes(root, everything, "README.md", b"x", expect_before=b"y", opener=opener)
    assert len(list(Path("/dev/fd").iterdir())) == before
