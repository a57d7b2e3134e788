"""Files and folders of the workspace, one listing at a time, for grants of paths."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from codexd.errors import CodexdError, Source
from codexd.policy import Grant, Layer
from codexd.policy.files import unignored
from codexd.policy.paths import names_protected

MAX_PATHS = 200

_READS = (Layer("editor", Source("<editor>"), read=(Grant("./**", Source("<editor>")),)),)


def paths_at(root: Path, begun: str, *, writing: bool) -> list[str]:
    """The paths that go on with `begun`, in its own spelling; a folder's has a slash. What git
    ignores and what is protected is left out.
    """
    above = begun[: begun.rfind("/") + 1]
    try:
        entries = unignored(root, _READS, above.rstrip("/") or ".")
    except (CodexdError, OSError, ValueError):
        return []
    found = (
        f"{above or './'}{entry.name}{'/' if entry.kind == 'folder' else ''}"
        for entry in entries
        if entry.kind in ("folder", "file")
    )
    return list(
        islice((path for path in found if not names_protected(path, writing=writing)), MAX_PATHS)
    )
