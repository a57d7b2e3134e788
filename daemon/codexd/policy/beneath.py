"""Opening what lies beneath a folder's descriptor, wherever names and links try to lead.

Two openers with one contract: `open_by_kernel` has Linux resolve the path
(`openat2`, `RESOLVE_BENEATH`), `open_by_walk` goes part by part with `O_NOFOLLOW`. Neither ever
resolves a name and opens it afterwards: what is swapped in between cannot be reached.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from codexd.errors import ToolFault

_FLAGS = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_TRIES = 32
_MAX_LINKS = 40


class Opened(NamedTuple):
    """An open descriptor, and the path beneath the root that it really stands for."""

    fd: int
    path: str


class Opener(Protocol):
    """Opens `path` beneath `root`.

    Raises `OSError`: `EXDEV` where the path leads outside, `ELOOP` where there are too many
    symbolic links (or any, without `follow`), `EAGAIN` where names kept changing meanwhile.
    """

    def __call__(
        self, root: int, path: str, flags: int = os.O_RDONLY, /, *, follow: bool = True
    ) -> Opened:
        """Open; the caller closes the descriptor."""
        ...


def open_beneath(root: int, path: str, flags: int = os.O_RDONLY, *, follow: bool = True) -> Opened:
    """`Opener`: by the kernel where it can, else by walking."""
    opener = open_by_kernel if kernel_opens() else open_by_walk
    return opener(root, path, flags, follow=follow)


@contextmanager
def root_folder(root: Path) -> Generator[int]:
    """The descriptor of the folder that everything is opened beneath.

    Raises `ToolFault` where it is gone: the run tells of it, and ends as runs do.
    """
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise ToolFault(f"the workspace {root} cannot be opened: {fault.strerror}") from fault
    try:
        yield fd
    finally:
        os.close(fd)


# --- by the kernel --------------------------------------------------------------------------

_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08


def open_by_kernel(
    root: int, path: str, flags: int = os.O_RDONLY, *, follow: bool = True
) -> Opened:
    """`Opener` by Linux's `openat2`; the final path is the kernel's own word."""
    resolve = _NO_MAGICLINKS | _BENEATH | (0 if follow else _NO_SYMLINKS)
    for _ in range(_TRIES):
        try:
            fd = _openat2(root, path, flags | _FLAGS, resolve)
        except BlockingIOError:
            # A rename elsewhere made the kernel unsure of a `..`: it asks to try again.
            continue
        try:
            found = _final_path(root, fd)
        except BaseException:
            os.close(fd)
            raise
        if found is not None:
            return Opened(fd, found)
        os.close(fd)
    raise OSError(errno.EAGAIN, "the path kept changing", path)


@lru_cache(maxsize=1)
def kernel_opens() -> bool:
    """Whether `openat2` and `/proc` work here (a container may bar either)."""
    if not sys.platform.startswith("linux") or os.uname().machine not in ("x86_64", "aarch64"):
        return False
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(open_by_kernel(here, ".", os.O_DIRECTORY).fd)
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def _final_path(root: int, fd: int) -> str | None:
    """Where `fd` lies beneath `root`; `None` where it was removed or moved meanwhile."""
    # Plain strings: `Path` would normalise what the kernel says.
    top, found = (os.readlink(f"/proc/self/fd/{one}") for one in (root, fd))  # noqa: PTH115
    if found == top:
        return "."
    top = top if top.endswith("/") else f"{top}/"
    if not found.startswith(top):
        return None
    if found.endswith(" (deleted)"):
        # Either the mark of a removed file, or a file that is really called so.
        try:
            same = os.path.samestat(Path(found).lstat(), os.fstat(fd))
        except OSError:
            return None
        if not same:
            return None
    return found[len(top) :]


def _openat2(root: int, path: str, flags: int, resolve: int) -> int:
    ctypes, syscall = _libc()
    how = (ctypes.c_uint64 * 3)(flags, 0, resolve)
    fd: int = syscall(_OPENAT2, root, os.fsencode(path), how, ctypes.sizeof(how))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return fd


@lru_cache(maxsize=1)
def _libc() -> tuple[Any, Any]:
    # Late: ctypes costs more to import than all of the policy.
    import ctypes

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    syscall.argtypes = (
        ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t
    )  # fmt: skip
    return ctypes, syscall


# --- by walking -----------------------------------------------------------------------------


def open_by_walk(root: int, path: str, flags: int = os.O_RDONLY, *, follow: bool = True) -> Opened:
    """`Opener` part by part, each opened in its parent's descriptor without following links."""
    walk = _Walk(root, path, follow=follow)
    try:
        return walk.open(flags)
    finally:
        for fd, _ in walk.trail:
            os.close(fd)


class _Walk:
    """One walk: the folders open so far, and the parts still to go."""

    def __init__(self, root: int, path: str, *, follow: bool) -> None:
        self.root, self.path, self.follow = root, path, follow
        self.trail: list[tuple[int, str]] = []
        self.todo = path.split("/")[::-1]
        self.n_links = 0

    def open(self, flags: int) -> Opened:
        if self.path.startswith("/"):
            raise OSError(errno.EXDEV, "leads outside", self.path)
        while self.todo:
            name = self.todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                self._up()
            elif any(part not in ("", ".") for part in self.todo):
                fd = self._step(name, os.O_RDONLY | os.O_DIRECTORY)
                if fd is not None:
                    self.trail.append((fd, name))
            else:
                # A trailing slash or dot asks for a folder.
                fd = self._step(name, flags | (os.O_DIRECTORY if self.todo else 0))
                if fd is not None:
                    return Opened(fd, "/".join([*(part for _, part in self.trail), name]))
        fd = os.open(".", flags | _FLAGS, dir_fd=self._here())
        return Opened(fd, "/".join(part for _, part in self.trail) or ".")

    def _here(self) -> int:
        return self.trail[-1][0] if self.trail else self.root

    def _up(self) -> None:
        if not self.trail:
            raise OSError(errno.EXDEV, "leads outside", self.path)
        os.close(self.trail.pop()[0])

    def _step(self, name: str, flags: int) -> int | None:
        """The descriptor of `name`; `None` where it is a link, whose target is now to be walked."""
        for _ in range(_TRIES):
            try:
                return os.open(name, flags | _FLAGS | os.O_NOFOLLOW, dir_fd=self._here())
            except OSError as fault:
                # Linux says ENOTDIR of a link where a folder was asked for, others ELOOP, EMLINK.
                if fault.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                    raise
                refused = fault
            try:
                target = os.readlink(name, dir_fd=self._here())
            except OSError as fault:
                if fault.errno == errno.EINVAL and refused.errno == errno.ENOTDIR:
                    raise refused from None
                if fault.errno in (errno.EINVAL, errno.ENOENT):
                    continue
                raise
            self.n_links += 1
            if not self.follow or self.n_links > _MAX_LINKS:
                raise OSError(errno.ELOOP, "symbolic links", self.path)
            if target.startswith("/"):
                raise OSError(errno.EXDEV, "leads outside", self.path)
            self.todo.extend(target.split("/")[::-1])
            return None
        raise OSError(errno.EAGAIN, "the path kept changing", self.path)
