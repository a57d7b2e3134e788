"""A `[policy]` table of a configuration file as a layer: the user's ceiling, the workspace's."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from codexd.errors import Denied, Diagnostic, Severity, Source
from codexd.policy.hosts import rule_of
from codexd.policy.layers import Approval, Field, Grant, Layer, SandboxTier
from codexd.policy.paths import normal

_FIELDS: dict[str, Field] = {
    "read": "read",
    "write": "write",
    "exec": "exec",
    "net": "net",
    "net.subprocess": "net_sub",
    "net_sub": "net_sub",
    "tools": "tools",
    "models": "models",
    "env": "env",
}
_KEYS = (*_FIELDS, "sandbox", "approval", "depth")

_Choice = TypeVar("_Choice", Approval, SandboxTier)


def layer_from_table(
    name: str, table: Mapping[str, Any], sources: Mapping[str, Source], *, own: bool = True
) -> tuple[Layer, tuple[Diagnostic, ...]]:
    """The layer that a `[policy]` table means, and what is wrong with it.

    `sources` says where each dotted key stands (`policy.net`, `policy.net.0`). A value that
    cannot be read allows nothing: a slip of the pen must not widen a ceiling. `own`: the user's.
    """
    reader = _Reader(sources)
    grants: dict[Field, tuple[Grant, ...] | None] = {}
    for key, value in _flat(table).items():
        if key in _FIELDS:
            grants[_FIELDS[key]] = reader.grants(key, value)
        elif key not in _KEYS:
            reader.unknown(key)
    layer = Layer(
        name,
        reader.source(),
        **grants,
        sandbox=reader.choice("sandbox", table, SandboxTier, SandboxTier.POD),
        approval=reader.choice("approval", table, Approval, Approval.NEVER),
        depth=reader.depth(table),
        own=own,
    )
    return layer, tuple(reader.diagnostics)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """`net.subprocess = []` without quotes is a table in TOML: `net = { subprocess = [] }`."""
    flat = dict(table)
    net = flat.get("net")
    if isinstance(net, Mapping):
        del flat["net"]
        for key, value in cast("Mapping[str, Any]", net).items():
            flat["net" if key == "allow" else f"net.{key}"] = value
    return flat


class _Reader:
    """Collects what is wrong while a table is read."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self.diagnostics: list[Diagnostic] = []

    def source(self, key: str = "", n: int | None = None) -> Source:
        """Where `policy.key.n` stands; the nearest known place above it otherwise."""
        dotted = f"policy.{key}" if key else "policy"
        for one in (f"{dotted}.{n}", f"{dotted}.allow.{n}", dotted, "policy"):
            if one in self.sources:
                return self.sources[one]
        inside = (source for one, source in self.sources.items() if one.startswith("policy."))
        return next(inside, Source("<configuration>"))

    def grants(self, key: str, value: object) -> tuple[Grant, ...]:
        """The grants in `value`: a list of texts, or a truth value for `read` and `write`."""
        if isinstance(value, bool) and key in ("read", "write"):
            return (Grant("./**", self.source(key)),) if value else ()
        if not isinstance(value, list):
            self.wrong(key, self.source(key), "a list of texts was expected")
            return ()
        found: list[Grant] = []
        for n, one in enumerate(cast("list[object]", value)):
            source = self.source(key, n)
            problem = _problem(key, one)
            if problem:
                self.wrong(key, source, problem)
            else:
                found.append(Grant(str(one), source))
        return tuple(found)

    def choice(
        self, key: str, table: Mapping[str, Any], kind: type[_Choice], strictest: _Choice
    ) -> _Choice | None:
        """The member of `kind` that is written there; the strictest where it is none."""
        if key not in table:
            return None
        value = table[key]
        if value in tuple(kind):
            return kind(value)
        words = tuple(one.value for one in kind)
        near = get_close_matches(str(value), words, 1)
        self.wrong(
            key,
            self.source(key),
            f"one of {', '.join(words)} was expected",
            near[0] if near else "",
        )
        return strictest

    def depth(self, table: Mapping[str, Any]) -> int | None:
        """How deep runs may delegate."""
        value: object = table.get("depth")
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.wrong("depth", self.source("depth"), "a whole number, 0 or more, was expected")
        return 0

    def unknown(self, key: str) -> None:
        """Remark on a key that means nothing."""
        near = get_close_matches(key, _KEYS, 1)
        self.wrong(
            key,
            self.source(key),
            f"unknown key `policy.{key}`",
            near[0] if near else "",
            code="unknown-key",
        )

    def wrong(
        self, key: str, source: Source, message: str, nearest: str = "", *, code: str = "bad-value"
    ) -> None:
        """Remark on one key."""
        shown = message if code == "unknown-key" else f"`policy.{key}`: {message}"
        self.diagnostics.append(
            Diagnostic(
                Path(source.file),
                source.line,
                source.column,
                source.line,
                source.column,
                Severity.ERROR,
                shown,
                key=f"policy.{key}",
                nearest=nearest,
                code=code,
            )
        )


def _problem(key: str, value: object) -> str:
    """What is wrong with one grant; empty where nothing is."""
    if not isinstance(value, str) or not value.strip():
        return f"a text was expected, not {value!r}"
    try:
        if key in ("read", "write"):
            normal(value)
        elif key.startswith("net"):
            rule_of(value)
    except Denied as fault:
        return f"{fault}; {fault.help}" if fault.help else str(fault)
    return ""
