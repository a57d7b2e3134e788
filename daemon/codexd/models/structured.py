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


def strict(schema: JsonObject) -> dict[str, Any] | None:
    """`schema` as a provider can enforce it: every object closed, every property required.

    `None` where it cannot be said so: open maps, and keywords such as `oneOf`.
    """
    if not schema.keys() <= KEPT | LOOSENED:
        return None
    found: dict[str, Any] = {key: schema[key] for key in schema if key in KEPT}
    for key in ("properties", "$defs"):
        if key in found:
            members = {name: strict(member) for name, member in found[key].items()}
            if None in members.values():
                return None
            found[key] = members
    if isinstance(found.get("items"), Mapping):
        found["items"] = strict(found["items"])
        if found["items"] is None:
            return None
    if "anyOf" in found:
        found["anyOf"] = [strict(member) for member in cast("list[JsonObject]", found["anyOf"])]
        if None in found["anyOf"]:
            return None
    if found.get("type") == "object":
        if schema.get("additionalProperties") or "properties" not in found:
            return None
        found["required"] = list(found["properties"])
        found["additionalProperties"] = False
    return found
