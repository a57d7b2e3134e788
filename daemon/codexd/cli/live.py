"""Rows of runs that are under way: repainted in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TextIO

import anyio

from codexd.cli.columns import cells, clean, cut, pad, table
from codexd.cli.page import PROSE, Page
from codexd.cli.render import SIGNS, is_group, money, rows
from codexd.cli.units import duration, number
from codexd.runs.view import RunView, Status

TICK = 0.1
"""Seconds between two paintings."""
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_HIDE, _SHOW, _BELOW = "\x1b[?25l", "\x1b[?25h", "\x1b[J"

Look = Callable[[], Sequence[RunView]]
"""The root runs as they are now."""


def live_rows(roots: Sequence[RunView], page: Page, *, frame: int, height: int) -> list[str]:
    """A row a run, each within the page's width; at most `height` of them, the busiest first."""
    runs = [(run, depth) for root in roots for run, depth in _shown(root)]
    hidden: list[RunView] = []
    if len(runs) > height:
        # Those that still do something are worth the room; the others are told as a sum.
        order = sorted(range(len(runs)), key=lambda i: (runs[i][0].status.ended, i))
        kept = set(order[: max(1, height - 1)])
        hidden = [run for i, (run, _) in enumerate(runs) if i not in kept]
        runs = [each for i, each in enumerate(runs) if i in kept]
    lines = _aligned(runs, page, frame)
    return [*lines, _hidden_row(hidden, page)] if hidden else lines


def _shown(run: RunView, depth: int = 0) -> Iterator[tuple[RunView, int]]:
    """The runs that have a row, with their depth; a group has none but its children's."""
    if not is_group(run):
        yield run, depth
        depth += 1
    for child in run.children:
        yield from _shown(child, depth)


def _aligned(runs: Sequence[tuple[RunView, int]], page: Page, frame: int) -> list[str]:
    if not runs:
        return []
    # The last column stays free: a character in it makes some terminals wrap.
    text, room = page.text, min(page.width - 1, PROSE)
    names = ["  " * depth + clean(run.agent) for run, depth in runs]
    spent_width = max(len(number(run.spent)) for run, _ in runs)
    budget_width = max(len(number(run.budget)) for run, _ in runs)
    tails = table([_tail(run, page, spent_width, budget_width) for run, _ in runs], right=(0, 1, 2))
    tail_width = max(map(cells, tails))
    name_width = min(max(map(cells, names)), max(8, room - tail_width - 4))
    doing_width = room - 2 - name_width - 2 - 2 - tail_width
    lines: list[str] = []
    for (run, _), name, tail in zip(runs, names, tails, strict=True):
        sign, ink = SIGNS[run.status]
        if run.status is Status.RUNNING:
            sign, ink = FRAMES[frame % len(FRAMES)], "dim"
        doing = clean(text.told(run.doing)) if not run.status.ended and run.doing else ""
        doing = doing or text(f"status.{run.status}")
        line = " " + pad(cut(name, name_width), name_width)
        if doing_width >= 6:
            line += "  " + pad(cut(doing, doing_width), doing_width)
        line += "  " + pad(tail, tail_width, right=True)
        lines.append(page.ink(ink, sign) + cut(line.rstrip(), room - 1))
    return lines


def _tail(run: RunView, page: Page, spent_width: int, budget_width: int) -> list[str]:
    """Tokens, money, time: `7,902 / 20,000 tokens  $0.03   8 s`; less where it is narrow."""
    spent, budget = number(run.spent).rjust(spent_width), number(run.budget).rjust(budget_width)
    took = duration(run.seconds, page.text, coarse=not run.status.ended).rjust(5)
    if page.width < 60:
        return [f"{spent} / {budget}", took]
    return [page.text("tokens", spent=spent, budget=budget), money(run), took]


def _hidden_row(hidden: Sequence[RunView], page: Page) -> str:
    counts = Counter(run.status for run in hidden)
    words = page.text("comma").join(
        f"{counts[status]} {page.text(f'status.{status}')}" for status in Status if counts[status]
    )
    return cut("  " + page.text("hidden-rows", n=len(hidden), counts=words), page.width - 1)


