"""Codex's custom agents: TOML with `name`, `description` and `developer_instructions`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from codexd.agents import yaml
from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import common
from codexd.agents.mapping import UNHELD, WORKSPACE, Asks, layer_of, tools_of
from codexd.agents.sheet import Sheet
from codexd.agents.toolnames import READING, WRITING
from codexd.config.positions import TomlFault, parse_toml_spans
from codexd.policy import Grant


def read(path: Path, data: bytes, profile: str) -> common.Taken:
    """What the TOML file defines."""
    try:
        value, keys, values = parse_toml_spans(yaml.decode(data))
    except yaml.YamlFault as fault:
        return common.fault(path, fault.message, fault.place)
    except TomlFault as fault:
        span = (fault.line, fault.column, fault.line, fault.column + 1)
        return common.fault(path, str(fault), span)
    sheet = Sheet(path, value, keys, values, "toml")
    return _definition(sheet, profile), sheet


def _definition(sheet: Sheet, profile: str) -> AgentDefinition:
    name = common.name(sheet, "name = ")
    source = sheet.source(("name",))
    texts: dict[str, str] = {}
    for key in ("description", "developer_instructions"):
        texts[key] = sheet.text(key)
        if sheet.value.get(key) in (None, ""):
            sheet.error((key,), f"`{key}` is needed, and is not there", code="missing-key")
    asks = _asks(sheet, profile)
    _remarks(sheet)
    return AgentDefinition(
        name=name,
        source=source,
        dialect="toml",
        description=texts["description"],
        instructions=texts["developer_instructions"],
        tools=tools_of(asks),
        mcp_servers=common.server_names(sheet, "mcp_servers"),
        policy=layer_of(name, source, asks),
        model=common.model(sheet),
        reasoning_effort=common.reasoning_effort(sheet, "model_reasoning_effort"),
        extras={key: _plain(value) for key, value in common.extras(sheet).items()},
    )


def _asks(sheet: Sheet, profile: str) -> Asks:
    """What `sandbox_mode` and `web_search` ask for. A file of Codex's has no list of tools."""
    asks = Asks()
    mode = common.choice(sheet, "sandbox_mode")
    here = sheet.source(("sandbox_mode",))
    if mode == "danger-full-access":
        common.too_wide(sheet, "sandbox_mode", mode, "workspace-write")
    elif mode:
        asks.tools += (*READING, "shell")
        asks.read = [Grant(WORKSPACE, here)]
        asks.exec = [Grant("*", here)]
        if mode == "workspace-write":
            asks.tools += WRITING
            asks.write = [Grant(WORKSPACE, here)]
        common.no_tier(sheet, ("sandbox_mode",), UNHELD)
    else:
        common.default_profile(sheet, asks, profile, "sandbox_mode")
    search = sheet.get(("web_search",))
    if search is True or (not isinstance(search, bool) and _searches(sheet)):
        asks.tools.append("web_search")
    return asks


def _searches(sheet: Sheet) -> bool:
    return common.choice(sheet, "web_search") in ("cached", "live")


def _remarks(sheet: Sheet) -> None:
    sheet.texts("nickname_candidates")
    common.not_honoured(sheet, "nickname_candidates", "has no use here: a run goes by its agent")
    common.not_honoured(sheet, "skills", "is not honoured: there are no skills yet")


def _plain(value: object) -> Any:
    """`value` with texts for dates and times, which JSON has not."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    return value if isinstance(value, (str, int, float, bool)) else str(value)
