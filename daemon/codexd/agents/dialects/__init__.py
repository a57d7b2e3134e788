"""Agent files in our own YAML shape: text in, a definition and remarks out.

Other shapes (TOML, Markdown) are a diagnostic here, and so is what this shape does not know.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import yaml

from codexd.agents.definition import AgentDefinition, Retention
from codexd.agents.toolnames import WRITING, canonical
from codexd.errors import Diagnostic, Severity, Source
from codexd.policy import Grant, Layer

MAX_DEPTH = 40

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Value: TypeAlias = "str | int | float | bool | list[Node] | dict[str, Node] | None"


class Node(NamedTuple):
    """A value, and where it stands; `key` is where its key does."""

    value: Value
    at: tuple[int, int, int, int]
    key: tuple[int, int, int, int] | None = None


class _Fault(Exception):
    def __init__(self, at: tuple[int, int, int, int], message: str) -> None:
        super().__init__(message)
        self.at = at


def read(
    path: Path, data: bytes, origin: str
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """The definition in `data`, the file at `path`; `None` where it has errors."""
    reader = _Reader(path, origin)
    try:
        definition = reader.definition(data)
    except _Fault as fault:
        reader.remark(fault.at, str(fault), code="syntax")
        return None, tuple(reader.found)
    broken = any(each.severity is Severity.ERROR for each in reader.found)
    return None if broken else definition, tuple(reader.found)


# --- YAML ------------------------------------------------------------------------------------

_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def _tree(text: str) -> Node:
    try:
        stream = yaml.parse(text, Loader=_Loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        events = iter(list(cast("Iterator[yaml.Event]", stream)))
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _Fault((line, column, line, column), fault.problem or "this is no YAML") from None
    except yaml.YAMLError as fault:
        raise _Fault((1, 1, 1, 1), f"this is no YAML: {fault}") from None
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            return _node(event, events, 0)
    raise _Fault((1, 1, 1, 1), "the file is empty")


def _at(event: yaml.Event) -> tuple[int, int, int, int]:
    start, end = event.start_mark, event.end_mark
    return start.line + 1, start.column + 1, end.line + 1, end.column + 1


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _Fault(_at(event), f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(event, yaml.ScalarEvent):
        return Node(_scalar(event), _at(event))
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Node] = []
        while not isinstance(each := next(events), yaml.SequenceEndEvent):
            items.append(_node(each, events, depth + 1))
        return Node(items, _at(event))
    if isinstance(event, yaml.MappingStartEvent):
        pairs: dict[str, Node] = {}
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise _Fault(_at(key), "a key here is plain text")
            if key.value in pairs:
                raise _Fault(_at(key), f"`{key.value}` stands here twice")
            value = _node(next(events), events, depth + 1)
            pairs[key.value] = value._replace(key=_at(key))
        return Node(pairs, _at(event))
    raise _Fault(_at(event), "anchors and aliases are not used in agent files")


def _scalar(event: yaml.ScalarEvent) -> str | int | float | bool | None:
    text: str = event.value
    if event.style:
        return text
    if text.lower() in _WORDS and text in (text.lower(), text.title(), text.upper()):
        return _WORDS[text.lower()]
    if _INT.match(text):
        return int(text) if len(text) < 400 else text
    return float(text) if _FLOAT.match(text) else text


def _plain(node: Node) -> Any:
    if isinstance(node.value, list):
        return [_plain(each) for each in node.value]
    if isinstance(node.value, dict):
        return {key: _plain(each) for key, each in node.value.items()}
    return node.value


# --- the runtime shape -----------------------------------------------------------------------

_KNOWN = (
    *("name", "description", "goal", "instructions", "system_prompt", "version", "capabilities"),
    *("tools", "policies", "success_criteria", "artifacts", "max_tokens", "model", "temperature"),
    *("reasoning_effort", "resource_limits", "max_turns"),
)


@dataclass(slots=True)
class _Grants:
    """What the `tools` and `policies` of a file come to."""

    tools: list[Node]
    read: tuple[Grant, ...] | None = None
    write: tuple[Grant, ...] = ()
    exec: tuple[Grant, ...] = ()
    net: tuple[Grant, ...] = ()


class _Reader:
    """One file being read, with what was found wrong so far."""

    def __init__(self, path: Path, origin: str) -> None:
        self.path, self.origin = path, origin
        self.found: list[Diagnostic] = []

    def remark(
        self,
        at: tuple[int, int, int, int],
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        key: str = "",
        nearest: str = "",
        code: str = "value",
    ) -> None:
        self.found.append(
            Diagnostic(self.path, *at, severity, message, key=key, nearest=nearest, code=code)
        )

    def definition(self, data: bytes) -> AgentDefinition | None:
        if self.path.suffix not in (".yaml", ".yml"):
            raise _Fault((1, 1, 1, 1), f"`{self.path.suffix}` files are not read yet")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as fault:
            raise _Fault((1, 1, 1, 1), f"no UTF-8 at byte {fault.start}") from None
        tree = _tree(text)
        if not isinstance(tree.value, dict):
            raise _Fault(tree.at, "expected keys such as `name:` and `goal:`")
        return self.agent(tree.value)

    def agent(self, top: dict[str, Node]) -> AgentDefinition | None:
        name = self.text(top, "name")
        if not name.strip():
            self.remark(top["name"].at if "name" in top else (1, 1, 1, 1), "a name is needed")
            return None
        place = self.place(top["name"])
        grants = self.grants(top)
        policies = self.map(top, "policies")
        context = self.map(policies, "context")
        limits = self.map(top, "resource_limits")
        budget = context.get("max_tokens") or top.get("max_tokens")
        artifacts = tuple(each.removeprefix("./") for each in self.texts(top.get("artifacts")))
        tools = [each for each in grants.tools if isinstance(each.value, str)]
        names = dict.fromkeys(canonical(str(each.value)) or str(each.value) for each in tools)
        retention = self.text(context, "retention") or Retention.PERMANENT
        if retention not in list(Retention):
            self.remark(context["retention"].at, f"`{retention}` is no retention")
            retention = Retention.PERMANENT
        for key, node in top.items():
            near = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0.75)
            if key not in _KNOWN and near and node.key:
                self.remark(
                    node.key,
                    f"unknown key `{key}`",
                    severity=Severity.WARNING,
                    key=key,
                    nearest=near[0],
                    code="unknown-key",
                )
        redact = self.map(policies, "secrets").get("redact")
        return AgentDefinition(
            name=name,
            source=place,
            dialect="yaml",
            description=self.text(top, "description"),
            goal=self.text(top, "goal"),
            instructions=self.text(top, "instructions") or self.text(top, "system_prompt"),
            tools=tuple(each for each in names if canonical(each)),
            mcp_servers=tuple(self.servers(grants.tools)),
            mcp_tools=tuple(each for each in names if not canonical(each)),
            policy=Layer(
                name=f"agent {name}",
                source=place,
                read=grants.read,
                write=(
                    *grants.write,
                    *self.values(top.get("artifacts"), artifacts),
                ),
                exec=grants.exec,
                net=grants.net,
            ),
            max_tokens=self.whole(budget),
            max_tokens_source=self.place(budget) if budget else None,
            retention=Retention(retention),
            redact=not (redact is not None and redact.value is False),
            success_criteria=self.texts(top.get("success_criteria")),
            artifacts=artifacts,
            model=self.text(top, "model") or None,
            temperature=self.number(top.get("temperature")),
            reasoning_effort=self.text(top, "reasoning_effort") or None,
            max_parallel_tasks=self.whole(limits.get("max_parallel_tasks")),
            timeout_seconds=self.number(limits.get("timeout_seconds")),
            max_turns=self.whole(top.get("max_turns")),
            capabilities=self.texts(top.get("capabilities")),
            version=self.text(top, "version"),
            extras={key: _plain(node) for key, node in top.items() if key not in _KNOWN},
        )

    def grants(self, top: dict[str, Node]) -> _Grants:
        node = top.get("tools")
        listed = node is not None and isinstance(node.value, list)
        tools = {"mcp": node} if node is not None and listed else self.map(top, "tools")
        policies = self.map(top, "policies")
        self.unused("tools", tools, ("mcp", "fs", "net", "shell"))
        self.unused("policies", policies, ("context", "secrets", "net", "shell", "permissions"))
        grants = _Grants(self.items(tools.get("mcp")))
        files, asked = self.map(tools, "fs"), self.map(policies, "permissions")
        self.unused("permissions", asked, ("filesystem", "network"))
        read = files.get("read")
        if read is not None:
            whole = (Grant("./", self.place(read)),)
            silent = isinstance(read.value, bool)
            grants.read = (whole if read.value else ()) if silent else self.values(read)
        grants.write = self.values(files.get("write"))
        if roots := self.values(asked.get("filesystem")):
            names = {canonical(str(each.value)) for each in grants.tools}
            grants.read = roots
            grants.write += roots if names & set(WRITING) else ()
        for parent in (tools, policies):
            shell = parent.get("shell")
            if shell is not None and isinstance(shell.value, dict):
                shell = shell.value.get("exec")
            grants.exec += self.values(shell)
            net = parent.get("net")
            if net is not None and isinstance(net.value, dict):
                net = net.value.get("allow")
            grants.net += self.values(net)
        grants.net += self.values(asked.get("network"))
        return grants

    def unused(self, key: str, found: dict[str, Node], known: tuple[str, ...]) -> None:
        """Say of each key in `found` that is not `known` that it has no effect."""
        for name, node in found.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                self.remark(
                    node.key or node.at,
                    f"unknown key `{key}.{name}` has no effect",
                    severity=Severity.WARNING,
                    key=f"{key}.{name}",
                    nearest=near[0] if near else "",
                    code="unknown-key",
                )

    def servers(self, tools: list[Node]) -> Iterator[str]:
        for each in tools:
            if isinstance(each.value, dict) and "server" in each.value:
                yield self.text(each.value, "server")

    # --- values

    def place(self, node: Node) -> Source:
        line, column, _, _ = node.key or node.at
        return Source(str(self.path), line, column)

    def map(self, parent: dict[str, Node], key: str) -> dict[str, Node]:
        node = parent.get(key)
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self.remark(node.at, f"`{key}` holds keys", key=key)
            return {}
        return node.value

    def text(self, parent: dict[str, Node], key: str) -> str:
        node = parent.get(key)
        if node is None or node.value is None:
            return ""
        if not isinstance(node.value, str):
            self.remark(node.at, f"`{key}` is text", key=key)
            return ""
        return node.value

    def texts(self, node: Node | None) -> tuple[str, ...]:
        return tuple(str(_plain(each)) for each in self.items(node))

    def items(self, node: Node | None) -> list[Node]:
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            self.remark(node.at, "a list is expected")
            return []
        return node.value

    def values(self, node: Node | None, texts: tuple[str, ...] | None = None) -> tuple[Grant, ...]:
        items = self.items(node)
        texts = texts or tuple(str(_plain(each)) for each in items)
        return tuple(
            Grant(text, self.place(each)) for text, each in zip(texts, items, strict=False)
        )

    def whole(self, node: Node | None) -> int | None:
        if node is None or node.value is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 0:
            self.remark(node.at, "a whole number is expected, 0 or more")
            return None
        return node.value

    def number(self, node: Node | None) -> float | None:
        if node is None or node.value is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.remark(node.at, "a number is expected")
            return None
        return float(node.value)
