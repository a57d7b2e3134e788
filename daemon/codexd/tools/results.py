"""The text of a result: cut to size with a note of how to go on, and marked where it is data."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NOTE_ROOM = 200
"""Bytes kept free for the note that tells what was cut."""

_END_MARK = re.compile(r"<\s*/(?=\s*data\b)", re.IGNORECASE)
_UNSAFE_IN_ORIGIN = re.compile(r"[^\x21\x23-\x3b\x3d\x3f-\x7e]+")


def as_data(text: str, origin: str) -> str:
    """`text` framed as data from `origin`, a URL or a program: it cannot close its own frame."""
    shown = _UNSAFE_IN_ORIGIN.sub("_", origin)[:300]
    return f'<data from="{shown}">\n{defused(text)}\n</data>'


def defused(text: str) -> str:
    """`text` with every end mark of a data frame made harmless; doing it twice changes nothing."""
    return _END_MARK.sub(r"<\\/", text)


def cut(text: str, max_bytes: int) -> str:
    """As much of the beginning of `text` as fits into `max_bytes` of UTF-8, cut at a gap."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= max_bytes:
        return text
    return text[: gap_before(text, len(raw[:max_bytes].decode("utf-8", "ignore")))]


_LONGEST_KEY = 200


def gap_before(text: str, at: int) -> int:
    """The last place up to `at` that is not within a word, a number or a key; `at` where none is
    near. Secrets are taken out of what was cut, and half a key looks like none.
    """
    gap = at
    while gap > 0 and _is_plain(text[gap - 1]) and _is_plain(text[gap : gap + 1]):
        gap -= 1
        if at - gap == _LONGEST_KEY:
            return at
    return gap or at


def _is_plain(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "-_.+/=~")


def cut_line(line: str, max_bytes: int = 500) -> str:
    """One line, shortened to about `max_bytes` and saying so."""
    short = cut(line, max_bytes)
    return line if len(short) == len(line) else f"{short}… [{len(line) - len(short)} more]"


def page(
    lines: Sequence[str],
    *,
    offset: int,
    max_bytes: int,
    what: str = "lines",
    first: int = 0,
    more: bool = False,
) -> str:
    """The lines from `offset` that fit into `max_bytes`, then a note when some are left.

    `first` is the number of the first element of `lines` (a caller that skipped some already);
    `more` says that there are others after the last. The note names the `offset` to go on with.
    """
    total = first + len(lines)
    room = max_bytes - _NOTE_ROOM
    shown: list[str] = []
    for line in lines[max(0, offset - first) :]:
        size = len(line.encode("utf-8", "replace")) + 1
        if size > room:
            if not shown:
                # A line that alone is too large would stop every later page at itself.
                shown.append(cut_line(line, max(room - 40, 0)))
            break
        room -= size
        shown.append(line)
    begin = max(offset, first)
    end = begin + len(shown)
    if not shown and begin >= total:
        return f"[nothing at offset {offset}: there are {total} {what}]" if total else ""
    text = "\n".join(shown)
    if end >= total and not more:
        return text
    of = f"more than {total}" if more else str(total)
    return f"{text}\n[{what} {begin + 1}-{end} of {of}; go on with offset={end}]"
