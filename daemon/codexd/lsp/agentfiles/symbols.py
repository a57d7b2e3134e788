"""The keys of an agent file as document symbols."""

from __future__ import annotations

from typing import Any, cast

from lsprotocol import types

from codexd.agents.sheet import KeyPath, Span
from codexd.lsp.agentfiles.facts import Facts
from codexd.lsp.agentfiles.outline import Outline, outline_of
from codexd.lsp.buffers import Buffer

MAX_DETAIL = 60


def symbols(buffer: Buffer, facts: Facts) -> list[types.DocumentSymbol]:
    """The keys of the file, those within others below them, in the file's order."""
    outline = outline_of(buffer, facts)
    children: dict[KeyPath, list[KeyPath]] = {}
    for path in outline.keys:
        children.setdefault(path[:-1], []).append(path)
    return [
        found[0]
        for path in children.get((), ())
        if (found := _symbol(path, outline, children, buffer))
    ]


def _symbol(
    path: KeyPath, outline: Outline, children: dict[KeyPath, list[KeyPath]], buffer: Buffer
) -> tuple[types.DocumentSymbol, Span] | None:
    value = outline.at(path)
    if isinstance(path[-1], int) and not isinstance(value, dict):
        return None
    below = [_symbol(each, outline, children, buffer) for each in children.get(path, ())]
    inner = [each for each in below if each is not None]
    own = outline.keys[path]
    spans = [own, outline.values.get(path, own), *(span for _, span in inner)]
    whole = (*min(span[:2] for span in spans), *max(span[2:] for span in spans))
    symbol = types.DocumentSymbol(
        name=_label(path, value),
        kind=_kind(path, value),
        range=buffer.range(*whole),
        selection_range=buffer.range(*own),
        detail=_detail(value),
        children=[each for each, _ in inner] or None,
    )
    return symbol, whole


def _label(path: KeyPath, value: Any) -> str:
    last = path[-1]
    if isinstance(last, str):
        return last or '""'
    item = cast("dict[str, Any]", value)
    named = (item.get(key) for key in ("name", "server", "label", "type"))
    return next((each for each in named if isinstance(each, str) and each), f"[{last}]")


def _kind(path: KeyPath, value: Any) -> types.SymbolKind:
    if path == ("name",):
        return types.SymbolKind.Class
    match value:
        case dict():
            return types.SymbolKind.Object
        case list():
            return types.SymbolKind.Array
        case bool():
            return types.SymbolKind.Boolean
        case int() | float():
            return types.SymbolKind.Number
        case None:
            return types.SymbolKind.Null
        case _:
            return types.SymbolKind.String


def _detail(value: Any) -> str:
    match value:
        case None | dict():
            return ""
        case list():
            items = cast("list[Any]", value)
            return ", ".join(str(each) for each in items if isinstance(each, str))[:MAX_DETAIL]
        case bool():
            return str(value).lower()
        case _:
            text = " ".join(str(value)[: 4 * MAX_DETAIL].split())
            return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"
