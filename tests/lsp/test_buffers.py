"""Positions become the client's units in one place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from codexd.lsp.buffers import Buffer

ENCODINGS = list(types.PositionEncodingKind)


def buffer(
    text: str, encoding: types.PositionEncodingKind = types.PositionEncodingKind.Utf16
) -> Buffer:
    return Buffer("file:///a", Path("/a"), text, encoding=encoding)


def test_lines_end_as_the_protocol_says() -> None:
    lines = ["a\r\n", "b\r", "c\n", "d\x0ce\u2028f\n", ""]
    assert buffer("".join(lines)).lines == lines


@pytest.mark.parametrize(
    ("encoding", "character"),
    [
        (types.PositionEncodingKind.Utf8, 7),
        (types.PositionEncodingKind.Utf16, 3),
        (types.PositionEncodingKind.Utf32, 2),
    ],
)
def test_columns_count_the_clients_units(
    encoding: types.PositionEncodingKind, character: int
) -> None:
    assert buffer("😀語x", encoding).position(1, 3) == types.Position(0, character)


def test_what_is_past_an_end_is_at_that_end() -> None:
    assert buffer("ab\n").position(1, 99) == types.Position(0, 2)
    assert buffer("ab\ncd").position(9, 1) == types.Position(1, 2)
    assert buffer("ab\ncd").point(types.Position(9, 0)) == (2, 3)
    assert buffer("").position(1, 1) == types.Position(0, 0)


@given(
    st.text(alphabet="ab😀語é\n\r\x0c\u2028"),
    st.sampled_from(ENCODINGS),
    st.integers(1, 6),
    st.integers(1, 8),
)
def test_a_point_survives_the_way_there_and_back(
    text: str, encoding: types.PositionEncodingKind, line: int, column: int
) -> None:
    here = buffer(text, encoding)
    there = here.position(line, column)
    assert here.position(*here.point(there)) == there
