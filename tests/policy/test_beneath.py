"""Nothing leads out of the root: names, links, swaps. One suite for both openers."""

import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.policy.beneath import (
    Opener,
    kernel_opens,
    open_by_kernel,
    open_by_walk,
    root_folder,
)


def opened(opener: Opener, root: Path, path: str, *, follow: bool = True) -> tuple[str, bytes]:
    with root_folder(root) as top:
        fd, final = opener(top, path, follow=follow)
        try:
            return final, os.read(fd, 1000)
        finally:
            os.close(fd)


def refused(opener: Opener, root: Path, path: str, *, follow: bool = True) -> int | None:
    try:
        opened(opener, root, path, follow=follow)
    except OSError as fault:
        return fault.errno
    return None


def test_a_file_is_opened_and_named(opener: Opener, root: Path) -> None:
    assert opened(opener, root, "src/a.py") == ("src/a.py", b"A = 1\n")
    assert opened(opener, root, "./src//../src/a.py") == ("src/a.py", b"A = 1\n")


def test_a_folder_is_opened_as_one(opener: Opener, root: Path) -> None:
    with root_folder(root) as top:
        for path, final in ((".", "."), ("src", "src"), ("src/", "src"), ("src/..", ".")):
            fd, found = opener(top, path, os.O_DIRECTORY)
            os.close(fd)
            assert found == final


def test_a_link_inside_is_followed_to_its_real_name(opener: Opener, root: Path) -> None:
    (root / "link").symlink_to("src/../README.md")
    (root / "folder").symlink_to("src")
    (root / "src" / "up").symlink_to("..")
    assert opened(opener, root, "link") == ("README.md", b"# hello\n")
    assert opened(opener, root, "folder/a.py") == ("src/a.py", b"A = 1\n")
    assert opened(opener, root, "folder/up/README.md") == ("README.md", b"# hello\n")


def test_links_are_refused_where_none_may_be_followed(opener: Opener, root: Path) -> None:
    (root / "link").symlink_to("README.md")
    (root / "folder").symlink_to("src")
    assert refused(opener, root, "link", follow=False) == errno.ELOOP
    assert refused(opener, root, "folder/a.py", follow=False) == errno.ELOOP


@pytest.mark.parametrize(
    "target",
    [
        "../outside/secret.txt",
        "{root}/../outside/secret.txt",
        "src/../../outside/secret.txt",
        "{root}/README.md",
        "/proc/self/root/etc/passwd",
    ],
)
def test_no_link_leads_outside(opener: Opener, root: Path, target: str) -> None:
    (root / "out").symlink_to(target.format(root=root))
    assert refused(opener, root, "out") == errno.EXDEV


@pytest.mark.parametrize(
    "path", ["..", "../outside/secret.txt", "src/../../outside", "/etc/passwd"]
)
def test_no_name_leads_outside(opener: Opener, root: Path, path: str) -> None:
    assert refused(opener, root, path) == errno.EXDEV


def test_links_in_a_circle_end(opener: Opener, root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    assert refused(opener, root, "one") == errno.ELOOP


def test_what_is_not_there_is_said_to_be_missing(opener: Opener, root: Path) -> None:
    (root / "dangling").symlink_to("nowhere")
    assert refused(opener, root, "nope") == errno.ENOENT
    assert refused(opener, root, "dangling") == errno.ENOENT
    assert refused(opener, root, "README.md/below") == errno.ENOTDIR
    assert refused(opener, root, "README.md/..") == errno.ENOTDIR


def test_a_file_that_is_called_deleted_has_its_name(opener: Opener, root: Path) -> None:
    (root / "x (deleted)").write_text("x")
    assert opened(opener, root, "x (deleted)") == ("x (deleted)", b"x")


def test_a_fifo_does_not_block(opener: Opener, root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert opened(opener, root, "pipe") == ("pipe", b"")


def test_no_descriptor_is_left_open(opener: Opener, root: Path) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "out").symlink_to("../../../outside")
    before = open_descriptors()
    opened(opener, root, "src/a.py")
    refused(opener, root, "deep/er/out/secret.txt")
    refused(opener, root, "deep/er/nope")
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_link_swapped_in_meanwhile_never_leads_outside(opener: Opener, root: Path) -> None:
    inside, link, name = root / "inside", root / "link", root / "swap"
    inside.mkdir()
    (inside / "secret.txt").write_text("inside\n")
    link.symlink_to("../outside")
    name.mkdir()
    (name / "secret.txt").write_text("inside\n")
    aside = root / "aside"
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            name.rename(aside)
            link.rename(name)
            name.rename(link)
            aside.rename(name)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = {attempt(opener, root) for _ in range(3000)}
    finally:
        stop.set()
        swapper.join()
    assert b"outside\n" not in seen
    assert b"inside\n" in seen


def attempt(opener: Opener, root: Path) -> bytes:
    try:
        return opened(opener, root, "swap/secret.txt")[1]
    except OSError:
        return b""


NAMES = st.sampled_from(["a", "b", "c", "out"])
WALKS = st.lists(NAMES | st.sampled_from(["..", ".", ""]), min_size=1, max_size=6).map("/".join)
TARGETS = st.one_of(WALKS, WALKS.map("/{}".format), st.just("ROOT/a"), st.just("../outside/x"))
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.one_of(st.just("folder"), st.just("file"), TARGETS.map("link:{}".format)),
    max_size=10,
)


def planted(root: Path, tree: dict[str, str]) -> None:
    """What of `tree` can stand there; shallow names first."""
    for path, what in sorted(tree.items(), key=lambda one: one[0].count("/")):
        place = root / path
        if os.path.lexists(place) or not place.parent.is_dir():
            continue
        if not place.parent.resolve().is_relative_to(root):
            continue
        if what == "folder":
            place.mkdir()
        elif what == "file":
            place.write_text(path)
        else:
            place.symlink_to(what.removeprefix("link:").replace("ROOT", str(root)) or ".")


@given(tree=TREES, path=WALKS, follow=st.booleans())
def test_both_ways_of_opening_agree_and_never_leave_the_root(
    tree: dict[str, str], path: str, follow: bool
) -> None:
    if not kernel_opens():
        pytest.skip("openat2 is absent here (Linux 5.6 or newer has it)")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        (base / "outside").mkdir()
        (base / "outside" / "x").write_text("secret")
        root = base / "ws"
        root.mkdir()
        planted(root, tree)
        said: list[str | int] = []
        with root_folder(root) as top:
            for opener in (open_by_kernel, open_by_walk):
                try:
                    found = opener(top, path or ".", follow=follow)
                except OSError as fault:
                    said.append(fault.errno or 0)
                    continue
                try:
                    real = (root / path).resolve(strict=True)
                    # The oracle: what the system itself makes of the whole name.
                    assert root / found.path == real
                    assert real.is_relative_to(root)
                    assert os.path.samestat(os.fstat(found.fd), real.stat())
                finally:
                    os.close(found.fd)
                said.append(found.path)
        kinds = {type(one) for one in said}
        assert len(kinds) == 1, said
        assert said[0] == said[1] or kinds == {int}, said
