"""The catalogue of sentences."""

import re
from pathlib import Path
from string import Formatter

import pytest

import codexd.cli
from codexd.cli.text import SENTENCES, Text, language
from codexd.errors import Severity
from codexd.runs.view import Judged, Status

KEYS = sorted(SENTENCES)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("key", KEYS)
def test_both_languages_fill_in_the_same_data(key: str) -> None:
    english, japanese = SENTENCES[key]
    assert english
    assert japanese
    assert fields(english) == fields(japanese)


@pytest.mark.parametrize("kind", [Status, Severity, Judged])
def test_every_value_of_a_closed_set_has_a_word(kind: type[Status | Severity | Judged]) -> None:
    assert all(f"{kind.__name__.lower()}.{value}" in SENTENCES for value in kind)


def test_no_sentence_is_left_over() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(codexd.cli.__path__[0]).glob("*.py")
        if path.name != "text.py"
    )
    used = set(re.findall(r"""["']([a-z-]+(?:\.[a-z_-]+)*)["']""", sources))
    computed = ("status.", "severity.", "judged.", "retention.", "ago.", "column.")
    for key in KEYS:
        stem = re.sub(r"\.(one|many|near|help)$", "", key.removeprefix("misuse."))
        assert key in used or stem in used or key.startswith(computed), key


@pytest.mark.parametrize(
    ("argv", "env", "lang"),
    [
        ([], {}, "en"),
        ([], {"LANG": "ja_JP.UTF-8"}, "ja"),
        ([], {"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "C", "LC_MESSAGES": "ja"}, "ja"),
        ([], {"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja"),
        (["--lang", "ja"], {"LANG": "C"}, "ja"),
        (["--lang=en"], {"LANG": "ja_JP.UTF-8"}, "en"),
        (["--lang"], {"LANG": "ja_JP.UTF-8"}, "ja"),
    ],
)
def test_the_language_is_the_flags_else_the_locales(
    argv: list[str], env: dict[str, str], lang: str
) -> None:
    assert language(argv, env) == lang


def test_one_and_many_are_told_apart() -> None:
    text = Text("en")
    assert text.count("finding", 1) == "1 finding"
    assert text.count("finding", 3) == "3 findings"
    assert text.count("finding", 0) == "0 findings"
