"""Whatever stands in an agent file, and wherever the cursor is: an answer, and no fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types
from tests.lsp.agentfile import ALIASES, CLAUDE, CODEX, CURSOR, OURS, VSCODE, facts_of

from codexd.lsp.agentfiles import (
    Facts,
    actions,
    complete,
    definition,
    diagnose,
    hover,
    lenses,
    symbols,
    to_lsp,
)
from codexd.lsp.buffers import Buffer

FIXTURES = Path(__file__).parents[1] / "agents" / "fixtures"
SEEDS = [
    (OURS, "runtime.yaml"), (OURS, "list.yaml"), (OURS, "flat.yaml"), (CODEX, "codex.toml"),
    (CLAUDE, "claude.md"), (CURSOR, "cursor.md"), (VSCODE, "vscode.agent.md"),
    (ALIASES, "runtime.yaml"),
]  # fmt: skip
NASTY = st.sampled_from(
    ["😀", "語", "\ud83d", "\x00", "\r", "\u2028", "\t", "\n", "- ", ": ", "[", "{", "}", "]",
     "'", '"', '"""', "#", "|", ">", "&a", "*a", "!!x", "---\n", "= ", ",", "\\", "\ufeff"]
)  # fmt: skip


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    policy = '[policy]\nread = ["./src"]\ntools = ["grep"]\nnet = ["https://docs.rs"]\n'
    aliases = "aliases:\n  a: code-reviewer\n"
    return facts_of(tmp_path_factory.mktemp("w"), files={ALIASES: aliases}, policy=policy)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str]:
    """A seed with some of it taken away, put elsewhere, or something nasty put in."""
    name, seed = draw(st.sampled_from(SEEDS))
    text = (FIXTURES / seed).read_text(encoding="utf-8")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + 30)))
        text = text[:at] + draw(st.one_of(NASTY, st.just(""), st.just(text[at:end]))) + text[end:]
    return name, text


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutated(), st.integers(0, 60), st.integers(0, 60))
def test_no_text_is_a_fault(facts: Facts, made: tuple[str, str], line: int, character: int) -> None:
    name, text = made
    buffer = Buffer("file:///x", facts.root / name, text)
    position = types.Position(line, character)
    found = to_lsp(diagnose(buffer, facts), buffer)
    actions(buffer, buffer.range(1, 1, 99, 1), found, facts)
    lenses(buffer, facts)
    hover(buffer, position, facts)
    definition(buffer, position, facts)
    for item in complete(buffer, position, facts):
        assert isinstance(item.text_edit, types.TextEdit)
        assert item.text_edit.range.start.line == item.text_edit.range.end.line
    nested(symbols(buffer, facts))


def nested(found: list[types.DocumentSymbol]) -> None:
    """Selections lie within ranges, as clients insist."""
    for each in found:
        for one, other in (("start", "start"), ("end", "end")):
            inner, outer = getattr(each.selection_range, one), getattr(each.range, other)
            low, high = (outer, inner) if one == "start" else (inner, outer)
            assert (low.line, low.character) <= (high.line, high.character)
        nested(list(each.children or ()))
