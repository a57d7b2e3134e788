"""A document as one client has it: unsaved text, and positions in that client's units.

Inside, places are lines and columns from 1, in code points, ends exclusive, as in `Diagnostic` and
`Finding`. On the wire they are from 0 and count UTF-8, UTF-16 or UTF-32 units, as agreed at
`initialize`. Here one becomes the other, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

_OTHER_BREAKS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What ends a line for Python, and not in LSP."""
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
        return split_lines(self.text)

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


def split_lines(text: str) -> list[str]:
    """The lines of `text`, ends left on; the last one, which may be empty, has none."""
    if any(char in text for char in _OTHER_BREAKS):
        return _AFTER_END.split(text)  # a hundred times slower
    lines = text.splitlines(keepends=True)
    return [*lines, ""] if not lines or lines[-1][-1] in "\r\n" else lines


class Document(TextDocument):
    """A document as pygls keeps it, with the lines of LSP. (Its own end at form feeds and Unicode
    separators too: after one of those it puts edits into the wrong line.)
    """

    @property
    def lines(self) -> Sequence[str]:
        """The lines, ends left on."""
        return split_lines(self.source)


class Documents(Workspace):
    """The documents that a client has open."""

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> TextDocument:
        return Document(
            doc_uri,
            source,
            version,
            language_id,
            sync_kind=types.TextDocumentSyncKind.Incremental,
            position_codec=self.position_codec,
        )


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
