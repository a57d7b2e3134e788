"""The durable store of events: one SQLite file a workspace, one writer thread, one hash chain.

What queued while the last commit was under way is the next commit: many runs share one fsync.
An event is committed before anyone sees it and before the act that it announces.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from codexd.errors import IllegalMove, Unavailable
from codexd.runs import chain
from codexd.runs.events import (
    Answered,
    Body,
    Done,
    Driven,
    Encoded,
    Ended,
    Event,
    Lost,
    Noted,
    Started,
    encode,
)
from codexd.runs.store import FOLDER_HELP, SQL, Store, connect, migrate, now, unavailable

HEAD_SIZE = 20 + 1 + 64 + 1
"""Bytes of a line of `journal.head`: a sequence number and a hash."""


@dataclass(slots=True)
class _Append:
    run: str
    first_n: int
    bodies: Sequence[Body]
    encoded: Sequence[Encoded]
    active_ms: int
    at: str


@dataclass(slots=True)
class _Job:
    work: _Append | Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    fault: Exception | None = None


class Journal(Store):
    """The journal of one workspace, opened for reading and writing by one host.

    Open with `open_journal`.
    """

    def __init__(self, folder: Path, key: bytes, host: str) -> None:
        super().__init__(folder / "state.db")
        self.host = host
        self._head_path = folder / "journal.head"
        self._key = key
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._head_fd: int | None = None
        self._closed = False
        self._inode = self.path.stat().st_ino
        self._thread = threading.Thread(target=self._write, name="codexd-journal", daemon=True)
        self._thread.start()

    async def append(
        self, run: str, first_n: int, bodies: Sequence[Body], active_ms: int
    ) -> tuple[Event, ...]:
        """Commit `bodies` as events `first_n`… of `run`, all or none, and give them back.

        Raises `IllegalMove` where another driver wrote those numbers, `Unavailable` where the
        store did not take them: then nothing of it happened.
        """
        encoded = [encode(body) for body in bodies]
        return await self._ask(_Append(run, first_n, bodies, encoded, active_ms, now()))

    async def erase(self, run: str) -> None:
        """Take the conversation of `run` out of the store; facts and chain stay."""
        await self._ask(lambda db: _erase(db, run))

    async def retain(self, *, since: str, n_bytes: int) -> None:
        """Take out of the store the conversations of trees that ended before `since` (RFC 3339),
        and of the oldest, until at most `n_bytes` are kept. Each run says so; facts and chain stay.
        """
        kept = await anyio.to_thread.run_sync(self.kept, since, n_bytes)
        size = sum(n for _, n, _ in kept)
        for run, n, ended_at in kept:
            if ended_at >= since and size <= n_bytes:
                break
            last = (await anyio.to_thread.run_sync(self.all_events, run))[-1]
            said = Noted(what="erased", text="its conversation was erased by the store's retention")
            with suppress(IllegalMove):  # somebody resumes it just now
                await self.append(run, last.n + 1, [said], last.active_ms)
                await self.erase(run)
            size -= n

    async def approve(self, digest: str, what: str, scope: str, by: str) -> None:
        """Keep an approval for good."""
        row = (digest, what, scope, now(), by)
        await self._ask(lambda db: db.execute(SQL["insert_approval"], row))

    async def release(self, root: str) -> None:
        """Have the runs of a tree that have not ended be nobody's: they can be resumed."""
        await self._ask(lambda db: db.execute(SQL["release"], (root,)))

    async def _ask(self, work: _Append | Callable[[sqlite3.Connection], Any]) -> Any:
        if self._closed:
            raise IllegalMove("the journal is closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, future))
        return await future

    def close(self) -> None:
        """Write what is queued, then end the writer thread."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        if self._head_fd is not None:
            os.close(self._head_fd)

    # The writer thread.

    def _write(self) -> None:
        db: sqlite3.Connection | None = None
        ending = False
        while not ending:
            batch: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                batch.append(job)
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            ending = job is None
            if batch:
                try:
                    db = db or connect(self.path)
                except sqlite3.Error as error:
                    for job in batch:
                        job.fault = unavailable(self.path, error)
                else:
                    self._commit(db, batch)
                _tell(batch)
        if db is not None:
            db.close()

    def _commit(self, db: sqlite3.Connection, batch: list[_Job]) -> None:
        """Do the whole batch in one transaction; where a job cannot be done, each in its own."""
        try:
            self._transact(db, batch)
        except Exception as error:  # noqa: BLE001  # told to who asked; no job may end the thread
            fault = _told(self.path, error)
            if isinstance(fault, Unavailable) or len(batch) == 1:
                for job in batch:
                    job.fault = fault
                return
            for job in batch:
                self._commit(db, [job])

    def _transact(self, db: sqlite3.Connection, batch: list[_Job]) -> None:
        # SQLite goes on writing into a deleted file without an error.
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = 0
        if inode != self._inode:
            raise Unavailable(
                f"the journal was deleted or replaced while runs went on: {self.path}",
                help="what was found until then went with it; nothing more was begun: run it again",
                lasting=True,
            )
        db.execute("BEGIN IMMEDIATE")
        try:
            head: tuple[int, bytes] = db.execute(SQL["head"]).fetchone() or (0, chain.GENESIS)
            before = head
            for job in batch:
                if isinstance(job.work, _Append):
                    job.result, head = self._insert(db, job.work, head)
                else:
                    job.work(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if head != before:
            self._write_head(db, *head)

    def _write_head(self, db: sqlite3.Connection, seq: int, digest: bytes) -> None:
        """Write down the chain's last link outside the database, where a cut tail shows.

        It takes the place of the one before. One that is not in the database any more is left
        to stand, for `verify` to find, and the new one goes below it.
        """
        # One write of one length over the last one: whoever dies here leaves the old or the new.
        # The events are committed; a disk that is full now makes the check weaker, not them false.
        with suppress(OSError):
            if self._head_fd is None:
                flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
                self._head_fd = os.open(self._head_path, flags, 0o600)
            at = max(0, os.fstat(self._head_fd).st_size - 1) // HEAD_SIZE * HEAD_SIZE
            last = os.pread(self._head_fd, HEAD_SIZE, at)
            if len(last) == HEAD_SIZE:
                known, hash = _head(last)
                if db.execute(SQL["hash"], (known,)).fetchone() != (hash,):
                    at += HEAD_SIZE
            os.pwrite(self._head_fd, f"{seq:020} {digest.hex()}\n".encode(), at)

    def _read_heads(self) -> list[tuple[int, bytes]]:
        """What `_write_head` wrote down; `(0, b"")` for what cannot be read."""
        try:
            return [_head(line) for line in self._head_path.read_bytes().splitlines()]
        except FileNotFoundError:
            return []
        except OSError:
            return [(0, b"")]

    def _insert(
        self, db: sqlite3.Connection, work: _Append, head: tuple[int, bytes]
    ) -> tuple[tuple[Event, ...], tuple[int, bytes]]:
        seq, previous = head
        events: list[Event] = []
        rows: list[tuple[Any, ...]] = []
        for n, (body, part) in enumerate(
            zip(work.bodies, work.encoded, strict=True), start=work.first_n
        ):
            seq += 1
            row = (seq, work.run, n, part.kind, part.v, work.at, work.active_ms)
            previous = chain.link(self._key, previous, row, part.digest)
            rows.append((*row, part.facts, part.content, part.digest, previous))
            events.append(Event(seq, work.run, n, work.at, work.active_ms, body, previous.hex()))
        db.executemany(SQL["insert_event"], rows)
        _project(db, work)
        return tuple(events), (seq, previous)

    # Hosts.

    def host_alive(self, host: str | None) -> bool:
        """Whether the process that drives as `host` holds its lock."""
        if host == self.host:
            return True
        path = next(iter(self.column("host_lock", host)), None) if host else None
        if path is None:
            return False
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def clear_dead(self) -> list[str]:
        """The ids of hosts that were killed, each given once: their lock files are gone then."""
        dead: list[str] = []
        for path in (self.path.parent / "hosts").glob("*.lock"):
            with suppress(OSError):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    dead.append(path.stem)
                finally:
                    os.close(fd)
        return dead

    # The chain.

    def verify(self) -> tuple[list[chain.Fault], int, int]:
        """(faults of the chain, number of events, number of runs)."""
        heads = self._read_heads()
        with self.reading() as db:
            db.execute("BEGIN")
            n_events: int = db.execute("SELECT count(*) FROM event").fetchone()[0]
            n_runs: int = db.execute("SELECT count(DISTINCT run) FROM event").fetchone()[0]
            return chain.verify(db, self._key, heads), n_events, n_runs


@contextmanager
def open_journal(folder: Path, key_path: Path) -> Generator[Journal]:
    """The journal in `folder`, made where there is none; this process is a host while it is open.

    Raises `Unavailable` where folder, key or database cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        hosts = folder / "hosts"
        hosts.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the state folder cannot be made: {folder}: {error.strerror}", help=FOLDER_HELP
        ) from error
    path = folder / "state.db"
    key = chain.load_key(key_path, may_make=not path.exists())
    host, lock_path, lock = _new_host(hosts)
    try:
        try:
            with closing(connect(path)) as db:
                migrate(db, path)
                db.execute(
                    SQL["insert_host"], (host, os.getpid(), _boot_id(), now(), str(lock_path))
                )
        except sqlite3.Error as error:
            raise unavailable(path, error) from error
        journal = Journal(folder, key, host)
        try:
            yield journal
        finally:
            journal.close()
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(lock)


