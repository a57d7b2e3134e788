"""All connections of one workspace. (A place for the real one, which is being written.)"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from codexd.lsp.hello import Hello
from codexd.orchestrator import Orchestrator


class Desk:
    """Serves nobody yet."""

    @classmethod
    @asynccontextmanager
    async def open(cls, _orchestrator: Orchestrator) -> AsyncGenerator[Desk]:
        """A desk."""
        yield cls()

    async def serve(
        self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _hello: Hello
    ) -> None:
        """Let the client go."""
