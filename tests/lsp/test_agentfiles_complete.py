"""What is offered while an agent file is typed, in every dialect, parsed or not."""

from __future__ import annotations

from time import process_time

import pytest
from tests.lsp.agentfile import (
    ALIASES,
    CLAUDE,
    CODEX,
    CURSOR,
    OURS,
    VSCODE,
    applied,
    facts_of,
    marked,
)

from codexd.lsp.agentfiles import Client, Facts, complete

FILES = {
    ".gitignore": "build/\n",
    "build/out.txt": "",
    "src/a.py": "",
    "src/b c.py": "",
    ".env": "",
    ".codex/agents/ours.yaml": "name: Our Own\ngoal: g\n",
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of(tmp_path_factory.mktemp("w"), files=FILES, models=("small", "large"))


def check(facts: Facts, name: str, text: str, expected: str) -> None:
    """The first labels offered at the mark are `expected`; `!x` is offered nowhere; a sole `-` is
    nothing at all.
    """
    buffer, position = marked(facts, name, text)
    items = complete(buffer, position, facts)
    labels = [item.label for item in items]
    assert [item.sort_text for item in items] == sorted(item.sort_text or "" for item in items)
    wanted = expected.split()
    if wanted == ["-"]:
        assert labels == []
        return
    first = [word for word in wanted if not word.startswith("!")]
    assert labels[: len(first)] == first
    assert not {word[1:] for word in wanted if word.startswith("!")} & set(labels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("│", "name description goal instructions tools policies"),
        ("name: 😀語\nmax_tok│\ngoal: y\n", "description instructions !name !goal"),
        ("name: x\n│\n", "description goal !name"),
        ("tools:\n  │\n", "mcp mcp_servers fs net shell !name"),
        ("tools:\n  mcp: []\n  f│\n  net:\n", "mcp_servers fs shell !mcp !net"),
        ("tools:\n  fs:\n    re│", "read write"),
        ("tools:\n  fs: {│}\n", "read write"),
        ("tools:\n  fs: {read: t│}\n", "true false"),
        ("tools: {fs: {read: true, │}}", "write !read"),
        ("tools: {\n  fs: {\n    re│\n", "read write"),
        ("tools:\n  mcp:\n    - │\n    - glob\n", "read_file list_dir grep !glob"),
        ("tools:\n  mcp:\n  - │\n  - glob\n", "read_file list_dir grep !glob"),
        ("tools: [grep, 語, │]", "read_file list_dir glob !grep"),
        ("tools: [read_file, │", "list_dir !read_file"),
        ("tools:\n- type: mcp\n  │", "server name !type"),
        ("tools:\n- type: │", "mcp"),
        ("tools:\n- type: mcp\n  server: │", "-"),
        ("policies:\n  context:\n    retention: │\n", "job session permanent"),
        ("policies:\n  context:\n    retention: per│m\nname: x", "job session permanent"),
        ("policies: {context: {retention: '│'}}", "job session permanent"),
        ("policies:\n  │", "context permissions secrets net shell"),
        ("termination_conditions:\n  - type: timeout\n    │", "duration_minutes duration_seconds"),
        ("model: │", "small large"),
        ("tools:\n  fs:\n    write: [│]", "./.gitignore ./home/ ./src/ !./build/ !./.env !./.git/"),
        ("tools:\n  fs:\n    write:\n      - src/│", "src/a.py"),
        ("artifacts: ['src/│']", "src/a.py"),
        ("artifacts: [../│]", "-"),
        ("instructions: |\n  hello │\nname: x", "-"),
        ("instructions: |\n  hello:\n    │\nname: x", "-"),
        ("name: x # │", "-"),
        ("goal: │", "-"),
        ("a: b: │: c", "-"),
    ],
)
def test_yaml(facts: Facts, text: str, expected: str) -> None:
    check(facts, OURS, text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("│", "name description developer_instructions sandbox_mode"),
        ('name = "😀"\nmod│\n[mcp_servers.x]\nurl = "a"', "description !name !mcp_servers"),
        ('sandbox_mode = "│"', "read-only workspace-write"),
        ("sandbox_mode = │", "read-only workspace-write"),
        ("model = │\nname = 'x'", "small large"),
        ('developer_instructions = """\nmod│\n"""', "-"),
        ('nickname_candidates = [\n  "a",\n  │\n', "-"),
        ("x = [1,\n2]\nna│", "name description"),
        ('x = [1,\nname = "a"\nde│', "description !name"),
        ("[mcp_servers.x]\n│", "-"),
        ("[sk│", "-"),
        ("# │", "-"),
    ],
)
def test_toml(facts: Facts, text: str, expected: str) -> None:
    check(facts, CODEX, text, expected)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (CLAUDE, "---\nname: 語\n│\n---\n", "description model tools disallowedTools"),
        (CLAUDE, "---\nde│", "name description"),
        (CLAUDE, "---\ntools: Read, 😀, Gr│\n---\n", "Grep Glob LS !Read"),
        (CLAUDE, "---\ntools:\n  - │\n---\n", "Read Grep Glob"),
        (CLAUDE, "---\npermissionMode: │\n---\n", "default acceptEdits plan"),
        (CLAUDE, "---\nname: x\n---\n│", "-"),
        (CLAUDE, "│---\nname: x\n---\n", "-"),
        (CLAUDE, "│", "-"),
        (CURSOR, "---\nname: x\n│\n---\n", "description model readonly"),
        (CURSOR, "---\nreadonly: │\n---\n", "true false"),
        (VSCODE, "---\n│\n---\n", "name description tools model agents"),
        (VSCODE, "---\ntools: ['se│', 'edit']\n---\n", "search codebase !edit"),
        (VSCODE, "---\nagents: [│]\n---\n", "our-own code-reviewer"),
        (VSCODE, "---\nhandoffs:\n  - agent: │\n---\n", "our-own code-reviewer"),
        (ALIASES, "al│", "aliases shortcuts"),
        (ALIASES, "aliases:\n  😀: x\n│", "shortcuts !aliases"),
        (ALIASES, "aliases:\n  '@cr': │", "our-own code-reviewer"),
        ("notes.yaml", "│", "-"),
        (".codex/agents/.x.yaml", "│", "-"),
    ],
)
def test_the_other_dialects(facts: Facts, name: str, text: str, expected: str) -> None:
    check(facts, name, text, expected)


