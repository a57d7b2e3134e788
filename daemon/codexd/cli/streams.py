"""The process's own streams, where they are closed, full, or nobody reads them any more."""

from __future__ import annotations

import io
import os
import sys

from codexd.cli.text import Text, language

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer


def fill_in() -> None:
    """Have every standard stream that is closed lead to nowhere."""
    # The lowest free number is given out first: those below 3 are the closed ones.
    while (fd := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - open as long as we are
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 - the same
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115 - the same


class _Forgiving(io.FileIO):
    """A descriptor for words that may be missed: a full disk takes them without a fault."""

    def write(self, data: ReadableBuffer, /) -> int:
        """All of `data`, as far as anybody can tell. Raises `BrokenPipeError`."""
        n_written: int | None = None
        try:
            # `None` where whoever reads is slow, and the descriptor does not wait.
            n_written = super().write(data)
        except BrokenPipeError:
            raise
        except OSError:
            pass
        return memoryview(data).nbytes if n_written is None else n_written


def forgiving(stream: TextIO) -> TextIO:
    """`stream` for progress and complaints: what a full disk does not take ends no run."""
    raw = _Forgiving(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="replace", line_buffering=True
    )


def lost(fault: OSError, argv: list[str]) -> int:
    """Tell of output that could not be written; the exit status."""
    # What is still held for a stream goes nowhere: the interpreter must not complain at its end.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    if isinstance(fault, BrokenPipeError):
        # Whoever read has enough (`| head`); of both streams, where they are one (`2>&1 | head`).
        os.dup2(nowhere, sys.stderr.fileno())
        return 141
    os.close(nowhere)
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
