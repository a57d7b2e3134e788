"""`.codex/aliases.yaml`: short names for agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import yaml

from codexd.errors import Diagnostic, Severity

SECTIONS = ("aliases", "shortcuts")

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Alias(NamedTuple):
    """`name` stands for `target`, says the file at that place (1-based)."""

    name: str
    target: str
    line: int
    column: int

    def remark(self, path: Path) -> Diagnostic:
        """That no agent answers to `target`."""
        message = f"`{self.name}` stands for `{self.target}`, and no agent is named so"
        return _remark(path, self.line, self.column, message, Severity.WARNING, "unknown-agent")


@dataclass(frozen=True, slots=True)
class Aliases:
    """What the file says."""

    path: Path
    entries: tuple[Alias, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def names(self) -> dict[str, str]:
        """Alias → agent; the first of equal ones holds."""
        return {each.name: each.target for each in reversed(self.entries)}


class _Broken(Exception):
    """The file has not the shape of one; where, and why."""

    def __init__(self, mark: yaml.Mark | None, message: str) -> None:
        super().__init__(message)
        self.line, self.column = (mark.line + 1, mark.column + 1) if mark else (1, 1)


def parse(path: Path, data: bytes) -> Aliases:
    """The aliases that `data`, the file at `path`, gives; what is wrong with it is a diagnostic.

    A file with a fault gives those aliases that stand before the fault.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        return Aliases(path, diagnostics=(_remark(path, 1, 1, f"no UTF-8 at byte {fault.start}"),))
    entries: list[Alias] = []
    try:
        entries.extend(_entries(text))
    except _Broken as fault:
        remark = _remark(path, fault.line, fault.column, str(fault))
        return Aliases(path, tuple(entries), (remark,))
    except yaml.MarkedYAMLError as fault:
        broken = _Broken(fault.problem_mark, fault.problem or "this is no YAML")
        remark = _remark(path, broken.line, broken.column, str(broken))
        return Aliases(path, tuple(entries), (remark,))
    except yaml.YAMLError as fault:
        return Aliases(path, tuple(entries), (_remark(path, 1, 1, f"this is no YAML: {fault}"),))
    return Aliases(path, tuple(entries))


def _entries(text: str) -> Iterator[Alias]:
    # Over events, not over a tree: nothing that is nested deeply is ever built.
    stream = yaml.parse(text, Loader=_Loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    yield from _from_events(cast("Iterator[yaml.Event]", stream))


def _from_events(events: Iterator[yaml.Event]) -> Iterator[Alias]:
    start = next(
        (each for each in events if isinstance(each, yaml.NodeEvent | yaml.StreamEndEvent)), None
    )
    if start is None or isinstance(start, yaml.StreamEndEvent) or _is_empty(start):
        return
    if not isinstance(start, yaml.MappingStartEvent):
        raise _Broken(start.start_mark, "expected `aliases:` and `shortcuts:`")
    while (section := _key(events)) is not None:
        if section.value not in SECTIONS:
            raise _Broken(section.start_mark, f"unknown key `{section.value}`: {_EXPECTED}")
        inner = next(events)
        if _is_empty(inner):
            continue
        if not isinstance(inner, yaml.MappingStartEvent):
            raise _Broken(inner.start_mark, f"`{section.value}` is a map of names to agents")
        while (key := _key(events)) is not None:
            value = next(events)
            if not isinstance(value, yaml.ScalarEvent) or not value.value:
                raise _Broken(value.start_mark, f"`{key.value}` takes the name of one agent")
            yield Alias(key.value, value.value, key.start_mark.line + 1, key.start_mark.column + 1)


def _key(events: Iterator[yaml.Event]) -> yaml.ScalarEvent | None:
    event = next(events)
    if isinstance(event, yaml.MappingEndEvent):
        return None
    if not isinstance(event, yaml.ScalarEvent):
        raise _Broken(event.start_mark, "a key here is plain text")
    return event


_EXPECTED = "expected `aliases` or `shortcuts`"


def _is_empty(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and not event.style and event.value in ("", "~")


def _remark(
    path: Path,
    line: int,
    column: int,
    message: str,
    severity: Severity = Severity.ERROR,
    code: str = "aliases",
) -> Diagnostic:
    return Diagnostic(path, line, column, line, column, severity, message, code=code)
