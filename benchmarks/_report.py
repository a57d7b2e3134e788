"""How a benchmark says what it measured: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import statistics
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what each round gave, and what is promised of it."""

    name: str
    unit: str
    samples: Sequence[float]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def value(self) -> float:
        """The median: what is judged and quoted."""
        return statistics.median(self.samples)

    @property
    def target(self) -> str:
        """`≤ 4.00`; empty where nothing is promised."""
        if self.at_most is not None:
            return f"≤ {self.at_most:.2f}"
        return "" if self.at_least is None else f"≥ {self.at_least:.2f}"

    @property
    def verdict(self) -> str:
        """`met` or `MISSED`; empty where nothing is promised."""
        if not self.target:
            return ""
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return "met" if low and high else "MISSED"


def arguments(parser: argparse.ArgumentParser, *, rounds: int) -> argparse.Namespace:
    """What was asked for, with the two options that every benchmark has."""
    parser.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def tell(title: str, figures: Iterable[Figure], *, json_path: Path | None) -> None:
    """Print the table; write the JSON where a path was given."""
    figures = list(figures)
    width = max(len(figure.name) for figure in figures)
    head = f"{'min':>9}{'median':>9}{'max':>9}  {'unit':<6}{'target':>9}"
    print(f"{title}\n{'':{width}}{head}")
    for figure in figures:
        low, high = min(figure.samples), max(figure.samples)
        numbers = "".join(f"{number:9.2f}" for number in (low, figure.value, high))
        unit = figure.unit + " " * (6 - _columns(figure.unit))
        line = f"{figure.name:{width}}{numbers}  {unit}{figure.target:>9}  {figure.verdict}"
        print(line.rstrip())
    print(flush=True)
    if json_path is not None:
        report = {"title": title, "figures": [_plain(figure) for figure in figures]}
        json_path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _plain(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "min": round(min(figure.samples), 4),
        "median": round(figure.value, 4),
        "max": round(max(figure.samples), 4),
        "rounds": len(figure.samples),
        "target": figure.target or None,
        "met": {"met": True, "MISSED": False}.get(figure.verdict),
    }


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
