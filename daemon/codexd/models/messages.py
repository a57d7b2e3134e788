"""Anthropic Messages (`wire_api = "messages"`)."""

from __future__ import annotations

import json
from typing import Any

from codexd.models import refusals
from codexd.models.conversation import (
    Called,
    Part,
    Raw,
    Said,
    UserTurn,
    arguments_of,
    joined,
    pack,
    turns,
    unpack,
)
from codexd.models.interface import Answer, JsonObject, Request, Stop, ToolCall, Usage
from codexd.models.structured import strict
from codexd.models.wire import Counter, Target, Wire, inner, tokens, usage

VERSION = "2023-06-01"
CACHE = {"cache_control": {"type": "ephemeral"}}
"""Everything up to here is kept for five minutes: a tenth of the price when it is read again."""
INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
STOPS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.END,
    "tool_use": Stop.TOOL_CALLS,
    "max_tokens": Stop.MAX_OUTPUT,
    "model_context_window_exceeded": Stop.MAX_OUTPUT,
    # Only server tools, of which we offer none, pause a turn; it is not the end of one.
    "pause_turn": Stop.MAX_OUTPUT,
    "refusal": Stop.REFUSED,
}


def body(request: Request, target: Target) -> dict[str, Any]:
    """The request as `/messages` takes it."""
    without = target.without
    cache = {} if "cache" in without else CACHE
    found: dict[str, Any] = {
        "model": target.model,
        "stream": True,
        "max_tokens": request.max_output,
        "messages": _messages(request, target, cache),
    }
    if request.system:
        found["system"] = [{"type": "text", "text": request.system, **cache}]
    if tools := _tools(request):
        found["tools"] = tools
    if tools and not request.tools:
        found["tool_choice"] = {"type": "none"}
    output: dict[str, Any] = {}
    # Only a closed schema is enforced; any other is left to the prompt.
    if "schema" not in without and (narrow := strict(request.answer_schema or {})):
        output["format"] = {"type": "json_schema", "schema": narrow}
    if request.effort is not None and "effort" not in without:
        output["effort"] = request.effort
    if output:
        found["output_config"] = output
    if request.temperature is not None and "temperature" not in without:
        found["temperature"] = request.temperature
    return found


