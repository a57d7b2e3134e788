"""What is wrong with agent files: `codexd agents validate [PATH…]`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from codexd.agents.dialects import READ_ONLY
from codexd.agents.registry import AgentEntry, Registry, load, places, read_entry, remark
from codexd.errors import Diagnostic
from codexd.policy import Policy

Checked: TypeAlias = tuple[Path, tuple[Diagnostic, ...]]
"""A file (or folder) and what there is to say of it; nothing where it is right."""

SUFFIXES = (".yaml", ".yml", ".toml", ".md")


def check_paths(
    paths: Sequence[Path],
    *,
    root: Path,
    home: Path,
    profile: str = READ_ONLY,
    ceilings: Policy = (),
) -> tuple[Checked, ...]:
    """The agent files among `paths` (a folder: those in it), each with its diagnostics.

    Without paths: every file of the registry, aliases and folders included. A path keeps the form
    in which it was given.
    """
    registry = load(root, home=home, profile=profile, ceilings=ceilings)
    if not paths:
        return _whole(registry)
    known = {os.path.realpath(entry.path): entry for entry in registry.entries}
    origins = {os.path.realpath(each.folder): each.origin for each in places(root, home)}
    # Given twice, as a file and by its folder, it is checked once.
    files = {os.path.realpath(file): file for path in paths for file in _files(path)}

    def read(file: Path, origin: str) -> tuple[Diagnostic, ...]:
        return read_entry(str(file), origin, profile, ceilings=ceilings).diagnostics

    return tuple(_check(file, real, known, origins, registry, read) for real, file in files.items())


def _whole(registry: Registry) -> tuple[Checked, ...]:
    found: dict[Path, tuple[Diagnostic, ...]] = {
        entry.path: entry.diagnostics for entry in registry.entries
    }
    for each in registry.diagnostics:
        found[each.path] = (*found.get(each.path, ()), each)
    return tuple(found.items())


def _files(path: Path) -> Iterator[Path]:
    try:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        # Reading it as a file says why it cannot be looked into.
        inside = [path]
    if inside == [path]:
        yield path
        return
    yield from (
        each
        for each in inside
        if each.suffix in SUFFIXES and not each.name.startswith(".") and each.is_file()
    )


def _check(
    file: Path,
    real: str,
    known: dict[str, AgentEntry],
    origins: dict[str, str],
    registry: Registry,
    read: Callable[[Path, str], tuple[Diagnostic, ...]],
) -> Checked:
    if real in known:
        return file, known[real].diagnostics
    ours = tuple(each for each in registry.diagnostics if os.path.realpath(each.path) == real)
    if file.name == "aliases.yaml" and file.parent.name == ".codex":
        return file, ours
    if not os.path.lexists(file):
        return file, (remark(str(file), "is not there"),)
    if file.suffix not in SUFFIXES and not file.is_dir():
        message = f"is no agent file: expected one of {', '.join(SUFFIXES)}"
        return file, (remark(str(file), message),)
    origin = origins.get(os.path.dirname(real)) or _origin(file)  # noqa: PTH120 - a real path's text
    return file, read(file, origin)


def _origin(file: Path) -> str:
    """Whose shape a file outside all places has: by suffix, then by the folder's name."""
    if file.name.endswith(".agent.md"):
        return "github"
    if file.suffix == ".md":
        return "cursor" if ".cursor" in file.parts else "claude"
    return "workspace"
