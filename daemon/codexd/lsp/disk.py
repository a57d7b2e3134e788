"""Files as they are on disk, and those with findings. Many are to be read on a thread."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codexd.lsp import anchors
from codexd.lsp.anchors import Base

LARGEST = 4 << 20
"""Bytes of a file that findings are shown in."""

Stamp = tuple[int, int, int]
"""(mtime in ns, size, inode): a file whose stamp is the same is not read again."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was read."""

    stamp: Stamp | None
    """`None`: it is gone, or is nothing that findings are shown in."""
    base: Base | None
    lines: Sequence[str] = ()
    """While findings are being held to it."""


def read_all(root: Path, paths: Iterable[str]) -> dict[str, File]:
    """The files by path."""
    return {path: _read(root / path) for path in paths}


def changed(root: Path, known: Mapping[str, Stamp | None]) -> dict[str, File]:
    """Of the files by path, those whose stamp is not what it was."""
    others = [path for path, stamp in known.items() if _stamp(root / path) != stamp]
    return read_all(root, others)


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    # A named pipe or a device is never opened.
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def identity(path: Path) -> tuple[int, int] | None:
    """What all names of a file share; `None` where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def text_of(path: Path) -> str | None:
    """The text of a file; `None` where it is gone, or is nothing that editors show."""
    try:
        # A byte order mark is nothing that a client counts.
        text = path.read_bytes().decode("utf-8", "replace") if _stamp(path) else None
    except OSError:
        return None
    return None if text is None else text.removeprefix("\ufeff")


def _read(path: Path) -> File:
    stamp = _stamp(path)
    if stamp is None:
        return File(None, None)
    try:
        base, lines = anchors.base_of(path.read_bytes())
    except OSError:
        return File(None, None)
    return File(stamp, base, lines)
