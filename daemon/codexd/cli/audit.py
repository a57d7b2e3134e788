"""The verbs about the journal: `audit show`, `audit export`, `audit verify`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio

from codexd.cli.columns import clean, cut
from codexd.cli.door import Door
from codexd.cli.page import Page
from codexd.orchestrator import Orchestrator

Record = Mapping[str, Any]

_WHEN = ("timestamp", "end_time", "start_time")
_TOLD: Mapping[str, tuple[str, ...]] = {
    "agent_execution": ("status", "tokens_used", "duration_secs", "error", "goal"),
    "api_call": ("model", "finish_reason", "tokens_reserved", "duration_secs", "error"),
    "tool_call": ("tool", "outcome", "duration_secs", "error", "arguments"),
    "security": ("decision", "what", "subject", "by", "scope", "reason"),
    "token_usage": ("input_tokens", "output_tokens", "tokens_charged", "uncertain", "cost_usd"),
}
"""What a line tells of a record, behind when, whose and of what kind it is."""
_LONGEST_VALUE = 60
_WIDE = 120
"""Columns from which a line has room for the day."""


def show(door: Door) -> int:
    """`codexd audit show`."""
    anyio.run(_show, door)
    return 0


def export(door: Door) -> int:
    """`codexd audit export --format json|jsonl|yaml`."""
    anyio.run(_export, door)
    return 0


def verify(door: Door) -> int:
    """`codexd audit verify`: 1 where the chain is broken."""

    async def ask() -> Record:
        async with door.open() as codexd:
            return await codexd.verify()

    report = anyio.run(ask)
    if door.json:
        door.give(report)
    else:
        door.show(verified(report, door.page))
    return 0 if report["ok"] else 1


def verified(report: Record, page: Page) -> list[str]:
    """What `audit verify` says."""
    key = "audit.whole" if report["ok"] else "audit.broken"
    head = page.text(key, events=report["events"], runs=report["runs"])
    faults = [
        "  "
        + page.text("audit.fault", seq=fault["seq"], what=clean(page.text.told(str(fault["what"]))))
        for fault in report["faults"]
    ]
    return [page.ink("green" if report["ok"] else "red", head), *faults]


def _records(codexd: Orchestrator, door: Door) -> AsyncIterator[Record]:
    asked = door.asked
    return codexd.audit(
        run=asked.one("--run"),
        agent=asked.one("--agent"),
        since=asked.one("--since"),
        follow=asked.has("--follow"),
    )


async def _show(door: Door) -> None:
    follow, page, n = door.asked.has("--follow"), door.page, 0
    kept: list[Record] = []
    async with door.open() as codexd:
        async for record in _records(codexd, door):
            n += 1
            if not door.json:
                door.show([line_of(record, page)])
            elif follow:
                # A document that never ends cannot be one: a line a record, as in `jsonl`.
                door.show([json.dumps(record, ensure_ascii=False, default=str)])
            else:
                kept.append(record)
    if door.json and not follow:
        door.give(kept)
    elif not n and not door.json:
        door.show([page.text("audit.none")])


def line_of(record: Record, page: Page) -> str:
    """One record on one line: when, whose, what kind, and what it says.

    What is long is cut: `audit export` has all of it.
    """
    kind = record["event_type"]
    at = next((str(record[key]) for key in _WHEN if record.get(key)), "")
    words = " ".join(
        f"{key}={_value(record[key])}" for key in _TOLD[kind] if record[key] or record[key] is False
    )
    run, agent = record["codexd"]["run"][:8], record["agent_name"] or "-"
    if page.width < _WIDE:
        at, run = at[len("2026-11-21T") : -len(".100Z")], run[:4]
    line = clean(f"{at}  {run}  {agent:<16}  {kind:<15}  {words}").rstrip()
    return cut(line, page.width)


def _value(value: object) -> str:
    """The value as JSON, a word without blanks as it is."""
    if not isinstance(value, str) or not value or {" ", '"'} & set(value):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return cut(value, _LONGEST_VALUE)


async def _export(door: Door) -> None:
    """Write the records as they come: a long log is never held whole."""
    kind = door.asked.one("--format") or "json"
    n = 0
    async with door.open() as codexd:
        async for record in _records(codexd, door):
            if kind == "json":
                dumped = json.dumps(record, ensure_ascii=False, default=str)
                door.out.write(("[\n" if n == 0 else ",\n") + dumped)
            elif kind == "jsonl":
                door.out.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
            else:
                door.out.write(_yaml(record))
            n += 1
    if kind == "json":
        door.out.write("\n]\n" if n else "[]\n")
    elif kind == "yaml" and not n:
        door.out.write("[]\n")
    door.out.flush()


def _yaml(record: Record) -> str:
    """`record` as an item of a YAML list."""
    import yaml

    # libyaml's is ten times as fast, and is not in every build.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    plain = json.loads(json.dumps(record, default=str))
    return yaml.dump([plain], Dumper=dumper, allow_unicode=True, sort_keys=False)
