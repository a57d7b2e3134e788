"""A finding held to the text that it was reported on, and its place in another text.

Of that text only the hashes of its lines are kept. A line that stands in the other text as it was
has every column of the finding as it was, so lines are all that has to be found again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from lsprotocol import types

from codexd.lsp.buffers import units
from codexd.lsp.lines import NOWHERE, bare, match
from codexd.tools import Finding

SHORT = 6
"""Lines of a range that are all what it is about. A longer one (a function) is a place, which its
first line stands for: an edit further down does not mend it."""


@dataclass(frozen=True, slots=True)
class Base:
    """A text that findings were reported on, as far as it is needed to find its lines again."""

    sha256: str
    lines: tuple[int, ...]
    """Their hashes."""


def hashes(text: str) -> tuple[int, ...]:
    """The hashes of the lines of `text`, their ends left aside."""
    return tuple(map(hash, bare(text)))


def base_of(data: bytes) -> tuple[Base, list[str]]:
    """What is kept of a file, and its lines."""
    lines = bare(data.decode("utf-8", "replace").removeprefix("\ufeff"))
    return Base(hashlib.sha256(data).hexdigest(), tuple(map(hash, lines))), lines


@dataclass(frozen=True, slots=True)
class Anchored:
    """A finding and where it stood."""

    run: str
    index: int
    """Among the findings of its run."""
    path: str
    """Workspace-relative, as the file is called."""
    finding: Finding
    base: Base
    first: str
    """The text of its first line; columns are counted in it."""
    last: str


def anchor(
    run: str, index: int, path: str, finding: Finding, base: Base, lines: Sequence[str]
) -> Anchored:
    """`finding` held to the text that `base` and `lines` are; past its end, to its last line."""
    line, end_line = _lines_of(finding, len(lines))
    return Anchored(run, index, path, finding, base, lines[line - 1], lines[end_line - 1])


def _lines_of(finding: Finding, n_lines: int) -> tuple[int, int]:
    line = min(finding.line, n_lines)
    return line, min(max(finding.end_line or line, line), n_lines)


def matched(base: Base, lines: Sequence[int]) -> Sequence[int]:
    """Where the lines of `base`, from 0, stand among the hashes `lines`."""
    return range(len(lines)) if base.lines == lines else match(base.lines, lines)


def place(anchored: Anchored, places: Sequence[int]) -> tuple[int, int | None] | None:
    """The first and the last line, from 1, where it stands now; `None`: it stands nowhere.

    The last line is `None` where a long range has not kept its end.
    """
    line, end_line = _lines_of(anchored.finding, len(places))
    first, last = places[line - 1], places[end_line - 1]
    if first == NOWHERE:
        return None
    if end_line - line < SHORT:
        inside = list(places[line - 1 : end_line])
        whole = inside == list(range(first, first + len(inside)))
        return (first + 1, last + 1) if whole else None
    return first + 1, last + 1 if last > first else None


def range_of(
    anchored: Anchored,
    line: int,
    end_line: int | None,
    encoding: types.PositionEncodingKind | str,
) -> types.Range:
    """Its range at those lines, in a client's units; the rest of its first line where its end is
    not known.
    """
    finding, first = anchored.finding, anchored.first
    # Most that know no column mean the line, and not its indentation.
    column = finding.column if finding.column > 1 else len(first) - len(first.lstrip()) + 1
    start = types.Position(line - 1, units(first[: column - 1], encoding))
    whole = types.Range(start, types.Position(line - 1, units(first, encoding)))
    if end_line is None or finding.end_column is None:
        return whole
    last = anchored.last[: max(finding.end_column - 1, 0)]
    end = types.Position(end_line - 1, units(last, encoding))
    return types.Range(start, end) if end > start else whole
