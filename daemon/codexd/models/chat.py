"""Chat Completions (`wire_api = "chat"`): OpenAI, Ollama, vLLM, llama.cpp, LM Studio, …"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from codexd.errors import CutStream
from codexd.models import refusals
from codexd.models.conversation import (
    Called,
    Part,
    Raw,
    Said,
    UserTurn,
    arguments_of,
    is_object,
    pack,
    reply_text,
    turns,
    unpack,
)
from codexd.models.interface import Answer, JsonObject, Request, Stop, ToolCall, Usage
from codexd.models.responses import bearer
from codexd.models.structured import strict
from codexd.models.wire import Counter, Target, Wire, inner, tokens, usage

THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")
"""Where DeepSeek, llama.cpp, vLLM, Ollama and OpenRouter put reasoning. DeepSeek and OpenRouter
want it back with the calls that it led to."""
STOPS = {
    "length": Stop.MAX_OUTPUT,
    "max_tokens": Stop.MAX_OUTPUT,
    "model_length": Stop.MAX_OUTPUT,
    "content_filter": Stop.REFUSED,
    "sensitive": Stop.REFUSED,
    "tool_calls": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
}
BROKEN = {"error", "abort", "network_error", "insufficient_system_resource"}
"""What OpenRouter, vLLM, Zhipu and DeepSeek say of an answer that they could not finish."""


def body(request: Request, target: Target) -> dict[str, Any]:
    """The request as `/chat/completions` takes it."""
    without = target.without
    found: dict[str, Any] = {
        "model": target.model,
        "stream": True,
        "messages": _messages(request, target),
        _cap_name(target): request.max_output,
    }
    if "usage" not in without:
        found["stream_options"] = {"include_usage": True}
    if request.tools:
        found["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    enforced = enforces(request, target) and "schema" not in without
    if request.answer_schema is not None and enforced:
        narrow = strict(request.answer_schema)
        schema = {"name": "answer", "schema": narrow or request.answer_schema}
        found["response_format"] = {
            "type": "json_schema",
            "json_schema": {**schema, "strict": narrow is not None},
        }
    if request.temperature is not None and "temperature" not in without:
        found["temperature"] = request.temperature
    if request.effort is not None and "effort" not in without:
        found["reasoning_effort"] = request.effort
    return found


def enforces(request: Request, target: Target) -> bool:
    """Whether the last answer can be held to a schema without keeping tools from being called.

    OpenAI holds the last answer alone to it. Ollama, vLLM and others hold all that the model says
    to it, so that no tool would ever be called; Groq and Gemini refuse the two together.
    """
    return not request.tools or _is_openai(target)


def _cap_name(target: Target) -> str:
    # OpenAI's reasoning models refuse the old name, which is all that many others know.
    new = _is_openai(target) or "max_tokens" in target.without
    return "max_completion_tokens" if new else "max_tokens"


def _is_openai(target: Target) -> bool:
    """Whether OpenAI itself answers, or Azure for it."""
    url = target.provider.base_url
    return "api.openai.com" in url or ".openai.azure.com" in url


def _messages(request: Request, target: Target) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for turn in turns(request.items):
        if not isinstance(turn, UserTurn):
            messages.append(_assistant(turn, target))
            continue
        messages += [
            {"role": "tool", "tool_call_id": reply.call_id, "content": reply_text(reply)}
            for reply in turn.replies
        ]
        # One message: the templates of many open models want roles to alternate.
        if turn.texts:
            messages.append({"role": "user", "content": "\n\n".join(turn.texts)})
    return messages


def _assistant(answer: Answer, target: Target) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    calls: list[dict[str, Any]] = []
    for part in unpack(answer, target.name):
        match part:
            case Called(call, more):
                function = {"name": call.name, "arguments": _arguments(call)}
                calls.append({**more, "id": call.id, "type": "function", "function": function})
            case Raw(item):
                message |= item if "thoughts" not in target.without else {}
            case Said():
                pass
    return message | ({"tool_calls": calls} if calls else {})


def _arguments(call: ToolCall) -> str:
    # As they came where they can be: other bytes would be other tokens, not counted before. Ollama
    # refuses the whole conversation for arguments that do not parse.
    if is_object(call.arguments):
        return call.arguments
    return json.dumps(arguments_of(call), ensure_ascii=False)


@dataclass(slots=True)
class _OpenCall:
    """A call whose pieces are still coming."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    def is_followed_by(self, id: str, name: str, arguments: Any) -> bool:
        """Whether a piece with these begins another call.

        Servers leave the index out, or send one for all; some leave the id out as well, others
        send another with each piece. A name begins a call, save one that is told again.
        """
        if not name or not self.name:
            return False
        if id and self.id:
            return id != self.id
        return name != self.name or bool(arguments and is_object("".join(self.arguments)))


