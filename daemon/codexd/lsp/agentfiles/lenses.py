"""What stands over an agent's name: "Run", "Effective policy"; and the same as code actions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lsprotocol import types

from codexd.agents.registry import AgentEntry
from codexd.lsp.agentfiles.facts import Client, Facts, LastRun
from codexd.lsp.agentfiles.outline import outline_of
from codexd.lsp.buffers import Buffer
from codexd.words import Words

if TYPE_CHECKING:
    from codexd.words import Lang

_RUN = Words("▶ Run · {}", "▶ 実行 · {}")
_POLICY = Words("Effective policy", "有効な権限")
_NEVER = Words("never run", "未実行")
_LAST = Words("{status}, {tokens:,} tokens, {ago}", "{status}、{tokens:,} トークン、{ago}")
_STATUSES = {
    "running": Words("running", "実行中"),
    "waiting": Words("waiting", "待機中"),
    "completed": Words("completed", "完了"),
    "failed": Words("failed", "失敗"),
    "budget_exceeded": Words("budget reached", "予算到達"),
    "deadline_exceeded": Words("deadline reached", "期限到達"),
    "cancelled": Words("cancelled", "取消"),
    "interrupted": Words("interrupted", "中断"),
}
_AGO = (
    (timedelta(days=1), Words("{} d ago", "{} 日前")),
    (timedelta(hours=1), Words("{} h ago", "{} 時間前")),
    (timedelta(minutes=1), Words("{} min ago", "{} 分前")),
)
_NOW = Words("just now", "たった今")


def lenses(buffer: Buffer, facts: Facts, client: Client | None = None) -> list[types.CodeLens]:
    """The lenses over the name of the agent that this file puts into service."""
    where = name_range(buffer, facts)
    found = commands(buffer, facts, client or Client())
    return [types.CodeLens(range=where, command=command) for command in found]


def name_range(buffer: Buffer, facts: Facts) -> types.Range:
    """Where the agent's name stands, key and value."""
    outline = outline_of(buffer, facts)
    span = outline.name_span
    return buffer.range(*outline.keys.get(("name",), span)[:2], *span[2:])


def commands(buffer: Buffer, facts: Facts, client: Client) -> list[types.Command]:
    """What can be done with the agent of this file, as the registry has it: the saved one."""
    entry = next((one for one in facts.registry.entries if one.path == buffer.path), None)
    if entry is None or entry.definition is None:
        return []
    policy = _command(_POLICY.in_(client.language), "codexd.effectivePolicy", entry)
    if entry.shadowed_by is not None:
        # Its name is another file's agent: to run that from here would surprise.
        return [policy]
    last = facts.last_runs.get(entry.slug)
    told = _told(last, facts, client.language) if last else _NEVER.in_(client.language)
    return [_command(_RUN.in_(client.language).format(told), "codexd.delegate", entry), policy]


def _command(title: str, command: str, entry: AgentEntry) -> types.Command:
    return types.Command(title=title, command=command, arguments=[{"agent": entry.slug}])


def _told(last: LastRun, facts: Facts, language: Lang) -> str:
    status = _STATUSES.get(last.status)
    return _LAST.in_(language).format(
        status=status.in_(language) if status else last.status,
        tokens=last.tokens,
        ago=_ago(facts.now - last.at, language),
    )


def _ago(length: timedelta, language: Lang) -> str:
    for unit, words in _AGO:
        if length >= unit:
            return words.in_(language).format(length // unit)
    return _NOW.in_(language)
