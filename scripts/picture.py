"""`make picture`: docs/demo.svg from what `make demo` really prints on a terminal. Needs tmux."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, LINES = 104, 60
CELL, LINE, EDGE = 8.0, 18, 16
"""Pixels: the width of a column, the height of a line, the margin."""

INK, GROUND = "#d4d4d4", "#1e1e1e"
COLOURS = {
    **dict.fromkeys((30, 90), "#808080"),
    **dict.fromkeys((31, 91), "#f48771"),
    **dict.fromkeys((32, 92), "#89d185"),
    **dict.fromkeys((33, 93), "#e2c08d"),
    **dict.fromkeys((34, 94), "#75beff"),
    **dict.fromkeys((35, 95), "#d7a6ff"),
    **dict.fromkeys((36, 96), "#5fd7d7"),
    **dict.fromkeys((37, 97), "#ffffff"),
}


@dataclass(frozen=True, slots=True)
class Style:
    """How a piece of text looks."""

    colour: str = INK
    bold: bool = False
    dim: bool = False


def main() -> int:
    """Write the picture."""
    lines = screen("make demo")
    picture = ROOT / "docs" / "demo.svg"
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(drawn(["$ make demo", *lines]), encoding="utf-8")
    print(f"{picture.relative_to(ROOT)}: {len(lines)} lines")
    return 0


def screen(command: str) -> list[str]:
    """What stands on a terminal after `command`, with its colours as escape sequences."""
    with tempfile.TemporaryDirectory() as home:
        keep = {"PATH", "SHELL", "TMPDIR"}
        env = {name: value for name, value in os.environ.items() if name in keep} | {
            "HOME": home,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PATH": f"{ROOT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
        }

        def tmux(*arguments: str) -> str:
            server = ("tmux", "-S", f"{home}/tmux", "-f", os.devnull)
            return subprocess.run(
                (*server, *arguments), env=env, cwd=ROOT, check=True, capture_output=True, text=True
            ).stdout

        # The pane stays until it is killed, so that it can be read when the command has ended.
        end = "daemon stop -C .demo/bottle >/dev/null 2>&1"
        inner = (
            f"{command}; codexd {end}; tmux -S {shlex.quote(home)}/tmux wait-for -S ended; sleep 60"
        )
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), inner)
        tmux("wait-for", "ended")
        shown = tmux("capture-pane", "-p", "-e")
        tmux("kill-server")
    return shown.rstrip().split("\n")


def drawn(lines: list[str]) -> str:
    """The lines as SVG, every piece of text in its own columns whatever the font."""
    width, height = COLUMNS * CELL + 2 * EDGE, len(lines) * LINE + 2 * EDGE
    rows = "\n".join(
        piece
        for number, line in enumerate(lines, 1)
        for piece in pieces(line, EDGE + number * LINE)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" \
height="{height:g}" role="img" aria-label="make demo, as the terminal shows it">
<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" \
font-size="13" fill="{INK}" xml:space="preserve">
{rows}
</g>
</svg>
"""


def pieces(line: str, y: int) -> Iterator[str]:
    """An SVG text for each piece of one style between runs of blanks."""
    column, style = 0, Style()
    for escaped, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
        if not text:
            style = styled(style, escaped)
            continue
        for word in re.findall(r" {2,}|^ |(?:(?! {2}).)+", text):
            n_cells = sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in word)
            if word.strip():
                x, wide = EDGE + column * CELL, n_cells * CELL
                look = f' fill="{style.colour}"' if style.colour != INK else ""
                look += ' font-weight="bold"' if style.bold else ""
                look += ' opacity="0.6"' if style.dim else ""
                yield (
                    f'<text x="{x:g}" y="{y}" textLength="{wide:g}"'
                    f' lengthAdjust="spacingAndGlyphs"{look}>{escape(word)}</text>'
                )
            column += n_cells


def styled(style: Style, codes: str) -> Style:
    """`style` after an SGR sequence."""
    for code in (int(each or 0) for each in codes.split(";")):
        if code == 0:
            style = Style()
        elif code in COLOURS:
            style = replace(style, colour=COLOURS[code])
        elif code == 39:
            style = replace(style, colour=INK)
        elif code in {1, 2, 22}:
            style = replace(style, bold=code == 1, dim=code == 2)
    return style


if __name__ == "__main__":
    sys.exit(main())
