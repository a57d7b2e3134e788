"""A language server for one client, in that client's own process: no daemon, no socket file."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import anyio

from codexd import __version__
from codexd.daemon.attach import sent_environment
from codexd.lsp.desk import Desk
from codexd.lsp.hello import Hello
from codexd.orchestrator import Orchestrator

LEAVE_SECONDS = 10.0


def serve(root: str, env: Mapping[str, str], sock: socket.socket) -> None:
    """Serve whoever is at the other end of `sock` until it leaves, or a signal ends this process.

    Raises `CodexdError` where the workspace cannot be opened.
    """
    anyio.run(_serve, root, env, sock)


async def _serve(root: str, env: Mapping[str, str], sock: socket.socket) -> None:
    hello = Hello("lsp", __version__, os.getpid(), root, sent_environment(root, env))
    async with (
        Orchestrator.open(Path(root), env=env, watch=True) as orchestrator,
        Desk.open(orchestrator) as desk,
        anyio.create_task_group() as tasks,
    ):
        reader, writer = await asyncio.open_connection(sock=sock)
        tasks.start_soon(_obey_signals, tasks.cancel_scope)
        try:
            await desk.serve(reader, writer, hello)
        finally:
            writer.close()
            orchestrator.driving.suspend()
            with anyio.move_on_after(LEAVE_SECONDS, shield=True):
                await orchestrator.driving.until_none()
            tasks.cancel_scope.cancel()


async def _obey_signals(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
