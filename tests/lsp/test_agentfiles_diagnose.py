"""What is wrong with an agent file is said where it stands, from the unsaved text."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types
from tests.lsp.agentfile import (
    ALIASES,
    CLAUDE,
    CODEX,
    CURSOR,
    OURS,
    VSCODE,
    buffer_of,
    cut_out,
    facts_of,
)

from codexd.lsp.agentfiles import Facts, diagnose, origin_of, to_lsp

POLICY = """\
[policy]
read = ["./src/**"]
write = ["./src"]
exec = ["git"]
net = ["https://docs.rs"]
tools = ["read_file", "grep", "write_file", "apply_patch", "web_fetch", "report_finding",
    "update_plan"]
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of(tmp_path_factory.mktemp("w"))


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of(tmp_path_factory.mktemp("bounded"), policy=POLICY)


def check(facts: Facts, name: str, text: str, code: str, *where: str) -> None:
    """The remarks of that code stand on exactly these words, in the client's units."""
    buffer = buffer_of(facts, name, text)
    found = to_lsp(diagnose(buffer, facts), buffer)
    assert [cut_out(buffer, each.range) for each in found if each.code == code] == [*where]


HEAD = {
    OURS: "name: 😀語x\n",
    CODEX: 'name = "x"\ndescription = "😀"\ndeveloper_instructions = "d"\n',
    CLAUDE: "---\nname: 😀語x\ndescription: d\n",
    CURSOR: "---\nname: 😀語x\ndescription: d\n",
    VSCODE: "---\nname: 😀語x\ndescription: d\n",
}
TAIL = {CLAUDE: "---\n", CURSOR: "---\n", VSCODE: "---\n"}


@pytest.mark.parametrize(
    ("name", "text", "code", "where"),
    [
        (OURS, "max_tokns: 5000\n", "unknown-key", ["max_tokns"]),
        (OURS, "tools: {'😀': 1, fs: {raed: true}}\n", "unknown-key", ["'😀'", "raed"]),
        (CODEX, '"語" = 1\nsandbx_mode = "read-only"\n', "unknown-key", ["sandbx_mode"]),
        (CLAUDE, "tool: Read\n", "unknown-key", ["tool"]),
        (CURSOR, "readonyl: true\n", "unknown-key", ["readonyl"]),
        (OURS, "tools: [語, grep, 'gerp']\n", "unknown-tool", ["語", "'gerp'"]),
        (OURS, "tools:\n  mcp:\n    - {name: 😀}\n", "unknown-tool", ["😀"]),
        (CLAUDE, "tools: 😀, Gerp(a)\n", "unknown-tool", ["😀", "Gerp(a)"]),
        (CLAUDE, "tools: ['😀', \"Gerp\"]\n", "unknown-tool", ["'😀'", '"Gerp"']),
        (VSCODE, "tools: ['search', 'serch']\n", "unknown-tool", ["'serch'"]),
        (OURS, "tools: {net: {allow: ['https://h:70000', 'https://']}}\n", "bad-grant",
         ["'https://h:70000'", "'https://'"]),
        (OURS, "tools:\n  net: ['https://0.0.0.0', 'https://a.b/c%2Fd', 'https://*.a.local']\n",
         "unreachable-host", ["'https://0.0.0.0'", "'https://a.b/c%2Fd'", "'https://*.a.local'"]),
        (CLAUDE, "tools: 😀, WebFetch(domain:224.0.0.1), Read\n", "unreachable-host",
         ["WebFetch(domain:224.0.0.1)"]),
        (OURS, "tools: {net: {allow: ['https://a.b'],\n subprocess: ['https://*', 'https://a.b/x']}}\n",
         "not-honoured", ["'https://*'", "'https://a.b/x'"]),
        (OURS, "tools: {net: {allow: ['https://a.b'], subprocess: ['https://c.d']}}\n",
         "not-granted", ["'https://c.d'"]),
        (OURS, "tools: {fs: {write: ['./語', '.env']}}\n", "not-granted", ["'.env'"]),
        (CODEX, 'sandbox_mode = "danger-full-access"\n', "too-wide", ['"danger-full-access"']),
        (CLAUDE, "permissionMode: bypassPermissions\n", "too-wide", ["bypassPermissions"]),
        (CLAUDE, "permissionMode: plann\n", "bad-value", ["plann"]),
    ],
)  # fmt: skip
def test_a_mistake_is_marked_and_nothing_else(
    facts: Facts, name: str, text: str, code: str, where: list[str]
) -> None:
    check(facts, name, HEAD[name] + text + TAIL.get(name, ""), code, *where)


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        (OURS, "tools:\n  fs: {read: true, write: ['./語', src/a]}\n", ["true", "'./語'"]),
        (OURS, "tools: {shell: [git log, 'npm audit']}\n", ["'npm audit'"]),
        (OURS, "tools: {net: [https://docs.rs/a/*, 'https://x.y']}\n", ["'https://x.y'"]),
        (OURS, "tools: [glob, grep]\n", ["glob"]),
        (CODEX, 'sandbox_mode = "workspace-write"\n', ['"workspace-write"'] * 3),
        (CLAUDE, "tools: 😀, Bash(npm audit), Read(src/a)\n", ["Bash(npm audit)"] * 2),
        (VSCODE, "tools: ['edit']\n", ["'edit'"]),
    ],
)
def test_what_is_wider_than_a_ceiling_is_marked(
    bounded: Facts, name: str, text: str, where: list[str]
) -> None:
    buffer = buffer_of(bounded, name, HEAD[name] + text + TAIL.get(name, ""))
    found = to_lsp(diagnose(buffer, bounded), buffer)
    wide = [
        cut_out(buffer, each.range)
        for each in found
        if each.code == "above-ceiling" and each.severity is types.DiagnosticSeverity.Warning
    ]
    assert wide == where


