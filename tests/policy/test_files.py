"""Reading, listing and walking under a policy."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from codexd.errors import Denied, ToolFault, Unavailable
from codexd.policy import Layer, Policy
from codexd.policy.beneath import Opener
from codexd.policy.files import list_dir, read_bytes, walk

MakeLayer = Callable[..., Layer]


def test_a_granted_file_is_read(opener: Opener, root: Path, everything: Policy) -> None:
    assert read_bytes(root, everything, "src/a.py", opener=opener) == b"A = 1\n"
    assert read_bytes(root, everything, f"{root}/src/a.py", opener=opener) == b"A = 1\n"


def test_a_limit_bounds_what_is_read(opener: Opener, root: Path, everything: Policy) -> None:
    (root / "big").write_bytes(b"x" * 3_000_000)
    assert len(read_bytes(root, everything, "big", limit=2_000_001, opener=opener)) == 2_000_001
    assert len(read_bytes(root, everything, "big", opener=opener)) == 3_000_000
    assert read_bytes(root, everything, "big", limit=0, opener=opener) == b""


@pytest.mark.parametrize("path", [".env", "nope/../.env", "../outside/secret.txt", "/etc/passwd"])
def test_what_is_not_granted_is_denied(
    opener: Opener, root: Path, everything: Policy, path: str
) -> None:
    with pytest.raises(Denied):
        read_bytes(root, everything, path, opener=opener)


def test_a_refusal_does_not_tell_whether_the_file_exists(
    opener: Opener, root: Path, layer: MakeLayer
) -> None:
    policy = (layer(read=["./src"]),)
    told = set[str]()
    for path in ("README.md", "NOTHERE.md"):
        with pytest.raises(Denied) as caught:
            read_bytes(root, policy, path, opener=opener)
        told.add(str(caught.value).replace(path, "X"))
    assert len(told) == 1


def test_a_link_to_a_protected_file_is_decided_by_where_it_leads(
    opener: Opener, root: Path, everything: Policy
) -> None:
    (root / "README.txt").symlink_to(".env")
    with pytest.raises(Denied, match=r"`README.txt` leads to `.env`"):
        read_bytes(root, everything, "README.txt", opener=opener)


def test_a_link_out_of_the_granted_folder_is_denied(
    opener: Opener, root: Path, layer: MakeLayer
) -> None:
    (root / "src" / "up").symlink_to("../README.md")
    with pytest.raises(Denied):
        read_bytes(root, (layer(read=["./src"]),), "src/up", opener=opener)


def test_a_granted_root_that_is_a_link_grants_nothing_elsewhere(
    opener: Opener, root: Path, layer: MakeLayer
) -> None:
    (root / "docs").symlink_to("../outside")
    (root / "notes").symlink_to("src")
    policy = (layer(read=["./docs", "./notes"]),)
    for path in ("docs/secret.txt", "notes/a.py"):
        with pytest.raises(Denied):
            read_bytes(root, policy, path, opener=opener)


def test_a_protected_folder_reached_by_another_name_stays_closed(
    opener: Opener, root: Path, everything: Policy
) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("x")
    (root / "harmless").symlink_to(".git")
    with pytest.raises(Denied):
        read_bytes(root, everything, "harmless/config", opener=opener)
    with pytest.raises(Denied):
        list_dir(root, everything, "harmless", opener=opener)


def test_a_hard_link_may_be_read(opener: Opener, root: Path, everything: Policy) -> None:
    os.link(root.parent / "outside" / "secret.txt", root / "store.txt")
    assert read_bytes(root, everything, "store.txt", opener=opener) == b"outside\n"


def test_only_regular_files_are_read(
    opener: Opener, root: Path, everything: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe")
    # A socket's path is bounded to some hundred bytes: bind it from within.
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        for path in ("pipe", "sock", "src"):
            with pytest.raises(ToolFault):
                read_bytes(root, everything, path, opener=opener)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a device node")
def test_a_device_is_not_read(opener: Opener, root: Path, everything: Policy) -> None:
    try:
        os.mknod(root / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this container may make no device node")
    with pytest.raises((ToolFault, Unavailable)):
        read_bytes(root, everything, "zero", limit=10, opener=opener)


def test_a_missing_file_is_a_fault_with_a_way_on(
    opener: Opener, root: Path, everything: Policy
) -> None:
    with pytest.raises(ToolFault, match="no file or folder `nope`") as caught:
        read_bytes(root, everything, "nope", opener=opener)
    assert caught.value.help


def test_a_folder_shows_what_may_be_read(opener: Opener, root: Path, layer: MakeLayer) -> None:
    (root / "docs").mkdir()
    (root / "link").symlink_to("README.md")
    names = {
        entry.name: (entry.kind, entry.size)
        for entry in list_dir(root, (layer(read=["./src", "*.md", "link"]),), opener=opener)
    }
    assert names == {"README.md": ("file", 8), "src": ("folder", 0), "link": ("link", 0)}


def test_a_folder_without_anything_granted_is_denied(
    opener: Opener, root: Path, layer: MakeLayer
) -> None:
    (root / "docs").mkdir()
    with pytest.raises(Denied):
        list_dir(root, (layer(read=["./src"]),), "docs", opener=opener)


def tree(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


def test_a_walk_gives_readable_regular_files_sorted(root: Path, everything: Policy) -> None:
    tree(root, "src.txt", "src-x/a", "src/b/c", ".git/config", "sub/.env", "z.pem")
    (root / "link.py").symlink_to("src/a.py")
    (root / "loop").symlink_to(".")
    os.mkfifo(root / "pipe")
    (root / "new\nline").write_text("")
    found = list(walk(root, everything))
    assert found == ["README.md", "src-x/a", "src.txt", "src/a.py", "src/b/c"]
    assert found == sorted(found)


def test_a_walk_stays_within_the_grants(root: Path, layer: MakeLayer) -> None:
    tree(root, "src/b/c.py", "docs/x.md", "other/y.py")
    assert list(walk(root, (layer(read=["src/**/*.py", "./docs"]),))) == [
        "docs/x.md",
        "src/a.py",
        "src/b/c.py",
    ]


def test_a_walk_may_start_at_a_folder_or_a_file(root: Path, everything: Policy) -> None:
    assert list(walk(root, everything, "src")) == ["src/a.py"]
    assert list(walk(root, everything, "./src/a.py")) == ["src/a.py"]


@pytest.mark.parametrize(
    ("start", "fault"),
    [("..", Denied), (".git", Denied), ("nope", ToolFault), ("out", Denied), ("hidden", Denied)],
)
def test_a_walk_from_somewhere_else_is_refused(
    root: Path, everything: Policy, start: str, fault: type[Exception]
) -> None:
    tree(root, ".git/config")
    (root / "out").symlink_to("../outside")
    (root / "hidden").symlink_to(".git")
    with pytest.raises(fault):
        list(walk(root, everything, start))


def test_a_walk_honours_ignore_rules_as_git_does(root: Path, everything: Policy) -> None:
    tree(root, "build/x.o", "src/x.log", "src/keep.log", "src/gen/y.py", "deep/gen/z.py", "a.tmp")
    tree(root, ".git/info/exclude")
    (root / ".gitignore").write_text("build/\n*.log\n/src/gen\n")
    (root / "src" / ".gitignore").write_text("!keep.log\n")
    (root / ".git" / "info" / "exclude").write_text("*.tmp\n")
    assert list(walk(root, everything)) == [
        ".gitignore",
        "README.md",
        "deep/gen/z.py",
        "src/.gitignore",
        "src/a.py",
        "src/keep.log",
    ]
    assert "build/x.o" in list(walk(root, everything, ignored=True))


def test_rules_above_the_start_of_a_walk_hold(root: Path, everything: Policy) -> None:
    tree(root, "src/x.log", "src/deep/y.log", "src/deep/y.py")
    (root / ".gitignore").write_text("*.log\n")
    assert list(walk(root, everything, "src/deep")) == ["src/deep/y.py"]


def test_a_hostile_ignore_file_does_not_stop_a_walk(root: Path, everything: Policy) -> None:
    tree(root, "a" * 200)
    (root / ".gitignore").write_text("*a" * 40 + "b\n*.log\n")
    assert "a" * 200 in list(walk(root, everything))


def test_an_ignore_file_that_is_a_link_or_a_fifo_is_left_out(
    root: Path, everything: Policy
) -> None:
    (root.parent / "outside" / "rules").write_text("*.py\n")
    (root / ".gitignore").symlink_to("../outside/rules")
    os.mkfifo(root / "src" / ".gitignore")
    assert "src/a.py" in list(walk(root, everything))
