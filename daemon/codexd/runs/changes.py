"""What became of the files of a write's intent: the workspace shows which side of it we are on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum

import anyio.to_thread

from codexd.policy import writing
from codexd.runs.events import Change
from codexd.tools import ToolContext


class Side(StrEnum):
    """Where the files of one intent stand."""

    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"
    """Some hold what they held before, the others what they were to hold: a write was cut short."""
    ELSEWHERE = "elsewhere"
    """At least one holds something else: somebody else wrote it since."""


def sha256(data: bytes | None) -> str | None:
    """The hex digest of a file's bytes; `None` of a file that is absent."""
    return None if data is None else hashlib.sha256(data).hexdigest()


async def side_of(changes: Sequence[Change], context: ToolContext) -> Side:
    """Where the files of `changes` stand now; what a killed writer left beside them is cleared.

    Raises like `writing.read_current`.
    """
    paths = [change.path for change in changes]
    await anyio.to_thread.run_sync(lambda: writing.clear(context.root, paths))
    held = [sha256(await _read(change.path, context)) for change in changes]
    pairs = list(zip(held, changes, strict=True))
    if all(now == change.after_sha256 for now, change in pairs):
        return Side.AFTER
    if all(now == change.before_sha256 for now, change in pairs):
        return Side.BEFORE
    if all(now in (change.before_sha256, change.after_sha256) for now, change in pairs):
        return Side.BETWEEN
    return Side.ELSEWHERE


async def put_back(changes: Sequence[Change], context: ToolContext) -> tuple[str, ...]:
    """Every file holds again what it held before, all or none; the paths that differ now.

    Raises `ToolFault` where one is not as its write left it, `Denied`, `Unavailable`.
    """
    back = [
        (change.path, held, change.before)
        for change in changes
        if sha256(held := await _read(change.path, context)) == change.after_sha256
    ]
    return await anyio.to_thread.run_sync(
        lambda: writing.write_all(context.root, context.policy, back)
    )


async def _read(path: str, context: ToolContext) -> bytes | None:
    return await anyio.to_thread.run_sync(
        lambda: writing.read_current(context.root, context.policy, path)
    )
