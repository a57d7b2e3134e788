"""`codebase_search`: a ranked index of the workspace's text (SQLite FTS5, bm25).

The index is brought up to date before each answer by size, time and inode of each file. It is
shared by every agent of the workspace, so it is never what decides: protected and ignored files
do not get into it, and a hit is shown only when the asking agent's own sweep finds the file, from
bytes read under its policy at that moment. What is gone or has become ignored is erased from it.
It can always be made again, and is when it is broken.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AliasChoices, Field

from codexd.errors import ToolFault, Unavailable
from codexd.policy.paths import protected, readable
from codexd.tools.arguments import Arguments, Strings
from codexd.tools.interface import Effect, Tool, ToolContext, ToolOutput
from codexd.tools.results import cut_line, page
from codexd.tools.sweep import files_below, read_or_none, selector, starts
from codexd.tools.words import words_of

if TYPE_CHECKING:
    import sqlite3

VERSION = 1
"""Of the tables and of `words_of`; an index of another version is made again."""
LINES, OVERLAP = 40, 10
"""A chunk's lines, and how many of them the next one begins with."""
LARGEST = 1_000_000
"""Bytes; larger files are data, not text that somebody wrote."""
SECONDS = 20.0
"""How long one question may spend on bringing the index up to date."""
_BATCH = 50
"""Files of one transaction: other processes wait for it."""
_SHOWN_LINES = 8
_PER_FILE = 2
_CANDIDATES = 400
_MOST_WORDS = 40

_TABLES = """
CREATE TABLE file(
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL);
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES file(id), first INTEGER NOT NULL);
CREATE INDEX chunk_of_file ON chunk(file);
CREATE VIRTUAL TABLE words USING fts5(path, body, tokenize = 'porter unicode61');
"""


class CodebaseSearch(Arguments):
    """Arguments of `codebase_search`."""

    query: str = Field(
        min_length=1,
        max_length=1000,
        validation_alias=AliasChoices("query", "question", "search"),
        description="what to find: words, identifiers, a question",
    )
    paths: Strings = Field(
        default=(),
        validation_alias=AliasChoices("paths", "path", "target_directories", "directory"),
        description="files or folders; default: the scope, else the workspace",
    )
    glob: Strings = Field(
        default=(),
        validation_alias=AliasChoices("glob", "globs", "include"),
        description="only files such as `*.py`; `!tests/**` leaves out",
    )
    max_results: int = Field(
        default=10, ge=1, le=50, validation_alias=AliasChoices("max_results", "limit", "top_k")
    )
    offset: int = Field(default=0, ge=0, le=1000, description="results to skip")


async def codebase_search(asked: CodebaseSearch, context: ToolContext) -> ToolOutput:
    """The passages that fit best, as `path:first-last` and the lines that hold the words.

    Raises `ToolFault` where SQLite has no FTS5, `Unavailable` where the index cannot be kept.
    """
    import anyio

    # A cancelled run does not wait: what the thread still writes is a cache.
    return ToolOutput(
        await anyio.to_thread.run_sync(_answer, asked, context, abandon_on_cancel=True)
    )