class Screen:
    """Lines at the bottom of a terminal, replaced in place. Leaving it erases them and shows the
    cursor, whatever ended the work.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._painted: list[int] = []
        """The columns that each painted line takes."""
        self._hidden = False

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.erase()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 80, 24
        return columns or 80, lines or 24

    def paint(self, lines: Sequence[str]) -> None:
        """Show `lines` in the place of those painted before."""
        self._write(self._back() + "".join(f"{line}\x1b[K\n" for line in lines) + _BELOW)
        self._painted = [cells(line) for line in lines]

    def erase(self) -> None:
        """Leave nothing of what was painted, and the cursor as it was."""
        if self._painted or self._hidden:
            self._stream.write(self._back() + _BELOW + _SHOW)
            self._stream.flush()
        self._painted, self._hidden = [], False

    def _back(self) -> str:
        """To the beginning of the first painted line."""
        # A terminal made narrower since has broken the old lines into several.
        columns = self.size[0]
        n_rows = sum(max(1, -(-width // columns)) for width in self._painted)
        return f"\r\x1b[{n_rows}A" if n_rows else "\r"

    def _write(self, painting: str) -> None:
        if not self._hidden:
            painting = _HIDE + painting
            self._hidden = True
        self._stream.write(painting)
        self._stream.flush()


class Stage:
    """Where runs are shown while they go on: one of a terminal's rows, or plain lines."""

    def __init__(
        self, stream: TextIO, page: Page, look: Look = lambda: (), *, repaints: bool
    ) -> None:
        self._stream, self._page = stream, page
        self.look = look
        self.screen = Screen(stream) if repaints else None
        self._told: dict[str, bool] = {}
        """By run, whether its end was told."""
        self._footer = ""
        self._frame = 0
        self.paused = False

    async def show(self) -> None:
        """Show the runs until cancelled."""
        while True:
            self.update()
            await anyio.sleep(TICK)

    def update(self) -> None:
        """Show the runs as they are now."""
        if self.paused:
            return
        if self.screen is None:
            self._tell(self.look())
            return
        width, height = self.screen.size
        page = Page(self._page.text, width, self._page.color)
        # Two lines stay free, for the cursor's and the footer.
        lines = live_rows(self.look(), page, frame=self._frame, height=max(1, height - 2))
        self._frame += 1
        if self._footer:
            lines.append(cut(self._footer, width - 1))
        if lines:
            self.screen.paint(lines)

    def end(self, root: RunView, *, keep: bool) -> None:
        """Take the rows away; `keep` leaves their last state, where no result will follow."""
        if self.screen is None:
            self._tell([root])
            return
        self.screen.erase()
        if keep:
            shown = [run for run, depth in _shown(root) if depth == 0]
            lines = [line for row in rows(shown, self._page) for line in row]
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()

    def write(self, lines: Sequence[str]) -> None:
        """Lines that stay, above the rows."""
        if not lines:
            return
        if self.screen is not None:
            self.screen.erase()
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def prompt(self, words: str) -> None:
        """`words`, with the cursor after them."""
        self._stream.write(words)
        self._stream.flush()

    def say(self, words: str) -> None:
        """A line that stays until the end of the runs: in the footer, or written once."""
        if self.screen is None:
            print(words, file=self._stream, flush=True)
        else:
            self._footer = words
            self.update()

    def _tell(self, roots: Sequence[RunView]) -> None:
        text = self._page.text
        for root in roots:
            for run, depth in _shown(root):
                head = f"{'  ' * depth}{clean(run.agent)}"
                if run.id not in self._told:
                    self._told[run.id] = False
                    print(f"{head}  {text('started')}  {run.short}", file=self._stream, flush=True)
                if run.status.ended and not self._told[run.id]:
                    self._told[run.id] = True
                    parts = [
                        head,
                        text(f"status.{run.status}"),
                        text("tokens", spent=number(run.spent), budget=number(run.budget)),
                        money(run),
                        duration(run.seconds, text),
                    ]
                    print("  ".join(filter(None, parts)), file=self._stream, flush=True)
