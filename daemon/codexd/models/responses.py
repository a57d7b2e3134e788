"""OpenAI Responses (`wire_api = "responses"`)."""

from __future__ import annotations

from typing import Any

from codexd.models import refusals
from codexd.models.conversation import (
    Called,
    Part,
    Raw,
    Said,
    UserTurn,
    joined,
    pack,
    reply_text,
    turns,
    unpack,
)
from codexd.models.interface import Answer, Request, Stop, ToolCall, Usage
from codexd.models.structured import strict
from codexd.models.wire import Counter, Target, Wire, inner, tokens, usage


def body(request: Request, target: Target) -> dict[str, Any]:
    """The request as `/responses` takes it; nothing of it is stored there."""
    without = target.without
    found: dict[str, Any] = {
        "model": target.model,
        "stream": True,
        "store": False,
        "instructions": request.system,
        "input": _input(request, target),
        "max_output_tokens": request.max_output,
    }
    if "encrypted" not in without:
        found["include"] = ["reasoning.encrypted_content"]
    if request.tools:
        found["parallel_tool_calls"] = True
        found["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                # Left out it would mean true, and refuse optional arguments.
                "strict": False,
            }
            for tool in request.tools
        ]
    if request.answer_schema is not None and "schema" not in without:
        narrow = strict(request.answer_schema)
        found["text"] = {
            "format": {
                "type": "json_schema",
                "name": "answer",
                "schema": narrow or request.answer_schema,
                "strict": narrow is not None,
            }
        }
    if request.temperature is not None and "temperature" not in without:
        found["temperature"] = request.temperature
    if request.effort is not None and "effort" not in without:
        found["reasoning"] = {"effort": request.effort}
    return found


def _input(request: Request, target: Target) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for turn in turns(request.items):
        if isinstance(turn, UserTurn):
            items += [
                {
                    "type": "function_call_output",
                    "call_id": reply.call_id,
                    "output": reply_text(reply),
                }
                for reply in turn.replies
            ]
            items += [{"type": "message", "role": "user", "content": text} for text in turn.texts]
        else:
            items += [_item(part) for part in unpack(turn, target.name)]
    return items


def _item(part: Part) -> dict[str, Any]:
    match part:
        case Said(text, more):
            content = [{"type": "output_text", "text": text}]
            return {"type": "message", "role": "assistant", **more, "content": content}
        case Called(call, more):
            return {
                "type": "function_call",
                **more,
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
            }
        case Raw(item):
            return dict(item)


class ResponsesReading:
    """One streamed response."""

    def __init__(self, request: Request, target: Target) -> None:
        self.done = False
        self._name = target.name
        self._items: list[dict[str, Any]] = []
        self._response: dict[str, Any] = {}
        self._spoke = False

    def take(self, event: dict[str, Any]) -> str:
        """Take one event in; the text that it adds."""
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                self._spoke = True
                return event["delta"]
            case "response.output_item.added" if self._spoke and event["item"]["type"] == "message":
                return "\n\n"
            case "response.output_item.done":
                self._items.append(event["item"])
            case "response.completed" | "response.incomplete":
                self._response = event["response"]
                self.done = True
            case "response.failed":
                raise refusals.in_stream(event["response"])
            case "error":
                raise refusals.in_stream(event)
            case _:
                pass
        return ""

    def answer(self) -> Answer | None:
        """The response, once it has completed or was cut at its cap."""
        if not self._response:
            return None
        parts: list[Part] = []
        refused = False
        for item in self._items or self._response.get("output") or []:
            match item["type"]:
                case "message":
                    text, refusal = _text(item)
                    refused = refused or refusal
                    parts.append(Said(text, _rest(item, "content")))
                case "function_call":
                    call = ToolCall(item["call_id"], item["name"], item["arguments"])
                    parts.append(Called(call, _rest(item, "call_id", "name", "arguments")))
                case _:
                    parts.append(Raw(item))
        calls = tuple(part.call for part in parts if isinstance(part, Called))
        return Answer(
            text=joined(parts),
            calls=calls,
            opaque=pack(self._name, parts) if _must_keep(parts) else (),
            stop=self._stop(calls, refused),
            usage=_usage(self._response),
            model=self._response.get("model") or "",
        )

    def _stop(self, calls: tuple[ToolCall, ...], refused: bool) -> Stop:
        why = inner(self._response, "incomplete_details").get("reason")
        if refused or why == "content_filter":
            return Stop.REFUSED
        if self._response.get("status") == "incomplete":
            return Stop.MAX_OUTPUT
        return Stop.TOOL_CALLS if calls else Stop.END


def _text(item: dict[str, Any]) -> tuple[str, bool]:
    """(text, whether it is a refusal) of a message."""
    pieces = [part.get("text") or part.get("refusal") or "" for part in item["content"]]
    return "".join(pieces), any(part["type"] == "refusal" for part in item["content"])


def _rest(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def _must_keep(parts: list[Part]) -> bool:
    # Without reasoning the ids of messages and calls mean nothing to the next request.
    return any(isinstance(part, Raw) or "phase" in part.more for part in parts)


def _usage(response: dict[str, Any]) -> Usage | None:
    counted = inner(response, "usage")
    return usage(
        tokens(counted.get("input_tokens")),
        tokens(counted.get("output_tokens")),
        cached=inner(counted, "input_tokens_details").get("cached_tokens"),
        reasoning=inner(counted, "output_tokens_details").get("reasoning_tokens"),
    )


def bearer(key: str | None) -> dict[str, str]:
    """The header of OpenAI and its likes."""
    return {"Authorization": f"Bearer {key}"} if key else {}


WIRE = Wire(
    path="/responses",
    auth=bearer,
    body=body,
    reading=ResponsesReading,
    framing=lambda request: 256 + 64 * len(request.tools),
    optional={
        "encrypted": ("encrypted",),
        "schema": ("text.format", "json_schema", "response format", "structured output"),
        "temperature": ("temperature",),
        "effort": ("reasoning.effort", "effort"),
    },
    counters=(Counter("/responses/input_tokens", "input_tokens"),),
    uncounted=frozenset({"stream", "store", "include", "max_output_tokens", "temperature"}),
)
