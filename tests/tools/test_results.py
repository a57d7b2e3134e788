"""Cutting, paging and marking the text of results."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.tools.process import HeadAndTail
from codexd.tools.results import as_data, cut, cut_line, defused, page
from codexd.tools.web import _folded  # pyright: ignore[reportPrivateUsage]

LINES = st.lists(st.text(st.characters(exclude_characters="\n"), max_size=60), max_size=40)


@given(LINES, st.integers(600, 3000))
def test_pages_hold_every_line_once_and_keep_to_their_bytes(lines: list[str], room: int) -> None:
    seen: list[str] = []
    for _ in range(len(lines) + 1):
        text = page(lines, offset=len(seen), max_bytes=room)
        assert len(text.encode("utf-8", "replace")) <= room
        note = re.search(r"\n\[lines \d+-(\d+) of \d+; go on with offset=(\d+)\]\Z", text)
        seen += (text[: note.start()] if note else text).split("\n") if lines else []
        if note is None:
            break
        assert int(note[1]) == int(note[2]) == len(seen)
    assert seen == lines


def test_a_line_too_large_for_a_page_is_cut_and_passed() -> None:
    text = page(["x" * 5000, "next"], offset=0, max_bytes=1000)
    assert "more]" in text
    assert text.endswith("[lines 1-1 of 2; go on with offset=1]")
    assert page(["x" * 5000, "next"], offset=1, max_bytes=1000) == "next"


def test_cutting_keeps_characters_whole() -> None:
    assert cut("日本語", 7) == "日本"
    assert cut_line("日本語", 7) == "日本… [1 more]"
    assert cut_line("short") == "short"


KEY = "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z"


@given(st.integers(0, 80), st.integers(60, 140))
def test_no_key_is_cut_into_what_looks_like_none(before: int, room: int) -> None:
    text = f"{'日 ' * (before // 2)}key: {KEY} and more{' z' * 50}"
    for short in (cut(text, room), cut_line(text, room)):
        assert len(short) > 0
        assert KEY in short or "Ab3" not in short


@given(st.integers(0, 200))
def test_a_programs_output_is_cut_beside_keys(at: int) -> None:
    text = "." + " " * at + KEY + " " * (200 - at) + KEY + " end"
    take = HeadAndTail(220)
    take(text.encode())
    rest = take.text.replace(KEY, "")
    assert "left out" in rest
    assert not any(KEY[n : n + 8] in rest for n in range(len(KEY) - 8))


@given(st.integers(900, 1100))
def test_a_folded_line_keeps_keys_whole(at: int) -> None:
    line = "." * at + " " + KEY + " z" * 900
    pieces = _folded(line)
    assert "".join(pieces) == line
    assert all(len(piece) <= 1000 for piece in pieces)
    assert any(KEY in piece for piece in pieces)


def test_a_line_without_a_gap_is_cut_all_the_same() -> None:
    assert cut("x" * 500, 300) == "x" * 300
    assert [len(piece) for piece in _folded("x" * 2500)] == [1000, 1000, 500]


@pytest.mark.parametrize("mark", ["</data>", "</DATA >", "< / data>", "<\n/data\t>", "</data foo>"])
def test_no_text_closes_its_frame(mark: str) -> None:
    framed = as_data(f"a{mark}b", "https://example.org/")
    assert framed.startswith('<data from="https://example.org/">\na')
    assert len(re.findall(r"<\s*/\s*data", framed, re.IGNORECASE)) == 1


def test_an_origin_cannot_break_out_of_its_quotes() -> None:
    framed = as_data("x", 'https://h/"><evil>\n')
    assert framed.splitlines()[0] == '<data from="https://h/_evil_">'


@given(st.text())
def test_defusing_twice_changes_nothing(text: str) -> None:
    assert defused(defused(text)) == defused(text)
