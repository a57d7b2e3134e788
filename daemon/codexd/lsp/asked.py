"""The commands of an editor beside the verbs: about findings, patches and reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from codexd.errors import CodexdError
from codexd.lsp import actions, endings, workspace_edit
from codexd.lsp.anchors import Anchored
from codexd.lsp.edits import Applied, show
from codexd.lsp.server import Connection
from codexd.lsp.text import text, told
from codexd.lsp.verbs import error_of, plain, read_as
from codexd.orchestrator.verbs import Nothing, Request

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichFinding(Request):
    """One finding, as the `data` of its diagnostic names it."""

    run: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichRun(Request):
    """One run; `None`: all of them."""

    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichPatch(Request):
    """The patch of a run for a file."""

    run: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichPatches(Request):
    """The patches of a run; `None`: for every file."""

    run: str
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhichAgent(Request):
    """One agent, by name, slug or alias."""

    agent: str


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """What an agent may do here."""

    agent: str
    policy: tuple[str, ...]
    """A phrase a subject: `reads ./**`, `writes artifacts/x.md`, `no network`, `no shell`."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that waits."""

    run: str
    by: str
    path: str


Do = Callable[["Desk", Connection, Any], Awaitable[Any]]


async def _dismiss(desk: Desk, connection: Connection, which: WhichFinding) -> dict[str, int]:
    desk.findings.dismiss(_finding(desk, connection, which))
    return {"dismissed": 1}


async def _clear(desk: Desk, _connection: Connection, which: WhichRun) -> dict[str, int]:
    return {"dismissed": desk.findings.clear(which.run)}


async def _fix(desk: Desk, connection: Connection, which: WhichFinding) -> dict[str, bool]:
    anchored = _finding(desk, connection, which)
    edit = actions.fix_edit(connection, desk, anchored)
    fix = anchored.finding.fix
    if edit is None or fix is None:
        raise JsonRpcInvalidParams(text(connection.language, "no_fix"))
    if not connection.can("workspace", "apply_edit"):
        show(connection, text(connection.language, "no_edits"), types.MessageType.Warning)
        return {"applied": False}
    return {"applied": await workspace_edit.apply(connection, edit, fix.title)}


async def _patches(desk: Desk, _connection: Connection, _which: object) -> tuple[Patch, ...]:
    return tuple(Patch(each.root, each.by, each.path) for each in desk.edits.proposals)


async def _apply(desk: Desk, connection: Connection, which: WhichPatch) -> Applied:
    return await desk.edits.apply(connection, which.run, which.path)


async def _discard(desk: Desk, connection: Connection, which: WhichPatches) -> dict[str, int]:
    return {"dismissed": desk.edits.dismiss(connection, which.run, which.path)}


async def _report(desk: Desk, connection: Connection, which: WhichRun) -> dict[str, str]:
    view = await desk.orchestrator.run(which.run)
    return {"path": await endings.open_report(desk, connection, view)}


def _finding(desk: Desk, connection: Connection, which: WhichFinding) -> Anchored:
    anchored = desk.findings.find(which.run, which.index)
    if anchored is None:
        words = text(connection.language, "no_finding", run=which.run, index=which.index)
        raise JsonRpcInvalidParams(words)
    return anchored


async def _policy(desk: Desk, connection: Connection, request: WhichAgent) -> EffectivePolicy:
    """Shown as a message, too: LSP has no other place for it."""
    name, phrases = desk.language.effective_policy(request.agent)
    words = " · ".join(told(connection.language, each) for each in phrases)
    show(connection, f"{name}: {words}")
    return EffectivePolicy(name, phrases)


COMMANDS: dict[str, tuple[type, Do]] = {
    "codexd.dismissFinding": (WhichFinding, _dismiss),
    "codexd.clearFindings": (WhichRun, _clear),
    "codexd.applyFix": (WhichFinding, _fix),
    "codexd.patches": (Nothing, _patches),
    "codexd.applyPatch": (WhichPatch, _apply),
    "codexd.dismissPatch": (WhichPatches, _discard),
    "codexd.openReport": (WhichRun, _report),
    "codexd.effectivePolicy": (WhichAgent, _policy),
}


def offer(connection: Connection, desk: Desk) -> None:
    """Have these commands answered on `connection`."""
    for name, (kind, do) in COMMANDS.items():

        async def command(
            arguments: Sequence[Any], name: str = name, kind: type = kind, do: Do = do
        ) -> Any:
            if len(arguments) > 1:
                raise JsonRpcInvalidParams(f"one object was expected, not {len(arguments)} values")
            request = read_as(kind, name, arguments[0] if arguments else None)
            try:
                return plain(await do(desk, connection, request))
            except CodexdError as fault:
                raise error_of(fault) from fault

        connection.offer_command(name, command)
