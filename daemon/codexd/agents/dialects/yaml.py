"""Our YAML: the runtime shape, the list shape and the flat shape of agent files, mixable.

The runtime shape has `tools.mcp/fs/net/shell` and `policies`; the list shape has `tools: [{type:
mcp, server: …}]`, `instructions` and `resource_limits`; the flat one has `tools: [name, …]`,
`system_prompt` and `termination_conditions`. Whatever else an author writes is told to the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from codexd.agents import yaml
from codexd.agents.definition import AgentDefinition, Retention
from codexd.agents.dialects import common
from codexd.agents.mapping import (
    NO_TIER,
    UNHELD,
    WIDE,
    WORKSPACE,
    Asks,
    add_needed,
    bound,
    bound_programs,
    checked,
    command_fault,
    hosts,
    layer_of,
    path_fault,
    tools_of,
)
from codexd.agents.sheet import KeyPath, Sheet
from codexd.agents.toolnames import WRITING
from codexd.errors import Severity, Source
from codexd.policy import Grant


def read(path: Path, data: bytes) -> common.Taken:
    """What the YAML file defines."""
    try:
        document = yaml.parse(yaml.decode(data))
    except yaml.YamlFault as fault:
        return common.fault(path, fault.message, fault.place)
    if not isinstance(document.value, dict):
        place = document.values.get((), yaml.START)
        return common.fault(path, "an agent file is keys and values: `name: …`", place)
    sheet = Sheet(
        path, cast("dict[str, Any]", document.value), document.keys, document.values, "yaml"
    )
    return _definition(sheet), sheet


def _definition(sheet: Sheet) -> AgentDefinition:
    top = sheet.value
    extras = _extras(sheet)
    name = common.name(sheet)
    source = sheet.source(("name",))
    asks, servers, mcp_tools = Asks(), list[str](), list[str]()
    if isinstance(top.get("tools"), list):
        _tools_at(sheet, ("tools",), asks, servers, mcp_tools)
    elif "tools" in top:
        _runtime(sheet, asks, servers, mcp_tools)
    if "policies" in top:
        _policies(sheet, asks)
    if "artifacts" in top:
        asks.artifacts = common.artifacts(sheet)
    bound(sheet, asks)
    bound_programs(sheet, asks)
    _remark_on_grants(sheet, asks)
    add_needed(asks)
    max_tokens, said_at = _budget(sheet)
    return AgentDefinition(
        name=name,
        source=source,
        dialect="yaml",
        description=sheet.text("description"),
        goal=sheet.text("goal"),
        instructions=common.joined(sheet.text("instructions"), sheet.text("system_prompt")),
        tools=tools_of(asks),
        mcp_servers=tuple(dict.fromkeys(servers)),
        mcp_tools=tuple(dict.fromkeys(mcp_tools)),
        policy=layer_of(name, source, asks),
        max_tokens=max_tokens,
        max_tokens_source=said_at,
        retention=_retention(sheet),
        redact=_redact(sheet),
        success_criteria=common.values(sheet.texts("success_criteria")),
        artifacts=common.values(asks.artifacts),
        model=common.model(sheet),
        temperature=sheet.number("temperature", least=0, most=2),
        reasoning_effort=common.reasoning_effort(sheet, "reasoning_effort"),
        max_parallel_tasks=sheet.whole("resource_limits", "max_parallel_tasks"),
        timeout_seconds=_deadline(sheet, extras),
        max_turns=common.max_turns(sheet, "max_turns"),
        capabilities=common.values(sheet.texts("capabilities")),
        version=common.version(sheet),
        extras=extras,
    )


def _extras(sheet: Sheet) -> dict[str, Any]:
    """What is near to nothing known: settings of the author's own. Remarks on every other key."""
    for at in _BLOCKS:
        if at[0] in sheet.value:
            sheet.only(*at)
    return common.extras(sheet)


_BLOCKS = (
    ("resource_limits",),
    ("policies",),
    ("policies", "context"),
    ("policies", "secrets"),
    ("policies", "permissions"),
    ("policies", "net"),
    ("policies", "shell"),
    ("tools",),
    ("tools", "fs"),
    ("tools", "net"),
    ("tools", "shell"),
)
"""Where keys and values stand that are no items of a list."""


