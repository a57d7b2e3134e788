"""SIGKILL, then `runs resume`: a sample of what `make crash` tries at 300 points."""

import pytest
from tests.crash import harness

pytestmark = pytest.mark.anyio


async def test_nothing_is_lost_paid_again_done_twice_or_left_behind() -> None:
    total = await harness.run(24, seed=7)
    assert total.faults == dict.fromkeys(total.faults, 0), "\n".join(total.told)
