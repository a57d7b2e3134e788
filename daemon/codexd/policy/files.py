"""Reading files under a policy: one file, one folder, or everything below one.

What may be read is decided twice: on the path as asked, so that nothing is told of what lies
beyond it, and on the final path of the descriptor once open, so that no link leads around it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codexd.errors import CodexdError, Denied, ToolFault, Unavailable
from codexd.policy.beneath import Opener, open_beneath, root_folder
from codexd.policy.layers import Policy
from codexd.policy.paths import may_enter, may_read, normal, readable

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


def read_bytes(
    root: Path,
    policy: Policy,
    path: str,
    *,
    limit: int | None = None,
    opener: Opener = open_beneath,
) -> bytes:
    """The bytes of the regular file at `path`, at most the first `limit`.

    Raises `Denied` where the policy refuses, `ToolFault` where there is no such file.
    """
    with open_file(root, policy, path, opener=opener) as fd:
        chunks: list[bytes] = []
        left = limit
        while left is None or left > 0:
            # Regular files give all they have at once, but for the kernel's own bound.
            chunk = os.read(fd, 1 << 20 if left is None else min(left, 1 << 20))
            if not chunk:
                break
            chunks.append(chunk)
            left = None if left is None else left - len(chunk)
        return b"".join(chunks)


@contextmanager
def open_file(
    root: Path, policy: Policy, path: str, *, opener: Opener = open_beneath
) -> Generator[int]:
    """A descriptor of the regular file at `path`, open for reading; raises like `read_bytes`."""
    path = inside(root, path)
    check_read(policy, path)
    with root_folder(root) as top:
        try:
            fd, final = opener(top, path)
        except OSError as fault:
            raise translated(fault, path) from None
        try:
            if final != path:
                check_read(policy, final, asked=path)
            mode = os.fstat(fd).st_mode
            if stat.S_ISDIR(mode):
                raise ToolFault(f"`{path}` is a folder", help="list_dir shows what is in it")
            if not stat.S_ISREG(mode):
                raise ToolFault(f"`{path}` is no regular file ({stat.filemode(mode)[0]})")
            yield fd
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder."""

    name: str
    kind: str
    """`file`, `folder`, `link`, `other`."""
    size: int
    """Bytes, of a file; else 0."""


def list_dir(
    root: Path, policy: Policy, path: str = ".", *, opener: Opener = open_beneath
) -> tuple[Entry, ...]:
    """What may be seen of the folder at `path`, by name: files that may be read, and folders
    below which something may. Raises like `read_bytes`.
    """
    path = inside(root, path)
    check_enter(policy, path)
    with root_folder(root) as top:
        try:
            fd, final = opener(top, path, os.O_DIRECTORY)
        except OSError as fault:
            raise translated(fault, path) from None
        try:
            if final != path:
                check_enter(policy, final)
            return tuple(
                _entry(one)
                for one in _scan(fd)
                if (may_enter if one.is_dir(follow_symlinks=False) else readable)(
                    policy, _join(final, one.name)
                )
            )
        finally:
            os.close(fd)


def unignored(root: Path, policy: Policy, folder: str) -> tuple[Entry, ...]:
    """What is in the workspace folder `folder`, as `list_dir` has it, git's ignored left out."""
    entries = list_dir(root, policy, folder)
    folder = normal(folder)
    with root_folder(root) as top:
        above = _rules_above(top, folder)
        own = _rules_in(top, _join(folder, ".gitignore"), "" if folder == "." else folder)
    rules = [*above, own] if own else above
    return tuple(
        one
        for one in entries
        if not _is_ignored(rules, _join(folder, one.name) + "/" * (one.kind == "folder"))
    )


def walk(root: Path, policy: Policy, start: str = ".", *, ignored: bool = False) -> Iterator[str]:
    """Workspace-relative paths of all regular files below `start` that may be read, sorted.

    `.gitignore` files are honoured unless `ignored`; symbolic links are not followed, and names
    that no line of text can hold (a newline, a backslash) are left out. `start` may be a file.
    Raises `Denied` or `ToolFault` for `start`; what vanishes meanwhile is left out.
    """
    start = inside(root, start)
    check_enter(policy, start)
    with root_folder(root) as top:
        try:
            fd, start = open_beneath(top, start)
        except OSError as fault:
            raise translated(fault, start) from None
        try:
            mode = os.fstat(fd).st_mode
        finally:
            os.close(fd)
        if not stat.S_ISDIR(mode):
            check_read(policy, start)
            if stat.S_ISREG(mode):
                yield start
            return
        check_enter(policy, start)
        rules = [] if ignored else _rules_above(top, start)
        yield from _below(top, policy, start, rules, ignored=ignored)


def _below(
    top: int, policy: Policy, folder: str, rules: list[_Rules], *, ignored: bool
) -> Iterator[str]:
    try:
        fd, _ = open_beneath(top, folder, os.O_DIRECTORY, follow=False)
    except OSError:
        return
    try:
        entries = [
            (one.name, one.is_dir(follow_symlinks=False))
            for one in _scan(fd)
            if one.is_dir(follow_symlinks=False) or one.is_file(follow_symlinks=False)
        ]
        if not ignored:
            own = _rules_of(fd, folder, entries)
            rules = [*rules, own] if own else rules
    finally:
        os.close(fd)
    # Sorting folders with their slash sorts the paths as whole strings.
    for name, is_folder in sorted(entries, key=lambda one: one[0] + "/" * one[1]):
        path = _join(folder, name)
        if not (may_enter if is_folder else readable)(policy, path):
            continue
        if not ignored and _is_ignored(rules, f"{path}/" if is_folder else path):
            continue
        if is_folder:
            yield from _below(top, policy, path, rules, ignored=ignored)
        else:
            yield path


