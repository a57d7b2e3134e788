"""Cutting, paging and marking the text of results."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.tools.results import as_data, cut, cut_line, defused, page

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
