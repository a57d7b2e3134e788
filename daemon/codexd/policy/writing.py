"""Replacing files under a policy: whole or not at all, one or several.

A file is replaced by a rename within its folder's descriptor, so that a reader sees the bytes
before or the bytes after. No symbolic link is followed on the way to it, and none is replaced:
what a grant names is what is written, wherever a repository's links lead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from codexd.errors import CodexdError, Denied, ToolFault
from codexd.policy.beneath import Opener, open_beneath, root_folder
from codexd.policy.files import inside, translated
from codexd.policy.layers import Policy
from codexd.policy.paths import may_write

_TEMP = re.compile(r"\.codexd-[0-9a-f]{16}\.tmp")

TURN_SECONDS = 10
"""How long a write waits for others to be made; each takes milliseconds."""

Change: TypeAlias = tuple[str, bytes | None, bytes | None]
"""Path, bytes before, bytes after; `None` where the file is absent."""

LARGEST = 16 << 20
"""Bytes of one file that a change may hold: both sides go into the journal."""


def write_bytes(
    root: Path,
    policy: Policy,
    path: str,
    after: bytes | None,
    *,
    expect_before: bytes | None,
    opener: Opener = open_beneath,
) -> None:
    """The file at `path` holds `after` (`None`: is gone), on disk, and never anything between.

    Raises `Denied` where the policy refuses, `ToolFault` where the file does not hold
    `expect_before` (`None`: is not absent), `Unavailable` where the disk fails.
    """
    write_all(root, policy, [(path, expect_before, after)], opener=opener)


def write_all(
    root: Path,
    policy: Policy,
    changes: Iterable[Change],
    *,
    moves: Mapping[str, str] | None = None,
    opener: Opener = open_beneath,
) -> tuple[str, ...]:
    """All changes are made, or none; gives the paths that now differ. Raises like `write_bytes`.

    A new file that `moves` says to come from another of `changes` keeps that one's permissions.

    Everything is checked before anything is touched, and every new content is on disk before
    the first rename; a fault after that puts back what was renamed. A file that already holds
    its `after` is left alone, so that a call cut short can be made again.
    """
    wanted = [(inside(root, path), before, after) for path, before, after in changes]
    _check(policy, wanted)
    with root_folder(root) as top:
        due = [change for change in wanted if not _is_done(top, change, opener)]
        with _Batch(top, opener, moves or {}) as batch:
            for path, before, after in due:
                with _told(path):
                    batch.stage(path, before, after)
            batch.commit()
    return tuple(path for path, _, _ in due)


def read_current(
    root: Path, policy: Policy, path: str, *, opener: Opener = open_beneath
) -> bytes | None:
    """The bytes that a change of `path` would replace; `None` where there is no such file.

    Raises like `write_bytes`: asking needs the permission to write.
    """
    path = inside(root, path)
    _check(policy, [(path, None, None)])
    with root_folder(root) as top:
        return _current(top, path, opener)


def clear(root: Path, paths: Iterable[str], *, opener: Opener = open_beneath) -> None:
    """What a process that was killed left beside `paths` while it wrote them is gone."""
    with root_folder(root) as top:
        for path in paths:
            with suppress(OSError, CodexdError):
                folder = _open_folder(top, inside(root, path), opener)
                try:
                    _clear_folder(folder)
                finally:
                    os.close(folder)


def _clear_folder(folder: int) -> None:
    for name in os.listdir(folder):
        if _TEMP.fullmatch(name) is None:
            continue
        with suppress(OSError):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(name, flags, dir_fd=folder)
            try:
                # Whoever writes holds the lock for as long as it lives.
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(fd)


def _check(policy: Policy, changes: list[Change]) -> None:
    seen: set[str] = set()
    for path, _, _ in changes:
        decision = may_write(policy, path)
        if not decision:
            raise Denied(decision.why)
        if path in seen:
            raise ToolFault(f"`{path}` is changed twice in one call")
        seen.add(path)


def _is_done(top: int, change: Change, opener: Opener) -> bool:
    path, before, after = change
    held = _current(top, path, opener)
    if held == after:
        return True
    if held != before:
        raise _conflict(path, held, before)
    return False


def _conflict(path: str, held: bytes | None, before: bytes | None) -> ToolFault:
    if before is None:
        return ToolFault(f"`{path}` exists already", help="read it, then change it")
    gone = "is gone" if held is None else "was changed meanwhile"
    return ToolFault(f"`{path}` {gone}", help="read it again and redo the change")


def _current(top: int, path: str, opener: Opener) -> bytes | None:
    with _told(path):
        try:
            folder = _open_folder(top, path, opener)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            held = _held(folder, path)
        finally:
            os.close(folder)
        return held[0] if held else None


def _open_folder(top: int, path: str, opener: Opener) -> int:
    """The descriptor of the folder that holds `path`."""
    folder = path.rpartition("/")[0] or "."
    opened = opener(top, folder, os.O_DIRECTORY, follow=False)
    if opened.path != folder:
        # Renamed between its opening and now: what it is called is what was granted.
        os.close(opened.fd)
        raise OSError(errno.EAGAIN, "the folder was renamed", path)
    return opened.fd


def _held(folder: int, path: str) -> tuple[bytes, os.stat_result] | None:
    """The bytes and the status of the regular file `path` in its folder; `None`: absent."""
    name = path.rpartition("/")[2]
    try:
        fd = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
    except FileNotFoundError:
        return None
    except OSError as fault:
        if fault.errno in (errno.ELOOP, errno.EMLINK):
            raise Denied(
                f"`{path}` is a symbolic link, which is never replaced",
                help="name the file that it leads to",
            ) from None
        raise
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise ToolFault(f"`{path}` is {what}, which is never replaced")
    with os.fdopen(fd, "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise too_large(path)
    return content, status


def too_large(path: str) -> ToolFault:
    """What is said of a file that is more than a change may hold."""
    return ToolFault(f"`{path}` is larger than {LARGEST >> 20} MiB, the most that is changed")


@contextmanager
def _told(path: str) -> Generator[None]:
    try:
        yield
    except OSError as fault:
        raise translated(fault, path) from None


@dataclass(slots=True)
class _Staged:
    """One change, its new content waiting beside its place."""

    path: str
    before: bytes | None
    after: bytes | None
    folder: int
    temp: str
    """Empty: nothing waits (a removal, or it has moved to its place)."""
    mode: int
    lock: int = -1
    """A descriptor that keeps what waits locked; -1: none."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class _Batch:
    """Changes that are made together; leaving removes what was not used."""

    top: int
    opener: Opener
    moves: Mapping[str, str]
    staged: list[_Staged] = field(default_factory=list["_Staged"])
    made: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Folders that were made: the parent's descriptor and the name."""
    kept: bool = False
    closing: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        with self.closing:
            for one in self.staged:
                if one.temp:
                    with suppress(OSError):
                        os.unlink(one.temp, dir_fd=one.folder)
                if one.lock >= 0:
                    os.close(one.lock)
            if not self.kept:
                for parent, name in reversed(self.made):
                    with suppress(OSError):
                        os.rmdir(name, dir_fd=parent)

    def stage(self, path: str, before: bytes | None, after: bytes | None) -> None:
        """`after` waits on disk in the folder of `path`."""
        folder = self._folder(path)
        self.closing.callback(os.close, folder)
        _clear_folder(folder)
        held = _held(folder, path)
        like = held[1] if held else self._moved(path)
        mode = stat.S_IMODE(like.st_mode) & 0o777 if like else -1
        one = _Staged(path, before, after, folder, "", mode)
        self.staged.append(one)
        if after is not None:
            _put_aside(one, after, like)

    def _moved(self, path: str) -> os.stat_result | None:
        """The status of the file that `path` is moved from."""
        old = self.moves.get(path)
        if old is None:
            return None
        folder = _open_folder(self.top, old, self.opener)
        try:
            held = _held(folder, old)
        finally:
            os.close(folder)
        return held[1] if held else None

    def commit(self) -> None:
        """Every staged change takes its place; a fault puts back those that had."""
        done: list[_Staged] = []
        with _in_turn(self.top):
            try:
                for one in self.staged:
                    with _told(one.path):
                        _swap(one)
                        done.append(one)
                        os.fsync(one.folder)
            except BaseException as fault:
                lost = [one.path for one in reversed(done) if not _put_back(one)]
                if lost and isinstance(fault, CodexdError):
                    fault.help = f"could not be put back: {', '.join(lost)}"
                raise
        self.kept = True

    def _folder(self, path: str) -> int:
        parts = path.split("/")[:-1]
        for n in range(1, len(parts) + 1):
            below = "/".join(parts[:n])
            parent = _open_folder(self.top, below, self.opener)
            self.closing.callback(os.close, parent)
            with suppress(FileExistsError):
                os.mkdir(parts[n - 1], dir_fd=parent)
                self.made.append((parent, parts[n - 1]))
        return _open_folder(self.top, path, self.opener)


