"""The names of the built-in tools and their aliases: agent files may use either."""

from __future__ import annotations

READING = (
    "read_file",
    "list_dir",
    "glob",
    "grep",
    "codebase_search",
    "analyze",
    "git_status",
    "git_diff",
    "git_log",
    "git_show",
    "git_blame",
)
WRITING = ("write_file", "apply_patch")
ACTING = ("report_finding", "update_plan", "delegate")
"""Act on their run; performed by the loop."""
REACHING = ("shell", "web_fetch", "web_search")

BUILT_IN = READING + WRITING + REACHING + ACTING

ALIASES = {
    "write": "write_file",
    "search_replace": "apply_patch",
    "glob_file_search": "glob",
    "bash": "shell",
    **{f"codex_{name}": name for name in BUILT_IN},
    "codex_write": "write_file",
    "codex_search_replace": "apply_patch",
    "codex_glob_file_search": "glob",
    "codex_bash": "shell",
}


def canonical(name: str) -> str | None:
    """The built-in tool that `name` means, or `None`."""
    return name if name in BUILT_IN else ALIASES.get(name)
