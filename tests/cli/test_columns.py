"""Columns of a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from codexd.cli.columns import cells, clean, cut, pad, table, wrap

TEXT = st.lists(st.sampled_from([*"ab c,.。、漢字かな", "e\u0301", "👍🏽"]), max_size=60).map(
    "".join
)


def test_wide_characters_take_two_columns() -> None:
    assert cells("予算到達") == 8
    assert pad("完了", 6) == "完了  "
    assert pad("7", 3, right=True) == "  7"


@pytest.mark.parametrize(
    ("text", "columns", "short"),
    [
        ("code-reviewer", 13, "code-reviewer"),
        ("code-reviewer", 6, "code-…"),
        ("予算到達", 5, "予算…"),
        ("予算到達", 4, "予…"),
        ("a", 0, ""),
    ],
)
def test_what_is_too_long_is_cut_at_a_column(text: str, columns: int, short: str) -> None:
    assert cut(text, columns) == short


def test_lines_break_between_words() -> None:
    assert wrap("the message has no place", 12) == ["the message", "has no place"]


def test_japanese_breaks_between_characters_but_not_before_a_full_stop() -> None:
    assert wrap("予算に到達しました。終わり", 18) == ["予算に到達しまし", "た。終わり"]


def test_a_word_longer_than_a_line_is_broken() -> None:
    assert wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]


@given(TEXT, st.integers(4, 40))
def test_no_line_is_wider_than_asked_and_nothing_is_lost(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert all(wcswidth(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(TEXT, st.integers(0, 40))
def test_a_cut_text_fits(text: str, columns: int) -> None:
    assert wcswidth(cut(text, columns)) <= columns


def test_a_terminal_gets_no_control_characters() -> None:
    nasty = "a\x1b]0;title\x07b\x9bc\u202ed\r\ne\tf"
    assert clean(nasty) == "a\ufffd]0;title\ufffdb\ufffdc\ufffdd  e f"


def test_columns_of_a_table_align_and_empty_ones_vanish() -> None:
    lines = table([["完了", "", "7"], ["a", "", "12"]], right=(2,))
    assert lines == ["完了   7", "a     12"]
