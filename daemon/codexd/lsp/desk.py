"""All clients of one workspace, and who of them is told what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from codexd.lsp import asked, editing, endings, verbs
from codexd.lsp.asking import ask_of
from codexd.lsp.edits import Edits
from codexd.lsp.events import Batch, Feed
from codexd.lsp.findings import Findings
from codexd.lsp.hello import Hello
from codexd.lsp.language import Language
from codexd.lsp.progress import Progress
from codexd.lsp.protocol import make_converter
from codexd.lsp.publish import Publisher
from codexd.lsp.server import Connection
from codexd.lsp.validation import Validation
from codexd.orchestrator import Began, Caller, Notice, Orchestrator, Told

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
"""Between two batches of events: ten messages a second a client at most."""

SILENT_SECONDS = 10
"""After which a question goes to every client that can ask people."""

OWN_ENV = ("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
           "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "CODEX_HOME")  # fmt: skip
"""What a run gets of this process's environment: whose machine it is. The rest is its client's."""


class Desk:
    """Where clients are served; runs go on when those who asked for them leave."""

    def __init__(
        self, orchestrator: Orchestrator, tasks: TaskGroup, silent_seconds: float = SILENT_SECONDS
    ) -> None:
        self.orchestrator, self.tasks = orchestrator, tasks
        self.silent_seconds = silent_seconds
        self.connections: list[Connection] = []
        self.owners: dict[str, Connection] = {}
        """The client that started a root run, while both are there."""
        self.publishers: dict[Connection, Publisher] = {}
        """The diagnostics at each client."""
        self.progress = Progress(self)
        self.findings = Findings(self)
        self.edits = Edits(self)
        self.language = Language(self)
        self.validation = Validation(self)
        self._converter = make_converter()
        self._feed = Feed(orchestrator)
        self._due = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, orchestrator: Orchestrator, *, silent_seconds: float = SILENT_SECONDS
    ) -> AsyncGenerator[Desk]:
        """A desk for `orchestrator`; leaving closes every connection."""
        async with anyio.create_task_group() as tasks:
            desk = cls(orchestrator, tasks, silent_seconds)
            orchestrator.listen(desk.hear)
            orchestrator.open_in(desk.edits)
            tasks.start_soon(desk.tell_on)
            tasks.start_soon(desk.findings.follow)
            tasks.start_soon(desk.validation.follow)
            try:
                yield desk
            finally:
                for connection in desk.connections:
                    connection.leave()
                tasks.cancel_scope.cancel()

    @property
    def n_clients(self) -> int:
        """How many clients are attached."""
        return len(self.connections)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: Hello
    ) -> None:
        """Serve one client, after its handshake, until it leaves."""
        connection = Connection(
            hello, writer, self.orchestrator.config.workspace.root, self._converter
        )
        verbs.offer(connection, self)
        asked.offer(connection, self)
        editing.offer(connection, self)
        self.language.offer(connection)
        self.publishers[connection] = Publisher(connection, self.wake)
        self.connections.append(connection)
        try:
            await connection.serve(reader)
        finally:
            self.connections.remove(connection)
            del self.publishers[connection]
            for run in [run for run, owner in self.owners.items() if owner is connection]:
                del self.owners[run]
            self.progress.forget(connection)
            self.findings.forget(connection)
            self.validation.forget(connection)
            self._feed.forget(connection)

    # --- requests ---------------------------------------------------------------------------

    def caller(self, connection: Connection, tell: Callable[[Told], None]) -> Caller:
        """Whoever is at the other end of `connection`, as the orchestrator is asked."""

        def hear(told: Told) -> None:
            if isinstance(told, Began):
                self.owners[told.run] = connection
            tell(told)

        opener = self.orchestrator.env
        own = {name: opener[name] for name in OWN_ENV if name in opener}
        return Caller({**connection.hello.env, **own}, ask_of(connection, self), hear)

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have `work` done, whether or not who asked for it stays."""
        self.tasks.start_soon(_guarded, work)

    # --- events -----------------------------------------------------------------------------

    def hear(self, notice: Notice) -> None:
        """Note what changed; it is told with the next batch."""
        if notice.kind == "agents":
            self.agents_changed()
            return
        if notice.kind == "config":
            self.start(self.language.configured)
            return
        self.findings.hear(notice)
        self._feed.note(notice)
        self._due.set()

    def wake(self) -> None:
        """Have clients told with the next batch what is new for them."""
        self._due.set()

    async def tell_on(self) -> None:
        """Tell every client what changed, ten times a second while something does."""
        while True:
            await self._due.wait()
            self._due = anyio.Event()
            try:
                self._tell(await self._feed.take(watched=bool(self.connections)))
            except Exception:
                # One batch that cannot be shown is no reason for the daemon to end.
                logger.exception("a batch of events")
            await self._publish()
            await anyio.sleep(TICK_SECONDS)

    def _tell(self, batch: Batch) -> None:
        for connection in list(self.connections):
            if connection.ready:
                self._feed.owe(connection, batch)
                self.progress.note(connection, batch)
                self._tell_one(connection)
                if self._feed.owes(connection) or self.progress.owes(connection):
                    self._due.set()
        if batch.ended:
            self.language.ended(batch.ended)
        for view in batch.ended:
            owner = self.owners.pop(view.id, None)
            if owner is not None:
                endings.tell(self, owner, view)

    def _tell_one(self, connection: Connection) -> None:
        """One message: rows of runs, or progress; in turn, where a client has both."""
        ways = [self._feed.pay, self.progress.report]
        if connection.told_last == "rows":
            ways.reverse()
        for way in ways:
            if way(connection):
                connection.told_last = "rows" if way == self._feed.pay else "progress"
                return

    async def _publish(self) -> None:
        for connection, publisher in list(self.publishers.items()):
            await anyio.lowlevel.checkpoint()  # a request goes before the next client's turn
            if connection not in self.publishers:
                continue
            try:
                if not self.findings.refresh(connection):
                    self._due.set()
                publisher.flush()
                if publisher.owes:
                    self._due.set()
            except Exception:
                # What one client is shown wrong is no reason for all the others to be told nothing.
                logger.exception("diagnostics of client %s", connection.hello.pid)

    def agents_changed(self) -> None:
        """Tell every client that the agents are others now."""
        self.language.changed()
        for connection in self.connections:
            if connection.ready and connection.declares("events"):
                connection.protocol.notify("codexd/agentsChanged", {})


async def _guarded(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await work()
    except Exception:
        # What one client wanted is no reason for the daemon to end.
        logger.exception("work for a client")
