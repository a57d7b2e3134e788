"""Code actions: on findings, on patches that wait, on any selection.

Each is one command with one object, or an edit. LSP has no input box, so a goal is complete: it
names the place, by path and lines as the file has them on disk, since that is what a run reads.
Goals are in English, which is what every model and the rules read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from codexd.agents.definition import AgentDefinition
from codexd.agents.registry import Registry, slug_of
from codexd.lsp import anchors, fitting
from codexd.lsp.anchors import Anchored
from codexd.lsp.buffers import Buffer
from codexd.lsp.findings import Shown
from codexd.lsp.lines import NOWHERE, bare, match
from codexd.lsp.server import Connection
from codexd.lsp.text import text
from codexd.lsp.workspace_edit import Edit, workspace_edit

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

Action = types.CodeAction | types.Command

QUICK_FIX = types.CodeActionKind.QuickFix.value
DELEGATE = "refactor.codexd"
REVIEW = "source.codexd"
KINDS = (types.CodeActionKind.QuickFix, DELEGATE, REVIEW)
"""What the server says at `initialize` that it offers."""

REVIEWER, TESTER = "code-reviewer", "test-gen"
MOST_FINDINGS = 5
"""Findings at one place that actions are offered for."""


@dataclass(frozen=True, slots=True)
class _Offer:
    title: str
    kind: str
    command: str
    argument: dict[str, Any]
    edit: types.WorkspaceEdit | None = None
    """What a client that takes whole code actions is given instead of the command."""
    diagnostics: Sequence[types.Diagnostic] = field(default_factory=list[types.Diagnostic])
    preferred: bool | None = None


def actions_at(
    connection: Connection, desk: Desk, params: types.CodeActionParams
) -> list[types.CodeAction]:
    """What can be done at a place of a document."""
    uri = params.text_document.uri
    path = connection.relative(uri)
    buffer = connection.buffer(uri) if path is not None else None
    if path is None or buffer is None:
        return []
    at = _At(connection, desk, desk.orchestrator.registry, buffer, path, params.range)
    return [_action(offer) for offer in at.offers()]


def wanted(
    connection: Connection,
    only: Sequence[types.CodeActionKind | str] | None,
    found: Iterable[types.CodeAction],
) -> list[Action]:
    """Of some actions those of the kinds that the client asks for, as it takes them: one that
    knows no whole actions is given their commands.
    """
    kinds = [str(getattr(kind, "value", kind)) for kind in only or ("",)]
    fitting = [each for each in found if any(_is_of(_kind(each), kind) for kind in kinds)]
    if connection.can("text_document", "code_action", "code_action_literal_support"):
        for each in fitting:
            if each.edit is not None:
                each.command = None
        return [*fitting]
    return [each.command for each in fitting if each.command is not None]


def _kind(action: types.CodeAction) -> str:
    return str(getattr(action.kind, "value", action.kind or ""))


def _is_of(kind: str, wanted: str) -> bool:
    return wanted == "" or kind == wanted or kind.startswith(f"{wanted}.")


def _action(offer: _Offer) -> types.CodeAction:
    return types.CodeAction(
        title=offer.title,
        kind=offer.kind,
        diagnostics=list(offer.diagnostics) or None,
        is_preferred=offer.preferred,
        edit=offer.edit,
        command=_command(offer),
    )


def _command(offer: _Offer) -> types.Command:
    return types.Command(title=offer.title, command=offer.command, arguments=[offer.argument])


def fix_edit(connection: Connection, desk: Desk, anchored: Anchored) -> types.WorkspaceEdit | None:
    """A finding's own fix, for what the client has of the file; `None` where it does not fit."""
    root = desk.orchestrator.config.workspace.root
    buffer = connection.buffer(connection.uri_of(root / anchored.path))
    fix = anchored.finding.fix
    if buffer is None or fix is None:
        return None
    places = anchors.matched(anchored.base, anchors.hashes(buffer.text))
    edits: list[Edit] = []
    for edit in fix.edits:
        # An end before the first character of a line leaves that line as it is.
        last = edit.end_line - (edit.end_column == 1 and edit.end_line > edit.line)
        inside = list(places[edit.line - 1 : last])
        if len(inside) != last - edit.line + 1 or inside[0] == NOWHERE:
            return None
        if inside != list(range(inside[0], inside[0] + len(inside))):
            return None
        moved = inside[0] + 1 - edit.line
        where = buffer.range(edit.line + moved, edit.column, edit.end_line + moved, edit.end_column)
        edits.append(Edit(where, edit.text, fix.title, sure=fix.safe))
    about = desk.findings.name_of(anchored)
    return workspace_edit(connection, buffer, edits, about) if edits else None


