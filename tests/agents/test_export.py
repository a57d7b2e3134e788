"""What is exported says the same when it is read again."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from codexd.agents import dialects
from codexd.agents.definition import AgentDefinition, Retention
from codexd.agents.export import to_toml, to_yaml
from codexd.agents.registry import built_in
from codexd.errors import Source
from codexd.policy import Grant, Layer

HERE = Source("<here>")

characters = st.characters(exclude_categories=("Cs",))
texts = st.text(characters, max_size=40) | st.sampled_from(
    [
        "yes",
        "1",
        "1_000",
        "0o7",
        "1:30",
        "~",
        "- a",
        "a: b",
        "a #b",
        "|",
        "a\nb\n",
        " a\nb",
        "\u2028",
    ]
)
words = st.text(characters, min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
paths = st.lists(
    st.from_regex(r"[a-z][a-z0-9/*.é-]{0,10}", fullmatch=True), max_size=3, unique=True
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def grants(values: list[str]) -> tuple[Grant, ...]:
    return tuple(Grant(value, HERE) for value in values)


@st.composite
def definitions(draw: st.DrawFn) -> AgentDefinition:
    artifacts = draw(paths)
    several = st.lists(texts, max_size=3).map(tuple)
    tokens = st.none() | st.integers(0, 10**9)
    seconds = st.none() | st.floats(0, 1e20)
    return AgentDefinition(
        name=draw(words),
        source=HERE,
        dialect="yaml",
        description=draw(texts),
        goal=draw(texts),
        instructions=draw(texts),
        tools=("read_file", "grep"),
        mcp_servers=tuple(draw(st.lists(words, max_size=2))),
        policy=Layer(
            name="agent",
            source=HERE,
            read=draw(st.sampled_from([None, grants(["./"]), (), grants(["src/**"])])),
            write=(*grants(["./out"]), *grants(artifacts)),
            exec=grants(draw(st.lists(words, max_size=2))),
            net=grants(draw(st.lists(words, max_size=2))),
        ),
        max_tokens=draw(tokens),
        retention=draw(st.sampled_from(Retention)),
        redact=draw(st.booleans()),
        success_criteria=draw(several),
        artifacts=tuple(artifacts),
        temperature=draw(seconds),
        max_parallel_tasks=draw(tokens),
        timeout_seconds=draw(seconds),
        max_turns=draw(tokens),
        capabilities=draw(several),
        version=draw(texts),
        extras=draw(st.dictionaries(st.sampled_from(["strategy", "on", "1"]), plain, max_size=2)),
    )


def meaning(definition: AgentDefinition) -> dict[str, Any]:
    values = definition.model_dump(exclude={"source", "dialect", "max_tokens_source", "policy"})
    policy = definition.policy
    for field in ("read", "write", "exec", "net"):
        found = getattr(policy, field)
        values[field] = found if found is None else [grant.value for grant in found]
    return values


def reload(text: str) -> AgentDefinition:
    definition, diagnostics = dialects.read(Path("x.yaml"), text.encode(), "workspace")
    assert definition is not None, diagnostics
    return definition


@given(definitions())
@settings(max_examples=150, deadline=None)
def test_a_definition_means_the_same_after_it_was_exported_to_yaml(
    written: AgentDefinition,
) -> None:
    # What no file can say (a deadline of zero) or leaves out (the tools that grants bring) is
    # settled by the first reading; from then on nothing may change.
    definition, _ = dialects.read(Path("x.yaml"), to_yaml(written).encode(), "workspace")
    assume(definition is not None)
    assert definition is not None
    text = to_yaml(definition)
    assert meaning(reload(text)) == meaning(definition)
    old = yaml.safe_load(text)
    assert old["name"] == definition.name, "YAML 1.1 reads the same"
    assert tuple(old.get("success_criteria", ())) == definition.success_criteria
    assert {key: old[key] for key in definition.extras} == definition.extras


@pytest.mark.parametrize("path", sorted(built_in().glob("*.yaml")), ids=lambda path: path.stem)
def test_what_comes_with_codexd_survives_export_and_keeps_its_instructions_readable(
    path: Path,
) -> None:
    definition = reload(path.read_text())
    text = to_yaml(definition)
    assert meaning(reload(text)) == meaning(definition)
    assert "\ninstructions: |\n" in text
    assert to_yaml(reload(text)) == text


@given(definitions())
@settings(max_examples=100, deadline=None)
def test_the_toml_of_a_definition_is_toml_with_its_texts_whole(definition: AgentDefinition) -> None:
    text, _ = to_toml(definition)
    values = tomllib.loads(text)
    assert values["name"] == definition.name
    assert definition.instructions.strip("\n") in values["developer_instructions"]
    assert all(each in values["developer_instructions"] for each in definition.success_criteria)


def test_what_a_custom_agent_of_codex_cannot_say_is_named() -> None:
    definition = reload(
        "name: x\ngoal: g\ntools: {mcp: [grep], fs: {read: true, write: [./out]}, "
        "net: {allow: ['https://docs.rs/*']}, shell: {exec: [npm audit]}}\n"
        "policies: {context: {max_tokens: 500}}\nstrategy: deep\n"
    )
    text, lost = to_toml(definition)
    assert tomllib.loads(text)["sandbox_mode"] == "workspace-write"
    for part in ("grep", "./out", "https://docs.rs/*", "npm audit", "500", "`strategy`"):
        assert any(part in sentence for sentence in lost), part


def test_an_agent_that_writes_nothing_is_read_only_in_codex() -> None:
    text, _ = to_toml(reload("name: x\ngoal: g\ntools: {fs: {read: true, write: []}}\n"))
    assert tomllib.loads(text)["sandbox_mode"] == "read-only"
