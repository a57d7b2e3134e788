"""docs/protocol.json says what the code says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
PAGE: dict[str, Any] = json.loads((ROOT / "docs/protocol.json").read_text("utf-8"))


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            if key == "$ref":
                yield each
            else:
                yield from refs(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from refs(each)


def test_the_page_is_what_the_types_say() -> None:
    command = [sys.executable, str(ROOT / "scripts/protocol.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_type_has_a_name_of_its_own_and_is_described() -> None:
    definitions = PAGE["$defs"]
    assert {ref.removeprefix("#/$defs/") for ref in refs(PAGE)} == set(definitions)
    assert [name for name in definitions if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []
    assert [name for name, each in definitions.items() if not each.get("description")] == []


def test_what_is_sent_has_every_key_and_what_is_asked_need_not() -> None:
    row, asked = PAGE["$defs"]["RunRow"], PAGE["$defs"]["Delegate"]
    assert row["required"] == list(row["properties"])
    assert asked["required"] == ["agent"]


def test_what_is_said_of_a_field_stands_at_it() -> None:
    goal = PAGE["$defs"]["RunRow"]["properties"]["goal"]
    assert "GOAL_CHARACTERS" in goal["description"]
    assert PAGE["$defs"]["Delegate"]["properties"]["model"]["description"].startswith("`PROVIDER")


def test_what_is_told_is_told_apart_by_its_kind() -> None:
    told = PAGE["$defs"]["Events"]["properties"]["told"]["items"]
    kinds = [
        PAGE["$defs"][ref.removeprefix("#/$defs/")]["properties"]["kind"]["const"]
        for ref in dict.fromkeys(refs(told["anyOf"]))
    ]
    assert kinds == ["remarks", "began", "created", "kept"]
