"""Microseconds of CPU that redaction takes a KB, over a realistic mix.

    python benchmarks/redaction.py [--rounds 15] [--json FILE]

The mix is what tools give back: source of the standard library, JSON, a log, some Japanese text,
and secrets among it. The baseline is one plain pass of one regular expression over the same text.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from _report import Figure, arguments, tell
from codexd.policy.redaction import redact

PAGE = 12_000


def mix() -> list[str]:
    """Pages as large as a tool's result."""
    library = sorted(Path(json.__file__).parent.parent.glob("*.py"))[:60]
    source = [path.read_text("utf-8", "replace")[:PAGE] for path in library]
    records = [{"id": n, "name": f"user {n}", "key": f"k{n:08}", "ok": True} for n in range(200)]
    log = "\n".join(
        f"2026-11-02T10:00:{n % 60:02}.{n:03}Z INFO request id={n * 7919:032x} took {n} ms"
        for n in range(150)
    )
    secret = "sk-proj-" + "aB3dE5gH" * 6
    japanese = "このファイルは設定を読み込みます。\n" * 300
    rest = [
        json.dumps(records)[:PAGE],
        log[:PAGE],
        japanese,
        f"{log[:4000]}\nkey={secret}\n{log[:4000]}",
    ]
    return [*source, *rest * 6]


def microseconds_per_kb(work: Callable[[str], object], pages: list[str]) -> float:
    """One pass over all pages, CPU of this thread."""
    size = sum(len(page.encode("utf-8", "replace")) for page in pages)
    start = time.thread_time()
    for page in pages:
        work(page)
    return (time.thread_time() - start) * 1e6 / (size / 1024)


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=15)
    pages = mix()
    plain = re.compile(r"sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}|AKIA[A-Z0-9]{16}")
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(asked.rounds):
        ours.append(microseconds_per_kb(redact, pages))
        bare.append(microseconds_per_kb(lambda page: plain.sub("", page), pages))
    figures = [
        Figure("redaction, CPU a KB", "µs", ours, at_most=25.0),
        Figure("  one pass of one regex over 3 patterns", "µs", bare),
        Figure("  redaction, against that", "×", [a / b for a, b in zip(ours, bare, strict=True)]),
    ]
    tell("redaction: text as tools give it back", figures, json_path=asked.json)


if __name__ == "__main__":
    main()
