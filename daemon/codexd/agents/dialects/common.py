"""What the dialects share: names, models, tools, and the remarks on what cannot be honoured."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from codexd.agents.definition import AgentDefinition
from codexd.agents.keys import key_at
from codexd.agents.mapping import WORKSPACE, Asks, checked, path_fault
from codexd.agents.sheet import KeyPath, Sheet, Span, nearest
from codexd.agents.toolnames import ALIASES, BUILT_IN, READING, WRITING, canonical
from codexd.errors import Diagnostic, Severity
from codexd.policy import Grant
from codexd.policy.paths import normal

Taken: TypeAlias = tuple[AgentDefinition, Sheet] | Diagnostic
"""What a dialect makes of a file: the definition and the sheet with its remarks, or the one error
for which it cannot be read at all."""


def fault(path: Path, message: str, span: Span) -> Diagnostic:
    """The one error of a file that cannot be read at all."""
    return Diagnostic(path, *span, Severity.ERROR, message, code="syntax")


def name(sheet: Sheet, how: str = "name: ") -> str:
    """The agent's name, which must be there and give a slug."""
    found = sheet.text("name").strip()
    if not found:
        if isinstance(sheet.get(("name",)), str | None):
            message = f"an agent needs a name: `{how}code-reviewer`"
            sheet.error(("name",), message, code="no-name")
    elif not any(map(str.isalnum, found)) or not found.isprintable():
        sheet.error(("name",), "a name needs a letter or digit, and nothing that does not print")
    elif len(found) > MAX_NAME:
        sheet.error(("name",), f"a name has at most {MAX_NAME} characters, not {len(found):,}")
    elif len(scripts := _alike(found)) > 1:
        message = f"the name mixes letters of {' and '.join(scripts)} that look alike: `{found}`"
        sheet.warning(("name",), message, code="look-alike")
    return found


MAX_NAME = 100


def _alike(name: str) -> list[str]:
    """Those scripts of the name's letters whose letters can be taken for one another's."""
    first = {unicodedata.name(char, "").partition(" ")[0] for char in name if char.isalpha()}
    return sorted(one.title() for one in first & _LOOK_ALIKE)


