"""The process's own streams, where they are closed, full, or nobody reads them any more."""

from __future__ import annotations

import os
import sys

from codexd.cli.text import Text, language


def fill_in() -> None:
    """Have every standard stream that is closed lead to nowhere."""
    # The lowest free number is given out first: those below 3 are the closed ones.
    while (fd := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - open as long as we are
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 - the same
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115 - the same


def lost(fault: OSError, argv: list[str]) -> int:
    """Tell of output that could not be written; the exit status."""
    # What is still held for stdout goes nowhere: the interpreter must not complain at its end.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    if isinstance(fault, BrokenPipeError):
        # Whoever read stdout has enough (`| head`).
        return 141
    text = Text(language(argv, os.environ))
    lines = (
        f"{text('error')} {text('lost', why=fault.strerror or fault)}",
        f"{text('help')} {text('lost.help')}",
    )
    try:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
    except OSError:
        return 1  # stderr is on the same full disk
    return 1
