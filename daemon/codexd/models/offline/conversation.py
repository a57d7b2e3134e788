"""What a conversation holds so far, read from its items: offline keeps nothing of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codexd.models.interface import Answer, Item, JsonObject, ToolCall, ToolReply

SEVERITIES = ("error", "warning", "information", "hint")

LISTS = ("outline", "dependencies")
"""What `analyze` lists besides findings: lines by path."""


@dataclass(slots=True)
class Seen:
    """Everything that the tools have said, and that was said to them."""

    findings: list[JsonObject] = field(default_factory=list[JsonObject])
    """Read so far, worst first."""
    lists: dict[str, dict[str, list[str]]] = field(default_factory=dict[str, dict[str, list[str]]])
    """`outline`, `dependencies`: lines by path, read so far."""
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """How much the analysis found, by severity and list."""
    files: int = 0
    unread: int = 0
    """How many of the files some of the rules asked for do not read."""
    notes: tuple[str, ...] = ()
    position: int = 0
    """Where the next page begins."""
    n_pages: int = 0
    at_end: bool = False
    """Whether the last page that was read is the last there is."""
    fault: str = ""
    """Why the last `analyze` gave nothing; empty where it did."""
    reported: set[str] = field(default_factory=set[str])
    """Keys of the findings that were reported."""
    written: dict[str, str] = field(default_factory=dict[str, str])
    """Each file that was to be written: empty where it was, else why not."""
    next_call: int = 1
    """The number of the next call."""

    @property
    def n_findings(self) -> int:
        """How many findings there are, read or not."""
        return sum(self.counts.get(severity, 0) for severity in SEVERITIES)

    @property
    def unreported(self) -> list[JsonObject]:
        """What was read and not reported, worst first."""
        return [one for one in self.findings if key_of(one) not in self.reported]

    @property
    def reported_findings(self) -> list[JsonObject]:
        """What was read and reported, worst first."""
        return [one for one in self.findings if key_of(one) in self.reported]


def read(items: Sequence[Item]) -> Seen:
    """What the items of a conversation tell."""
    seen = Seen()
    asked: dict[str, ToolCall] = {}
    for item in items:
        if isinstance(item, Answer):
            for call in item.calls:
                asked[call.id] = call
                read_call(seen, call)
        elif isinstance(item, ToolReply) and item.call_id in asked:
            read_reply(seen, asked[item.call_id], item)
    return seen


def read_call(seen: Seen, call: ToolCall) -> None:
    """Take in what was asked for."""
    number = call.id.rpartition("-")[2]
    if number.isdecimal():
        seen.next_call = max(seen.next_call, int(number) + 1)
    if call.name == "report_finding":
        arguments = arguments_of(call)
        several: list[JsonObject] = arguments.get("findings") or [arguments]
        seen.reported.update(key_of(one) for one in several)


def read_reply(seen: Seen, call: ToolCall, reply: ToolReply) -> None:
    """Take in what a tool said."""
    if call.name == "write_file":
        said = reply.text.strip().partition("\n")[0][:200] or "refused"
        seen.written[str(arguments_of(call).get("path"))] = said if reply.is_error else ""
    if call.name != "analyze":
        return
    page = None if reply.is_error else parsed(reply.text)
    if page is None:
        seen.fault = reply.text.strip().partition("\n")[0][:200] or "no answer"
        seen.at_end = True
        return
    seen.findings += page.get("findings", [])
    n_read = len(page.get("findings", []))
    for name in LISTS:
        for path, lines in page.get(name, {}).items():
            seen.lists.setdefault(name, {}).setdefault(path, []).extend(lines)
            n_read += len(lines)
    seen.counts = page.get("counts", {})
    seen.files, seen.unread = page.get("files", 0), page.get("unread", 0)
    seen.notes = tuple(page.get("notes", ()))
    seen.position = int(arguments_of(call).get("offset", 0)) + n_read
    seen.n_pages += 1
    seen.at_end = page.get("next_offset") is None or not n_read
    seen.fault = ""


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments of one of our own calls."""
    return parsed(call.arguments) or {}


def parsed(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; `None` for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def key_of(finding: JsonObject) -> str:
    """What tells one finding from another."""
    keys = ("path", "line", "column", "rule", "message")
    return "\0".join(str(finding.get(key, "")) for key in keys)
