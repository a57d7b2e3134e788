"""Every key and array item of a TOML file has its place."""

import tomllib
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.config.positions import TomlFault, parse_toml, parse_toml_spans

TEXT = '''\
model = "gpt"   # a comment = not a key
"quoted.key" = 'x'
a.b . "c" = 1
when = 1979-05-27 07:32:00

[policy]
net = [
  "https://docs.rs/*",  # one, with "quotes" ]
  'https://x/]',
  { host = "h", ports = [80,
      443] },
]
text = """
[not.a.table]
x = "y" \\""" z"""""
lit = \'\'\'
k = 1\'\'\'

[model_providers.local]
base_url = "http://localhost"

[[servers]]
name = "one"
[[servers]]
name = "two"
[servers.env]
KEY = "v"
[[servers.tools]]
id = 1
'''


def test_keys_and_items_of_every_form_are_found_where_they_stand():
    values, places = parse_toml(TEXT)

    assert places["model",] == (1, 1)
    assert places["quoted.key",] == (2, 1)
    assert places["a",] == (3, 1)
    assert places["a", "b"] == (3, 3)
    assert places["a", "b", "c"] == (3, 7)
    assert places["policy",] == (6, 2)
    assert places["policy", "net"] == (7, 1)
    assert places["policy", "net", 0] == (8, 3)
    assert places["policy", "net", 1] == (9, 3)
    assert places["policy", "net", 2, "ports", 1] == (11, 7)
    assert places["policy", "lit"] == (16, 1)
    assert places["model_providers", "local", "base_url"] == (20, 1)
    assert places["servers", 0, "name"] == (23, 1)
    assert places["servers", 1] == (24, 1)
    assert places["servers", 1, "name"] == (25, 1)
    assert places["servers", 1, "env", "KEY"] == (27, 1)
    assert places["servers", 1, "tools", 0, "id"] == (29, 1)
    assert values["servers"][1]["tools"] == [{"id": 1}]


def test_spans_end_one_past_the_last_code_point():
    _, keys, values = parse_toml_spans('"名" = "日本"\n')

    assert keys["名",] == (1, 1, 1, 4)
    assert values["名",] == (1, 7, 1, 11)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\nb 2\n", 2, 3),
        ("a = ", 1, 5),
        ("a = [1,\n", 2, 1),
        ("a = 1\na = 2\n", 2, 6),
    ],
)
def test_a_fault_says_where(text: str, line: int, column: int):
    with pytest.raises(TomlFault) as caught:
        parse_toml(text)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert "(at " not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5_000,
        "a = " + "[" * 100 + "]" * 100,
        ".".join("a" * 5_000) + " = 1",
        "[" + ".".join("a" * 5_000) + "]",
        "a = " + "9" * 5_000,
    ],
)
def test_bombs_are_faults_and_not_crashes(text: str):
    with pytest.raises(TomlFault):
        parse_toml(text)


KEYS = st.text(alphabet="ab-_9 .\"'\\\né日", min_size=0, max_size=4)
ATOMS = st.one_of(
    st.integers(-9, 9), st.booleans(), st.text(alphabet="ab]},#\"'\\\n=é", max_size=6)
)
TREES = st.recursive(
    ATOMS, lambda t: st.lists(t, max_size=3) | st.dictionaries(KEYS, t, max_size=3), max_leaves=8
)


Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int"


def written(value: Tree) -> str:
    """`value` as TOML, tables inline."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case list():
            return "[" + ",\n # ]\n".join(map(written, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + "}"
        case _:
            return quoted(str(value))


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_the_text_under_each_value_is_that_value(tree: dict[str, Tree]):
    text = "".join(f"{quoted(k)} = {written(v)}\n" for k, v in tree.items())

    values, _, spans = parse_toml_spans(text)

    assert values == tree
    lines = text.split("\n")
    for path, span in spans.items():
        wanted: Any = tree
        for step in path:
            wanted = wanted[step]
        part = [*lines[span.line - 1 : span.end_line]]
        part[-1] = part[-1][: span.end_column - 1]
        part[0] = part[0][span.column - 1 :]
        assert tomllib.loads("v = " + "\n".join(part))["v"] == wanted


@given(st.text(alphabet="a.=[]{}\"'\\#,1\n ", max_size=40))
def test_nothing_but_the_documented_fault_escapes(text: str):
    try:
        values, _ = parse_toml(text)
    except TomlFault:
        with pytest.raises(ValueError, match=r"."):
            tomllib.loads(text)
    else:
        assert values == tomllib.loads(text)
