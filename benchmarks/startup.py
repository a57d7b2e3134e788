"""How long `codexd --version` and `--help` take, against the bare interpreter.

    python benchmarks/startup.py [--rounds 40] [--json FILE]

The commands take turns, so that whatever else the machine does falls on all of them alike. The
ratio is that of the least times: noise only ever adds. It ends with 1 where a ratio passes its
limit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

LIMITS = {"--version": 1.6, "--help": 4.0, "delegate --help": 4.0, "delegate --help (ja)": 4.0}
"""Times the bare interpreter."""

BARE = "python -c pass"


def main() -> int:
    """Measure, print the table, write the figures; 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    asked = parser.parse_args()
    codexd = command()
    commands = {
        BARE: [sys.executable, "-c", "pass"],
        "--version": [*codexd, "--version"],
        "--help": [*codexd, "--help"],
        "delegate --help": [*codexd, "delegate", "--help"],
        "delegate --help (ja)": [*codexd, "delegate", "--help", "--lang", "ja"],
    }
    times = measure(commands, rounds=asked.rounds)
    bare = min(times[BARE])
    figures = {
        name: {
            "min_ms": round(min(taken) * 1000, 2),
            "median_ms": round(statistics.median(taken) * 1000, 2),
            "ratio": round(min(taken) / bare, 2),
            "limit": LIMITS.get(name),
        }
        for name, taken in times.items()
    }
    print(f"{'command':<22} {'min':>9} {'median':>9} {'ratio':>7} {'limit':>7}")
    for name, row in figures.items():
        limit = f"{row['limit']:.1f} ×" if row["limit"] else ""
        print(
            f"{name:<22} {row['min_ms']:>6.1f} ms {row['median_ms']:>6.1f} ms "
            f"{row['ratio']:>5.2f} × {limit:>7}"
        )
    report = {"benchmark": "startup", "rounds": asked.rounds, "command": codexd, "figures": figures}
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    passed = all(row["limit"] is None or row["ratio"] <= row["limit"] for row in figures.values())
    return 0 if passed else 1


def command() -> list[str]:
    """The installed `codexd` of this interpreter, which is what people start; else the module."""
    installed = shutil.which("codexd", path=sysconfig.get_path("scripts"))
    return [installed] if installed else [sys.executable, "-m", "codexd"]


def measure(commands: dict[str, list[str]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds that each command took, round by round."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent / "daemon")}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 2):
        for name, argv in commands.items():
            began = time.perf_counter()
            subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=True)
            # The first two rounds compile and warm the disk's cache.
            if number >= 2:
                times[name].append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    sys.exit(main())
