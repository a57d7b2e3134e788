"""What a verb's function works with: the streams, their pages, the workspace that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, TypedDict

from codexd.cli.faults import Misuse
from codexd.cli.page import Page, is_terminal, page_of
from codexd.cli.parse import Asked
from codexd.cli.text import Text

if TYPE_CHECKING:
    from codexd.cli.remote import Remote
    from codexd.daemon.attach import Attached
    from codexd.orchestrator import (
        Ask,
        Check,
        CreateAgent,
        Delegate,
        DelegateParallel,
        Orchestrator,
        Resume,
        Told,
        Undone,
    )
    from codexd.runs.view import RunView


class Flags(TypedDict):
    """What goes with every request to a daemon that starts runs: `-m` and `-c`."""

    model: str | None
    config: dict[str, str]


class Runner(Protocol):
    """What a command asks that runs agents: an orchestrator in this process, or the daemon's."""

    async def delegate(self, request: Delegate) -> RunView:
        """The ended run."""
        ...

    async def delegate_parallel(self, request: DelegateParallel) -> RunView:
        """The ended group."""
        ...

    async def create_agent(self, request: CreateAgent) -> RunView:
        """The ended run of the agent made, or that of its making."""
        ...

    async def resume(self, request: Resume) -> RunView:
        """The run, driven to its end."""
        ...

    async def undo(self, run_id: str | None = None) -> Undone:
        """What was put back."""
        ...

    async def cancel(self, run_id: str | None = None) -> tuple[str, ...]:
        """Have the run (`None`: those of this command) end as `cancelled`; the ids asked."""
        ...

    async def suspend(self) -> None:
        """Have the runs of this command leave off, to be resumed."""
        ...

    def abandon(self) -> None:
        """This process ends without waiting for its runs."""
        ...

    def roots(self) -> Sequence[RunView]:
        """The root runs of this command, as they are now."""
        ...


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

    def show(self, lines: Iterable[str]) -> None:
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

    @property
    def stays(self) -> bool:
        """Whether runs are driven by this process, and not by the workspace's daemon."""
        return self.asked.has("--standalone") or self.env.get("CI") == "true"

    def runner(
        self, ask: Ask | None, tell: Callable[[Told], None]
    ) -> AbstractAsyncContextManager[Runner]:
        """What runs agents in the folder's workspace: its daemon, started where none runs, or this
        process. Raises `Refused`, `Unavailable`.
        """
        if self.stays:
            return self.open(ask, tell)
        from codexd.daemon.attach import attach

        flags = self._flags()
        said = "\n".join(flags["config"].values())
        attached = attach(
            str(self.root), self.env, door="cli", said=said, check=partial(self._load, flags)
        )
        if attached.started:
            end = self.command("codexd daemon stop")
            words = self.text("daemon.began", pid=attached.pid, end=end)
            lines = self.progress.labelled(self.text("note"), words, indent=6)
            self.err.write("".join(f"{line}\n" for line in lines))
        return self._remote(attached, flags, ask, tell)

    def daemon(self) -> AbstractAsyncContextManager[Remote]:
        """The workspace's daemon, as it is. Raises `IllegalMove` where none runs."""
        from codexd.daemon.attach import find
        from codexd.errors import IllegalMove
        from codexd.orchestrator.verbs import unheard

        attached = find(str(self.root), self.env, door="cli")
        if attached is None:
            raise IllegalMove(
                self.text("cancel.no-daemon", root=self.root),
                help=self.text("cancel.no-daemon.help"),
            )
        return self._remote(attached, self._flags(), None, unheard)

    def _remote(
        self,
        attached: Attached,
        flags: Flags,
        ask: Ask | None,
        tell: Callable[[Told], None],
    ) -> AbstractAsyncContextManager[Remote]:
        from codexd.cli.remote import Remote

        return Remote.open(attached, self, flags, ask, tell)

    def _flags(self) -> Flags:
        return {"model": self._model(), "config": self._overrides()}

    def _load(self, flags: Flags) -> None:
        """Configuration that cannot be used begins no daemon. Raises `BadConfig`."""
        from codexd.config import load

        load(self.folder, env=self.env, model=flags["model"], overrides=flags["config"])

    def _model(self) -> str | None:
        """`-m`; a recording is named by its whole path, since the daemon is in another folder."""
        named = self.asked.one("--model")
        kind, slash, path = (named or "").partition("/")
        if kind != "replay" or not slash:
            return named
        return f"replay/{Path(path).absolute()}"

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
