"""`grep` and `glob`: finding in files, under the read policy and the ignore rules.

Which files are searched is decided in one place (`sweep.py`), which lines match by one of two
engines. What is shown is then read through the policy again, so that a file swapped in between
shows nothing it should not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from codexd.errors import ToolFault
from codexd.tools import process
from codexd.tools.arguments import Arguments, Strings
from codexd.tools.engines import Hit, Hits, Query, by_python, by_ripgrep
from codexd.tools.interface import Effect, Tool, ToolContext, ToolOutput
from codexd.tools.results import cut_line, page
from codexd.tools.sweep import files_below, is_small, read_or_none, starts

MOST_COUNTED = 10_000
"""Matching lines of one file; there may be more."""


def _output_mode(value: Any) -> Any:
    same = {"content": "lines", "files_with_matches": "files", "count": "counts"}
    return same.get(value, value) if isinstance(value, str) else value


class Grep(Arguments):
    """Arguments of `grep`."""

    pattern: str = Field(
        min_length=1,
        max_length=2000,
        validation_alias=AliasChoices("pattern", "regex", "query"),
        description="regular expression, matched line by line",
    )
    paths: Strings = Field(
        default=(),
        validation_alias=AliasChoices("paths", "path", "directory", "target_directories"),
        description="files or folders to search; default: the scope, else the workspace",
    )
    glob: Strings = Field(
        default=(),
        validation_alias=AliasChoices("glob", "globs", "include", "include_pattern"),
        description="only files such as `*.py` or `src/**/*.{ts,tsx}`; `!tests/**` leaves out",
    )
    fixed: bool = Field(
        default=False,
        validation_alias=AliasChoices("fixed", "literal", "fixed_strings", "-F"),
        description="the pattern is plain text",
    )
    ignore_case: bool = Field(
        default=False,
        validation_alias=AliasChoices("ignore_case", "case_insensitive", "-i"),
    )
    before: int = Field(
        default=0,
        ge=0,
        le=20,
        validation_alias=AliasChoices("before", "-B"),
        description="lines of context before each match",
    )
    after: int = Field(
        default=0,
        ge=0,
        le=20,
        validation_alias=AliasChoices("after", "-A"),
        description="lines of context after each match",
    )
    context: int = Field(
        default=0,
        ge=0,
        le=20,
        validation_alias=AliasChoices("context", "context_lines", "-C"),
        description="lines of context on both sides",
    )
    output: Annotated[Literal["lines", "files", "counts"], BeforeValidator(_output_mode)] = Field(
        default="lines", validation_alias=AliasChoices("output", "output_mode")
    )
    max_results: int = Field(
        default=200,
        ge=1,
        le=2000,
        validation_alias=AliasChoices("max_results", "head_limit", "limit", "max_count"),
    )
    offset: int = Field(default=0, ge=0, le=1_000_000, description="results to skip")
    ignored: bool = Field(
        default=False,
        validation_alias=AliasChoices("ignored", "no_ignore", "include_ignored"),
        description="search files that .gitignore names as well",
    )


async def grep(asked: Grep, context: ToolContext) -> ToolOutput:
    """The lines of readable files that match, as `path:line: text`."""
    import anyio

    if "\0" in asked.pattern:
        raise ToolFault("the pattern holds a NUL character", help="binary files are not searched")
    begin = starts(asked.paths, context)
    files = await anyio.to_thread.run_sync(
        lambda: [
            path
            for path in files_below(begin, context, asked.glob, ignored=asked.ignored)
            if is_small(context.root / path)
        ],
        abandon_on_cancel=True,
    )
    wanted = asked.offset + asked.max_results + 1
    query = Query(
        asked.pattern,
        asked.fixed,
        asked.ignore_case,
        per_file={"lines": wanted, "files": 1, "counts": MOST_COUNTED}[asked.output],
        total=1_000_000 if asked.output == "counts" else wanted,
    )
    ripgrep = process.find("rg", context)
    hits = None
    if ripgrep is not None:
        hits = await by_ripgrep(ripgrep, query, files, context)
    if hits is None:
        # No ripgrep, or a pattern that only Python's `re` knows: it also says what is wrong.
        hits = await by_python(query, files, context)
    text = await anyio.to_thread.run_sync(shown, asked, hits, context, abandon_on_cancel=True)
    where = ", ".join(f"`{path}`" for path in begin) if begin != (".",) else "the workspace"
    return ToolOutput(text or f"no match in {len(files)} files of {where}")


def shown(asked: Grep, hits: Hits, context: ToolContext) -> str:
    """The page of `hits` asked for, each confirmed by reading the file under the policy."""
    pieces: list[str] = []
    wanted = asked.offset + asked.max_results
    for path, found in hits.items():
        if len(pieces) > wanted:
            break
        lines = _lines(path, context)
        seen = [hit.number for hit in found if _still_there(hit, lines)]
        if not seen:
            continue
        match asked.output:
            case "files":
                pieces.append(path)
            case "counts":
                pieces.append(f"{path}: {len(seen)}{'+' * (len(seen) == MOST_COUNTED)}")
            case "lines":
                pieces += _pieces(path, lines, seen, asked)
    more = len(pieces) > wanted
    return page(
        pieces[:wanted],
        offset=asked.offset,
        max_bytes=context.max_bytes,
        what="matching lines" if asked.output == "lines" else "matching files",
        more=more,
    )


def _lines(path: str, context: ToolContext) -> list[bytes]:
    data = read_or_none(path, context.root, context.policy)
    if data is None:
        return []
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _still_there(hit: Hit, lines: list[bytes]) -> bool:
    if hit.number > len(lines):
        return False
    return hit.line is None or lines[hit.number - 1] == hit.line


def _pieces(path: str, lines: list[bytes], seen: list[int], asked: Grep) -> list[str]:
    """One text for each matching line, with the context that no earlier one has shown."""
    before, after = max(asked.before, asked.context), max(asked.after, asked.context)
    pieces: list[str] = []
    shown = 0
    for number, following in zip(seen, [*seen[1:], len(lines) + 1], strict=True):
        first = max(shown + 1, number - before)
        last = min(number + after, following - 1)
        rows = [
            f"{path}{':' if n == number else '-'}{n}{':' if n == number else '-'} "
            + cut_line(lines[n - 1].decode("utf-8", "replace").removesuffix("\r"))
            for n in range(first, last + 1)
        ]
        if (before or after) and shown and first > shown + 1:
            rows.insert(0, "--")
        shown = last
        pieces.append("\n".join(rows))
    return pieces


# --- glob -----------------------------------------------------------------------------------


class Glob(Arguments):
    """Arguments of `glob`."""

    pattern: Strings = Field(
        min_length=1,
        validation_alias=AliasChoices("pattern", "glob_pattern", "patterns"),
        description="such as `*.py` (any depth), `src/**/*.{ts,tsx}`, `!tests/**`",
    )
    paths: Strings = Field(
        default=(),
        validation_alias=AliasChoices("paths", "path", "target_directory", "directory"),
        description="folders to look in; default: the scope, else the workspace",
    )
    newest_first: bool = Field(default=False, description="order by time of last change")
    max_results: int = Field(
        default=500, ge=1, le=5000, validation_alias=AliasChoices("max_results", "limit")
    )
    offset: int = Field(default=0, ge=0, description="results to skip")
    ignored: bool = Field(
        default=False,
        validation_alias=AliasChoices("ignored", "include_ignored", "no_ignore"),
        description="find files that .gitignore names as well",
    )


async def glob(asked: Glob, context: ToolContext) -> ToolOutput:
    """The readable files whose path matches, one a line."""
    import anyio

    def find() -> list[str]:
        found = files_below(begin, context, asked.pattern, ignored=asked.ignored)
        return sorted(found, key=_age(context.root)) if asked.newest_first else sorted(found)

    begin = starts(asked.paths, context)
    found = await anyio.to_thread.run_sync(find, abandon_on_cancel=True)
    last = asked.offset + asked.max_results
    text = page(
        found[:last],
        offset=asked.offset,
        max_bytes=context.max_bytes,
        what="files",
        more=len(found) > last,
    )
    return ToolOutput(text or f"no readable file matches {', '.join(asked.pattern)}")


def _age(root: Path) -> Callable[[str], tuple[int, str]]:
    def age(path: str) -> tuple[int, str]:
        try:
            return -(root / path).lstat().st_mtime_ns, path
        except OSError:
            return 0, path

    return age


SEARCH_TOOLS = (
    Tool(
        "grep",
        "Search the text of files with a regular expression. Answers `path:line: text`. "
        "Ignored and protected files are left out.",
        Grep,
        Effect.NONE,
        call=grep,
    ),
    Tool(
        "glob",
        "Find files by the pattern of their path. Ignored and protected files are left out.",
        Glob,
        Effect.NONE,
        call=glob,
    ),
)
