"""`verify` finds every record of a real journal that was edited, dropped, moved or cut short."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.house import agent, call, house, result
from tests.model_server import Scripted, by_turn

from codexd.orchestrator import Delegate
from codexd.runs.journal import open_journal

COLUMNS = ("run", "n", "kind", "v", "at", "active_ms", "facts", "content", "digest", "hash")
SCRIPT = (
    Scripted(calls=(call("read_file", path="a.txt"), call("read_file", path="none.txt"))),
    Scripted(calls=(call("report_finding", path="a.txt", line=1, message="alpha"),)),
    Scripted(text=result("seen")),
)


@dataclass(frozen=True)
class Store:
    """The journal of real runs."""

    state: Path
    key: Path
    whole: bytes
    """The database as it was written."""
    n_events: int


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("house")

    async def live() -> tuple[Path, Path, int]:
        async with house(folder, by_turn(SCRIPT), agent("worker")) as here:
            await here.together(*(Delegate(agent="worker", goal=goal) for goal in ("one", "two")))
            folders = here.codexd.config.folders
            return folders.state, folders.data / "journal.key", here.journal.verify()[1]

    state, key, n_events = anyio.run(live)
    return Store(state, key, (state / "state.db").read_bytes(), n_events)


def faults_after(store: Store, tamper: Callable[[sqlite3.Connection], object]) -> list[str]:
    """What `verify` says once `tamper` was at the database."""
    path = store.state / "state.db"
    for leftover in store.state.glob("state.db-*"):
        leftover.unlink()
    path.write_bytes(store.whole)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        tamper(db)
    with open_journal(store.state, store.key) as journal:
        return [fault.what for fault in journal.verify()[0]]


settled = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_what_nobody_touched_is_whole(store: Store) -> None:
    assert faults_after(store, lambda db: None) == []
    assert store.n_events > 20


@settled
@given(data=st.data())
def test_an_edited_record_is_found(store: Store, data: st.DataObject) -> None:
    seq = data.draw(st.integers(1, store.n_events), "seq")
    column = data.draw(st.sampled_from(COLUMNS), "column")
    changed: list[bool] = []

    def edit(db: sqlite3.Connection) -> None:
        before: Any
        after: Any
        select = f"SELECT {column} FROM event WHERE seq = ?"
        before = db.execute(select, (seq,)).fetchone()[0]
        if isinstance(before, int):
            after = before + data.draw(st.integers(-1000, 1000).filter(bool), "added")
        elif before is None:
            after = data.draw(st.binary(), "put in")
        else:
            at = data.draw(st.integers(0, len(before)), "at")
            length = data.draw(st.integers(0, len(before) - at), "length")
            text: str = data.draw(st.text("09az{}", max_size=8), "new")
            new: Any = text if isinstance(before, str) else text.encode()
            after = before[:at] + new + before[at + length :]
        try:
            db.execute(f"UPDATE event SET {column} = ? WHERE seq = ?", (after, seq))
        except sqlite3.IntegrityError:  # two events of one run with one number
            return
        changed.append(db.execute(select, (seq,)).fetchone()[0] != before)

    faults = faults_after(store, edit)
    assume(changed == [True])
    assert faults


@settled
@given(data=st.data())
def test_dropped_records_are_found(store: Store, data: st.DataObject) -> None:
    n = store.n_events
    dropped = data.draw(st.sets(st.integers(1, n), min_size=1), "dropped")
    faults = faults_after(
        store,
        lambda db: db.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq in dropped]),
    )
    assert faults


@settled
@given(data=st.data())
def test_a_cut_tail_is_found(store: Store, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, store.n_events), "first")
    assert faults_after(store, lambda db: db.execute("DELETE FROM event WHERE seq >= ?", (first,)))


@settled
@given(data=st.data())
def test_reordered_records_are_found(store: Store, data: st.DataObject) -> None:
    n = store.n_events
    order = data.draw(st.permutations(range(1, n + 1)), "order")
    assume(order != list(range(1, n + 1)))

    def reorder(db: sqlite3.Connection) -> None:
        db.execute("UPDATE event SET seq = -seq")
        db.executemany(
            "UPDATE event SET seq = ? WHERE seq = ?",
            [(to, -seq) for seq, to in enumerate(order, start=1)],
        )

    assert faults_after(store, reorder)
