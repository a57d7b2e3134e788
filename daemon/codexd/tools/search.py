"""`grep` and `glob`: finding in files, under the read policy and the ignore rules.

Which files are searched is decided in one place, `policy.files.walk`; ripgrep and Python are two
engines that get the same list of files and say which lines match. What is shown is then read
through the policy again, so that a file swapped in between shows nothing it should not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from codexd.errors import CodexdError, ToolFault
from codexd.policy import Policy
from codexd.policy.files import inside, read_bytes, walk
from codexd.policy.paths import covers
from codexd.tools import process
from codexd.tools.arguments import Arguments, Strings
from codexd.tools.interface import Effect, Tool, ToolContext, ToolOutput
from codexd.tools.results import cut_line, page

if TYPE_CHECKING:
    from anyio.abc import Process

SECONDS = 20.0
"""How long one search may take."""
LARGEST = 4_000_000
"""Bytes; larger files are not searched."""
MOST_COUNTED = 10_000
"""Matching lines of one file; there may be more."""

_BATCH_PATHS = 60_000
"""Bytes of paths in one argument list."""
_BATCH_BYTES = 4_000_000
"""Bytes of files sent to the Python engine at once."""


# --- which files ----------------------------------------------------------------------------


def starts(paths: Sequence[str], context: ToolContext) -> tuple[str, ...]:
    """Where a sweep begins: the paths asked for, else the run's scope, else everything.

    Raises `Denied` for what is no path of the workspace.
    """
    wanted = paths or context.scope or (".",)
    return tuple(dict.fromkeys(inside(context.root, path) for path in wanted))


def files_below(
    paths: Sequence[str], context: ToolContext, globs: Sequence[str] = (), *, ignored: bool = False
) -> Iterator[str]:
    """The readable files at and below `paths` that `globs` select, each once.

    Raises `Denied` or `ToolFault` for a path that may not be read or is not there.
    """
    selects = selector(globs)
    seen: set[str] = set()
    for start in paths:
        for path in walk(context.root, context.policy, start, ignored=ignored):
            if path not in seen and selects(path):
                seen.add(path)
                yield path


def selector(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is selected by `globs`: by any of the plain ones and none that begin `!`.

    A glob without a slash matches the file's name at any depth, one with a slash the path from
    the workspace folder; `{a,b}` are alternatives.
    """
    wanted = [each for glob in globs if not glob.startswith("!") for each in _alternatives(glob)]
    barred = [each for glob in globs if glob.startswith("!") for each in _alternatives(glob[1:])]

    def selects(path: str) -> bool:
        return (not wanted or any(covers(glob, path) for glob in wanted)) and not any(
            covers(glob, path) for glob in barred
        )

    return selects


def _alternatives(glob: str) -> list[str]:
    glob = glob.removeprefix("./")
    spelled = list(islice(_expand(glob), 201))
    if len(spelled) > 200:
        raise ToolFault(f"`{glob}` has too many alternatives", help="use fewer braces")
    # A folder (`src/`) means what is below it; `covers` reads a path without wildcards so.
    return [
        each.lstrip("/") if "/" in each.rstrip("/") or each.endswith("/") else f"**/{each}"
        for each in spelled
    ]


def _expand(glob: str) -> Iterator[str]:
    innermost = re.search(r"\{([^{}]*,[^{}]*)\}", glob)
    if innermost is None:
        yield glob
        return
    for choice in innermost[1].split(","):
        yield from _expand(glob[: innermost.start()] + choice + glob[innermost.end() :])


# --- grep -----------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Query:
    """What an engine looks for, and when it has enough."""

    pattern: str
    fixed: bool
    ignore_case: bool
    per_file: int
    """Matching lines wanted of one file."""
    total: int
    """Matching lines wanted in all; an engine stops once it has them."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One matching line: its number, and its bytes where the engine says what it saw."""

    number: int
    line: bytes | None = None


Hits = dict[str, list[Hit]]
Engine = Callable[[Query, Sequence[str], ToolContext], "Any"]


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
            if _is_small(context.root / path)
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


def _is_small(path: Path) -> bool:
    try:
        return path.lstat().st_size <= LARGEST
    except OSError:
        return False


def read_or_none(path: str, root: Path, policy: Policy, *, largest: int = LARGEST) -> bytes | None:
    """The bytes of a text file; `None` for one that is gone, refused, too large or binary."""
    try:
        data = read_bytes(root, policy, path, limit=largest + 1)
    except (CodexdError, OSError):
        # Swept files come and go; a sweep is about those that can be read.
        return None
    return None if len(data) > largest or b"\0" in data else data


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


# --- the engines ----------------------------------------------------------------------------


