"""`analyze`: what rules can say about code, without any model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from codexd.tools.arguments import Arguments, Strings
from codexd.tools.interface import Effect, Tool, ToolContext, ToolOutput

if TYPE_CHECKING:
    from codexd.tools.analyze.work import Analysis

__all__ = ["ANALYZE_TOOLS", "Analyze"]

Kind = Literal[
    "lint",
    "security",
    "complexity",
    "docstrings",
    "todos",
    "untested",
    "outline",
    "dependencies",
]


class Analyze(Arguments):
    """What to look for, and where."""

    kinds: tuple[Kind, ...] = Field(
        min_length=1,
        description="lint, security, docstrings: Python; complexity, untested, outline: most "
        "languages; todos: comments; dependencies: manifests, else Python imports",
    )
    paths: Strings = Field(
        default=(), description="workspace-relative files or folders; default: the run's scope"
    )
    offset: int = Field(default=0, ge=0, description="`next_offset` of the page before")
    limit: int = Field(default=50, ge=1, le=1000)


async def analyze(arguments: Analyze, context: ToolContext) -> ToolOutput:
    """One page of the analysis, worst first, as compact JSON."""
    from codexd.tools.analyze.run import run  # only here: it starts processes and knows ruff

    paths = arguments.paths or list(context.scope) or ["."]
    result = await run(context, arguments.kinds, paths)
    counts: Counter[str] = Counter(finding.severity.value for finding in result.findings)
    for kind, listed in (("outline", result.outline), ("dependencies", result.dependencies)):
        if listed:
            counts[kind] = len(listed)
    page: dict[str, Any] = {
        "findings": [],
        "total": len(result.findings) + len(result.outline) + len(result.dependencies),
        "counts": dict(counts),
        "files": result.files,
        "next_offset": None,
    }
    if result.unread:
        page["unread"] = result.unread
    if result.notes:
        page["notes"] = list(result.notes)
    room = context.max_bytes - len(compact(page).encode()) - 64
    shown = islice(entries(result), arguments.offset, arguments.offset + arguments.limit)
    position = arguments.offset
    for key, path, entry in shown:
        room -= len(compact(entry).encode()) + 3
        # One at least, so that paging gets on.
        if room < 0 and position > arguments.offset:
            break
        if key == "findings":
            page[key].append(entry)
        else:
            page.setdefault(key, {}).setdefault(path, []).append(entry)
        position += 1
    if arguments.offset <= position < page["total"]:
        page["next_offset"] = position
    return ToolOutput(compact(page))


def entries(result: Analysis) -> Iterator[tuple[str, str, Any]]:
    """Everything that pages show, in order: key, path, and the finding or `LINE TEXT`."""
    for one in result.findings:
        yield "findings", one.path, one.model_dump(mode="json", exclude_none=True)
    for key, listed in (("outline", result.outline), ("dependencies", result.dependencies)):
        for one in listed:
            yield key, one.path, f"{one.line} {one.text}"


def compact(value: Any) -> str:
    """JSON without blanks: every byte of it is somebody's token."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


ANALYZE_TOOLS = (
    Tool(
        name="analyze",
        description=(
            "Rules' findings on code, worst first: faults, security, complexity, docstrings, "
            "TODOs, untested functions; also an outline and the dependencies. Page on with "
            "`next_offset`."
        ),
        arguments=Analyze,
        effect=Effect.NONE,
        call=analyze,
    ),
)
