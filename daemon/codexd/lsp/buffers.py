"""A document as one client has it: unsaved text, and positions in that client's units.

Inside, places are lines and columns from 1, in code points, ends exclusive, as in `Diagnostic` and
`Finding`. On the wire they are from 0 and count UTF-8, UTF-16 or UTF-32 units, as agreed at
`initialize`. Here one becomes the other, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lsprotocol import types

_AFTER_END = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")


@dataclass(frozen=True)
class Buffer:
    """The text of one document, and where things stand in it for one client."""

    uri: str
    """In the client's own spelling."""
    path: Path
    text: str
    version: int | None = None
    """Of the open document; `None`: the file as it is on disk."""
    encoding: types.PositionEncodingKind = types.PositionEncodingKind.Utf16

    @cached_property
    def lines(self) -> list[str]:
        """The lines, ends left on; LF, CR LF and CR end one, as in LSP."""
        # Not `splitlines`: it breaks at form feeds and Unicode separators, which LSP does not.
        return _AFTER_END.split(self.text)

    def position(self, line: int, column: int) -> types.Position:
        """The client's position of (line, column); what is past an end is at that end."""
        index = min(max(line, 1), len(self.lines)) - 1
        if line > len(self.lines):
            return types.Position(index, self._units(_bare(self.lines[index])))
        before = _bare(self.lines[index])[: max(column, 1) - 1]
        return types.Position(index, self._units(before))

    def range(self, line: int, column: int, end_line: int, end_column: int) -> types.Range:
        """The client's range from (line, column) to before (end_line, end_column)."""
        return types.Range(self.position(line, column), self.position(end_line, end_column))

    def point(self, position: types.Position) -> tuple[int, int]:
        """(line, column) of a client's position; what is past an end is at that end."""
        if position.line >= len(self.lines):
            return len(self.lines), len(_bare(self.lines[-1])) + 1
        line, units = _bare(self.lines[position.line]), 0
        for column, char in enumerate(line, 1):
            if units >= position.character:
                return position.line + 1, column
            units += self._units(char)
        return position.line + 1, len(line) + 1

    def _units(self, text: str) -> int:
        return units(text, self.encoding)


def units(text: str, encoding: types.PositionEncodingKind | str) -> int:
    """How long `text`, which is within one line, is for a client."""
    match encoding:
        case types.PositionEncodingKind.Utf8:
            return len(text.encode("utf-8", "surrogatepass"))
        case types.PositionEncodingKind.Utf32:
            return len(text)
        case _:
            return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _bare(line: str) -> str:
    return line.rstrip("\r\n")
