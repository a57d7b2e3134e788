"""A policy is a stack of layers, decided by the strictest: deny < ask < allow.

The layers are, widest first: the user's ceiling, the workspace's ceiling, each ancestor run's
definition, the run's own definition. A child cannot be wider than its parent, because its
parent's layers are in its own stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeAlias

from codexd.errors import Source


class Verdict(IntEnum):
    """Ordered: the strictest of several is their minimum."""

    DENY = 0
    ASK = 1
    ALLOW = 2


class Approval(StrEnum):
    """What becomes of what no grant covers, strictest first: never, rarely, on request."""

    NEVER = "never"
    UNTRUSTED = "untrusted"
    ON_REQUEST = "on-request"


class SandboxTier(StrEnum):
    """What holds a granted program, strictest first."""

    POD = "pod"
    LANDLOCK = "landlock"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission, as its author wrote it, and where.

    `value` is, by field: a path or glob (`./artifacts`, `src/**`) for read and write; an argv
    prefix joined by blanks (`npm audit`), `*` or `full` for exec; a URL pattern
    (`https://docs.rs/*`) for net and net_sub; a name for tools, models, env.
    """

    value: str
    source: Source


@dataclass(frozen=True, slots=True)
class Layer:
    """What one author allows. In every field `None` says nothing (no limit by this layer),
    and an empty tuple allows nothing.
    """

    name: str
    """For people: `agent code-reviewer`, `user ceiling`."""
    source: Source
    read: tuple[Grant, ...] | None = None
    write: tuple[Grant, ...] | None = None
    exec: tuple[Grant, ...] | None = None
    net: tuple[Grant, ...] | None = None
    net_sub: tuple[Grant, ...] | None = None
    tools: tuple[Grant, ...] | None = None
    models: tuple[Grant, ...] | None = None
    env: tuple[Grant, ...] | None = None
    sandbox: SandboxTier | None = None
    approval: Approval | None = None
    depth: int | None = None


Policy: TypeAlias = tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the stack says of one thing asked for."""

    verdict: Verdict
    why: str
    """A sentence for people and models: which grant allows it, or which layer refuses it and the
    line that would grant it (`add "./src" to tools.fs.write in .codex/agents/x.yaml:9`)."""
    layer: str = ""
    """The name of the layer that decided."""

    def __bool__(self) -> bool:
        return self.verdict is Verdict.ALLOW
