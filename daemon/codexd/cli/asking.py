"""The question before a hosted model's first use in a workspace."""

from __future__ import annotations

import sys

import anyio

from codexd.cli.columns import clean, wrap
from codexd.cli.live import Stage
from codexd.cli.page import Page
from codexd.orchestrator import Consent


class Asker:
    """Asks whoever sits at the terminal; the rows of runs make room meanwhile."""

    def __init__(self, stage: Stage, page: Page) -> None:
        self._stage, self._page = stage, page
        self.stopped = anyio.Event()
        """Ctrl-C was pressed: an open question is answered with no."""
        self._one_at_a_time = anyio.Lock()

    async def ask(self, consent: Consent) -> str:
        """`once`, `always` or `no`: no, unless one of the others was typed."""
        async with self._one_at_a_time:
            self._stage.paused = True
            answer = ""
            try:
                *lines, last = question(consent, self._page)
                self._stage.write(lines)
                self._stage.prompt(f"{last}   ")
                answer = await self._line()
            finally:
                if not answer:
                    # No Enter has ended the line of the question.
                    self._stage.write([""])
                self._stage.paused = False
        return answer_of(answer)

    async def _line(self) -> str:
        """A line of stdin; empty when Ctrl-C came first. The event loop goes on."""
        line = ""
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                await self.stopped.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            # A terminal gives whole lines, so that reading one does not wait.
            await anyio.wait_readable(sys.stdin)
            line = sys.stdin.readline()
            tasks.cancel_scope.cancel()
        return line


def question(consent: Consent, page: Page) -> list[str]:
    """The question, wrapped; its answers stand last."""
    text = page.text
    words = text(
        "consent",
        host=consent.host,
        agents=text("comma").join(consent.agents),
        reads=page.text.told(consent.reads),
    )
    return wrap(f"{clean(words)}  {text('consent.answers')}", page.prose)


def answer_of(line: str) -> str:
    """What a typed line means."""
    return {"o": "once", "once": "once", "a": "always", "always": "always"}.get(
        line.strip().lower(), "no"
    )