@dataclass(frozen=True, slots=True)
class _At:
    """A place in a document, as one client has it."""

    connection: Connection
    desk: Desk
    registry: Registry
    buffer: Buffer
    path: str
    range: types.Range

    def offers(self) -> Iterator[_Offer]:
        touched = [
            shown
            for shown in self.desk.findings.shown(self.connection, self.path)
            if _touch(shown.diagnostic.range, self.range)
        ]
        for shown in touched[:MOST_FINDINGS]:
            yield from self._of_finding(shown)
        yield from self._of_patches()
        if self.range.start == self.range.end:
            yield from self._of_file()
        else:
            yield from self._of_selection()

    def _text(self, key: str, **values: object) -> str:
        return text(self.connection.language, key, **values)

    # --- findings ---------------------------------------------------------------------------

    def _of_finding(self, shown: Shown) -> Iterator[_Offer]:
        anchored, findings = shown.anchored, self.desk.findings
        which = {"run": anchored.run, "index": anchored.index}
        finding, diagnostics = anchored.finding, [shown.diagnostic]
        edit = fix_edit(self.connection, self.desk, anchored)
        if finding.fix is not None and edit is not None:
            yield _Offer(
                finding.fix.title,
                QUICK_FIX,
                "codexd.applyFix",
                which,
                edit=edit,
                diagnostics=diagnostics,
                preferred=True if finding.fix.safe else None,
            )
        registry, ceilings = self.registry, self.desk.orchestrator.ceilings()
        rule = f" ({finding.rule})" if finding.rule else ""
        place = f"{self.path}:{findings.line_on_disk(anchored)}"
        said = f"this finding of {findings.agent_of(anchored)} at {place}: {finding.message}{rule}"
        for agent in fitting.fixers(registry, ceilings, self.path):
            goal = f"Mend {said}. Change nothing else."
            title = self._text("fix_with", agent=agent.name)
            yield self._delegated(title, QUICK_FIX, agent, goal, diagnostics)
        message = _short(finding.message)
        asked = fitting.named(registry, slug_of(findings.agent_of(anchored)))
        asked = asked or fitting.named(registry, REVIEWER)
        if asked is not None:
            goal = (
                f"Explain {said}. Say why it matters, on which input it goes wrong, and how to "
                "mend it. Change no file."
            )
            title = self._text("explain", message=message)
            yield self._delegated(title, QUICK_FIX, asked, goal, diagnostics)
        title = self._text("dismiss", message=message)
        yield _Offer(title, QUICK_FIX, "codexd.dismissFinding", which, diagnostics=diagnostics)

    def _of_patches(self) -> Iterator[_Offer]:
        waiting = {each.root: each.by for each in self.desk.edits.at(self.path)}
        for run, by in waiting.items():
            which = {"run": run, "path": self.path}
            title = self._text("apply_patch", run=by)
            yield _Offer(title, QUICK_FIX, "codexd.applyPatch", which)
            title = self._text("dismiss_patch", run=by)
            yield _Offer(title, QUICK_FIX, "codexd.dismissPatch", which)

    # --- selections -------------------------------------------------------------------------

    def _of_selection(self) -> Iterator[_Offer]:
        place = self._place()
        registry = self.registry
        for agent in fitting.delegates(registry, self.path, without=(REVIEWER, TESTER)):
            goal = f"{agent.goal or 'Work on the code in scope.'} Only {place}."
            yield self._delegated(self._text("delegate", agent=agent.name), DELEGATE, agent, goal)
        if reviewer := fitting.named(registry, REVIEWER):
            goal = f"Review {place}, and report what is wrong there, worst first."
            yield self._delegated(
                self._text("review", agent=reviewer.name), DELEGATE, reviewer, goal
            )
        if tester := fitting.named(registry, TESTER):
            goal = f"Write tests for {place}."
            yield self._delegated(self._text("tests"), DELEGATE, tester, goal)
        language = fitting.language_of(self.path)
        prompt = (
            f"An agent for {f'{language} ' if language else ''}code such as {place}: it knows what "
            "such code is for, and reports what is wrong with it."
        )
        yield _Offer(self._text("create"), DELEGATE, "codexd.createAgent", {"prompt": prompt})

    def _of_file(self) -> Iterator[_Offer]:
        registry = self.registry
        if reviewer := fitting.named(registry, REVIEWER):
            goal = f"Review {self.path}, and report what is wrong there, worst first."
            title = self._text("review_file", agent=reviewer.name)
            yield self._delegated(title, f"{REVIEW}.review", reviewer, goal)
        if tester := fitting.named(registry, TESTER):
            goal = f"Write tests for {self.path}."
            yield self._delegated(self._text("tests_file"), f"{REVIEW}.tests", tester, goal)

    def _delegated(
        self,
        title: str,
        kind: str,
        agent: AgentDefinition,
        goal: str,
        diagnostics: Sequence[types.Diagnostic] = (),
    ) -> _Offer:
        order = {"agent": agent.name, "goal": goal, "scope": [self.path]}
        return _Offer(title, kind, "codexd.delegate", order, diagnostics=diagnostics)

    def _place(self) -> str:
        """`src/a.py:10-20 (from "def run():")`, in the lines of the file on disk."""
        start, end = self.range.start, self.range.end
        first, _ = self.buffer.point(start)
        last, _ = self.buffer.point(end)
        if end.character == 0 and last > first:
            last -= 1  # the line after a selection of whole lines
        words = _short(self.buffer.lines[first - 1].strip())
        first, last, saved = self._on_disk(first, last)
        lines = f"{first}-{last}" if last > first else f"{first}"
        unsaved = "" if saved else "; the editor has unsaved changes there"
        return f'{self.path}:{lines} (from "{words}"{unsaved})'

    def _on_disk(self, first: int, last: int) -> tuple[int, int, bool]:
        """The same lines in the file, and whether it has them so."""
        try:
            file = self.buffer.path.read_bytes().decode("utf-8", "replace")
        except OSError:
            return first, last, False
        places = match(bare(self.buffer.text), bare(file))
        inside = [place + 1 for place in places[first - 1 : last] if place != NOWHERE]
        if not inside:
            return first, last, False
        return inside[0], inside[-1], len(inside) == last - first + 1 == inside[-1] - inside[0] + 1


def _touch(one: types.Range, other: types.Range) -> bool:
    """Whether two ranges share a place, or a line where `other` is a mere cursor."""
    if other.start == other.end:
        return one.start.line <= other.start.line <= one.end.line
    return one.start <= other.end and other.start <= one.end


def _short(message: str) -> str:
    return message if len(message) <= 60 else f"{message[:59]}…"
