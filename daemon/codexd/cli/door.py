"""What a verb's function works with: the streams, their pages, the workspace that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from codexd.cli.faults import Misuse
from codexd.cli.page import Page, is_terminal, page_of
from codexd.cli.parse import Asked
from codexd.cli.text import Text

if TYPE_CHECKING:
    from codexd.orchestrator import Ask, Check, Orchestrator, Told


@dataclass(frozen=True, slots=True)
class Door:
    """One command: what was asked, and where answers go."""

    asked: Asked
    text: Text
    out: TextIO
    err: TextIO
    env: Mapping[str, str]

    @property
    def json(self) -> bool:
        """Whether stdout gets one JSON document."""
        return self.asked.has("--json")

    @property
    def page(self) -> Page:
        """The page that results go to."""
        return page_of(self.out, self.text, self.env)

    @property
    def progress(self) -> Page:
        """The page that progress goes to."""
        return page_of(self.err, self.text, self.env)

    @property
    def repaints(self) -> bool:
        """Whether progress may be repainted in place."""
        return is_terminal(self.err, self.env)

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty() and self.err.isatty()

    @property
    def folder(self) -> Path:
        """The folder to act in: `-C`, else here."""
        return Path(self.asked.one("--cd") or ".")

    def command(self, words: str) -> str:
        """A command to suggest, with the `-C` that this one had."""
        import shlex

        folder = self.asked.one("--cd")
        return f"{words} -C {shlex.quote(folder)}" if folder else words

    def run_id(self) -> str | None:
        """The id asked for; `None`: the last run."""
        named = self.asked.one("ID")
        if named is not None and self.asked.has("--last"):
            raise Misuse("both", one="ID", other="--last")
        return named

    def show(self, lines: Sequence[str]) -> None:
        """Write lines to stdout."""
        self.out.write("".join(f"{line}\n" for line in lines))
        self.out.flush()

    def give(self, value: object) -> None:
        """Write `value` to stdout as one JSON document."""
        from codexd.cli.plain import document

        self.out.write(document(value))
        self.out.flush()

    @property
    def root(self) -> Path:
        """The root of the folder's workspace. Raises `BadConfig` where there is no such folder."""
        from codexd.config.workspace import find_workspace, home_of

        return find_workspace(self.folder, home=home_of(self.env)).root

    def open(
        self, ask: Ask | None = None, tell: Callable[[Told], None] | None = None
    ) -> AbstractAsyncContextManager[Orchestrator]:
        """The orchestrator of the folder's workspace, with `-m` and `-c` in force."""
        from codexd.orchestrator import Orchestrator
        from codexd.orchestrator.verbs import unheard

        return Orchestrator.open(
            self.folder,
            env=self.env,
            model=self.asked.one("--model"),
            overrides=self._overrides(),
            ask=ask,
            tell=tell or unheard,
        )

    async def examine(self) -> tuple[Check, ...]:
        """What `doctor` says of the folder's workspace, with `-m` and `-c` in force."""
        from codexd.orchestrator import Orchestrator

        return await Orchestrator.examine(
            self.folder,
            env=self.env,
            model=self.asked.one("--model"),
            overrides=self._overrides(),
        )

    def _overrides(self) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in self.asked.all("--config")]
        for key, equals, value in pairs:
            if not key or not equals:
                raise Misuse("not-pair", value=key + equals + value)
            if sum(key == other for other, _, _ in pairs) > 1:
                raise Misuse("flag-twice", flag=f"-c {key}")
        return {key: value for key, _, value in pairs}


def door_of(asked: Asked, text: Text) -> Door:
    """The door to the process's own streams."""
    return Door(asked, text, sys.stdout, sys.stderr, dict(os.environ))
