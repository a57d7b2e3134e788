"""Writes into files that an editor has open: its unsaved changes are not written over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from codexd.errors import Denied
from codexd.policy import may_write
from codexd.tools import FileChange, ToolContext, ToolOutput, files


class Editors(Protocol):
    """Who has files open. A host without is one that no editor is attached to."""

    def unsaved(self, changes: Sequence[FileChange]) -> Mapping[str, str]:
        """By path, the editor that has a file of `changes` open with text that is not on disk."""
        ...

    def propose(self, root: str, agent: str, change: FileChange) -> None:
        """Offer a change to whoever has the file open; the root run's editor comes first."""
        ...


async def write(
    changes: Sequence[FileChange],
    context: ToolContext,
    editors: Editors | None,
    *,
    root: str,
    agent: str,
) -> ToolOutput:
    """All `changes` are made, but for those of files with unsaved changes in an editor, which are
    proposed there; what was done, in words. Raises like `files.apply`.
    """
    if editors is None or not (held := editors.unsaved(changes)):
        return await files.apply(changes, context)
    moved = {change.moved_from for change in changes} - {""}
    for change in changes:
        if change.path in held and (change.after is None or change.path in moved):
            # It may not go away under somebody's hands; and half of a move is none.
            words = f"`{change.path}` has unsaved changes in {held[change.path]}"
            return ToolOutput(f"{words}: it is not moved or deleted. Nothing was changed.", True)
    kept = [change for change in changes if change.path not in held]
    output = await files.apply(kept, context) if kept else ToolOutput("")
    told = [output.text] if output.text else []
    for change in changes:
        if change.path not in held:
            continue
        decision = may_write(context.policy, change.path)
        if not decision:
            raise Denied(decision.why)
        editors.propose(root, agent, change)
        told.append(
            f"{change.path} has unsaved changes in {held[change.path]}: the change was proposed to "
            "the user there. The file on disk is as it was; do not make the change again."
        )
    return ToolOutput("\n".join(told), wrote=output.wrote)
