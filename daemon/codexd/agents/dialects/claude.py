"""Claude's agents, and Cursor's, which are written alike: front matter and instructions."""

from __future__ import annotations

import re
from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import common, front
from codexd.agents.mapping import (
    NO_TIER,
    UNHELD,
    WORKSPACE,
    Asks,
    checked,
    command_fault,
    hosts,
    layer_of,
    path_fault,
    tools_of,
)
from codexd.agents.sheet import Sheet
from codexd.agents.toolnames import CLAUDE, WRITING
from codexd.errors import Diagnostic, Severity
from codexd.policy import Approval, Grant

_WITHOUT_EFFECT = {
    "skills": "is not honoured: there are no skills yet",
    "hooks": "is not honoured: nothing that a file brings along is run",
    "memory": "is not honoured: an agent begins each run anew",
    "background": "has no effect: whoever starts a run decides whether to wait for it",
    "is_background": "has no effect: whoever starts a run decides whether to wait for it",
    "color": "has no use here",
}


def read(path: Path, data: bytes, dialect: str, profile: str) -> common.Taken:
    """What the file defines; `dialect` is `claude` or `cursor`."""
    page = front.read(path, data, dialect, needs_front=True)
    if isinstance(page, Diagnostic):
        return page
    return _definition(page, dialect, profile), page.sheet


def _definition(page: front.Page, dialect: str, profile: str) -> AgentDefinition:
    sheet = page.sheet
    name = front.stem(sheet)
    source = sheet.source(("name",))
    asks, servers, mcp_tools = Asks(), list(common.server_names(sheet, "mcpServers")), list[str]()
    _tools(page, profile, asks, servers, mcp_tools)
    _denials(page, asks)
    _mode(sheet, asks)
    if sheet.flag("readonly"):
        asks.write.clear()
        asks.exec.clear()
        _take(asks, (*WRITING, "shell"))
    _remarks(sheet, asks)
    return AgentDefinition(
        name=name,
        source=source,
        dialect=dialect,
        description=sheet.text("description"),
        instructions=page.body,
        tools=tools_of(asks),
        mcp_servers=tuple(dict.fromkeys(servers)),
        mcp_tools=tuple(dict.fromkeys(mcp_tools)),
        policy=layer_of(name, source, asks),
        model=common.model(sheet),
        reasoning_effort=common.reasoning_effort(sheet, "effort"),
        max_turns=common.max_turns(sheet, "maxTurns"),
        extras=common.extras(sheet),
    )


# --- tools ------------------------------------------------------------------------------------


def _tools(
    page: front.Page, profile: str, asks: Asks, servers: list[str], mcp_tools: list[str]
) -> None:
    sheet = page.sheet
    words = front.words(page, "tools")
    if words is None or any(word.value == "*" for word in words):
        common.default_profile(sheet, asks, profile)
        return
    for word in words:
        name, argument = _parts(word.value)
        if name.startswith("mcp__"):
            server, _, tool = name.removeprefix("mcp__").partition("__")
            servers.append(server)
            mcp_tools += [tool] if tool else []
            message = f"MCP servers are not connected yet: `{server}`"
            sheet.remark_on(word, Severity.INFORMATION, message, code="not-honoured")
            continue
        tools = common.foreign(sheet, word, name, CLAUDE, mcp_tools)
        asks.tools += tools
        for tool in tools:
            _argument(sheet, asks, word, tool, argument)


def _parts(word: str) -> tuple[str, str]:
    """`Bash(git diff:*)` as `Bash` and `git diff:*`."""
    name, _, argument = word.partition("(")
    return name.strip(), argument.removesuffix(")").strip()


def _argument(sheet: Sheet, asks: Asks, word: Grant, tool: str, argument: str) -> None:
    """Add to `asks` what `Tool(argument)` grants."""
    whole = argument in ("", "*")
    match tool:
        case "shell":
            _command(sheet, asks, word, "" if whole else argument)
        case "read_file" if not whole:
            asks.read = [*(asks.read or ()), *_path(sheet, word, argument)]
        case "write_file" | "apply_patch" if not whole:
            asks.write += _path(sheet, word, argument)
        case "web_fetch" if not whole:
            host = Grant(argument.removeprefix("domain:"), word.source)
            asks.net += hosts(sheet, [host])
        case _ if not whole:
            message = f"`{word.value}`: `{argument}` limits nothing here"
            sheet.remark_on(word, Severity.WARNING, message, code="not-honoured")
        case _:
            pass


