"""Where text goes: the language, the width and the colours of one stream."""

from __future__ import annotations

import os

from codexd.cli.columns import cells, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal, TextIO, TypeAlias

    from codexd.cli.text import Text

    Ink: TypeAlias = Literal["red", "green", "yellow", "dim", "bold"]

_CODES: Mapping[Ink, int] = {"red": 31, "green": 32, "yellow": 33, "dim": 2, "bold": 1}

PROSE = 86
"""Columns that a line of prose takes at most, however wide the terminal."""
PIPE = 200
"""Columns where there is no terminal: a table is for `grep`, and little of it is cut."""


class Page:
    """How to write for one reader."""

    # No dataclass: their module takes as long to import as the interpreter takes to start.
    __slots__ = ("color", "text", "width")

    def __init__(self, text: Text, width: int = PIPE, color: bool = False) -> None:
        self.text, self.width, self.color = text, width, color

    @property
    def prose(self) -> int:
        """The columns for prose."""
        return min(self.width, PROSE)

    def ink(self, ink: Ink, text: str) -> str:
        """`text` in a colour, where colours are shown."""
        return f"\x1b[{_CODES[ink]}m{text}\x1b[0m" if self.color and text else text

    def labelled(self, label: str, words: str, *, indent: int) -> list[str]:
        """`words` wrapped beside a label, its lines beginning at the column `indent`; below the
        label where a word would not fit beside it.
        """
        room = self.prose - indent
        if label and any(cells(word) > room for word in words.split()):
            return [label, *(f"  {line}" for line in wrap(words, self.prose - 2))]
        head = label + " " * max(1, indent - cells(label))
        blank = " " * indent
        return [(blank if i else head) + line for i, line in enumerate(wrap(words, room))]


def page_of(stream: TextIO, text: Text, env: Mapping[str, str]) -> Page:
    """The page that `stream` is."""
    terminal = is_terminal(stream, env)
    return Page(text, _columns(stream, env), terminal and not env.get("NO_COLOR"))


def _columns(stream: TextIO, env: Mapping[str, str]) -> int:
    """The columns of `stream`: as `COLUMNS` says, else as its terminal has."""
    if env.get("COLUMNS", "").isdecimal():
        return max(20, int(env["COLUMNS"]))
    try:
        return os.get_terminal_size(stream.fileno()).columns or PROSE
    except OSError:
        return PIPE


def is_terminal(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Whether escape sequences may be written to `stream`."""
    return stream.isatty() and env.get("TERM", "") not in ("", "dumb")


def fill(pieces: Sequence[str], columns: int, *, gap: str = "  ") -> list[str]:
    """`pieces` side by side in lines of at most `columns`, none broken."""
    lines: list[str] = []
    for piece in filter(None, pieces):
        if lines and cells(lines[-1] + gap + piece) <= columns:
            lines[-1] += gap + piece
        else:
            lines.append(piece)
    return lines
