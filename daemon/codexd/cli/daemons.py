"""The verbs about the daemon, and what an editor starts: `daemon …`, `lsp`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

import anyio

from codexd.cli.columns import clean, cut, pad
from codexd.cli.door import Door
from codexd.cli.page import Page
from codexd.cli.units import duration, read_count
from codexd.config.workspace import find_workspace, home_of
from codexd.daemon import attach, ending
from codexd.daemon.bridge import bridge
from codexd.daemon.endpoint import Place
from codexd.errors import Unavailable

NOT_RUNNING = 3
"""The exit status of `daemon status` where there is none."""
FOLLOW_SECONDS = 0.2
"""How often the log is looked at."""

Row = Mapping[str, Any]


def lsp(door: Door) -> int:
    """`codexd lsp`."""
    return bridge(door.env, standalone=door.asked.has("--standalone"))


def start(door: Door) -> int:
    """`codexd daemon start`: also where CI is true."""
    root = _root(door)
    attached = attach.attach(root, door.env, door="status")
    attached.sock.close()
    if door.json:
        door.give({"running": True, "started": attached.started, **_facts(attached)})
    else:
        key = "daemon.started" if attached.started else "daemon.there"
        end = door.command("codexd daemon stop")
        door.show([door.text(key, pid=attached.pid, root=clean(root), end=end)])
    return 0


def stop(door: Door) -> int:
    """`codexd daemon stop`: returns when it is gone."""
    pid = _end(door)
    if door.json:
        door.give({"stopped": pid or None})
    else:
        door.show([door.text("daemon.stopped", pid=pid) if pid else _none(door)])
    return 0


def restart(door: Door) -> int:
    """`codexd daemon restart`."""
    _end(door)
    return start(door)


def status(door: Door) -> int:
    """`codexd daemon status`: 3 where none runs."""
    attached = attach.find(_root(door), door.env, door="status")
    if attached is None:
        if door.json:
            door.give({"running": False})
        else:
            door.show([_none(door)])
        return NOT_RUNNING
    attached.sock.close()
    facts = _facts(attached)
    if door.json:
        door.give({"running": True, **facts})
    else:
        door.show(status_page(facts, door.page))
    return 0


def logs(door: Door) -> int:
    """`codexd daemon logs`."""
    limit = read_count("--limit", door.asked.one("--limit") or "50")
    path = Path(Place(_root(door), door.env).log)
    if not path.exists() and not door.asked.has("--follow"):
        if not door.json:
            door.show([door.text("daemon.no-log", path=clean(str(path)))])
        return 0
    for line in _last_lines(path, limit):
        _show(line, door)
    if door.asked.has("--follow"):
        anyio.run(_follow, path, door)
    return 0


def _root(door: Door) -> str:
    return str(find_workspace(door.folder, home=home_of(door.env)).root)


def _end(door: Door) -> int:
    """The pid of the daemon that has ended; 0 where none ran."""
    root = _root(door)
    try:
        attached = attach.find(root, door.env, door="stop")
    except Unavailable:
        attached = None  # it hangs: it is not asked, but ended
    return ending.end(Place(root, door.env), attached.sock if attached else None)


def _none(door: Door) -> str:
    return door.text("daemon.none", root=clean(_root(door)))


def _facts(attached: attach.Attached) -> dict[str, object]:
    """What a daemon says of itself."""
    return {name: value for name, value in attached.answer.items() if name != "codexd"}


def status_page(facts: Row, page: Page) -> list[str]:
    """What `daemon status` says."""
    text, idle = page.text, facts["idle_seconds"]
    stays = text("daemon.idle", time=duration(idle, text)) if idle else text("daemon.stays")
    rows = (
        ("pid", str(facts["pid"])),
        (text("daemon.version"), f"codexd {facts['version']}"),
        (text("daemon.root"), str(facts["root"])),
        (text("daemon.uptime"), duration(facts["uptime_seconds"], text)),
        (text("daemon.clients"), str(facts["clients"])),
        (text("daemon.runs"), str(facts["runs"])),
        (text("daemon.exit"), stays),
        (text("daemon.log"), str(facts["log"])),
    )
    return [f"{pad(label, 16)}{clean(words)}" for label, words in rows]


def log_line(row: Row, page: Page) -> str:
    """One line of the log for people: when, how bad, what, of which run, and what it says."""
    said: dict[str, object] = {
        "agent": row.get("agent"),
        "run": str(row.get("run") or "")[:8],
        "ms": row.get("duration_ms"),
        **cast("dict[str, object]", row.get("metadata") or {}),
    }
    words = " ".join(f"{name}={value}" for name, value in said.items() if value not in (None, ""))
    line = f"{row.get('timestamp')}  {row.get('level'):<7}  {row.get('event')}  {words}"
    return cut(clean(line).rstrip(), page.width)


def _show(line: str, door: Door) -> None:
    """Write one line of the log."""
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if door.json or not isinstance(row, dict):
        # What the interpreter says when all else fails is no JSON.
        door.show([line if door.json else clean(line)])
    else:
        door.show([log_line(cast("Row", row), door.page)])


def _last_lines(path: Path, n: int) -> list[str]:
    """The last `n` lines of the log, those before it was begun anew among them."""
    lines: list[str] = []
    for each in (Path(f"{path}.1"), path):
        if each.exists():
            lines += each.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-n:]


async def _follow(path: Path, door: Door) -> None:
    """Write what is added to the log, until somebody has seen enough."""
    file = _at_end(path)
    while True:
        for line in _added(file):
            _show(line, door)
        if file is None or _is_another(file, path):
            # It was begun anew: what was added to the old one has been shown.
            if file is not None:
                file.close()
            file = _opened(path)
            if file is not None:
                continue
        await anyio.sleep(FOLLOW_SECONDS)


def _opened(path: Path) -> TextIO | None:
    try:
        return path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _at_end(path: Path) -> TextIO | None:
    file = _opened(path)
    if file is not None:
        file.seek(0, os.SEEK_END)
    return file


def _added(file: TextIO | None) -> Iterator[str]:
    while file is not None and (line := file.readline()):
        yield line.rstrip("\n")


def _is_another(file: TextIO, path: Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
