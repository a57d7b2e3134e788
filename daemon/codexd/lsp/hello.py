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


@dataclass(frozen=True, slots=True)
class Declared:
    """What a client takes of codexd's own messages: `capabilities.experimental.codexd`.

    To a client that declares nothing only messages of LSP itself are sent.
    """

    events: bool = False
    """It takes `codexd/events` and `codexd/agentsChanged`."""
    approve: bool = False
    """It answers `codexd/approve`."""
    progress: bool = True
    """`false`: it shows runs by itself, and wants no work-done progress of them."""
