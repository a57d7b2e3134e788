"""What decides which agents there are: the folders to be watched, and the names in them.

Agent folders are flat, so no folder is ever watched with what is below it: neither the home folder
nor `node_modules`. A folder that is not there yet is waited for in the nearest one that is; a link
is followed, and both where it stands and where it leads are watched.
"""

# Of a folder that may not be entered, and of links in a circle, `pathlib` makes exceptions; here
# it is no folder.
# ruff: noqa: PTH112, PTH114, PTH115, PTH118, PTH120

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codexd.agents.registry import Place

REMOTE = frozenset(
    [
        *("9p", "afs", "ceph", "cifs", "lustre", "nfs", "nfs4", "prl_fs", "smb3", "smbfs"),
        *("vboxsf", "virtiofs"),
        *(f"fuse.{name}" for name in ("glusterfs", "rclone", "s3fs", "sshfs", "vmhgfs-fuse")),
    ]
)
"""File systems that others write to as well, and that tell nobody here when they do."""


@dataclass(slots=True)
class Ground:
    """Real paths: what is watched, and which of the events there matter."""

    folders: set[str] = field(default_factory=set[str])
    """Each watched by itself, without what is below it."""
    names: set[str] = field(default_factory=set[str])
    """What may be or become a folder on the way to agents, a link, or a file that is read."""
    agents: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Folders with agent files, and the suffixes of these."""

    def matters(self, path: str) -> bool:
        """Whether something at `path` may change what agents there are."""
        folder, name = os.path.split(path)
        suffixes = self.agents.get(folder, ())
        return path in self.names or (name.endswith(suffixes) and not name.startswith("."))

    def may_move(self, path: str) -> bool:
        """Whether other folders may have to be watched after something happened at `path`, or one
        anew: made again under its old name it is another.
        """
        return path in self.names or os.path.islink(path)

    def follow(self, path: str) -> None:
        """Have it noticed when what `path` leads to comes, goes, or becomes something else."""
        folder, name = os.path.split(path.rstrip("/") or "/")
        while not os.path.isdir(folder):
            folder, name = os.path.split(folder)
        folder = os.path.realpath(folder)
        here = os.path.join(folder, name)
        if here in self.names:  # links may lead in circles
            return
        self.names.add(here)
        # The watch is refused as a whole where one folder may not be read.
        if os.access(folder, os.R_OK):
            self.folders.add(folder)
        if os.path.islink(here):
            self.follow(os.path.join(folder, os.readlink(here)))


def survey(places: Iterable[Place], files: Iterable[Path]) -> Ground:
    """The ground of agents in `places`, and of `files` that are read besides."""
    ground = Ground()
    for place in places:
        ground.follow(os.path.dirname(place.folder))
        ground.follow(place.folder)
        folder = os.path.realpath(place.folder)
        if os.path.isdir(folder) and os.access(folder, os.R_OK):
            ground.folders.add(folder)
            ground.agents[folder] = (*ground.agents.get(folder, ()), *place.suffixes)
            for link in _links(folder, place.suffixes):
                ground.follow(link)
    for file in files:
        ground.follow(str(file))
    return ground


def _links(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """The agent files in `folder` that stand somewhere else."""
    try:
        with os.scandir(folder) as found:
            return [one.path for one in found if one.name.endswith(suffixes) and one.is_symlink()]
    except OSError:
        return []  # it went while we looked: so its parent says


def remote(folders: Iterable[str], mounts: str) -> tuple[str, str] | None:
    """The first folder on a remote file system, and which that is; `mounts` is /proc/mounts."""
    table = list(_mounted(mounts.splitlines()))
    for folder in sorted(folders):
        # The longest mount point holds; of equal ones the last, which covers the others.
        at = [(len(point), n) for n, (point, _) in enumerate(table) if _is_below(folder, point)]
        if at and (kind := table[max(at)[1]][1]) in REMOTE:
            return folder, kind
    return None


def _mounted(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 2:
            # A blank in a path stands there as \040, in octal.
            point = fields[1].encode().decode("unicode_escape").encode("latin-1")
            yield os.fsdecode(point), fields[2]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
