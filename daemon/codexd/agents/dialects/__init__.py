"""Agent files of every dialect, as `AgentDefinition`: YAML, TOML, Markdown with front matter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from codexd.agents import bounds
from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import claude, toml, vscode, yaml
from codexd.agents.dialects.common import READ_ONLY, Taken
from codexd.errors import Diagnostic, Severity
from codexd.policy import Policy

__all__ = ["READ_ONLY", "dialect_of", "read"]


def read(
    path: Path, data: bytes, origin: str, *, profile: str = READ_ONLY, ceilings: Policy = ()
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """What the agent file at `path` with the content `data` defines, and what is wrong with it.

    `origin` is where it was found: `workspace`, `claude`, `cursor`, `github`, `user`,
    `built-in`; with the suffix it tells the dialect, and whether the user wrote it. `profile` (the
    configuration's `default_profile`) is what a file of another tool gets that says nothing of
    tools. `ceilings` (the configuration's `[policy]`) are what its grants are held against; none
    are known where there are none. The definition is `None` where one of the diagnostics is an
    error. Raises nothing that its content could cause.
    """
    taken = _take(path, data, dialect_of(path, origin), profile)
    if isinstance(taken, Diagnostic):
        return None, (taken,)
    definition, sheet = taken
    if sheet.is_broken:
        return None, sheet.remarked()
    if origin not in _THE_USERS:
        layer = replace(definition.policy, own=False)
        definition = definition.model_copy(update={"policy": layer})
    bounds.remark_on_grants(sheet, definition, ceilings)
    return definition, sheet.remarked()


_THE_USERS = ("user", "built-in")


def dialect_of(path: Path, origin: str) -> str:
    """The dialect of the agent file at `path`, by suffix and by the place where it was found;
    empty where it is no agent file.
    """
    match path.suffix.lower():
        case ".yaml" | ".yml":
            return "yaml"
        case ".toml":
            return "toml"
        case ".md" if path.name.lower().endswith(".agent.md") or origin == "github":
            return "vscode"
        case ".md":
            return "cursor" if origin == "cursor" else "claude"
        case _:
            return ""


def _take(path: Path, data: bytes, dialect: str, profile: str) -> Taken:
    match dialect:
        case "yaml":
            return yaml.read(path, data)
        case "toml":
            return toml.read(path, data, profile)
        case "vscode":
            return vscode.read(path, data, profile)
        case "claude" | "cursor":
            return claude.read(path, data, dialect, profile)
        case _:
            message = "an agent file ends with .yaml, .yml, .toml, .md or .agent.md"
            return Diagnostic(path, 1, 1, 1, 1, Severity.ERROR, message, code="no-dialect")
