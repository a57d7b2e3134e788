"""VS Code's `.agent.md`: front matter and instructions."""

from __future__ import annotations

from pathlib import Path

from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import common, front
from codexd.agents.mapping import UNHELD, WORKSPACE, Asks, layer_of, tools_of
from codexd.agents.sheet import Sheet
from codexd.agents.toolnames import VSCODE, WRITING
from codexd.errors import Diagnostic, Severity
from codexd.policy import Approval, Grant

_WITHOUT_EFFECT = {
    "argument-hint": "has no use here",
    "user-invocable": "has no effect: every agent can be started by name",
    "disable-model-invocation": "has no effect: an agent that may delegate may start this one",
    "handoffs": "has no effect: there are no handoffs; an agent may delegate",
    "hooks": "is not honoured: nothing that a file brings along is run",
    "target": "has no effect: this is neither VS Code nor Copilot",
}


def read(path: Path, data: bytes, profile: str) -> common.Taken:
    """What the file defines."""
    page = front.read(path, data, "vscode", needs_front=False)
    if isinstance(page, Diagnostic):
        return page
    return _definition(page, profile), page.sheet


def _definition(page: front.Page, profile: str) -> AgentDefinition:
    sheet = page.sheet
    name = front.stem(sheet)
    source = sheet.source(("name",))
    asks = Asks(approval=Approval.ON_REQUEST)
    servers, mcp_tools = list(common.server_names(sheet, "mcp-servers")), list[str]()
    _tools(page, profile, asks, servers, mcp_tools)
    _agents(page, asks)
    for key, message in _WITHOUT_EFFECT.items():
        common.not_honoured(sheet, key, message)
    return AgentDefinition(
        name=name,
        source=source,
        dialect="vscode",
        description=sheet.text("description"),
        instructions=page.body,
        tools=tools_of(asks),
        mcp_servers=tuple(dict.fromkeys(servers)),
        mcp_tools=tuple(dict.fromkeys(mcp_tools)),
        policy=layer_of(name, source, asks),
        model=_model(sheet),
        extras=common.extras(sheet),
    )


def _tools(
    page: front.Page, profile: str, asks: Asks, servers: list[str], mcp_tools: list[str]
) -> None:
    """VS Code lets an editing tool write in the workspace, and asks before programs and hosts."""
    sheet = page.sheet
    words = front.words(page, "tools")
    if words is None or any(word.value == "*" for word in words):
        common.default_profile(sheet, asks, profile)
        return
    for word in words:
        server, _, tool = word.value.rpartition("/")
        if server.lower() in VSCODE:
            # `search/codebase` is one of its own; so is `edit/*`, which is all of `edit`.
            server, tool = "", server if tool == "*" else tool
        if server:
            servers.append(server)
            mcp_tools += [] if tool == "*" else [tool]
            message = f"MCP servers are not connected yet: `{server}`"
            sheet.remark_on(word, Severity.INFORMATION, message, code="not-honoured")
            continue
        tools = common.foreign(sheet, word, tool, VSCODE, mcp_tools)
        asks.tools += tools
        if set(WRITING) & set(tools) and not asks.write:
            asks.write.append(Grant(WORKSPACE, word.source))
        if "shell" in tools and not asks.exec:
            asks.exec.append(Grant("*", word.source))
            sheet.remark_on(word, Severity.INFORMATION, UNHELD, code="no-tier")
        if "web_fetch" in tools:
            message = (
                "each host would need your approval, and there is no way to ask yet, so it is "
                "refused; `net.allow` in a YAML file grants hosts"
            )
            sheet.remark_on(word, Severity.WARNING, message, code="not-granted")


def _agents(page: front.Page, asks: Asks) -> None:
    """`agents: []` is: delegates to none. A list of some cannot be held yet."""
    agents = front.words(page, "agents")
    if agents is None or any(agent.value == "*" for agent in agents):
        return
    if not agents:
        asks.denied["delegate"] = page.sheet.source(("agents",))
        return
    message = "`agents` is not held yet: it may delegate to any agent, within its own rights"
    common.not_honoured(page.sheet, "agents", message.removeprefix("`agents` "), warn=True)


def _model(sheet: Sheet) -> str | None:
    """The first of the models named."""
    if not isinstance(sheet.value.get("model"), list):
        return common.model(sheet)
    models = common.values(sheet.texts("model"))
    if len(models) > 1:
        sheet.information(("model",), f"the first is taken: `{models[0]}`", code="not-honoured")
    return models[0] if models else None
