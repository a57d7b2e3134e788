"""How a process leaves behind whoever started it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from itertools import pairwise

START_SECONDS = 60
"""How long a start may take: whoever waits for it waits for its end."""
_MANY = 1 << 20


def detach(*, keep: Iterable[int]) -> None:
    """Go on in a process of nobody's: no terminal, folder or descriptor of the starter's but the
    three streams and `keep`; killed where `is_ready` is not called in time.
    """
    # The starter waits for this process and reaps it; the next one belongs to init.
    if os.fork():
        os._exit(0)
    # A timer outlives no fork: it is set here.
    signal.alarm(START_SECONDS)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    kept = sorted({0, 1, 2, *keep})
    most = os.sysconf("SC_OPEN_MAX")
    for low, high in pairwise([*kept, most if most > 0 else _MANY]):
        os.closerange(low + 1, high)


def is_ready() -> None:
    """The start is over."""
    signal.alarm(0)