def _answer(asked: CodebaseSearch, context: ToolContext) -> str:
    import sqlite3

    words = list(dict.fromkeys(words_of(asked.query)))[:_MOST_WORDS]
    if not words:
        raise ToolFault("the query has no words", help="give words or identifiers")
    begin = starts(asked.paths, context)
    # The index grows by the whole workspace, whatever this question is about.
    everything = list(files_below((".",), context))
    here = set(everything if begin == (".",) else files_below(begin, context))
    here = set(filter(selector(asked.glob), here))
    try:
        try:
            passages, behind = _ask(context, everything, words, here)
        except sqlite3.DatabaseError as error:
            if not _is_broken(error):
                raise
            remove(context.cache)
            passages, behind = _ask(context, everything, words, here)
    except sqlite3.Error as error:
        if "no such module" in str(error):
            raise ToolFault("this Python's SQLite has no FTS5", help="use grep") from error
        raise Unavailable(f"the search index: {error}", help="try again, or use grep") from error
    return _shown(asked, context, passages, words, behind)


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    import sqlite3

    # Locked, read-only or full is not broken: making it again would not help.
    return not isinstance(error, sqlite3.OperationalError) or "no such table" in str(error)


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk that was found."""

    path: str
    first: int
    """Its first line."""


def _ask(
    context: ToolContext, files: Iterable[str], words: Sequence[str], here: set[str]
) -> tuple[list[Passage], int]:
    """The passages found, best first, and how many files the index is still behind."""
    with closing(_open(context.cache)) as store:
        behind = update(store, context, files)
        return list(_find(store, words, here)), behind


# --- the index ------------------------------------------------------------------------------


def place(cache: Path) -> Path:
    """Where the index of a workspace stands in its cache folder."""
    return cache / "search.db"


def remove(cache: Path | None) -> None:
    """Forget the index; the next question makes it again."""
    if cache is not None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{place(cache)}{suffix}").unlink(missing_ok=True)


def _open(cache: Path | None) -> sqlite3.Connection:
    import sqlite3

    if cache is None:
        store = sqlite3.connect(":memory:", isolation_level=None)
    else:
        try:
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            store = sqlite3.connect(place(cache), isolation_level=None, timeout=10)
        except (OSError, sqlite3.OperationalError) as error:
            raise Unavailable(f"no search index can be kept in {cache}: {error}") from error
    try:
        if cache is not None:
            store.execute("PRAGMA journal_mode = WAL")
            # It can be made again: no need to wait for the disk.
            store.execute("PRAGMA synchronous = OFF")
            store.execute("PRAGMA secure_delete = ON")
        if _version(store) != VERSION:
            store.execute("BEGIN IMMEDIATE")
            _make(store)
            store.execute("COMMIT")
    except sqlite3.Error:
        store.close()
        raise
    return store


def _version(store: sqlite3.Connection) -> int:
    return store.execute("PRAGMA user_version").fetchone()[0]


def _make(store: sqlite3.Connection) -> None:
    # Another process may have made them while we waited for the lock.
    if _version(store) == VERSION:
        return
    for table in ("words", "chunk", "file"):
        store.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _TABLES.split(";"):
        store.execute(statement)
    store.execute(f"PRAGMA user_version = {VERSION}")


def update(
    store: sqlite3.Connection,
    context: ToolContext,
    files: Iterable[str],
    *,
    seconds: float | None = None,
) -> int:
    """Bring the index up to date with `files`; how many of them there was no time for."""
    until = time.monotonic() + (SECONDS if seconds is None else seconds)
    rows = store.execute("SELECT path, stamp, id FROM file").fetchall()
    known: dict[str, tuple[str, int]] = {path: (stamp, key) for path, stamp, key in rows}
    present: set[str] = set()
    stale: list[tuple[str, str]] = []
    for path in files:
        present.add(path)
        stamp = _stamp(f"{context.root}/{path}")
        if stamp and known.get(path, ("", 0))[0] != stamp and not protected(path, writing=False):
            stale.append((path, stamp))
    # What this agent may not read another may; what it may and the sweep passes over is ignored.
    lost = [
        known[path][1]
        for path in known.keys() - present
        if readable(context.policy, path) or not _stamp(f"{context.root}/{path}")
    ]
    if lost:
        store.execute("BEGIN IMMEDIATE")
        for key in lost:
            _forget(store, key)
        # Words that were deleted are only marked so until their segments are merged.
        store.execute("INSERT INTO words(words) VALUES ('optimize')")
        store.execute("COMMIT")
    done = 0
    while done < len(stale) and time.monotonic() < until:
        store.execute("BEGIN IMMEDIATE")
        for path, stamp in stale[done : done + _BATCH]:
            _index(store, context, path, stamp)
            done += 1
            if time.monotonic() > until:
                break
        store.execute("COMMIT")
    return len(stale) - done


def _stamp(path: str) -> str:
    try:
        found = os.lstat(path)  # no Path for each of thousands of files
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"


def _forget(store: sqlite3.Connection, key: int) -> None:
    store.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM chunk WHERE file = ?)", (key,))
    store.execute("DELETE FROM chunk WHERE file = ?", (key,))
    store.execute("DELETE FROM file WHERE id = ?", (key,))


def _index(store: sqlite3.Connection, context: ToolContext, path: str, stamp: str) -> None:
    row = store.execute("SELECT id, stamp FROM file WHERE path = ?", (path,)).fetchone()
    if row is not None:
        if row[1] == stamp:
            return
        _forget(store, row[0])
    key = store.execute("INSERT INTO file(path, stamp) VALUES (?, ?)", (path, stamp)).lastrowid
    data = read_or_none(path, context.root, context.policy, largest=LARGEST)
    if data is None:
        return
    named = " ".join(words_of(path))
    for first, lines in chunks(data.decode("utf-8", "replace").split("\n")):
        body = " ".join(words_of("\n".join(lines)))
        chunk = store.execute("INSERT INTO chunk(file, first) VALUES (?, ?)", (key, first))
        store.execute(
            "INSERT INTO words(rowid, path, body) VALUES (?, ?, ?)", (chunk.lastrowid, named, body)
        )


def chunks(lines: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Pieces of `LINES` lines with the 1-based number of their first, `OVERLAP` lines shared."""
    step = LINES - OVERLAP
    for start in range(0, max(len(lines) - OVERLAP, 1), step):
        yield start + 1, lines[start : start + LINES]


