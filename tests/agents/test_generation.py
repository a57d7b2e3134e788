"""What is taken from a model's answer, and what rules can serve."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codexd.agents import dialects
from codexd.agents.definition import AgentDefinition
from codexd.agents.export import to_yaml
from codexd.agents.generation import (
    OFFERED,
    definition_from_answer,
    generation_prompt,
    hosts_named,
    nearest_rule,
)
from codexd.agents.registry import Registry, load
from codexd.agents.toolnames import BUILT_IN
from codexd.errors import BadDefinition, Severity

AGENT = {
    "name": "licence-checker",
    "description": "Finds files without a licence.",
    "goal": "Check licences.",
    "instructions": "Look at each file.\nReport what has none.",
    "tools": ["read_file", "grep"],
    "artifacts": ["artifacts/licences.md"],
    "net": [],
    "max_tokens": 5000,
    "success_criteria": ["Every file was looked at"],
}


def made(
    change: dict[str, Any] | None = None, description: str = "check licences", budget: int = 9000
) -> AgentDefinition:
    return taken(change, description, budget)[0]


def taken(
    change: dict[str, Any] | None = None, description: str = "check licences", budget: int = 9000
) -> tuple[AgentDefinition, set[str]]:
    definition, remarks = definition_from_answer(
        json.dumps(AGENT | (change or {})), description=description, max_budget=budget
    )
    assert all(each.severity is not Severity.ERROR for each in remarks)
    return definition, {each.key for each in remarks}


def test_a_sound_answer_is_taken_whole() -> None:
    definition, dropped = taken()
    assert not dropped
    assert (definition.name, definition.max_tokens) == ("licence-checker", 5000)
    assert definition.tools == (
        *("read_file", "grep", "report_finding", "update_plan", "write_file"),
    )
    policy = definition.policy
    assert [each.value for each in policy.read or ()] == ["./"]
    assert [each.value for each in policy.write or ()] == ["artifacts/licences.md"]
    assert (policy.exec, policy.net) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(AGENT),
        f"Here you are:\n```json\n{json.dumps(AGENT, indent=2)}\n```\nEnjoy {{it}}",
        json.dumps({"summary": "s", "criteria": [], "data": AGENT}),
        json.dumps({"summary": "s", "criteria": [], "data": json.dumps(AGENT)}),
        json.dumps({"data": f"```json\n{json.dumps(AGENT)}\n```"}),
        "{broken " + json.dumps(AGENT),
    ],
)
def test_the_agent_is_found_in_its_wrapper_and_between_words(text: str) -> None:
    definition, _ = definition_from_answer(text, description="d", max_budget=9000)
    assert definition.name == "licence-checker"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "{}",
        "[]",
        '{"data": null}',
        '{"name": ""}',
        '{"name": 1}',
        "{" * 9000,
        '{"a":' * 9000,
    ],
)
def test_an_answer_without_an_agent_is_refused(text: str) -> None:
    with pytest.raises(BadDefinition):
        definition_from_answer(text, description="d", max_budget=9000)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("Licence Checker!", "licence-checker"),
        ("../../etc/passwd", "etc-passwd"),
        ("code-reviewer", "code-reviewer-2"),
        ("x" * 99, "x" * 40),
        ("検査", "check-licences"),
        ("", "check-licences"),
    ],
)
def test_its_name_is_a_safe_slug_and_no_built_ins(asked: str, named: str) -> None:
    definition, dropped = taken({"name": asked})
    assert (definition.name, definition.slug) == (named, named)
    assert dropped == {"name"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tools", ["read_file", "shell"]),
        ("tools", ["read_file", "codex_bash"]),
        ("tools", ["read_file", "delegate"]),
        ("tools", ["read_file", "web_search"]),
        ("tools", ["read_file", "teleport"]),
        ("tools", {"mcp": ["read_file"], "shell": {"exec": ["*"]}}),
        ("shell", ["npm"]),
        ("sandbox_mode", "danger-full-access"),
        ("artifacts", ["src/main.py"]),
        ("artifacts", ["artifacts/../src/main.py"]),
        ("artifacts", ["/etc/passwd"]),
        ("artifacts", ["artifacts"]),
        ("artifacts", ["artifacts/**"]),
        ("artifacts", ["artifacts/sub/"]),
        ("artifacts", ["artifacts/.env"]),
        ("artifacts", ["artifacts/.git/hooks/pre-commit"]),
        ("net", ["https://evil.example/*"]),
        ("net", ["https://*"]),
        ("net", ["http://docs.example.org/*"]),
        ("net", ["https://docs.example.org.evil.example/*"]),
        ("net", ["https://docs.example.org@evil.example/"]),
        ("net", ["https://example.org/*"]),
        ("net", ["https://*.docs.example.org/*"]),
        ("max_tokens", 10_000),
        ("model", "big"),
    ],
)
def test_what_goes_beyond_the_least_is_dropped_and_said(key: str, value: object) -> None:
    definition, dropped = taken({key: value}, description="read docs.example.org")
    assert dropped, "said"
    assert set(definition.tools) <= set(OFFERED) - {"web_fetch"}
    assert {each.value for each in definition.policy.write or ()} <= {"artifacts/licences.md"}
    assert (definition.policy.exec, definition.policy.net) == ((), ())
    assert definition.max_tokens is not None
    assert definition.max_tokens <= 9000
    assert definition.model is None


def test_a_host_that_the_description_names_is_granted() -> None:
    definition = made(
        {"net": ["https://Docs.example.org/*"], "tools": ["web_fetch"]},
        description="Compare with docs.example.org.",
    )
    assert [each.value for each in definition.policy.net or ()] == ["https://docs.example.org/*"]
    assert "web_fetch" in definition.tools


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("look at main.py and README.md", set[str]()),
        ("https://docs.rsを読む", {"docs.rs"}),
        (
            "see (https://a.example.com/b?c), b.example.com:8443.",
            {"a.example.com", "b.example.com"},
        ),
        ("ask bob@example.com", set[str]()),
        ("localhost and 10.0.0.1", set[str]()),
    ],
)
def test_a_host_is_not_a_file_nor_an_address_of_mail(text: str, hosts: set[str]) -> None:
    assert hosts_named(text) == hosts


def test_without_a_budget_of_its_own_it_gets_what_is_left() -> None:
    for value in (None, "many", -1, True, 0):
        assert made({"max_tokens": value}, budget=700).max_tokens == 700


def test_without_artifacts_it_writes_nothing() -> None:
    definition = made({"artifacts": [], "tools": ["write_file", "apply_patch", "grep"]})
    assert definition.tools == ("grep", "report_finding", "update_plan")
    assert definition.policy.write == ()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@example({"success_criteria": ["\x1b"]})
@given(st.dictionaries(st.sampled_from([*AGENT, "policies", "x", "system_prompt"]), values))
def test_whatever_a_model_answers_the_agent_is_the_least_and_can_be_saved(
    change: dict[str, Any],
) -> None:
    definition, _ = taken({**change, "goal": "g"})
    assert definition.policy.exec == ()
    assert definition.policy.net == ()
    assert all(each.value.startswith("artifacts/") for each in definition.policy.write or ())
    again, found = dialects.read(Path("x.yaml"), to_yaml(definition).encode(), "workspace")
    assert again is not None, found
    assert again.instructions == definition.instructions
    assert again.tools == definition.tools


def test_the_prompt_offers_no_tool_that_would_be_dropped() -> None:
    prompt, schema = generation_prompt("find old licences", BUILT_IN)
    assert "find old licences" in prompt
    assert schema["properties"]["tools"]["items"]["enum"] == list(OFFERED)
    assert "shell" not in prompt.split()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    empty = tmp_path_factory.mktemp("empty")
    return load(empty, home=empty / "home")


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("review my Python code for bugs", "code-reviewer"),
        ("コードレビューをして", "code-reviewer"),
        ("find security vulnerabilities", "sec-audit"),
        ("review the code for SQL injection and leaked secrets", "sec-audit"),
        ("セキュリティの脆弱性を調べる", "sec-audit"),
        ("which functions have no unit tests?", "test-gen"),
        ("テストが足りない関数を見つけて", "test-gen"),
        ("document the public API", "docs-gen"),
        ("ドキュメントを書いて", "docs-gen"),
        ("list outdated dependencies", "dependency-scout"),
        ("依存パッケージの一覧", "dependency-scout"),
        ("write me a poem", None),
        ("write me a poem about security", None),
        ("implement a login page", None),
        ("俳句を書いて", None),
        ("the latest fashion", None),
        ("", None),
    ],
)
def test_rules_serve_what_they_can_and_nothing_else(
    registry: Registry, description: str, name: str | None
) -> None:
    found = nearest_rule(description, registry)
    assert (found.name if found else None) == name
