"""A scripted model provider over real HTTP: the three wire formats, and every fault they have.

In a test, in the same loop:

    async with ModelServer([Scripted(text="hello"), Scripted(status=429)]) as server:
        provider = Provider(id="x", name="X", base_url=server.url, wire_api="chat")
        ...
        assert server.requests[0].body["messages"]

As a process of its own: `python -m tests.model_server --port 0 --script FILE [--by-turn]` prints
its port and serves until it is ended. FILE holds a JSON list of answers, `[{"text": "hello"}]`,
with the fields of `Scripted`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

Json = dict[str, Any]


class Fault(StrEnum):
    """What goes wrong in the middle of a stream that began with 200."""

    CUT = "cut"
    """The connection closes inside a chunk."""
    END_EARLY = "end_early"
    """The body ends cleanly before the last events."""
    SILENCE = "silence"
    """Nothing more comes, and the connection stays open."""
    BROKEN_JSON = "broken_json"
    NOT_UTF8 = "not_utf8"
    LONG_LINE = "long_line"
    """One line of 100 MB without an end."""
    ERROR_EVENT = "error_event"
    """The provider says in the stream that it is overloaded."""
    UNKNOWN_EVENT = "unknown_event"
    """An event nobody knows and a comment; the stream goes on rightly."""
    DROP = "drop"
    """The connection closes before any header."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call in an answer."""

    name: str
    arguments: str = "{}"
    """JSON text; sent as it stands, valid or not."""
    id: str = ""
    """Empty: made from the turn and its place (`call_0_1`), so no two are equal."""


@dataclass(frozen=True, slots=True)
class Used:
    """What the provider says that a call took; may be wrong, even negative."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    cache_written: int = 0


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer: what the provider says, and how it misbehaves."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    opaque: tuple[Json, ...] = ()
    """Items in the wire's own shape, before the text: `reasoning` items, `thinking` blocks."""
    usage: Used | None = Used(-1, -1, -1)
    """By default counted: a token is 4 UTF-8 bytes; `None`: not sent."""
    stop: str = ""
    """The wire's own word for why it ended; empty: the ordinary one."""
    refusal: str = ""
    """What a model says that refuses, in the wire's own way."""
    delay: float = 0.0
    """Seconds before the headers."""
    chunk_delay: float = 0.0
    """Seconds before each event after the first."""
    seconds: float = 0.0
    """How long the answer takes in all, its events evenly spread over what `delay` leaves; for
    clocks, where `chunk_delay` would add up what each sleep comes late."""
    piece: int = 16
    """Characters of text or arguments in one event."""
    fault: Fault | None = None
    status: int = 200
    """Anything else is an error answer, with `message` and `code`."""
    message: str = "scripted"
    code: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """`{"Retry-After": "7"}`."""
    newline: str = "\n"
    """How lines of the stream end: LF, CRLF or CR."""
    done: bool = True
    """Whether a chat stream ends with `[DONE]`."""
    ignores_cap: bool = False
    """Whether it says all it has, whatever output cap was asked for."""
    hold: asyncio.Event | None = None
    """Waited for before the headers: a gate for tests."""


