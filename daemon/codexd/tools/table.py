"""All built-in tools (temporary)."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from codexd.errors import ToolFault
from codexd.tools import acting, analyze, files, git, patch, search, shell
from codexd.tools.interface import Tool

TOOLS: dict[str, Tool] = {}
for m in (files, patch, search, git, shell, analyze, acting):
    for k, v in vars(m).items():
        if k.endswith("_TOOLS"):
            TOOLS |= {t.name: t for t in v}
        elif isinstance(v, Tool):
            TOOLS[v.name] = v


def schema_of(tool: Tool):
    return tool.name, tool.description, tool.arguments.model_json_schema()


def parse_arguments(tool: Tool, text: str) -> BaseModel:
    try:
        return tool.arguments.model_validate_json(text or "{}")
    except ValidationError as error:
        raise ToolFault(str(error)) from None


def offered(names, *, shell_allowed, web_search, policy):
    return tuple(TOOLS[n] for n in names if n in TOOLS), ()
