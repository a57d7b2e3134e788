"""An agent file as it is typed: `│` marks the cursor, and a workspace with agents around it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lsprotocol import types

from codexd.agents.registry import load
from codexd.config import load as load_config
from codexd.lsp.agentfiles import Facts, LastRun
from codexd.lsp.buffers import Buffer
from codexd.policy.ceilings import ceilings_of

OURS = ".codex/agents/x.yaml"
CODEX = ".codex/agents/x.toml"
CLAUDE = ".claude/agents/x.md"
CURSOR = ".cursor/agents/x.md"
VSCODE = ".github/agents/x.agent.md"
ALIASES = ".codex/aliases.yaml"
PLACES = (OURS, CODEX, CLAUDE, CURSOR, VSCODE, ALIASES)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MARK = "│"


def facts_of(
    root: Path,
    *,
    files: Mapping[str, str] | None = None,
    policy: str = "",
    models: tuple[str, ...] = (),
    last_runs: Mapping[str, LastRun] | None = None,
) -> Facts:
    """What is known in a workspace with those files, under the user's `[policy]`."""
    home = root / "home"
    for path, text in {**(files or {}), "home/.codex/codexd.toml": policy}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    (root / ".git").mkdir(exist_ok=True)
    config = load_config(root, env={"HOME": str(home)})
    registry = load(root, home=home)
    return Facts(
        root, home, registry, config, ceilings_of(config), last_runs or {}, models, NOON
    )  # fmt: skip


def buffer_of(facts: Facts, name: str, text: str) -> Buffer:
    """The text as a client has it that counts in UTF-16."""
    return Buffer((facts.root / name).as_uri(), facts.root / name, text, 7)


def marked(facts: Facts, name: str, text: str) -> tuple[Buffer, types.Position]:
    """The text without its mark, and where that stood."""
    before, _, after = text.partition(MARK)
    buffer = buffer_of(facts, name, before + after)
    line = before.count("\n") + 1
    return buffer, buffer.position(line, len(before.rpartition("\n")[2]) + 1)


def cut_out(buffer: Buffer, where: types.Range) -> str:
    """What stands in `where`, on one line."""
    (line, start), (end_line, end) = buffer.point(where.start), buffer.point(where.end)
    assert line == end_line
    return buffer.lines[line - 1][start - 1 : end - 1]


def applied(buffer: Buffer, edit: types.TextEdit) -> str:
    """The text after `edit`."""
    starts = [0]
    for line in buffer.lines:
        starts.append(starts[-1] + len(line))
    (line, column), (end_line, end) = buffer.point(edit.range.start), buffer.point(edit.range.end)
    start, stop = starts[line - 1] + column - 1, starts[end_line - 1] + end - 1
    return buffer.text[:start] + edit.new_text + buffer.text[stop:]