def _find(store: sqlite3.Connection, words: Sequence[str], here: set[str]) -> Iterator[Passage]:
    """The best passages of the files in `here`, at most `_PER_FILE` of one, none overlapping."""
    asked = " OR ".join(f'"{word}"' for word in words)
    taken: dict[str, list[int]] = {}
    rows = store.execute(
        "SELECT file.path, chunk.first FROM words JOIN chunk ON chunk.id = words.rowid"
        " JOIN file ON file.id = chunk.file WHERE words MATCH ?"
        " ORDER BY bm25(words, 4.0, 1.0), file.path, chunk.first",
        (asked,),
    )
    found = 0
    for path, first in rows:
        others = taken.setdefault(path, [])
        near = any(abs(first - other) < LINES for other in others)
        if path not in here or near or len(others) == _PER_FILE:
            continue
        others.append(first)
        yield Passage(path, first)
        found += 1
        if found == _CANDIDATES:
            return


# --- the answer -----------------------------------------------------------------------------


def _shown(
    asked: CodebaseSearch,
    context: ToolContext,
    passages: Sequence[Passage],
    words: Sequence[str],
    behind: int,
) -> str:
    wanted = asked.offset + asked.max_results
    pieces: list[str] = []
    told: set[str] = set()
    for passage in passages:
        if len(pieces) > wanted:
            break
        # One that fits by its path alone is worth telling once.
        if piece := _piece(passage, context, set(words), needed=passage.path in told):
            pieces.append(piece)
            told.add(passage.path)
    text = page(
        pieces[:wanted],
        offset=asked.offset,
        max_bytes=context.max_bytes - 200,
        what="results",
        more=len(pieces) > wanted,
    )
    note = (
        f"\n[the index is still behind by {behind} files; asking again goes on]" if behind else ""
    )
    return (text or "nothing found; try other words, or grep") + note


def _piece(passage: Passage, context: ToolContext, words: set[str], *, needed: bool) -> str:
    """The lines of a passage around those that hold most of the words; empty where it is gone,
    or holds none of the words and they are `needed`.
    """
    data = read_or_none(passage.path, context.root, context.policy, largest=LARGEST)
    if data is None:
        return ""
    start = passage.first - 1
    lines = data.decode("utf-8", "replace").split("\n")[start : start + LINES]
    if not lines:
        return ""
    weights = [len(words.intersection(words_of(line))) for line in lines]
    if needed and not any(weights):
        return ""
    places = range(max(len(lines) - _SHOWN_LINES, 0) + 1)
    best = max(places, key=lambda at: (sum(weights[at : at + _SHOWN_LINES]), weights[at]))
    shown = lines[best : best + _SHOWN_LINES]
    number = start + best + 1
    rows = [
        f"{n}: {cut_line(line.rstrip(), 240)}"
        for n, line in enumerate(shown, number)
        if line.strip()
    ]
    return "\n".join([f"{passage.path}:{number}-{number + len(shown) - 1}", *rows])


INDEX_TOOLS = (
    Tool(
        "codebase_search",
        "Find the passages of the workspace that fit words or a question best, ranked. "
        "Ignored and protected files are left out. For exact text use grep.",
        CodebaseSearch,
        Effect.NONE,
        call=codebase_search,
    ),
)
