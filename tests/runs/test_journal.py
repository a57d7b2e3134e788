"""What is committed is there, in one chain; what was tampered with is found."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from codexd.errors import IllegalMove, Unavailable
from codexd.models import ToolCall, Usage
from codexd.runs.events import (
    Answered,
    Begun,
    Body,
    Driven,
    Ended,
    Event,
    Noted,
    Started,
    Unknown,
)
from codexd.runs.journal import open_journal
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio

STARTED = Started(root="a1", agent="reviewer", goal="look", model="offline", budget=100)
ANSWER = Answered(
    act=1, text="hello", calls=(ToolCall("c", "grep", "{}"),), usage=Usage(3, 4), charged=7
)


def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def opened(tmp_path: Path):
    return open_journal(folder(tmp_path), tmp_path / "data" / "journal.key")


async def write_three(tmp_path: Path, started: Started = STARTED) -> list[Event]:
    with opened(tmp_path) as journal:
        await journal.append("a1", 1, [started, Driven(host="h")], 0)
        await journal.append("a1", 3, [Begun(act=1, what="model", reserved=50)], 5)
        await journal.append("a1", 4, [ANSWER, Ended(status=Status.COMPLETED)], 9)
        return journal.all_events("a1")


async def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    events = await write_three(tmp_path)
    assert [event.n for event in events] == [1, 2, 3, 4, 5]
    assert events[0].body == STARTED
    assert events[3].body == ANSWER
    assert events[4].active_ms == 9


async def test_the_run_table_follows_the_events(tmp_path: Path) -> None:
    await write_three(tmp_path)
    with opened(tmp_path) as journal:
        stored = journal.stored("a1")
    assert stored is not None
    assert (stored.status, stored.spent, stored.last_n) == ("completed", 7, 5)
    assert stored.ended_at is not None


async def test_a_second_driver_of_a_run_is_fenced(tmp_path: Path) -> None:
    await write_three(tmp_path)
    with opened(tmp_path) as journal:
        with pytest.raises(IllegalMove):
            await journal.append("a1", 5, [Noted(what="plan")], 0)
        assert len(journal.all_events("a1")) == 5


async def test_one_fenced_append_does_not_hurt_the_others_of_its_batch(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        await journal.append("a1", 1, [STARTED], 0)
        refused: list[str] = []

        async def write(run: str, n: int) -> None:
            started = STARTED.model_copy(update={"root": run})
            try:
                await journal.append(run, n, [started], 0)
            except IllegalMove:
                refused.append(run)

        async with anyio.create_task_group() as group:
            for run in ["b1", "a1", "c1", "d1"]:
                group.start_soon(write, run, 1)
        assert refused == ["a1"]
        assert sorted(journal.ids()) == ["a1", "b1", "c1", "d1"]
        assert journal.verify()[0] == []


async def test_many_runs_share_one_chain(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:

        async def one(run: str) -> None:
            started = STARTED.model_copy(update={"root": run})
            await journal.append(run, 1, [started], 0)
            for n in range(2, 12):
                await journal.append(run, n, [Noted(what="plan", text=str(n))], n)

        async with anyio.create_task_group() as group:
            for index in range(40):
                group.start_soon(one, f"{index:04x}")
        faults, n_events, n_runs = journal.verify()
    assert (faults, n_events, n_runs) == ([], 440, 40)


async def test_two_hosts_on_one_file_keep_one_chain(tmp_path: Path) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        async with anyio.create_task_group() as group:
            for index, journal in enumerate([first, second] * 10):
                run = f"{index:04x}"
                started = STARTED.model_copy(update={"root": run})
                group.start_soon(journal.append, run, 1, [started], 0)
        assert first.verify()[0] == []
        assert second.verify()[1] == 20


TAMPERING: dict[str, str] = {
    "edited facts": "UPDATE event SET facts = replace(facts, 'look', 'took') WHERE seq = 1",
    "edited content": "UPDATE event SET content = '{}' WHERE seq = 4",
    "dropped": "DELETE FROM event WHERE seq = 3",
    "cut tail": "DELETE FROM event WHERE seq >= 4",
    "reordered": "UPDATE event SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END "
    "WHERE seq IN (2, 3); UPDATE event SET seq = -seq WHERE seq < 0",
    "retold time": "UPDATE event SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 5",
    "another run": "UPDATE event SET run = 'zz' WHERE seq = 5",
    "erased": "UPDATE event SET content = NULL WHERE seq = 4",
    "put in before": "INSERT INTO event SELECT 0, run, 9, kind, v, at, active_ms, facts, content, "
    "digest, hash FROM event WHERE seq = 3",
    "put in after": "INSERT INTO event SELECT 6, run, 9, kind, v, at, active_ms, facts, content, "
    "digest, hash FROM event WHERE seq = 3",
    **{
        f"{column} of another type": f"UPDATE event SET {column} = {value} WHERE seq = 3"
        for column in ("run", "n", "kind", "v", "at", "active_ms", "facts", "digest", "hash")
        for value in (["x'00ff'"] if column != "facts" else ["7"])
    },
    "digest as text": "UPDATE event SET digest = 'abc' WHERE seq = 3",
    "hash as text": "UPDATE event SET hash = 'abc' WHERE seq = 3",
}
WHERE = {"edited facts": 1, "reordered": 2, "edited content": 4, "erased": 4, "retold time": 5} | {
    "another run": 5,
    "put in before": 0,
    "put in after": 6,
}
"""The first event that is named as wrong; where nothing is said, 3."""


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_found(tmp_path: Path, what: str) -> None:
    await write_three(tmp_path)
    db = sqlite3.connect(folder(tmp_path) / "state.db", isolation_level=None)
    db.executescript(TAMPERING[what])
    db.close()
    with opened(tmp_path) as journal:
        faults = journal.verify()[0]
    assert faults[0].seq == WHERE.get(what, 3), faults


async def test_a_cut_tail_stays_found_whatever_is_written_after_it(tmp_path: Path) -> None:
    await write_three(tmp_path)
    with closing(sqlite3.connect(folder(tmp_path) / "state.db", isolation_level=None)) as db:
        db.execute("DELETE FROM event WHERE seq >= 4")
    for run in ("b1", "c1"):
        with opened(tmp_path) as journal:
            for n in range(1, 4):
                body = STARTED.model_copy(update={"root": run}) if n == 1 else Noted(what="plan")
                await journal.append(run, n, [body], 0)
            assert any("journal.head names" in fault.what for fault in journal.verify()[0])


async def test_a_lost_head_is_told(tmp_path: Path) -> None:
    await write_three(tmp_path)
    (folder(tmp_path) / "journal.head").unlink()
    with opened(tmp_path) as journal:
        assert [fault.what for fault in journal.verify()[0]] == [
            "journal.head is gone, so a cut tail would not be seen"
        ]


async def test_what_retention_took_is_in_no_file_any_more(tmp_path: Path) -> None:
    secret = "a sentence that nobody else would write"
    started = STARTED.model_copy(update={"retention": "job"})
    with opened(tmp_path) as journal:
        said = ANSWER.model_copy(update={"text": secret * 500})
        await journal.append("a1", 1, [started, Begun(act=1, what="model"), said], 0)
        await journal.erase("a1")
        assert journal.verify()[0] == []
    found = [
        path
        for path in folder(tmp_path).rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert found == []


async def test_erasing_a_conversation_leaves_the_chain_whole(tmp_path: Path) -> None:
    await write_three(tmp_path, STARTED.model_copy(update={"retention": "job"}))
    with opened(tmp_path) as journal:
        await journal.erase("a1")
        events = journal.all_events("a1")
        assert journal.verify()[0] == []
    answered = events[3]
    assert answered.erased
    assert isinstance(answered.body, Answered)
    assert (answered.body.text, answered.body.charged) == ("", 7)


async def test_retention_erases_the_oldest_conversations_of_ended_trees(tmp_path: Path) -> None:
    long = Answered(act=1, text="x" * 1000, usage=Usage(3, 4), charged=7)
    with opened(tmp_path) as journal:
        for name in ("a1", "b2", "c3", "d4"):
            start = STARTED.model_copy(update={"root": name})
            ends = [Ended(status=Status.FAILED)] if name != "d4" else []
            await journal.append(name, 1, [start, Driven(host="h"), long, *ends], 0)
        # A child goes with its tree, which has not ended.
        child = STARTED.model_copy(update={"root": "d4", "parent": "d4"})
        await journal.append("e5", 1, [child, long, Ended(status=Status.COMPLETED)], 0)

        def kept() -> set[str]:
            return {
                run for run in journal.ids() if not any(e.erased for e in journal.all_events(run))
            }

        await journal.retain(since="2000-01-01T00:00:00.000Z", n_bytes=1 << 20)
        assert kept() == {"a1", "b2", "c3", "d4", "e5"}
        await journal.retain(since="2000-01-01T00:00:00.000Z", n_bytes=2100)
        assert kept() == {"b2", "c3", "d4", "e5"}
        await journal.retain(since="2999-01-01T00:00:00.000Z", n_bytes=1 << 20)
        assert kept() == {"d4", "e5"}
        assert journal.verify()[0] == []
        [row] = [row for row in [journal.stored("c3")] if row]
        assert (row.content_bytes, row.status) == (0, "failed")


async def test_a_run_that_goes_on_has_not_ended(tmp_path: Path) -> None:
    await write_three(tmp_path)
    with opened(tmp_path) as journal:
        await journal.append("a1", 6, [Driven(host="h2")], 9)
        row = journal.stored("a1")
    assert row is not None
    assert (row.status, row.ended_at, row.host) == ("running", None, "h2")


async def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    await write_three(tmp_path)
    path = folder(tmp_path) / "state.db"
    with sqlite3.connect(path) as db:
        # What the second migration made is taken back: the file is as the first schema left it.
        db.execute("DROP INDEX run_content")
        db.execute("ALTER TABLE run DROP COLUMN content_bytes")
        db.execute("PRAGMA user_version = 1")
    with opened(tmp_path) as journal:
        row = journal.stored("a1")
        assert journal.verify()[0] == []
        assert row is not None
        assert row.content_bytes > 0
        assert len(journal.all_events("a1")) == 5


async def test_a_newer_kind_is_shown_not_driven(tmp_path: Path) -> None:
    await write_three(tmp_path)
    db = sqlite3.connect(folder(tmp_path) / "state.db", isolation_level=None)
    db.execute("UPDATE event SET kind = 'teleported' WHERE seq = 2")
    db.close()
    with opened(tmp_path) as journal:
        assert isinstance(journal.all_events("a1")[1].body, Unknown)


async def test_a_store_deleted_under_us_takes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        await journal.append("a1", 1, [STARTED], 0)
        (folder(tmp_path) / "state.db").unlink()
        with pytest.raises(Unavailable, match="deleted or replaced"):
            await journal.append("a1", 2, [Driven(host="h")], 0)


async def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        await journal.append("a1", 1, [STARTED], 0)

        def cap(db: sqlite3.Connection) -> None:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages}")

        await journal._ask(cap)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(Unavailable, match="full") as caught:
            await journal.append("a1", 2, [Noted(what="plan", text="x" * 100_000)], 0)
        assert "free some space" in caught.value.help
        assert len(journal.all_events("a1")) == 1
        assert journal.verify()[0] == []


async def test_a_schema_of_the_future_is_refused(tmp_path: Path) -> None:
    await write_three(tmp_path)
    db = sqlite3.connect(folder(tmp_path) / "state.db", isolation_level=None)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(Unavailable, match="newer codexd"), opened(tmp_path):
        pass


async def test_a_lost_key_is_named(tmp_path: Path) -> None:
    await write_three(tmp_path)
    (tmp_path / "data" / "journal.key").unlink()
    with pytest.raises(Unavailable, match="key is gone"), opened(tmp_path):
        pass


async def test_state_and_key_are_for_the_user_alone(tmp_path: Path) -> None:
    await write_three(tmp_path)
    assert folder(tmp_path).stat().st_mode & 0o777 == 0o700
    assert (folder(tmp_path) / "state.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data" / "journal.key").stat().st_mode & 0o777 == 0o600


async def test_events_survive_kill_9_and_the_host_is_known_to_be_gone(tmp_path: Path) -> None:
    program = """
