"""Agent files as a language: what editors are shown of them, and what they ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codexd.agents.registry import slug_of
from codexd.config import Config
from codexd.config.workspace import home_of
from codexd.errors import BadConfig, Diagnostic
from codexd.lsp import agentfiles
from codexd.lsp.agentfiles import Client, Facts, LastRun
from codexd.lsp.buffers import Buffer
from codexd.lsp.server import Connection, path_of
from codexd.orchestrator import Caller
from codexd.policy.ceilings import ceilings_of
from codexd.policy.effective import describe
from codexd.runs.view import RunView, tree

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

T = TypeVar("T")

SOURCE = "agents"
"""The publisher's name for what is said of agent files."""
TRIGGERS = (":", " ", "[", ",", '"', "/", "@", "-")
"""After which a client asks for completions by itself."""


class Language:
    """Agent files, for all clients of a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._config: Config = desk.orchestrator.config
        self._last_runs: dict[str, LastRun] = {}
        self._recalled = anyio.Event()
        """Set when the newest runs of the journal are known."""
        self._remarked: set[Path] = set()
        """Files on disk that clients were told something of."""

    def ended(self, runs: Iterable[RunView]) -> None:
        """Note how root runs went, the newest last, and those of their trees."""
        known = [each for root in runs for each in tree(root)]
        for run in known:
            at = datetime.fromisoformat(run.ended_at or run.started_at)
            self._last_runs[slug_of(run.agent)] = LastRun(run.status, run.spent, at)
        self._recalled.set()
        if known:
            self._refresh_lenses()

    async def configured(self) -> None:
        """Judge agent files by what is configured now."""
        orchestrator = self._desk.orchestrator
        try:
            self._config = await orchestrator.config_of(Caller(orchestrator.env))
        except BadConfig:
            return  # half written: what was configured before holds
        self.changed()

    def facts(self) -> Facts:
        """What agent files are judged by now."""
        orchestrator = self._desk.orchestrator
        return Facts(
            root=orchestrator.config.workspace.root,
            home=home_of(orchestrator.env),
            registry=orchestrator.registry,
            config=self._config,
            ceilings=ceilings_of(self._config),
            last_runs=self._last_runs,
            now=datetime.now(UTC),
        )

    # --- diagnostics ------------------------------------------------------------------------

    def changed(self) -> None:
        """The agents, or what they are judged by, are others now: tell every client."""
        for connection in self._desk.connections:
            if connection.ready:
                self.attach(connection)
        self._refresh_lenses()

    def _refresh_lenses(self) -> None:
        for connection in self._desk.connections:
            if connection.ready and connection.can("workspace", "code_lens", "refresh_support"):
                self._desk.tasks.start_soon(self._refresh, connection)

    async def _refresh(self, connection: Connection) -> None:
        with suppress(ConnectionError, JsonRpcException):
            await connection.protocol.ask(types.WORKSPACE_CODE_LENS_REFRESH)

    def attach(self, connection: Connection) -> None:
        """Tell a client what there is to say of every agent file, open or not."""
        facts = self.facts()
        entries = [each for each in facts.registry.entries if each.origin != "built-in"]
        remarked = {entry.path for entry in entries if entry.diagnostics}
        opened = {path for uri in connection.open_documents() if (path := path_of(uri))}
        for path in (remarked | self._remarked) - opened:
            self.check(connection, connection.uri_of(path), facts)
        for uri in connection.open_documents():
            self.check(connection, uri, facts)
        self._remarked |= remarked

    def check(self, connection: Connection, uri: str, facts: Facts | None = None) -> None:
        """Tell a client what is wrong with one document, where that is an agent file."""
        facts = facts or self.facts()
        buffer = connection.buffer(uri)
        found: list[types.Diagnostic] = []
        if buffer is not None and agentfiles.origin_of(buffer.path, facts):
            remarks = (*agentfiles.diagnose(buffer, facts), *_served(buffer.path, facts))
            found = agentfiles.to_lsp(remarks, buffer)
        self._desk.publishers[connection].set(SOURCE, uri, found)

    # --- what is asked ----------------------------------------------------------------------

    def actions(
        self, connection: Connection, params: types.CodeActionParams
    ) -> Sequence[types.CodeAction]:
        """Quick fixes, and the twins of the lenses; none in another document."""

        def answer(buffer: Buffer, facts: Facts) -> Sequence[types.CodeAction]:
            found = params.context.diagnostics
            return agentfiles.actions(buffer, params.range, found, facts, client_of(connection))

        return self._about(connection, params.text_document.uri, answer) or ()

    def _about(
        self, connection: Connection, uri: str, answer: Callable[[Buffer, Facts], T]
    ) -> T | None:
        """What `answer` says of an agent file; `None` for any other document."""
        facts = self.facts()
        path = path_of(uri)
        if path is None or agentfiles.origin_of(path, facts) is None:
            return None
        buffer = connection.buffer(uri)
        return None if buffer is None else answer(buffer, facts)

    def offer(self, connection: Connection) -> None:
        """Have agent files served as a language on `connection`."""

        def ask(uri: str, answer: Callable[[Buffer, Facts], T]) -> T | None:
            return self._about(connection, uri, answer)

        def complete(params: types.CompletionParams) -> list[types.CompletionItem] | None:
            at, client = params.position, client_of(connection)
            return ask(
                params.text_document.uri,
                lambda buffer, facts: agentfiles.complete(buffer, at, facts, client),
            )

        def hover(params: types.HoverParams) -> types.Hover | None:
            at, client = params.position, client_of(connection)
            return ask(
                params.text_document.uri,
                lambda buffer, facts: agentfiles.hover(buffer, at, facts, client),
            )

        async def lenses(params: types.CodeLensParams) -> list[types.CodeLens] | None:
            # Not every client can be told later that they are others now.
            await self._recalled.wait()
            client = client_of(connection)
            return ask(
                params.text_document.uri,
                lambda buffer, facts: agentfiles.lenses(buffer, facts, client),
            )

        def symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
            return ask(params.text_document.uri, agentfiles.symbols)

        def definition(params: types.DefinitionParams) -> types.Location | None:
            at = params.position
            return ask(
                params.text_document.uri,
                lambda buffer, facts: agentfiles.definition(buffer, at, facts),
            )

        options = types.CompletionOptions(trigger_characters=TRIGGERS)
        connection.feature(types.TEXT_DOCUMENT_COMPLETION, options)(complete)
        connection.feature(types.TEXT_DOCUMENT_HOVER)(hover)
        connection.feature(types.TEXT_DOCUMENT_CODE_LENS)(lenses)
        connection.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)(symbols)
        connection.feature(types.TEXT_DOCUMENT_DEFINITION)(definition)

    def effective_policy(self, agent: str) -> tuple[str, tuple[str, ...]]:
        """An agent's name, and what it may do here, a phrase a subject. Raises `UnknownAgent`."""
        facts = self.facts()
        definition = facts.registry.find(agent)
        policy = (*facts.ceilings, definition.policy)
        return definition.name, describe(policy, starts=facts.config.sandbox == "none")


def _served(path: Path, facts: Facts) -> tuple[Diagnostic, ...]:
    """That a broken file's last version without errors is in service; nothing of another."""
    entry = next((each for each in facts.registry.entries if each.path == path), None)
    remarks = entry.diagnostics if entry is not None and entry.stale else ()
    return tuple(each for each in remarks if each.code == "stale")


def client_of(connection: Connection) -> Client:
    """What the functions over agent files need to know of a client."""
    formats: Any = connection.capability("text_document", "hover", "content_format") or ()
    return Client(
        language=connection.language,
        markdown=types.MarkupKind.Markdown in formats,
        document_changes=connection.can("workspace", "workspace_edit", "document_changes"),
    )