async def by_ripgrep(
    program: str, query: Query, files: Sequence[str], context: ToolContext
) -> Hits | None:
    """What ripgrep finds in `files`; `None` where it cannot read the pattern."""
    import json

    hits: Hits = {}
    n_hits = 0
    rest = b""

    def take(chunk: bytes) -> bool:
        nonlocal rest, n_hits
        *whole, rest = (rest + chunk).split(b"\n")
        for row in whole:
            message = json.loads(row)
            if message["type"] == "match":
                data = message["data"]
                path = _bytes_of(data["path"]).decode("utf-8", "surrogateescape")[2:]
                line = _bytes_of(data["lines"]).removesuffix(b"\n")
                hits.setdefault(path, []).append(Hit(data["line_number"], line))
                n_hits += 1
        return n_hits < query.total

    options = (
        *("--no-config", "--json", "--no-messages", "--threads=1", "--text", "--encoding=none"),
        *("--crlf", "--ignore-case" if query.ignore_case else "--case-sensitive"),
        *(("--fixed-strings",) if query.fixed else ()),
        *(f"--max-count={query.per_file}", f"--regexp={query.pattern}", "--"),
    )
    for batch in _batches(files):
        said = process.Head(2000)
        finished = await process.run(
            [program, *options, *batch],
            cwd=context.root,
            env={"LC_ALL": "C.UTF-8"},
            seconds=SECONDS,
            take=take,
            errors=said,
        )
        if finished.timed_out:
            raise _too_slow(query)
        if finished.enough:
            break
        if finished.status == 2 and said.text:
            return None
    return hits


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for path in files:
        # `./` because a file may be called `-`, which would mean standard input.
        batch.append(f"./{path}")
        size += len(path) + 3
        if size > _BATCH_PATHS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _bytes_of(value: Mapping[str, str]) -> bytes:
    if "text" in value:
        return value["text"].encode()
    import base64

    return base64.b64decode(value["bytes"])


async def by_python(query: Query, files: Sequence[str], context: ToolContext) -> Hits:
    """What Python's `re` finds in `files`, in a process that can be stopped.

    Raises `ToolFault` for a pattern that is none, or that takes too long.
    """
    import anyio

    hits: Hits = {}
    n_hits = 0
    asked = {
        "pattern": query.pattern,
        "fixed": query.fixed,
        "ignore_case": query.ignore_case,
        "per_file": query.per_file,
    }
    try:
        with anyio.fail_after(SECONDS):
            async with _matcher() as ask:
                answer = await ask(asked, b"")
                if "error" in answer:
                    raise _bad_pattern(query.pattern, answer["error"], answer["position"])
                waiting = iter(files)
                while batch := await anyio.to_thread.run_sync(_read_batch, waiting, context):
                    sizes = [len(data) for _, data in batch]
                    answer = await ask(sizes, b"".join(data for _, data in batch))
                    for (path, _), numbers in zip(batch, answer, strict=True):
                        if numbers:
                            hits[path] = [Hit(number) for number in numbers]
                            n_hits += len(numbers)
                    if n_hits >= query.total:
                        break
    except TimeoutError as error:
        raise _too_slow(query) from error
    return hits


def _read_batch(files: Iterator[str], context: ToolContext) -> list[tuple[str, bytes]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for path in files:
        data = read_or_none(path, context.root, context.policy)
        if data is not None:
            batch.append((path, data))
            size += len(data)
        if size > _BATCH_BYTES:
            break
    return batch


@asynccontextmanager
async def _matcher() -> AsyncGenerator[Callable[[Any, bytes], Any]]:
    import json

    import anyio
    from anyio.streams.buffered import BufferedByteReceiveStream

    program = str(Path(__file__).with_name("matcher.py"))
    worker = await anyio.open_process([sys.executable, "-I", "-S", program], env={}, stderr=None)
    if worker.stdin is None or worker.stdout is None:
        raise ToolFault("the search program came without its pipes")
    to, answers = worker.stdin, BufferedByteReceiveStream(worker.stdout)

    async def ask(header: Any, body: bytes) -> Any:
        try:
            await to.send(json.dumps(header).encode() + b"\n" + body)
            return json.loads(await answers.receive_until(b"\n", 50_000_000))
        except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead) as error:
            raise ToolFault("the search program ended early", help="try again") from error

    try:
        yield ask
    finally:
        await _kill(worker)


async def _kill(worker: Process) -> None:
    import anyio

    with anyio.CancelScope(shield=True):
        if worker.returncode is None:
            worker.kill()
        await worker.aclose()


def _bad_pattern(pattern: str, why: str, position: int | None) -> ToolFault:
    if position is None:
        return ToolFault(f"`{pattern}` is no regular expression: {why}")
    pointed = f"{pattern[:position]}⟨here⟩{pattern[position:]}"
    return ToolFault(
        f"`{pattern}` is no regular expression: {why}: `{pointed}`",
        help="escape special characters, or set `fixed` for plain text",
    )


def _too_slow(query: Query) -> ToolFault:
    return ToolFault(
        f"`{query.pattern}` took more than {SECONDS:g} s",
        help="avoid nested repetition such as `(a+)+`; narrow `paths` or `glob`",
    )


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
