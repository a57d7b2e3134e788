"""The last answer of a run: a structured result, criteria judged, artifacts there or not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from codexd.runs.view import Criterion, Judged

RESULT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "description": "what was done and found, in a few sentences"},
        "criteria": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "criterion": {"type": "string", "description": "as it was given"},
                    "judged": {"type": "string", "enum": [judged.value for judged in Judged]},
                    "evidence": {"type": "string", "description": "what shows it"},
                },
                "required": ["criterion", "judged", "evidence"],
                "additionalProperties": False,
            },
        },
        "data": {
            "type": ["string", "null"],
            "description": "a further result as JSON text, where the agent is to give one",
        },
    },
    "required": ["summary", "criteria", "data"],
    "additionalProperties": False,
}
"""What the last answer of a run is to be, as JSON Schema (the strict subset of the providers)."""


def result_schema(data: dict[str, Any] | None) -> dict[str, Any]:
    """What the last answer of a run is to be whose `data` is to be as that schema says."""
    if data is None:
        return RESULT_SCHEMA
    return {**RESULT_SCHEMA, "properties": {**RESULT_SCHEMA["properties"], "data": data}}


def misfit(value: object, schema: Mapping[str, Any], place: str = "data") -> str:
    """What is wrong with `value` by the types, the required keys and the choices of `schema`, as a
    sentence; empty where nothing is. Other keywords are for whoever reads the value to check.
    """
    kind = schema.get("type")
    if isinstance(kind, str) and not isinstance(value, _KINDS[kind]):
        return f"`{place}` is not of the type {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"`{place}` is none of {', '.join(map(str, schema['enum']))}"
    members: list[tuple[str, object, Mapping[str, Any]]] = []
    if isinstance(value, dict):
        found = cast("dict[str, object]", value)
        for key in schema.get("required", ()):
            if key not in found:
                return f"`{place}.{key}` is missing"
        known = schema.get("properties", {})
        members = [(f"{place}.{key}", found[key], known[key]) for key in found if key in known]
    elif isinstance(value, list) and "items" in schema:
        each = enumerate(cast("list[object]", value))
        members = [(f"{place}[{i}]", item, schema["items"]) for i, item in each]
    return next(filter(None, (misfit(item, type_, at) for at, item, type_ in members)), "")


_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """A last answer, read."""

    summary: str
    criteria: tuple[tuple[str, Judged, str], ...]
    """(criterion as the model repeated it, verdict, evidence)."""
    data: Any


class _Row(BaseModel):
    criterion: str = ""
    judged: str = ""
    evidence: str = ""


class _Answer(BaseModel):
    """What a model wrote, taken as it means it rather than as it should be."""

    summary: str
    criteria: list[_Row] = []
    data: Any = None


def parse_result(text: str) -> Result | None:
    """The result in an answer's text (bare, fenced, or after some words), or `None`."""
    value = _json_object(text)
    if value is None:
        return None
    try:
        read = _Answer.model_validate(value)
    except ValidationError:
        return None
    if not read.summary.strip():
        return None
    verdicts = {verdict.value: verdict for verdict in Judged}
    data = read.data
    if isinstance(data, str):
        with suppress(ValueError):  # a text that is no JSON stays a text
            data = _strict(data)
    data = from_json(
        to_json(data, inf_nan_mode="null")
    )  # as it is stored: a number beyond all is null
    criteria = tuple(
        (row.criterion, verdicts.get(row.judged, Judged.NOT_JUDGED), row.evidence)
        for row in read.criteria
    )
    return Result(read.summary.strip(), criteria, data)


def says_nothing(text: str) -> bool:
    """Whether an answer has no word in it, or is a result without any."""
    value = _json_object(text)
    if isinstance(value, dict) and "summary" in value:
        told = cast("dict[str, Any]", value)
        return not str(told["summary"] or "").strip() and not told.get("data")
    return not any(character.isalnum() for character in text)


def judge(declared: Sequence[str], result: Result | None) -> tuple[Criterion, ...]:
    """Each declared criterion with what the result says of it, else "not judged"."""
    given = result.criteria if result else ()
    by_text = {_plain(text): (verdict, evidence) for text, verdict, evidence in given}
    judged: list[Criterion] = []
    for index, text in enumerate(declared):
        found = by_text.get(_plain(text))
        if found is None and len(given) == len(declared):
            found = given[index][1:]  # the model reworded it, and kept the order
        verdict, evidence = found or (Judged.NOT_JUDGED, "")
        judged.append(Criterion(text, verdict, evidence))
    return tuple(judged)


def missing(declared: Sequence[str], wrote: Sequence[str]) -> tuple[str, ...]:
    """The declared artifacts that no written file satisfies. A pattern wants at least one."""
    return tuple(
        pattern for pattern in declared if not any(matches(pattern, path) for path in wrote)
    )


def matches(pattern: str, path: str) -> bool:
    """Whether `path` is what `pattern` declares: `*` within a part, `**` over any parts."""
    regex = "".join(
        _GLOB.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    )
    return re.fullmatch(regex, path) is not None


_GLOB = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .")


def _json_object(text: str) -> object:
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        with suppress(ValueError, RecursionError):
            _, end = decoder.raw_decode(text, match.start())
            return _strict(text[match.start() : end])
    return None


def _strict(text: str) -> Any:
    """What JSON text says; a `ValueError` for what could not be stored and read again: NaN, half
    of a surrogate pair, an abyss.
    """
    return from_json(f"[[{text}]]", allow_inf_nan=False)[0][0]
