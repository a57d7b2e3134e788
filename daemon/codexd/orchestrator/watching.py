"""The agents of a workspace, kept as the files are while an orchestrator is open.

An event says only that it is time to look. A look takes the stamp of every agent file, which is
6 ms for a thousand, and reads those that differ; so what a watch merges, misnames or loses (ours
drops events that come while it hands others over) costs a moment, and never leaves the registry
other than the files are.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager, closing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.to_thread

# `watchfiles.awatch` begins to watch at some moment after it is called; we are to know which.
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from codexd.agents.registry import Registry, places, remark
from codexd.config import load
from codexd.config.places import config_files
from codexd.config.workspace import home_of
from codexd.errors import BadConfig, Diagnostic, Severity
from codexd.orchestrator.ground import Ground, remote, survey
from codexd.orchestrator.opening import LatestRegistry
from codexd.runs.host import Host

logger = logging.getLogger(__name__)

DEBOUNCE_MS, STEP_MS = 50, 20
"""Events are handed over once none has come for a step, or after the debounce; a finer step costs
more of a core at rest.
"""
LOOK_MS = 60_000
"""Without an event we look all the same: a queue that ran over says nothing."""
POLL_SECONDS = 2.0
"""Between two looks where nothing can be watched."""

Stamps: TypeAlias = tuple[tuple[int, int, int] | None, ...]


@asynccontextmanager
async def watching(host: Host, read_rules: Callable[[], None]) -> AsyncGenerator[Watch]:
    """A watch over the agents of `host`, whose registry is from then on the value in hand."""
    watch = Watch(host, read_rules)
    host.registry = lambda: watch.registry
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run)
            await watch.begun.wait()
            yield watch
            group.cancel_scope.cancel()
    except BaseExceptionGroup as faults:
        # The task is how we watch, and nothing that a caller should have to know.
        if len(faults.exceptions) == 1:
            raise faults.exceptions[0] from None
        raise


class Watch:
    """The agents as they were last seen, and whoever looks again.

    Listeners are told `agents` when what the registry holds has changed, and `config` when a
    configuration file or AGENTS.md has.
    """

    def __init__(self, host: Host, read_rules: Callable[[], None]) -> None:
        self._host, self._read_rules = host, read_rules
        self._root, env = host.config.workspace.root, host.context.env
        self._places = places(self._root, home_of(env))
        settings = map(Path, config_files(str(self._root), env))
        self._settings = (*settings, self._root / "AGENTS.md")
        self._latest = LatestRegistry(host.config, home_of(env))
        self.registry: Registry = self._latest.now()
        self.begun = anyio.Event()
        """Set once every change is seen."""
        self._stamps = self._stamps_now()
        self._n_looks = 0
        self._looking = anyio.Lock()
        self._changed: set[str] = set()
        self._thread = anyio.CapacityLimiter(1)
        self._polls = ""

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Why the files are looked at now and then, where they cannot be watched."""
        if not self._polls:
            return ()
        message = f"agent files are looked at every {POLL_SECONDS:g} seconds: {self._polls}"
        found = remark(str(self._root), message, code="polled")
        return (replace(found, severity=Severity.INFORMATION),)

    async def look_again(self, path: Path | None = None) -> None:
        """The registry is as the files were when this was called, or later; `path` has changed.

        Those who ask while a look is under way share the next one.
        """
        if path is not None:
            self._changed.add(path.name)
        n_before = self._n_looks
        async with self._looking:
            if self._n_looks == n_before:
                # What was taken from `_changed` is to be read, whoever asked for it has left.
                with anyio.CancelScope(shield=True):
                    await self._look()

    async def _look(self) -> None:
        self._n_looks += 1
        changed, self._changed = self._changed, set()
        before, stamps = self.registry, self._stamps
        await anyio.to_thread.run_sync(self._read, changed)
        if self.registry != before:
            self._host.publish("", "agents")
        if self._stamps != stamps:
            await anyio.to_thread.run_sync(self._read_rules)
            self._host.publish("", "config")

    def _read(self, changed: Collection[str]) -> None:
        stamps = self._stamps_now()
        if stamps != self._stamps:
            # A file that is half written configures nothing: the one before holds.
            with suppress(BadConfig):
                self._latest.configure(load(self._root, env=self._host.context.env))
        self._stamps, self.registry = stamps, self._latest.now(changed)

    def _stamps_now(self) -> Stamps:
        """What is seen of the files that configure, without reading them."""
        return tuple(map(_stamp, self._settings))

    async def run(self) -> None:
        """Look whenever there may be something to see; for ever."""
        while True:
            ground = await anyio.to_thread.run_sync(self._survey)
            try:
                watcher = await anyio.to_thread.run_sync(self._open, ground)
            except FileNotFoundError:
                continue  # a folder went meanwhile
            with closing(watcher) if watcher else nullcontext():
                # What changed before there was a watch is seen now.
                await self.look_again()
                self.begun.set()
                if watcher is None:
                    await anyio.sleep(POLL_SECONDS)
                else:
                    await self._until_moved(watcher, ground)

    def _survey(self) -> Ground:
        aliases = self._root / ".codex" / "aliases.yaml"
        # The root as well: a workspace that is moved away, and made again, is another folder.
        return survey(self._places, (self._root, aliases, *self._settings))

    def _open(self, ground: Ground) -> RustNotify | None:
        """A watch of the folders of `ground`; `None` where they cannot be watched now.

        Raises `FileNotFoundError` where one of them is gone.
        """
        fault: Exception | None = None
        far = remote(ground.folders, _mounts())
        if far is None:
            try:
                # Were it to pass over folders that may not be read, it would over all faults.
                watcher = RustNotify(sorted(ground.folders), False, False, 0, False, False)
            except FileNotFoundError:
                raise
            except (OSError, WatchfilesRustInternalError, UnicodeError) as caught:
                fault = caught
            else:
                self._polls = ""
                return watcher
        why = f"{far[0]} is on {far[1]}, which does not tell of changes" if far else _told(fault)
        if why != self._polls:
            logger.warning("agent files are polled, not watched: %s", why)
        self._polls = why
        return None

    async def _until_moved(self, watcher: RustNotify, ground: Ground) -> None:
        """Look after each event; returns when other folders are to be watched, or these anew."""
        while (paths := await self._next(watcher)) is not None:
            seen = {path for path in paths if ground.matters(path)}
            if paths and not seen:
                continue
            self._changed |= {Path(path).name for path in seen}
            if any(map(ground.may_move, seen)):
                return
            await self.look_again()

    async def _next(self, watcher: RustNotify) -> Collection[str] | None:
        """The paths of the next events; none where there were none for long; `None` once the
        watch is of no more use: one name that is no UTF-8, and it only ever says so.
        """
        stop = threading.Event()
        found: Collection[tuple[int, str]] | str | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(_set_at_end, stop)
            with suppress(WatchfilesRustInternalError):
                found = await anyio.to_thread.run_sync(
                    watcher.watch, DEBOUNCE_MS, STEP_MS, LOOK_MS, stop, limiter=self._thread
                )
            group.cancel_scope.cancel()
        if found is None:
            return None
        return () if isinstance(found, str) else {path for _, path in found}


async def _set_at_end(stop: threading.Event) -> None:
    # A thread hears of no cancellation.
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""  # not Linux: its word is taken


def _told(fault: Exception | None) -> str:
    text = str(fault)
    if "limit reached" in text or "os error 24" in text:
        return "no inotify watch is left (fs.inotify.max_user_watches, max_user_instances)"
    return text


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