@contextmanager
def _in_turn(top: int) -> Generator[None]:
    """Nobody else who writes like this below `top` is between a look at a file and its rename.

    That holds among threads and among processes: each write opens `top` anew.
    """
    until = time.monotonic() + TURN_SECONDS
    while True:
        try:
            fcntl.flock(top, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise ToolFault(
                    f"another program has kept the workspace's folder locked for {TURN_SECONDS} s",
                    help="end it, then try again",
                ) from None
            time.sleep(0.002)  # noqa: TID251  # a lock has no timeout of its own; in a thread
        except OSError:  # a filesystem without locks
            break
        else:
            break
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(top, fcntl.LOCK_UN)


def _put_aside(one: _Staged, content: bytes, like: os.stat_result | None) -> None:
    one.temp, fd = _new_temp(one.folder)
    if one.lock >= 0:
        os.close(one.lock)
    # Another name for the same open file keeps the lock until the batch is through.
    one.lock = os.dup(fd)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        if like is not None:
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                # As root: the owner stays. As anybody else it cannot, which git shares.
                with suppress(PermissionError):
                    os.fchown(fd, like.st_uid, like.st_gid)
            os.fchmod(fd, one.mode)
        os.fsync(fd)


def _new_temp(folder: int) -> tuple[str, int]:
    """A new file in `folder`, locked while its writer lives: (name, descriptor)."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        name = f".codexd-{secrets.token_hex(8)}.tmp"
        fd = os.open(name, flags, 0o666, dir_fd=folder)
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
            return name, fd
        # Somebody who clears up was faster than the lock.
        os.close(fd)


def _swap(one: _Staged) -> None:
    held = _held(one.folder, one.path)
    if (held[0] if held else None) != one.before:
        raise _conflict(one.path, held[0] if held else None, one.before)
    if one.after is None:
        os.unlink(one.name, dir_fd=one.folder)
    elif one.before is None:
        _place_new(one)
    else:
        os.replace(one.temp, one.name, src_dir_fd=one.folder, dst_dir_fd=one.folder)
        one.temp = ""


def _place_new(one: _Staged) -> None:
    try:
        # A link, unlike a rename, never replaces what somebody else made meanwhile.
        os.link(
            one.temp,
            one.name,
            src_dir_fd=one.folder,
            dst_dir_fd=one.folder,
            follow_symlinks=False,
        )
    except FileExistsError:
        raise _conflict(one.path, b"", None) from None
    except OSError as fault:
        if fault.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        # A filesystem without hard links (exFAT).
        os.rename(one.temp, one.name, src_dir_fd=one.folder, dst_dir_fd=one.folder)
        one.temp = ""


def _put_back(one: _Staged) -> bool:
    """Whether `one.path` holds what it held before the swap."""
    try:
        held = _held(one.folder, one.path)
        if (held[0] if held else None) != one.after:
            return False
        if one.before is None:
            os.unlink(one.name, dir_fd=one.folder)
        else:
            _put_aside(one, one.before, None)
            if one.mode >= 0:
                os.chmod(one.temp, one.mode, dir_fd=one.folder)
            os.replace(one.temp, one.name, src_dir_fd=one.folder, dst_dir_fd=one.folder)
            one.temp = ""
    except (OSError, CodexdError):
        return False
    return True
