"""Agent files of every dialect, as `AgentDefinition`: YAML, TOML, Markdown with front matter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import claude, toml, vscode, yaml
from codexd.errors import Diagnostic, Severity
from codexd.policy.effective import closed
from codexd.policy.layers import NAME_IT, grants_of

__all__ = ["read"]


def read(
    path: Path, data: bytes, origin: str, *, profile: str = "read-only"
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """What the agent file at `path` with the content `data` defines, and what is wrong with it.

    `origin` is where it was found: `workspace`, `claude`, `cursor`, `github`, `user`,
    `built-in`; with the suffix it tells the dialect, and whether the user wrote it. The definition
    is `None` where one of the diagnostics is an error. `profile` is the user's `default_profile`,
    for a file that lists no tools. Raises nothing that its content could cause.
    """
    definition, diagnostics = _read(path, data, origin, profile)
    if definition is None or origin in _THE_USERS:
        return definition, diagnostics
    layer = replace(definition.policy, own=False)
    shut = tuple(
        Diagnostic(
            path,
            *(grant.source.line, grant.source.column),
            *(grant.source.line, grant.source.column + len(grant.value)),
            Severity.WARNING,
            f"`{grant.value}` is not granted: {NAME_IT}",
            code="not-granted",
        )
        for field in ("read", "write", "net", "net_sub")
        for grant in dict.fromkeys(grants_of(layer, field) or ())
        if closed(field, grant.value)
    )
    return definition.model_copy(update={"policy": layer}), (*diagnostics, *shut)


_THE_USERS = ("user", "built-in")


def _read(
    path: Path, data: bytes, origin: str, profile: str
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    match path.suffix.lower():
        case ".yaml" | ".yml":
            return yaml.read(path, data)
        case ".toml":
            return toml.read(path, data, profile)
        case ".md" if path.name.lower().endswith(".agent.md") or origin == "github":
            return vscode.read(path, data, profile)
        case ".md":
            return claude.read(path, data, "cursor" if origin == "cursor" else "claude", profile)
        case _:
            message = "an agent file ends with .yaml, .yml, .toml, .md or .agent.md"
            return None, (Diagnostic(path, 1, 1, 1, 1, Severity.ERROR, message, code="no-dialect"),)
