"""Upper bounds of a request's input tokens, without a tokenizer.

A byte-level tokenizer never makes more tokens than there are bytes; the rest is what providers
add around each item and each request.
"""

from __future__ import annotations

import json

from codexd.models.conversation import arguments_of, is_object
from codexd.models.interface import Answer, Item, JsonObject, Request, ToolReply

ITEM_FRAMING = 32
"""Tokens around one item: role, ids, separators."""
SCHEMA_FRAMING = 512
"""Tokens of the instructions that a provider adds for an answer with a schema."""


def utf8(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def of_body(body: bytes, request: Request, framing: int) -> int:
    """The bound of a first call: the bytes of the request as sent, and what is added to it."""
    schema = SCHEMA_FRAMING if request.answer_schema is not None else 0
    return len(body) + ITEM_FRAMING * len(request.items) + schema + framing


def of_growth(request: Request, settled: tuple[int, int]) -> int:
    """The bound where the provider has counted the leading `settled[0]` items as `settled[1]`."""
    n, tokens = settled
    grown = sum(of_item(item) for item in request.items[n:])
    last = request.items[n - 1] if n else None
    if isinstance(last, Answer):
        # What was no JSON goes back wrapped into some: text that was not counted before.
        broken = (call for call in last.calls if not is_object(call.arguments))
        grown += sum(utf8(_dumped(arguments_of(call))) for call in broken)
    # An earlier call may have been without the schema, so it is counted each time.
    schema = 0
    if request.answer_schema is not None:
        schema = SCHEMA_FRAMING + utf8(_dumped(request.answer_schema))
    return tokens + grown + schema + ITEM_FRAMING


def of_item(item: Item) -> int:
    """The bound of one item of the conversation."""
    match item:
        case Answer(text, calls, opaque):
            asked = sum(utf8(call.name) + utf8(call.arguments) + ITEM_FRAMING for call in calls)
            kept = sum(utf8(_dumped(entry)) for entry in opaque)
            return utf8(text) + asked + kept + ITEM_FRAMING
        case ToolReply(_, name, text):
            return utf8(name) + utf8(text) + ITEM_FRAMING
        case _:
            return utf8(item.text) + ITEM_FRAMING


def _dumped(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False)
