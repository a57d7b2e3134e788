"""The table of verbs: what is made from it holds together."""

import re

import pytest

from codexd.cli.command import handler
from codexd.cli.text import Text
from codexd.cli.usage import group_help, markdown_table, top_help, verb_help
from codexd.cli.verbs import EVERYWHERE, VERBS, Flag, Verb, groups

by_name = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)


@by_name
def test_a_row_names_a_function_that_exists(verb: Verb) -> None:
    assert callable(handler(verb.handler))


@by_name
def test_the_flags_of_a_verb_differ_from_each_other(verb: Verb) -> None:
    names = [name for flag in verb.all_flags for name in (flag.name, flag.short) if name]
    assert len(names) == len(set(names))


@by_name
def test_a_flag_with_choices_takes_a_value(verb: Verb) -> None:
    assert all(flag.metavar for flag in verb.all_flags if flag.choices or flag.repeats)


@by_name
def test_help_names_every_flag_in_both_languages(verb: Verb) -> None:
    for lang in ("en", "ja"):
        page = verb_help(verb, Text(lang))
        assert all(flag.name in page for flag in verb.all_flags)
        assert all(argument.name in page for argument in verb.arguments)


@by_name
def test_every_text_is_said_in_japanese_too(verb: Verb) -> None:
    told: list[Verb | Flag] = [verb, *verb.flags]
    words = [each.help for each in told] + [argument.help for argument in verb.arguments]
    # A list of names is the same in every language.
    same = {"json, jsonl or yaml"}
    assert all(w.en in same or re.search("[ぁ-んァ-ン一-龥]", w.ja) for w in words)


def test_what_has_not_come_is_not_offered() -> None:
    names = {verb.name for verb in VERBS}
    assert not names & {"mcp", "mcp add", "trust", "approvals"}
    assert "mcp" not in top_help(Text("en"))


def test_the_first_help_names_every_verb() -> None:
    page = top_help(Text("en"))
    assert all(f"\n  {verb.name} " in page for verb in VERBS)
    assert all(flag.name in page for flag in EVERYWHERE)


def test_a_group_shows_its_verbs() -> None:
    assert groups() == ("agents", "runs", "audit", "daemon")
    page = group_help("runs", Text("en"))
    assert "runs show [ID | --last]" in page
    assert "audit" not in page


def test_help_fits_eighty_columns_in_english() -> None:
    pages = [top_help(Text("en")), *(verb_help(verb, Text("en")) for verb in VERBS)]
    assert max(len(line) for page in pages for line in page.splitlines()) <= 80


def test_the_readme_gets_its_list_from_the_table() -> None:
    assert "| `codexd delegate AGENT` | give one agent a goal |" in markdown_table("en")
    assert "| `codexd runs list` | 最近の実行 |" in markdown_table("ja")
