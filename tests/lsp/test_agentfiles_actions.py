"""Lenses over the name, their twins as code actions, and quick fixes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from lsprotocol import types
from tests.lsp.agentfile import (
    CLAUDE,
    CODEX,
    NOON,
    OURS,
    VSCODE,
    applied,
    buffer_of,
    cut_out,
    facts_of,
)

from codexd.lsp.agentfiles import Client, Facts, LastRun, actions, diagnose, lenses, to_lsp
from codexd.lsp.buffers import Buffer

SAVED = {OURS: "goal: g\nname: 😀 語\n", CLAUDE: "---\nname: 語\n---\n"}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of(tmp_path_factory.mktemp("w"), files=SAVED)


def whole(buffer: Buffer) -> types.Range:
    return buffer.range(1, 1, len(buffer.lines) + 1, 1)


# --- lenses ----------------------------------------------------------------------------------


def test_the_lenses_stand_over_the_name_of_a_saved_agent(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, SAVED[OURS])
    run, policy = lenses(buffer, facts)
    assert cut_out(buffer, run.range) == cut_out(buffer, policy.range) == "name: 😀 語"
    assert run.command == types.Command(
        "▶ Run · never run", "codexd.delegate", arguments=[{"agent": "語"}]
    )
    assert policy.command == types.Command(
        "Effective policy", "codexd.effectivePolicy", arguments=[{"agent": "語"}]
    )


def test_what_is_not_saved_cannot_be_run(facts: Facts) -> None:
    assert lenses(buffer_of(facts, CODEX, 'name = "x"\n'), facts) == []
    assert lenses(buffer_of(facts, "a.yaml", "name: x\n"), facts) == []


def test_a_shadowed_agent_is_not_run_in_the_place_of_another(facts: Facts) -> None:
    found = lenses(buffer_of(facts, CLAUDE, SAVED[CLAUDE]), facts)
    assert [lens.command and lens.command.command for lens in found] == ["codexd.effectivePolicy"]


@pytest.mark.parametrize(
    ("status", "ago", "language", "title"),
    [
        ("completed", timedelta(minutes=2.5), "en", "completed, 3,120 tokens, 2 min ago"),
        ("budget_exceeded", timedelta(hours=30), "en", "budget reached, 3,120 tokens, 1 d ago"),
        ("running", timedelta(seconds=3), "en", "running, 3,120 tokens, just now"),
        ("interrupted", timedelta(hours=2), "ja", "中断、3,120 トークン、2 時間前"),
    ],
)
def test_the_last_run_is_told(
    tmp_path: Path, status: str, ago: timedelta, language: str, title: str
) -> None:
    last = LastRun(status, 3_120, NOON - ago)
    facts = facts_of(tmp_path, files=SAVED, last_runs={"語": last})
    client = Client(language="ja" if language == "ja" else "en")
    run = lenses(buffer_of(facts, OURS, SAVED[OURS]), facts, client)[0]
    assert run.command is not None
    assert run.command.title.endswith(title)


def test_each_lens_has_a_twin_among_the_actions_at_the_name_alone(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, SAVED[OURS])
    twins = [lens.command for lens in lenses(buffer, facts)]
    at_name = actions(buffer, buffer.range(2, 3, 2, 3), [], facts)
    assert [action.command for action in at_name] == twins
    assert actions(buffer, buffer.range(1, 1, 1, 3), [], facts) == []


# --- fixes -----------------------------------------------------------------------------------


def fixes(facts: Facts, name: str, text: str, *, data: bool = True) -> dict[str, str]:
    """The quick fixes of all remarks: their titles, and the text after each."""
    buffer = buffer_of(facts, name, text)
    found = to_lsp(diagnose(buffer, facts), buffer)
    for remark in found:
        remark.data = remark.data if data else None
    after: dict[str, str] = {}
    for action in actions(buffer, whole(buffer), found, facts):
        if action.kind is types.CodeActionKind.QuickFix:
            assert action.edit is not None
            assert action.edit.changes is not None
            [edit] = action.edit.changes[buffer.uri]
            after[action.title] = applied(buffer, edit)
    return after


@pytest.mark.parametrize(
    ("name", "text", "title", "after"),
    [
        (OURS, "name: 😀\nmax_tokns: 5\n", "Change to `max_tokens`", "name: 😀\nmax_tokens: 5\n"),
        (OURS, "name: 😀\nmax_tokns: 5\ngoal: g", "Remove `max_tokns`", "name: 😀\ngoal: g"),
        (OURS, "name: x\npolicis:\n  a:\n    - b\ngoal: g", "Remove `policis`",
         "name: x\ngoal: g"),
        (OURS, "name: x\ninstructons: |\n  a\n\n  b\ngoal: g", "Remove `instructons`",
         "name: x\ngoal: g"),
        (OURS, "name: x\nmax_tokns: 5", "Remove `max_tokns`", "name: x\n"),
        (OURS, "tools: {語: 1, fs: {raed: true}}", "Change to `read`",
         "tools: {語: 1, fs: {read: true}}"),
        (OURS, "tools: [語, 'gerp']", "Change to `grep`", "tools: [語, 'grep']"),
        (CODEX, 'sandbox_mode = "read-onyl"', "Change to `read-only`",
         'sandbox_mode = "read-only"'),
        (CODEX, 'modle = "x"\nname = "y"', "Change to `model`", 'model = "x"\nname = "y"'),
        (CODEX, 'modle = """\nx\n"""\nname = "y"', "Remove `modle`", 'name = "y"'),
        (CLAUDE, "---\nname: x\ntools: 😀, Baash(git log)\n---\n", "Change to `bash`",
         "---\nname: x\ntools: 😀, bash(git log)\n---\n"),
        (VSCODE, "---\ntools: ['😀', 'serch']\n---\n", "Change to `search`",
         "---\ntools: ['😀', 'search']\n---\n"),
    ],
)  # fmt: skip
def test_a_fix_does_what_its_title_says(
    facts: Facts, name: str, text: str, title: str, after: str
) -> None:
    assert fixes(facts, name, text)[title] == after


def test_a_client_that_gives_no_data_back_gets_the_same_fixes(facts: Facts) -> None:
    text = "name: x\nmax_tokns: 5\ntools: [gerp]\n"
    assert len(fixes(facts, OURS, text)) == 3
    assert fixes(facts, OURS, text, data=False) == fixes(facts, OURS, text)


def test_a_key_that_has_its_place_elsewhere_is_not_renamed(facts: Facts) -> None:
    assert set(fixes(facts, OURS, "name: x\nretention: job\n")) == {"Remove `retention`"}


def test_a_key_amid_others_of_its_line_is_not_removed(facts: Facts) -> None:
    assert set(fixes(facts, OURS, "tools: {fs: {raed: true}}")) == {"Change to `read`"}


def test_only_the_nearest_name_is_preferred(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, "name: x\nmax_tokns: 5\n")
    found = to_lsp(diagnose(buffer, facts), buffer)
    both = actions(buffer, found[0].range, found, facts)
    assert [(one.title, one.is_preferred) for one in both] == [
        ("Change to `max_tokens`", True),
        ("Remove `max_tokns`", False),
    ]


def test_edits_carry_the_version_where_the_client_takes_it(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, "name: x\nmax_tokns: 5\n")
    found = to_lsp(diagnose(buffer, facts), buffer)
    [fix, _] = actions(buffer, found[0].range, found, facts, Client(document_changes=True))
    assert fix.edit is not None
    assert fix.edit.changes is None
    [change] = fix.edit.document_changes or []
    assert isinstance(change, types.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (buffer.uri, 7)


def test_remarks_of_others_are_left_to_them(facts: Facts) -> None:
    buffer = buffer_of(facts, OURS, "goal: g\nx: 1\n")
    theirs = types.Diagnostic(
        buffer.range(2, 1, 2, 2), "bad", code="unknown-key", source="yamllint"
    )
    assert actions(buffer, theirs.range, [theirs], facts) == []
