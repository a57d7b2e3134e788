"""Numbers and lengths of time."""

from datetime import UTC, datetime

import pytest

from codexd.cli.faults import Misuse
from codexd.cli.text import Text
from codexd.cli.units import (
    age,
    dollars,
    duration,
    length,
    read_dollars,
    read_seconds,
    read_tokens,
)

EN, JA = Text("en"), Text("ja")


@pytest.mark.parametrize(
    ("value", "tokens"), [("5000", 5000), ("5_000", 5000), ("5,000", 5000), ("0", 0), (" 7 ", 7)]
)
def test_tokens_are_whole_numbers(value: str, tokens: int) -> None:
    assert read_tokens("--budget", value) == tokens


@pytest.mark.parametrize("value", ["", "5k", "-1", "1.5", "_5", "5__0", "٣", "1e3", "+5"])
def test_anything_else_is_no_budget(value: str) -> None:
    with pytest.raises(Misuse):
        read_tokens("--budget", value)


def test_in_a_list_a_comma_is_no_separator_of_thousands() -> None:
    with pytest.raises(Misuse):
        read_tokens("--budgets", "5,000", separators="_")


@pytest.mark.parametrize(("value", "usd"), [("0.5", 0.5), ("$2", 2.0), (".05", 0.05), ("0", 0.0)])
def test_dollars(value: str, usd: float) -> None:
    assert read_dollars("--budget-usd", value) == usd


@pytest.mark.parametrize("value", ["", "-1", "nan", "inf", "1,5", "."])
def test_anything_else_is_no_money(value: str) -> None:
    with pytest.raises(Misuse):
        read_dollars("--budget-usd", value)


@pytest.mark.parametrize(
    ("value", "seconds", "echo"),
    [
        ("90s", 90, "90s"),
        ("5m", 300, "5m"),
        ("1h", 3600, "1h"),
        ("30", 1800, "30m"),
        ("0.5", 30, "30s"),
        ("1.5h", 5400, "90m"),
        ("90", 5400, "90m"),
        ("120", 7200, "2h"),
    ],
)
def test_a_bare_deadline_is_minutes_and_is_echoed(value: str, seconds: float, echo: str) -> None:
    assert read_seconds("--deadline", value) == seconds
    assert length(seconds) == echo


@pytest.mark.parametrize("value", ["", "0", "0s", "-5m", "5d", "m", "soon", "1h30m", "inf"])
def test_anything_else_is_no_deadline(value: str) -> None:
    with pytest.raises(Misuse):
        read_seconds("--deadline", value)


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [
        (0.04, "0.0 s", "0.0 秒"),
        (1.14, "1.1 s", "1.1 秒"),
        (9.94, "9.9 s", "9.9 秒"),
        (9.96, "10 s", "10 秒"),
        (59.4, "59 s", "59 秒"),
        (125, "2 min 5 s", "2 分 5 秒"),
        (3720, "1 h 2 min", "1 時間 2 分"),
    ],
)
def test_durations_for_people(seconds: float, english: str, japanese: str) -> None:
    assert duration(seconds, EN) == english
    assert duration(seconds, JA) == japanese


@pytest.mark.parametrize(
    ("at", "ago"),
    [
        ("2026-11-21T11:59:59.500Z", "0 s ago"),
        ("2026-11-21T11:58:30.000Z", "1 min ago"),
        ("2026-11-21T09:00:00.000Z", "3 h ago"),
        ("2026-11-18T12:00:00.000Z", "3 d ago"),
        ("2026-11-21T12:00:09.000Z", "0 s ago"),
    ],
)
def test_ages(at: str, ago: str) -> None:
    assert age(at, datetime(2026, 11, 21, 12, tzinfo=UTC), EN) == ago


def test_small_sums_keep_the_digits_that_show_them() -> None:
    assert [dollars(usd) for usd in (0.0, 0.0004, 0.05, 1234.5)] == [
        "$0.00", "$0.0004", "$0.05", "$1,234.50",
    ]  # fmt: skip