class ChatReading:
    """One streamed completion."""

    def __init__(self, request: Request, target: Target) -> None:
        self.done = False
        self._target = target
        self._n_items = len(request.items)
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._thoughts: dict[str, Any] = {}
        self._calls: list[_OpenCall] = []
        self._by_index: dict[Any, _OpenCall] = {}
        self._finish: str | None = None
        self._usage: JsonObject = {}
        self._model = ""

    def take(self, event: dict[str, Any]) -> str:
        """Take one chunk in; the text that it adds."""
        # vLLM has said it both ways.
        if event.get("error") or event.get("object") == "error":
            raise refusals.in_stream(event)
        self._model = self._model or event.get("model") or ""
        if event.get("usage"):
            self._usage = event["usage"]
        choices = event.get("choices")
        if not choices:
            return ""
        choice = choices[0]
        self._finish = choice.get("finish_reason") or self._finish
        # OpenRouter may call it `stop` where its own provider called it an error.
        for why in (self._finish, choice.get("native_finish_reason")):
            if why in BROKEN:
                said = f"the provider gave up in the middle: {why}"
                raise CutStream(said, billed=True)
        return self._take_delta(choice.get("delta") or {})

    def _take_delta(self, delta: dict[str, Any]) -> str:
        for call in delta.get("tool_calls") or ():
            self._take_call(call)
        for key in THOUGHTS:
            if thought := delta.get(key):
                self._thoughts[key] = (
                    self._thoughts[key] + thought if key in self._thoughts else thought
                )
        if refusal := delta.get("refusal"):
            self._refusal.append(refusal)
            return refusal
        text = _plain(delta.get("content"))
        if text:
            self._text.append(text)
        return text

    def _take_call(self, delta: dict[str, Any]) -> None:
        index, id = delta.get("index"), delta.get("id") or ""
        function: dict[str, Any] = delta.get("function") or {}
        name: str = function.get("name") or ""
        arguments: Any = function.get("arguments") or ""
        known = self._calls[-1] if self._calls else None
        if index is not None:
            known = self._by_index.get(index)
        elif id:
            known = next((call for call in self._calls if call.id == id), known)
        if known is None or known.is_followed_by(id, name, arguments):
            known = _OpenCall()
            self._calls.append(known)
            self._by_index[index] = known
        known.id = known.id or id
        known.name = known.name or name
        known.arguments.append(arguments if isinstance(arguments, str) else json.dumps(arguments))
        known.more |= {
            key: value
            for key, value in delta.items()
            if key not in {"index", "id", "type", "function"} and value is not None
        }

    def answer(self) -> Answer | None:
        """The completion, once a chunk has said why it ended, or `[DONE]` has come behind one."""
        # vLLM ends a stream that failed before its first token so: `[DONE]`, and nothing else.
        if self._finish is None and not (self.done and (self._text or self._calls)):
            return None
        parts: list[Part] = []
        called = self._called()
        # Reasoning is read again only beside the calls that it led to.
        if called and self._thoughts:
            parts.append(Raw(self._thoughts))
        text = "".join(self._text or self._refusal)
        if text:
            parts.append(Said(text))
        parts += called
        # Gemini says `content_filter: RECITATION`.
        stop = STOPS.get((self._finish or "stop").partition(":")[0], Stop.END)
        if self._refusal:
            stop = Stop.REFUSED
        elif called and stop is Stop.END:
            stop = Stop.TOOL_CALLS
        elif stop is Stop.TOOL_CALLS and not called:
            stop = Stop.END
        return Answer(
            text=text,
            calls=tuple(part.call for part in called),
            opaque=pack(self._target.name, parts),
            stop=stop,
            usage=_usage(self._usage),
            model=self._model,
        )

    def _called(self) -> list[Called]:
        called: list[Called] = []
        ids: set[str] = set()
        for i, call in enumerate(self._calls):
            name = call.id
            # llama.cpp and others may send no id, or one id twice; results need their own.
            if not name or name in ids:
                name = f"call_{self._n_items}_{i}"
            ids.add(name)
            arguments = "".join(call.arguments) or "{}"
            called.append(Called(ToolCall(name, call.name, arguments), call.more))
        return called


def _plain(content: Any) -> str:
    """The text of a delta's content: text, or (Mistral) a list of parts."""
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = content or []
    return "".join(part.get("text") or "" for part in parts if part.get("type") == "text")


def _usage(counted: JsonObject) -> Usage | None:
    input, output = tokens(counted.get("prompt_tokens")), tokens(counted.get("completion_tokens"))
    total = tokens(counted.get("total_tokens"))
    # Some leave reasoning out of `completion_tokens`; the total has it.
    if input is not None and output is not None and total is not None:
        output = max(output, total - input)
    details = inner(counted, "prompt_tokens_details")
    return usage(
        input,
        output,
        cached=details.get("cached_tokens") or counted.get("prompt_cache_hit_tokens"),
        reasoning=inner(counted, "completion_tokens_details").get("reasoning_tokens"),
    )


WIRE = Wire(
    path="/chat/completions",
    auth=bearer,
    body=body,
    reading=ChatReading,
    # The chat templates of open models put a system text of their own before a conversation.
    framing=lambda request: 768 + 64 * len(request.tools),
    optional={
        "usage": ("stream_options", "include_usage"),
        "schema": ("response_format", "json_schema", "grammar", "structured output"),
        "temperature": ("temperature",),
        "effort": ("reasoning_effort", "effort"),
        "thoughts": (*THOUGHTS[::2], "property 'reasoning'", "assistant.reasoning"),
        "max_tokens": ("max_completion_tokens",),
    },
    enforces=enforces,
    counters=(
        # llama.cpp's, and vLLM's, which stands outside of the API.
        Counter("/chat/completions/input_tokens", "input_tokens"),
        Counter("/tokenize", "count", at_root=True),
    ),
    uncounted=frozenset(
        {"stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature"}
    ),
)
