"""`Key`: what there is to say of one key of an agent file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from codexd.words import Words


class Kind(StrEnum):
    """What stands at a key: what is completed there, and its type in the JSON schema."""

    TEXT = "text"
    PROSE = "prose"
    """A text of several lines."""
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    OFF = "off"
    """`false` alone."""
    CHOICE = "choice"
    """One of the key's `values`."""
    TEXTS = "texts"
    PATHS = "paths"
    HOSTS = "hosts"
    COMMANDS = "commands"
    TOOLS = "tools"
    SERVERS = "servers"
    SERVER = "server"
    MODEL = "model"
    AGENTS = "agents"
    AGENT = "agent"
    MAP = "map"
    ITEMS = "items"
    """A list of keys and values."""


LISTS = frozenset(
    (
        Kind.TEXTS, Kind.PATHS, Kind.HOSTS, Kind.COMMANDS, Kind.TOOLS, Kind.SERVERS, Kind.AGENTS,
        Kind.ITEMS,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one dialect."""

    path: str
    """`tools.fs.write`; `*` is any item of a list: `termination_conditions.*.type`."""
    kinds: tuple[Kind, ...]
    """What may stand there, the usual one first."""
    about: Words
    """What it means."""
    default: Words | None = None
    """What holds where it is absent; `None`: there is nothing to say."""
    grants: Words | None = None
    """What it lets an agent do or spend; `None`: nothing."""
    values: tuple[str, ...] = ()
    decides: bool = False
    """It says what an agent may do or spend: a slip of the pen in it is an error, since the file
    would otherwise serve with other rights than its author believes."""
    idle: bool = False
    """It means something to the product whose dialect this is, and nothing here."""

    @property
    def name(self) -> str:
        """The last part of its path: what stands in the file."""
        return self.path.rpartition(".")[2]