def _new_host(hosts: Path) -> tuple[str, Path, int]:
    """(id, lock file, descriptor that holds the lock) of this process as a host."""
    while True:
        host = secrets.token_hex(6)
        path = hosts / f"{host}.lock"
        try:
            lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}", help=FOLDER_HELP) from error
        if os.fstat(lock).st_nlink:
            return host, path, lock
        # Somebody took it for that of a dead host before it was locked.
        os.close(lock)


def _erase(db: sqlite3.Connection, run: str) -> None:
    db.execute(SQL["erase"], (run,))
    db.execute(SQL["erased"], (run,))


def _project(db: sqlite3.Connection, work: _Append) -> None:
    """Bring the run's row up to date with the events just written."""
    spent = uncertain = 0
    status = host = ended_at = None
    for body in work.bodies:
        match body:
            case Started():
                row = (work.run, body.root, body.parent, body.agent, body.goal, work.at)
                db.execute(SQL["insert_run"], row)
            case Driven():
                host, status, ended_at = body.host, "running", None
            case Answered():
                spent += body.charged
                uncertain += body.uncertain
            case Lost():
                spent += body.charged
                uncertain += body.charged
            case Done():
                spent += body.spent
                uncertain += body.uncertain
            case Ended():
                status, ended_at = body.status.value, work.at
            case _:
                pass
    last_n = work.first_n + len(work.bodies) - 1
    n_bytes = sum(len(part.content or b"") for part in work.encoded)
    row = (last_n, spent, uncertain, status, ended_at, host, n_bytes, work.run)
    db.execute(SQL["update_run"], row)


def _head(line: bytes) -> tuple[int, bytes]:
    try:
        seq, _, hash = line.decode().strip().partition(" ")
        return int(seq), bytes.fromhex(hash)
    except ValueError:
        return 0, b""


def _tell(batch: list[_Job]) -> None:
    """Hand the results over to the event loop, in one call."""

    def resolve() -> None:
        for job in batch:
            if job.future.cancelled():
                continue
            if job.fault is not None:
                job.future.set_exception(job.fault)
            else:
                job.future.set_result(job.result)

    try:
        batch[0].future.get_loop().call_soon_threadsafe(resolve)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _told(path: Path, error: Exception) -> Exception:
    """What the one who asked is told of `error`."""
    match error:
        case sqlite3.IntegrityError():
            return IllegalMove("another host drives this run")
        case sqlite3.Error():
            return unavailable(path, error)
        case OSError():
            return Unavailable(f"{error.filename}: {error.strerror}")
        case _:
            return error


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
