"""The agents of a workspace: which files, which wins, what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """One agent file, read."""

    path: Path
    origin: str
    """`workspace`, `claude`, `cursor`, `github`, `user`, `built-in`."""
    definition: AgentDefinition | None
    """`None`: the file has errors."""
    diagnostics: tuple[Diagnostic, ...]
    shadowed_by: Path | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """What was found, in order of precedence; a value, made anew when files change."""

    entries: tuple[AgentEntry, ...]
    aliases: dict[str, str]
    """`@cr` → `code-reviewer`; shortcuts as well."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Of `aliases.yaml`, and of folders that could not be read."""

    def find(self, name: str) -> AgentDefinition:
        """The agent by name as written, slug, alias or file stem.

        Raises `UnknownAgent` with the nearest name, `BadDefinition` where the file has errors.
        """
        raise NotImplementedError


def load(root: Path, *, home: Path, cached: Sequence[AgentEntry] = ()) -> Registry:
    """Every agent that the workspace at `root` has: workspace, other tools', user's, built-in."""
    raise NotImplementedError
