"""What the dialects share: names, models, tools, and the remarks on what cannot be honoured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codexd.agents.mapping import Asks, path_fault
from codexd.agents.sheet import KeyPath, Sheet, Span, nearest
from codexd.agents.toolnames import ALIASES, BUILT_IN, canonical
from codexd.errors import Diagnostic, Severity
from codexd.policy import Grant
from codexd.policy.paths import normal

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def fault(path: Path, message: str, span: Span) -> Diagnostic:
    """The one error of a file that cannot be read at all."""
    return Diagnostic(path, *span, Severity.ERROR, message, code="syntax")


def name(sheet: Sheet) -> str:
    """The agent's name, which must be there and give a slug."""
    found = sheet.text("name")
    if not found:
        if sheet.get(("name",)) in (None, ""):
            message = "an agent needs a name: `name: code-reviewer`"
            sheet.error(("name",), message, code="no-name")
    elif not any(map(str.isalnum, found)) or not found.isprintable():
        sheet.error(("name",), "a name needs a letter or digit, and nothing that does not print")
    return found


def model(sheet: Sheet) -> str | None:
    """The model asked for; `default` and `inherit` are the configuration's."""
    found = sheet.text("model")
    return None if found in ("", "default", "inherit") else found


def version(sheet: Sheet) -> str:
    """The version as text; `version: 1.0` is meant as one."""
    value = sheet.get(("version",))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return sheet.text("version")


def reasoning_effort(sheet: Sheet, key: str) -> str | None:
    """The effort asked for."""
    return sheet.choice(EFFORTS, key) or None


def max_turns(sheet: Sheet, key: str) -> int | None:
    """The number of turns that the author allows."""
    turns = sheet.whole(key, least=1)
    if turns is not None:
        message = f"`{key}` is not held yet; the budget in tokens and the deadline are"
        sheet.warning((key,), message, code="not-honoured")
    return turns


def extra(sheet: Sheet, key: str) -> None:
    """Remark that `key` is none of ours."""
    message = f"`{key}` is told to the model as a setting; it grants nothing"
    span = sheet.keys.get((key,))
    sheet.remark(Severity.INFORMATION, (key,), message, code="told-to-model", span=span)


def not_honoured(sheet: Sheet, key: str, message: str, *, warn: bool = False) -> None:
    """Remark on `key`, where it is there, that it has no effect (yet)."""
    if sheet.value.get(key) is not None:
        severity = Severity.WARNING if warn else Severity.INFORMATION
        text = f"`{key}` {message}"
        sheet.remark(severity, (key,), text, code="not-honoured", span=sheet.keys.get((key,)))


def no_tier(sheet: Sheet, grant: Grant, message: str) -> None:
    """Remark that programs are not started, where the first is granted."""
    sheet.remark_on(grant, Severity.INFORMATION, message, code="no-tier")


def tool(sheet: Sheet, at: KeyPath, word: str, asks: Asks, mcp_tools: list[str]) -> None:
    """Add the tool that `word` at `at` names to `asks`, else to `mcp_tools` with a remark."""
    known = canonical(word)
    if known is not None:
        asks.tools.append(known)
        return
    mcp_tools.append(word)
    message = f"no built-in tool `{word}`; an MCP server may offer it"
    near = nearest(word, (*BUILT_IN, *ALIASES))
    sheet.warning(at, message, nearest=near, code="unknown-tool")


def mcp_server(sheet: Sheet, at: KeyPath, server: str) -> None:
    """Remark that the server is kept and not connected."""
    sheet.information(at, f"MCP servers are not connected yet: `{server}`", code="not-honoured")


def artifact_fault(value: str) -> str:
    """Why `value` is no file or pattern that may be written."""
    found = path_fault(value)
    if not found and (normal(value) == "." or value.endswith("/")):
        return f"`{value}` is a folder; an artifact is a file or a pattern: `artifacts/*.md`"
    return found


def values(grants: Iterable[Grant] | None) -> tuple[str, ...]:
    """The texts alone."""
    return tuple(grant.value for grant in grants or ())


def joined(*texts: str) -> str:
    """Paragraphs, empty ones left out."""
    return "\n\n".join(text for text in texts if text)