def _path(sheet: Sheet, word: Grant, argument: str) -> list[Grant]:
    return checked(sheet, [Grant(argument, word.source)], path_fault)


def _command(sheet: Sheet, asks: Asks, word: Grant, argument: str) -> None:
    """`Bash` is any program, `Bash(git diff:*)` those words and whatever follows them."""
    if not argument:
        asks.exec.append(Grant("*", word.source))
        sheet.remark_on(word, Severity.INFORMATION, UNHELD, code="no-tier")
        return
    prefix = re.sub(r"(?::\*|\s+\*)$", "", argument)
    grants = [Grant(each.strip(), word.source) for each in prefix.split(", ")]
    asks.exec += checked(sheet, grants, command_fault)
    note = "" if prefix != argument else f"; any arguments may follow `{prefix}`"
    sheet.remark_on(word, Severity.INFORMATION, f"`{prefix}`: {NO_TIER}{note}", code="no-tier")


def _denials(page: front.Page, asks: Asks) -> None:
    """Take `disallowedTools` away; a part of a tool (`Bash(rm:*)`) takes the whole tool."""
    sheet = page.sheet
    for word in front.words(page, "disallowedTools") or ():
        name, argument = _parts(word.value)
        if name.startswith("mcp__"):
            continue
        for tool in common.foreign(sheet, word, name, CLAUDE, []):
            asks.denied[tool] = word.source
            if argument not in ("", "*"):
                message = f"`{tool}` is taken away altogether: a part of it cannot be"
                sheet.remark_on(word, Severity.WARNING, message, code="not-honoured")
    if "shell" in asks.denied:
        asks.exec.clear()


# --- modes and the rest -----------------------------------------------------------------------


def _mode(sheet: Sheet, asks: Asks) -> None:
    """What `permissionMode` makes of what no grant covers."""
    mode = common.choice(sheet, "permissionMode")
    asks.approval = Approval.ON_REQUEST
    here = sheet.source(("permissionMode",))
    match mode:
        case "bypassPermissions":
            common.too_wide(sheet, "permissionMode", mode, "acceptEdits")
        case "acceptEdits" if set(WRITING) & set(asks.tools):
            asks.write.append(Grant(WORKSPACE, here))
        case "plan":
            asks.approval = Approval.NEVER
            asks.write.clear()
            asks.exec.clear()
            _take(asks, (*WRITING, "shell"))
        case "dontAsk":
            asks.approval = Approval.NEVER
        case "auto":
            message = "nothing judges each act here: `auto` is read as `default`"
            sheet.warning(("permissionMode",), message, code="not-honoured")
        case _:
            pass


def _take(asks: Asks, tools: tuple[str, ...]) -> None:
    asks.tools = [tool for tool in asks.tools if tool not in tools]


def _remarks(sheet: Sheet, asks: Asks) -> None:
    for key, message in _WITHOUT_EFFECT.items():
        common.not_honoured(sheet, key, message)
    message = "is not honoured: it works in the workspace itself"
    common.not_honoured(sheet, "isolation", message, warn=True)
    writing = [tool for tool in dict.fromkeys(asks.tools) if tool in WRITING]
    if writing and not asks.write:
        tools = " and ".join(f"`{tool}`" for tool in writing)
        message = (
            f"{tools}: each write would need your approval, and there is no way to ask yet, so it "
            "is refused; `permissionMode: acceptEdits` grants the workspace"
        )
        sheet.warning(("tools",), message, code="not-granted")
    if "web_fetch" in asks.tools and not asks.net:
        message = (
            "`web_fetch`: each host would need your approval, and there is no way to ask yet, so "
            "it is refused; `WebFetch(domain:docs.python.org)` grants one"
        )
        sheet.warning(("tools",), message, code="not-granted")
