"""What people read of ended runs. `GOLDEN=write` writes the expected files anew."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.cli.expected import check
from tests.cli.samples import (
    AUDIT,
    BUDGET_STOP,
    CHILDREN,
    GROUP,
    OPEN,
    REVIEW,
    finding,
    run,
)
from wcwidth import wcswidth

from codexd.cli.page import PROSE, Page
from codexd.cli.render import result, run_page, runs_table, worst_first
from codexd.cli.text import Text
from codexd.runs.view import Criterion, Judged, RunView, Status

AGAIN = "codexd runs show --last"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

FAILED = run(
    "sec-audit", status=Status.FAILED, model="anthropic/m", billed=True, spent=7902, budget=20_000,
    spent_usd=0.03, uncertain=412, seconds=83.2, findings=AUDIT[:4],
    reason="api.anthropic.com did not answer: connection refused",
    help="`codexd doctor` shows what is configured",
)  # fmt: skip
ANSWERED = run(
    "researcher", model="openai/m", billed=True, spent=14_630, budget=20_000, spent_usd=0.05,
    seconds=12.3, summary="Three of the five libraries are maintained.\nUse the first.",
    criteria=(Criterion("names a source for each", Judged.NOT_MET, "two have none"),),
    missing_artifacts=("artifacts/report.md",),
    notes=("lightweight mode from 18,000 tokens on",),
)  # fmt: skip
MIXED = replace(
    GROUP, spent_usd=0.05, children=(CHILDREN[0], FAILED, replace(BUDGET_STOP, agent="docs-gen"))
)
PLANNED = run(
    "planning", findings=REVIEW[:2], criteria=(Criterion("has steps", Judged.MET, "3"), OPEN),
    plan=(("look around", "completed"), ("write it down", "in_progress"), ("ask", "pending")),
    data={"steps": [{"title": "first", "risk": None}]}, summary="A plan of three steps.",
    deadline_seconds=1800.0, budget_usd=0.5,
)  # fmt: skip

PAGES: dict[str, Callable[[Page], list[str]]] = {
    "group": lambda page: result(GROUP, page, again=AGAIN),
    "mixed": lambda page: result(MIXED, page, again=AGAIN),
    "budget": lambda page: result(BUDGET_STOP, page, again=AGAIN),
    "failed": lambda page: result(FAILED, page, again=AGAIN),
    "answered": lambda page: result(ANSWERED, page, again=AGAIN, written="out/result.json"),
    "show": lambda page: run_page(PLANNED, page),
    "show-group": lambda page: run_page(GROUP, page),
    "list": lambda page: runs_table([GROUP, BUDGET_STOP, FAILED, ANSWERED], page, now=NOON),
}
cases = pytest.mark.parametrize(
    ("name", "lang", "width"),
    [(name, lang, width) for name in PAGES for lang in ("en", "ja") for width in (40, 80, 200)],
)


@cases
def test_a_page_is_as_expected(name: str, lang: str, width: int) -> None:
    check(f"{name}.{lang}.{width}", PAGES[name](Page(Text(lang), width)))


@cases
def test_no_line_is_wider_than_the_terminal(name: str, lang: str, width: int) -> None:
    lines = PAGES[name](Page(Text(lang), width))
    assert max(map(wcswidth, lines)) <= width


@cases
def test_no_line_ends_in_blanks_or_follows_two_empty_ones(name: str, lang: str, width: int) -> None:
    lines = PAGES[name](Page(Text(lang), width))
    assert all(line == line.rstrip() for line in lines)
    assert "\n\n\n" not in "\n".join(lines)
    assert lines[0]
    assert lines[-1]


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_columns_align_by_what_characters_take(lang: str) -> None:
    rows = result(GROUP, Page(Text(lang), 100), again=AGAIN)[:3]
    starts = {wcswidth(row[: row.index(" / ")]) for row in rows}
    assert len(starts) == 1
    table = runs_table([GROUP, BUDGET_STOP], Page(Text(lang), 100), now=NOON)
    ends = [re.search(r"/ [\d,]+", row) for row in table[1:]]
    assert len({wcswidth(found.string[: found.end()]) for found in ends if found}) == 1
    assert len({wcswidth(row[: row.index("Review")]) for row in table[1:]}) == 1


def test_the_block_at_the_end_is_the_one_promised() -> None:
    lines = result(GROUP, Page(Text("en"), 86), again=AGAIN)
    assert lines[:3] == [
        "✔ code-reviewer  completed  30 findings, 2 errors  3,120 / 40,000 tokens  1.1 s",
        "✔ sec-audit      completed   8 findings            1,480 / 40,000 tokens  0.9 s",
        "✔ docs-gen       completed  31 findings            2,210 / 15,000 tokens  0.8 s",
    ]
    assert lines[-5:] == [
        "… 65 more: codexd runs show --last",
        "",
        "3 of 3 completed in 1.1 s, 2.5 × faster than in sequence",
        "6,810 of 95,000 tokens counted, none billed · criteria: 4 met, 7 not judged (no model)",
        "reports  artifacts/code-review-report.md, security-audit.md, api-outline.md",
    ]


def test_a_stopped_run_says_so_before_what_it_kept() -> None:
    assert result(BUDGET_STOP, Page(Text("en"), 86), again=AGAIN)[:2] == [
        "■ code-reviewer  budget reached  498 / 500 tokens  3 findings kept  0.2 s",
        "  the next step could cost 212 and 2 were left, so it was not begun",
    ]


def test_findings_come_worst_first_then_as_told_then_by_place() -> None:
    review = run(
        findings=(
            finding(9, "z", path="b.py"),
            finding(2, "y", severity="hint", path="a.py"),
            finding(3, "x", severity="error", path="z.py"),
            finding(1, "w", path="a.py"),
        )
    )
    audit = run(
        "audit",
        findings=(
            finding(10, "v", path="b.py"),
            finding(1, "w", path="a.py"),
            finding(1, "t", path="a.py"),
        ),
    )
    assert [f"{f.message}{f.line}" for f in worst_first([review])] == ["x3", "z9", "w1", "y2"]
    together = [f"{f.message}{f.line}" for f in worst_first([review, audit])]
    # What both found stands where the first of them had it; the tenth line waits for no ninth.
    assert together == ["x3", "z9", "v10", "w1", "t1", "y2"]
    assert worst_first([audit, review]) == worst_first([review, audit])


def test_what_two_agents_found_alike_is_shown_once() -> None:
    group = replace(GROUP, children=(run(findings=AUDIT[:2]), run("twin", findings=AUDIT[:2])))
    page = "\n".join(result(group, Page(Text("en"), 86), again=AGAIN))
    assert page.count("eval() of a caller's text") == 1
    assert "more" not in page


def test_what_an_agent_says_cannot_reach_the_terminal() -> None:
    nasty = "\x1b[2J\x1b]0;owned\x07"
    view = run(
        f"x{nasty}", goal=nasty, findings=(finding(1, nasty, nasty, path=nasty),), reason=nasty,
        summary=nasty, artifacts=(nasty,), notes=(nasty,), status=Status.FAILED,
        plan=((nasty, "pending"),), data={"a": nasty},
        criteria=(Criterion(nasty, Judged.MET, nasty),),
    )  # fmt: skip
    page = Page(Text("en"), 86)
    told = [
        *result(view, page, again=AGAIN),
        *run_page(view, page),
        *runs_table([view], page, now=NOON),
    ]
    assert not any(ord(c) < 32 or ord(c) == 127 for line in told for c in line)


def test_colours_change_no_column() -> None:
    def plain(lines: list[str]) -> str:
        return re.sub(r"\x1b\[\d+m", "", "\n".join(lines))

    view: RunView = MIXED
    colored = result(view, Page(Text("en"), 86, color=True), again=AGAIN)
    assert "\x1b[31m" in "\n".join(colored)
    assert plain(colored) == "\n".join(result(view, Page(Text("en"), 86), again=AGAIN))


def test_prose_stays_readable_on_a_wide_terminal() -> None:
    assert max(map(wcswidth, result(MIXED, Page(Text("en"), 400), again=AGAIN))) <= PROSE + 14


def test_an_empty_list_says_how_to_begin() -> None:
    assert runs_table([], Page(Text("en")), now=NOON) == [
        "no run yet: codexd delegate code-reviewer"
    ]
