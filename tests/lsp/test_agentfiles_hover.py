"""What a key means, and what the agent may do, over the place where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lsp.agentfile import ALIASES, CLAUDE, CODEX, OURS, VSCODE, cut_out, facts_of, marked

from codexd.lsp.agentfiles import Client, Facts, hover

LICENCES = """\
name: {}
goal: 😀
tools: {{mcp: [grep], fs: {{read: true}}}}
artifacts: [artifacts/licences.md]
max_tokens: 5000
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of(tmp_path_factory.mktemp("w"))


def check(
    facts: Facts, name: str, text: str, over: str, says: str, client: Client | None = None
) -> None:
    """The hover at the mark says `says` over the words `over`; an empty one: there is none."""
    buffer, position = marked(facts, name, text)
    found = hover(buffer, position, facts, client)
    if not over:
        assert found is None
        return
    assert found is not None
    assert found.range is not None
    assert cut_out(buffer, found.range) == over
    assert says in found.contents.value  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@pytest.mark.parametrize(
    ("name", "text", "over", "says"),
    [
        (OURS, "max_to│kens: 5", "max_tokens", "budget in tokens: input and output"),
        (OURS, "max_to│kens: 5", "max_tokens", "Default: the configuration's `default_budget`"),
        (OURS, "max_to│kens: 5", "max_tokens", "Grants: spending that many tokens"),
        (OURS, "name: 😀\ntools: {語: 1, fs: {wr│ite: []}}", "write", "`src/**`"),
        (OURS, "tools:\n- {ser│ver: x}", "server", "not connected yet"),
        (OURS, "policies: {context: {reten│tion: job}}", "retention", "`job`, `session`"),
        (OURS, "retention: x\nbroken\ngo│al: y", "goal", "standing purpose"),
        (OURS, "own│: 1", "", ""),
        (OURS, "goal: so│me", "", ""),
        (OURS, "│", "", ""),
        (CODEX, 'x = "😀"\nsand│box_mode = "read-only"', "sandbox_mode", "does not load"),
        (CLAUDE, "---\nname: 語\npermission│Mode: plan\n---", "permissionMode", "`acceptEdits`"),
        (VSCODE, "---\nage│nts: []\n---", "agents", "delegate"),
        (CLAUDE, "---\nname: x\n---\nto│ols", "", ""),
        (ALIASES, "aliases:\n  😀: code-rev│iewer", "code-reviewer", "40,000 tokens"),
        (ALIASES, "ali│ases:\n  x: y", "", ""),
        ("README.md", "na│me: x", "", ""),
    ],
)
def test_a_key_says_what_it_means(facts: Facts, name: str, text: str, over: str, says: str) -> None:
    check(facts, name, text, over, says)


def test_the_name_says_what_the_agent_may_do(facts: Facts) -> None:
    said = "reads ./** · writes artifacts/licences.md · no network · no shell · 5,000 tokens"
    plain = Client(markdown=False)
    check(facts, OURS, LICENCES.format("lice│nces"), "licences", said, plain)
    check(facts, OURS, LICENCES.replace("name", "na│me").format("😀 x"), "name", said, plain)
    marked_up = said.replace("./**", "`./**`")
    check(facts, OURS, LICENCES.format("lice│nces"), "licences", marked_up)


def test_what_a_ceiling_takes_away_is_not_shown(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, policy="[policy]\nwrite = []\n")
    said = "writes nothing · no network · no shell · 5,000 tokens"
    check(facts, OURS, LICENCES.format("lice│nces"), "licences", said, Client(markdown=False))


def test_a_broken_file_shows_what_is_in_service(tmp_path: Path, facts: Facts) -> None:
    broken = "name: lice│nces\nmax_tokns: 5\n"
    check(facts, OURS, broken, "licences", "out of service")
    saved = facts_of(tmp_path, files={OURS: LICENCES.format("licences")})
    check(saved, OURS, broken, "licences", "5,000 tokens")
    check(saved, OURS, broken, "licences", "the last version without errors")


def test_it_speaks_japanese(facts: Facts) -> None:
    japanese = Client(language="ja")
    check(facts, OURS, "max_to│kens: 5", "max_tokens", "既定: 設定の `default", japanese)
    check(facts, OURS, LICENCES.format("lice│nces"), "licences", "5,000 トークン", japanese)