@pytest.mark.parametrize(
    ("name", "text", "label", "after"),
    [
        (OURS, "name: 😀\nde│s", "description", "name: 😀\ndescription: "),
        (OURS, "de│s: x", "description", "description: x"),
        (OURS, '"d│e": x', "description", '"description": x'),
        (OURS, "to│", "tools", "tools:"),
        (OURS, "ins│", "instructions", "instructions: |"),
        (OURS, "tools: {fs: {r│}}", "read", "tools: {fs: {read: }}"),
        (OURS, "tools: [😀, gr│x, glob]", "grep", "tools: [😀, grep, glob]"),
        (OURS, "policies:\n  context:\n    retention:│", "job",
         "policies:\n  context:\n    retention: job"),
        (OURS, "artifacts: [src/│]", "src/b c.py", "artifacts: [src/b c.py]"),
        (CODEX, "de│", "description", "description = "),
        (CODEX, "de│ = 1", "description", "description = 1"),
        (CODEX, "sandbox_mode = │", "read-only", 'sandbox_mode = "read-only"'),
        (CODEX, "sandbox_mode = 'r│x'", "read-only", "sandbox_mode = 'read-only'"),
        (CLAUDE, "---\ntools: 語, Gr│\n---", "Grep", "---\ntools: 語, Grep\n---"),
    ],
)  # fmt: skip
def test_what_is_chosen_takes_the_place_of_what_was_begun(
    facts: Facts, name: str, text: str, label: str, after: str
) -> None:
    buffer, position = marked(facts, name, text)
    [item] = [one for one in complete(buffer, position, facts) if one.label == label]
    assert item.text_edit is not None
    assert applied(buffer, item.text_edit) == after  # pyright: ignore[reportArgumentType]


def test_a_key_is_explained_in_the_clients_language_and_markup(facts: Facts) -> None:
    buffer, position = marked(facts, OURS, "goa│")
    plain = complete(buffer, position, facts, Client(language="ja", markdown=False))
    told = {item.label: item.documentation for item in plain}
    assert "常の目的" in str(told["goal"])
    assert "`" not in str(told["tools"])


def test_a_long_array_that_is_not_closed_is_looked_at_once(facts: Facts) -> None:
    text = "x = [\n" + '  "语",\n' * 20_000 + "\n│"
    buffer, position = marked(facts, CODEX, text)
    began = process_time()
    assert complete(buffer, position, facts) == []
    assert process_time() - began < 2
