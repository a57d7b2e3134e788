"""The findings of runs, as diagnostics at every client.

Which: those of the runs that this desk has heard of, and at its opening those of the newest runs
in the journal. When a run has completed, what earlier runs of the same agent had found in the
files of its scope goes, since it has looked there again; outside its scope their findings stay.
A run that ended otherwise has not looked everywhere, and only what it reports once more is
replaced. Runs of one tree, and runs that went on at the same time, never replace each other.

Where: a finding is held to the text of its file as it was when it was reported (`anchors.py`), and
shown where its lines stand in what each client has: its buffer, else the file. Lines that are not
there any more are mended; when they come back, so does the finding. Of a run in the journal that
text is known where the file has not been written since the run began; else its findings are
dropped, since nobody can tell which lines they meant.

What a user has dismissed stays so for as long as this process lives; nothing of it is journalled,
as it says nothing of what happened in a run.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from lsprotocol import types

from codexd.errors import Severity, Unavailable
from codexd.lsp import anchors, disk
from codexd.lsp.anchors import Anchored, Base
from codexd.lsp.disk import File
from codexd.lsp.server import Connection
from codexd.orchestrator import Notice
from codexd.runs.view import RunView, Status, tree
from codexd.tools import Finding

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

logger = logging.getLogger(__name__)

SOURCE = "findings"
"""What the publisher knows these diagnostics by."""
NEWEST = 50
"""Root runs in the journal that are looked at when the desk opens."""
MOST_RUNS = 200
"""Runs whose findings are kept; the oldest go first."""
MOST_A_FILE = 200
"""Findings shown of one file, the worst first."""
MOST_A_TICK = 200
"""Findings that are looked for in one client's texts at once: 10 ms of work."""
LOOK_SECONDS = 2.0
"""How often the files with findings are looked at, while somebody is shown them."""

SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}


@dataclass(slots=True)
class _Run:
    """A run that has findings here, or had."""

    view: RunView
    n_seen: int = 0
    """Of its findings."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding where one client has it."""

    anchored: Anchored
    diagnostic: types.Diagnostic


