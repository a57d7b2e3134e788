"""Putting back what the runs of a tree wrote, from the bytes kept with each write's intent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio.to_thread

from codexd.errors import Source
from codexd.policy import Grant, Layer, writing
from codexd.runs.changes import sha256
from codexd.runs.events import Begun, Change, Done, Event
from codexd.tools import ToolContext


@dataclass(slots=True)
class Written:
    """One file that a tree wrote, over all its writes."""

    before: bytes | None
    """What it held before the first."""
    after: set[str | None] = field(default_factory=set[str | None])
    """The digests that it may have as the tree left it: several where the last write has no
    outcome."""


def written(events: Iterable[Event]) -> dict[str, Written]:
    """By path, what the events of a tree, in the order of the store, did to files."""
    events = list(events)
    outcomes = {(e.run, e.body.act): e.body for e in events if isinstance(e.body, Done)}
    files: dict[str, Written] = {}
    for event in events:
        body = event.body
        if not isinstance(body, Begun):
            continue
        done = outcomes.get((event.run, body.act))
        if done is not None and done.is_error:
            continue
        for change in body.changes:
            if done is not None and change.after_sha256 and change.path not in done.wrote:
                continue  # it was proposed to whoever had the file open, and not written
            _note(files, change, sure=done is not None)
    return files


def _note(files: dict[str, Written], change: Change, *, sure: bool) -> None:
    file = files.setdefault(change.path, Written(change.before, {change.before_sha256}))
    if sure:
        file.after.clear()
    file.after.add(change.after_sha256)


@dataclass(frozen=True, slots=True)
class Back:
    """What putting back would do, or did."""

    restored: tuple[str, ...]
    deleted: tuple[str, ...]
    conflicts: tuple[str, ...]


async def put_back(files: Mapping[str, Written], context: ToolContext) -> Back:
    """Every file holds what it held before the tree, or, with a conflict, none was touched.

    Raises `Denied`, `ToolFault` where one changed just now, `Unavailable` where the disk fails.
    """
    # A person asks, for files that the tree was allowed to write: each is granted by its name.
    here = Source("<undo>")
    grants = (Grant("**", here), *(Grant(path, here) for path in files))
    policy = (Layer("undo", here, read=grants, write=grants),)

    def act() -> Back:
        due: list[tuple[str, bytes | None, bytes | None]] = []
        conflicts: list[str] = []
        for path, file in files.items():
            held = writing.read_current(context.root, policy, path)
            if held == file.before:
                continue
            if sha256(held) in file.after:
                due.append((path, held, file.before))
            else:
                conflicts.append(path)
        if conflicts:
            return Back((), (), tuple(conflicts))
        writing.write_all(context.root, policy, due)
        return Back(_paths(due, deleted=False), _paths(due, deleted=True), ())

    return await anyio.to_thread.run_sync(act)


def _paths(
    due: Sequence[tuple[str, bytes | None, bytes | None]], *, deleted: bool
) -> tuple[str, ...]:
    return tuple(path for path, _, after in due if (after is None) is deleted)
