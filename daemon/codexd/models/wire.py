"""What a wire format is to `HostedModel`: a request as a body, and events as an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from codexd.config import Provider
from codexd.models.interface import Answer, JsonObject, Request, Usage


@dataclass(frozen=True, slots=True)
class Target:
    """The model that a body is for."""

    provider: Provider
    model: str
    without: frozenset[str] = frozenset()
    """The optional features (`Wire.optional`) that this model has refused."""

    @property
    def name(self) -> str:
        """`PROVIDER/MODEL`."""
        return f"{self.provider.id}/{self.model}"


class Reading(Protocol):
    """One answer as its events come in. Raises `ModelFault` for events that say it failed;
    anything else it raises means that an event made no sense.
    """

    done: bool
    """Whether the last event that matters has come; set from outside at `[DONE]`."""

    def take(self, event: dict[str, Any]) -> str:
        """Take one event in; the text that it adds for people, empty for most."""
        ...

    def answer(self) -> Answer | None:
        """The answer; `None` while it is not whole."""
        ...


@dataclass(frozen=True, slots=True)
class Counter:
    """Where a provider may count the input of a body, without answering it."""

    path: str
    key: str
    """Of its answer: what holds the count."""
    at_root: bool = False
    """Whether `path` is under the host, not under the API's own `/v1`."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire format."""

    path: str
    """Under the provider's base URL."""
    auth: Callable[[str | None], dict[str, str]]
    """The headers that carry the key, and those that every request needs."""
    body: Callable[[Request, Target], dict[str, Any]]
    reading: Callable[[Request, Target], Reading]
    framing: Callable[[Request], int]
    """Tokens that the provider may add to a request on its own."""
    optional: Mapping[str, tuple[str, ...]]
    """Features that not every model of this wire has, each with the words by which a refusal
    names it; what a model has refused once is not sent to it again."""
    counters: tuple[Counter, ...] = ()
    """Where servers of this wire count, each asked until one answers."""
    enforces: Callable[[Request, Target], bool] = lambda request, target: True
    """Whether the schema of the last answer is sent, where there is one and it was not refused."""
    uncounted: frozenset[str] = field(default_factory=frozenset[str])
    """Keys of the body that the counter does not take."""


def tokens(value: Any) -> int | None:
    """`value` as a count of tokens; `None` for anything that is none, a negative one too."""
    return value if type(value) is int and value >= 0 else None


def usage(
    input: int | None, output: int | None, *, cached: Any, reasoning: Any, cache_written: Any = 0
) -> Usage | None:
    """The usage of a call; `None` where the provider did not count, or counted nonsense."""
    if input is None or output is None:
        return None
    return Usage(
        input=input,
        output=output,
        cached=min(tokens(cached) or 0, input),
        reasoning=min(tokens(reasoning) or 0, output),
        cache_written=min(tokens(cache_written) or 0, input),
    )


def inner(data: JsonObject, key: str) -> JsonObject:
    """`data[key]` where it is an object, else an empty one: providers send `null`, or nothing."""
    value = data.get(key)
    return cast("JsonObject", value) if isinstance(value, dict) else {}