def _tools(request: Request) -> list[dict[str, Any]]:
    if request.tools:
        return [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
    # A conversation with calls in it is refused without tools, though none may be called now.
    names = {
        call.name: None for item in request.items if isinstance(item, Answer) for call in item.calls
    }
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def _messages(request: Request, target: Target, cache: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in turns(request.items):
        if isinstance(turn, UserTurn):
            messages.append({"role": "user", "content": _user_blocks(turn)})
        elif blocks := [_block(part) for part in unpack(turn, target.name)]:
            messages.append({"role": "assistant", "content": blocks})
    # Nothing follows a lightweight call: what it wrote to the cache would never be read.
    if messages and messages[-1]["role"] == "user" and not request.lightweight:
        messages[-1]["content"][-1] |= cache
    return messages


def _user_blocks(turn: UserTurn) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [
        {
            "type": "tool_result",
            "tool_use_id": reply.call_id,
            "content": reply.text,
            **({"is_error": True} if reply.is_error else {}),
        }
        for reply in turn.replies
    ]
    # Text blocks of nothing are refused.
    blocks += [{"type": "text", "text": text} for text in turn.texts if text.strip()]
    return blocks or [{"type": "text", "text": "(nothing)"}]


def _block(part: Part) -> dict[str, Any]:
    match part:
        case Said(text):
            return {"type": "text", "text": text}
        case Called(call):
            return {
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": arguments_of(call),
            }
        case Raw(item):
            return dict(item)


class MessagesReading:
    """One streamed message."""

    def __init__(self, request: Request, target: Target) -> None:
        self.done = False
        self._name = target.name
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, list[str]] = {}
        self._usage: dict[str, Any] = {}
        self._counted = False
        self._stop: str | None = None
        self._model = ""

    def take(self, event: dict[str, Any]) -> str:
        """Take one event in; the text that it adds."""
        match event.get("type"):
            case "content_block_delta":
                return self._take_delta(event["index"], event["delta"])
            case "content_block_start":
                return self._start(event["index"], event["content_block"])
            case "message_start":
                self._model = event["message"].get("model") or ""
                self._usage |= inner(event["message"], "usage")
            case "message_delta":
                self._stop = event["delta"].get("stop_reason") or self._stop
                self._count(inner(event, "usage"))
            case "message_stop":
                self.done = True
            case "error":
                raise refusals.in_stream(event)
            case _:
                pass
        return ""

    def _count(self, usage: JsonObject) -> None:
        for key, value in usage.items():
            if value is None:
                continue
            # Some that count the input in `message_start` say 0 of it here.
            known = tokens(self._usage.get(key)) if key in INPUT else None
            self._usage[key] = max(known, value) if known and tokens(value) is not None else value
        # What `message_start` says of the output is a first guess.
        self._counted = self._counted or usage.get("output_tokens") is not None

    def _start(self, index: int, block: dict[str, Any]) -> str:
        spoke = any(known["type"] == "text" for known in self._blocks.values())
        self._blocks[index] = dict(block)
        self._pieces[index] = []
        text: str = block.get("text") or "" if block["type"] == "text" else ""
        if text:
            self._pieces[index].append(text)
        return f"\n\n{text}" if spoke and block["type"] == "text" else text

    def _take_delta(self, index: int, delta: dict[str, Any]) -> str:
        match delta["type"]:
            case "text_delta":
                self._pieces[index].append(delta["text"])
                return delta["text"]
            case "input_json_delta":
                self._pieces[index].append(delta["partial_json"])
            case "thinking_delta":
                self._pieces[index].append(delta["thinking"])
            case "signature_delta":
                self._blocks[index]["signature"] = delta["signature"]
            case _:
                pass
        return ""

    def answer(self) -> Answer | None:
        """The message, once `message_stop` has come."""
        if not self.done or self._stop is None:
            return None
        parts = [part for index in sorted(self._blocks) if (part := self._part(index))]
        calls = tuple(part.call for part in parts if isinstance(part, Called))
        stop = STOPS.get(self._stop, Stop.END)
        return Answer(
            text=joined(parts),
            calls=calls,
            opaque=pack(self._name, parts),
            stop=Stop.TOOL_CALLS if calls and stop is Stop.END else stop,
            usage=_usage(self._usage) if self._counted else None,
            model=self._model,
        )

    def _part(self, index: int) -> Part | None:
        block, text = self._blocks[index], "".join(self._pieces[index])
        match block["type"]:
            case "text":
                return Said(text) if text else None
            case "tool_use":
                # Some that speak this wire for other models give the whole input at the start.
                whole = json.dumps(block.get("input") or {}, ensure_ascii=False)
                return Called(ToolCall(block["id"], block["name"], text or whole))
            case "thinking":
                return Raw({**block, "thinking": (block.get("thinking") or "") + text})
            case _:
                return Raw(block)


def _usage(counted: dict[str, Any]) -> Usage | None:
    read = tokens(counted.get("cache_read_input_tokens") or 0)
    written = tokens(counted.get("cache_creation_input_tokens") or 0)
    fresh = tokens(counted.get("input_tokens"))
    # Anthropic counts what it read from or wrote to its cache apart from `input_tokens`.
    whole = None if None in {read, written, fresh} else (read or 0) + (written or 0) + (fresh or 0)
    return usage(
        whole,
        tokens(counted.get("output_tokens")),
        cached=read,
        reasoning=inner(counted, "output_tokens_details").get("thinking_tokens"),
        cache_written=written,
    )


def auth(key: str | None) -> dict[str, str]:
    """Anthropic's headers."""
    return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}


def framing(request: Request) -> int:
    """With tools Anthropic adds a system text of its own, of up to some 800 tokens."""
    return 128 + (1024 + 64 * len(request.tools) if request.tools else 0)


WIRE = Wire(
    path="/messages",
    auth=auth,
    body=body,
    reading=MessagesReading,
    framing=framing,
    optional={
        "schema": ("output_config.format", "output_format", "json_schema", "structured output"),
        "effort": ("effort",),
        "temperature": ("temperature",),
        "cache": ("cache_control",),
    },
    counters=(Counter("/messages/count_tokens", "input_tokens"),),
    uncounted=frozenset({"stream", "max_tokens", "temperature"}),
)
