"""Every built-in tool, by name; what a model is told of each; and reading what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import isclass
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from codexd.agents.toolnames import ALIASES, BUILT_IN, WRITING, canonical
from codexd.errors import ToolFault
from codexd.policy import Policy
from codexd.policy.layers import Field, grants_of, may_use
from codexd.tools.interface import Tool

_FAMILIES = {
    "files.FILE_TOOLS": ("read_file", "list_dir", "write_file"),
    "patch.PATCH_TOOLS": ("apply_patch",),
    "search.SEARCH_TOOLS": ("grep", "glob"),
    "index.INDEX_TOOLS": ("codebase_search",),
    "analyze.ANALYZE_TOOLS": ("analyze",),
    "git.GIT_TOOLS": ("git_status", "git_diff", "git_log", "git_show", "git_blame"),
    "shell.SHELL_TOOLS": ("shell",),
    "web.WEB_TOOLS": ("web_fetch", "web_search"),
    "acting.ACTING_TOOLS": ("report_finding", "update_plan", "delegate"),
}
_HOMES = {name: home for home, names in _FAMILIES.items() for name in names}


@cache
def _tool(name: str) -> Tool:
    module, constant = _HOMES[name].split(".")
    tools: tuple[Tool, ...] = getattr(import_module(f"codexd.tools.{module}"), constant)
    return next(tool for tool in tools if tool.name == name)


class _Table(Mapping[str, Tool]):
    """The tools by name; a family's module is imported when one of its tools is first asked for.

    Making all argument models takes longer than starting the command does.
    """

    def __getitem__(self, name: str) -> Tool:
        return _tool(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


TOOLS: Mapping[str, Tool] = _Table()
"""Every built-in tool, by canonical name."""


def resolve(name: str) -> Tool | None:
    """The built-in tool of that name or alias; `None` where there is none."""
    known = canonical(name)
    return TOOLS.get(known) if known else None


def nearest(name: str) -> str | None:
    """The name or alias of a built-in tool that is spelled most like `name`."""
    return next(iter(get_close_matches(name, (*BUILT_IN, *ALIASES), n=1)), None)


# --- which tools a run is offered -----------------------------------------------------------


def offered(
    names: Sequence[str], *, shell_allowed: bool, web_search: bool, policy: Policy
) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The tools of a definition that its run is offered, and a sentence for each that it is not.

    `names` are canonical or aliases. `shell_allowed`: the user's own configuration says
    `sandbox = "none"`. `web_search`: a search service is configured.
    """
    tools: dict[str, Tool] = {}
    notes: list[str] = []
    for name in names:
        tool = resolve(name)
        if tool is None:
            near = nearest(name)
            hint = f"; the nearest is `{near}`" if near else ""
            notes.append(f"`{name}` is no built-in tool{hint}")
            continue
        why = _withheld(tool.name, policy, shell_allowed=shell_allowed, web_search=web_search)
        if why:
            notes.append(f"`{tool.name}` is not offered: {why}")
        else:
            tools[tool.name] = tool
    return tuple(tools.values()), tuple(dict.fromkeys(notes))


def _withheld(name: str, policy: Policy, *, shell_allowed: bool, web_search: bool) -> str:
    """Why the tool is not offered; empty where it is."""
    decision = may_use(policy, name)
    if not decision:
        return decision.why
    if name == "shell" and not shell_allowed:
        return (
            "no sandbox is in force yet to hold a program; your own configuration may allow it "
            'without one (`sandbox = "none"` in `~/.codex/codexd.toml`)'
        )
    if name == "web_search" and not web_search:
        return "no search service is configured (`[web_search]` in `codexd.toml`)"
    needed: Mapping[str, tuple[Field, str]] = {
        "shell": ("exec", "no command is granted"),
        "web_fetch": ("net", "no host is granted"),
        **dict.fromkeys(WRITING, ("write", "no path is granted for writing")),
    }
    if name in needed and not _grants_any(policy, needed[name][0]):
        return needed[name][1]
    return ""


def _grants_any(policy: Policy, field: Field) -> bool:
    said = [grants for layer in policy if (grants := grants_of(layer, field)) is not None]
    return bool(said) and all(said)


