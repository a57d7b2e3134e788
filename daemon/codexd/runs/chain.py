"""The hash chain over a journal: what makes it tamper-evident, and what finds tampering."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from codexd.errors import Unavailable

GENESIS = b"\0" * 32
_KEY_HELP = "mend its permissions, or set XDG_DATA_HOME to a folder that can be written"


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the chain does not hold."""

    seq: int
    what: str


def load_key(path: Path, *, may_make: bool) -> bytes:
    """The journal's key (32 bytes); made, for the user alone to read, where there is none.

    It stands outside the state folder, so that a copy of that folder cannot be rewritten whole.
    Raises `Unavailable` where it cannot be read or made, or is missing and `may_make` is false.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        if not may_make:
            raise Unavailable(
                f"the journal's key is gone: {path}",
                help="put it back from a backup; or move the state folder away to begin a new one",
            ) from None
    except OSError as error:
        raise Unavailable(
            f"the journal's key cannot be read: {path}: {error.strerror}", help=_KEY_HELP
        ) from error
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(mine, path)  # the first of two processes wins, and both read what it wrote
        except FileExistsError:
            pass
        finally:
            mine.unlink()
        return _read(path)
    except OSError as error:
        raise Unavailable(
            f"the journal's key cannot be made: {path}: {error.strerror}", help=_KEY_HELP
        ) from error


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != 32:
        raise Unavailable(
            f"the journal's key is damaged: {path} has {len(key)} bytes, not 32",
            help="put it back from a backup; or move it and the state folder away to begin anew",
        )
    return key


Row = tuple[int, str, int, str, int, str, int]
"""An event's seq, run, n, kind, v, at and active_ms."""


def link(key: bytes, previous: bytes, row: Row, digest: bytes) -> bytes:
    """The hash of one event: it vouches for the event and for all that came before."""
    text = json.dumps([*row, digest.hex()], separators=(",", ":"))
    return hmac.digest(key, previous + text.encode(), "sha256")


def verify(db: sqlite3.Connection, key: bytes, heads: Sequence[tuple[int, bytes]]) -> list[Fault]:
    """Where the chain does not hold; empty where it is whole.

    Finds an edited, dropped or reordered record always, and a cut tail by `heads` (sequence
    numbers and hashes written down outside the database). A whole journal rewritten by a holder
    of the key is not found.
    """
    faults: list[Fault] = []
    previous, last = GENESIS, 0
    named = dict(heads)
    erasable: set[str] = set()
    gone: list[tuple[str, Fault]] = []
    for row in db.execute("SELECT * FROM event ORDER BY seq"):
        seq, run, _, kind, *_, facts, content, digest, written = row
        # What was tampered with may be of any type.
        digest = digest if isinstance(digest, bytes) else b""
        written = written if isinstance(written, bytes) else b""
        if seq < 1:
            faults.append(Fault(seq, f"event {seq} was put in"))
            continue
        if seq != last + 1:
            one, many = f"event {last + 1} is missing", f"events {last + 1}–{seq - 1} are missing"
            faults.append(Fault(last + 1, one if seq == last + 2 else many))
        if _sha256(facts) != digest[:32]:
            faults.append(Fault(seq, f"the facts of event {seq} ({kind} of run {run}) were edited"))
        if kind == "started" and _may_be_erased(facts):
            erasable.add(run)
        if content is not None and _sha256(content) != digest[32:]:
            faults.append(Fault(seq, f"the content of event {seq} ({kind}) was edited"))
        if kind == "noted" and _says_erased(facts):
            erasable.add(run)
        if content is None and len(digest) > 32:
            text = f"the content of event {seq} ({kind}) is gone, and its run keeps it for good"
            gone.append((run, Fault(seq, text)))
        if seq == last + 1 and not _follows(key, previous, row[:7], digest, written):
            faults.append(Fault(seq, f"event {seq} ({kind} of run {run}) breaks the chain"))
        if named.pop(seq, written) != written:
            faults.append(Fault(seq, f"event {seq} is not the one that journal.head names"))
        previous, last = written, seq
    faults += [fault for run, fault in gone if run not in erasable]
    for seq in sorted(named):
        what = f"the tail was cut: journal.head names event {seq}"
        if not seq:
            what = "journal.head is damaged, so a cut tail would not be seen"
        faults.append(Fault(last, what))
    if last and not heads:
        faults.append(Fault(last, "journal.head is gone, so a cut tail would not be seen"))
    return faults


def _follows(key: bytes, previous: bytes, row: Row, digest: bytes, written: bytes) -> bool:
    try:
        return link(key, previous, row, digest) == written
    except TypeError:  # bytes where a text or a number was written
        return False


def _may_be_erased(started: bytes | str) -> bool:
    """Whether retention may take the conversation of the run that began so."""
    with suppress(ValueError, TypeError, AttributeError):
        return json.loads(started).get("retention", "permanent") != "permanent"
    return False


def _says_erased(noted: bytes | str) -> bool:
    """Whether the store's own retention took the conversation, and wrote that down."""
    with suppress(ValueError, TypeError, AttributeError):
        return json.loads(noted).get("what") == "erased"
    return False


def _sha256(stored: object) -> bytes:
    return hashlib.sha256(stored if isinstance(stored, bytes) else str(stored).encode()).digest()
