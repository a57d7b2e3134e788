"""Real editors without a screen, set up as the page says, and what people do in them.

An editor goes through one scenario and tells on its stdout what it sees, one JSON object a line.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.cli.program import environment
from tests.needs import missing, needs

HERE = Path(__file__).parent
_DOCS = HERE.parent.parent.parent / "docs"
PAGES = (_DOCS / "editors.md", _DOCS / "editors.ja.md")
"""Where people read how their editor is set up."""
SECONDS = 60
"""How long anything that is waited for may take on the busiest machine."""
MOST = 1 << 20
"""Bytes of a line."""
PACKAGES = Path("/usr/share/emacs/site-lisp/elpa")
"""Where Debian has Emacs' packages."""


@dataclass(frozen=True)
class Editor:
    """One editor that people have."""

    name: str
    heading: str
    """On the page, over its settings."""
    settings: str
    """The name of the file with them."""
    argv: Callable[[Path], list[str]]
    """How it is started, by the file with the settings."""

    @asynccontextmanager
    async def doing(self, scenario: str, workspace: Path) -> AsyncGenerator[Watched]:
        """The editor, going through a scenario; it has ended with the block, well or killed."""
        with TemporaryDirectory() as folder:
            settings, noise = Path(folder) / self.settings, Path(folder) / "stderr"
            settings.write_text(block(self.heading), encoding="utf-8")
            env = environment(CI="", EDITOR_FOLDER=str(HERE), EDITOR_SCENARIO=scenario)
            with noise.open("wb") as stderr:
                process = await anyio.open_process(
                    self.argv(settings), cwd=workspace, env=env, stdin=DEVNULL, stderr=stderr
                )
            try:
                watched = Watched(self.name, process, noise)
                yield watched
                await watched.ended()
            finally:
                if process.returncode is None:
                    process.kill()
                await process.aclose()


@dataclass
class Watched:
    """An editor under way, and what it has told."""

    name: str
    process: Process
    noise: Path
    told: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._lines = BufferedByteReceiveStream(self.process.stdout)

    async def saw(self, name: str) -> Any:
        """What the editor tells under `name`, now or later."""
        with anyio.fail_after(SECONDS):
            while name not in self.told:
                await self._next(name)
        return self.told[name]

    async def _next(self, awaited: str) -> None:
        try:
            line = await self._lines.receive_until(b"\n", MOST)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            raise AssertionError(f"{self.name} ended before {awaited}: {self._why()}") from None
        self.told |= json.loads(line)
        if "fault" in self.told:
            raise AssertionError(f"{self.name}: {self.told['fault']}\n{self._why()}")

    def _why(self) -> str:
        return self.noise.read_text(encoding="utf-8", errors="replace")[-4_000:]

    async def ended(self) -> None:
        """Return when it has ended of itself, or was killed."""
        if self.process.returncode is None:
            await self.saw("done")
            with anyio.fail_after(SECONDS):
                await self.process.wait()
            assert self.process.returncode == 0, self._why()

    async def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        await self.process.wait()


def block(heading: str) -> str:
    """The settings that stand on the page under `heading`."""
    page = PAGES[0].read_text(encoding="utf-8")
    settings = rf"^## {re.escape(heading)}$.*?^```\w+\n(.*?)^```$"
    found = re.search(settings, page, re.MULTILINE | re.DOTALL)
    assert found, f"no settings under {heading}"
    return found[1]


def _neovim(program: str, script: str) -> Callable[[Path], list[str]]:
    def argv(settings: Path) -> list[str]:
        path = str(Path(sys.executable).parent / "nvim") if program == "nvim" else program
        if not Path(path).exists():
            missing(path)
        return [path, "--headless", "--clean", "-n", "-u", str(settings),
                "-c", f"luafile {HERE / script}"]  # fmt: skip

    return argv


def _emacs(settings: Path) -> list[str]:
    paths = [word for path in sorted(PACKAGES.glob("*/")) for word in ("-L", str(path))]
    if not (list(PACKAGES.glob("eglot-*")) and list(PACKAGES.glob("yaml-mode-*"))):
        missing("the Debian packages elpa-eglot and elpa-yaml-mode")
    return [needs("emacs"), "--batch", "-Q", *paths, "-l", str(settings),
            "-l", str(HERE / "emacs.el")]  # fmt: skip


NEOVIM_07 = Editor(
    "Neovim 0.7", "Neovim 0.7 to 0.10", "init.lua", _neovim("/usr/bin/nvim", "neovim_07.lua")
)
NEOVIM_011 = Editor("Neovim 0.11", "Neovim 0.11", "init.lua", _neovim("nvim", "neovim_011.lua"))
EMACS = Editor("Emacs", "Emacs", "init.el", _emacs)
EDITORS = (NEOVIM_07, NEOVIM_011, EMACS)
