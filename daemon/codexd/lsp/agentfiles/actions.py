"""What can be done at a place of an agent file: quick fixes, and what the lenses offer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from lsprotocol import types

from codexd.agents.sheet import KeyPath, Span
from codexd.lsp.agentfiles.diagnose import diagnose, to_lsp
from codexd.lsp.agentfiles.facts import Client, Facts
from codexd.lsp.agentfiles.lenses import commands, name_range
from codexd.lsp.agentfiles.outline import Outline, outline_of
from codexd.lsp.buffers import Buffer
from codexd.words import Words

_RENAME = Words("Change to `{}`", "`{}` に変更")
_REMOVE = Words("Remove `{}`", "`{}` を削除")


def actions(
    buffer: Buffer,
    where: types.Range,
    diagnostics: Sequence[types.Diagnostic],
    facts: Facts,
    client: Client | None = None,
) -> list[types.CodeAction]:
    """The fixes of `diagnostics` (the client's, of our own), and the lenses' twins at the name."""
    client = client or Client()
    found: list[types.CodeAction] = []
    for each in diagnostics:
        if each.source == "codexd":
            found += _fixes(each, buffer, facts, client)
    name = name_range(buffer, facts)
    if where.start.line <= name.end.line and name.start.line <= where.end.line:
        found += [
            types.CodeAction(title=command.title, command=command)
            for command in commands(buffer, facts, client)
        ]
    return found


def _fixes(
    remark: types.Diagnostic, buffer: Buffer, facts: Facts, client: Client
) -> list[types.CodeAction]:
    data = _data(remark, buffer, facts)
    nearest, found = data.get("nearest") or "", list[types.CodeAction]()
    # A nearest key with a dot in it has its place elsewhere: another name would not do.
    if nearest and not (remark.code == "unknown-key" and "." in nearest):
        edit = types.TextEdit(remark.range, _renamed(_text(buffer, remark.range), nearest))
        title = _RENAME.in_(client.language).format(nearest)
        found.append(_fix(title, remark, edit, buffer, client, preferred=True))
    if remark.code == "unknown-key":
        outline = outline_of(buffer, facts)
        start = buffer.point(remark.range.start)
        path = next((path for path, span in outline.keys.items() if span[:2] == start), None)
        lines = _lines_of(path, outline, buffer) if path else None
        if path and lines:
            title = _REMOVE.in_(client.language).format(path[-1])
            edit = types.TextEdit(buffer.range(*lines), "")
            found.append(_fix(title, remark, edit, buffer, client, preferred=False))
    return found


def _data(remark: types.Diagnostic, buffer: Buffer, facts: Facts) -> dict[str, str]:
    """The `data` of a remark of ours; a client that does not give it back has it found again."""
    data: Any = remark.data
    if data is None:
        same = (one for one in to_lsp(diagnose(buffer, facts), buffer)
                if (one.range, one.code) == (remark.range, remark.code))  # fmt: skip
        data = next((one.data for one in same), None)
    if not isinstance(data, dict):
        return {}
    return {key: str(value) for key, value in cast("dict[str, object]", data).items()}


def _text(buffer: Buffer, where: types.Range) -> str:
    """What stands in a range of one line."""
    line, column = buffer.point(where.start)
    end_line, end = buffer.point(where.end)
    return buffer.lines[line - 1][column - 1 : end - 1] if line == end_line else ""


def _renamed(text: str, name: str) -> str:
    """`text` with `name` for its word: quotes, and an argument in parentheses, stay."""
    taken = re.fullmatch(r"""(["']?)[^("']*(.*)""", text, re.DOTALL)
    return f"{taken[1]}{name}{taken[2]}" if taken else name


def _lines_of(path: KeyPath, outline: Outline, buffer: Buffer) -> Span | None:
    """The whole lines that a key and its value take; `None` where others stand in them."""
    key = outline.keys[path]
    if buffer.lines[key[0] - 1][: key[1] - 1].strip():
        return None
    value = outline.values.get(path, key)
    inner = [span for at, span in outline.values.items() if at[: len(path)] == path]
    line, column = max(span[2:] for span in (key, value, *inner))
    last = line - 1 if column == 1 and line > key[0] else line
    return key[0], 1, last + 1, 1


def _fix(
    title: str,
    remark: types.Diagnostic,
    edit: types.TextEdit,
    buffer: Buffer,
    client: Client,
    *,
    preferred: bool,
) -> types.CodeAction:
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[remark],
        is_preferred=preferred,
        edit=_edit(edit, buffer, client),
    )


def _edit(edit: types.TextEdit, buffer: Buffer, client: Client) -> types.WorkspaceEdit:
    if not client.document_changes:
        return types.WorkspaceEdit(changes={buffer.uri: [edit]})
    document = types.OptionalVersionedTextDocumentIdentifier(buffer.uri, version=buffer.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [edit])])
