"""How many runs may have an act in flight at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Slots:
    """`n` places, first come first served.

    A run holds one while it has an act in flight other than a child run, never while it waits
    for children or for an approval: else N parents would wait for ever for their children.
    """

    def __init__(self, n: int) -> None:
        self._free = n
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, wake: Callable[[], None]) -> bool:
        """Take a place; where none is free, have `wake` called when one is."""
        if self._free > 0:
            self._free -= 1
            return True
        if wake not in self._waiting:
            self._waiting.append(wake)
        return False

    def give_back(self) -> None:
        """Free a place, and let who waits longest ask again."""
        self._free += 1
        if self._waiting:
            self._waiting.popleft()()

    def forget(self, wake: Callable[[], None]) -> None:
        """Take a waiter back that does not need a place any more, and hand its turn on."""
        if wake in self._waiting:
            self._waiting.remove(wake)
        elif self._free > 0 and self._waiting:
            self._waiting.popleft()()
