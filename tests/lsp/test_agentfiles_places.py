"""Document symbols, and the way from an agent's name to its file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lsprotocol import types
from tests.lsp.agentfile import (
    ALIASES,
    CLAUDE,
    CODEX,
    OURS,
    VSCODE,
    buffer_of,
    cut_out,
    facts_of,
    marked,
)

from codexd.lsp.agentfiles import Facts, definition, symbols

FILES = {
    ".codex/agents/one.yaml": "# 😀\ngoal: g\nname: Number One\n",
    ".claude/agents/two.md": "---\ndescription: d\nname: two\n---\n",
    ALIASES: "aliases:\n  '@o': Number One\n",
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of(tmp_path_factory.mktemp("w"), files=FILES)


def outline(found: list[types.DocumentSymbol], depth: int = 0) -> Iterator[str]:
    for each in found:
        detail = f" = {each.detail}" if each.detail else ""
        yield f"{'  ' * depth}{each.name}{detail}"
        yield from outline(list(each.children or ()), depth + 1)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            OURS,
            "name: 😀\ntools:\n  mcp: [grep, glob]\n  fs: {read: true}\nmax_tokens: 5\n",
            "name = 😀|tools|  mcp = grep, glob|  fs|    read = true|max_tokens = 5",
        ),
        (OURS, "tools:\n- type: mcp\n  server: s\n- grep\n",
         "tools = grep|  s|    type = mcp|    server = s"),
        (OURS, "name: x\nmax_tok\ngoal: y\n", "name = x|goal = y"),
        (OURS, "name: x\ntools: [a,\ngoal: y\n", "name = x"),
        (OURS, "", ""),
        (CODEX, 'name = "x"\n[mcp_servers.a]\nurl = "u"\n', "name = x|mcp_servers|  a|    url = u"),
        (CODEX, 'name = "x"\nmod\ngoal = "y"\n', "name = x|goal = y"),
        (CLAUDE, "---\nname: 語\ntools: A, B\n---\nbody: x\n", "name = 語|tools = A, B"),
        (CLAUDE, "---\nname: 語\n", "name = 語"),
        (CLAUDE, "body", ""),
        (VSCODE, "---\nhandoffs:\n  - label: Go\n    agent: a\n---\n",
         "handoffs|  Go|    label = Go|    agent = a"),
        (ALIASES, "aliases:\n  😀: one\n", "aliases|  😀 = one"),
        ("a.yaml", "name: x\n", ""),
    ],
)  # fmt: skip
def test_symbols_are_the_keys(facts: Facts, name: str, text: str, expected: str) -> None:
    assert "|".join(outline(symbols(buffer_of(facts, name, text), facts))) == expected


def test_a_symbol_selects_its_key_within_its_range(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, "a: 1\ntools: {😀: 1, fs: {read: true}}\n")
    tools = symbols(buffer, facts)[1]
    [_, fs] = tools.children or []
    assert cut_out(buffer, fs.selection_range) == "fs"
    assert cut_out(buffer, fs.range) == "fs: {read: true}"
    assert cut_out(buffer, tools.range) == "tools: {😀: 1, fs: {read: true}}"


@pytest.mark.parametrize(
    ("name", "text", "leads_to"),
    [
        (ALIASES, "aliases:\n  '😀': Number │One\n", "one.yaml:3"),
        (ALIASES, "aliases:\n  '😀': number-one│\n", "one.yaml:3"),
        (ALIASES, "shortcuts:\n  r: t│wo\n", "two.md:3"),
        (ALIASES, "aliases:\n  nu│mber-one: two\n", ""),
        (ALIASES, "aliases:\n  a: nob│ody\n", ""),
        (VSCODE, "---\nagents: ['😀', 'tw│o']\n---\n", "two.md:3"),
        (VSCODE, "---\nhandoffs:\n  - label: two\n    agent: t│wo\n---\n", "two.md:3"),
        (VSCODE, "---\nhandoffs:\n  - label: t│wo\n    agent: two\n---\n", ""),
        (OURS, "goal: 😀 ask `number-│one` first\n", "one.yaml:3"),
        (OURS, "goal: 😀 ask @o│ first\n", "one.yaml:3"),
        (OURS, "instructions: |\n  語 @tw│o\n", "two.md:3"),
        (OURS, "instructions: |\n  two│\n", ""),
        (OURS, "model: '`tw│o`'\n", ""),
        (CODEX, "developer_instructions = '''\n😀 `Number O│ne`'''", "one.yaml:3"),
        (CLAUDE, "---\nname: x\n---\n😀 then `t│wo`.\n", "two.md:3"),
        (CLAUDE, "---\nname: x\n---\n\n│", ""),
        ("notes.md", "@tw│o", ""),
    ],
)
def test_a_name_leads_to_the_agent(facts: Facts, name: str, text: str, leads_to: str) -> None:
    buffer, position = marked(facts, name, text)
    found = definition(buffer, position, facts)
    shown = f"{found.uri.rpartition('/')[2]}:{found.range.start.line + 1}" if found else ""
    assert shown == leads_to
