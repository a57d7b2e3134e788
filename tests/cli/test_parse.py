"""Command lines, read by the table."""

import pytest

from codexd.cli.faults import Misuse
from codexd.cli.parse import parse
from codexd.cli.running import parallel_requests
from codexd.errors import BadRequest


def given(*argv: str) -> dict[str, tuple[str, ...]]:
    return parse(argv).given


def test_values_stand_behind_their_flags_or_are_joined_to_them() -> None:
    apart = given("delegate", "x", "--goal", "g", "-m", "offline")
    joined = given("delegate", "x", "--goal=g", "-moffline")
    assert apart == joined == {"AGENT": ("x",), "--goal": ("g",), "--model": ("offline",)}


def test_flags_may_stand_before_the_verb() -> None:
    asked = parse(["--json", "-C", "there", "runs", "list"])
    assert asked.verb.name == "runs list"
    assert asked.has("--json")
    assert asked.one("--cd") == "there"


def test_a_repeated_flag_keeps_its_order() -> None:
    assert given("delegate", "x", "--scope", "a", "--scope=b")["--scope"] == ("a", "b")


def test_a_value_may_begin_with_a_hyphen() -> None:
    assert given("delegate", "x", "--goal", "-- really?")["--goal"] == ("-- really?",)
    assert given("delegate", "x", "--budget", "-5")["--budget"] == ("-5",)


def test_after_two_hyphens_everything_is_a_value() -> None:
    assert given("agent-create", "--", "--save the whales")["PROMPT"] == ("--save the whales",)


def test_a_repeated_argument_takes_the_rest() -> None:
    assert given("agents", "validate", "a", "b")["PATH"] == ("a", "b")
    assert given("agents", "validate") == {}


MISUSES = [
    ("no-verb", ["--json"], ""),
    ("unknown-verb", ["delegat", "x"], "delegate"),
    ("unknown-verb", ["runs", "shw"], "runs show"),
    ("unknown-verb", ["runs", "rewind"], ""),
    ("verb-incomplete", ["runs"], ""),
    ("unknown-flag", ["delegate", "x", "--budgt", "5"], "--budget"),
    ("flag-needs-value", ["delegate", "x", "--goal"], ""),
    ("flag-needs-value", ["delegate", "x", "--goal", "--json"], ""),
    ("flag-takes-none", ["delegate", "x", "--json=1"], ""),
    ("flag-twice", ["delegate", "x", "--goal", "a", "--goal", "b"], ""),
    ("argument-missing", ["delegate"], ""),
    ("argument-extra", ["delegate", "x", "fix", "it"], ""),
    ("not-a-choice", ["completion", "tcsh"], ""),
    ("not-a-choice", ["delegate", "x", "--fail-on", "hint"], ""),
]


@pytest.mark.parametrize(("key", "argv", "nearest"), MISUSES)
def test_a_misuse_is_named_with_the_nearest_right_word(
    key: str, argv: list[str], nearest: str
) -> None:
    with pytest.raises(Misuse) as caught:
        parse(argv)
    assert caught.value.key == key
    assert caught.value.data.get("nearest", "") == nearest


def requests(*argv: str):
    return parallel_requests(parse(["delegate-parallel", *argv]))


def test_lists_by_commas_go_to_the_agents_in_order() -> None:
    one, two = requests(
        "a,b", "--goals", "review,fix", "--scopes", "src/,tests/", "--budgets", "5000,3_000"
    )
    assert (one.agent, one.goal, one.scope, one.budget) == ("a", "review", ("src/",), 5000)
    assert (two.agent, two.goal, two.scope, two.budget) == ("b", "fix", ("tests/",), 3000)


def test_repeated_flags_hold_goals_with_commas() -> None:
    one, two = requests(
        "a,a", "--goal", "this, then that", "--goal", "b", "--budget", "5,000", "--budget", "0"
    )
    assert (one.goal, one.budget) == ("this, then that", 5000)
    assert (two.goal, two.budget) == ("b", 0)


def test_where_nothing_is_given_each_definition_has_its_own() -> None:
    one, two, three = requests("a,b,c")
    assert [each.agent for each in (one, two, three)] == ["a", "b", "c"]
    assert all(each.goal is None and each.budget is None and not each.scope for each in (one, two))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["a,b,c", "--goals", "x,y"], "3 agents, but --goals gives 2"),
        (["a,b", "--goal", "x"], "2 agents, but --goal gives 1"),
        (["a,b", "--budgets", "1,2,3"], "2 agents, but --budgets gives 3"),
        (["a,b", "--scopes", "x"], "2 agents, but --scopes gives 1"),
        (["a,b", "--goals", "x,y", "--goal", "z"], "`--goals` and `--goal` together"),
        (["a,,b"], "`a,,b` has an empty name between its commas"),
        (["a,b", "--budgets", "5k,5k"], "--budgets cannot be `5k`"),
        (["a,b", "--budgets", "5000,-1"], "--budgets cannot be `-1`"),
    ],
)
def test_counts_that_do_not_match_are_refused_with_both_counts(argv: list[str], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        requests(*argv)
    assert words in str(caught.value)
