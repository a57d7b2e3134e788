"""Agent files as a language: what editors are shown of them, and what they ask."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codexd.agents.registry import slug_of
from codexd.config import Config
from codexd.config.workspace import home_of
from codexd.errors import BadConfig
from codexd.lsp import agentfiles
from codexd.lsp.agentfiles import Client, Facts, LastRun
from codexd.lsp.buffers import Buffer
from codexd.lsp.server import Connection
from codexd.orchestrator import Caller
from codexd.policy.ceilings import ceilings_of
from codexd.policy.effective import describe
from codexd.runs.view import RunView, tree

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

T = TypeVar("T")
Answer: TypeAlias = T | Awaitable[T] | None
"""Of a large text it comes later; of what is no agent file there is none."""

LARGE = 16 << 10
"""Characters of a text that is looked at on a thread: one of a megabyte may take seconds."""

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

        self._outdated: set[Connection] = set()
        """Clients whose lenses are others now, which they have not been told."""
        self._refreshing: set[Connection] = set()
        """Clients that have been told, and have not answered yet."""

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

    def changed(self) -> None:
        """The agents, or what they are judged by, are others now: tell every client."""
        self._desk.validation.changed()
        self._refresh_lenses()

    def _refresh_lenses(self) -> None:
        for connection in self._desk.connections:
            if connection.ready and connection.can("workspace", "code_lens", "refresh_support"):
                self._outdated.add(connection)
                if connection not in self._refreshing:
                    self._refreshing.add(connection)
                    self._desk.start(partial(self._refresh, connection))

    async def _refresh(self, connection: Connection) -> None:
        """Ask a client to look at its lenses again; not once more before it has answered."""
        try:
            while connection in self._outdated:
                self._outdated.discard(connection)
                with suppress(JsonRpcException):
                    await connection.protocol.ask(types.WORKSPACE_CODE_LENS_REFRESH)
        except ConnectionError:
            self._outdated.discard(connection)
        finally:
            self._refreshing.discard(connection)

    # --- what is asked ----------------------------------------------------------------------

    async def actions(
        self, connection: Connection, params: types.CodeActionParams
    ) -> Sequence[types.CodeAction]:
        """Quick fixes, and the twins of the lenses; none in another document."""

        def answer(buffer: Buffer, facts: Facts) -> Sequence[types.CodeAction]:
            found = params.context.diagnostics
            return agentfiles.actions(buffer, params.range, found, facts, client_of(connection))

        found = self._about(connection, params.text_document.uri, answer)
        return (await found if inspect.isawaitable(found) else found) or ()

    def _about(
        self, connection: Connection, uri: str, answer: Callable[[Buffer, Facts], T]
    ) -> Answer[T]:
        """What `answer` says of an agent file; `None` for any other document."""
        facts = self.facts()
        path = connection.path_of(uri)
        if path is None or agentfiles.origin_of(path, facts) is None:
            return None
        buffer = connection.buffer(uri)
        if buffer is None:
            return None
        if len(buffer.text) > LARGE:
            return anyio.to_thread.run_sync(answer, buffer, facts)
        return answer(buffer, facts)

    def offer(self, connection: Connection) -> None:
        """Have agent files served as a language on `connection`."""

        def ask(
            document: types.TextDocumentIdentifier, answer: Callable[[Buffer, Facts], T]
        ) -> Answer[T]:
            return self._about(connection, document.uri, answer)

        def complete(params: types.CompletionParams) -> Answer[list[types.CompletionItem]]:
            at, client = params.position, client_of(connection)
            return ask(
                params.text_document,
                lambda buffer, facts: agentfiles.complete(buffer, at, facts, client),
            )

        def hover(params: types.HoverParams) -> Answer[types.Hover | None]:
            at, client = params.position, client_of(connection)
            return ask(
                params.text_document,
                lambda buffer, facts: agentfiles.hover(buffer, at, facts, client),
            )

        async def lenses(params: types.CodeLensParams) -> list[types.CodeLens] | None:
            # Not every client can be told later that they are others now.
            await self._recalled.wait()
            client = client_of(connection)
            found = ask(
                params.text_document,
                lambda buffer, facts: agentfiles.lenses(buffer, facts, client),
            )
            return await found if inspect.isawaitable(found) else found

        def symbols(params: types.DocumentSymbolParams) -> Answer[list[types.DocumentSymbol]]:
            return ask(params.text_document, agentfiles.symbols)

        def definition(params: types.DefinitionParams) -> Answer[types.Location | None]:
            at = params.position
            return ask(
                params.text_document,
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


def client_of(connection: Connection) -> Client:
    """What the functions over agent files need to know of a client."""
    formats: Any = connection.capability("text_document", "hover", "content_format") or ()
    return Client(
        language=connection.language,
        markdown=types.MarkupKind.Markdown in formats,
        document_changes=connection.can("workspace", "workspace_edit", "document_changes"),
    )
