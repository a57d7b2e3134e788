"""Which workspace a folder belongs to, and where its state lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
    raise NotImplementedError


def folders(workspace: Workspace, env: Mapping[str, str]) -> Folders:
    """Where the state of `workspace` lives; makes nothing."""
    raise NotImplementedError
