"""Diagnostics at one client: of every source in one list a file, since a publish replaces all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lsprotocol import types

from codexd.lsp.server import Connection

MOST_A_TICK = 100
"""Files that one client is told of at once; the rest comes with the next tick."""


class Publisher:
    """What one client is shown of every file. Nothing is sent before `flush`."""

    def __init__(self, connection: Connection, wake: Callable[[], None]) -> None:
        self._connection, self._wake = connection, wake
        self._said: dict[str, dict[str, Sequence[types.Diagnostic]]] = {}
        """By URI and source."""
        self._sent: dict[str, Sequence[types.Diagnostic]] = {}
        """What the client shows; a file with nothing is left out."""
        self._due: dict[str, None] = {}

    def set(self, source: str, uri: str, diagnostics: Sequence[types.Diagnostic]) -> None:
        """Have `source` say `diagnostics`, and nothing else, of the file."""
        if list(self._said.get(uri, {}).get(source, ())) == list(diagnostics):
            return
        said = self._said.setdefault(uri, {})
        if diagnostics:
            said[source] = diagnostics
        else:
            said.pop(source, None)
        self._mark(uri)

    def again(self, uri: str) -> None:
        """Tell the client once more: it has opened the file, and may have forgotten."""
        if self._sent.pop(uri, None) is not None:
            self._mark(uri)

    def _mark(self, uri: str) -> None:
        self._due[uri] = None
        self._wake()

    @property
    def owes(self) -> bool:
        """Whether the client is still to be told something."""
        return bool(self._due) and self._connection.ready

    def flush(self) -> None:
        """Tell the client what changed; one that does not read is told later, once."""
        connection = self._connection
        if not self._due or not connection.ready or connection.slow:
            return
        if not connection.can("text_document", "publish_diagnostics"):
            self._due.clear()
            return
        # What somebody looks at comes first.
        due = sorted(self._due, key=lambda uri: connection.document(uri) is None)[:MOST_A_TICK]
        for uri in due:
            del self._due[uri]
            self._publish(uri)

    def _publish(self, uri: str) -> None:
        said = self._said.get(uri, {})
        diagnostics = [each for source in sorted(said) for each in said[source]]
        if not said:
            self._said.pop(uri, None)
        if diagnostics == self._sent.get(uri, []):
            return
        if diagnostics:
            self._sent[uri] = diagnostics
        else:
            self._sent.pop(uri, None)
        document = self._connection.document(uri)
        params = types.PublishDiagnosticsParams(
            uri=uri,
            diagnostics=diagnostics,
            version=document.version if document is not None else None,
        )
        self._connection.protocol.notify(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)
