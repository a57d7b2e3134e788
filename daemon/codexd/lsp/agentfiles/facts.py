"""What is known beside the text: the workspace, its agents, its configuration, the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from codexd.agents.dialects import dialect_of
from codexd.agents.registry import Registry, places
from codexd.config import Config
from codexd.policy import Policy

if TYPE_CHECKING:
    from codexd.words import Lang

ALIASES = "aliases"
"""The origin, and the dialect, of `.codex/aliases.yaml`."""

MARKDOWN = ("claude", "cursor", "vscode")
"""Dialects whose keys stand in front matter."""

GUESTS = ("claude", "cursor", "github")
"""Origins of files that another product reads and checks as well."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LastRun:
    """How the latest run of an agent went."""

    status: str
    """As `runs.view.Status`."""
    tokens: int
    at: datetime
    """When it ended; of one that has not, when it began."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that agent files are judged by."""

    root: Path
    home: Path
    registry: Registry
    config: Config
    ceilings: Policy = ()
    last_runs: Mapping[str, LastRun] = field(default_factory=dict[str, LastRun])
    """By the agent's slug."""
    models: tuple[str, ...] = ()
    """Names of models, where the provider has been asked."""
    now: datetime = _EPOCH


@dataclass(frozen=True, slots=True)
class Client:
    """What one client can show."""

    language: Lang = "en"
    markdown: bool = True
    document_changes: bool = False
    """It takes versioned `documentChanges`; else edits go as `changes`."""


def origin_of(path: Path, facts: Facts) -> str | None:
    """Where the agent file at `path` belongs (`workspace`, `claude`, …, or `aliases`); `None`: it
    is none. Its language id does not matter.
    """
    if path == facts.root / ".codex" / "aliases.yaml":
        return ALIASES
    folder = str(path.parent)
    for place in places(facts.root, facts.home):
        # A leading dot marks what editors keep beside a file while it is open.
        if place.folder == folder and path.name.endswith(place.suffixes):
            return None if path.name.startswith(".") else place.origin
    return None


def dialect_in(path: Path, facts: Facts) -> str:
    """The dialect of the agent file at `path`; empty where it is none."""
    origin = origin_of(path, facts)
    if origin is None:
        return ""
    return ALIASES if origin == ALIASES else dialect_of(path, origin)
