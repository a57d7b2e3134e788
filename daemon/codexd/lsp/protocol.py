"""pygls' protocol, mended for what it was not made for: many clients of one process.

It parses plain JSON first, answers every request, forgets what it has answered, and ends a
connection where pygls would end the process. What was seen of pygls 2.1.1 stands at each method.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anyio
from cattrs import Converter, transform_error
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcMethodNotFound,
    JsonRpcParseError,
    JsonRpcRequestCancelled,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    default_converter,
    lsp_method,
)

from codexd.lsp.buffers import Documents
from codexd.lsp.frames import dumps, frame, loads

if TYPE_CHECKING:
    from codexd.lsp.server import Connection

logger = logging.getLogger(__name__)

Message = dict[str, Any]
MsgId = str | int

MOST_REQUESTS = 1_000
"""Of one client, going on at once."""
MOST_BYTES = 8 << 20
"""Of an answer: well below what a client may leave unread before it is let go."""
REQUEST_FAILED = -32803
"""LSP's code for a request that was right, and could not be done."""


def make_converter() -> Converter:
    """A converter that leaves the parameters of our own methods as the plain JSON they are.

    One serves every connection: making one, and its first use of each type, takes 40 ms.
    """
    converter = default_converter()
    for kind in (JsonRPCRequestMessage, JsonRPCNotification, JsonRPCResponseMessage):
        converter.register_structure_hook(kind, _as_it_is)
    initialize: Message = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {"processId": None, "rootUri": None, "capabilities": {}},
    }
    converter.structure(initialize, types.InitializeRequest)
    return converter


def _as_it_is(data: Message, kind: type[Any]) -> Any:
    known = {key: data.get(key) for key in ("id", "method", "params", "result") if key in data}
    fields = {name: known.get(name) for name in kind.__annotations__ if name != "jsonrpc"}
    return kind(jsonrpc="2.0", **fields)


