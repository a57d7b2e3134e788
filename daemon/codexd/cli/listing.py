"""`codexd agents list`: from the daemon where one runs, else looked up here."""

from __future__ import annotations

import os
import sys

from codexd.cli.columns import cells, clean, cut, table
from codexd.cli.page import page_of
from codexd.cli.text import Text, language

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    from codexd.cli.door import Door
    from codexd.cli.page import Page

    Row: TypeAlias = Mapping[str, Any]
    """An `AgentRow`, or a `Diagnostic`, as JSON has it."""


def list_(door: Door) -> int:
    """`codexd agents list`."""
    found = None if door.env.get("CI") == "true" else _asked(door)
    found = found or _looked_up(door)
    rows: Sequence[Row] = found["agents"]
    if door.asked.has("--names"):
        served = [row for row in rows if row["shadowed_by"] is None and row["name"] is not None]
        door.show([row["slug"] for row in served])
        return 0
    for remark in found["problems"]:
        line = _remark(remark).removeprefix(f"{door.root}/")
        door.err.write(f"{clean(line)}\n")
    if door.json:
        door.give(rows)
    else:
        door.show(agents_table(rows, door.page))
    return 0


def quickly() -> int | None:
    """`codexd agents list`, without a flag: `None` where no daemon can be asked.

    It takes a third of what parsing the command line takes, and is typed as often as `ls`.
    """
    from codexd.cli.quick import ask

    found = None if os.environ.get("CI") == "true" else ask(".", os.environ, "agents")
    if found is None or found["problems"]:
        return None
    sys.stdout.reconfigure(errors="replace")  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    page = page_of(sys.stdout, Text(language([], os.environ)), os.environ)
    sys.stdout.write("".join(f"{line}\n" for line in agents_table(found["agents"], page)))
    return 0


def _asked(door: Door) -> Row | None:
    from codexd.cli.quick import ask

    return ask(door.asked.one("--cd") or ".", door.env, "agents")


def _looked_up(door: Door) -> Row:
    """The agents alone: nothing of a run is needed, and a journal that is broken not opened."""
    from codexd.agents.listing import agent_rows
    from codexd.cli.agents import looked_up
    from codexd.cli.plain import plain

    config, registry = looked_up(door)
    rows = agent_rows(registry.entries, config)
    return {"agents": plain(rows), "problems": plain(registry.diagnostics)}


def _remark(row: Row) -> str:
    """As `str(Diagnostic)`."""
    nearest = f"; nearest `{row['nearest']}`" if row["nearest"] else ""
    place = f"{row['path']}:{row['line']}:{row['column']}"
    return f"{place}: {row['severity']}: {row['message']}{nearest}"


def agents_table(rows: Sequence[Row], page: Page) -> list[str]:
    """A row an agent: name, where it is from, its budget, what it is for or what is wrong."""
    text = page.text
    if not rows:
        return [text("agents.none")]
    head = [
        text("column.agent"),
        text("column.origin"),
        text("column.budget"),
        text("column.about"),
    ]
    body = [_cells(row, page) for row in rows]
    left = table([[*row[:3], "|"] for row in [head, *body]], right=(2,))
    room = page.width - max(cells(line) - 1 for line in left)
    if room < 12:
        return [
            line
            for row in body
            for line in (f"{row[0]}  {row[1]}", f"  {cut(row[3], page.width - 2)}")
        ]
    lines = table([[*row[:3], cut(row[3], room)] for row in [head, *body]], right=(2,))
    lines[0] = page.ink("dim", lines[0])
    if any(row["problems"] for row in rows):
        lines += ["", text("agents.validate-hint")]
    return lines


def _cells(row: Row, page: Page) -> list[str]:
    text = page.text
    marks: list[str] = []
    if row["problems"]:
        marks.append(text.count("agents.problems", len(row["problems"])))
    if row["shadowed_by"] is not None:
        marks.append(text("agents.shadowed", path=row["shadowed_by"]))
    return [
        clean(row["slug"]),
        row["origin"],
        f"{row['budget']:,}" if row["budget"] is not None else "",
        clean("; ".join(filter(None, [*marks, row["description"] or row["goal"]]))),
    ]
