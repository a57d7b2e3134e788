"""Where lines stand in another text, and three texts brought together."""

from __future__ import annotations

from random import Random

import pytest

from codexd.lsp.lines import NOWHERE, bare, hunks, match, merge

WORDS = ("", "}", "return", "x = 1", "def run():", "    pass", "🙂")


def text_of(random: Random, n: int) -> list[str]:
    return [random.choice(WORDS) for _ in range(n)]


def edited(random: Random, lines: list[str], *, keep: int | None = None) -> tuple[list[str], int]:
    """`lines` after an edit that leaves line `keep` as it is, and where that is then."""
    at = random.randrange(len(lines) + 1)
    to = min(len(lines), at + random.randrange(4))
    if keep is not None and at <= keep < to:
        to = keep
    new = [f"new {random.random()}" for _ in range(random.randrange(4))]
    moved = len(new) - (to - at) if keep is not None and keep >= to else 0
    return [*lines[:at], *new, *lines[to:]], (keep or 0) + moved


@pytest.mark.parametrize("seed", range(200))
def test_what_is_matched_is_the_same_and_in_order(seed: int) -> None:
    random = Random(seed)
    old, new = text_of(random, random.randrange(60)), text_of(random, random.randrange(60))
    places = match(old, new)
    found = [(i, j) for i, j in enumerate(places) if j != NOWHERE]
    assert len(places) == len(old)
    assert all(old[i] == new[j] for i, j in found)
    assert [j for _, j in found] == sorted({j for _, j in found})


@pytest.mark.parametrize("seed", range(200))
def test_a_unique_line_is_found_again_after_any_edits_elsewhere(seed: int) -> None:
    random = Random(seed)
    lines = text_of(random, 80)
    at = random.randrange(80)
    lines[at] = "the only one"
    new = lines
    for _ in range(random.randrange(1, 8)):
        new, at_now = edited(random, new, keep=new.index("the only one"))
        assert new[at_now] == "the only one"
    assert match(lines, new)[at] == new.index("the only one")


@pytest.mark.parametrize("seed", range(200))
def test_a_line_like_others_is_found_again_after_one_edit_elsewhere(seed: int) -> None:
    random = Random(seed)
    lines = text_of(random, 80)
    at = random.randrange(80)
    new, _ = edited(random, lines, keep=at)
    found = match(lines, new)[at]
    assert found != NOWHERE
    assert new[found] == lines[at]


def test_lines_that_were_moved_are_not_taken_for_others() -> None:
    old, new = ["a", "b", "c", "d", "e"], ["a", "d", "b", "c", "e"]
    assert match(old, new) == [0, 2, 3, NOWHERE, 4]


def test_texts_of_nothing_but_repeats_come_to_an_end() -> None:
    random = Random(1)
    old, new = text_of(random, 4_000), text_of(random, 4_000)
    assert len(match(old, new)) == 4_000


@pytest.mark.parametrize("seed", range(200))
def test_hunks_make_the_new_of_the_old(seed: int) -> None:
    random = Random(seed)
    old, new = text_of(random, random.randrange(1, 40)), text_of(random, random.randrange(1, 40))
    made = list(old)
    for hunk in reversed(hunks(old, new)):
        made[hunk.start : hunk.end] = hunk.lines
    assert made == new


@pytest.mark.parametrize("seed", range(100))
def test_a_patch_on_what_it_was_made_for_is_what_it_was_to_be(seed: int) -> None:
    random = Random(seed)
    base, after = text_of(random, 30), text_of(random, 30)
    merged = merge(base, after, base)
    assert (list(merged.lines), merged.misfits) == (after, ())
    again = merge(base, after, after)
    assert set(again.lines) <= {*base, *after}


BASE = bare("one\ntwo\nthree\nfour\nfive\nsix\n")


@pytest.mark.parametrize(
    ("after", "current", "merged", "misfits"),
    [
        # Somebody wrote above, and below.
        ("one\ntwo\n3\nfour\nfive\nsix\n", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\n",
         "zero\none\ntwo\n3\nfour\nfive\nsix\nseven\n", []),
        # The same line.
        ("one\ntwo\n3\nfour\nfive\nsix\n", "one\ntwo\nTHREE\nfour\nfive\nsix\n",
         "one\ntwo\nTHREE\nfour\nfive\nsix\n", [2]),
        # One of two fits.
        ("1\ntwo\nthree\nfour\n5\nsix\n", "one\ntwo\nthree\nfour\nFIVE\nsix\n",
         "1\ntwo\nthree\nfour\nFIVE\nsix\n", [4]),
        # It is there already.
        ("one\ntwo\n3\nfour\nfive\nsix\n", "one\ntwo\n3\nfour\nfive\nSIX\n",
         "one\ntwo\n3\nfour\nfive\nSIX\n", []),
        # Lines more, after one that is there still; before one, where the other has gone.
        ("one\ntwo\n2.5\nthree\nfour\nfive\nsix\n", "one\ntwo\nTHREE\nfour\nfive\nsix\n",
         "one\ntwo\n2.5\nTHREE\nfour\nfive\nsix\n", []),
        ("one\ntwo\n2.5\nthree\nfour\nfive\nsix\n", "one\nTWO\nthree\nfour\nfive\nsix\n",
         "one\nTWO\n2.5\nthree\nfour\nfive\nsix\n", []),
        # Lines less; the end.
        ("one\ntwo\nfive\nsix\n", "one\ntwo\nthree\nfour\nfive\n6\n", "one\ntwo\nfive\n6\n", []),
        ("one\ntwo\nthree\nfour\nfive\nsix\nseven\n", "ONE\ntwo\nthree\nfour\nfive\nsix\n",
         "ONE\ntwo\nthree\nfour\nfive\nsix\nseven\n", []),
    ],
)  # fmt: skip
def test_a_patch_goes_where_its_lines_are(
    after: str, current: str, merged: str, misfits: list[int]
) -> None:
    done = merge(BASE, bare(after), bare(current))
    assert "\n".join(done.lines) == merged
    assert [hunk.start for hunk in done.misfits] == misfits
