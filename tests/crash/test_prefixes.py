"""Whatever part of a journal is there, from its beginning, is a legal state and can be resumed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash.harness import COMMAND, Yard, answer
from tests.model_server import ModelServer

from codexd.orchestrator import Orchestrator, Resume
from codexd.runs.events import Ended
from codexd.runs.run import replay
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio


def cut(state: Path, n_events: int) -> None:
    """Leave the first events of the journal in `state`, and what its projection says of them."""
    (state / "journal.head").unlink(missing_ok=True)
    with closing(sqlite3.connect(state / "state.db")) as db, db:
        db.execute("DELETE FROM event WHERE seq > ?", (n_events,))
        begun = "SELECT run FROM event WHERE kind = 'started'"
        db.execute(f"DELETE FROM run WHERE id NOT IN ({begun})")
        last = "SELECT max(n) FROM event WHERE event.run = run.id"
        ended = "SELECT run FROM event WHERE kind = 'ended'"
        db.execute(f"UPDATE run SET last_n = ({last})")
        db.execute(f"UPDATE run SET status = 'running', ended_at = NULL WHERE id NOT IN ({ended})")


async def test_every_prefix_of_a_journal_folds_and_resumes_to_an_end(tmp_path: Path) -> None:
    async with ModelServer(answer) as server:
        yard = Yard(tmp_path / "whole", server, "prefixes")
        done = await yard.codexd(*COMMAND)
        assert done.returncode == 0, done.stderr
        n_events = len(yard.events())
        assert n_events > 60
        for n in range(1, n_events, 3):
            copy = tmp_path / f"first-{n}"
            shutil.copytree(tmp_path / "whole", copy)
            # The workspace's id is that of its place: the state moves with it.
            async with Orchestrator.open(copy / "work", env=yard.env_in(copy)) as codexd:
                state = codexd.config.folders.state
            [before] = [path for path in state.parent.iterdir() if path != state]
            shutil.rmtree(state)
            before.rename(state)
            cut(state, n)
            async with Orchestrator.open(copy / "work", env=yard.env_in(copy)) as codexd:
                [root] = await codexd.runs()
                assert root.status is Status.INTERRUPTED
                view = await codexd.resume(Resume())
                journal = codexd._host.journal  # pyright: ignore[reportPrivateUsage]
                runs = [replay(journal.all_events(run)) for run in journal.ids()]
                assert not journal.verify()[0]
            assert view.status is Status.COMPLETED, (n, view)
            for run in runs:
                assert run is not None
                assert isinstance(run.ended, Ended), (n, run.started.goal)
                assert not run.in_flight
            shutil.rmtree(copy)
