"""`codexd`, ended by SIGKILL at a point that the harness chose.

`python -m tests.crash.victim SIDE:KIND:N ARGV…` runs `codexd ARGV…` and kills itself `before` or
`after` the N-th of KIND: a `commit` of the journal, or a `rename` that makes a file what it is to
be. Nothing else of the program is changed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from codexd.cli import main
from codexd.policy import writing
from codexd.runs.journal import Journal


def arm(point: str) -> None:
    """Have the process die at `point`."""
    side, kind, n = point.split(":")
    counted = 0

    def deadly(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            nonlocal counted
            counted += 1
            here = counted == int(n)
            if here and side == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = act(*args, **named)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return wrapped

    if kind == "commit":
        Journal._transact = deadly(Journal._transact)  # pyright: ignore[reportPrivateUsage]
    else:
        for name in ("replace", "rename"):
            setattr(writing.os, name, deadly(getattr(os, name)))


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
