"""From an agent's name in one file to the file that defines it."""

from __future__ import annotations

import re

from lsprotocol import types

from codexd.agents.registry import AgentEntry
from codexd.agents.sheet import KeyPath
from codexd.errors import CodexdError
from codexd.lsp.agentfiles.facts import ALIASES, MARKDOWN, Facts
from codexd.lsp.agentfiles.outline import Outline, body_line, outline_of
from codexd.lsp.buffers import Buffer

_NAMED = re.compile(r"@[\w-]+|`@?([\w -]+)`")
_PROSE = ("goal", "instructions", "system_prompt", "developer_instructions", "description")


def definition(buffer: Buffer, position: types.Position, facts: Facts) -> types.Location | None:
    """Where the agent named at `position` has its name: in aliases, in the lists of a dialect that
    names agents, as `@name` or in backticks in what a model is told.
    """
    line, column = buffer.point(position)
    outline = outline_of(buffer, facts)
    if not outline.dialect:
        return None
    path, is_key = outline.path_at(line, column)
    name = ""
    if not is_key and _names_an_agent(outline, path):
        value = outline.at(path)
        name = value if isinstance(value, str) else ""
    elif not is_key and (_is_prose(path) or _in_body(buffer, outline, line)):
        name = _word(buffer, line, column)
    return _place(name, facts) if name else None


def _is_prose(path: KeyPath) -> bool:
    return bool(path) and path[0] in _PROSE


def _in_body(buffer: Buffer, outline: Outline, line: int) -> bool:
    return outline.dialect in MARKDOWN and 0 < body_line(buffer.text) <= line


def _names_an_agent(outline: Outline, path: KeyPath) -> bool:
    if outline.dialect == ALIASES:
        return len(path) == 2
    pattern = tuple("*" if isinstance(step, int) else step for step in path)
    return outline.dialect == "vscode" and pattern in (("agents", "*"), ("handoffs", "*", "agent"))


def _word(buffer: Buffer, line: int, column: int) -> str:
    for found in _NAMED.finditer(buffer.lines[line - 1]):
        if found.start() < column <= found.end() + 1:
            return found[1] or found[0].removeprefix("@")
    return ""


def _place(name: str, facts: Facts) -> types.Location | None:
    entry = _entry(name, facts)
    if entry is None:
        return None
    source = entry.definition.source if entry.definition else None
    # Before and in the key `name` there is nothing whose units clients count differently.
    line, column = (source.line - 1, source.column - 1) if source else (0, 0)
    end = column + len("name") if source else 0
    where = types.Range(types.Position(line, column), types.Position(line, end))
    return types.Location(uri=entry.path.as_uri(), range=where)


def _entry(name: str, facts: Facts) -> AgentEntry | None:
    for one in (name, f"@{name}"):
        try:
            found = facts.registry.find(one)
        except CodexdError:
            continue
        return next((each for each in facts.registry.entries if each.definition == found), None)
    return None