_LOOK_ALIKE = {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE"}


def model(sheet: Sheet) -> str | None:
    """The model asked for; `default` and `inherit` are the configuration's."""
    found = sheet.text("model").strip()
    return None if found in ("", "default", "inherit") else found


def version(sheet: Sheet) -> str:
    """The version as text; `version: 1.0` is meant as one."""
    value = sheet.get(("version",))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return sheet.text("version")


def reasoning_effort(sheet: Sheet, key: str) -> str | None:
    """The effort asked for."""
    return choice(sheet, key) or None


def choice(sheet: Sheet, *at: str) -> str:
    """The word at `at`, one of those that the table of keys has; empty where there is none."""
    key = key_at(sheet.dialect, at)
    assert key is not None
    return sheet.choice(key.values, *at)


def max_turns(sheet: Sheet, key: str) -> int | None:
    """The number of turns that the author allows."""
    return sheet.whole(key, least=1)


def extras(sheet: Sheet) -> dict[str, Any]:
    """The keys that no table has, which are told to the model; each gets a remark."""
    found = {key: sheet.value[key] for key in sheet.unknown()}
    for key in found:
        message = f"`{key}` is told to the model as a setting; it grants and limits nothing"
        span = sheet.keys.get((key,))
        sheet.remark(Severity.INFORMATION, (key,), message, code="told-to-model", span=span)
    return found


def not_honoured(sheet: Sheet, key: str, message: str, *, warn: bool = False) -> None:
    """Remark on `key`, where it is there, that it has no effect (yet)."""
    if sheet.value.get(key) is not None:
        severity = Severity.WARNING if warn else Severity.INFORMATION
        text = f"`{key}` {message}"
        sheet.remark(severity, (key,), text, code="not-honoured", span=sheet.keys.get((key,)))


def no_tier(sheet: Sheet, at: KeyPath, message: str) -> None:
    """Remark that programs are not started, where they are granted."""
    sheet.information(at, message, code="no-tier")


def too_wide(sheet: Sheet, key: str, word: str, instead: str) -> None:
    """Refuse the file: it asks for everything."""
    message = (
        f"`{word}` is refused unless your own ceiling allows it, and there is no way to say so "
        f"yet; `{instead}` is the widest that loads"
    )
    sheet.error((key,), message, code="too-wide")


def tool(sheet: Sheet, at: KeyPath, word: str, asks: Asks, mcp_tools: list[str]) -> None:
    """Add the tool that `word` at `at` names to `asks`, else to `mcp_tools` with a remark."""
    known = canonical(word)
    if known is not None:
        asks.tools.append(known)
        sheet.tool_words.setdefault(known, Grant(word, sheet.source(at)))
        return
    mcp_tools.append(word)
    message = f"no built-in tool `{word}`; an MCP server may offer it"
    near = nearest(word, (*BUILT_IN, *ALIASES))
    sheet.warning(at, message, nearest=near, code="unknown-tool")


def foreign(
    sheet: Sheet, word: Grant, name: str, table: Mapping[str, tuple[str, ...]], mcp_tools: list[str]
) -> tuple[str, ...]:
    """The built-in tools that serve for another product's `name`; none, with a remark, where none
    does. `table` has that product's names; ours are taken as well.
    """
    known = canonical(name)
    tools = table.get(name.lower(), (known,) if known is not None else None)
    if tools:
        for tool in tools:
            sheet.tool_words.setdefault(tool, word)
        return tools
    if tools is not None:
        message = f"`{name}` has no counterpart here"
        sheet.remark_on(word, Severity.WARNING, message, code="unknown-tool")
        return ()
    mcp_tools.append(name)
    message = f"no built-in tool `{name}`; an MCP server may offer it"
    near = nearest(name, (*table, *BUILT_IN))
    sheet.remark_on(word, Severity.WARNING, message, nearest=near, code="unknown-tool")
    return ()


def mcp_server(sheet: Sheet, at: KeyPath, server: str) -> None:
    """Remark that the server is kept and not connected."""
    sheet.information(at, f"MCP servers are not connected yet: `{server}`", code="not-honoured")


def server_names(sheet: Sheet, key: str) -> tuple[str, ...]:
    """The names of the MCP servers at `key`: a mapping by name, or a list of names and mappings."""
    value: object = sheet.value.get(key)
    found: dict[str, KeyPath] = {}
    if isinstance(value, list):
        for n, item in enumerate(cast("list[object]", value)):
            if isinstance(item, dict):
                names = cast("dict[str, object]", item)
                found.update((each, (key, n, each)) for each in names)
            elif isinstance(item, str):
                found[item] = (key, n)
            else:
                sheet.error((key, n), "the name of an MCP server was expected")
    else:
        found.update((each, (key, each)) for each in sheet.mapping(key))
    for server, at in found.items():
        span = sheet.keys.get(at)
        message = f"MCP servers are not connected yet: `{server}`"
        sheet.remark(Severity.INFORMATION, at, message, code="not-honoured", span=span)
    return tuple(found)


def artifacts(sheet: Sheet) -> tuple[Grant, ...]:
    """The declared artifacts: exactly these paths and patterns may be written."""
    grants = checked(sheet, sheet.texts("artifacts"), _artifact_fault)
    return tuple(Grant(grant.value.removeprefix("./"), grant.source) for grant in grants)


def _artifact_fault(value: str) -> str:
    found = path_fault(value)
    if not found and (value.endswith("/") or normal(value) == "."):
        return f"`{value}` is a folder; an artifact is a file or a pattern: `artifacts/*.md`"
    return found


def values(grants: Iterable[Grant] | None) -> tuple[str, ...]:
    """The texts alone."""
    return tuple(grant.value for grant in grants or ())


def joined(*texts: str) -> str:
    """Paragraphs, empty ones left out."""
    return "\n\n".join(text for text in texts if text)


READ_ONLY = "read-only"
"""The `default_profile` where none is configured; the other is `workspace-write`."""


def default_profile(sheet: Sheet, asks: Asks, profile: str, key: str = "tools") -> None:
    """Give an agent without a list of tools those of `profile`, and say so."""
    here = sheet.source(("name",))
    asks.tools += READING
    asks.read = [Grant(WORKSPACE, here)]
    message = f"no `{key}`: it gets the tools that read, and none that write, run or reach out"
    if profile != READ_ONLY:
        asks.tools += WRITING
        asks.write = [Grant(WORKSPACE, here)]
        message = (
            f"no `{key}`: it gets the tools that read and write the workspace, as your "
            "`default_profile` says, and none that run or reach out"
        )
    sheet.information(("name",), message, code="default-profile")
