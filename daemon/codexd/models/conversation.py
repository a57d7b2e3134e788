"""A conversation as every wire needs it: turns in order, and answers put together again.

What a provider wants back byte for byte travels in `Answer.opaque`. The first entry says whose it
is, since another model cannot read it; the others are the provider's items, with a marker where
the answer's text and calls stood between them. Text is never in there twice: what was redacted
in an answer stays redacted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from codexd.models.interface import Answer, Item, JsonObject, ToolCall, ToolReply, UserText

MARK = "codexd"
BETWEEN = "\n\n"
"""What stands between the parts of an answer's text."""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """All that stands between two answers, as one turn: results first, in the order asked."""

    replies: tuple[ToolReply, ...]
    texts: tuple[str, ...]


Turn: TypeAlias = UserTurn | Answer


@dataclass(frozen=True, slots=True)
class Said:
    """A stretch of an answer's text."""

    text: str
    more: JsonObject = field(default_factory=dict[str, Any])
    """What else the provider's item holds."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call of an answer."""

    call: ToolCall
    more: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Raw:
    """An item of the provider, as it came."""

    item: JsonObject


Part: TypeAlias = Said | Called | Raw


def turns(items: Iterable[Item]) -> list[Turn]:
    """`items` with everything between two answers gathered; answers that said nothing left out."""
    found: list[Turn] = []
    asked: tuple[ToolCall, ...] = ()
    waiting: list[UserText | ToolReply] = []
    for item in items:
        if not isinstance(item, Answer):
            waiting.append(item)
        elif item.text.strip() or item.calls or item.opaque:
            found += _user_turn(waiting, asked)
            waiting = []
            found.append(item)
            asked = item.calls
    return found + _user_turn(waiting, asked)


def _user_turn(waiting: Sequence[UserText | ToolReply], asked: Sequence[ToolCall]) -> list[Turn]:
    if not waiting:
        return []
    place = {call.id: i for i, call in enumerate(asked)}
    replies = [item for item in waiting if isinstance(item, ToolReply)]
    replies.sort(key=lambda reply: place.get(reply.call_id, len(place)))
    texts = tuple(item.text for item in waiting if isinstance(item, UserText))
    return [UserTurn(tuple(replies), texts)]


def pack(model: str, parts: Sequence[Part]) -> tuple[JsonObject, ...]:
    """`Answer.opaque` for an answer of `model` that came in `parts`; empty where all of it is in
    the answer's text and calls.
    """
    if not any(isinstance(part, Raw) or part.more for part in parts):
        return ()
    packed: list[JsonObject] = [{MARK: "from", "model": model}]
    for part in parts:
        match part:
            case Said(text, more):
                packed.append({MARK: "text", "chars": len(text), "more": more})
            case Called(call, more):
                packed.append({MARK: "call", "id": call.id, "more": more})
            case Raw(item):
                packed.append(item)
    return tuple(packed)


def unpack(answer: Answer, model: str) -> list[Part]:
    """The parts of `answer` in the order they came, for `model` to read again.

    The opaque ones are left out where another model made them.
    """
    ours = bool(answer.opaque) and answer.opaque[0] == {MARK: "from", "model": model}
    if not ours:
        said = [Said(answer.text)] if answer.text.strip() else []
        return [*said, *(Called(call) for call in answer.calls)]
    texts = _stretches(answer)
    calls = {call.id: call for call in answer.calls}
    parts: list[Part] = []
    for entry in answer.opaque[1:]:
        match entry.get(MARK):
            case "text":
                if text := next(texts, ""):
                    parts.append(Said(text, entry["more"]))
            case "call":
                if call := calls.get(entry["id"]):
                    parts.append(Called(call, entry["more"]))
            case _:
                parts.append(Raw(entry))
    # An answer cut in its thoughts; OpenAI and Anthropic refuse some that led to nothing.
    while parts and isinstance(parts[-1], Raw):
        parts.pop()
    return parts


def _stretches(answer: Answer) -> Iterator[str]:
    """The answer's text cut as it came; in one piece where redaction has changed its length."""
    sizes = [entry["chars"] for entry in answer.opaque if entry.get(MARK) == "text"]
    if sum(sizes) + len(BETWEEN) * (len(sizes) - 1) != len(answer.text):
        return iter([answer.text])
    stretches: list[str] = []
    start = 0
    for size in sizes:
        stretches.append(answer.text[start : start + size])
        start += size + len(BETWEEN)
    return iter(stretches)


def joined(parts: Iterable[Part]) -> str:
    """The text of an answer that came in `parts`."""
    return BETWEEN.join(part.text for part in parts if isinstance(part, Said))


def reply_text(reply: ToolReply) -> str:
    """The text of `reply` for a wire that has no flag for errors."""
    return f"error: {reply.text}" if reply.is_error else reply.text


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object, whole."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def arguments_of(call: ToolCall) -> JsonObject:
    """The arguments of `call` as an object, whatever the model wrote.

    Servers that parse earlier calls refuse the whole conversation for one that does not parse.
    """
    try:
        value: Any = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {"not_json": call.arguments}
    return cast("JsonObject", value) if isinstance(value, dict) else {"not_an_object": value}
