"""What a key means; over the name, what the agent may do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsprotocol import types

from codexd.agents.definition import AgentDefinition
from codexd.agents.keys import Key, key_at
from codexd.errors import CodexdError
from codexd.japanese import in_japanese
from codexd.lsp.agentfiles.diagnose import read
from codexd.lsp.agentfiles.facts import ALIASES, Client, Facts
from codexd.lsp.agentfiles.outline import outline_of
from codexd.lsp.buffers import Buffer
from codexd.policy.effective import describe
from codexd.words import Words

if TYPE_CHECKING:
    from codexd.words import Lang

_DEFAULT = Words("Default: {}", "既定: {}")
_GRANTS = Words("Grants: {}", "許可: {}")
_VALUES = Words("One of: {}", "値: {}")
_TOKENS = Words("{:,} tokens", "{:,} トークン")
_BROKEN = Words(
    "The file has errors: the last version without errors is in service.",
    "ファイルに誤りがあります。誤りのない最後の版が使われます。",
)
_OUT = Words(
    "The file has errors, and the agent is out of service until they are mended.",
    "ファイルに誤りがあり、直すまでエージェントは使えません。",
)


def hover(
    buffer: Buffer, position: types.Position, facts: Facts, client: Client | None = None
) -> types.Hover | None:
    """What there is to say of the key, or of the agent named, at `position`."""
    client = client or Client()
    outline = outline_of(buffer, facts)
    path, is_key = outline.path_at(*buffer.point(position))
    if not path:
        return None
    span = outline.keys[path] if is_key else outline.values[path]
    if outline.dialect == ALIASES:
        text = "" if is_key else _alias(str(outline.at(path)), facts, client.language)
    elif path == ("name",):
        text = _agent(buffer, facts, client)
    else:
        key = key_at(outline.dialect, path) if is_key else None
        text = about(key, client.language) if key else ""
    return _shown(text, client, buffer.range(*span)) if text else None


def about(key: Key, language: Lang) -> str:
    """A key's meaning, default, values and grants, as Markdown."""
    parts = [key.about.in_(language)]
    if key.values:
        values = ", ".join(f"`{value}`" for value in key.values)
        parts.append(_VALUES.in_(language).format(values))
    if key.default is not None:
        parts.append(_DEFAULT.in_(language).format(key.default.in_(language)))
    if key.grants is not None:
        parts.append(_GRANTS.in_(language).format(key.grants.in_(language)))
    return "\n\n".join(parts)


def _agent(buffer: Buffer, facts: Facts, client: Client) -> str:
    definition, _ = read(buffer, facts)
    if definition is not None:
        return in_force(definition, facts, client.language)
    served = next((one for one in facts.registry.entries if one.path == buffer.path), None)
    if served is None or served.definition is None:
        return _OUT.in_(client.language)
    last = in_force(served.definition, facts, client.language)
    return f"{last}\n\n{_BROKEN.in_(client.language)}"


def in_force(definition: AgentDefinition, facts: Facts, language: Lang) -> str:
    """The effective policy in plain words, and the budget."""
    limit = definition.max_tokens
    tokens = facts.config.default_budget if limit is None else limit
    phrases = describe((*facts.ceilings, definition.policy), starts=facts.config.sandbox == "none")
    phrases = tuple(in_japanese(each) if language == "ja" else each for each in phrases)
    return " · ".join((*phrases, _TOKENS.in_(language).format(tokens)))


def _alias(target: str, facts: Facts, language: Lang) -> str:
    try:
        definition = facts.registry.find(target)
    except CodexdError:
        return ""
    said = definition.description or definition.goal
    return "\n\n".join(filter(None, (said, in_force(definition, facts, language))))


def _shown(text: str, client: Client, where: types.Range) -> types.Hover:
    kind = types.MarkupKind.Markdown if client.markdown else types.MarkupKind.PlainText
    shown = _literal(text) if client.markdown else text.replace("`", "")
    return types.Hover(contents=types.MarkupContent(kind, shown), range=where)


def _literal(text: str) -> str:
    """`text` as Markdown that shows it as it stands, its code spans as such."""
    # A pattern's stars would be emphasis. A backslash before them would do, but Neovim shows it.
    parts = text.split("`")
    return "`".join(
        _MARKED.sub(r"`\g<0>`", part) if n % 2 == 0 else part for n, part in enumerate(parts)
    )


_MARKED = re.compile(r"[^\s,;]*[\\*_<>\[\]][^\s,;]*")
"""A word with a sign in it that means something in Markdown."""
