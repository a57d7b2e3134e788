"""How long 1,000 agent files take to be read and checked, against libyaml's events alone.

    python benchmarks/agent_files.py [--files 1000] [--rounds 5] [--json FILE]

Both go over the same files in the same run, so that the ratio says what ours adds wherever it is
run. It ends with 1 where the whole takes longer than its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent.parent / "daemon"))

LIMIT_SECONDS = 1.0
"""For 1,000 files of 41 lines."""

FILE = """\
name: "agent-{n}"
goal: "Comprehensive review number {n} with security, performance, and practices"
tools:
  mcp:
    - grep
    - read_file
    - codebase_search
  fs:
    read: true
    write:
      - "./artifacts"
      - "./reports/{n}"
  net:
    allow:
      - "https://docs.rs/*"
      - "https://doc.rust-lang.org/*"
      - "https://docs.python.org/*"
      - "https://developer.mozilla.org/*"
  shell:
    exec:
      - cargo
      - npm
      - python
      - rustfmt
      - clippy
policies:
  context:
    max_tokens: 40000
    retention: "job"
  secrets:
    redact: true
success_criteria:
  - "Identify all type safety issues in the code"
  - "Detect security vulnerabilities (SQL injection, XSS, etc.)"
  - "Suggest performance optimizations with concrete examples"
  - "Ensure that code follows the practices of its language"
  - "Generate a detailed report with comments on lines"
artifacts:
  - "artifacts/report-{n}.md"
  - "reports/{n}/summary.json"
version: "1.0.{n}"
"""


def main() -> int:
    """Measure, print the table, write the figures; 1 where the limit is passed."""
    parser = argparse.ArgumentParser(description="Time 1,000 agent files.")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        agents = root / ".codex" / "agents"
        agents.mkdir(parents=True)
        paths = [agents / f"agent-{n}.yaml" for n in range(asked.files)]
        for n, path in enumerate(paths):
            path.write_text(FILE.format(n=n), encoding="utf-8")
        figures = measure(jobs(root, paths), rounds=asked.rounds)
    bare = figures["events"]
    limit = LIMIT_SECONDS * asked.files / 1000
    print(f"{asked.files:,} files of {FILE.count(chr(10))} lines, best of {asked.rounds}")
    for name, seconds in figures.items():
        each = seconds / asked.files * 1e6
        print(f"{name:<10} {seconds:>8.3f} s {each:>8.0f} µs a file {seconds / bare:>6.2f} ×")
    whole = figures.get("registry", figures["dialects"])
    print(f"limit      {limit:>8.3f} s: {'held' if whole <= limit else 'PASSED'}")
    report: dict[str, Any] = {
        "benchmark": "agent_files",
        "files": asked.files,
        "seconds": {name: round(seconds, 4) for name, seconds in figures.items()},
        "ratio_to_events": {name: round(each / bare, 2) for name, each in figures.items()},
        "limit_seconds": limit,
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if whole <= limit else 1


def jobs(root: Path, paths: list[Path]) -> dict[str, Callable[[], int]]:
    """What is measured, by name; each returns how many files it found good."""
    from codexd.agents import dialects, registry
    from codexd.agents import yaml as ours

    def events() -> int:
        for path in paths:
            for _ in yaml.parse(path.read_bytes(), Loader=yaml.CLoader):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
                pass
        return len(paths)

    def places() -> int:
        return sum(bool(ours.parse(ours.decode(path.read_bytes())).value) for path in paths)

    def definitions() -> int:
        found = (dialects.read(path, path.read_bytes(), "workspace")[0] for path in paths)
        return sum(definition is not None for definition in found)

    def load() -> int:
        entries = registry.load(root, home=root / "home").entries
        return sum(
            entry.origin == "workspace" and entry.definition is not None for entry in entries
        )

    named = {"events": events, "places": places, "dialects": definitions, "registry": load}
    try:
        load()
    except NotImplementedError:
        del named["registry"]
    return named


def measure(jobs: dict[str, Callable[[], int]], *, rounds: int) -> dict[str, float]:
    """The least seconds of each; they take turns, so that noise falls on all alike."""
    best = dict.fromkeys(jobs, float("inf"))
    n_files = jobs["events"]()
    for _ in range(rounds):
        for name, job in jobs.items():
            began = time.perf_counter()
            n_good = job()
            best[name] = min(best[name], time.perf_counter() - began)
            if n_good != n_files:
                sys.exit(f"{name}: {n_good} of {n_files} files were good")
    return best


if __name__ == "__main__":
    sys.exit(main())