# --- tools ------------------------------------------------------------------------------------


def _tools_at(
    sheet: Sheet, where: KeyPath, asks: Asks, servers: list[str], mcp_tools: list[str]
) -> None:
    """`[name, …, {type: mcp, server: …}]`."""
    for n, item in enumerate(sheet.items(*where) or ()):
        at: KeyPath = (*where, n)
        if isinstance(item, dict):
            _described(sheet, at, cast("dict[str, Any]", item), asks, servers, mcp_tools)
        elif isinstance(item, str) and item.strip():
            common.tool(sheet, at, item.strip(), asks, mcp_tools)
            # In the flat shape `bash` is the whole permission, as Claude's `Bash` is.
            if where == ("tools",) and asks.tools[-1:] == ["shell"] and not asks.exec:
                asks.exec.append(Grant("*", sheet.source(at)))
        else:
            sheet.error(at, "a tool's name, or `type: mcp` and `server: …`, was expected")


def _described(
    sheet: Sheet,
    at: KeyPath,
    item: dict[str, Any],
    asks: Asks,
    servers: list[str],
    mcp_tools: list[str],
) -> None:
    sheet.only(*at)
    if item.get("type") == "mcp":
        server = sheet.text(*at, "server").strip()
        if server:
            servers.append(server)
            common.mcp_server(sheet, (*at, "server"), server)
        elif isinstance(item.get("server"), str | None):
            sheet.error(at, "`type: mcp` needs `server`: the name of an MCP server")
    elif item.get("name") is not None:
        name = sheet.text(*at, "name").strip()
        if name:
            common.tool(sheet, (*at, "name"), name, asks, mcp_tools)
    else:
        where = (*at, "type") if "type" in item else at
        sheet.error(where, "`type: mcp` with `server`, or `name` with a tool's name, was expected")


def _runtime(sheet: Sheet, asks: Asks, servers: list[str], mcp_tools: list[str]) -> None:
    """`tools: {mcp: […], fs: …, net: …, shell: …}`."""
    tools = sheet.mapping("tools")
    _tools_at(sheet, ("tools", "mcp"), asks, servers, mcp_tools)
    for n, item in enumerate(sheet.texts("tools", "mcp_servers") or ()):
        servers.append(item.value)
        common.mcp_server(sheet, ("tools", "mcp_servers", n), item.value)
    if "fs" in tools:
        _files(sheet, asks)
    _net(sheet, asks, "tools")
    _shell(sheet, asks, "tools")


def _files(sheet: Sheet, asks: Asks) -> None:
    fs = sheet.mapping("tools", "fs")
    match fs.get("read"):
        case None:
            pass
        case list():
            texts = sheet.texts("tools", "fs", "read")
            asks.read = checked(sheet, texts, path_fault)
        case _:
            flag = sheet.flag("tools", "fs", "read")
            source = sheet.source(("tools", "fs", "read"))
            asks.read = [Grant(WORKSPACE, source)] if flag else []
    if isinstance(fs.get("write"), bool):
        if fs["write"]:
            message = "a list of paths was expected, not `true`; `[./]` is the whole workspace"
            sheet.error(("tools", "fs", "write"), message)
        return
    asks.write = checked(sheet, sheet.texts("tools", "fs", "write"), path_fault)


def _net(sheet: Sheet, asks: Asks, block: str) -> None:
    """`net: {allow: […]}`, or the list itself; `[]` and `false` are none."""
    at: tuple[str, ...] = (block, "net")
    value = sheet.get(at)
    if isinstance(value, list):
        asks.net += hosts(sheet, sheet.texts(*at))
    elif value not in (None, False) and sheet.mapping(*at):
        asks.net += hosts(sheet, sheet.texts(*at, "allow"))
        asks.net_sub += hosts(sheet, sheet.texts(*at, "subprocess"))


def _shell(sheet: Sheet, asks: Asks, block: str) -> None:
    """`shell: {exec: […]}`, or the list itself; `[]` and `false` are none."""
    at: tuple[str, ...] = (block, "shell")
    value = sheet.get(at)
    if isinstance(value, list):
        asks.exec += checked(sheet, sheet.texts(*at), command_fault)
    elif value not in (None, False) and sheet.mapping(*at):
        asks.exec += checked(sheet, sheet.texts(*at, "exec"), command_fault)


