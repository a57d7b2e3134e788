"""The end of a root run, told to the client that started it; if that has gone, it is listed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from codexd.errors import Severity
from codexd.lsp.edits import show
from codexd.lsp.server import Connection
from codexd.lsp.text import text, told
from codexd.runs.view import RunView, Status, tree

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

REPORTS = (".md", ".html", ".txt", ".rst")
"""How the name of a report ends; other files that a run leaves are its work."""


def tell(desk: Desk, connection: Connection, view: RunView) -> None:
    """Tell the client's user how a run ended, with a way to its report."""
    if connection.hello.door == "cli" or not connection.ready:
        return
    words, kind = sentence(view, connection.language), _kind(view)
    report = report_of(view)
    if report is None:
        show(connection, words, kind)
    elif connection.declares("events") and _shows(connection):
        desk.start(partial(_ask, desk, connection, view, report, words, kind))
    else:
        # A question that nobody waits for stops whoever types in Neovim and in Emacs. And it is
        # short: a message that does not fit into its one line stops Neovim as well.
        show(connection, f"{words} · {report}", kind)


async def _ask(
    desk: Desk,
    connection: Connection,
    view: RunView,
    report: str,
    words: str,
    kind: types.MessageType,
) -> None:
    language = connection.language
    titles = [text(language, "open_report")]
    if any(run.findings for run in tree(view)):
        titles.append(text(language, "show_findings"))
    params = types.ShowMessageRequestParams(
        type=kind,
        message=words,
        actions=[types.MessageActionItem(title=title) for title in titles],
    )
    try:
        chosen = await connection.protocol.ask(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
    except (ConnectionError, JsonRpcException):
        return
    title = getattr(chosen, "title", "")
    root = desk.orchestrator.config.workspace.root
    if title == titles[0]:
        await show_file(connection, root / report)
    elif title == titles[-1]:
        worst = desk.findings.worst(run.id for run in tree(view))
        if worst is not None:
            shown = desk.findings.shown(connection, worst.path)
            here = next((each for each in shown if each.anchored is worst), None)
            where = here.diagnostic.range if here else None
            await show_file(connection, root / worst.path, where)


async def open_report(desk: Desk, connection: Connection, view: RunView) -> str:
    """The report's path, once it is shown. Raises `JsonRpcInvalidParams` where there is none."""
    report = report_of(view)
    if report is None:
        raise JsonRpcInvalidParams(text(connection.language, "no_report", run=view.short))
    await show_file(connection, desk.orchestrator.config.workspace.root / report)
    return report


async def show_file(connection: Connection, path: Path, where: types.Range | None = None) -> None:
    """The client shows a file, or is told where it is."""
    if _shows(connection):
        params = types.ShowDocumentParams(
            uri=connection.uri_of(path), take_focus=True, selection=where
        )
        try:
            answer = await connection.protocol.ask(types.WINDOW_SHOW_DOCUMENT, params)
        except ConnectionError:
            return
        except JsonRpcException:
            answer = None
        if getattr(answer, "success", False):
            return
    show(connection, text(connection.language, "report_at", path=path))


def _shows(connection: Connection) -> bool:
    return connection.can("window", "show_document", "support")


def report_of(view: RunView) -> str | None:
    """The report that a tree has left, workspace-relative; the root's before its children's."""
    paths = (path for run in tree(view) for path in run.artifacts)
    return next((path for path in paths if path.endswith(REPORTS)), None)


def sentence(view: RunView, language: str) -> str:
    """`code-reviewer: 30 findings, 2 errors · 3,120 tokens`; of a failure its reason and help."""
    name = view.agent or text(language, "several", n=len(view.children))
    tokens = text(language, "tokens", n=f"{view.spent:,}")
    found = _found(view, language)
    if view.status is Status.COMPLETED:
        return f"{name}: {found or text(language, 'done')} · {tokens}"
    parts = [text(language, view.status.value), found, tokens]
    words = f"{name}: {' · '.join(part for part in parts if part)}"
    why = [told(language, part.rstrip(".")) for part in (view.reason, view.help) if part]
    stop = "。" if language == "ja" else ". "
    return f"{words} — {stop.join(why)}" if why else words


def _found(view: RunView, language: str) -> str:
    findings = [finding for run in tree(view) for finding in run.findings]
    if not findings:
        return ""
    n = len(findings)
    n_errors = sum(finding.severity is Severity.ERROR for finding in findings)
    words = text(language, "findings", n=f"{n:,}") if n > 1 else text(language, "one_finding")
    if not n_errors:
        return words
    errors = text(language, "errors", n=f"{n_errors:,}")
    return f"{words}, {errors if n_errors > 1 else text(language, 'one_error')}"


def _kind(view: RunView) -> types.MessageType:
    match view.status:
        case Status.COMPLETED | Status.CANCELLED:
            return types.MessageType.Info
        case Status.FAILED:
            return types.MessageType.Error
        case _:
            return types.MessageType.Warning
