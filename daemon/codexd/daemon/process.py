"""The daemon: one a workspace, for every client that comes, until nobody needs it.

It begins to end once (`_end`), for whatever reason, and always in this order: nobody can come in
any more, no run begins, runs leave off where they are (they can be resumed), clients are let go.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from codexd import __version__
from codexd.daemon import detach, endpoint, handshake, peers
from codexd.daemon.attach import LONGEST_LINE
from codexd.daemon.endpoint import Endpoint, Place
from codexd.daemon.handshake import Refusal
from codexd.daemon.logs import Log, collect
from codexd.errors import CodexdError, leaves
from codexd.lsp.desk import Desk
from codexd.lsp.hello import Hello
from codexd.orchestrator import Notice, Orchestrator
from codexd.policy.redaction import known_secrets

if TYPE_CHECKING:
    from codexd.daemon.endpoint import Address

HELLO_SECONDS = 5.0
"""How long a client may take over its line of the handshake."""
RETIRE_SECONDS = 10.0
"""How long runs may go on where a newer daemon waits to take over."""
LOOK_SECONDS = 5.0
"""How often the daemon looks whether clients can still find it."""
LEAVE_SECONDS = 10.0
"""How long runs may take to leave off before what they started is killed."""


def run(root: str, *, ready: int, starting: int) -> int:
    """Be the daemon of the workspace at `root` until it ends; its exit status.

    `ready` is told when it serves, or why it never will; `starting` is let go of then.
    """
    place = Place(root, os.environ)
    starter = _Starter(ready, starting)
    log: Log | None = None
    try:
        lock = endpoint.open_lock(place.lock)
        endpoint.claim(lock)
        log = Log(Path(place.log))
        collect(log)
        anyio.run(_live, place, starter, log)
    except BaseException as fault:  # noqa: BLE001 - whoever started it is told, and the log
        cause = next(leaves(fault))
        if log is not None:
            log.fault("daemon_failed", cause)
        starter.tell_fault(cause, place)
        return 1
    return 0


class _Starter:
    """Whoever waits for this daemon to be ready."""

    def __init__(self, ready: int, starting: int) -> None:
        self._ready, self._starting = ready, starting

    def tell(self, **said: object) -> None:
        """Say how the start went. It is over then."""
        if self._ready < 0:
            return
        with suppress(OSError):  # it may have gone
            os.write(self._ready, json.dumps(said).encode())
        os.close(self._ready)
        # The lock is let go of by closing; the next client finds the endpoint.
        os.close(self._starting)
        self._ready = self._starting = -1
        detach.is_ready()

    def tell_fault(self, fault: BaseException, place: Place) -> None:
        """Say why there is no daemon."""
        if isinstance(fault, CodexdError):
            self.tell(fault=str(fault), help=fault.help)
        elif isinstance(fault, OSError):
            where = fault.filename or place.folder
            self.tell(fault=f"{where}: {fault.strerror}", help=endpoint.FOLDER_HELP)
        else:
            self.tell(fault=f"{type(fault).__name__}: {fault}")


async def _live(place: Place, starter: _Starter, log: Log) -> None:
    env = dict(os.environ)
    log.keep_out(known_secrets(env))
    async with Orchestrator.open(Path(place.root), env=env, watch=True) as orchestrator:
        log.redact_with(orchestrator.redact)
        orchestrator.listen(_Runs(orchestrator, log).hear)
        async with Desk.open(orchestrator) as desk:
            await Daemon(place, orchestrator, desk, log).live(starter, env)


class _Runs:
    """The runs, as the log has them."""

    def __init__(self, orchestrator: Orchestrator, log: Log) -> None:
        self._orchestrator, self._log = orchestrator, log

    def hear(self, notice: Notice) -> None:
        """Log a start and an end."""
        if notice.kind not in ("started", "ended"):
            return
        view = self._orchestrator.live(notice.run)
        if view is None:
            return
        ended = notice.kind == "ended"
        self._log.write(
            "run_ended" if ended else "run_started",
            {"status": view.status.value, "root": view.root, "tokens": view.spent},
            agent=view.agent or None,
            run=view.id,
            duration_ms=int(view.seconds * 1000) if ended else None,
        )


class Daemon:
    """What a running daemon knows of itself."""

    def __init__(self, place: Place, orchestrator: Orchestrator, desk: Desk, log: Log) -> None:
        self._place, self._orchestrator, self._desk, self._log = place, orchestrator, desk, log
        self._token = secrets.token_hex(32)
        self._began = time.monotonic()
        self._n_clients = 0
        self._came = anyio.Event()
        self._left = anyio.Event()
        self._ending = anyio.Event()
        self._why = ""

    async def live(self, starter: _Starter, env: Mapping[str, str]) -> None:
        """Serve until there is a reason to end; then end in order."""
        async with anyio.create_task_group() as clients, anyio.create_task_group() as watches:
            async with self._listening(clients, env):
                watches.start_soon(self._obey_signals)
                watches.start_soon(self._end_when_idle)
                watches.start_soon(self._end_when_lost)
                self._log.write("daemon_started", {"pid": os.getpid(), "version": __version__})
                starter.tell(pid=os.getpid())
                await self._ending.wait()
            await self._wind_down()
            watches.cancel_scope.cancel()
            clients.cancel_scope.cancel()
        self._log.write("daemon_stopped", {"why": self._why})

    @asynccontextmanager
    async def _listening(self, clients: TaskGroup, env: Mapping[str, str]) -> AsyncGenerator[None]:
        """Clients can come in, and find where."""

        def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            clients.start_soon(self._receive, reader, writer)

        server, address = await _listen(come, self._place, env)
        named = Endpoint(address, self._token, os.getpid(), __version__)
        try:
            endpoint.write(self._place, named)
            yield
        finally:
            endpoint.withdraw(self._place, named)
            server.close()

    def _end(self, why: str) -> None:
        if not self._ending.is_set():
            self._why = why
            self._ending.set()

    async def _wind_down(self) -> None:
        """No run is driven here any more."""
        driving = self._orchestrator.driving
        driving.take_no_more()
        if self._why == "retired":
            with anyio.move_on_after(RETIRE_SECONDS):
                await driving.until_none()
        driving.suspend()
        with anyio.move_on_after(LEAVE_SECONDS):
            await driving.until_none()
        if driving.n_roots:
            self._orchestrator.abandon()

    async def _obey_signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self._end(signal.Signals(number).name)

    async def _end_when_idle(self) -> None:
        """End after the configured time without a client and a run. Only clients begin runs."""
        seconds = self._orchestrator.config.daemon_idle_seconds
        while seconds:
            await self._orchestrator.driving.until_none()
            while self._n_clients:
                await self._left.wait()
            if self._orchestrator.driving.n_roots:
                continue
            with anyio.move_on_after(seconds) as idle:
                await self._came.wait()
            if idle.cancelled_caught and not self._n_clients:
                self._end("idle")

    async def _end_when_lost(self) -> None:
        """End when the endpoint is gone or another's: somebody has removed the state folder, and
        whoever comes would start a second daemon, or wait in vain for this one.
        """
        while True:
            await anyio.sleep(LOOK_SECONDS)
            if not endpoint.names(self._place, self._token):
                self._end("lost")
                return

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first line to its end."""
        try:
            hello = await self._greet(reader, writer)
            if isinstance(hello, Refusal):
                said = {"why": hello.kind, "say": hello.say}
                self._log.write("client_refused", said, level="warning")
                writer.write(handshake.refusal(hello, os.getpid()))
            elif hello.door in handshake.SERVED:
                writer.write(handshake.welcome(os.getpid()))
                await self._serve(reader, writer, hello)
            else:
                await self._answer(hello.door, reader, writer)
        except (OSError, EOFError):
            return  # it went in the middle of something
        except Exception as fault:  # noqa: BLE001 - the edge of one client: the others go on
            self._log.fault("client_failed", fault)
        finally:
            writer.close()

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Hello | Refusal:
        try:
            with anyio.fail_after(HELLO_SECONDS):
                line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            return Refusal("protocol", f"the first line is longer than {LONGEST_LINE} bytes")
        except TimeoutError:
            return Refusal("protocol", f"no first line came within {HELLO_SECONDS:.0f} s")
        hello = handshake.judge(line, token=self._token, retiring=self._ending.is_set())
        if isinstance(hello, Refusal):
            return hello
        sock = writer.get_extra_info("socket")
        return peers.check(sock) or hello

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: Hello
    ) -> None:
        self._log.keep_out(_secrets_of(hello))
        began, who = time.monotonic(), {"door": hello.door, "pid": hello.pid}
        self._log.write("client_attached", {**who, "version": hello.version})
        self._n_clients += 1
        self._came.set()
        self._came = anyio.Event()
        try:
            await self._desk.serve(reader, writer, hello)
        finally:
            self._n_clients -= 1
            self._left.set()
            self._left = anyio.Event()
            ms = int((time.monotonic() - began) * 1000)
            self._log.write("client_left", who, duration_ms=ms)

    async def _answer(
        self, door: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The doors of the process itself."""
        writer.write(handshake.welcome(os.getpid(), **self._status()))
        if door == "status":
            return
        self._end("stopped" if door == "stop" else "retired")
        # Whoever asked sees the end by the connection closing with this process.
        with anyio.CancelScope(shield=True), suppress(OSError):
            os.dup(writer.get_extra_info("socket").fileno())
            await writer.drain()

    def _status(self) -> dict[str, object]:
        return {
            "root": self._place.root,
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "clients": self._n_clients,
            "runs": self._orchestrator.driving.n_roots,
            "idle_seconds": self._orchestrator.config.daemon_idle_seconds,
            "log": self._place.log,
        }


async def _listen(
    come: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
    place: Place,
    env: Mapping[str, str],
) -> tuple[asyncio.Server, Address]:
    """A server to which clients `come`, and where it is."""
    if hasattr(asyncio, "start_unix_server"):
        path = endpoint.socket_path(place, env)
        server = await asyncio.start_unix_server(come, path, limit=LONGEST_LINE)
        endpoint.make_private(path)
        return server, path
    server = await asyncio.start_server(come, "127.0.0.1", 0, limit=LONGEST_LINE)
    host, port = server.sockets[0].getsockname()
    return server, (host, port)


def _secrets_of(hello: Hello) -> dict[str, str]:
    """What a client sent that is nobody's to read: keys, and addresses with a password."""
    return known_secrets(hello.env) | {
        name: value
        for name, value in hello.env.items()
        if name not in _PLAIN and not name.startswith("LC_")
    }


_PLAIN = {"PATH", "LANG", "LANGUAGE", "SSH_AUTH_SOCK", "HOME", "NO_PROXY", "no_proxy"}
