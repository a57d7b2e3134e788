"""Microseconds of CPU that redaction takes a KB, over a realistic mix; limit: 25.

    python benchmarks/redaction.py [--json PATH]

The mix is what tools give back: source of the standard library, JSON, a log, some Japanese text,
and secrets among it. The baseline is one plain pass of one regular expression over the same text.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "daemon"))

from codexd.policy.redaction import redact

LIMIT_US_PER_KB = 25.0
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
    """The best of five passes, CPU of this thread."""
    size = sum(len(page.encode("utf-8", "replace")) for page in pages)
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        for page in pages:
            work(page)
        best = min(best, time.thread_time() - start)
    return best * 1e6 / (size / 1024)


def main() -> int:
    """Print the figures; 1 where the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    pages = mix()
    plain = re.compile(r"sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}|AKIA[A-Z0-9]{16}")
    ours = microseconds_per_kb(redact, pages)
    baseline = microseconds_per_kb(lambda page: plain.sub("", page), pages)
    figures = {
        "redaction_us_per_kb": round(ours, 2),
        "one_regex_us_per_kb": round(baseline, 2),
        "ratio": round(ours / baseline, 2),
        "limit_us_per_kb": LIMIT_US_PER_KB,
        "ok": ours <= LIMIT_US_PER_KB,
    }
    print(
        f"redaction {ours:.1f} µs/KB (limit {LIMIT_US_PER_KB:.0f}), "
        f"{ours / baseline:.2f} × one plain regex over three patterns ({baseline:.1f} µs/KB)"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
