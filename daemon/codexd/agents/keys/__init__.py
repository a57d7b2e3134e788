"""Every key of every dialect of agent file, in one table: what it means, its default, what it
grants. Reading, completion, hover and the JSON schema are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from codexd.agents.keys.key import LISTS, Key, Kind
from codexd.agents.keys.ours import KEYS as OURS
from codexd.agents.keys.theirs import CLAUDE, CODEX, CURSOR, VSCODE

__all__ = ["DECIDING", "HOMES", "LISTS", "TABLES", "Key", "Kind", "key_at", "names_at"]

TABLES: Mapping[str, Mapping[str, Key]] = {
    dialect: {key.path: key for key in keys}
    for dialect, keys in (
        ("yaml", OURS),
        ("toml", CODEX),
        ("claude", CLAUDE),
        ("cursor", CURSOR),
        ("vscode", VSCODE),
    )
}
"""By dialect, then by path, in the order in which they are offered."""

DECIDING = frozenset(key.name for keys in TABLES.values() for key in keys.values() if key.decides)
"""Names of keys that say what an agent may do or spend."""

_FOREIGN: dict[str, str] = dict.fromkeys(
    (
        "fs", "net", "shell", "policies", "permissions", "permissionMode", "sandbox_mode", "tools",
        "disallowedTools", "max_tokens", "timeout_seconds", "resource_limits", "artifacts",
        "retention", "readonly",
    ),
    "",
)  # fmt: skip

HOMES: Mapping[str, Mapping[str, str]] = {
    "yaml": {
        "fs": "tools.fs",
        "net": "tools.net",
        "shell": "tools.shell",
        "mcp": "tools.mcp",
        "exec": "tools.shell.exec",
        "write": "tools.fs.write",
        "permissions": "policies.permissions",
        "filesystem": "policies.permissions.filesystem",
        "network": "policies.permissions.network",
        "max_tokens": "policies.context.max_tokens",
        "retention": "policies.context.retention",
        "redact": "policies.secrets.redact",
        "timeout_seconds": "resource_limits.timeout_seconds",
        "max_parallel_tasks": "resource_limits.max_parallel_tasks",
        "disallowedTools": "tools",
        "permissionMode": "policies.permissions",
        "sandbox_mode": "policies.permissions",
        "readonly": "tools.fs.write",
        "policy": "policies",
        "budget": "max_tokens",
        "token_budget": "max_tokens",
        "deadline": "resource_limits.timeout_seconds",
        "timeout": "resource_limits.timeout_seconds",
    },
    "toml": _FOREIGN,
    "claude": _FOREIGN,
    "cursor": _FOREIGN,
    "vscode": _FOREIGN,
}
"""By dialect: where a key that decides something has its place, for one that stands elsewhere or
comes from another dialect; empty where this dialect has none for it."""


def key_at(dialect: str, path: Iterable[str | int]) -> Key | None:
    """The row of the key at `path`, whose numbers are items of lists."""
    return TABLES[dialect].get(_dotted(path))


def names_at(dialect: str, *path: str | int) -> tuple[str, ...]:
    """The names of the keys that are known below `path`, in the table's order."""
    return _BELOW[dialect].get(_dotted(path), ())


def _dotted(path: Iterable[str | int]) -> str:
    return ".".join("*" if isinstance(step, int) else step for step in path)


def _below(keys: Iterable[Key]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key in keys:
        above = key.path.rpartition(".")[0]
        found[above] = (*found.get(above, ()), key.name)
    return found


_BELOW = {dialect: _below(keys.values()) for dialect, keys in TABLES.items()}
