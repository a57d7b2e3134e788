"""JSON Schemas as providers enforce them: a strict subset of the language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from codexd.models.interface import JsonObject

KEPT = {"type", "description", "enum", "const", "$ref", "anyOf", "items", "properties", "$defs"}
LOOSENED = {
    "title", "default", "examples", "format", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems",
    "uniqueItems", "required", "additionalProperties", "$schema",
}  # fmt: skip
"""Keywords that are left out: remarks, and checks that only some providers know. Whoever reads
the answer checks it against the whole schema anyway."""


_MOST_KNOWN = 64
_KNOWN: dict[int, tuple[JsonObject, dict[str, Any] | None]] = {}
"""By the identity of a schema: one is asked for at each call of each run. It is held here, so
that no other can get its identity."""


def strict(schema: JsonObject) -> dict[str, Any] | None:
    """`schema` as a provider can enforce it: every object closed, every property required.

    `None` where it cannot be said so: open maps, and keywords such as `oneOf`. The same schema
    gets the same answer, which is not to be changed.
    """
    known = _KNOWN.get(id(schema))
    if known is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        known = _KNOWN[id(schema)] = schema, _strict(schema)
    return known[1]


def _strict(schema: JsonObject) -> dict[str, Any] | None:
    if not schema.keys() <= KEPT | LOOSENED:
        return None
    found: dict[str, Any] = {key: schema[key] for key in schema if key in KEPT}
    for key in ("properties", "$defs"):
        if key in found:
            members = {name: _strict(member) for name, member in found[key].items()}
            if None in members.values():
                return None
            found[key] = members
    if isinstance(found.get("items"), Mapping):
        found["items"] = _strict(found["items"])
        if found["items"] is None:
            return None
    if "anyOf" in found:
        found["anyOf"] = [_strict(member) for member in cast("list[JsonObject]", found["anyOf"])]
        if None in found["anyOf"]:
            return None
    if found.get("type") == "object":
        if schema.get("additionalProperties") or "properties" not in found:
            return None
        found["required"] = list(found["properties"])
        found["additionalProperties"] = False
    return found
