"""The file that the journal stands in: its schema, how it is read, what its faults mean."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codexd.errors import Unavailable
from codexd.runs.events import Event, Unknown, decode

_SECTIONS = re.split(
    r"^-- (migration|query): (\w+)\n", Path(__file__).with_name("journal.sql").read_text("utf-8"),
    flags=re.MULTILINE,
)  # fmt: skip
_NAMED = list(zip(_SECTIONS[1::3], _SECTIONS[2::3], _SECTIONS[3::3], strict=True))
MIGRATIONS = [text for kind, _, text in _NAMED if kind == "migration"]
SQL = {name: text for kind, name, text in _NAMED if kind == "query"}

LEAST_FREE = 65_536
"""Bytes that SQLite needs beside its file before it can read or write anything."""
FOLDER_HELP = "free some space, or set XDG_STATE_HOME to a folder that can be written"


def now() -> str:
    """This instant, RFC 3339 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the `run` table."""

    id: str
    root: str
    parent: str | None
    agent: str
    goal: str
    status: str
    host: str | None
    last_n: int
    spent: int
    uncertain: int
    started_at: str
    ended_at: str | None
    content_bytes: int
    """Of its conversation, as far as it is kept."""


class Store:
    """A journal's file, read.

    Reading takes a connection of its own each time, in the caller's thread; callers on an event
    loop use `anyio.to_thread`. Raises `Unavailable` where the file does not answer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def kept(self, since: str, n_bytes: int) -> list[tuple[str, int, str]]:
        """(run, bytes of its conversation, when its tree ended), oldest first.

        None where all ended after `since` and keep at most `n_bytes` together.
        """
        with self.reading() as db:
            size, oldest = db.execute(SQL["keeps"]).fetchone()
            if not size or (oldest >= since and size <= n_bytes):
                return []  # as nearly always, and the list would be as long as the store is old
            return db.execute(SQL["kept"]).fetchall()

    def events_after(self, seq: int, *, limit: int = 500) -> list[Event]:
        """The next events of all runs after `seq`, a page of them."""
        with self.reading() as db:
            rows = db.execute(SQL["events"], (seq, limit)).fetchall()
        return [event_of(row) for row in rows]

    def seq_before(self, run: str) -> int:
        """The number of the last event before a run's first."""
        return self.column("first_seq", run)[0] - 1

    def all_events(self, run: str) -> list[Event]:
        """Every event of one run."""
        with self.reading() as db:
            rows = db.execute(SQL["events_of_run"], (run,)).fetchall()
        return [event_of(row) for row in rows]

    def roots(self, limit: int) -> list[str]:
        """Ids of the newest root runs, newest first."""
        return self.column("roots", limit)

    def children(self, run: str) -> list[str]:
        """Ids of a run's children, in the order in which they began."""
        return self.column("children", run)

    def ids_like(self, start: str) -> list[str]:
        """Ids that begin so (at most nine)."""
        return self.column("like", start)

    def short(self, run: str) -> str:
        """The shortest start of a run's id, 4 digits or more, that no other run shares."""
        # Of all ids the two next to it share the most with it.
        beside = self.column("beside", run)
        length = 4
        while length < len(run) and any(other.startswith(run[:length]) for other in beside):
            length += 1
        return run[:length]

    def ids(self) -> list[str]:
        """All ids."""
        return self.column("ids")

    def stored(self, run: str) -> Stored | None:
        """The row of a run."""
        with self.reading() as db:
            row = db.execute(SQL["run"], (run,)).fetchone()
        return Stored(*row) if row else None

    def approved(self, digest: str) -> str | None:
        """The scope of an approval kept for good, or `None`."""
        return next(iter(self.column("approval", digest)), None)

    def pid_of(self, host: str | None) -> int | None:
        """The process that drives, or drove, as `host`."""
        return next(iter(self.column("host_pid", host)), None)

    def column(self, query: str, *values: object) -> list[Any]:
        """The first column of what a named query gives."""
        with self.reading() as db:
            return [row[0] for row in db.execute(SQL[query], values)]

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection for reading, for the length of the block."""
        try:
            with closing(existing(self.path)) as db:
                yield db
        except sqlite3.Error as error:
            raise unavailable(self.path, error) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection for writing; the file is made where there is none."""
    db = sqlite3.connect(path, timeout=10, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")  # what retention takes is not left in the file
    return db


def existing(path: Path) -> sqlite3.Connection:
    """A connection for reading; a file that is gone is not made anew."""
    uri = f"{path.as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None)
    # It answers one question, in any thread: megabytes of pages in each would stay with that.
    db.execute("PRAGMA cache_size = -256")
    return db


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date. Raises `Unavailable` for one of the future."""
    done: int = db.execute("PRAGMA user_version").fetchone()[0]
    if done > len(MIGRATIONS):
        raise Unavailable(
            f"{path} was written by a newer codexd (schema {done}, known {len(MIGRATIONS)})",
            help="use that version, or move the file away to begin a new journal",
        )
    for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
        db.execute("BEGIN IMMEDIATE")
        # Another process may have been first while we waited for the lock.
        if db.execute("PRAGMA user_version").fetchone()[0] < number:
            for statement in _statements(script):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    path.chmod(0o600)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def event_of(row: tuple[Any, ...]) -> Event:
    """The event that a row of the table holds; one that was tampered with is `Unknown`."""
    seq, run, n, kind, v, at, active_ms, facts, content, digest, written = row
    try:
        body = decode(kind, v, facts, content)
    except (ValueError, TypeError):  # `chain.verify` says where
        body = Unknown(name=f"{kind} v{v}, damaged")
    erased = content is None and len(digest) > 32
    hash = written.hex() if isinstance(written, bytes) else str(written)
    return Event(seq, run, n, at, active_ms, body, hash, erased)


def unavailable(path: Path, error: sqlite3.Error) -> Unavailable:
    """What SQLite's fault means to people, and what they can do."""
    helps = {
        "SQLITE_FULL": "free some space: nothing was begun that is not in the journal",
        "SQLITE_READONLY": "make it writable, or set XDG_STATE_HOME to a folder that is",
        "SQLITE_BUSY": "another program holds the file; end it, then try again",
        "SQLITE_CORRUPT": "the file is damaged; move it away to begin a new journal",
        "SQLITE_NOTADB": "the file is damaged; move it away to begin a new journal",
    }
    name = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")
    said = str(error)
    # On a full disk SQLite cannot always make the files beside its own, and names that alone.
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _is_full(path.parent):
        name, said = "SQLITE_FULL", "the disk is full"
    family = next((known for known in helps if name.startswith(known)), "")
    return Unavailable(
        f"the journal cannot be used: {path}: {said}", help=helps.get(family, FOLDER_HELP)
    )


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False
