"""One table of keys: what the readers know, what is explained, and the JSON schema agree."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest

from codexd.agents import dialects
from codexd.agents.keys import DECIDING, HOMES, TABLES, Key, Kind, names_at
from codexd.agents.registry import built_in
from codexd.agents.schema import schema_of
from codexd.agents.toolnames import CLAUDE, CLAUDE_SPELLED, VSCODE, VSCODE_SPELLED
from codexd.agents.yaml import parse

ROWS = [(dialect, key) for dialect, keys in TABLES.items() for key in keys.values()]
FIXTURES = Path(__file__).parent / "fixtures"
ACCESSORS = {
    "text", "texts", "items", "mapping", "flag", "whole", "number", "choice", "get", "words",
    "error", "not_honoured", "max_turns", "reasoning_effort", "server_names",
}  # fmt: skip
"""What a reader asks a sheet by."""


def named_in(tree: ast.AST) -> set[str]:
    """The texts by which the code asks for keys: in calls, and in paths that it keeps as `at`."""
    texts: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts += node.args if node.func.attr in ACCESSORS else []
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in ("at", "places"):
                texts.append(node.value)
    constants = (each for text in texts for each in ast.walk(text))
    return {
        each.value
        for each in constants
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def test_no_reader_asks_for_a_key_that_no_table_has() -> None:
    known = {key.name for _, key in ROWS}
    folder = Path(dialects.__file__).parent
    asked = set[str]()
    for file in folder.glob("*.py"):
        asked |= named_in(ast.parse(file.read_text(encoding="utf-8")))
    words = {each for each in asked if each.replace("_", "").replace("-", "").isalnum()}
    assert {"max_tokens", "filesystem", "permissionMode", "sandbox_mode", "mcp-servers"} <= words
    assert words - known == set()


@pytest.mark.parametrize(("dialect", "key"), ROWS, ids=[f"{d}-{k.path}" for d, k in ROWS])
def test_a_row_says_what_its_key_means_in_both_languages(dialect: str, key: Key) -> None:
    assert dialect
    for words in filter(None, (key.about, key.default, key.grants)):
        assert words.en
        assert words.ja
        assert words.en.count("`") % 2 == words.ja.count("`") % 2 == 0
    assert bool(key.values) == (Kind.CHOICE in key.kinds)
    assert not (key.idle and key.decides)


@pytest.mark.parametrize("dialect", list(TABLES))
def test_a_row_stands_after_what_holds_it(dialect: str) -> None:
    paths = list(TABLES[dialect])
    for n, path in enumerate(paths):
        above = path.rpartition(".")[0].removesuffix(".*")
        assert not above or above in paths[:n]


def test_a_home_is_a_key_of_its_dialect() -> None:
    for dialect, homes in HOMES.items():
        assert set(homes.values()) - {""} <= set(TABLES[dialect])


WRITTEN = {
    "yaml": ("x.yaml", "workspace", "{}: null\n", ""),
    "toml": ("x.toml", "workspace", '"{}" = 1\n', ""),
    "claude": ("x.md", "claude", "---\n{}: null\n", "---\n"),
    "cursor": ("x.md", "cursor", "---\n{}: null\n", "---\n"),
    "vscode": ("x.agent.md", "github", "---\n{}: null\n", "---\n"),
}


@pytest.mark.parametrize("dialect", list(TABLES))
def test_every_key_of_the_table_is_known_to_the_reader_and_a_slip_of_it_is_not(
    dialect: str,
) -> None:
    name, origin, before, after = WRITTEN[dialect]
    for key, slip in product(names_at(dialect), ("", "x")):
        text = before.format(key + slip) + after
        _, remarks = dialects.read(Path(name), text.encode(), origin)
        found = [each for each in remarks if each.code in ("unknown-key", "told-to-model")]
        assert bool(found) == bool(slip), (key, slip)
        if slip and len(key) > 4 and found[0].code == "unknown-key":
            assert found[0].nearest == key


def test_the_words_that_decide_are_those_of_rows_that_say_so() -> None:
    assert {"tools", "max_tokens", "permissionMode", "readonly", "duration_seconds"} <= DECIDING
    assert not {"name", "goal", "instructions", "color"} & DECIDING


def test_spelled_tools_are_tools_that_something_serves_for() -> None:
    assert all(CLAUDE[name.lower()] for name in CLAUDE_SPELLED)
    assert all(VSCODE[name.lower()] for name in VSCODE_SPELLED)


# --- the schema ------------------------------------------------------------------------------


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether `value` fits `schema`, as far as ours go."""
    if "anyOf" in schema:
        return any(fits(each, value) for each in schema["anyOf"])
    if "const" in schema:
        return value == schema["const"]
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "object":
            return isinstance(value, dict) and all(
                fits(schema["properties"][key], each)
                if key in schema["properties"]
                else schema["additionalProperties"]
                for key, each in cast("dict[str, Any]", value).items()
            )
        case "array":
            items = schema.get("items")
            return isinstance(value, list) and (
                items is None or all(fits(items, each) for each in cast("list[Any]", value))
            )
        case kind:
            types = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
            return isinstance(value, types[kind])


AGENTS = [*sorted(built_in().glob("*.yaml")), *sorted(FIXTURES.glob("*.yaml"))]


@pytest.mark.parametrize("file", AGENTS, ids=[file.name for file in AGENTS])
def test_agents_that_are_right_fit_the_schema(file: Path) -> None:
    value = parse(file.read_text(encoding="utf-8")).value
    assert fits(schema_of("yaml"), value)
    assert not fits(schema_of("yaml"), {**value, "max_tokens": "many"})
    assert not fits(schema_of("yaml"), {**value, "policies": {"contxt": {}}})


@pytest.mark.parametrize("dialect", list(TABLES))
def test_the_schema_has_every_key_with_its_meaning(dialect: str) -> None:
    schema = schema_of(dialect, "ja")
    for path, key in TABLES[dialect].items():
        here = schema
        for step in path.split("."):
            shapes = [here, *here.get("anyOf", ())]
            inner = [s["items"] for s in shapes if "items" in s] if step == "*" else shapes
            inner += [each for s in inner for each in s.get("anyOf", ())]
            if step == "*":
                here = next(s for s in inner if s.get("type") == "object")
            else:
                here = next(s["properties"][step] for s in inner if step in s.get("properties", ()))
        if not path.endswith("*"):
            assert here["description"] == key.about.ja