class Protocol(LanguageServerProtocol):
    """The protocol of one connection."""

    _server: Connection  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, server: Connection, converter: Converter) -> None:
        super().__init__(server, converter)
        self.initialized = False
        self._sent: dict[MsgId, str] = {}
        """The methods of requests that the client has not answered yet."""
        self._idle = anyio.Event()

    @property
    def n_going_on(self) -> int:
        """How many handlers and questions wait for their end."""
        return len(self._request_futures)

    # No property: pygls looks at all of those before there is anything to count.
    def _n_unanswered(self) -> int:
        """How many of the client's requests and notifications are still acted on."""
        return len(self._request_futures) - len(self._sent)

    # --- what comes in ----------------------------------------------------------------------

    def receive(self, body: bytes) -> None:
        """Act on one message; what is wrong with it is answered."""
        try:
            message = loads(body)
        except (ValueError, RecursionError) as fault:
            self.refuse(None, JsonRpcParseError(f"no JSON: {fault}"))
            return
        if not isinstance(message, dict):
            self.refuse(None, JsonRpcInvalidRequest("a message is one JSON object"))
            return
        try:
            self._take(cast("Message", message))
        except Exception as fault:
            # Whatever one client sends, it is answered, and the others hear nothing of it.
            logger.exception("a message could not be acted on")
            msg_id = cast("Message", message).get("id")
            if isinstance(msg_id, str | int) and "method" in message:
                self.refuse(msg_id, _defect(fault))

    def _take(self, message: Message) -> None:
        msg_id, method = message.get("id"), message.get("method")
        known_id = msg_id if isinstance(msg_id, str | int) and msg_id is not True else None
        if message.get("jsonrpc") != "2.0":
            self.refuse(known_id, JsonRpcInvalidRequest('`jsonrpc` is not "2.0"'))
        elif "id" in message and (known_id is None or isinstance(msg_id, bool)):
            self.refuse(None, JsonRpcInvalidRequest("`id` is neither a text nor a whole number"))
        elif "method" not in message and known_id is not None:
            self._take_answer(known_id, message)
        elif not isinstance(method, str):
            self.refuse(known_id, JsonRpcInvalidRequest("`method` is no text"))
        elif known_id is not None:
            self._take_request(known_id, method, message)
        else:
            self._take_notification(method, message)

    def _take_request(self, msg_id: MsgId, method: str, message: Message) -> None:
        if msg_id in self._request_futures:
            what = f"a request with id {_short(msg_id)} is going on"
            self.refuse(msg_id, JsonRpcInvalidRequest(what))
        elif self._n_unanswered() >= MOST_REQUESTS:
            what = f"{MOST_REQUESTS:,} requests are going on; this one was not begun"
            self.refuse(msg_id, JsonRpcException(what, code=REQUEST_FAILED))
        elif self._shutdown:
            self.refuse(msg_id, JsonRpcInvalidRequest("shutdown was asked for"))
        elif not self.initialized and method != types.INITIALIZE:
            self.refuse(msg_id, JsonRpcServerNotInitialized("`initialize` comes first"))
        elif self.initialized and method == types.INITIALIZE:
            self.refuse(msg_id, JsonRpcInvalidRequest("`initialize` was asked before"))
        elif not self._knows(method):
            what = f"{_short(method)} is no method of codexd"
            self.refuse(msg_id, JsonRpcMethodNotFound(what))
        else:
            params = self._params(method, message, msg_id)
            if params is not _REFUSED:
                context = contextvars.copy_context()
                context.run(self._handle_request, msg_id, method, params)

    def _take_notification(self, method: str, message: Message) -> None:
        # Before `initialize`, and after `shutdown`, all but `exit` is dropped, as LSP says.
        if (not self.initialized or self._shutdown) and method != types.EXIT:
            return
        if method != types.CANCEL_REQUEST and not self._knows(method):
            return
        params = self._params(method, message, None)
        if params is not _REFUSED:
            context = contextvars.copy_context()
            context.run(self._handle_notification, method, params)

    def _knows(self, method: str) -> bool:
        handlers = cast("Any", self.fm)
        return method in handlers.builtin_features or method in handlers.features

    def _params(self, method: str, message: Message, msg_id: MsgId | None) -> Any:
        """The parameters, typed as the method has them; `_REFUSED` where they are not so."""
        fallback = JsonRPCRequestMessage if msg_id is not None else JsonRPCNotification
        try:
            typed = self._converter.structure(
                {"params": None, **message}, self.get_message_type(method) or fallback
            )
        except Exception as fault:  # noqa: BLE001 - cattrs raises what the types' hooks raise
            found = _wrong(fault)
            if msg_id is None:
                logger.warning("%s was ignored: %s", method, found)
            else:
                self.refuse(msg_id, JsonRpcInvalidParams(f"{method}: {found}"))
            return _REFUSED
        return typed.params

    def _take_answer(self, msg_id: MsgId, message: Message) -> None:
        method = self._sent.pop(msg_id, None)
        if method is None:
            return
        error = message.get("error")
        if error is not None:
            known = cast("Message", error) if isinstance(error, dict) else {}
            code, what = known.get("code"), str(known.get("message", error))
            code = code if isinstance(code, int) else JsonRpcInternalError.CODE
            self._handle_response(msg_id, None, types.ResponseError(code=code, message=what))
            return
        result = message.get("result")
        kind = self.get_result_type(method)
        if kind is not None:
            try:
                result = self._converter.structure({"result": None, **message}, kind).result
            except Exception as fault:  # noqa: BLE001 - as above
                wrong = types.ResponseError(code=-32602, message=str(fault))
                self._handle_response(msg_id, None, wrong)
                return
        self._handle_response(msg_id, result)

    def get_message_type(self, method: str) -> type[Any] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """LSP's type of a message. (pygls caches it by instance, and so pins dead connections.)"""
        return types.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> type[Any] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """LSP's type of an answer."""
        return types.METHOD_TO_TYPES.get(method, (None, None))[1]

    def _execute_handler(
        self,
        msg_id: MsgId,
        handler: Callable[..., Any],
        callback: Callable[[Future[Any]], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Run a handler; a plain function answers at once, or gives what is to be awaited.

        (pygls keeps the future of each that answers no request for good. And it looks at functions
        alone: those that seldom have to wait would always be answered two turns of a busy loop
        later.)
        """
        if not (inspect.iscoroutinefunction(handler) or inspect.isgeneratorfunction(handler)):
            result = handler(*(args or ()), **(kwargs or {}))
            handler, args, kwargs = partial(_given, result), None, None
            if inspect.isawaitable(result):
                handler = partial(_awaited, result)

        def ended(future: Future[Any]) -> None:
            self._request_futures.pop(msg_id, None)
            callback(future)
            if not self._n_unanswered():
                self._idle.set()

        super()._execute_handler(msg_id, handler, ended, args, kwargs)

    def _handle_cancel_notification(self, msg_id: MsgId) -> None:
        """Cancel a request that is going on: its coroutine hears of it, and it is answered."""
        future = self._request_futures.get(msg_id)
        if future is not None and msg_id not in self._sent:
            self._server.cancelled.add(msg_id)
            future.cancel()

    def _send_handler_result(self, future: Future[Any], *, msg_id: MsgId) -> None:
        """Answer a request. (pygls logs a traceback for each fault that is the client's own.)"""
        self._server.cancelled.discard(msg_id)
        if future.cancelled():
            self.refuse(msg_id, JsonRpcRequestCancelled("the request was cancelled"))
            return
        fault = future.exception()
        if fault is None:
            self.send({"jsonrpc": "2.0", "id": msg_id, "result": future.result()})
        elif isinstance(fault, JsonRpcException):
            self.refuse(msg_id, fault)
        else:
            logger.error("request %s", msg_id, exc_info=fault)
            self.refuse(msg_id, _defect(fault))

    # --- what goes out ----------------------------------------------------------------------

    def refuse(self, msg_id: MsgId | None, fault: JsonRpcException) -> None:
        """Answer a request that is not acted on."""
        error: Message = {"code": fault.code, "message": str(fault.message)}
        if fault.data is not None:
            error["data"] = fault.data
        self.send({"jsonrpc": "2.0", "id": msg_id, "error": error})

    def notify(self, method: str, params: Any | None = None) -> None:
        """Send a notification. (pygls copies whole parameters, piece by piece, before.)"""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send_request(
        self,
        method: str,
        params: Any | None = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: MsgId | None = None,
    ) -> Future[Any]:
        """The answer of the client to a request, later."""
        msg_id = msg_id or str(uuid.uuid4())
        if self._server.gone:
            raise ConnectionResetError("the client has gone")
        future: Future[Any] = Future()
        if callback is not None:
            future.add_done_callback(lambda done: callback(done.result()))
        self._sent[msg_id], self._request_futures[msg_id] = method, future
        self.send({"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params})
        return future

    async def ask(self, method: str, params: Any | None = None) -> Any:
        """The client's answer; who stops waiting takes the question back.

        Raises `JsonRpcException` for an error, `ConnectionError` where the client has gone.
        """
        msg_id = str(uuid.uuid4())
        try:
            return await self.send_request_async(method, params, msg_id=msg_id)
        except asyncio.CancelledError:
            self._sent.pop(msg_id, None)
            self._request_futures.pop(msg_id, None)
            self.notify(types.CANCEL_REQUEST, types.CancelParams(id=msg_id))
            raise

    def _send_data(self, data: Any) -> None:
        self.send(data)

    def send(self, data: Any) -> None:
        """Send one message. What cannot be written as JSON becomes an error, never silence."""
        try:
            body = dumps(data, default=self._serialize_message)
        except Exception:
            logger.exception("a message could not be written")
            if isinstance(data, dict) and "method" not in data:
                fault = JsonRpcInternalError("the answer could not be written as JSON")
                self.refuse(cast("Message", data).get("id"), fault)
            return
        if len(body) > MOST_BYTES and isinstance(data, dict) and "method" not in data:
            what = f"the answer has {len(body):,} bytes, and at most {MOST_BYTES:,} are sent"
            fault = JsonRpcException(f"{what}: ask for less", code=REQUEST_FAILED)
            self.refuse(cast("Message", data).get("id"), fault)
            return
        self._server.write(frame(body))

    # --- the life of a connection -----------------------------------------------------------

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """What this server can do. (pygls always offers workspace folders: one connection is one
        workspace.)
        """
        result = yield from super().lsp_initialize(params)
        if result.capabilities.workspace is not None:
            result.capabilities.workspace.workspace_folders = None
        self._workspace = Documents(None, position_encoding=self.workspace.position_encoding)
        self.initialized = True
        return result

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # pyright: ignore[reportIncompatibleMethodOverride] - a generator there
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """The answer of a command. (A cancel reaches pygls' own handler and not the command's.)"""
        command = self._server.commands.get(params.command)
        if command is None:
            raise JsonRpcInvalidParams(f"`{params.command}` is no command of codexd")
        return await command(params.arguments or [])

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(  # pyright: ignore[reportIncompatibleMethodOverride] - a generator there
        self, *_args: Any
    ) -> None:
        """Nothing more is begun; what goes on is answered as cancelled, as LSP says.

        (pygls also cancels questions, whose answers are then waited for without an end.)
        """
        self._shutdown = True
        self.forget()

    @lsp_method(types.EXIT)
    def lsp_exit(  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        self, *_args: Any
    ) -> None:
        """The connection ends. (pygls ends the process.)"""
        self._server.leave()

    async def until_answered(self) -> None:
        """Return when all that the client has sent was acted on."""
        while self._n_unanswered():
            self._idle = anyio.Event()
            await self._idle.wait()

    def forget_questions(self) -> None:
        """Nobody is there any more to answer what was asked."""
        for msg_id in self._sent:
            future = self._request_futures.pop(msg_id, None)
            if future is not None and not future.done():
                future.set_exception(ConnectionResetError("the client has gone"))
        self._sent.clear()

    def forget(self) -> None:
        """Let go what is going on: nobody is there any more to be asked, nor to be answered."""
        self.forget_questions()
        for future in list(self._request_futures.values()):
            future.cancel()


def _given(result: Any) -> Any:
    return result


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


_REFUSED: Any = object()


def _defect(fault: BaseException) -> JsonRpcInternalError:
    return JsonRpcInternalError(f"{type(fault).__name__}: {fault} (this is a defect of codexd)")


def _wrong(fault: Exception) -> str:
    """What is wrong with the parameters of a standard method, and where."""
    try:
        found = "; ".join(transform_error(fault, path=""))
    except Exception:  # noqa: BLE001 - it knows not all that hooks raise
        found = ""
    found = found or f"{type(fault).__name__}: {fault}"
    # The client knows its own spelling: `textDocument`, not `text_document`.
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), found.replace("@ .", "@ "))


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
