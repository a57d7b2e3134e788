"""Who has come in: what a client says of itself before the protocol begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's side of the handshake, its token left out."""

    door: str
    """`lsp`: an editor; `cli`: a command of the terminal."""
    version: str
    pid: int
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a run that it starts may be given of its environment; in memory only."""
