"""The orchestrator of one workspace: every verb that a door can ask for."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
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
)
from codexd.models.interface import ModelEntry
from codexd.orchestrator import consent, creation, doctor, opening, orders
from codexd.orchestrator.driving import Driving
from codexd.orchestrator.history import History
from codexd.orchestrator.hosts import Hosts
from codexd.orchestrator.verbs import (
    Ask,
    Began,
    Caller,
    Check,
    CreateAgent,
    Delegate,
    DelegateParallel,
    Flags,
    Kept,
    Notice,
    Remarks,
    Resume,
    Told,
    Undone,
    micro_usd,
    unheard,
)
from codexd.policy import Policy
from codexd.policy.ceilings import remarks_of
from codexd.runs import resume, start, undo
from codexd.runs.editors import Editors
from codexd.runs.events import Event, Noted
from codexd.runs.host import Host
from codexd.runs.journal import open_journal
from codexd.runs.seat import Seat
from codexd.runs.view import RunView
from codexd.tools import process

if TYPE_CHECKING:
    from codexd.orchestrator.watching import Watch


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

    def __init__(self, config: Config, hosts: Hosts, host: Host, caller: Caller) -> None:
        super().__init__(host.journal, config.workspace.root)
        self.config: Config = config
        self._hosts, self._host, self._caller = hosts, host, caller
        self.driving = Driving(host)
        host.publish = self.driving.publish
        self._watch: Watch | None = None

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
        tell: Callable[[Told], None] = unheard,
        watch: bool = False,
    ) -> AsyncGenerator[Orchestrator]:
        """An orchestrator of `folder`'s workspace; leaving cancels and awaits every run.

        `model` is `-m`, `overrides` are `-c`; `ask` is asked before a hosted model's first use
        (`None`: then only a model named by flag or configuration is used); `tell` hears what there
        is to say while a request goes on. With `watch` the agent files are watched, and listeners
        told; without, they are looked at whenever asked for.
        Raises `BadConfig`, `Unavailable`.
        """
        env = dict(os.environ if env is None else env)
        config = load(folder, env=env, model=model, overrides=overrides)
        key = config.folders.data / "journal.key"
        with open_journal(config.folders.state, key) as journal:
            async with (
                opening.open_host(config, env, journal) as (host, models),
                Hosts(host, models, env) as hosts,
            ):
                orchestrator = cls(config, hosts, host, Caller(env, ask, tell))
                watching = _watching(host, hosts) if watch else nullcontext()
                async with watching as orchestrator._watch:
                    try:
                        yield orchestrator
                    finally:
                        with anyio.CancelScope(shield=True):
                            await orchestrator.driving.leave()

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

    @asynccontextmanager
    async def _host_of(self, flags: Flags, caller: Caller | None) -> AsyncGenerator[Host]:
        """The host that the runs of a request are driven by, for the length of the block."""
        # Whoever saves a file and runs it at once means what was saved.
        await self.look_again()
        if caller is None and flags.model is None and not flags.config:
            yield self._host
            return
        config = await self.config_of(caller, flags)
        env = (caller or self._caller).env
        async with self._hosts.use(config, env) as (host, _models):
            yield host

    async def config_of(self, caller: Caller | None, flags: Flags | None = None) -> Config:
        """What is configured for `caller` now; for whoever opened this, what was then."""
        if caller is None and flags is None:
            return self.config
        env, flags = (caller or self._caller).env, flags or Flags()
        read = partial(load, self._root, env=env, model=flags.model, overrides=flags.config)
        return await anyio.to_thread.run_sync(read)

    # Runs.

    async def delegate(self, request: Delegate, caller: Caller | None = None) -> RunView:
        """The ended run. Raises `Rejected` where it is not begun.

        `caller` is whoever asks, where that is not whoever opened this.
        """
        async with self._host_of(request, caller) as host:
            await self._remark([request.agent], host, caller)
            order = orders.order_of(request, self.registry, host.config)
            allowed = await consent.obtain(host, [order.definition], self._ask_of(caller))
            return await self._drive(start.root_of(order, host, consent=allowed), host, caller)

    async def delegate_parallel(
        self, request: DelegateParallel, caller: Caller | None = None
    ) -> RunView:
        """The ended group; its children in the order asked."""
        if not request.runs:
            raise BadRequest("no agent was named")
        if any(run.model is not None or run.config for run in request.runs):
            raise BadRequest(
                "one of several runs has a model or configuration of its own",
                help="a group has one of each: name them beside `runs`",
            )
        async with self._host_of(request, caller) as host:
            await self._remark([run.agent for run in request.runs], host, caller)
            # The agent files are looked at once, however many runs there are.
            registry = self.registry
            all_orders = [orders.order_of(run, registry, host.config) for run in request.runs]
            definitions = [order.definition for order in all_orders]
            allowed = await consent.obtain(host, definitions, self._ask_of(caller))
            group = start.group_of(
                all_orders,
                host,
                total_budget=request.total_budget,
                budget_micro_usd=micro_usd(request.budget_usd),
                deadline_seconds=request.deadline_seconds,
                consent=allowed,
            )
            return await self._drive(group, host, caller)

    async def create_agent(self, request: CreateAgent, caller: Caller | None = None) -> RunView:
        """The ended run of the agent made, or that of its making where no agent came of it.

        Whoever asked is told the agent before it is saved or run. Raises `NeedsModel` where rules
        have no agent for the description, `ModelFault` where the model's answer holds none.
        """
        async with self._host_of(request, caller) as host:
            await self._remark([], host, caller)
            drive = partial(self._drive, host=host, caller=caller)
            made = await creation.create(request, host, self._ask_of(caller), drive)
            if isinstance(made, RunView):
                return made
            self._tell(made.shown, caller)
            if request.save:
                await anyio.to_thread.run_sync(creation.save, made, host)
            return await drive(start.root_of(made.first, host, consent=made.consent))

    async def resume(self, request: Resume, caller: Caller | None = None) -> RunView:
        """The run, taken up where its journal ends and driven to its end.

        Whoever asked is told what it has already. Raises `UnknownRun`; `BadRequest` where it would
        end at once; `IllegalMove` where another process drives it, or this version cannot.
        """
        run_id = await anyio.to_thread.run_sync(self._find, request.run)
        limits = resume.Limits(
            request.budget, micro_usd(request.budget_usd), request.deadline_seconds
        )
        async with self._host_of(request, caller) as host:
            await self._remark([], host, caller)
            tree = await anyio.to_thread.run_sync(self._tree, run_id)
            if tree.run.stopping is not None and tree.run.ended is None:
                # It had been asked to stop, and does that first.
                again = await resume.root_again(tree, resume.Limits(), host)
                await self._drive(again, host, caller)
                tree = await anyio.to_thread.run_sync(self._tree, run_id)
            resume.check(tree.run, limits)
            allowed = await consent.obtain_again(host, tree, self._ask_of(caller))
            seat = await resume.root_again(tree, limits, host, consent=allowed)
            kept = Kept(
                run=await self.driving.short(run_id),
                answers=sum(run.n_answers for run in tree),
                results=sum(run.n_results for run in tree),
            )
            self._tell(kept, caller)
            return await self._drive(seat, host, caller)

    def _ask_of(self, caller: Caller | None) -> Ask | None:
        return (caller or self._caller).ask

    def _tell(self, told: Told, caller: Caller | None) -> None:
        (caller or self._caller).tell(told)

    async def _drive(self, seat: Seat, host: Host, caller: Caller | None) -> RunView:
        began = partial(self._tell, Began(seat.run.id), caller)
        return await self.driving.drive(seat, host, began)

    async def _remark(self, agents: Sequence[str], host: Host, caller: Caller | None) -> None:
        """Tell whoever asked what is wrong and not used, before anything begins."""
        unused = await self._unused_models(host)
        if (found := self.remarks(agents, host.config)) or unused:
            self._tell(Remarks(found, unused), caller)

    async def _unused_models(self, host: Host) -> tuple[Check, ...]:
        """On a workspace's first run: the models that could have been used, and were not."""
        chosen = host.config.model
        # Whoever chose rules, by flag or configuration, knows.
        if chosen.provider is not None or not str(chosen.source).startswith("<built in"):
            return ()
        if await anyio.to_thread.run_sync(self._journal.roots, 1):
            return ()
        return await doctor.unused_models(host.config, host.context.env)

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
        return Undone(await self.driving.short(root), back.restored, back.deleted, back.conflicts)

    async def _view(self, run_id: str) -> RunView:
        # What is driven here need not be read from the journal, of which it may be the most.
        view = self.live(run_id)
        if view is None:
            return await super()._view(run_id)
        return replace(view, short=await self.driving.short(run_id))

    def _is_driven(self, run_id: str) -> bool:
        return run_id in self.driving.seats

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

    async def cancel(self, run_id: str | None = None) -> tuple[str, ...]:
        """Ask the run (`None`: every one driven here) to stop; it ends as `cancelled`.

        The whole ids of those asked. Raises `UnknownRun`; `IllegalMove` where another process
        drives it, or nobody does.
        """
        try:
            return self.driving.cancel(run_id)
        except UnknownRun:
            # It may be one that is not driven here: that is then told with its state.
            view = await self.run(run_id)
        if view.status.ended:
            raise IllegalMove(
                f"run `{view.short}` is not under way: it is {view.status}",
                help=f"codexd runs show {view.short}",
            )
        stored = await anyio.to_thread.run_sync(self._journal.stored, view.id)
        pid = self._journal.pid_of(stored.host) if stored else None
        raise IllegalMove(
            f"run `{view.short}` is being driven, by process {pid}",
            help="end it where it was started: Ctrl-C there, or `kill` that process",
        )

    async def suspend(self, run_id: str | None = None) -> None:
        """Have the run (`None`: every one) leave off in order; it can be resumed elsewhere."""
        self.driving.suspend(run_id)

    def listen(self, listener: Callable[[Notice], None]) -> None:
        """Have `listener` called, on the event loop, after each commit and on progress."""
        self.driving.listen(listener)

    def open_in(self, editors: Editors) -> None:
        """Have runs ask `editors` before they write; said before any of them begins."""
        self._host.editors = editors

    def live(self, run_id: str) -> RunView | None:
        """The view of a run that this process drives, as it is now; `None` otherwise. Cheap."""
        return self.driving.live(run_id)

    def roots(self) -> tuple[RunView, ...]:
        """The root runs that are under way here, as they are now."""
        return self.driving.roots()

    def abandon(self) -> None:
        """Kill what the runs have started: for a process that ends without waiting for them."""
        process.kill_all()

    # What there is.

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of whoever opened this."""
        return self._caller.env

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
        return (*remarks_of(self.config), *of_watch, *found.diagnostics, *of_agents)

    def remarks(self, names: Sequence[str], config: Config | None = None) -> tuple[Diagnostic, ...]:
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
        found = (*remarks_of(config or self.config), *registry.diagnostics, *of_agents)
        return tuple(each for each in found if each.severity in (Severity.ERROR, Severity.WARNING))

    async def models(
        self, caller: Caller | None = None
    ) -> tuple[tuple[str, Sequence[ModelEntry] | str], ...]:
        """(provider, its models or why they cannot be had): `offline`, and each usable provider."""
        env = (caller or self._caller).env
        config = await self.config_of(caller)
        async with self._hosts.use(config, env) as (_host, models):
            return await models.list_all()

    async def doctor(self, caller: Caller | None = None) -> tuple[Check, ...]:
        """What is in force, from where, and what is missing."""
        env = (caller or self._caller).env
        config = await self.config_of(caller)
        return await doctor.examine(config, env, self._journal, self.registry)

    def redact(self, text: str) -> str:
        """`text` without the secrets of anyone who has asked lately."""
        return self._hosts.redact(text)


def _watching(host: Host, hosts: Hosts) -> AbstractAsyncContextManager[Watch]:
    # Only who stays needs what watches: a command starts without it.
    from codexd.orchestrator.watching import watching

    return watching(host, hosts.read_rules)
