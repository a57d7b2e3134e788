"""Root runs in one process, whoever asked for them."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from tests.house import call, house, reading_on, result
from tests.model_server import Scripted

from codexd.errors import IllegalMove
from codexd.orchestrator import Delegate
from codexd.orchestrator.orders import order_of
from codexd.runs import start
from codexd.runs.view import Status

pytestmark = pytest.mark.anyio


async def test_a_run_that_is_driven_here_is_not_driven_twice(tmp_path: Path) -> None:
    read = Scripted(calls=(call("read_file", path="a.txt"),))
    async with house(tmp_path, [read, Scripted(text=result("seen"))]) as here:
        codexd = here.codexd
        host = codexd._host  # pyright: ignore[reportPrivateUsage]
        order = order_of(Delegate(agent="worker"), codexd.registry, codexd.config)
        seat = start.root_of(order, host)
        refused: list[str] = []
        ended: list[Status] = []

        async def first() -> None:
            ended.append((await codexd.driving.drive(seat, host, lambda: None)).status)

        async def second() -> None:
            with pytest.raises(IllegalMove) as fault:
                await codexd.driving.drive(seat, host, lambda: None)
            refused.append(str(fault.value))
            # The first one's run is where it was: it can be seen, and is this host's.
            assert codexd.live(seat.run.id) is not None

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first)
            tasks.start_soon(second)
        assert ended == [Status.COMPLETED]
        assert "is being driven" in refused[0]


async def test_a_run_that_was_left_off_is_nobodys_though_its_process_goes_on(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, reading_on) as here:
        async with anyio.create_task_group() as tasks:
            began = anyio.Event()
            here.codexd.listen(lambda notice: began.set() if notice.kind == "done" else None)
            tasks.start_soon(here.delegate)
            await began.wait()
            await here.codexd.suspend()
        [run] = await here.codexd.runs()
        assert run.status is Status.INTERRUPTED
        stored = here.journal.stored(run.id)
        assert stored is not None
        assert stored.host is None