class Findings:
    """The findings of this workspace, and where each client has them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._root = desk.orchestrator.config.workspace.root
        self._runs: dict[str, _Run] = {}
        """By id, in the order in which they were heard of."""
        self._at: dict[str, list[Anchored]] = {}
        """By path."""
        self._dismissed: set[tuple[str, int]] = set()
        self._files: dict[str, File] = {}
        self._stale: dict[Connection, set[str]] = {}
        """The paths that a client is to be shown anew."""
        self._shown: dict[Connection, dict[str, tuple[str, list[Shown]]]] = {}
        """By path: the URI that the client was told, and what is there."""
        self._news: dict[str, RunView] = {}
        self._due = anyio.Event()

    # --- what happens -----------------------------------------------------------------------

    def hear(self, notice: Notice) -> None:
        """Note that a run has reported something, or has ended."""
        if notice.kind in ("finding", "ended", "suspended"):
            view = self._desk.orchestrator.live(notice.run)
            if view is not None:
                self._news[view.id] = view
                self._due.set()

    async def follow(self) -> None:
        """Take in what runs report, and what becomes of files, for as long as the desk is open."""
        try:
            await self._recall()
        except Exception:
            logger.exception("the findings of earlier runs")
        while True:
            seconds = LOOK_SECONDS if self._at and self._desk.connections else None
            with anyio.move_on_after(seconds or float("inf")) as waited:
                await self._due.wait()
            self._due = anyio.Event()
            news, self._news = self._news, {}
            try:
                for view in news.values():
                    await self._take(view)
                if waited.cancelled_caught or not news:
                    await self._look()
            except Exception:
                # One finding that cannot be held is no reason for the daemon to end.
                logger.exception("findings")
            if any(self._stale.values()):
                self._desk.wake()

    def look_soon(self) -> None:
        """Have the files looked at now: one was saved, or written by a run."""
        self._due.set()

    async def _recall(self) -> None:
        """Take in the newest runs of the journal, oldest first."""
        try:
            roots = await self._desk.orchestrator.runs(limit=NEWEST)
        except Unavailable:
            logger.exception("the findings of earlier runs")
            roots = ()
        self._desk.language.ended(reversed(roots))
        known = [view for root in reversed(roots) for view in tree(root)]
        for view in known:
            if view.id not in self._runs and view.id not in self._news:
                began = datetime.fromisoformat(view.started_at).timestamp()
                await self._take(view, unchanged_since=began)
        if known:
            self._desk.wake()

    async def _take(self, view: RunView, *, unchanged_since: float | None = None) -> None:
        """Hold the new findings of a run to their files; where it completed, replace older ones."""
        known = self._runs.setdefault(view.id, _Run(view))
        known.view = view
        fresh = [
            (index, finding, path)
            for index, finding in list(enumerate(view.findings))[known.n_seen :]
            if (path := self._path(finding)) is not None
        ]
        known.n_seen = len(view.findings)
        paths = sorted({path for _, _, path in fresh})
        if paths:
            read = await anyio.to_thread.run_sync(disk.read_all, self._root, paths)
            self._anchor(view, fresh, read, unchanged_since)
        if view.status is Status.COMPLETED:
            self._drop(lambda old: self._looked_again(old, view))
        if not known.n_seen:
            del self._runs[view.id]  # whatever it was about, nothing of it is shown
        while len(self._runs) > MOST_RUNS:
            oldest = next(iter(self._runs))
            self._drop(lambda old, oldest=oldest: old.run == oldest)
            self._dismissed = {each for each in self._dismissed if each[0] != oldest}
            del self._runs[oldest]

    def _anchor(
        self,
        view: RunView,
        fresh: Iterable[tuple[int, Finding, str]],
        read: dict[str, File],
        unchanged_since: float | None,
    ) -> None:
        new: dict[str, list[Anchored]] = {}
        for index, finding, path in fresh:
            file = read[path]
            base, stamp = file.base, file.stamp
            if base is None or stamp is None or (view.id, index) in self._dismissed:
                continue
            if unchanged_since is not None and stamp[0] / 1e9 > unchanged_since:
                continue
            base = self._known_base(path, base)
            self._files[path] = File(stamp, base)
            held = anchors.anchor(view.id, index, path, finding, base, file.lines)
            new.setdefault(path, []).append(held)
        for path, held in new.items():
            self._at.setdefault(path, []).extend(held)
            said = {_said(each) for each in held}
            self._drop(
                lambda old, said=said: _said(old) in said and self._is_before(old, view), path
            )
            self._touch(path)

    def _known_base(self, path: str, base: Base) -> Base:
        """The one that other findings of the file are held to, where it is the same text."""
        held = (each.base for each in self._at.get(path, ()))
        return next((each for each in held if each.sha256 == base.sha256), base)

    def _looked_again(self, old: Anchored, view: RunView) -> bool:
        return self._is_before(old, view) and within(old.path, view.scope)

    def _is_before(self, old: Anchored, view: RunView) -> bool:
        """Whether the run of `old` is of the same agent, and was over when `view` began."""
        run = self._runs[old.run].view
        if run.agent != view.agent or run.root == view.root or not run.status.ended:
            return False
        return (run.ended_at or run.started_at) <= view.started_at

    def _path(self, finding: Finding) -> str | None:
        """The workspace-relative path of a finding; `None` where it leads out of it."""
        path = os.path.normpath(finding.path.replace("\\", "/"))
        if path.startswith("/"):
            path = os.path.relpath(path, self._root)
        return None if path == ".." or path.startswith("../") else path

    # --- what a user does -------------------------------------------------------------------

    def find(self, run: str, index: int) -> Anchored | None:
        """The finding of a run, by the start of its id; `None` where it is not shown any more."""
        for anchored in self._all():
            if run and anchored.run.startswith(run) and anchored.index == index:
                return anchored
        return None

    def dismiss(self, anchored: Anchored) -> None:
        """A finding is not shown any more, to nobody."""
        self._dismissed.add((anchored.run, anchored.index))
        self._drop(lambda old: old is anchored, anchored.path)
        self._desk.wake()

    def clear(self, run: str | None) -> int:
        """The findings of a run and its tree (`None`: of all) are not shown any more; how many
        they were. What a run that goes on reports from now on is shown.
        """

        def is_meant(old: Anchored) -> bool:
            if run is None:
                return True
            view = self._runs[old.run].view
            return bool(run) and (view.id.startswith(run) or view.root.startswith(run))

        gone = [old for old in self._all() if is_meant(old)]
        self._dismissed |= {(old.run, old.index) for old in gone}
        self._drop(is_meant)
        self._desk.wake()
        return len(gone)

    def worst(self, runs: Iterable[str]) -> Anchored | None:
        """The worst finding of some runs; of equals the first."""
        wanted = set(runs)
        found = [each for each in self._all() if each.run in wanted]
        return min(found, key=_rank, default=None)

    def _all(self) -> Iterator[Anchored]:
        return (anchored for at in self._at.values() for anchored in at)

    def _drop(self, goes: Callable[[Anchored], bool], path: str | None = None) -> None:
        """Let findings go (`path`: only those of one file)."""
        for each in [path] if path is not None else list(self._at):
            old = self._at.get(each, [])
            kept = [anchored for anchored in old if not goes(anchored)]
            if len(kept) == len(old):
                continue
            self._touch(each)
            if kept:
                self._at[each] = kept
                continue
            del self._at[each]
            self._files.pop(each, None)

    # --- files ------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Note which files with findings are others on disk now."""
        known = {path: file.stamp for path, file in self._files.items()}
        changed = await anyio.to_thread.run_sync(disk.changed, self._root, known)
        for path, file in changed.items():
            if path in self._at:
                self._files[path] = replace(file, lines=())
                self._touch(path)

    def _touch(self, path: str) -> None:
        for connection in self._desk.connections:
            self._stale.setdefault(connection, set()).add(path)

    # --- clients ----------------------------------------------------------------------------

    def attach(self, connection: Connection) -> None:
        """A client is there, and is shown what there is."""
        if self._at:
            self._stale[connection] = set(self._at)
            self.look_soon()
            self._desk.wake()

    def forget(self, connection: Connection) -> None:
        """A client has gone."""
        self._stale.pop(connection, None)
        self._shown.pop(connection, None)

    def changed(self, connection: Connection, uri: str) -> None:
        """A client has opened, edited or closed a document."""
        path = connection.relative(uri)
        if path in self._at:
            self._stale.setdefault(connection, set()).add(path)
            self._desk.wake()

    def refresh(self, connection: Connection) -> bool:
        """Tell the client's publisher what is to be shown anew, so much that nobody waits for it;
        whether that was all.
        """
        stale = self._stale.get(connection)
        if not stale or not connection.ready:
            return True
        # What somebody looks at comes first.
        n_placed = 0
        for path in sorted(stale, key=lambda path: self._root / path not in connection.opened):
            stale.discard(path)
            self._show(connection, path)
            n_placed += 1 + len(self._at.get(path, ()))
            if n_placed >= MOST_A_TICK:
                break
        return not stale

    def shown(self, connection: Connection, path: str) -> list[Shown]:
        """The findings of a file where the client has them now; none once it has gone."""
        if connection not in self._desk.publishers:
            return []
        stale = self._stale.get(connection)
        if stale and path in stale:
            stale.discard(path)
            self._show(connection, path)
        return self._shown.get(connection, {}).get(path, ("", []))[1]

    def _show(self, connection: Connection, path: str) -> None:
        publisher = self._desk.publishers[connection]
        every = self._shown.setdefault(connection, {})
        old_uri, _ = every.pop(path, ("", []))
        uri = connection.uri_of(self._root / path)
        if old_uri not in ("", uri):
            publisher.set(SOURCE, old_uri, [])
        shown = self._placed(connection, uri, path)
        if shown:
            every[path] = uri, shown
        publisher.set(SOURCE, uri, [each.diagnostic for each in shown])

    def _placed(self, connection: Connection, uri: str, path: str) -> list[Shown]:
        """The findings of a file whose lines the client has."""
        found = sorted(self._at.get(path, ()), key=_rank)[:MOST_A_FILE]
        lines = self.lines_at(connection, uri, path) if found else None
        if lines is None:
            return []
        encoding = connection.workspace.position_encoding or "utf-16"
        places: dict[str, Sequence[int]] = {}
        shown: list[Shown] = []
        for anchored in found:
            base = anchored.base
            if base.sha256 not in places:
                places[base.sha256] = anchors.matched(base, lines)
            place = anchors.place(anchored, places[base.sha256])
            if place is not None:
                where = anchors.range_of(anchored, *place, encoding)
                shown.append(Shown(anchored, self._diagnostic(anchored, where)))
        return sorted(shown, key=lambda each: each.diagnostic.range.start)

    def lines_at(self, connection: Connection, uri: str, path: str) -> Sequence[int] | None:
        """The hashes of the lines that the client has of a file; `None`: it has none."""
        document = connection.document(uri)
        if document is not None:
            return anchors.hashes(document.source.removeprefix("\ufeff"))
        file = self._files.get(path)
        return file.base.lines if file is not None and file.base is not None else None

    def _diagnostic(self, anchored: Anchored, where: types.Range) -> types.Diagnostic:
        finding = anchored.finding
        return types.Diagnostic(
            range=where,
            message=finding.message,
            severity=SEVERITIES[finding.severity],
            code=finding.rule or None,
            source=self.name_of(anchored),
            data={"run": anchored.run, "index": anchored.index},
        )

    def line_on_disk(self, anchored: Anchored) -> int:
        """The line, from 1, that a run will find it at, as far as that is known."""
        file = self._files.get(anchored.path)
        if file is not None and file.base is not None:
            place = anchors.place(anchored, anchors.matched(anchored.base, file.base.lines))
            if place is not None:
                return place[0]
        return anchored.finding.line

    def agent_of(self, anchored: Anchored) -> str:
        """Who reported it."""
        return self._runs[anchored.run].view.agent

    def name_of(self, anchored: Anchored) -> str:
        """Where it is from: `sec-audit · 91be`."""
        view = self._runs[anchored.run].view
        return f"{view.agent} · {view.short}"


def within(path: str, scope: Iterable[str]) -> bool:
    """Whether `path` is of a run's scope; one without a scope is about everything."""
    scope = [part.rstrip("/") for part in scope]
    return not scope or any(
        part in ("", ".") or path == part or path.startswith(f"{part}/") for part in scope
    )


def _said(anchored: Anchored) -> tuple[str, str, str]:
    """What it says of which line: what is reported once more says the same."""
    return anchored.finding.rule, anchored.finding.message, anchored.first


def _rank(anchored: Anchored) -> tuple[int, str, int]:
    finding = anchored.finding
    return SEVERITIES[finding.severity].value, anchored.path, finding.line
