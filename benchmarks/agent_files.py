"""How long 1,000 agent files take to load, validated.

    python benchmarks/agent_files.py [--rounds 7] [--json FILE]

The files are those that codexd comes with, over and over under names of their own, in one
workspace. The baseline parses the same bytes with PyYAML over libyaml, which validates nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import yaml

from _report import Figure, arguments, tell
from codexd.agents.registry import built_in, load

N = 1_000


def write_agents(folder: Path) -> list[Path]:
    """`N` agent files in `folder`."""
    folder.mkdir(parents=True)
    texts = [path.read_text("utf-8") for path in sorted(built_in().glob("*.yaml"))]
    paths: list[Path] = []
    for number in range(N):
        lines = texts[number % len(texts)].split("\n")
        named = [f"name: agent-{number:04}" if each.startswith("name:") else each for each in lines]
        path = folder / f"agent-{number:04}.yaml"
        path.write_text("\n".join(named), "utf-8")
        paths.append(path)
    return paths


def main() -> None:
    """Measure and tell."""
    asked = arguments(argparse.ArgumentParser(description=__doc__), rounds=7)
    first: list[float] = []
    again: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "workspace"), Path(folder, "home")
        paths = write_agents(root / ".codex" / "agents")
        kb = sum(path.stat().st_size for path in paths) / 1024
        for _ in range(asked.rounds):
            began = time.perf_counter()
            registry = load(root, home=home)
            first.append(time.perf_counter() - began)
            ours = [entry for entry in registry.entries if entry.origin == "workspace"]
            assert len(ours) == N, len(ours)
            assert all(entry.definition is not None for entry in ours)
            began = time.perf_counter()
            load(root, home=home, cached=registry.entries)
            again.append(time.perf_counter() - began)
            began = time.perf_counter()
            for path in paths:
                yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
            bare.append(time.perf_counter() - began)
    figures = [
        Figure(f"{N:,} agent files, read and validated", "s", first, at_most=1.0),
        Figure("  looked at again, none changed", "s", again),
        Figure("  PyYAML over libyaml, no validation", "s", bare),
    ]
    tell(f"agent_files: {kb / N:.1f} KB each", figures, json_path=asked.json)


if __name__ == "__main__":
    main()
