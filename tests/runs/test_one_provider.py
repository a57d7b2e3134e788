"""Many runs, one provider that fails: they wait as it says, together, and come back together."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.house import House, house, result
from tests.model_server import Scripted

from codexd.orchestrator import Delegate
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

N_RUNS = 20
PAUSE = 0.5
"""What the provider asks for, in seconds; all that a run here ever waits for."""
DONE = Scripted(text=result())


class Failing:
    """A provider that refuses each conversation's first request; it keeps when they came."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.came: dict[str, list[float]] = {}
        self._refusal = Scripted(status=status, headers=headers)

    def __call__(self, body: dict[str, Any]) -> Scripted:
        goal = str(body["messages"][1]["content"]).partition("\n")[0]
        self.came.setdefault(goal, []).append(time.monotonic())
        return self._refusal if len(self.came[goal]) == 1 else DONE


async def twenty(here: House) -> RunView:
    """Twenty runs at once."""
    with anyio.fail_after(60):
        return await here.together(*(Delegate(agent="worker", goal=f"g{n}") for n in range(N_RUNS)))


@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [
        (429, {"Retry-After": str(PAUSE)}, PAUSE),
        (429, {"retry-after-ms": str(round(PAUSE * 1000))}, PAUSE),
        # Its own first wait is half a second, less up to a half.
        (529, {}, 0.25),
    ],
    ids=["429-retry-after", "429-retry-after-ms", "529"],
)
async def test_all_runs_wait_as_the_provider_says_and_then_complete(
    tmp_path: Path, status: int, headers: dict[str, str], least: float
) -> None:
    script = Failing(status, headers)
    async with house(tmp_path, script, provider="request_max_retries = 1") as here:
        group = await twenty(here)
    assert group.status is Status.COMPLETED
    # One retry each was enough: nobody came back before the pause was over.
    assert Counter(map(len, script.came.values())) == {2: N_RUNS}
    refused = [first for first, _ in script.came.values()]
    again = [second for _, second in script.came.values()]
    assert min(again) - min(refused) >= least
    assert group.spent == here.server.input_tokens + here.server.output_tokens
    assert group.uncertain == 0


async def test_who_begins_during_the_pause_does_not_ask_before_its_end(tmp_path: Path) -> None:
    came: list[float] = []

    def script(body: dict[str, Any]) -> Scripted:
        came.append(time.monotonic())
        if len(came) == 1:
            return Scripted(status=429, headers={"Retry-After": str(PAUSE)})
        return DONE

    # Without a retry of its own the first one fails, and its refusal holds for the others.
    async with house(tmp_path, script, provider="request_max_retries = 0") as here:
        first = await here.delegate()
        group = await twenty(here)
    assert (first.status, group.status) == (Status.FAILED, Status.COMPLETED)
    assert len(came) == 1 + N_RUNS
    assert came[1] - came[0] >= PAUSE