# --- policies ---------------------------------------------------------------------------------


def _policies(sheet: Sheet, asks: Asks) -> None:
    policies = sheet.mapping("policies")
    _net(sheet, asks, "policies")
    _shell(sheet, asks, "policies")
    if policies.get("permissions") is not None:
        sheet.mapping("policies", "permissions")
        at = ("policies", "permissions", "filesystem")
        if sheet.get(at) is not None:
            asks.filesystem = checked(sheet, sheet.texts(*at), path_fault)
        at = ("policies", "permissions", "network")
        if sheet.get(at) is not None:
            asks.network = hosts(sheet, sheet.texts(*at))


def _remark_on_grants(sheet: Sheet, asks: Asks) -> None:
    if asks.exec:
        programs = ", ".join(f"`{grant.value}`" for grant in asks.exec)
        wide = any(grant.value in WIDE for grant in asks.exec)
        message = UNHELD if wide else f"{programs}: {NO_TIER}"
        sheet.remark_on(asks.exec[0], Severity.INFORMATION, message, code="no-tier")
    writing = [tool for tool in asks.tools if tool in WRITING]
    if writing and not asks.write and not asks.artifacts:
        message = f"`{writing[0]}` may write nowhere: no path is granted in `tools.fs.write`"
        sheet.warning(("tools",), message, code="not-granted")


def _budget(sheet: Sheet) -> tuple[int | None, Source | None]:
    """The smaller of the two places that may limit tokens, and where it stands."""
    places: tuple[KeyPath, ...] = (("policies", "context", "max_tokens"), ("max_tokens",))
    said = [(limit, at) for at in places if (limit := sheet.whole(*at)) is not None]
    if not said:
        return None, None
    limit, at = min(said)
    if len(said) == 2:
        message = f"`max_tokens` stands twice; the smaller holds: {limit:,}"
        sheet.warning(max(said)[1], message, code="stands-twice")
    return limit, sheet.source(at)


def _retention(sheet: Sheet) -> Retention:
    sheet.mapping("policies", "context")
    said = common.choice(sheet, "policies", "context", "retention")
    return Retention(said) if said else Retention.PERMANENT


def _redact(sheet: Sheet) -> bool:
    sheet.mapping("policies", "secrets")
    redact = sheet.flag("policies", "secrets", "redact")
    if redact is False:
        message = (
            "no effect: secrets are redacted before the model reads them, so its report has none "
            "to show; journal and logs stay redacted too"
        )
        sheet.information(("policies", "secrets", "redact"), message, code="redact-false")
    return redact is not False


def _deadline(sheet: Sheet, extras: dict[str, Any]) -> float | None:
    """The shortest of the limits of time; conditions of other kinds go to `extras`."""
    sheet.mapping("resource_limits")
    lengths = [sheet.number("resource_limits", "timeout_seconds", above=0)]
    others: list[Any] = []
    for n, item in enumerate(sheet.items("termination_conditions") or ()):
        at: KeyPath = ("termination_conditions", n)
        kind = sheet.text(*at, "type") if isinstance(item, dict) else ""
        if kind != "timeout":
            others.append(item)
            message = "told to the model; a run ends when its agent says that it is done"
            sheet.information(at, message, code="told-to-model")
            continue
        sheet.only(*at)
        minutes = sheet.number(*at, "duration_minutes", above=0)
        lengths += (minutes and minutes * 60, sheet.number(*at, "duration_seconds", above=0))
        if not {"duration_minutes", "duration_seconds"} & set(cast("dict[str, Any]", item)):
            sheet.error(at, "a timeout needs `duration_minutes` or `duration_seconds`")
    if others:
        extras["termination_conditions"] = others
    if sheet.get(("context_size",)) is not None:
        message = "has no effect: a context is compacted when it outgrows the model's window"
        sheet.information(("context_size",), f"`context_size` {message}", code="not-honoured")
    return min((length for length in lengths if length is not None), default=None)
