"""Expected terminal output in plain text files; `GOLDEN=write` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "golden"


def check(name: str, lines: list[str]) -> None:
    """`lines` are what `golden/NAME.txt` holds."""
    path = _FOLDER / f"{name}.txt"
    got = "\n".join(lines) + "\n"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")
