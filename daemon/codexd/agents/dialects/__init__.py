"""Agent files of every dialect, as `AgentDefinition`: YAML, TOML, Markdown with front matter."""

from __future__ import annotations

from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import claude, toml, vscode, yaml
from codexd.agents.dialects.common import READ_ONLY
from codexd.errors import Diagnostic, Severity

__all__ = ["READ_ONLY", "read"]


def read(
    path: Path, data: bytes, origin: str, *, profile: str = READ_ONLY
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """What the agent file at `path` with the content `data` defines, and what is wrong with it.

    `origin` is where it was found: `workspace`, `claude`, `cursor`, `github`, `user`,
    `built-in`; with the suffix it tells the dialect. `profile` (the configuration's
    `default_profile`) is what a file of another tool gets that says nothing of tools. The
    definition is `None` where one of the diagnostics is an error. Raises nothing that its content
    could cause.
    """
    match path.suffix.lower():
        case ".yaml" | ".yml":
            return yaml.read(path, data)
        case ".toml":
            return toml.read(path, data, profile)
        case ".md" if path.name.lower().endswith(".agent.md") or origin == "github":
            return vscode.read(path, data, profile)
        case ".md":
            dialect = "cursor" if origin == "cursor" else "claude"
            return claude.read(path, data, dialect, profile)
        case _:
            message = "an agent file ends with .yaml, .yml, .toml, .md or .agent.md"
            return None, (Diagnostic(path, 1, 1, 1, 1, Severity.ERROR, message, code="no-dialect"),)
