"""What is wrong with agent files, at every client: in what it has open, else on disk.

Texts are looked at on a thread, a few at a time, so that nobody waits for a thousand files of
another branch, or for one of a megabyte.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from lsprotocol import types

from codexd.agents.registry import AgentEntry
from codexd.lsp import agentfiles
from codexd.lsp.agentfiles import Facts
from codexd.lsp.server import Connection, Unread

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

logger = logging.getLogger(__name__)

SOURCE = "agents"
"""The publisher's name for what is said of agent files."""
SUFFIXES = (".yaml", ".yml", ".toml", ".md")
"""Of agent files: what most of ten thousand open documents have not."""
MOST_AT_ONCE = 20
"""Texts of one client that are looked at before the next client's turn."""


class Validation:
    """The diagnostics of agent files, for all clients of a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._entries: dict[Path, AgentEntry] = {}
        """By path, the agent files on disk that there is something to say of."""
        self._due: dict[Connection, dict[str, None]] = {}
        """By client, the URIs that are to be looked at, open documents first."""
        self._news = anyio.Event()

    # --- what happens -----------------------------------------------------------------------

    def changed(self) -> None:
        """The agents, or what they are judged by, are others now."""
        before, self._entries = self._entries, self._remarked()
        others = {
            path
            for path in before.keys() | self._entries.keys()
            if _said(before.get(path)) != _said(self._entries.get(path))
        }
        for connection in self._desk.connections:
            self._mark(connection, others)

    def attach(self, connection: Connection) -> None:
        """A client is there, and is told what there is to say."""
        self._entries = self._entries or self._remarked()
        self._mark(connection, self._entries)

    def edited(self, connection: Connection, uri: str) -> None:
        """A client has opened, edited or closed a document."""
        path = connection.path_of(uri)
        if path is not None and agentfiles.origin_of(path, self._desk.language.facts()):
            self._due.setdefault(connection, {})[uri] = None
            self._news.set()

    def forget(self, connection: Connection) -> None:
        """A client has gone."""
        self._due.pop(connection, None)

    def _remarked(self) -> dict[Path, AgentEntry]:
        entries = self._desk.orchestrator.registry.entries
        return {
            each.path: each for each in entries if each.diagnostics and each.origin != "built-in"
        }

    def _mark(self, connection: Connection, paths: Iterable[Path]) -> None:
        """Have a client's open agent files looked at, and of the others those at `paths`."""
        facts = self._desk.language.facts()
        opened = [
            uri
            for path, uri in connection.opened.items()
            if path.suffix in SUFFIXES and agentfiles.origin_of(path, facts)
        ]
        closed = [connection.uri_of(path) for path in paths if path not in connection.opened]
        if opened or closed:
            due = self._due.get(connection, {})
            self._due[connection] = dict.fromkeys([*opened, *due, *closed])
            self._news.set()

    # --- what is told -----------------------------------------------------------------------

    async def follow(self) -> None:
        """Tell clients' publishers what is due, for as long as the desk is open."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            while self._due:
                for connection in list(self._due):
                    try:
                        await self._look(connection)
                    except Exception:
                        # One text that cannot be judged is no reason for all the others not to be.
                        logger.exception("diagnostics of agent files")

    async def _look(self, connection: Connection) -> None:
        due = self._due.pop(connection, {})
        uris = list(due)[:MOST_AT_ONCE]
        if rest := dict.fromkeys(list(due)[MOST_AT_ONCE:]):
            self._due[connection] = rest
        texts = [connection.unread(uri) for uri in uris]
        facts = self._desk.language.facts()
        found = await anyio.to_thread.run_sync(_judged, texts, facts, self._entries)
        publisher = self._desk.publishers.get(connection)
        if publisher is None:
            return  # it has gone meanwhile
        again = self._due.get(connection, {})
        for uri, diagnostics in found.items():
            # Of a text that was edited meanwhile the newer one is told.
            if uri not in again:
                publisher.set(SOURCE, uri, diagnostics)


def _judged(
    texts: Iterable[Unread], facts: Facts, entries: Mapping[Path, AgentEntry]
) -> dict[str, list[types.Diagnostic]]:
    """By URI, what there is to say of each text. To be called on a thread."""
    found: dict[str, list[types.Diagnostic]] = {}
    for text in texts:
        buffer = text.read()
        entry = entries.get(buffer.path) if buffer is not None else None
        if buffer is None:
            found[text.uri] = []
        elif text.open is not None:
            stale = entry.diagnostics if entry is not None and entry.stale else ()
            served = (each for each in stale if each.code == "stale")
            remarks = (*agentfiles.diagnose(buffer, facts), *served)
            found[text.uri] = agentfiles.to_lsp(remarks, buffer)
        else:
            # What the registry has read is not parsed once more for each client.
            remarks = agentfiles.of_concern(entry, facts) if entry is not None else ()
            found[text.uri] = agentfiles.to_lsp(remarks, buffer)
    return found


def _said(entry: AgentEntry | None) -> tuple[object, ...]:
    return (entry.stamp, entry.diagnostics) if entry is not None else ()
