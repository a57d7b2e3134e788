"""Rows of runs under way, on a real pty."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import anyio
import pytest
from tests.cli.expected import check
from tests.cli.samples import CHILDREN, GROUP, run
from tests.cli.terminal import Terminal
from wcwidth import wcswidth

from codexd.cli.live import FRAMES, Screen, Stage, live_rows
from codexd.cli.page import Page
from codexd.cli.text import Text
from codexd.runs.view import RunView, Status

RUNNING = replace(
    CHILDREN[0], status=Status.RUNNING, doing="reading bottle.py:2605-2630", seconds=8.3
)
WAITING = replace(
    CHILDREN[1],
    status=Status.WAITING,
    doing="waiting for a free place",
    billed=True,
    spent_usd=0.03,
)
BUSY = replace(GROUP, status=Status.RUNNING, children=(RUNNING, WAITING, CHILDREN[2]))
NESTED = replace(RUNNING, children=(replace(WAITING, agent="helper"),))
PAGE = Page(Text("en"), 80)


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_rows_are_as_expected(lang: str, width: int) -> None:
    page = Page(Text(lang), width)
    check(f"live.{lang}.{width}", live_rows([BUSY, NESTED], page, frame=2, height=20))


@pytest.mark.parametrize("width", range(20, 100, 7))
def test_a_row_never_fills_the_last_column(width: int) -> None:
    wide = replace(
        RUNNING, agent="監査エージェント", doing="読み込み中: とても長い名前のファイル.py"
    )
    rows = live_rows([BUSY, NESTED, wide], Page(Text("ja"), width), frame=0, height=20)
    assert max(map(wcswidth, rows)) < width


def test_tokens_and_times_stand_below_each_other() -> None:
    rows = live_rows([BUSY], Page(Text("ja"), 80), frame=0, height=20)
    assert len({wcswidth(row) for row in rows}) == 1


def test_too_many_runs_show_the_busy_ones_and_a_sum() -> None:
    many = replace(BUSY, children=BUSY.children * 30)
    rows = live_rows([many], PAGE, frame=0, height=6)
    assert len(rows) == 6
    assert not any(row.startswith("✔") for row in rows)
    assert rows[-1] == "  … 85 more: 27 running, 28 waiting, 30 completed"


def test_painting_replaces_what_was_painted() -> None:
    with Terminal() as terminal, Screen(terminal.stream) as screen:
        terminal.stream.write("before\n")
        screen.paint(["one", "two", "three"])
        assert terminal.screen == ["before", "one", "two", "three"]
        assert not terminal.cursor_shown
        screen.paint(["uno"])
        assert terminal.screen == ["before", "uno"]


def test_leaving_restores_the_terminal_whatever_happened() -> None:
    with Terminal() as terminal:
        with suppress(KeyboardInterrupt), Screen(terminal.stream) as screen:
            screen.paint(["⠹ x  running"])
            raise KeyboardInterrupt
        assert terminal.screen == []
        assert terminal.cursor_shown


def test_a_screen_that_painted_nothing_writes_nothing() -> None:
    with Terminal() as terminal:
        with Screen(terminal.stream):
            pass
        assert terminal.take() == ""


def test_a_terminal_made_narrower_is_cleared_of_the_rows_it_broke() -> None:
    with Terminal(80) as terminal, Screen(terminal.stream) as screen:
        screen.paint(["x" * 70, "y" * 30])
        terminal.take()
        terminal.resize(40, 24)
        screen.paint(["x" * 30])
        # 70 columns have become two rows of 40, 30 stay one.
        assert "\x1b[3A" in terminal.take()


def stage_on(terminal: Terminal, look: Callable[[], Sequence[RunView]], lang: str = "en") -> Stage:
    return Stage(terminal.stream, Page(Text(lang), 80), look, repaints=True)


def no_spinner(rows: Sequence[str]) -> bool:
    return not set("".join(rows)) & set(FRAMES)


@pytest.mark.anyio
async def test_the_rows_move_on_and_leave_nothing_behind() -> None:
    with Terminal() as terminal:
        stage = stage_on(terminal, lambda: [BUSY])
        with anyio.move_on_after(0.35):
            await stage.show()
        frames = re.findall(f"[{FRAMES}]", terminal.take())
        assert len(set(frames)) >= 3
        assert len(frames) <= 5  # no oftener than ten times a second
        stage.end(GROUP, keep=False)
        assert terminal.screen == []
        assert terminal.cursor_shown


def test_where_no_result_follows_the_last_rows_stay() -> None:
    with Terminal(100) as terminal:
        stage = stage_on(terminal, lambda: [BUSY])
        stage.update()
        stage.end(GROUP, keep=True)
        assert len(terminal.screen) == 3
        assert all(row.startswith("✔ ") for row in terminal.screen)
        assert no_spinner(terminal.screen)
        assert terminal.cursor_shown


def test_what_is_written_meanwhile_stands_above_the_rows() -> None:
    with Terminal(100) as terminal:
        stage = stage_on(terminal, lambda: [RUNNING])
        stage.update()
        stage.write(["deadline 30m"])
        stage.update()
        first, second = terminal.screen
        assert first == "deadline 30m"
        assert "reading bottle.py" in second


def test_stopping_is_said_below_the_rows_until_the_end() -> None:
    with Terminal(100) as terminal:
        stage = stage_on(terminal, lambda: [RUNNING], "ja")
        stage.update()
        stage.say(Text("ja")("stopping"))
        stage.update()
        assert terminal.screen[-1] == "停止中… (もう一度 Ctrl-C で即時終了)"
        stage.end(run(status=Status.CANCELLED), keep=False)
        assert terminal.screen == []


def test_a_paused_stage_leaves_the_terminal_to_the_question() -> None:
    with Terminal() as terminal:
        stage = stage_on(terminal, lambda: [RUNNING])
        stage.paused = True
        stage.update()
        assert terminal.take() == ""


def test_where_there_is_no_terminal_a_start_and_an_end_are_lines() -> None:
    with Terminal() as terminal:
        views = [BUSY]
        page = Page(Text("en"), 80)
        stage = Stage(terminal.stream, page, lambda: views, repaints=False)
        stage.update()
        stage.update()
        stage.end(GROUP, keep=True)
        assert terminal.screen == [
            "code-reviewer  started  8c1d",
            "sec-audit  started  91be",
            "docs-gen  started  aa01",
            "docs-gen  completed  2,210 / 15,000 tokens  0.8 s",
            "code-reviewer  completed  3,120 / 40,000 tokens  1.1 s",
            "sec-audit  completed  1,480 / 40,000 tokens  0.9 s",
        ]
        assert "\x1b" not in terminal.output
