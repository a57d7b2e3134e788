"""The one interface of tools, and the plain values that cross it.

A tool knows no run and no model. It asks the policy before it touches anything; what it is
refused is a `ToolFault` that names the line which would grant it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from codexd.errors import Severity
from codexd.policy import Policy
from codexd.tools.keeper import Keeper


class Effect(StrEnum):
    """What a call does to the world, and so what a resumed run may do about one cut short."""

    NONE = "none"
    """Reads only: may be run again."""
    IDEMPOTENT = "idempotent"
    """Doing it twice is doing it once."""
    FILE_WRITE = "file_write"
    """Replaces files whose bytes before and after are known: the workspace shows which it holds."""
    OTHER = "other"
    """Anything else: never repeated without being asked."""


class TextEdit(BaseModel):
    """Replace a range of a file by text. Lines, columns: 1-based code points, end exclusive."""

    model_config = ConfigDict(frozen=True)
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


class Fix(BaseModel):
    """A change that mends a finding."""

    model_config = ConfigDict(frozen=True)
    title: str
    edits: tuple[TextEdit, ...]
    safe: bool = False
    """Whether the rule's author says that it keeps the program's meaning."""


class Finding(BaseModel):
    """A located remark that an agent reports; an editor shows it as a diagnostic."""

    model_config = ConfigDict(frozen=True)
    path: str = Field(description="workspace-relative path, with forward slashes")
    line: int = Field(ge=1)
    column: int = Field(default=1, ge=1)
    end_line: int | None = None
    end_column: int | None = None
    severity: Severity = Severity.WARNING
    message: str
    rule: str = ""
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that a call will replace: whole bytes before and after, `None` where absent."""

    path: str
    """Workspace-relative, forward slashes."""
    before: bytes | None
    after: bytes | None
    moved_from: str = ""
    """Of a file to make: the file, removed by the same call, whose permissions it keeps."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a call gives back to the model, and what it did."""

    text: str
    is_error: bool = False
    wrote: tuple[str, ...] = ()
    """Workspace-relative paths of files that now hold what the call wrote."""
    from_outside: bool = False
    """The text is from the web or a program, not from the workspace."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Where and under which policy a call acts."""

    root: Path
    """The workspace folder, absolute and real."""
    policy: Policy
    scope: tuple[str, ...] = ()
    """What the run is about, workspace-relative; grants and forbids nothing. Tools that sweep
    (grep, glob, analyze) start there when the call names no path."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The environment of whoever asked; tools pass on only what they name."""
    cache: Path | None = None
    """A folder for what can be made again (search index); `None`: keep nothing."""
    max_bytes: int = 12_000
    """UTF-8 bytes that one result may have; the rest is cut with a note of how to page on."""
    keeper: Keeper | None = None
    """Sees to it that no program outlives this process; `None`: nobody does."""
    web_search: Mapping[str, Any] | None = None
    """The configured search service: `{"kind": "brave" | "searxng", "url": …, "env_key": …}`."""


ToolFunction = Callable[[Any, ToolContext], Awaitable[ToolOutput]]
Prepare = Callable[[Any, ToolContext], Awaitable[tuple[FileChange, ...]]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that an agent may do.

    Exactly one of three: `call` acts and answers; `prepare` (effect `file_write`) says what the
    call will change, which the loop journals and then has `files.apply` do; neither: the loop
    performs it (`delegate`, `report_finding`, `update_plan`).
    """

    name: str
    description: str
    arguments: type[BaseModel]
    """The argument model; pydantic's JSON Schema of it is what a model sees."""
    effect: Effect
    call: ToolFunction | None = None
    prepare: Prepare | None = None