def _scan(fd: int) -> list[os.DirEntry[str]]:
    with os.scandir(fd) as entries:
        return sorted((one for one in entries if _is_plain(one.name)), key=lambda one: one.name)


def _is_plain(name: str) -> bool:
    try:
        return normal(name) == name
    except Denied:
        return False


def _entry(one: os.DirEntry[str]) -> Entry:
    if one.is_symlink():
        return Entry(one.name, "link", 0)
    if one.is_dir(follow_symlinks=False):
        return Entry(one.name, "folder", 0)
    if one.is_file(follow_symlinks=False):
        try:
            return Entry(one.name, "file", one.stat(follow_symlinks=False).st_size)
        except OSError:
            return Entry(one.name, "file", 0)
    return Entry(one.name, "other", 0)


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


# --- .gitignore -----------------------------------------------------------------------------

_Rules = tuple[str, "GitIgnoreSpec"]
"""The rules of one folder: its path with a trailing slash (empty: the root), and they."""

_MAX_RULES_BYTES = 1 << 20
_MAX_STARS = 3


def _rules_above(top: int, folder: str) -> list[_Rules]:
    """The rules of the root and of each folder on the way to `folder`, its own not included."""
    found: list[_Rules] = []
    exclude = _rules_in(top, ".git/info/exclude", "")
    if exclude:
        found.append(exclude)
    parts = [] if folder == "." else folder.split("/")
    for n in range(len(parts)):
        above = "/".join(parts[:n])
        rules = _rules_in(top, f"{above}/.gitignore" if above else ".gitignore", above)
        if rules:
            found.append(rules)
    return found


def _rules_of(fd: int, folder: str, entries: list[tuple[str, bool]]) -> _Rules | None:
    if (".gitignore", False) not in entries:
        return None
    return _rules_in(fd, ".gitignore", "" if folder == "." else folder)


def _rules_in(fd: int, path: str, folder: str) -> _Rules | None:
    from pathspec import GitIgnoreSpec

    try:
        opened = open_beneath(fd, path, follow=False).fd
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return None
        text = os.read(opened, _MAX_RULES_BYTES).decode("utf-8", "replace")
    finally:
        os.close(opened)
    # A rule becomes a backtracking regex: a repository could stop us with `*a*a*a*a*a*b`.
    lines = [
        line
        for line in text.splitlines()
        if all(part == "**" or part.count("*") <= _MAX_STARS for part in line.split("/"))
    ]
    return (f"{folder}/" if folder else "", GitIgnoreSpec.from_lines(lines)) if lines else None


def _is_ignored(rules: list[_Rules], path: str) -> bool:
    """Whether git would leave `path` out (a folder's has a trailing slash): the deepest word."""
    for folder, spec in reversed(rules):
        include = spec.check_file(path[len(folder) :]).include
        if include is not None:
            return include
    return False


# --- words for refusals ---------------------------------------------------------------------


def inside(root: Path, path: str) -> str:
    """The normal workspace path that `path` means; one that spells the workspace folder in full
    (models do) is taken as relative to it. Raises `Denied` for anything else outside.
    """
    top = f"{root.as_posix().rstrip('/')}/"
    if path.startswith(top):
        path = path[len(top) :] or "."
    elif f"{path}/" == top:
        path = "."
    return normal(path)


def check_read(policy: Policy, path: str, *, asked: str = "") -> None:
    """Raises `Denied` unless the file at `path` may be read."""
    decision = may_read(policy, path)
    if not decision:
        through = f"`{asked}` leads to `{path}`: " if asked and asked != path else ""
        raise Denied(f"{through}{decision.why}")


def check_enter(policy: Policy, folder: str) -> None:
    """Raises `Denied` unless something at or below `folder` may be read."""
    if not may_enter(policy, folder):
        raise Denied(may_read(policy, folder).why)


def translated(fault: OSError, path: str) -> CodexdError:
    """What an opener's fault means to whoever asked for `path`."""
    code = fault.errno
    if code == errno.ENOENT:
        return ToolFault(f"no file or folder `{path}`", help="list_dir and glob show what is there")
    if code == errno.ENOTDIR:
        return ToolFault(f"no `{path}`: a file stands where it has a folder")
    if code == errno.EXDEV:
        return Denied(f"`{path}` leads out of the workspace through a symbolic link")
    if code == errno.ELOOP:
        return Denied(f"`{path}` goes through symbolic links that are not followed here")
    if code == errno.EAGAIN:
        return ToolFault(f"`{path}` kept changing while it was opened", help="try again")
    if code in (errno.EACCES, errno.EPERM):
        return ToolFault(f"the system does not let us open `{path}`: {fault.strerror}")
    if code == errno.ENAMETOOLONG:
        return ToolFault(f"a name in the path is too long: `{path[:80]}…`")
    if code in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP):
        return ToolFault(f"`{path}` is no regular file")
    if code in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(f"no space left to write `{path}`", help="make room and try again")
    return Unavailable(f"`{path}`: {fault.strerror or fault}")
