"""Codex's custom agents."""

from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.errors import Diagnostic


def read(path: Path, data: bytes) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """."""
    raise NotImplementedError
