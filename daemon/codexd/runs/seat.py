"""What one run is driven with, in memory: its accounts, its model and tools, its mailbox."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import anyio
from pydantic import BaseModel

from codexd.agents.definition import AgentDefinition
from codexd.models import Model, Request, Usage
from codexd.runs import ledger
from codexd.runs.events import Body
from codexd.runs.ledger import Account, Hold
from codexd.runs.run import Run
from codexd.runs.view import Status
from codexd.tools import FileChange, Tool, ToolContext


class Price(Protocol):
    """What a model's tokens cost, in micro-dollars."""

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """An upper bound: every token at its dearest price."""
        ...

    def cost(self, usage: Usage) -> int:
        """What `usage` cost, rounded up."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is ready to answer, and its price; `None`: not known."""

    model: Model
    price: Price | None
    billed: bool


# What arrives in a run's mailbox.


@dataclass(frozen=True, slots=True)
class Outcome:
    """An act has ended: the events that say how."""

    bodies: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The run is to end with `status`."""

    status: Status
    why: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """The provider's own count of the input of one request; `None`: it does not count."""

    model: str
    digest: str
    """Of the request: one with as many items may say more."""
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Wake:
    """What the run waited for may be there: ask again."""


Message: TypeAlias = Outcome | Cancel | Counted | Wake


class Inbox:
    """A mailbox: anyone may put, one takes. It never blocks and never loses."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._event = anyio.Event()

    def put(self, message: Message) -> None:
        """Add a message."""
        self._messages.append(message)
        self._event.set()

    async def take(self) -> list[Message]:
        """All messages that are there, at least one."""
        await self._event.wait()
        return self.take_nowait()

    def take_nowait(self) -> list[Message]:
        """All messages that are there."""
        self._event = anyio.Event()
        messages, self._messages = self._messages, []
        return messages


@dataclass(slots=True)
class Stopwatch:
    """A length of running time: monotonic, summed over drives; a clock step does not count."""

    before_ms: int = 0
    _since: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._since = time.monotonic()

    @property
    def ms(self) -> int:
        """Milliseconds counted so far."""
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self.before_ms + round(running * 1000)


@dataclass(slots=True, eq=False)
class Seat:
    """One run being driven here. `run` is what is committed; the rest is how to go on."""

    run: Run
    account: Account
    money: Account | None = None
    definition: AgentDefinition | None = None
    model: Opened | None = None
    """`None` for a group."""
    light: Opened | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict[str, Tool])
    context: ToolContext | None = None
    parent: Seat | None = None
    readers: frozenset[str] = frozenset()
    """The hosts that were allowed to read the workspace's files, for this run and those below."""
    inbox: Inbox = field(default_factory=Inbox)
    watch: Stopwatch = field(default_factory=Stopwatch)
    opening: tuple[Body, ...] = ()
    """Events to commit when the drive begins."""
    children: list[Seat] = field(default_factory=list["Seat"])
    prepared: tuple[Seat, ...] = ()
    """A group's children, in the order asked."""
    requests: dict[int, tuple[Opened, Request]] = field(
        default_factory=dict[int, tuple[Opened, Request]]
    )
    calls: dict[int, tuple[Tool, BaseModel]] = field(
        default_factory=dict[int, tuple[Tool, BaseModel]]
    )
    child_acts: dict[int, Seat] = field(default_factory=dict[int, "Seat"])
    changes: dict[int, tuple[FileChange, ...]] = field(
        default_factory=dict[int, tuple[FileChange, ...]]
    )
    holds: dict[int, tuple[Hold, Hold | None]] = field(
        default_factory=dict[int, tuple[Hold, Hold | None]]
    )
    scopes: dict[int, anyio.CancelScope] = field(default_factory=dict[int, anyio.CancelScope])
    counted: dict[str, Counted] = field(default_factory=dict[str, Counted])
    """The last count that the provider of each model gave."""
    to_count: tuple[Opened, Request] | None = None
    """A request whose input the provider is to count before it can be admitted."""
    has_slot: bool = False
    waiting: str = ""
    """What it waits for, in words; empty while it does something."""
    streamed: int = 0
    """Bytes of text that the answer in flight has so far (progress)."""

    def close(self) -> None:
        """Give what is left back to the parent's accounts, where the spending joins theirs."""
        for account in (self.account, self.money):
            if account is not None:
                ledger.close(account)

    def wake(self) -> None:
        """Have the run ask again for what it waits for."""
        self.inbox.put(Wake())
