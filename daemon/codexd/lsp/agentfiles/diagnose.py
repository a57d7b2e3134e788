"""What is wrong with an agent file, from the unsaved text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from lsprotocol import types

from codexd.agents import aliases, dialects
from codexd.agents.definition import AgentDefinition
from codexd.agents.keys import key_at
from codexd.agents.registry import AgentEntry, Registry, places, slug_of
from codexd.errors import CodexdError, Diagnostic, Severity
from codexd.lsp.agentfiles.facts import ALIASES, GUESTS, Facts, dialect_in, origin_of
from codexd.lsp.agentfiles.outline import outline_of
from codexd.lsp.buffers import Buffer
from codexd.policy import Policy

_LEVELS = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}
_THEIRS = ("told-to-model", "unknown-key", "loose-text", "stem", "look-alike")
"""Remarks on what the other product checks itself."""


def diagnose(buffer: Buffer, facts: Facts) -> tuple[Diagnostic, ...]:
    """What there is to say of the text; nothing where it is no agent file."""
    origin = origin_of(buffer.path, facts)
    if origin is None:
        return ()
    if origin == ALIASES:
        return _of_aliases(buffer, facts.registry)
    definition, found = read(buffer, facts)
    if (shadowed := _shadowed(buffer, definition, origin, facts)) is not None:
        found = (*found, shadowed)
    return _of_concern(found, buffer.path, origin, facts)


def of_concern(entry: AgentEntry, facts: Facts) -> tuple[Diagnostic, ...]:
    """What there is to say of a file on disk, as the registry has read it."""
    return _of_concern(entry.diagnostics, entry.path, entry.origin, facts)


def _of_concern(
    found: tuple[Diagnostic, ...], path: Path, origin: str, facts: Facts
) -> tuple[Diagnostic, ...]:
    if origin not in GUESTS:
        return found
    dialect = dialect_in(path, facts)
    return tuple(each for each in found if _concerns_us(each, dialect))


def read(buffer: Buffer, facts: Facts) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    """What the text defines, and the remarks on it alone."""
    origin = origin_of(buffer.path, facts)
    if origin is None or origin == ALIASES:
        return None, ()
    profile = facts.config.default_profile
    return _read(buffer.path, buffer.text, origin, profile, facts.ceilings)


@lru_cache(maxsize=4)
def _read(
    path: Path, text: str, origin: str, profile: str, ceilings: Policy
) -> tuple[AgentDefinition | None, tuple[Diagnostic, ...]]:
    # Diagnostics, hover, lenses and actions ask in turn for the same text.
    data = text.encode("utf-8", "surrogatepass")
    return dialects.read(path, data, origin, profile=profile, ceilings=ceilings)


def _of_aliases(buffer: Buffer, registry: Registry) -> tuple[Diagnostic, ...]:
    data = buffer.text.encode("utf-8", "surrogatepass")
    file = aliases.parse(buffer.path, data)
    # An alias of the text itself leads nowhere: only agents count.
    agents = replace(registry, aliases={})
    lost = [each.remark(buffer.path) for each in file.entries if not _leads(agents, each.target)]
    return tuple(_whole_word(each, buffer) for each in (*file.diagnostics, *lost))


def _leads(registry: Registry, target: str) -> bool:
    try:
        registry.find(target)
    except CodexdError as fault:
        return bool(getattr(fault, "diagnostics", ()))
    return True


def _whole_word(remark: Diagnostic, buffer: Buffer) -> Diagnostic:
    """`remark`, which has a place and no length, on the word that stands there."""
    if remark.line > len(buffer.lines) or remark.end_column > remark.column:
        return remark
    rest = buffer.lines[remark.line - 1][remark.column - 1 :]
    word = rest.partition(":")[0].rstrip()
    return replace(remark, end_column=remark.column + len(word))


def _shadowed(
    buffer: Buffer, definition: AgentDefinition | None, origin: str, facts: Facts
) -> Diagnostic | None:
    """That another file, which comes first, has the agent's name."""
    slug = definition.slug if definition is not None else slug_of(outline_of(buffer, facts).name)
    if not slug:
        return None
    order = [place.origin for place in places(facts.root, facts.home)]
    here = (order.index(origin), str(buffer.path))
    for entry in facts.registry.entries:
        if entry.slug == slug and (order.index(entry.origin), str(entry.path)) < here:
            span = outline_of(buffer, facts).name_span
            message = f"`{slug}` is shadowed by {entry.path}"
            level = Severity.INFORMATION
            return Diagnostic(buffer.path, *span, level, message, key="name", code="shadowed")
    return None


def _concerns_us(remark: Diagnostic, dialect: str) -> bool:
    if remark.severity is Severity.ERROR:
        return True
    key = key_at(dialect, remark.key.split("."))
    return remark.code not in _THEIRS and not (key is not None and key.idle)


def to_lsp(found: Iterable[Diagnostic], buffer: Buffer) -> list[types.Diagnostic]:
    """The remarks as the client has them; `data` is what a quick fix is made from."""
    return [
        types.Diagnostic(
            range=buffer.range(each.line, each.column, each.end_line, each.end_column),
            message=f"{each.message}; nearest `{each.nearest}`" if each.nearest else each.message,
            severity=_LEVELS[each.severity],
            code=each.code or None,
            source="codexd",
            tags=[types.DiagnosticTag.Unnecessary] if each.code == "shadowed" else None,
            data={"key": each.key, "nearest": each.nearest},
        )
        for each in found
    ]