COUNTED = Used(-1, -1, -1)
"""Stands for "as counted" in `Scripted.usage`."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    """In any case of letters."""
    body: Json
    raw: bytes


Script = Sequence[Scripted] | Callable[[Json], Scripted]


def by_turn(answers: Sequence[Scripted]) -> Callable[[Json], Scripted]:
    """A script that gives each conversation, however many run at once, the answers in turn.

    The turn is the number of answers that the request's conversation holds already; the last
    answer is repeated for ever.
    """
    return lambda body: answers[min(turns(body), len(answers) - 1)]


def turns(body: Json) -> int:
    """How many answers of the model the conversation in `body` holds, on any wire."""
    if "messages" in body:
        return sum(m["role"] == "assistant" for m in body["messages"])
    ours = [
        item.get("role") == "user" or item.get("type") == "function_call_output"
        for item in body["input"]
    ]
    return sum(not mine and (i == 0 or ours[i - 1]) for i, mine in enumerate(ours))


class ModelServer:
    """Serves `script` at `url` while entered; remembers what it was asked in `requests`."""

    def __init__(
        self,
        script: Script,
        *,
        models: Iterable[str] = ("small", "large"),
        port: int = 0,
        counts_chat: Literal["", "llama.cpp", "vllm"] = "",
        running: Json | None = None,
    ) -> None:
        self.requests: list[Received] = []
        """Calls of a model, in order; not those of lists and counters."""
        self.other_requests: list[Received] = []
        self.input_tokens = 0
        """Reported to clients in all, as is `output_tokens`."""
        self.output_tokens = 0
        self.open_streams = 0
        self.connections: set[int] = set()
        """The ports of clients that asked."""
        self.left = 0
        """Clients that went away before their answer was whole."""
        self.port = port
        self._script = script
        self._models = tuple(models)
        self._counts_chat = counts_chat
        self._running = running
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL for a provider: `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def until(self, condition: Callable[[ModelServer], bool]) -> None:
        """Wait until `condition` holds: `await server.until(lambda s: s.left == 1)`."""
        while not condition(self):
            await self._changed.wait()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 30)
        for path, wire in WIRES.items():
            app.router.add_post(f"/v1/{path}", self._answer_with(wire))
        app.router.add_post("/v1/messages/count_tokens", self._count)
        app.router.add_post("/v1/responses/input_tokens", self._count)
        if self._running is not None:
            app.router.add_post("/api/generate", self._load)
            app.router.add_get("/api/ps", self._list_running)
        if self._counts_chat == "llama.cpp":
            app.router.add_post("/v1/chat/completions/input_tokens", self._count)
        if self._counts_chat == "vllm":
            app.router.add_post("/tokenize", self._tokenize)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=2048)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _next(self, body: Json) -> Scripted:
        if callable(self._script):
            return self._script(body)
        n = len(self.requests) - 1
        if n >= len(self._script):
            return Scripted(status=400, message=f"the script has no answer {n + 1}")
        return self._script[n]

    def _answer_with(self, wire: Wire) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.StreamResponse:
            received = await _received(request)
            self.requests.append(received)
            peer = request.transport and request.transport.get_extra_info("peername")
            self.connections |= {peer[1]} if peer else set()
            self._tell()
            scripted = self._next(received.body)
            self.open_streams += 1
            try:
                return await self._play(request, wire, scripted, received)
            except (ConnectionResetError, asyncio.CancelledError):
                self.left += 1
                raise
            finally:
                self.open_streams -= 1
                self._tell()

        return handler

    async def _play(
        self, request: web.Request, wire: Wire, scripted: Scripted, received: Received
    ) -> web.StreamResponse:
        if scripted.hold is not None:
            await scripted.hold.wait()
        if scripted.delay:
            await asyncio.sleep(scripted.delay)
        if scripted.fault is Fault.DROP:
            _close(request)
            raise ConnectionResetError
        if scripted.status != 200:
            return web.json_response(
                wire.error(scripted), status=scripted.status, headers=scripted.headers
            )
        said, used = _said(scripted, received)
        if used is not None:
            self.input_tokens += used.input
            self.output_tokens += used.output
        chunks = wire.events(said, used, received.body)
        if scripted.newline != "\n":
            end = scripted.newline.encode()
            chunks = [chunk.replace(b"\n", end) for chunk in chunks]
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", **scripted.headers}
        )
        await response.prepare(request)
        await _send(request, response, wire, scripted, chunks)
        return response

    async def _count(self, request: web.Request) -> web.Response:
        received = await _received(request)
        self.other_requests.append(received)
        return web.json_response(
            {"object": "response.input_tokens", "input_tokens": tokens(received.raw)}
        )

    async def _tokenize(self, request: web.Request) -> web.Response:
        received = await _received(request)
        self.other_requests.append(received)
        n = tokens(received.raw)
        return web.json_response({"count": n, "max_model_len": 32_768, "tokens": [0] * n})

    async def _load(self, request: web.Request) -> web.Response:
        received = await _received(request)
        self.other_requests.append(received)
        assert "prompt" not in received.body, "a prompt would be answered"
        return web.json_response({"done": True, "done_reason": "load", "response": ""})

    async def _list_running(self, request: web.Request) -> web.Response:
        self.other_requests.append(await _received(request))
        return web.json_response(self._running)

    async def _list(self, request: web.Request) -> web.Response:
        self.other_requests.append(await _received(request))
        data = [
            {"id": name, "object": "model", "type": "model", "owned_by": "scripted"}
            for name in self._models
        ]
        return web.json_response({"object": "list", "data": data, "has_more": False})


def tokens(data: bytes | str) -> int:
    """The server's own count: one token for 4 UTF-8 bytes, rounded up."""
    return -(-len(data.encode() if isinstance(data, str) else data) // 4)


async def _received(request: web.Request) -> Received:
    raw = await request.read()
    return Received(request.path_qs, request.headers, json.loads(raw) if raw else {}, raw)


def _said(scripted: Scripted, received: Received) -> tuple[Scripted, Used | None]:
    """What is really said, cut at the cap that was asked for, and its usage."""
    turn = turns(received.body)
    calls = [replace(c, id=c.id or f"call_{turn}_{i}") for i, c in enumerate(scripted.calls)]
    scripted = replace(scripted, calls=tuple(calls))
    cap = next(
        (
            received.body[key]
            for key in ("max_output_tokens", "max_completion_tokens", "max_tokens")
            if key in received.body
        ),
        None,
    )
    if cap is not None and not scripted.ignores_cap and tokens(scripted.text) > cap:
        text = scripted.text.encode()[: cap * 4].decode(errors="ignore")
        scripted = replace(scripted, text=text, calls=(), stop=scripted.stop or "CAP")
    if scripted.usage != COUNTED:
        return scripted, scripted.usage
    said = scripted.text + scripted.refusal + "".join(c.name + c.arguments for c in scripted.calls)
    return scripted, Used(tokens(received.raw), tokens(said))


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    wire: Wire,
    scripted: Scripted,
    chunks: list[bytes],
) -> None:
    """Write the events, spoiling the middle one where the script says so."""
    spoiled = len(chunks) // 2 if scripted.fault else -1
    now = asyncio.get_running_loop().time
    began, spread = now(), max(0.0, scripted.seconds - scripted.delay)
    for i, chunk in enumerate(chunks):
        if i and scripted.chunk_delay:
            await asyncio.sleep(scripted.chunk_delay)
        if i and spread:
            await asyncio.sleep(max(0.0, began + spread * i / (len(chunks) - 1) - now()))
        if i == spoiled:
            match scripted.fault:
                case Fault.CUT:
                    await response.write(chunk[: len(chunk) // 2])
                    await asyncio.sleep(0)
                    _close(request)
                    raise ConnectionResetError
                case Fault.END_EARLY:
                    break
                case Fault.SILENCE:
                    await asyncio.Event().wait()
                case Fault.BROKEN_JSON:
                    await response.write(b'data: {"type": "broken", \n\n')
                case Fault.NOT_UTF8:
                    await response.write(b'data: {"text": "\xff\xfe\xc3("}\n\n')
                case Fault.LONG_LINE:
                    await response.write(b"data: ")
                    for _ in range(1600):
                        await response.write(b"x" * 65_536)
                case Fault.ERROR_EVENT:
                    await response.write(wire.error_event())
                    break
                case _:
                    await response.write(
                        b': a comment\n\nevent: codex.unheard_of\ndata: {"type": '
                        b'"codex.unheard_of",\ndata: "choices": []}\n\n'
                    )
        await response.write(chunk)
    await response.write_eof()


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _sse(data: Json, *, event: str | None = None) -> bytes:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _pieces(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


# --- OpenAI Responses -----------------------------------------------------------------------


def responses_events(said: Scripted, used: Used | None, body: Json) -> list[bytes]:
    """The whole stream of `/v1/responses`."""
    chunks: list[bytes] = []

    def emit(kind: str, **data: Any) -> None:
        event = {"type": kind, "sequence_number": len(chunks), **data}
        chunks.append(_sse(event, event=kind))

    response: Json = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": body.get("model"),
        "output": [],
        "usage": None,
    }
    emit("response.created", response=response)
    emit("response.in_progress", response=response)
    output: list[Json] = []
    for item in said.opaque:
        emit("response.output_item.added", output_index=len(output), item=item)
        emit("response.output_item.done", output_index=len(output), item=item)
        output.append(item)
    if said.text or said.refusal or not (said.calls or said.opaque):
        output.append(_responses_message(emit, said, len(output)))
    for i, call in enumerate(said.calls):
        output.append(_responses_call(emit, said, call, i, len(output)))
    cut = said.stop in {"CAP", "max_output_tokens", "content_filter"}
    response |= {
        "status": "incomplete" if cut else "completed",
        "output": output,
        "usage": used and _responses_usage(used),
    }
    if cut:
        reason = "max_output_tokens" if said.stop == "CAP" else said.stop
        response["incomplete_details"] = {"reason": reason}
    emit("response.incomplete" if cut else "response.completed", response=response)
    return chunks


def _responses_message(emit: Callable[..., None], said: Scripted, index: int) -> Json:
    kind, key = ("refusal", "refusal") if said.refusal else ("output_text", "text")
    text = said.refusal or said.text
    place: Json = {"item_id": "msg_1", "output_index": index, "content_index": 0}
    item: Json = {
        "id": "msg_1",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    more: Json = {} if said.refusal else {"annotations": []}
    emit("response.output_item.added", output_index=index, item=item)
    emit("response.content_part.added", **place, part={"type": kind, key: "", **more})
    for piece in _pieces(text, said.piece):
        emit(f"response.{kind}.delta", **place, delta=piece)
    part = {"type": kind, key: text, **more}
    emit(f"response.{kind}.done", **place, **{key: text})
    emit("response.content_part.done", **place, part=part)
    item = {**item, "status": "completed", "content": [part]}
    emit("response.output_item.done", output_index=index, item=item)
    return item


def _responses_call(
    emit: Callable[..., None], said: Scripted, call: Call, i: int, index: int
) -> Json:
    place: Json = {"item_id": f"fc_{i}", "output_index": index}
    item: Json = {
        "id": f"fc_{i}",
        "type": "function_call",
        "status": "in_progress",
        "arguments": "",
        "call_id": call.id,
        "name": call.name,
    }
    emit("response.output_item.added", output_index=index, item=item)
    for piece in _pieces(call.arguments, said.piece):
        emit("response.function_call_arguments.delta", **place, delta=piece)
    emit("response.function_call_arguments.done", **place, arguments=call.arguments)
    item = {**item, "status": "completed", "arguments": call.arguments}
    emit("response.output_item.done", output_index=index, item=item)
    return item


def _responses_usage(used: Used) -> Json:
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input + used.output,
    }


# --- Chat Completions -----------------------------------------------------------------------


def chat_events(said: Scripted, used: Used | None, body: Json) -> list[bytes]:
    """The whole stream of `/v1/chat/completions`."""
    head: Json = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": body.get("model"),
        "system_fingerprint": "fp_1",
    }
    wants_usage = bool(body.get("stream_options", {}).get("include_usage"))
    # A service that was asked for usage sends `null` in every chunk but the last.
    null_usage: Json = {"usage": None} if wants_usage else {}

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sse({**head, "choices": [choice], **null_usage})

    chunks = [chunk({"role": "assistant", "content": "", "refusal": None})]
    chunks += [chunk(item) for item in said.opaque]
    chunks += [chunk({"refusal": piece}) for piece in _pieces(said.refusal, said.piece)]
    chunks += [chunk({"content": piece}) for piece in _pieces(said.text, said.piece)]
    for i, call in enumerate(said.calls):
        begun: Json = {"index": i, "id": call.id, "type": "function"}
        begun["function"] = {"name": call.name, "arguments": ""}
        chunks.append(chunk({"tool_calls": [begun]}))
        chunks += [
            chunk({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})
            for piece in _pieces(call.arguments, said.piece)
        ]
    ordinary = "tool_calls" if said.calls else "stop"
    chunks.append(chunk({}, "length" if said.stop == "CAP" else said.stop or ordinary))
    if wants_usage and used is not None:
        chunks.append(_sse({**head, "choices": [], "usage": _chat_usage(used)}))
    return [*chunks, b"data: [DONE]\n\n"] if said.done else chunks


def _chat_usage(used: Used) -> Json:
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }


def openai_error(scripted: Scripted) -> Json:
    """The body of an error of OpenAI and its likes."""
    kind = "invalid_request_error" if scripted.status < 500 else "server_error"
    error = {"message": scripted.message, "type": kind, "param": None, "code": scripted.code}
    return {"error": error}


# --- Anthropic Messages ---------------------------------------------------------------------


def messages_events(said: Scripted, used: Used | None, body: Json) -> list[bytes]:
    """The whole stream of `/v1/messages`."""
    chunks: list[bytes] = []

    def emit(kind: str, **data: Any) -> None:
        chunks.append(_sse({"type": kind, **data}, event=kind))

    message: Json = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
    if used:
        message["usage"] = {**_messages_usage(used), "output_tokens": 1}
    emit("message_start", message=message)
    for i, block in enumerate(_blocks(said)):
        begun, deltas = _messages_block(block, said.piece)
        emit("content_block_start", index=i, content_block=begun)
        if i == 0:
            emit("ping")
        for delta in deltas:
            emit("content_block_delta", index=i, delta=delta)
        emit("content_block_stop", index=i)
    ordinary = "refusal" if said.refusal else "tool_use" if said.calls else "end_turn"
    stop = "max_tokens" if said.stop == "CAP" else said.stop or ordinary
    usage: Json = {"usage": _messages_usage(used)} if used else {}
    emit("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, **usage)
    emit("message_stop")
    return chunks


def _blocks(said: Scripted) -> list[Json]:
    text = said.text or said.refusal
    blocks = [*said.opaque]
    if text:
        blocks.append({"type": "text", "text": text})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in said.calls
    ]
    return blocks


