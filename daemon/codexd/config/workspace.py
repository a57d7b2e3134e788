"""Which workspace a folder belongs to, and where its state lives."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codexd.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Workspace:
    """The nearest ancestor with `.git`, else with `.codex` (never home), else the folder."""

    root: Path
    """Absolute and real."""
    id: str
    """16 hex digits of the sha256 of the root's real path."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where codexd keeps its own files (XDG base directories)."""

    state: Path
    """`$XDG_STATE_HOME/codexd/<workspace-id>`, 0700."""
    all_state: Path
    """`$XDG_STATE_HOME/codexd`."""
    data: Path
    """`$XDG_DATA_HOME/codexd`: the journal's key."""
    cache: Path
    """`$XDG_CACHE_HOME/codexd/<workspace-id>`."""


def find_workspace(folder: Path, *, home: Path) -> Workspace:
    """The workspace of `folder`. Raises `BadConfig` where `folder` is no folder."""
    if not folder.is_dir():
        raise BadConfig(
            f"no folder `{folder}`", help="-C takes a folder that is there; without it: this one"
        )
    try:
        real, home = folder.resolve(), home.resolve()
    except OSError as fault:
        raise BadConfig(
            f"the folder `{folder}` cannot be found any more: {fault.strerror}",
            help="change to a folder that is there",
        ) from fault
    ancestors = (real, *real.parents)
    # A linked worktree or a submodule has a `.git` file, so presence is all that is asked.
    with_git = (place for place in ancestors if os.path.lexists(place / ".git"))
    # Every user of Codex has `~/.codex`: it would make one workspace of the whole home folder.
    with_codex = (
        place for place in ancestors if place != home and os.path.lexists(place / ".codex")
    )
    root = next(with_git, None) or next(with_codex, None) or real
    return Workspace(root, hashlib.sha256(os.fsencode(root)).hexdigest()[:16])


def folders(workspace: Workspace, env: Mapping[str, str]) -> Folders:
    """Where the state of `workspace` lives; makes nothing."""
    home = home_of(env)
    state = _base(env, "XDG_STATE_HOME", home / ".local/state") / "codexd"
    return Folders(
        state=state / workspace.id,
        all_state=state,
        data=_base(env, "XDG_DATA_HOME", home / ".local/share") / "codexd",
        cache=_base(env, "XDG_CACHE_HOME", home / ".cache") / "codexd" / workspace.id,
    )


def home_of(env: Mapping[str, str]) -> Path:
    """`$HOME`, else the home folder that the system knows. Raises `BadConfig` for neither."""
    try:
        home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    except RuntimeError as fault:
        raise BadConfig("no home folder is known", help="set HOME") from fault
    if not home.is_absolute():
        # Taken as it is, it would put our state into whatever folder we are in.
        raise BadConfig(f"HOME is no absolute path: {home}", help="set HOME to your home folder")
    return home


def _base(env: Mapping[str, str], variable: str, default: Path) -> Path:
    # The specification tells programs to ignore a relative path here.
    named = Path(env.get(variable, ""))
    return named if named.is_absolute() else default
