"""Which workspace a folder belongs to, and where its state lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codexd.config import places
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
        root = places.root_of(str(folder), str(home))
    except OSError as fault:
        raise BadConfig(
            f"the folder `{folder}` cannot be found any more: {fault.strerror}",
            help="change to a folder that is there",
        ) from fault
    return Workspace(Path(root), places.digest(root))


def folders(workspace: Workspace, env: Mapping[str, str]) -> Folders:
    """Where the state of `workspace` lives; makes nothing."""
    state = Path(places.state_folder(str(workspace.root), env))
    return Folders(
        state=state,
        all_state=state.parent,
        data=Path(places.base(env, "XDG_DATA_HOME", ".local/share")) / "codexd",
        cache=Path(places.base(env, "XDG_CACHE_HOME", ".cache")) / "codexd" / workspace.id,
    )


def home_of(env: Mapping[str, str]) -> Path:
    """`$HOME`, else the home folder that the system knows. Raises `BadConfig` for neither."""
    return Path(places.home_of(env))
