"""Server-sent events out of bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.errors import CutStream
from codexd.models.sse import EventReader


def events(*chunks: bytes) -> list[str]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data: a\r\n\r\n", ["a"]),
        (b"data: a\r\r", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data\n\n", [""]),
        (b"data:\ndata:\n\n", ["\n"]),
        (b": comment\n\ndata: a\n\n", ["a"]),
        (b"event: x\nid: 7\nretry: 9\ndata: a\n\n", ["a"]),
        (b"event: x\n\n", []),
        (b"database: a\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data: a\n", []),
        (b"data: a", []),
        ("data: 直す\n\n".encode(), ["直す"]),
    ],
)
def test_streams_are_read_as_the_specification_says(stream: bytes, expected: list[str]) -> None:
    assert events(stream) == expected


@given(
    lines=st.lists(st.sampled_from(["data: 直a", "data", "data: b", "event: e", ": c", "", ""])),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 200)),
)
def test_it_does_not_matter_where_chunks_are_cut(
    lines: list[str], ending: str, cuts: list[int]
) -> None:
    stream = "".join(line + ending for line in lines).encode()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[a:b] for a, b in pairwise(places)]
    lf = "".join(line + "\n" for line in lines).encode()
    assert events(*chunks) == events(lf)


def test_a_byte_order_mark_may_come_in_pieces_with_its_line() -> None:
    assert events(b"\xef\xbb", b"\xbfdata: a", b"\n\n") == ["a"]


def test_a_line_past_the_cap_is_cut_before_it_ends() -> None:
    reader = EventReader(max_line=1_000)
    for _ in range(100):
        reader.feed(b"x" * 10)
    with pytest.raises(CutStream):
        reader.feed(b"x")


def test_an_event_of_many_lines_has_the_same_cap() -> None:
    reader = EventReader(max_line=1_000)
    with pytest.raises(CutStream):
        reader.feed(b"data: 0123456789\n" * 101)


def test_a_stream_without_end_is_cut() -> None:
    reader = EventReader(max_stream=1_000)
    for _ in range(100):
        reader.feed(b": comment\n")
    with pytest.raises(CutStream):
        reader.feed(b"\n")


def test_bytes_that_are_no_utf8_are_cut_even_surrogates() -> None:
    for wrong in (b"\xff", b"\xc3(", b"\xed\xa0\x80"):
        with pytest.raises(CutStream):
            EventReader().feed(b"data: " + wrong + b"\n\n")
