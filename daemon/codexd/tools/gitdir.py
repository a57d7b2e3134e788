"""A git folder of our own over the repository's data, so that git never reads its configuration.

A repository's configuration names programs: fsmonitor, filters, textconv, diff drivers, hooks,
signature checkers, pagers, remote helpers for missing objects, and whatever comes next. Turning
each of them off by name would lose to the first one forgotten. Instead git gets a temporary
`GIT_DIR` that links to the repository's objects, refs and index, and whose `config` is written
here from a list of harmless keys. What is lost: filters (LFS, crypt) are not run, so a file that
they change shows as it is stored.

Data from outside the workspace is refused too: a hostile `.git` may point at another repository.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from codexd.errors import Denied, ToolFault
from codexd.tools import process
from codexd.tools.interface import ToolContext

_LEFT_OUT = {
    "config", "config.worktree", "hooks", "info", "commondir", "gitdir", "HEAD", "modules",
    "worktrees", "lfs", "branches", "description", "fsmonitor--daemon", "fsmonitor--daemon.ipc",
}  # fmt: skip
"""Entries of a git folder that git is not to see, or that are written anew."""

_HARMLESS = re.compile(
    r"core\.(?:repositoryformatversion|filemode|ignorecase|precomposeunicode|symlinks|autocrlf"
    r"|eol|sparsecheckout|sparsecheckoutcone|longpaths|protecthfs|protectntfs)"
    r"|extensions\.(?:objectformat|refstorage|preciousobjects|compatobjectformat)"
    r"|index\.(?:sparse|version)"
)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9]{0,20}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a workspace's repository keeps its data."""

    own: Path
    """HEAD, index: the worktree's own."""
    common: Path
    """Objects, refs, configuration."""


@dataclass(frozen=True, slots=True)
class Git:
    """What it takes to run git on the workspace."""

    program: str
    env: Mapping[str, str]


@asynccontextmanager
async def git_folder(context: ToolContext) -> AsyncGenerator[Git]:
    """Git, ready to be run on the workspace's repository for the length of the block.

    Raises `ToolFault` where there is no git or no repository, `Denied` where its data stands
    elsewhere.
    """
    import shutil
    import tempfile

    import anyio

    program = process.find("git", context)
    if program is None:
        raise ToolFault("git is not on PATH", help="install git")
    places = await anyio.to_thread.run_sync(find_places, context.root)
    folder = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp, None, "codexd-git-"))
    env = {
        "PATH": process.search_path(context.env, context.root),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": context.env.get("TZ", ""),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_PAGER": "cat",
        "GIT_DIR": str(folder / "git"),
        "GIT_WORK_TREE": str(context.root),
        "GIT_INDEX_FILE": str(places.own / "index"),
    }
    env = {name: value for name, value in env.items() if value}
    try:
        settings = await _settings(program, places, env, folder)
        await anyio.to_thread.run_sync(_build, folder / "git", places, settings)
        yield Git(program, env)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)


def find_places(root: Path) -> Places:
    """Where the repository of the workspace at `root` keeps its data.

    Raises `ToolFault` where there is none, `Denied` for one whose data is borrowed from elsewhere.
    """
    dot_git = root / ".git"
    try:
        mode = dot_git.lstat().st_mode
    except OSError:
        raise ToolFault(
            "the workspace is not a git repository: it has no `.git`",
            help="read files instead; there is no history",
        ) from None
    if stat.S_ISDIR(mode):
        places = Places(dot_git, dot_git)
    elif stat.S_ISREG(mode):
        places = _linked(root, dot_git)
    else:
        raise Denied("`.git` is a link to elsewhere; it is not followed")
    for path in _borrowed(places):
        raise Denied(
            f"the repository's data is not its own: `{path}` leads elsewhere",
            help="git tools read plain clones, worktrees and submodules only",
        )
    if not (places.own / "HEAD").is_file() or not (places.common / "objects").is_dir():
        raise ToolFault("the workspace's `.git` is no git repository")
    return places