import sys, anyio, os, signal
from pathlib import Path
from codexd.runs.events import Started, Driven
from codexd.runs.journal import open_journal
async def main():
    with open_journal(Path(sys.argv[1]), Path(sys.argv[2])) as journal:
        started = Started(root="a1", agent="x", goal="g", model="offline", budget=1)
        await journal.append("a1", 1, [started, Driven(host=journal.host)], 0)
        print(journal.host, flush=True)
        sys.stdin.read()
anyio.run(main)
"""
    args = [str(folder(tmp_path)), str(tmp_path / "data" / "journal.key")]
    with subprocess.Popen(  # noqa: ASYNC220  # nothing else runs in this test
        [sys.executable, "-c", program, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        host = other.stdout.readline().strip()
        with opened(tmp_path) as journal:
            assert journal.host_alive(host)
            other.kill()
            other.wait()
            assert not journal.host_alive(host)
            assert [event.body.kind for event in journal.all_events("a1")] == ["started", "driven"]
            assert journal.verify()[0] == []


async def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    await write_three(tmp_path)
    key = tmp_path / "data" / "journal.key"
    key.write_bytes(b"short")
    with pytest.raises(Unavailable, match="damaged") as caught, opened(tmp_path):
        pass
    assert str(key) in str(caught.value)


async def test_what_the_store_cannot_hold_hurts_nobody_else(tmp_path: Path) -> None:
    # Numbers beyond 64 bits, and halves of surrogate pairs, are none that SQLite can hold.
    absurd = ANSWER.model_copy(update={"charged": 10**30})
    with opened(tmp_path) as journal:
        await journal.append("a1", 1, [STARTED], 0)
        refused: list[str] = []

        async def write(run: str, *bodies: Body) -> None:
            try:
                await journal.append(run, 1, [STARTED, *bodies], 0)
            except (OverflowError, UnicodeError):
                refused.append(run)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(write, "b1")
                group.start_soon(write, "c1", absurd)
                group.start_soon(write, "\udcff")
                group.start_soon(write, "d1")
            await journal.append("a1", 2, [Driven(host="h")], 0)
        assert sorted(refused) == ["c1", "\udcff"]
        assert sorted(journal.ids()) == ["a1", "b1", "d1"]
        assert journal.verify()[0] == []


async def test_each_is_told_what_became_of_his_own(tmp_path: Path) -> None:
    """A batch with a fenced append, on a disk that has room for the small ones only."""
    with opened(tmp_path) as journal:
        await journal.append("a1", 1, [STARTED], 0)

        def cap(db: sqlite3.Connection) -> None:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages + 2}")

        await journal._ask(cap)  # pyright: ignore[reportPrivateUsage]
        told: dict[str, bool] = {}

        async def write(run: str, size: int) -> None:
            started = STARTED.model_copy(update={"root": run, "goal": "x" * size})
            try:
                await journal.append(run, 1, [started], 0)
                told[run] = True
            except (IllegalMove, Unavailable):
                told[run] = False

        entered, gate = threading.Event(), threading.Event()

        def stand(_db: sqlite3.Connection) -> None:
            entered.set()
            gate.wait(10)

        async with anyio.create_task_group() as group:
            # While the writer stands at the gate the others queue up: they are one batch.
            group.start_soon(journal._ask, stand)  # pyright: ignore[reportPrivateUsage]
            assert await anyio.to_thread.run_sync(entered.wait, 10)
            for run, size in [("b1", 1), ("a1", 1), ("c1", 1_000_000), ("d1", 1)]:
                group.start_soon(write, run, size)
            await anyio.lowlevel.checkpoint()
            gate.set()
        kept = set(journal.ids())
        assert {run for run, was_kept in told.items() if was_kept} == kept - {"a1"}
        assert told["a1"] is False
        assert journal.verify()[0] == []


async def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        pass
    with anyio.fail_after(5), pytest.raises(IllegalMove, match="closed"):
        await journal.append("a1", 1, [STARTED], 0)


async def test_the_short_form_of_an_id_tells_it_from_all_others(tmp_path: Path) -> None:
    ids = ["1234567890ab", "123456ff00ab", "1234ffff00ab", "12ffffff00ab", "ffffffff00ab"]
    with opened(tmp_path) as journal:
        for run in ids:
            await journal.append(run, 1, [STARTED.model_copy(update={"root": run})], 0)
        shorts = [journal.short(run) for run in ids]
        assert [journal.ids_like(short) for short in shorts] == [[run] for run in ids]
    assert shorts == ["1234567", "123456f", "1234f", "12ff", "ffff"]
