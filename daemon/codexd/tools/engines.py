"""The two engines of `grep`: ripgrep where it is there, else Python's `re`.

Both get the same list of files and say which lines match; neither decides what is shown.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codexd.errors import ToolFault
from codexd.tools import process
from codexd.tools.interface import ToolContext
from codexd.tools.sweep import read_or_none

if TYPE_CHECKING:
    from anyio.abc import Process

SECONDS = 20.0
"""How long one search may take."""

_BATCH_PATHS = 60_000
"""Bytes of paths in one argument list."""
_BATCH_BYTES = 4_000_000
"""Bytes of files sent to the Python engine at once."""


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
