"""How long `codexd --version` and `--help` take, against the bare interpreter.

    python benchmarks/startup.py [--rounds 25] [--json FILE]

The installed command of this interpreter is measured: what people start. The commands take
turns, so that whatever else the machine does falls on all of them alike; each ratio is to the
bare interpreter of the same round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping

from _report import Figure, arguments, tell

BARE = "python -c pass"
LIMITS = {"--version": 1.6, "--help": 4.0, "delegate --help": 4.0, "--help --lang ja": 4.0}
"""Times the bare interpreter."""
OTHERS = ("completion bash", "agents list", "runs list")
"""What is shown beside them, without a promise."""


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=25)
    commands = {BARE: [sys.executable, "-c", "pass"]}
    commands |= {line: [*command(), *line.split()] for line in (*LIMITS, *OTHERS)}
    with tempfile.TemporaryDirectory() as home:
        seconds = measure(commands, rounds=asked.rounds, home=home)
    bare = seconds.pop(BARE)
    figures = [Figure(BARE, "ms", [1000 * taken for taken in bare])]
    for line, taken in seconds.items():
        ratios = [ours / theirs for ours, theirs in zip(taken, bare, strict=True)]
        figures.append(Figure(f"codexd {line}", "×", ratios, at_most=LIMITS.get(line)))
    tell("startup: against the bare interpreter", figures, json_path=asked.json)


def command() -> list[str]:
    """The installed `codexd` of this interpreter; else the module."""
    installed = shutil.which("codexd", path=sysconfig.get_path("scripts"))
    return [installed] if installed else [sys.executable, "-m", "codexd"]


def measure(commands: Mapping[str, list[str]], *, rounds: int, home: str) -> dict[str, list[float]]:
    """Seconds that each command took, round by round, in an empty workspace."""
    env = {"HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 2):
        for name, argv in commands.items():
            began = time.perf_counter()
            subprocess.run(argv, env=env, cwd=home, capture_output=True, check=True)
            # The first two rounds compile and warm the disk's cache.
            if number >= 2:
                seconds[name].append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    main()
