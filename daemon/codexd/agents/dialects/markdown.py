"""Claude, Cursor, VS Code."""

from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.errors import Diagnostic


def read_claude(
    path: Path, data: bytes, dialect: str
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """."""
    raise NotImplementedError


def read_vscode(path: Path, data: bytes) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """."""
    raise NotImplementedError
