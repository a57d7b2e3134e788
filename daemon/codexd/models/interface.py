"""The one interface of models, and the plain values that cross it.

A model knows no run and no tool: it gets a `Request` of plain data and gives an `Answer`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from pydantic_core import PydanticSerializationError, to_json

JsonObject: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one call took, as the model counted them."""

    input: int
    """All input tokens, cached ones included."""
    output: int
    """All output tokens, reasoning included."""
    cached: int = 0
    """Of `input`, those read from the provider's cache."""
    reasoning: int = 0
    """Of `output`, those not shown."""
    cache_written: int = 0
    """Of `input`, those written into the provider's cache (Anthropic bills them dearer)."""

    @property
    def total(self) -> int:
        """What counts against a budget: input + output."""
        return self.input + self.output

    @property
    def is_possible(self) -> bool:
        """Whether one call can have taken that; what a provider counts beside it is nonsense."""
        return 0 <= self.input <= MOST_TOKENS and 0 <= self.output <= MOST_TOKENS


MOST_TOKENS = 10**9


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A tool as a model sees it. `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model asks for. `arguments` is JSON text as it came, valid or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class UserText:
    """What a user (or the loop on its behalf) says."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolReply:
    """The result of one `ToolCall`, marked as data where it comes from outside."""

    call_id: str
    name: str
    text: str
    is_error: bool = False


class Stop(StrEnum):
    """Why an answer ended."""

    END = "end"
    TOOL_CALLS = "tool_calls"
    MAX_OUTPUT = "max_output"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer of a model; also the item that stands for it in the conversation."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    opaque: tuple[JsonObject, ...] = ()
    """Provider items to send back byte for byte (encrypted reasoning, signatures), in order."""
    stop: Stop = Stop.END
    usage: Usage | None = None
    """`None`: the provider sent none, and the call is settled at its reservation."""
    model: str = ""
    """The id that the provider says answered."""


Item: TypeAlias = UserText | Answer | ToolReply


@dataclass(frozen=True, slots=True)
class Brief:
    """What the run is about, as data. Wire formats have it in their prompt; rules read it here."""

    agent: str
    purpose: str
    """The definition's own goal and description."""
    goal: str
    """What is wanted from this run, in the user's words; the standing goal where none was given."""
    scope: tuple[str, ...] = ()
    """Workspace-relative paths; empty: the whole workspace."""
    criteria: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    """Paths or patterns that the run is to write, as it is to write them."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a model: the conversation so far and what it may do next."""

    system: str
    items: tuple[Item, ...]
    tools: tuple[ToolSchema, ...]
    max_output: int
    """The output cap, in tokens, that the call may not pass."""
    brief: Brief
    answer_schema: JsonObject | None = None
    """JSON Schema of the last answer; a wire that can enforce it does."""
    temperature: float | None = None
    effort: str | None = None
    """How hard to think, in the provider's words (`low`, `high`); a model that has none ignores
    it."""
    lightweight: bool = False
    """The budget is nearly spent: finish now with what is there."""


def digest(request: Request) -> str:
    """What tells one conversation from another: the sha256 of what the model is to read.

    The output cap is left out, since it is what the budget had room for, and so are an answer's
    usage and model id, which are about the call.
    """
    items = [
        replace(item, usage=None, model="") if isinstance(item, Answer) else item
        for item in request.items
    ]
    read = (request.system, items, request.tools, request.answer_schema)
    try:
        data = to_json(read)  # a fifth of what `repr` takes
    except PydanticSerializationError:
        # Halves of surrogate pairs, from the name of a file perhaps, are no UTF-8.
        data = repr(read).encode(errors="surrogatepass")
    return hashlib.sha256(data).hexdigest()


OnText: TypeAlias = Callable[[str], None]


class Model(Protocol):
    """Whatever answers a conversation."""

    @property
    def name(self) -> str:
        """`PROVIDER/MODEL`, or `offline`."""
        ...

    @property
    def host(self) -> str:
        """The network host that reads what is sent; empty where nothing leaves the machine."""
        ...

    @property
    def caps_output(self) -> bool:
        """Whether `max_output` is enforced by whoever answers."""
        ...

    @property
    def reports_usage(self) -> bool:
        """Whether an ordinary answer carries `usage`."""
        ...

    @property
    def exact(self) -> bool:
        """Whether `input_bound` and `wanted_output` are what a call takes, not bounds of it."""
        ...

    @property
    def window(self) -> int | None:
        """Tokens of input + output that one call can hold; `None` where unknown."""
        ...

    def wanted_output(self, request: Request) -> int:
        """The output cap to ask for, in tokens, where the budget has room (`max_output` unread)."""
        ...

    def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
        """An upper bound of the request's input tokens; pure and quick.

        `settled` is (number of leading items, tokens): the usage (input + output) of the last
        answer by this same model covers that many items, system and tools included.
        """
        ...

    async def count_input(self, request: Request) -> int | None:
        """The provider's own count of the request's input; `None` where it has no such endpoint.

        Asked only where `input_bound` leaves no room for the output wanted. Raises `ModelFault`.
        """
        ...

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        """Answer `request`; hand pieces of text to `on_text` as they come.

        Raises `ModelFault`. Retries happen only before a 2xx; after that a cut is an outcome.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model that a provider offers (`codexd models`)."""

    provider: str
    id: str
    details: JsonObject = field(default_factory=dict[str, Any])
