"""Schemas as providers enforce them."""

from __future__ import annotations

from typing import Any

import pytest

from codexd.models.structured import strict


def test_objects_are_closed_and_every_property_is_required() -> None:
    schema = {
        "type": "object",
        "title": "Result",
        "properties": {
            "summary": {"type": "string", "default": "", "maxLength": 9},
            "criteria": {"type": "array", "items": {"$ref": "#/$defs/Criterion"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["summary"],
        "$defs": {
            "Criterion": {
                "type": "object",
                "properties": {"met": {"enum": ["met", "not met"]}},
                "required": ["met"],
            }
        },
    }
    assert strict(schema) == {
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "criteria": {"type": "array", "items": {"$ref": "#/$defs/Criterion"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["summary", "criteria", "note"],
        "additionalProperties": False,
        "$defs": {
            "Criterion": {
                "type": "object",
                "properties": {"met": {"enum": ["met", "not met"]}},
                "required": ["met"],
                "additionalProperties": False,
            }
        },
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {"oneOf": []}}},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [{"type": "object"}]},
        {"type": "object", "properties": {}, "patternProperties": {}},
    ],
)
def test_what_cannot_be_enforced_is_said(schema: dict[str, Any]) -> None:
    assert strict(schema) is None


def test_properties_may_be_named_like_keywords() -> None:
    schema = {"type": "object", "properties": {"oneOf": {"type": "string"}}}
    narrow = strict(schema)
    assert narrow is not None
    assert narrow["required"] == ["oneOf"]
