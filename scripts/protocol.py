"""docs/protocol.json: codexd's own messages, described for programs; TypeScript's types come of it.

python scripts/protocol.py [--check]
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "daemon"))

from pydantic import TypeAdapter  # noqa: E402 - the clone's own code, installed or not
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue  # noqa: E402
from pydantic_core import core_schema  # noqa: E402

from codexd.errors import Diagnostic  # noqa: E402
from codexd.lsp import asking, events  # noqa: E402
from codexd.lsp.hello import Declared, Hello  # noqa: E402
from codexd.lsp.verbs import FAULTS  # noqa: E402
from codexd.orchestrator import Began  # noqa: E402
from codexd.orchestrator.table import VERBS  # noqa: E402

PAGE = ROOT / "docs" / "protocol.json"
Json = dict[str, Any]


class Described(GenerateJsonSchema):
    """JSON Schema with what stands in docstrings, those under fields too."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """A dataclass' schema."""
        found = super().dataclass_schema(schema)
        found["description"] = inspect.cleandoc(schema["cls"].__doc__ or "")
        for name, text in field_docstrings(schema["cls"]):
            if name in found.get("properties", {}):
                found["properties"][name]["description"] = text
        if self.mode == "serialization":
            # What is sent has every key, those with a default too.
            found["required"] = list(found.get("properties", {}))
        return found


def field_docstrings(kind: type) -> Iterator[tuple[str, str]]:
    """(field, the docstring under it), of a class and those it comes from."""
    for each in reversed(kind.__mro__[:-1]):
        [body] = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=v)):
                    yield name, inspect.cleandoc(str(v))
                case _:
                    pass


def page() -> Json:
    """The whole description."""
    asked: list[type] = [verb.request for verb in VERBS]
    asked += [Declared, Hello, asking.ApproveAnswer]
    given: list[type] = [verb.answer for verb in VERBS]
    given += [Began, events.Events, asking.ApproveParams, Diagnostic]
    modes: tuple[tuple[list[type], JsonSchemaMode], ...] = (
        (asked, "validation"),
        (given, "serialization"),
    )
    wanted: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (kind.__name__, mode, TypeAdapter[Any](kind))
        for kinds, mode in modes
        for kind in dict.fromkeys(kinds)
    ]
    _, schemas = TypeAdapter.json_schemas(wanted, schema_generator=Described)
    return {
        "about": "codexd's own messages beside those of LSP 3.17; made by scripts/protocol.py, "
        "do not edit. Keys are snake_case. An answer has every key of its type.",
        "protocol": 1,
        "handshake": HANDSHAKE,
        "capabilities": {"experimental.codexd": ref(Declared)},
        "verbs": [_verb(each) for each in VERBS],
        "notifications": NOTIFICATIONS,
        "requests_to_the_client": [
            {
                "method": asking.METHOD,
                "declared_as": "approve",
                "params": ref(asking.ApproveParams),
                "answer": ref(asking.ApproveAnswer),
            }
        ],
        "errors": {"codes": [*_codes()], "data": ERROR_DATA},
        "$defs": {name: clean(schema) for name, schema in sorted(schemas["$defs"].items())},
    }


def ref(kind: type) -> Json:
    """Where a type is described."""
    return {"$ref": f"#/$defs/{kind.__name__}"}


def clean(schema: Any) -> Any:
    """Without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [clean(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    own: Json = {}
    for key, value in cast("Json", schema).items():
        if key == "properties":
            # A field may be called so.
            own[key] = {name: clean(each) for name, each in value.items()}
        elif key != "title":
            own[key] = clean(value)
    return own


def _verb(verb: Any) -> Json:
    own: Json = {
        "name": verb.name,
        "about": verb.about,
        "method": f"codexd/{verb.name}",
        "command": f"codexd.{verb.name}",
        "params": ref(verb.request),
    }
    if not verb.starts:
        return {**own, "answer": ref(verb.answer)}
    # It has one parameter more, `wait`, which is the wire's and not the verb's.
    return {**own, "takes_wait": True, "answer": ref(Began), "answer_with_wait": ref(verb.answer)}


def _codes() -> Iterator[Json]:
    for kind, code in FAULTS.items():
        about = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
        yield {"code": code, "type": kind.__name__, "about": about}


HANDSHAKE: Json = {
    "about": "One line of JSON each way, before the first frame. The token is that of "
    "endpoint.json.",
    "client": {
        "allOf": [
            {
                "type": "object",
                "properties": {"codexd": {"const": 1}, "token": {"type": "string"}},
                "required": ["codexd", "token"],
            },
            {"$ref": "#/$defs/Hello"},
        ]
    },
    "welcome": {
        "type": "object",
        "properties": {
            "codexd": {"type": "integer"},
            "version": {"type": "string"},
            "pid": {"type": "integer"},
        },
        "required": ["codexd", "version", "pid"],
    },
    "refusal": {
        "type": "object",
        "properties": {
            "refused": {"enum": ["token", "protocol", "retiring", "sandboxed"]},
            "say": {"type": "string"},
        },
        "required": ["refused", "say"],
    },
}
NOTIFICATIONS: list[Json] = [
    {"method": events.METHOD, "declared_as": "events", "params": ref(events.Events)},
    {
        "method": "codexd/agentsChanged",
        "declared_as": "events",
        "about": "The agents are others now: ask for them again.",
        "params": {"type": "object", "properties": {}},
    },
]
ERROR_DATA: Json = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "The fault's name, as above."},
        "help": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "diagnostics": {"type": "array", "items": ref(Diagnostic)},
        "parameters": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Of -32602: which are wrong, as dotted paths.",
        },
    },
}


def text() -> str:
    """The page, as it is to stand in the file."""
    return json.dumps(page(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the page; with `--check` only say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where stale")
    if not parser.parse_args().check:
        PAGE.write_text(text(), "utf-8")
    elif not PAGE.is_file() or PAGE.read_text("utf-8") != text():
        raise SystemExit("docs/protocol.json is stale: python scripts/protocol.py writes it anew")


if __name__ == "__main__":
    main()