def _linked(root: Path, dot_git: Path) -> Places:
    """The places that a `.git` file names, provided that they name this workspace back.

    Anybody can write a `.git` file that points at your other repositories; only git itself has
    written there that this folder is theirs. A worktree's own folder must therefore lie in the
    repository whose objects it names: one that a workspace brings along could name any.
    """
    named = _small(dot_git).removeprefix("gitdir:").strip()
    own = (root / named).resolve()
    back = _small(own / "gitdir").strip()
    if back and (own / back).resolve() == dot_git:
        common = (own / (_small(own / "commondir").strip() or ".")).resolve()
        if own.parent == common / "worktrees":
            return Places(own, common)
    worktree = re.search(r"^\s*worktree\s*=\s*(.+?)\s*$", _small(own / "config"), re.MULTILINE)
    if worktree and (own / worktree[1].strip('"')).resolve() == root:
        return Places(own, own)
    raise Denied(f"`.git` points at `{named}`, which does not know this workspace")


def _small(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return ""
        with path.open("rb") as file:
            return file.read(65_536).decode("utf-8", "replace")
    except OSError:
        return ""


def _borrowed(places: Places) -> Iterator[Path]:
    """Whatever of the repository's data is a link, or names another store of objects."""
    for folder in dict.fromkeys((places.own, places.common)):
        yield from _links_in(folder)
    objects = places.common / "objects"
    yield from _links_in(objects)
    for folder in _folders_in(objects):
        yield from _links_in(folder)
    for name in ("alternates", "http-alternates"):
        if _size(objects / "info" / name):
            yield objects / "info" / name


def _folders_in(folder: Path) -> Iterator[Path]:
    """`pack`, `info` and those of loose objects, which can be single links to another store."""
    try:
        with os.scandir(folder) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _links_in(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from (
                Path(entry.path)
                for entry in entries
                if entry.is_symlink() and entry.name not in _LEFT_OUT
            )
    except OSError:
        return


async def _settings(
    program: str, places: Places, env: Mapping[str, str], folder: Path
) -> list[tuple[str, str]]:
    """The harmless settings of the repository: git parses the file, and follows no include."""
    found: list[tuple[str, str]] = []
    for file in (places.common / "config", places.own / "config.worktree"):
        if not _small(file):
            continue
        said = process.Head(1_000_000)
        await process.run(
            [program, "config", "--file", str(file), "--no-includes", "--list", "-z"],
            cwd=folder,
            env={name: value for name, value in env.items() if name != "GIT_DIR"},
            seconds=10,
            take=said,
            errors=process.Head(1000),
        )
        for entry in said.text.split("\0"):
            key, given, value = entry.partition("\n")
            value = value if given else "true"
            if _HARMLESS.fullmatch(key) and _PLAIN_VALUE.fullmatch(value):
                found.append((key, value))
    return found


_OURS = f"""\
[core]
\tbare = false
\tfsmonitor = false
\thooksPath = {os.devnull}
\tquotePath = false
[color]
\tui = false
[gc]
\tauto = 0
[protocol]
\tallow = never
"""


def _build(git: Path, places: Places, settings: list[tuple[str, str]]) -> None:
    git.mkdir()
    lines = [f"[{key.split('.')[0]}]\n\t{key.split('.')[1]} = {value}\n" for key, value in settings]
    (git / "config").write_text("".join([*lines, _OURS]))
    (git / "info").mkdir()
    for name, folder in (("exclude", places.common), ("sparse-checkout", places.own)):
        if text := _small(folder / "info" / name):
            (git / "info" / name).write_text(text)
    (git / "HEAD").write_text(_small(places.own / "HEAD"))
    for folder in dict.fromkeys((places.common, places.own)):
        for entry in folder.iterdir():
            # The common folder comes first: a worktree's own `refs` holds only what is its own.
            if entry.name not in _LEFT_OUT and not os.path.lexists(git / entry.name):
                (git / entry.name).symlink_to(entry)
