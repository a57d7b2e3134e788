"""A terminal, as far as the live display uses one: a real pty and the screen that it would show."""

from __future__ import annotations

import os
import pty
import re
import select
import termios
import tty
from types import TracebackType
from typing import TextIO

from codexd.cli.columns import cells

_ESCAPE = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])")


class Terminal:
    """A pty of some size. `stream` is the program's side; `screen` what a person sees.

    `raw`: keys reach the program one by one, and nothing is echoed.
    """

    def __init__(self, columns: int = 80, lines: int = 24, *, raw: bool = False) -> None:
        self.master, self.slave = pty.openpty()
        if raw:
            tty.setraw(self.slave)
        self.columns = columns
        self.resize(columns, lines)
        self.stream: TextIO = os.fdopen(os.dup(self.slave), "w", encoding="utf-8")
        self.cursor_shown = True
        self.output = ""
        self._rows: list[str] = [""]
        self._row = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stream.close()
        for side in (self.master, self.slave):
            os.close(side)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; what stands on it is not broken anew."""
        termios.tcsetwinsize(self.slave, (lines, columns))
        self.columns = columns

    def take(self, *, seconds: float = 0.0) -> str:
        """Whatever the program has written by now, or writes within `seconds`."""
        taken = b""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                taken += os.read(self.master, 65536)
            except OSError:  # the program's side is closed
                break
            seconds = 0.0
        text = taken.decode()
        self.output += text
        self._play(text)
        return text

    @property
    def screen(self) -> list[str]:
        """The rows that are shown, without empty ones at the end."""
        self.take()
        rows = list(self._rows)
        while rows and not rows[-1].strip():
            rows.pop()
        return [row.rstrip() for row in rows]

    def _play(self, text: str) -> None:
        at = 0
        while at < len(text):
            if escape := _ESCAPE.match(text, at):
                self._obey(*escape.groups())
                at = escape.end()
                continue
            self._put(text[at])
            at += 1

    def _obey(self, private: str, digits: str, letter: str) -> None:
        match private, letter:
            case "?", "h":
                self.cursor_shown = True
            case "?", "l":
                self.cursor_shown = False
            case "", "A":
                self._row = max(0, self._row - int(digits or 1))
            case "", "K":
                pass  # only ever written after a whole row
            case "", "J":
                del self._rows[self._row :]
                self._rows.append("")
            case "", "m":
                pass
            case _:
                raise AssertionError(f"an escape this terminal does not know: {letter!r}")

    def _put(self, character: str) -> None:
        if character == "\r":
            # The programs here go to a row's beginning only to write all of it again.
            self._fresh = True
            return
        if character == "\n":
            self._row += 1
            self._fresh = True
            while self._row >= len(self._rows):
                self._rows.append("")
            return
        if self._fresh:
            self._rows[self._row] = ""
            self._fresh = False
        self._rows[self._row] += character
        assert cells(self._rows[self._row]) <= self.columns

    _fresh = True