# --- what a model is told -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as a model is told of it; the same shape as a model's `ToolSchema`."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@cache  # half a millisecond a tool, for the same answer each time
def schema_of(tool: Tool, name: str | None = None) -> Offer:
    """What a model is told of `tool`, under `name` where the definition calls it otherwise."""
    schema = tool.arguments.model_json_schema()
    parameters = _plain(schema, schema.get("$defs", {}))
    # The class's docstring is for its readers; what a model needs stands in the fields.
    parameters.pop("description", None)
    return Offer(name or tool.name, tool.description, parameters)


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` without titles, references and `null` alternatives: what any model can read."""
    if "$ref" in schema:
        target = dict(definitions[str(schema["$ref"]).rsplit("/", 1)[-1]])
        target.pop("description", None)
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _plain({**target, **rest}, definitions)
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _plain({**kinds[0], **rest}, definitions)
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "properties":
                plain[key] = {name: _plain(one, definitions) for name, one in value.items()}
            case "items":
                plain[key] = _plain(value, definitions)
            case "anyOf":
                plain[key] = [_plain(one, definitions) for one in kinds]
            case "title" | "$defs":
                pass
            case "default" if value in (None, "", [], ()):
                pass
            case _:
                plain[key] = value
    return plain


# --- what a model answers -------------------------------------------------------------------


def parse_arguments(tool: Tool, json_text: str) -> BaseModel:
    """The arguments that `json_text` holds; nothing at all is `{}`.

    Raises `ToolFault` that names each field, what was expected and the nearest known name.
    """
    try:
        # Strictly: a half of a character would be in a path, or in the journal, as no text can be.
        data: Any = from_json(json_text) if json_text.strip() else {}
    except ValueError as error:
        raise ToolFault(
            f"the arguments of `{tool.name}` are no JSON: {error}",
            help="send one JSON object; escape quotes and line ends in texts",
        ) from error
    if not isinstance(data, dict):
        raise ToolFault(
            f"the arguments of `{tool.name}` are a JSON {_kind(data)}", help="send one JSON object"
        )
    try:
        return tool.arguments.model_validate(data)
    except ValidationError as error:
        said = dict.fromkeys(_faults(tool.arguments, error))
        raise ToolFault(
            f"`{tool.name}` does not take these arguments: {'; '.join(list(said)[:6])}",
            help=_usage(tool.arguments),
        ) from error


def _faults(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    faults = error.errors(include_url=False, include_context=False)
    for fault in faults:
        place = fault["loc"]
        # A list of nothing but faulty elements is also reported as too short.
        deeper = any(len(other["loc"]) > len(place) for other in faults)
        if not (fault["type"] == "too_short" and deeper):
            yield _fault(model, fault)


def _kind(value: Any) -> str:
    kinds = {"list": "list", "str": "text", "bool": "boolean", "NoneType": "null"}
    return kinds.get(type(value).__name__, "number")


def _fault(model: type[BaseModel], fault: ErrorDetails) -> str:
    *within, last = fault["loc"] or ("",)
    place = [*_keys(model, within), last]
    where = ".".join(str(key) for key in place)
    match fault["type"]:
        case "extra_forbidden":
            known = _spellings(_inner(model, within))
            near = get_close_matches(str(last), known, n=1)
            return f"unknown `{where}`" + (f" (nearest: `{known[near[0]]}`)" if near else "")
        case "missing":
            return f"`{where}` is missing"
        case _:
            given = json.dumps(fault["input"], ensure_ascii=False, default=str)
            given = given if len(given) <= 80 else f"{given[:80]}…"
            message = fault["msg"][:1].lower() + fault["msg"][1:].replace("tuple", "list")
            where = ".".join(str(key) for key in _keys(model, fault["loc"]))
            return f"`{where}`: {message}, got {given}" if where else message


def _keys(model: type[BaseModel], place: Sequence[str | int]) -> list[str | int]:
    """`place` without pydantic's own words for the alternatives of a union."""
    keys: list[str | int] = []
    for n, part in enumerate(place):
        if isinstance(part, int) or part in _spellings(_inner(model, place[:n])):
            keys.append(part)
    return keys


def _spellings(model: type[BaseModel]) -> dict[str, str]:
    """Every spelling of every field, with the field's own name."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        found[name] = name
        if isinstance(field.validation_alias, AliasChoices):
            found |= {str(choice): name for choice in field.validation_alias.choices}
    return found


def _inner(model: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """The model of the value at `place` inside `model`."""
    for part in place:
        name = _spellings(model).get(str(part))
        if name is not None:
            model = next(iter(_models_in(model.model_fields[name].annotation)), model)
    return model


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _usage(model: type[BaseModel]) -> str:
    fields = model.model_fields.items()
    required = [f"`{name}`" for name, field in fields if field.is_required()]
    optional = [f"`{name}`" for name, field in fields if not field.is_required()]
    parts = [f"needed: {', '.join(required)}" if required else ""]
    parts.append(f"may be given: {', '.join(optional)}" if optional else "")
    return "; ".join(part for part in parts if part)
