"""The keys of a dialect as a JSON schema, for tools that check files by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexd.agents.keys import TABLES, Key, Kind, names_at

if TYPE_CHECKING:
    from codexd.words import Lang

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}


def schema_of(dialect: str, lang: Lang = "en") -> dict[str, Any]:
    """The JSON schema of an agent file's keys (in Markdown: of its front matter).

    Keys that are not known are allowed at the top, where they are told to the model, and nowhere
    else.
    """
    needed = ["name", "description", "developer_instructions"] if dialect == "toml" else ["name"]
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"codexd agent ({dialect})",
        **_mapping(dialect, (), lang),
    }
    return {
        **schema,
        "additionalProperties": True,
        "required": needed if dialect in ("yaml", "toml") else [],
    }


def _mapping(dialect: str, above: tuple[str, ...], lang: Lang) -> dict[str, Any]:
    names = names_at(dialect, *above)
    properties = {name: _key(dialect, (*above, name), lang) for name in names}
    # Where no key is known (`hooks`), their names are the author's.
    return {"type": "object", "properties": properties, "additionalProperties": not names}


def _key(dialect: str, path: tuple[str, ...], lang: Lang) -> dict[str, Any]:
    key = TABLES[dialect][".".join(path)]
    shapes = [_shape(kind, key, dialect, path, lang) for kind in key.kinds]
    shape = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return {"description": key.about.in_(lang), **shape}


def _shape(kind: Kind, key: Key, dialect: str, path: tuple[str, ...], lang: Lang) -> dict[str, Any]:
    match kind:
        case Kind.WHOLE:
            return {"type": "integer", "minimum": 0}
        case Kind.NUMBER:
            return {"type": "number", "minimum": 0}
        case Kind.FLAG:
            return {"type": "boolean"}
        case Kind.OFF:
            return {"const": False}
        case Kind.CHOICE:
            return {"enum": list(key.values)}
        case Kind.MAP:
            return _mapping(dialect, path, lang)
        case Kind.ITEMS | Kind.TOOLS | Kind.SERVERS if names_at(dialect, *path, "*"):
            item = _mapping(dialect, (*path, "*"), lang)
            # Items that are no tools (`termination_conditions`) may say more, to the model.
            item["additionalProperties"] = Kind.TOOLS not in key.kinds
            return {"type": "array", "items": {"anyOf": [_TEXT, item]}}
        case Kind.ITEMS:
            return {"type": "array"}
        case Kind.TOOLS if path[-1] == "name":
            return _TEXT
        case Kind.TEXTS | Kind.PATHS | Kind.HOSTS | Kind.COMMANDS | Kind.TOOLS:
            return _TEXTS
        case Kind.SERVERS | Kind.AGENTS:
            return _TEXTS
        case _:
            return _TEXT
