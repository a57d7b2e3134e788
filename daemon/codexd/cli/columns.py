"""Text in terminal columns: East Asian characters take two, control characters never get out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# What agents and models say is shown to a terminal: without its control characters (an escape
# could retitle the window or hide text) and without bidirectional overrides (they reorder it).
_UNSAFE = {
    **dict.fromkeys([*range(32), 127, *range(128, 160)], "\N{REPLACEMENT CHARACTER}"),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}"),
    **dict.fromkeys([9, 10, 11, 12, 13, 0x2028, 0x2029], " "),
}


def clean(text: str) -> str:
    """`text` on one line and harmless to a terminal."""
    return text.translate(_UNSAFE)


def cells(text: str) -> int:
    """The columns that `text` takes; escape sequences take none."""
    # What is plain needs no tables, whose import takes as long as the interpreter's start.
    if text.isascii() and text.isprintable():
        return len(text)
    from wcwidth import width

    return width(text)


def _graphemes(text: str) -> Iterable[str]:
    """`text` in what readers see as characters."""
    if text.isascii() and text.isprintable():
        return text
    from wcwidth import iter_graphemes

    return iter_graphemes(text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` filled with blanks to `columns`, on its left where `right`."""
    blanks = " " * max(0, columns - cells(text))
    return blanks + text if right else text + blanks


def cut(text: str, columns: int) -> str:
    """`text`, shortened with `…` where it takes more than `columns`. Holds no escapes."""
    if cells(text) <= columns:
        return text
    if columns < 1:
        return ""
    kept, used = "", 0
    for grapheme in _graphemes(text):
        if used + cells(grapheme) > columns - 1:
            break
        kept, used = kept + grapheme, used + cells(grapheme)
    return kept.rstrip() + "…"


def wrap(text: str, columns: int) -> list[str]:
    """`text` in lines of at most `columns`: between words, and between wide characters."""
    lines: list[str] = []
    line = ""
    for piece in _pieces(text, columns):
        if cells((line + piece).rstrip()) <= columns:
            line += piece
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = piece.lstrip()
    if line.strip() or not lines:
        lines.append(line.rstrip())
    return lines


_NEVER_FIRST = "、。，．・：；？！）］｝」』】〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
"""Japanese line breaking: these cling to what stands before them."""


def _pieces(text: str, columns: int) -> Iterator[str]:
    """`text` cut where a line may end; a word longer than a line is cut anywhere."""
    piece = ""
    for grapheme in _graphemes(text):
        may_break = piece and grapheme not in _NEVER_FIRST
        if cells(piece) + cells(grapheme) > columns or (
            may_break
            and (
                cells(grapheme) > 1
                or cells(piece[-1]) > 1
                or (piece[-1] == " " and grapheme != " ")
            )
        ):
            yield piece
            piece = ""
        piece += grapheme
    if piece:
        yield piece


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), gap: int = 2) -> list[str]:
    """`rows` with their columns aligned; those in `right` on the right side. A column that is
    empty in every row vanishes.
    """
    if not rows:
        return []
    n_columns = max(map(len, rows))
    widths = [
        max((cells(row[i]) for row in rows if i < len(row)), default=0) for i in range(n_columns)
    ]
    return [
        (" " * gap)
        .join(pad(text, widths[i], right=i in right) for i, text in enumerate(row) if widths[i])
        .rstrip()
        for row in rows
    ]
