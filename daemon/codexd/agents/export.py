"""A definition as a file: our own YAML, or a custom agent of Codex in TOML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from codexd.agents.definition import AgentDefinition, Retention
from codexd.policy import Grant


def to_yaml(definition: AgentDefinition) -> str:
    """A file that reloads to the same meaning, under YAML 1.2 as under 1.1."""
    return "".join(f"{line}\n" for line in _map(_shape(definition), 0))


def _shape(definition: AgentDefinition) -> dict[str, Any]:
    """The keys in the order in which a person reads them; what says nothing is left out."""
    policy = definition.policy
    servers = [{"type": "mcp", "server": name} for name in definition.mcp_servers]
    tools: dict[str, Any] = {"mcp": [*definition.tools, *definition.mcp_tools, *servers]}
    files: dict[str, Any] = {}
    if policy.read is not None:
        read = _values(policy.read)
        files["read"] = True if read == ["./"] else read
    # An artifact is granted by being declared: written out twice, it could be taken out of one.
    files["write"] = [
        value
        for value in _values(policy.write)
        if value.removeprefix("./") not in definition.artifacts
    ]
    tools["fs"] = files
    tools["net"] = {"allow": _values(policy.net)}
    tools["shell"] = {"exec": exec_} if (exec_ := _values(policy.exec)) else []
    shape: dict[str, Any] = {
        "name": definition.name,
        "description": definition.description,
        "goal": definition.goal,
        "version": definition.version,
        "capabilities": list(definition.capabilities),
        "model": definition.model,
        "temperature": definition.temperature,
        "reasoning_effort": definition.reasoning_effort,
        "instructions": definition.instructions,
    }
    shape = {key: value for key, value in shape.items() if value not in (None, "", [])}
    shape["tools"] = tools
    context: dict[str, Any] = {"retention": str(definition.retention)}
    if definition.max_tokens is not None:
        context = {"max_tokens": definition.max_tokens, **context}
    shape["policies"] = {"context": context, "secrets": {"redact": definition.redact}}
    limits = {
        "max_parallel_tasks": definition.max_parallel_tasks,
        "timeout_seconds": definition.timeout_seconds,
    }
    rest: dict[str, Any] = {
        "resource_limits": {key: each for key, each in limits.items() if each is not None},
        "max_turns": definition.max_turns,
        "success_criteria": list(definition.success_criteria),
        "artifacts": list(definition.artifacts),
    }
    shape.update((key, value) for key, value in rest.items() if value not in (None, [], {}))
    shape.update((key, each) for key, each in definition.extras.items() if key not in shape)
    return shape


def _values(grants: Sequence[Grant] | None) -> list[str]:
    return [grant.value for grant in grants or ()]


# --- YAML ------------------------------------------------------------------------------------

_STRANGE = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What YAML does not print, and what one of its versions takes for the end of a line."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"))
"""Text that YAML 1.1 takes for something else."""


def _map(values: Mapping[Any, Any], indent: int) -> Iterator[str]:
    for key, value in values.items():
        yield from _under(f"{' ' * indent}{_quoted(str(key))}:", value, indent)


def _list(values: Sequence[Any], indent: int) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *rest = _map(cast("Mapping[Any, Any]", value), indent + 2)
            yield f"{' ' * indent}- {first.lstrip(' ')}"
            yield from rest
        else:
            yield from _under(f"{' ' * indent}-", value, indent)


def _under(head: str, value: Any, indent: int) -> Iterator[str]:
    """The lines of `value` behind `head`, or below it."""
    if isinstance(value, Mapping) and value:
        yield head
        yield from _map(cast("Mapping[Any, Any]", value), indent + 2)
    elif isinstance(value, list | tuple) and value:
        yield head
        yield from _list(cast("Sequence[Any]", value), indent + 2)
    elif isinstance(value, str) and _fits_block(value):
        # The last break belongs to the block's own end: `|` means one, `|-` none.
        ended = value.endswith("\n")
        yield f"{head} {'|' if ended else '|-'}"
        for line in value.removesuffix("\n").split("\n"):
            yield f"{' ' * (indent + 2)}{line}" if line else ""
    else:
        yield f"{head} {_scalar(value)}"


def _fits_block(text: str) -> bool:
    return (
        "\n" in text
        and not text.startswith((" ", "\t", "\n"))
        and not text.endswith("\n\n")
        and _STRANGE.search(text) is None
        # Lines of nothing but blanks would be shown as nothing, and lost in an editor.
        and not any(line and not line.strip() for line in text.split("\n"))
    )


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _quoted(str(value))


def _float(value: float) -> str:
    text = repr(value)
    if "n" in text:  # inf and nan
        return {"inf": ".inf", "-inf": "-.inf"}.get(text, ".nan")
    # To YAML 1.1 a number without a point, `1e+16`, is text.
    return text if "." in text else text.replace("e", ".0e")


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
    return f'"{_STRANGE.sub(_escape, escaped)}"'


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Half a surrogate pair is no character: no file can hold it.
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


# --- TOML ------------------------------------------------------------------------------------


def to_toml(definition: AgentDefinition) -> tuple[str, tuple[str, ...]]:
    """A custom agent of Codex, and a sentence for each thing that such a file cannot say."""
    values: dict[str, str | None] = {
        "name": definition.name,
        "description": definition.description or definition.goal or definition.name,
        "model": definition.model,
        "model_reasoning_effort": definition.reasoning_effort,
        "sandbox_mode": "workspace-write" if definition.policy.write != () else "read-only",
    }
    lines = [f"{key} = {_basic(value)}" for key, value in values.items() if value]
    lines.append(f'developer_instructions = """\n{_multiline(_told(definition))}"""')
    return "\n".join(lines) + "\n", tuple(_lost(definition))


def _told(definition: AgentDefinition) -> str:
    """The instructions; with what has no key of its own and can be told to a model."""
    parts = [definition.instructions.strip("\n")]
    if definition.goal:
        parts.append(f"Goal: {definition.goal}")
    if definition.success_criteria:
        parts.append("\n".join(["It is done when:", *_bullets(definition.success_criteria)]))
    if definition.artifacts:
        parts.append("\n".join(["Write these files:", *_bullets(definition.artifacts)]))
    return "\n\n".join(filter(None, parts)) + "\n"


def _bullets(texts: Sequence[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _lost(definition: AgentDefinition) -> Iterator[str]:
    policy = definition.policy
    if definition.tools or definition.mcp_tools:
        named = ", ".join((*definition.tools, *definition.mcp_tools))
        yield f"The list of its tools ({named}): Codex gives it all of its own."
    if definition.mcp_servers:
        named = ", ".join(definition.mcp_servers)
        yield f"Its MCP servers ({named}): they need `[mcp_servers]` with their commands."
    if policy.read is not None and _values(policy.read) != ["./"]:
        yield "What it may read: Codex lets it read everything."
    if policy.write:
        yield f"Where it may write ({', '.join(_values(policy.write))}): the whole workspace there."
    if policy.exec is not None:
        named = ", ".join(policy_exec) if (policy_exec := _values(policy.exec)) else "none"
        yield f"Which programs it may run ({named}): any, within the sandbox of Codex."
    if policy.net:
        yield f"Which hosts it may reach ({', '.join(_values(policy.net))}): none there."
    if definition.max_tokens is not None:
        yield f"Its budget of {definition.max_tokens:,} tokens: nothing bounds it there."
    if definition.retention is not Retention.PERMANENT:
        yield f"Its retention, `{definition.retention}`."
    if not definition.redact:
        yield "That its report may show secrets."
    others = {
        "temperature": definition.temperature,
        "max_parallel_tasks": definition.max_parallel_tasks,
        "timeout_seconds": definition.timeout_seconds,
        "max_turns": definition.max_turns,
        "capabilities": definition.capabilities or None,
        "version": definition.version or None,
        **definition.extras,
    }
    if named := [f"`{key}`" for key, value in others.items() if value is not None]:
        yield f"These settings: {', '.join(named)}."


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def _basic(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_CONTROL.sub(_escape, escaped)}"'


def _multiline(text: str) -> str:
    escaped = re.sub(r'"(?="|\Z)', r"\"", text.replace("\\", "\\\\"))
    return _CONTROL.sub(_escape, escaped)
