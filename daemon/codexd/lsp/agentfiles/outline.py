"""Where the keys and values of an agent file stand, also while a line of it makes no sense."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, cast

from codexd.agents import yaml
from codexd.agents.sheet import KeyPath, Span
from codexd.config.positions import TomlFault, parse_toml_spans
from codexd.lsp.agentfiles.facts import Facts, dialect_in
from codexd.lsp.buffers import Buffer

MAX_REPAIRS = 6
"""Lines that are read over before a text is given up."""

_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)(?:^---[ \t]*\r?$|\Z)", re.DOTALL | re.MULTILINE)
_BARE = re.compile(r"\s*[\w-]+\s*")

Parsed: TypeAlias = tuple[dict[str, Any], Mapping[KeyPath, Span], Mapping[KeyPath, Span]]
"""The values, where each key stands, where each value stands."""


@dataclass(frozen=True)
class Outline:
    """An agent file's keys and values, each with its place."""

    dialect: str
    value: dict[str, Any] = field(default_factory=dict[str, Any])
    keys: Mapping[KeyPath, Span] = field(default_factory=dict[KeyPath, Span])
    values: Mapping[KeyPath, Span] = field(default_factory=dict[KeyPath, Span])

    @property
    def name(self) -> str:
        """The agent's name, as written; empty where there is none."""
        name = self.value.get("name")
        return name if isinstance(name, str) else ""

    @property
    def name_span(self) -> Span:
        """Where the name stands; where there is none, the file's first place."""
        if not self.name:
            return (1, 1, 1, 1)
        return self.values.get(("name",)) or self.keys[("name",)]

    def path_at(self, line: int, column: int) -> tuple[KeyPath, bool]:
        """The key at that place, or the innermost whose value holds it; and whether the place is
        on the key itself. An empty path: neither.
        """
        point = line, column
        for path, span in self.keys.items():
            if isinstance(path[-1], str) and span[:2] <= point <= span[2:]:
                return path, True
        holding = [path for path, span in self.values.items() if span[:2] <= point <= span[2:]]
        return max(holding, key=len, default=()), False

    def at(self, path: KeyPath) -> Any:
        """The value at `path`; `None` where there is none."""
        value: Any = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def outline_of(buffer: Buffer, facts: Facts) -> Outline:
    """The outline of the text; an empty one where nothing of it can be read."""
    return outline(buffer.text, dialect_in(buffer.path, facts))


@lru_cache(maxsize=4)  # what is asked of one text in turn; a large one is tens of megabytes
def outline(text: str, dialect: str) -> Outline:
    """The outline of a text in that dialect."""
    match dialect:
        case "":
            return Outline(dialect)
        case "toml":
            return Outline(dialect, *_toml(text))
        case "yaml" | "aliases":
            return Outline(dialect, *_yaml(text, 1))
        case _:
            front = _FRONT.match(text)
            return Outline(dialect, *_yaml(front[1], 2)) if front else Outline(dialect)


def body_line(text: str) -> int:
    """The first line of a Markdown file that belongs to the body; 0 where there is no body."""
    front = _FRONT.match(text)
    if front is None:
        return 1
    return front[0].count("\n") + 2 if front[0].rstrip().endswith("---") else 0


def _yaml(text: str, first_line: int) -> Parsed:
    lines = text.split("\n")
    for _ in range(MAX_REPAIRS):
        try:
            found = yaml.parse("\n".join(lines), first_line=first_line)
        except yaml.YamlFault as fault:
            if not _blank(lines, fault.place.line - first_line):
                break
            continue
        if isinstance(found.value, dict):
            return cast("dict[str, Any]", found.value), found.keys, found.values
        break
    return {}, {}, {}


def _toml(text: str) -> Parsed:
    lines = text.split("\n")
    for _ in range(MAX_REPAIRS):
        try:
            return parse_toml_spans("\n".join(lines))
        except TomlFault as fault:
            if not _blank(lines, fault.line - 1):
                break
    return {}, {}, {}


def _blank(lines: list[str], n: int) -> bool:
    """Empty the line that a parser stumbled over; `False` where there is none."""
    n = min(n, len(lines) - 1)
    while n >= 0 and not lines[n].strip():
        n -= 1
    if n < 0:
        return False
    above = next((k for k in range(n - 1, -1, -1) if lines[k].strip()), n)
    # A key whose colon has not been typed is noticed a line later.
    n = above if _BARE.fullmatch(lines[above]) and not _BARE.fullmatch(lines[n]) else n
    lines[n] = ""
    return True
