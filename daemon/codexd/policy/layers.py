"""A policy is a stack of layers, decided by the strictest: deny < ask < allow.

The layers are, widest first: the user's ceiling, the workspace's ceiling, each ancestor run's
definition, the run's own definition. A child cannot be wider than its parent, because its
parent's layers are in its own stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal, TypeAlias

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
    own: bool = True
    """Written by the user, or shipped with codexd. What a repository writes opens nothing that is
    closed unless it is named (`.env`, `.git/hooks`, an address that is not public)."""


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


Field: TypeAlias = Literal["read", "write", "exec", "net", "net_sub", "tools", "models", "env"]
"""The fields of a layer that hold grants."""


def grants_of(layer: Layer, field: Field) -> tuple[Grant, ...] | None:
    """What `layer` grants in `field`; `None` where it says nothing."""
    grants: tuple[Grant, ...] | None = getattr(layer, field)
    return grants


def opened(policy: Policy, field: Field) -> bool:
    """Whether any layer that is not a repository's says something of `field`: then it, as every
    layer that does, has named whatever the stack names.
    """
    return any(layer.own and grants_of(layer, field) is not None for layer in policy)


NAME_IT = (
    "a repository alone does not open it; name it, beside whatever else agents may have, in "
    "[policy] of ~/.codex/codexd.toml"
)
"""What is said where only a repository's layers name what is closed."""


def asks(policy: Policy, layer: Layer) -> bool:
    """Whether what `layer` does not cover becomes a question rather than a refusal.

    The layer itself must have said so, and no layer of the stack may say `never`.
    """
    return layer.approval in (Approval.UNTRUSTED, Approval.ON_REQUEST) and not any(
        other.approval is Approval.NEVER for other in policy
    )


def decide(
    policy: Policy,
    field: Field,
    asked: str,
    covers: Callable[[Grant], bool],
    *,
    add: str,
    unsaid: Verdict = Verdict.DENY,
    note: str = "",
) -> Decision:
    """What the stack says of `asked` (`write src/a.py`): the strictest layer decides.

    `covers` says whether one grant covers it, `add` is the grant that would, `unsaid` the verdict
    where no layer says anything of `field`; `note` explains a refusal further.
    """
    refusing: list[Layer] = []
    verdict = Verdict.ALLOW
    by: tuple[Layer, Grant] | None = None
    for layer in policy:
        grants = grants_of(layer, field)
        if grants is None:
            continue
        grant = next((grant for grant in grants if covers(grant)), None)
        if grant is not None:
            by = layer, grant
            continue
        refusing.append(layer)
        verdict = min(verdict, Verdict.ASK if asks(policy, layer) else Verdict.DENY)
    if refusing:
        return _refusal(verdict, field, asked, refusing, add, note)
    if by is not None:
        layer, grant = by
        return Decision(verdict, f"`{grant.value}` ({grant.source}) allows it", layer.name)
    if unsaid is Verdict.ALLOW:
        return Decision(unsaid, f"no layer limits `{field}`")
    return Decision(unsaid, _sentence(f"{asked} is granted by no layer", note))


def _refusal(
    verdict: Verdict, field: Field, asked: str, refusing: list[Layer], add: str, note: str
) -> Decision:
    # Every refusing layer is named: granting it in one of two would not help.
    places = " and ".join(f"{layer.name} ({_where(layer, field)})" for layer in refusing)
    word = (
        "would need your approval, and there is no way to ask yet"
        if verdict is Verdict.ASK
        else "is not granted"
    )
    grant = f'add "{add}" to `{field.replace("_sub", ".subprocess")}` of {places}' if add else ""
    text = _sentence(f"{asked} {word}", note)
    return Decision(verdict, _sentence(text, grant), refusing[0].name)


def _where(layer: Layer, field: Field) -> Source:
    grants = grants_of(layer, field)
    return grants[-1].source if grants else layer.source


def _sentence(text: str, more: str) -> str:
    return f"{text}; {more}" if more else text


def may_use(policy: Policy, tool: str) -> Decision:
    """Whether the tool of that canonical name may be offered and called."""
    return _named(policy, "tools", tool, f"tool `{tool}`", unsaid=Verdict.ALLOW)


def may_ask_model(policy: Policy, model: str) -> Decision:
    """Whether the model `PROVIDER/MODEL` may be called."""
    return _named(policy, "models", model, f"model `{model}`", unsaid=Verdict.ALLOW)


def may_see_variable(policy: Policy, name: str) -> Decision:
    """Whether a granted program may get that environment variable."""
    return _named(policy, "env", name, f"variable `{name}`", unsaid=Verdict.DENY)


def _named(policy: Policy, field: Field, name: str, asked: str, *, unsaid: Verdict) -> Decision:
    return decide(
        policy, field, asked, lambda grant: grant.value in (name, "*"), add=name, unsaid=unsaid
    )