def _messages_block(block: Json, piece: int) -> tuple[Json, list[Json]]:
    """What `content_block_start` shows of a block, and the deltas that fill it."""
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": p} for p in _pieces(block["text"], piece)]
            return {"type": "text", "text": ""}, deltas
        case "tool_use":
            deltas = [
                {"type": "input_json_delta", "partial_json": p}
                for p in ["", *_pieces(block["input"], piece)]
            ]
            return {**block, "input": {}}, deltas
        case "thinking":
            deltas = [
                {"type": "thinking_delta", "thinking": p} for p in _pieces(block["thinking"], piece)
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {"type": "thinking", "thinking": "", "signature": ""}, deltas
        case _:
            return block, []


def _messages_usage(used: Used) -> Json:
    # Anthropic's `input_tokens` leaves out what was read from or written to the cache.
    return {
        "input_tokens": used.input - used.cached - used.cache_written,
        "cache_creation_input_tokens": used.cache_written,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.output,
    }


def anthropic_error(scripted: Scripted) -> Json:
    """The body of an error of Anthropic."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(scripted.status, "api_error" if scripted.status != 529 else "overloaded_error")
    error = {"type": kind, "message": scripted.message}
    return {"type": "error", "error": error, "request_id": "req_1"}


@dataclass(frozen=True, slots=True)
class Wire:
    """How one wire format says things."""

    events: Callable[[Scripted, Used | None, Json], list[bytes]]
    error: Callable[[Scripted], Json]
    error_event: Callable[[], bytes]


WIRES: Mapping[str, Wire] = {
    "responses": Wire(
        responses_events,
        openai_error,
        lambda: _sse(
            {"type": "error", "code": "server_error", "message": "overloaded", "param": None},
            event="error",
        ),
    ),
    "chat/completions": Wire(
        chat_events,
        openai_error,
        lambda: _sse({"error": {"message": "overloaded", "type": "server_error", "code": 503}}),
    ),
    "messages": Wire(
        messages_events,
        anthropic_error,
        lambda: _sse(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            event="error",
        ),
    ),
}


def read_script(text: str) -> list[Scripted]:
    """The answers in a JSON list of objects with the fields of `Scripted`."""
    return [_scripted(entry) for entry in json.loads(text)]


def _scripted(entry: Json) -> Scripted:
    entry = dict(entry)
    if "calls" in entry:
        entry["calls"] = tuple(Call(**call) for call in entry["calls"])
    if "opaque" in entry:
        entry["opaque"] = tuple(entry["opaque"])
    if entry.get("usage"):
        entry["usage"] = Used(**entry["usage"])
    if "fault" in entry:
        entry["fault"] = Fault(entry["fault"])
    return Scripted(**entry)


async def serve(script: Script, port: int) -> None:
    """Serve for ever, the port told on the first line of stdout."""
    async with ModelServer(script, port=port) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Run as a process of its own."""
    parser = argparse.ArgumentParser(description="a scripted model provider on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--by-turn", action="store_true", help="each conversation has its own turn")
    given = parser.parse_args()
    answers = read_script(given.script.read_text(encoding="utf-8"))
    asyncio.run(serve(by_turn(answers) if given.by_turn else answers, given.port))


if __name__ == "__main__":
    main()
