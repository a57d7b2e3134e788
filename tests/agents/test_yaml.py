"""YAML as agent files have it: 1.2's scalars, a place for everything, one kind of fault."""

import contextlib
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codexd.agents import yaml
from codexd.agents.yaml import Place, YamlFault

TEXT = """\
# a comment
name: "Python Reviewer"  # another
"quoted key": 'x'
日本: 語 # wide
tools:
  mcp:
    - grep
    -   read_file
  fs: {read: true, write: ["./a", './b c']}
text: |
  one
    two
empty:
last: done
"""


def fault(text: str) -> YamlFault:
    with pytest.raises(YamlFault) as caught:
        yaml.parse(text)
    return caught.value


def test_values_are_read_as_written():
    assert yaml.parse(TEXT).value == {
        "name": "Python Reviewer",
        "quoted key": "x",
        "日本": "語",
        "tools": {"mcp": ["grep", "read_file"], "fs": {"read": True, "write": ["./a", "./b c"]}},
        "text": "one\n  two\n",
        "empty": None,
        "last": "done",
    }


def test_every_key_item_and_value_has_its_place():
    document = yaml.parse(TEXT)

    assert document.keys["name",] == Place(2, 1, 2, 5)
    assert document.values["name",] == Place(2, 7, 2, 24)
    assert document.keys["quoted key",] == Place(3, 1, 3, 13)
    assert document.keys["日本",] == Place(4, 1, 4, 3)
    assert document.values["日本",] == Place(4, 5, 4, 6)
    assert document.keys["tools", "mcp"] == Place(6, 3, 6, 6)
    assert document.keys["tools", "mcp", 1] == Place(8, 9, 8, 18)
    assert document.values["tools", "fs"] == Place(9, 7, 9, 44)
    assert document.values["tools", "fs", "write", 1] == Place(9, 35, 9, 42)
    assert document.values["empty",] == Place(13, 7, 13, 7)


def test_a_block_ends_with_its_last_item_not_where_the_next_begins():
    document = yaml.parse(TEXT)

    assert document.values["tools", "mcp"] == Place(7, 5, 8, 18)
    assert document.values["tools",] == Place(6, 3, 9, 44)
    assert document.values[()] == Place(2, 1, 14, 11)


def test_front_matter_keeps_the_lines_of_its_file():
    assert yaml.parse("a: 1\nb: 2\n", first_line=2).keys["b",] == Place(3, 1, 3, 2)
    with pytest.raises(YamlFault) as caught:
        yaml.parse("a: 1\nb: *x\n", first_line=2)
    assert caught.value.place.line == 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-02", "2026-01-02"),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.0.0", "1.0.0"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+", "+"),
        ("9" * 41, "9" * 41),
        ("=", "="),
        ("'12'", "12"),
        ('"true"', "true"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, meant: object):
    value = yaml.parse(f"key: {written}\n").value["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_nan_is_a_number():
    assert math.isnan(yaml.parse("a: .nan").value["a"])


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "`a` stands twice; first in line 1"),
        ("a: {x: 1,\n x: 2}\n", 2, 2, "`x` stands twice"),
        ("a: &x 1\n", 1, 4, "an anchor"),
        ("a: &x 1\nb: *x\n", 1, 4, "an anchor"),
        ("a: *x\n", 1, 4, "an alias"),
        ("a: !!python/object:os.system {}\n", 1, 4, "a tag"),
        ("a: !x 1\n", 1, 4, "a tag"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("? [a]\n: 1\n", 1, 3, "a key must be a text"),
        ("{{a: 1}: 2}\n", 1, 2, "a key must be a text"),
        ("description: Use when: always\n", 1, 22, "a second `: `"),
        ("a:\n\t- x\n", 2, 1, "a tab"),
        ("a: @x\n", 1, 4, "cannot begin"),
        ("é: 1\na: \x01\n", 2, 4, "U+0001"),
        ("[" * 41 + "]" * 41, 1, 41, "nested deeper than 40"),
    ],
)
def test_what_an_agent_file_cannot_mean_is_a_fault_with_its_place(
    text: str, line: int, column: int, said: str
):
    found = fault(text)
    assert said in found.message
    assert (found.place.line, found.place.column) == (line, column)


def test_a_hundred_thousand_brackets_are_a_fault_and_no_crash():
    assert "nested deeper" in fault("[" * 100_000).message
    assert "nested deeper" in fault("{a: " * 100_000).message


def test_an_empty_text_is_no_value():
    assert yaml.parse("").value is None
    assert yaml.parse("# only a comment\n").value is None


def test_bytes_that_are_no_utf_8_are_a_fault_where_they_stand():
    with pytest.raises(YamlFault) as caught:
        yaml.decode("name: x\ngoal: 日".encode() + b"\xff")
    assert caught.value.place == Place(2, 8, 2, 9)


def test_a_file_larger_than_a_mebibyte_is_not_read():
    with pytest.raises(YamlFault, match="1,048,577 bytes"):
        yaml.decode(b" " * (yaml.MAX_BYTES + 1))


def test_a_byte_order_mark_is_no_character():
    assert yaml.decode(b"\xef\xbb\xbfname: x") == "name: x"


_CHARACTERS = "a01.-:?,[]{}#&*!|>'\"%@`~\\ \t\r\n\x00\x85\u2028\ufeff\ud800é😀"
_WORDS = (": ", "- ", "? ", "---\n", "...\n", "<<: ", "\n  ", "%YAML ")
_PIECES = st.sampled_from((*_CHARACTERS, *_WORDS))


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=30).map("".join)))
@example("\x00")
@example("\ud800")
@example("%YAML 3.0\n---\n")
@example("%TAG ! x\n---\n")
@example('"\\ud800"')
def test_nothing_but_a_yaml_fault_escapes(text: str):
    try:
        places = list(yaml.parse(text).values.values())
    except YamlFault as found:
        places = [found.place]
    assert all(place.line >= 1 and place.column >= 1 for place in places)


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(data: bytes):
    with contextlib.suppress(YamlFault):
        yaml.parse(yaml.decode(data))


_VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-1000, 1000),
        st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner, max_size=4),
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_json_is_yaml(value: object):
    assert yaml.parse(json.dumps(value, ensure_ascii=False)).value == value


def test_lines_are_those_of_editors_not_of_yaml() -> None:
    found = yaml.parse('a: "x\u2028\x85y"\nb:\r  - c\r\nd: 1\n')
    assert found.keys[("b",)][:2] == (2, 1)
    assert found.keys[("b", 0)][:2] == (3, 5)
    assert found.keys[("d",)] == (4, 1, 4, 2)
    with pytest.raises(YamlFault) as fault:
        yaml.parse('a: "\u2029"\nb: [\n')
    assert fault.value.place.line == 3
