"""Agents as lists show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.registry import AgentEntry
from codexd.config import Config
from codexd.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent file, as a list shows it."""

    name: str | None
    """`None`: the file has errors, and there is no version without."""
    slug: str
    origin: str
    """`workspace`, `claude`, `cursor`, `github`, `user`, `built-in`."""
    path: Path
    description: str
    goal: str
    budget: int | None
    shadowed_by: Path | None
    problems: tuple[Diagnostic, ...]


def agent_row(entry: AgentEntry, config: Config) -> AgentRow:
    """One agent file, as a list shows it."""
    definition = entry.definition
    return AgentRow(
        name=definition.name if definition else None,
        slug=entry.slug,
        origin=entry.origin,
        path=entry.path,
        description=definition.description if definition else "",
        goal=definition.goal if definition else "",
        budget=budget_of(definition, config) if definition else None,
        shadowed_by=entry.shadowed_by,
        problems=entry.diagnostics,
    )


def agent_rows(entries: Sequence[AgentEntry], config: Config) -> tuple[AgentRow, ...]:
    """All of them, in the registry's order."""
    return tuple(agent_row(entry, config) for entry in entries)


def budget_of(definition: AgentDefinition, config: Config) -> int:
    """The tokens that a run of it may spend where nothing else is said."""
    limit = definition.max_tokens
    return config.default_budget if limit is None else limit
