"""What may be typed at a place of an agent file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from lsprotocol import types

from codexd.agents.aliases import SECTIONS
from codexd.agents.keys import LISTS, Key, Kind, key_at, names_at
from codexd.agents.toolnames import ALIASES as TOOL_ALIASES
from codexd.agents.toolnames import BUILT_IN, CLAUDE, CLAUDE_SPELLED, VSCODE, VSCODE_SPELLED
from codexd.lsp.agentfiles.cursor import Cursor, toml_cursor, yaml_cursor
from codexd.lsp.agentfiles.facts import ALIASES, MARKDOWN, Client, Facts, dialect_in
from codexd.lsp.agentfiles.hover import about
from codexd.lsp.agentfiles.paths import paths_at
from codexd.lsp.buffers import Buffer


class _Offer(NamedTuple):
    """One thing that may be typed."""

    text: str
    kind: types.CompletionItemKind
    detail: str = ""
    about: str = ""
    insert: str = ""
    """What is typed where it is not `text` alone."""


def complete(
    buffer: Buffer, position: types.Position, facts: Facts, client: Client | None = None
) -> list[types.CompletionItem]:
    """What may stand at `position`, the most wanted first; what stands there already left out."""
    dialect = dialect_in(buffer.path, facts)
    if not dialect:
        return []
    line, column = buffer.point(position)
    cursor = _cursor(buffer, dialect, line, column)
    if cursor is None:
        return []
    place = _Place(buffer, dialect, _words_of(cursor, dialect), line, column)
    offers = _offers(place, facts, client or Client())
    return [_item(offer, n, place, client or Client()) for n, offer in enumerate(offers)]


@dataclass(frozen=True, slots=True)
class _Place:
    buffer: Buffer
    dialect: str
    cursor: Cursor
    line: int
    column: int

    @property
    def after(self) -> str:
        """The line's text behind the place."""
        return self.buffer.lines[self.line - 1][self.column - 1 :]

    @property
    def is_toml(self) -> bool:
        return self.dialect == "toml"


def _cursor(buffer: Buffer, dialect: str, line: int, column: int) -> Cursor | None:
    lines = [each.rstrip("\r\n") for each in buffer.lines]
    if dialect == "toml":
        return toml_cursor(lines, line - 1, column - 1)
    if dialect not in MARKDOWN:
        return yaml_cursor(lines, line - 1, column - 1)
    if not lines[0].startswith("---") or line == 1:
        return None
    end = next((n for n in range(1, len(lines)) if lines[n].rstrip() == "---"), len(lines))
    return yaml_cursor(lines[1:end], line - 2, column - 1) if line - 1 < end else None


def _words_of(cursor: Cursor, dialect: str) -> Cursor:
    """The cursor within a text of words and commas (`tools: Read, Gr`): on the last of them."""
    key = key_at(dialect, cursor.path) if dialect in MARKDOWN else None
    if key is None or Kind.TOOLS not in key.kinds or cursor.is_key:
        return cursor
    *others, word = cursor.word.split(",")
    said = frozenset(other.strip() for other in others)
    return replace(cursor, word=word.lstrip(), said=cursor.said | said)


# --- what is offered --------------------------------------------------------------------------


def _offers(place: _Place, facts: Facts, client: Client) -> list[_Offer]:
    cursor = place.cursor
    found: list[_Offer] = []
    if place.dialect == ALIASES:
        return _in_aliases(place, facts)
    if cursor.is_value:
        path = cursor.path
        while path[-1:] == (0,):
            path = path[:-1]
        key = key_at(place.dialect, path)
        if key is not None:
            # A list's items are wanted within it, and its alternatives only outside.
            kinds = [kind for kind in key.kinds if path == cursor.path or kind in LISTS]
            found += [offer for kind in kinds for offer in _values(kind, key, place, facts)]
    if cursor.is_key:
        found += _keys(place, client)
    said = cursor.said - {cursor.word}
    return [offer for offer in found if offer.text not in said]


def _keys(place: _Place, client: Client) -> Iterable[_Offer]:
    path = place.cursor.path
    for name in names_at(place.dialect, *path):
        key = key_at(place.dialect, (*path, name))
        assert key is not None
        yield _Offer(
            name,
            types.CompletionItemKind.Property,
            ", ".join(key.kinds),
            about(key, client.language),
            _key_text(name, key, place),
        )


