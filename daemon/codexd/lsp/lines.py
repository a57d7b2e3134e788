"""Where the lines of one text stand in another, and three texts brought together.

Lines are compared without their ends. What is compared may be the lines themselves or their
hashes: a text that is only to be found again is kept as those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

SMALL = 40_000
"""Lines times lines, up to which every pairing is looked at. Above, in the middle of a change
where no line is unique, nothing is said to be the same."""

NOWHERE = -1


def bare(text: str) -> list[str]:
    """The lines of `text` without their ends; LF, CR LF and CR end one, as in LSP."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def match(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[int]:
    """For each line of `old` its index in `new`, or `NOWHERE`; the order is kept.

    What is the same at both ends is found first, so a change in one place costs one pass; then
    lines that are unique on both sides are held on to (patience diff).
    """
    places = [NOWHERE] * len(old)
    todo = [(0, len(old), 0, len(new))]
    while todo:
        low, high, to, end = todo.pop()
        while low < high and to < end and old[low] == new[to]:
            places[low] = to
            low, to = low + 1, to + 1
        while low < high and to < end and old[high - 1] == new[end - 1]:
            high, end = high - 1, end - 1
            places[high] = end
        if low == high or to == end:
            continue
        pairs = _unique(old[low:high], new[to:end])
        if pairs:
            posts = [(low + i, to + j) for i, j in pairs]
            for i, j in posts:
                places[i] = j
            starts = [(low, to), *((i + 1, j + 1) for i, j in posts)]
            for (i, j), (i_end, j_end) in zip(starts, [*posts, (high, end)], strict=True):
                if i < i_end and j < j_end:
                    todo.append((i, i_end, j, j_end))
        elif (high - low) * (end - to) <= SMALL:
            found = SequenceMatcher(None, old[low:high], new[to:end], autojunk=False)
            for block in found.get_matching_blocks():
                for n in range(block.size):
                    places[low + block.a + n] = to + block.b + n
    return places


def _unique(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The longest row of lines that stand once on both sides, in an order that both have."""
    n_old, n_new = Counter(old), Counter(new)
    where = {line: j for j, line in enumerate(new) if n_new[line] == 1}
    pairs = [(i, where[line]) for i, line in enumerate(old) if n_old[line] == 1 and line in where]
    if all(one[1] < other[1] for one, other in pairwise(pairs)):
        return pairs  # nothing was moved
    ends: list[int] = []  # the smallest last index of a row, by its length
    last: list[int] = []  # which pair that is
    before: list[int] = []
    for n, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else NOWHERE)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [n]
    row: list[tuple[int, int]] = []
    n = last[-1] if last else NOWHERE
    while n != NOWHERE:
        row.append(pairs[n])
        n = before[n]
    return row[::-1]


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines `start` to before `end`, from 0, and what stands there instead."""

    start: int
    end: int
    lines: tuple[str, ...]


def hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """What makes `new` of `old`."""
    found: list[Hunk] = []
    places = match(old, new)
    at, to = 0, 0
    for i, j in [*((i, j) for i, j in enumerate(places) if j != NOWHERE), (len(old), len(new))]:
        if i > at or j > to:
            found.append(Hunk(at, i, tuple(new[to:j])))
        at, to = i + 1, j + 1
    return found


@dataclass(frozen=True, slots=True)
class Merged:
    """One text with the changes that another had."""

    lines: tuple[str, ...]
    misfits: tuple[Hunk, ...]
    """The changes whose place is not there any more, as they were in the base."""


def merge(base: Sequence[str], after: Sequence[str], current: Sequence[str]) -> Merged:
    """`current` with what was done to `base` to make `after`. What is there already stays."""
    places = [*match(base, current), len(current)]
    lines, misfits = list(current), list[Hunk]()
    for hunk in reversed(hunks(base, after)):
        place = _place(hunk, places, current)
        if place is None:
            misfits.append(hunk)
        else:
            lines[place[0] : place[1]] = hunk.lines
    return Merged(tuple(lines), tuple(reversed(misfits)))


def _place(hunk: Hunk, places: Sequence[int], current: Sequence[str]) -> tuple[int, int] | None:
    """The lines of `current` that `hunk` replaces; `None` where they are others now."""
    after = places[hunk.start - 1] + 1 if hunk.start else 0
    # The line before it may be gone: 0 stands for that as well, and the ends say which it is.
    before = places[hunk.end]
    known = (not hunk.start or after) and before != NOWHERE
    if known and tuple(current[after:before]) == hunk.lines:
        return after, before
    if hunk.start == hunk.end:
        if hunk.start and after:
            return after, after
        return (before, before) if before != NOWHERE else None
    inside = places[hunk.start : hunk.end]
    first = inside[0]
    if first == NOWHERE or list(inside) != list(range(first, first + len(inside))):
        return None
    return first, first + len(inside)
