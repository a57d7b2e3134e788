"""The strictest layer decides, and says why."""

from collections.abc import Callable

import pytest

from codexd.policy import (
    Approval,
    Layer,
    Verdict,
    may_ask_model,
    may_exec,
    may_reach,
    may_read,
    may_see_variable,
    may_use,
    may_write,
)

MakeLayer = Callable[..., Layer]


def test_with_nothing_said_reading_is_allowed_and_everything_else_refused(layer: MakeLayer) -> None:
    policy = (layer(),)
    assert may_read(policy, "src/a.py")
    assert may_use(policy, "read_file")
    assert may_ask_model(policy, "offline")
    assert not may_write(policy, "src/a.py")
    assert not may_exec(policy, ["git"])
    assert not may_reach(policy, "https://docs.rs/")
    assert not may_see_variable(policy, "HOME")


def test_an_empty_list_allows_nothing(layer: MakeLayer) -> None:
    policy = (layer(read=[], tools=[]),)
    assert not may_read(policy, "src/a.py")
    assert not may_use(policy, "read_file")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_grant_counts_only_where_every_layer_has_it(
    layer: MakeLayer, order: tuple[int, int]
) -> None:
    layers = (layer("ceiling", write=["./docs"]), layer("agent x", write=["./docs", "./src"]))
    policy = tuple(layers[n] for n in order)
    assert may_write(policy, "docs/a.md")
    refused = may_write(policy, "src/a.py")
    assert (refused.verdict, refused.layer) == (Verdict.DENY, "ceiling")


def test_a_layer_that_says_nothing_limits_nothing(layer: MakeLayer) -> None:
    assert may_write((layer("ceiling"), layer(write=["./src"])), "src/a.py")


def test_an_allowing_decision_names_the_grant_and_its_line(layer: MakeLayer) -> None:
    why = may_write((layer(write=["./src"]),), "src/a.py").why
    assert "./src" in why
    assert "agent.yaml:7" in why


def test_a_refusal_names_every_layer_that_would_have_to_grant_it(layer: MakeLayer) -> None:
    why = may_write(
        (layer("ceiling", write=[]), layer("agent x", write=["./docs"])), "src/a.py"
    ).why
    assert "ceiling (agent.yaml:7)" in why
    assert "agent x (agent.yaml:7)" in why
    assert '"./src/a.py"' in why


@pytest.mark.parametrize(
    ("ceiling", "own", "verdict"),
    [
        (None, Approval.ON_REQUEST, Verdict.ASK),
        (None, Approval.UNTRUSTED, Verdict.ASK),
        (None, Approval.NEVER, Verdict.DENY),
        (None, None, Verdict.DENY),
        (Approval.NEVER, Approval.ON_REQUEST, Verdict.DENY),
        (Approval.ON_REQUEST, Approval.ON_REQUEST, Verdict.ASK),
    ],
)
def test_what_no_grant_covers_is_asked_only_where_nobody_says_never(
    layer: MakeLayer, ceiling: Approval | None, own: Approval | None, verdict: Verdict
) -> None:
    policy = (layer("ceiling", approval=ceiling), layer(write=["./docs"], approval=own))
    decision = may_write(policy, "src/a.py")
    assert decision.verdict is verdict
    assert not decision


def test_a_question_of_an_agent_does_not_soften_the_ceiling_above_it(layer: MakeLayer) -> None:
    policy = (layer("ceiling", write=[]), layer(write=[], approval=Approval.ON_REQUEST))
    assert may_write(policy, "src/a.py").verdict is Verdict.DENY


def test_a_question_says_that_nobody_can_be_asked_yet(layer: MakeLayer) -> None:
    decision = may_write((layer(write=[], approval=Approval.ON_REQUEST),), "a")
    assert "would need your approval" in decision.why


def test_a_star_among_names_is_every_name(layer: MakeLayer) -> None:
    policy: tuple[Layer, ...] = (layer(tools=["*"], models=["openai/x"], env=["HOME"]),)
    assert may_use(policy, "shell")
    assert may_ask_model(policy, "openai/x")
    assert not may_ask_model(policy, "openai/xy")
    assert may_see_variable(policy, "HOME")
    assert not may_see_variable(policy, "HOM")
