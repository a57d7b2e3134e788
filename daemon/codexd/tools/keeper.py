"""Who sees to it that no program outlives the codexd that started it.

A program that an agent starts has a mark in its environment, which all that it starts inherits,
whatever session or group they make for themselves. By the mark they are found, and killed: after
each call; by a keeper (this file, as a process of its own) when codexd itself was killed; and by
the next codexd when the keeper was killed, too. Only Linux shows the environment of other
processes; elsewhere the groups alone are ended.

The standard library alone: a keeper starts in milliseconds.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

MARK = "CODEXD_HOST"
"""The variable; its value is `HOST.CALL`."""
ROUNDS = 50
"""How often is looked again for what was started meanwhile."""


def marked(host: str, call: int | None = None) -> Iterator[int]:
    """The processes of this user that carry the mark of `host`, of one call of it where given."""
    begin = f"{MARK}={host}.{'' if call is None else call}".encode()
    for pid, environment in _environments():
        lines = environment.split(b"\0")
        if begin in lines or (call is None and any(line.startswith(begin) for line in lines)):
            yield pid


def _environments() -> Iterator[tuple[int, bytes]]:
    with suppress(OSError):
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError), io.FileIO(f"/proc/{entry.name}/environ") as file:
                yield int(entry.name), file.readall() or b""


def end_marked(host: str, call: int | None = None) -> int:
    """Kill what carries the mark; how many there were. What they start meanwhile is killed, too."""
    ended: set[int] = set()
    for _ in range(ROUNDS):
        found = set(marked(host, call))
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if found <= ended:
            break
        ended |= found
    return len(ended)


class Keeper:
    """A process that waits for the end of this one, then ends what this one had started."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._n_calls = 0
        self._process: subprocess.Popen[bytes] | None = None

    def mark(self) -> tuple[int, dict[str, str]]:
        """The number of a new call, and the mark for its environment."""
        self._n_calls += 1
        return self._n_calls, {MARK: f"{self._host}.{self._n_calls}"}

    def end(self, call: int) -> int:
        """Kill what is left of a call; how many processes that were."""
        return end_marked(self._host, call)

    def knows(self, group: int, *, ended: bool = False) -> None:
        """A process group was started, or has `ended`."""
        import subprocess

        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, self._host],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        assert self._process.stdin is not None, "it was opened with a pipe"
        # A keeper that was killed keeps nothing; the next codexd does what it would have done.
        with suppress(OSError):
            self._process.stdin.write(f"{'-' if ended else '+'}{group}\n".encode())
            self._process.stdin.flush()

    def leave(self) -> None:
        """Nothing is started any more: the keeper ends what is left, and itself."""
        if self._process is not None:
            assert self._process.stdin is not None, "it was opened with a pipe"
            with suppress(OSError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None


def main(host: str) -> None:
    """Keep, until standard input ends."""
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[:1], int(line[1:])
        (groups.add if change == "+" else groups.discard)(group)
    for group in groups:
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    end_marked(host)


if __name__ == "__main__":
    main(sys.argv[1])
