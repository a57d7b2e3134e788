"""The orchestrator of one workspace: every verb that a door can ask for."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from codexd.agents.registry import AgentEntry, Registry
from codexd.config import Config, load
from codexd.config.workspace import home_of
from codexd.errors import (
    BadRequest,
    Diagnostic,
    IllegalMove,
    Rejected,
    Severity,
    Unavailable,
    UnknownRun,
    leaves,
)
from codexd.models.interface import ModelEntry
from codexd.orchestrator import consent, creation, doctor, opening
from codexd.orchestrator.history import History
from codexd.orchestrator.verbs import (
    Ask,
    Check,
    CreateAgent,
    CreatedAgent,
    Delegate,
    DelegateParallel,
    Kept,
    Notice,
    Resume,
    Undone,
    micro_usd,
)
from codexd.policy import Policy
from codexd.runs import resume, start, undo
from codexd.runs.events import ChildSpec, Event, Noted
from codexd.runs.host import Host
from codexd.runs.journal import open_journal
from codexd.runs.loop import drive
from codexd.runs.seat import Cancel, Seat, Suspend
from codexd.runs.view import RunView, Status
from codexd.runs.views import live_view
from codexd.tools import process

if TYPE_CHECKING:
    from codexd.orchestrator.watching import Watch

logger = logging.getLogger(__name__)

RETAIN_EVERY = 50
"""Root runs between two looks at what the store keeps."""


class Orchestrator(History):
    """Everything that doors can ask for, in one workspace. A program of its own:

    ```python
    import anyio
    from codexd import Delegate, Orchestrator

    async def main() -> None:
        async with Orchestrator.open() as codexd:
            run = await codexd.delegate(Delegate(agent="code-reviewer", budget=20_000))
            print(run.status, f"{run.spent:,} of {run.budget:,} tokens")
            for finding in run.findings:
                print(f"{finding.path}:{finding.line}: {finding.severity}: {finding.message}")

    anyio.run(main)
    ```

    Several calls may be under way at once. The model is that of the user's configuration, else
    `offline`, as it is for the command.
    """

    def __init__(
        self, host: Host, models: opening.Models, env: Mapping[str, str], ask: Ask | None
    ) -> None:
        super().__init__(host.journal, host.config.workspace.root)
        self.config: Config = host.config
        self._host = host
        self._models = models
        self._env = env
        self._ask = ask
        self._roots: list[Seat] = []
        self._root_ended = anyio.Event()
        self._n_ended = 0
        self._listeners: list[Callable[[Notice], None]] = []
        self._watch: Watch | None = None
        host.publish = self._publish

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path = Path(),
        *,
        env: Mapping[str, str] | None = None,
        model: str | None = None,
        overrides: Mapping[str, str] | None = None,
        ask: Ask | None = None,
        watch: bool = False,
    ) -> AsyncGenerator[Orchestrator]:
        """An orchestrator of `folder`'s workspace; leaving cancels and awaits every run.

        `model` is `-m`, `overrides` are `-c`; `ask` is asked before a hosted model's first use
        (`None`: then only a model named by flag or configuration is used). With `watch` the agent
        files are watched, and listeners told; without, they are looked at whenever asked for.
        Raises `BadConfig`, `Unavailable`.
        """
        env = dict(os.environ if env is None else env)
        config = load(folder, env=env, model=model, overrides=overrides)
        key = config.folders.data / "journal.key"
        with open_journal(config.folders.state, key) as journal:
            async with opening.open_host(config, env, journal) as (host, models):
                orchestrator = cls(host, models, env, ask)
                async with _watching(host) if watch else nullcontext() as orchestrator._watch:
                    try:
                        yield orchestrator
                    finally:
                        with anyio.CancelScope(shield=True):
                            await orchestrator._leave()

    @classmethod
    async def examine(
        cls,
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        model: str | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> tuple[Check, ...]:
        """What `doctor` says, also of a workspace whose journal cannot be opened."""
        env = dict(os.environ if env is None else env)
        try:
            async with cls.open(folder, env=env, model=model, overrides=overrides) as codexd:
                return await codexd.doctor()
        except Unavailable as fault:
            config = load(folder, env=env, model=model, overrides=overrides)
            registry = opening.LatestRegistry(config, home_of(env)).now()
            return await doctor.examine(config, env, fault, registry)

    def listen(self, listener: Callable[[Notice], None]) -> None:
        """Have `listener` called, on the event loop, after each commit and on progress."""
        self._listeners.append(listener)

    def _publish(self, run: str, kind: str) -> None:
        for listener in self._listeners:
            try:
                listener(Notice(run, kind))
            except Exception:
                # A display that broke is no reason for a run to end.
                logger.exception("a listener to run %s", run)

    def live(self, run_id: str) -> RunView | None:
        """The view of a run that this process drives, as it is now; `None` otherwise. Cheap."""
        seat = self._host.seats.get(run_id)
        return live_view(seat, run_id[:4]) if seat else None

    # Runs.

    async def delegate(self, request: Delegate) -> RunView:
        """The ended run. Raises `Rejected` where it is not begun."""
        await self.look_again()
        order = self._order(request, self.registry)
        allowed = await consent.obtain(self._host, [order.definition], self._ask)
        return await self._drive(start.root_of(order, self._host, consent=allowed))

    async def delegate_parallel(self, request: DelegateParallel) -> RunView:
        """The ended group; its children in the order asked."""
        if not request.runs:
            raise BadRequest("no agent was named")
        # The agent files are looked at once, however many runs there are.
        await self.look_again()
        registry = self.registry
        orders = [self._order(run, registry) for run in request.runs]
        definitions = [order.definition for order in orders]
        allowed = await consent.obtain(self._host, definitions, self._ask)
        group = start.group_of(
            orders,
            self._host,
            total_budget=request.total_budget,
            budget_micro_usd=micro_usd(request.budget_usd),
            deadline_seconds=request.deadline_seconds,
            consent=allowed,
        )
        return await self._drive(group)

    async def create_agent(
        self, request: CreateAgent, show: Callable[[CreatedAgent], None]
    ) -> RunView:
        """The ended run of the agent made, or that of its making where no agent came of it.

        `show` gets the agent before it is saved or run. Raises `NeedsModel` where rules have no
        agent for the description, `ModelFault` where the model's answer holds none.
        """
        made = await creation.create(request, self._host, self._ask, self._drive)
        if isinstance(made, RunView):
            return made
        show(made.shown)
        if request.save:
            await anyio.to_thread.run_sync(creation.save, made, self._host)
        return await self._drive(start.root_of(made.first, self._host, consent=made.consent))

    async def resume(self, request: Resume, show: Callable[[Kept], None]) -> RunView:
        """The run, taken up where its journal ends and driven to its end.

        `show` gets what it has already. Raises `UnknownRun`; `BadRequest` where it would end at
        once; `IllegalMove` where another process drives it, or this version cannot.
        """
        run_id = await anyio.to_thread.run_sync(self._find, request.run)
        limits = resume.Limits(
            request.budget, micro_usd(request.budget_usd), request.deadline_seconds
        )
        tree = await anyio.to_thread.run_sync(self._tree, run_id)
        if tree.run.stopping is not None and tree.run.ended is None:
            # It had been asked to stop, and does that first.
            await self._drive(await resume.root_again(tree, resume.Limits(), self._host))
            tree = await anyio.to_thread.run_sync(self._tree, run_id)
        resume.check(tree.run, limits)
        allowed = await consent.obtain_again(self._host, tree, self._ask)
        seat = await resume.root_again(tree, limits, self._host, consent=allowed)
        show(
            Kept(
                run=await self._short(run_id),
                answers=sum(run.n_answers for run in tree),
                results=sum(run.n_results for run in tree),
            )
        )
        return await self._drive(seat)

    async def undo(self, run_id: str | None = None) -> Undone:
        """The files that the tree of a root run wrote hold again what they held before it.

        With a conflict nothing is put back. Raises like `resume`.
        """
        root = await anyio.to_thread.run_sync(self._find, run_id)
        tree = await anyio.to_thread.run_sync(self._tree, root)
        events = await anyio.to_thread.run_sync(self._events_of, tree)
        back = await undo.put_back(undo.written(events), self._host.context)
        if paths := (*back.restored, *back.deleted):
            note = Noted(what="undone", text=f"put back: {', '.join(paths)}")
            await self._host.journal.append(root, tree.run.n + 1, [note], tree.run.active_ms)
        return Undone(await self._short(root), back.restored, back.deleted, back.conflicts)

    def _events_of(self, tree: resume.Tree) -> list[Event]:
        """The events of a tree, in the order in which they were committed."""
        events = [event for run in tree for event in self._host.journal.all_events(run.id)]
        return sorted(events, key=lambda event: event.seq)

    def _tree(self, run_id: str) -> resume.Tree:
        """The tree of a root run that nobody drives."""
        stored = self._host.journal.stored(run_id)
        if stored is not None and stored.parent is not None:
            raise BadRequest(
                f"run `{run_id[:4]}` is part of `{stored.root[:4]}`",
                help=f"a tree is resumed at its root: codexd runs resume {stored.root[:4]}",
            )
        tree = resume.read(self._host.journal, run_id)
        if tree.run.ended is None and self._is_alive(run_id):
            pid = self._host.journal.pid_of(stored.host) if stored else None
            raise IllegalMove(
                f"run `{run_id[:4]}` is being driven, by process {pid}",
                help=f"codexd runs watch {run_id[:4]}",
            )
        return tree

    def _order(self, request: Delegate, registry: Registry) -> start.Order:
        definition = registry.find(request.agent)
        return start.Order(
            definition=definition,
            spec=ChildSpec(
                agent=definition.name,
                goal=request.goal,
                scope=self._scope(request.scope),
                budget=request.budget,
                deadline_seconds=request.deadline_seconds,
            ),
            budget_micro_usd=micro_usd(request.budget_usd),
        )

    def _scope(self, paths: Sequence[str]) -> tuple[str, ...]:
        """`paths` as workspace-relative ones. Raises `BadRequest` for what is not there."""
        root = self.config.workspace.root
        scope: list[str] = []
        for text in paths:
            relative = os.path.relpath(root / text, root)
            if _is_outside(relative):
                # The workspace may have been named by way of a link.
                relative = os.path.relpath(os.path.realpath(root / text), root)
            if _is_outside(relative):
                raise BadRequest(
                    f"the scope {text!r} is outside the workspace {root}",
                    help="-C acts in another folder's workspace",
                )
            if not os.path.lexists(root / relative):  # which never raises
                raise BadRequest(
                    f"the scope {text!r} does not exist in {root}",
                    help="name a file or folder from where you are, or from the workspace's root",
                )
            scope.append(relative)
        return tuple(scope)

    async def _drive(self, seat: Seat) -> RunView:
        """Drive a root run to its end; a caller that is cancelled has it end in order first."""
        self._roots.append(seat)
        try:
            await self._drive_shielded(seat)
            view = live_view(seat, await self._short(seat.run.id))
            await self._retain()
            return view
        finally:
            with anyio.CancelScope(shield=True):
                await self._forget(seat)
            self._roots.remove(seat)
            self._root_ended.set()

    async def _drive_shielded(self, seat: Seat) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_with_caller, seat)
                with anyio.CancelScope(shield=True):
                    await drive(seat, self._host)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as faults:
            # Tasks are how a run is driven, and nothing that a caller should have to know.
            raise next(leaves(faults)) from faults

    async def _forget(self, seat: Seat) -> None:
        """Let the tree of a root run go, with what the retention of what completed lets go."""
        for child in seat.children:
            await self._forget(child)
        run = seat.run
        self._host.seats.pop(run.id, None)
        if run.status is not Status.COMPLETED or run.started.retention == "permanent":
            return
        try:
            if run.started.retention == "job":
                await self._host.journal.erase(run.id)
            else:
                self._host.erase_at_end.append(run.id)
        except Unavailable:  # it has its result all the same; tried again when the host stops
            self._host.erase_at_end.append(run.id)

    async def _retain(self) -> None:
        """Keep of the conversations of ended runs what the configuration says; now and then."""
        self._n_ended += 1
        if self._n_ended % RETAIN_EVERY == 1:
            days = timedelta(days=self.config.journal_keep_days)
            since = (datetime.now(UTC) - days).isoformat(timespec="milliseconds")
            with suppress(Unavailable):  # tried again when more runs have ended
                await self._host.journal.retain(
                    since=since.replace("+00:00", "Z"), n_bytes=self.config.journal_keep_mb << 20
                )

    async def cancel(self, run_id: str | None = None) -> None:
        """Ask the run (`None`: every one driven here) to stop; it ends as `cancelled`."""
        if run_id is None:
            seats = list(self._roots)
        else:
            driven = self._host.seats.items()
            seats = [seat for id, seat in driven if run_id and id.startswith(run_id)]
            if len(seats) != 1:
                several = f"{len(seats)} runs driven here have ids that begin with `{run_id}`"
                raise UnknownRun(several if seats else f"no run driven here is `{run_id}`")
        for seat in seats:
            seat.inbox.put(Cancel(Status.CANCELLED, "cancelled by the user"))

    def suspend(self) -> None:
        """Have every run that is driven here leave off in order; it can be resumed elsewhere."""
        for seat in self._roots:
            seat.inbox.put(Suspend())

    def abandon(self) -> None:
        """Kill what the runs have started: for a process that ends without waiting for them."""
        process.kill_all()

    async def _leave(self) -> None:
        await self.cancel()
        while self._roots:
            self._root_ended = anyio.Event()
            await self._root_ended.wait()
        for run_id in self._host.erase_at_end:
            await self._host.journal.erase(run_id)

    # What there is.

    @property
    def registry(self) -> Registry:
        """The agents as they are now; where they are watched, as they were last seen."""
        return self._host.registry()

    async def look_again(self, path: Path | None = None) -> None:
        """What is watched is seen as it is now, without waiting for the system's word; `path` is
        a file known to have changed.
        """
        if self._watch is not None:
            await self._watch.look_again(path)

    def agents(self) -> tuple[AgentEntry, ...]:
        """All agents, in the registry's order, shadowed ones too."""
        return self.registry.entries

    def ceilings(self) -> Policy:
        """The layers above every definition: the user's and the workspace's ceilings."""
        return self._host.context.policy

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Of configuration files and agent files, and of their watch."""
        found = self.registry
        of_agents = (remark for entry in found.entries for remark in entry.diagnostics)
        of_watch = self._watch.diagnostics() if self._watch else ()
        return (*opening.remarks_of(self.config), *of_watch, *found.diagnostics, *of_agents)

    def remarks(self, names: Sequence[str]) -> tuple[Diagnostic, ...]:
        """The errors and warnings that bear on runs of the agents called `names`: in the
        configuration, in what could not be looked at for agents, and in their own files.
        """
        registry = self.registry
        files: set[str] = set()
        for name in names:
            # Whoever runs it hears that there is none, or none that can be used.
            with suppress(Rejected):
                files.add(registry.find(name).source.file)
        of_agents = (
            remark
            for entry in registry.entries
            if str(entry.path) in files
            for remark in entry.diagnostics
        )
        found = (*opening.remarks_of(self.config), *registry.diagnostics, *of_agents)
        return tuple(each for each in found if each.severity in (Severity.ERROR, Severity.WARNING))

    async def models(self) -> tuple[tuple[str, Sequence[ModelEntry] | str], ...]:
        """(provider, its models or why they cannot be had): `offline`, and each usable provider."""
        return await self._models.list_all()

    async def doctor(self) -> tuple[Check, ...]:
        """What is in force, from where, and what is missing."""
        return await doctor.examine(self.config, self._env, self._host.journal, self.registry)


def _watching(host: Host) -> AbstractAsyncContextManager[Watch]:
    # Only who stays needs what watches: a command starts without it.
    from codexd.orchestrator.watching import watching

    return watching(host)


def _is_outside(relative: str) -> bool:
    return relative == ".." or relative.startswith("../")


async def _cancel_with_caller(seat: Seat) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        seat.inbox.put(Cancel(Status.CANCELLED, "whoever asked for it has gone"))
