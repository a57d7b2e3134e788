"""Which files a sweep looks at: grep, glob and the search index have one answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from codexd.errors import CodexdError, ToolFault
from codexd.policy import Policy
from codexd.policy.files import inside, read_bytes, walk
from codexd.policy.paths import covers
from codexd.tools.interface import ToolContext

LARGEST = 4_000_000
"""Bytes; larger files are not searched."""


def starts(paths: Sequence[str], context: ToolContext) -> tuple[str, ...]:
    """Where a sweep begins: the paths asked for, else the run's scope, else everything.

    Raises `Denied` for what is no path of the workspace.
    """
    wanted = paths or context.scope or (".",)
    return tuple(dict.fromkeys(inside(context.root, path) for path in wanted))


def files_below(
    paths: Sequence[str], context: ToolContext, globs: Sequence[str] = (), *, ignored: bool = False
) -> Iterator[str]:
    """The readable files at and below `paths` that `globs` select, each once.

    Raises `Denied` or `ToolFault` for a path that may not be read or is not there.
    """
    selects = selector(globs)
    seen: set[str] = set()
    for start in paths:
        for path in walk(context.root, context.policy, start, ignored=ignored):
            if path not in seen and selects(path):
                seen.add(path)
                yield path


def selector(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is selected by `globs`: by any of the plain ones and none that begin `!`.

    A glob without a slash matches the file's name at any depth, one with a slash the path from
    the workspace folder; `{a,b}` are alternatives.
    """
    wanted = [each for glob in globs if not glob.startswith("!") for each in _alternatives(glob)]
    barred = [each for glob in globs if glob.startswith("!") for each in _alternatives(glob[1:])]

    def selects(path: str) -> bool:
        return (not wanted or any(covers(glob, path) for glob in wanted)) and not any(
            covers(glob, path) for glob in barred
        )

    return selects


def _alternatives(glob: str) -> list[str]:
    glob = glob.removeprefix("./")
    spelled = list(islice(_expand(glob), 201))
    if len(spelled) > 200:
        raise ToolFault(f"`{glob}` has too many alternatives", help="use fewer braces")
    # A folder (`src/`) means what is below it; `covers` reads a path without wildcards so.
    return [
        each.lstrip("/") if "/" in each.rstrip("/") or each.endswith("/") else f"**/{each}"
        for each in spelled
    ]


def _expand(glob: str) -> Iterator[str]:
    innermost = re.search(r"\{([^{}]*,[^{}]*)\}", glob)
    if innermost is None:
        yield glob
        return
    for choice in innermost[1].split(","):
        yield from _expand(glob[: innermost.start()] + choice + glob[innermost.end() :])


def is_small(path: Path) -> bool:
    """Whether the file is there and no larger than what is searched."""
    try:
        return path.lstat().st_size <= LARGEST
    except OSError:
        return False


def read_or_none(path: str, root: Path, policy: Policy, *, largest: int = LARGEST) -> bytes | None:
    """The bytes of a text file; `None` for one that is gone, refused, too large or binary."""
    try:
        data = read_bytes(root, policy, path, limit=largest + 1)
    except (CodexdError, OSError):
        # Swept files come and go; a sweep is about those that can be read.
        return None
    return None if len(data) > largest or b"\0" in data else data