def _key_text(name: str, key: Key, place: _Place) -> str:
    """A key with what follows it, where that does not stand there yet."""
    if place.is_toml:
        return name if re.match(r"[\w-]*\s*=", place.after) else f"{name} = "
    if re.match(r"""[\w-]*["']?\s*:""", place.after):
        return name
    if place.cursor.in_flow:
        return f"{name}: "
    first = key.kinds[0]
    if first is Kind.PROSE:
        return f"{name}: |"
    has_block = first is Kind.MAP or (first in LISTS and place.dialect not in MARKDOWN)
    return f"{name}:" if has_block and key.name != "name" else f"{name}: "


def _values(kind: Kind, key: Key, place: _Place, facts: Facts) -> Iterable[_Offer]:
    match kind:
        case Kind.CHOICE:
            return (_Offer(value, types.CompletionItemKind.EnumMember) for value in key.values)
        case Kind.FLAG:
            return (_Offer(word, types.CompletionItemKind.Keyword) for word in ("true", "false"))
        case Kind.OFF:
            return (_Offer("false", types.CompletionItemKind.Keyword),)
        case Kind.TOOLS:
            return _tools(place.dialect)
        case Kind.MODEL:
            return (_Offer(model, types.CompletionItemKind.Value) for model in facts.models)
        case Kind.AGENTS | Kind.AGENT:
            return _agents(facts)
        case Kind.PATHS if place.cursor.path[-1:] == (0,):
            writing = key.name != "read"
            paths = paths_at(facts.root, place.cursor.word, writing=writing)
            folder, file = types.CompletionItemKind.Folder, types.CompletionItemKind.File
            return (_Offer(path, folder if path.endswith("/") else file) for path in paths)
        case _:
            # There are no MCP servers yet; texts, numbers and commands are the author's.
            return ()


def _tools(dialect: str) -> Iterable[_Offer]:
    kind = types.CompletionItemKind.Function
    if dialect in MARKDOWN:
        theirs = dialect == "vscode"
        table, spelled = (VSCODE, VSCODE_SPELLED) if theirs else (CLAUDE, CLAUDE_SPELLED)
        for name in spelled:
            yield _Offer(name, kind, f"= {', '.join(table[name.lower()])}")
    for name in BUILT_IN:
        yield _Offer(name, kind)
    if dialect == "yaml":
        for name, meant in TOOL_ALIASES.items():
            yield _Offer(name, kind, f"= {meant}")


def _agents(facts: Facts) -> Iterable[_Offer]:
    for entry in facts.registry.entries:
        if entry.shadowed_by is None and entry.definition is not None:
            said = entry.definition.description or entry.definition.goal
            yield _Offer(entry.slug, types.CompletionItemKind.Class, entry.origin, said)


def _in_aliases(place: _Place, facts: Facts) -> list[_Offer]:
    cursor = place.cursor
    if cursor.is_value and len(cursor.path) == 2:
        return list(_agents(facts))
    if not cursor.is_key or cursor.path:
        return []
    kind = types.CompletionItemKind.Property
    return [
        _Offer(name, kind, insert="" if ":" in place.after else f"{name}:")
        for name in SECTIONS
        if name not in cursor.said
    ]


# --- as the client has it ---------------------------------------------------------------------


def _item(offer: _Offer, n: int, place: _Place, client: Client) -> types.CompletionItem:
    is_key = offer.kind is types.CompletionItemKind.Property
    cursor = place.cursor
    text = offer.insert or (offer.text if is_key or cursor.quote else _quoted(offer, place))
    start = place.column - len(cursor.word)
    tail = r"[\w-]*" if is_key else r"[^\s,\]}\"'#()]*"
    rest = re.match(tail, place.after)
    end = place.column + (rest.end() if rest else 0)
    about_it = None
    if offer.about:
        kind = types.MarkupKind.Markdown if client.markdown else types.MarkupKind.PlainText
        told = offer.about if client.markdown else offer.about.replace("`", "")
        about_it = types.MarkupContent(kind, told)
    where = place.buffer.range(place.line, start, place.line, end)
    return types.CompletionItem(
        label=offer.text,
        kind=offer.kind,
        detail=offer.detail or None,
        documentation=about_it,
        sort_text=f"{n:03}",
        filter_text=offer.text,
        text_edit=types.TextEdit(where, f" {text}" if cursor.glued else text),
    )


def _quoted(offer: _Offer, place: _Place) -> str:
    """A value as its dialect writes it."""
    if offer.kind is types.CompletionItemKind.Keyword:
        return offer.text
    if place.is_toml:
        return f'"{offer.text}"'
    needs = re.search(r"^[-?:,\[\]{}#&*!|>'\"%@`]|: | #|[,\[\]{}]", offer.text)
    return f'"{offer.text}"' if needs else offer.text