def test_what_a_ceiling_leaves_is_said_with_the_ceilings_place(bounded: Facts) -> None:
    buffer = buffer_of(bounded, OURS, "name: x\ntools: {fs: {write: ['./']}}\n")
    [remark] = [each for each in diagnose(buffer, bounded) if "`./` is wider" in each.message]
    assert "user ceiling allows for `write`" in remark.message
    assert remark.message.endswith("what is left of it is `./src`")


def test_the_users_own_ceiling_opens_what_it_names(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, policy='[policy]\nread = ["./", ".env"]\n')
    check(facts, OURS, "name: x\ntools: {fs: {read: [.env]}}\n", "not-granted")


def test_a_name_that_an_earlier_place_has_is_shadowed_before_it_is_saved(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, files={OURS: "name: 語 One\ngoal: g\n"})
    check(facts, CLAUDE, "---\nname: 語-one\n---\n", "shadowed", "語-one")
    check(facts, OURS, "name: 語 One\n", "shadowed")
    check(facts, ".codex/agents/a.yaml", "name: 語 One\n", "shadowed")
    check(facts, ".codex/agents/z.yaml", "name: '語 One'\n", "shadowed", "'語 One'")
    check(facts, "home/.codex/agents/a.yaml", "name: code-reviewer\n", "shadowed")


def test_a_broken_file_says_where_and_nothing_more(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, "name: x\n\tgoal: y\n")
    [remark] = diagnose(buffer, facts)
    assert (remark.code, remark.line) == ("syntax", 2)


def test_files_of_other_products_get_only_what_concerns_codexd(facts: Facts) -> None:
    text = "---\nname: x\ndescription: a: b\ncolor: red\nmine: 1\nskills: [a]\ntools: Reed\n---\n"
    codes = [each.code for each in diagnose(buffer_of(facts, CLAUDE, text), facts)]
    assert codes == ["not-honoured", "unknown-tool"]


def test_an_alias_that_leads_nowhere_is_marked(facts: Facts) -> None:
    text = "aliases:\n  '@cr': code-reviewer\n  😀: nobody\n  b: '@cr'\n"
    check(facts, ALIASES, text, "unknown-agent", "😀", "b")
    check(facts, ALIASES, "alias:\n  a: b\n", "aliases", "alias")


def test_a_remark_has_what_a_fix_needs(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, "name: x\nmax_tokns: 5000\n")
    [remark] = to_lsp(diagnose(buffer, facts), buffer)
    assert remark.message == "unknown key `max_tokns`; nearest `max_tokens`"
    assert (remark.source, remark.data) == ("codexd", {"key": "max_tokns", "nearest": "max_tokens"})
    assert remark.range == types.Range(types.Position(1, 0), types.Position(1, 9))


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        (OURS, "workspace"), (CODEX, "workspace"), (CLAUDE, "claude"), (CURSOR, "cursor"),
        (VSCODE, "github"), (ALIASES, "aliases"), ("home/.codex/agents/a.yml", "user"),
        (".github/agents/x.md", None), (".codex/agents/x.md", None), ("a.yaml", None),
        (".codex/agents/.#x.yaml", None), (".codex/agents/deep/x.yaml", None),
    ],
)  # fmt: skip
def test_an_agent_file_is_known_by_its_place(facts: Facts, name: str, origin: str | None) -> None:
    assert origin_of(facts.root / name, facts) == origin
