"""Every verb, as a request `codexd/<verb>` and as a command `codexd.<verb>`: one coroutine each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import anyio
from pydantic import TypeAdapter, ValidationError
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcRequestCancelled

from codexd.errors import (
    BadConfig,
    BadDefinition,
    BadRequest,
    CodexdError,
    Denied,
    IllegalMove,
    ModelFault,
    NeedsModel,
    Rejected,
    Unavailable,
    UnknownAgent,
    UnknownRun,
    as_data,
)
from codexd.lsp.events import METHOD, Events, told_row
from codexd.lsp.server import Connection
from codexd.lsp.text import told
from codexd.orchestrator import Began, Told
from codexd.orchestrator.table import VERBS, Verb
from codexd.runs.view import RunView

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

Handler = Callable[[Any], Awaitable[Any]]

FAULTS: dict[type[CodexdError], int] = {
    BadRequest: -32602,
    UnknownAgent: -32010,
    UnknownRun: -32011,
    BadDefinition: -32012,
    BadConfig: -32013,
    Denied: -32014,
    NeedsModel: -32015,
    Rejected: -32016,
    IllegalMove: -32020,
    ModelFault: -32030,
    Unavailable: -32040,
}
"""The code of an error by its fault; `data` has its name and what to do."""


def offer(connection: Connection, desk: Desk) -> None:
    """Have every verb answered on `connection`."""
    for verb in VERBS:
        handler = _handler(verb, connection, desk)

        async def request(params: Any, handler: Handler = handler) -> Any:
            return await handler(params)

        async def command(arguments: Sequence[Any], handler: Handler = handler) -> Any:
            if len(arguments) > 1:
                raise JsonRpcInvalidParams(f"one object was expected, not {len(arguments)} values")
            with _in_one_sentence(connection):
                return await handler(arguments[0] if arguments else None)

        connection.feature(f"codexd/{verb.name}")(request)
        connection.offer_command(f"codexd.{verb.name}", command)


@contextmanager
def _in_one_sentence(connection: Connection) -> Generator[None]:
    """What to do about a fault is in its message: that is all that editors show of a command's."""
    try:
        yield
    except JsonRpcException as fault:
        cause = fault.__cause__
        if not isinstance(cause, CodexdError):
            raise
        parts = [told(connection.language, part) for part in (str(cause), cause.help) if part]
        stop = "。" if connection.language == "ja" else "; "
        raise JsonRpcException(stop.join(parts), fault.code, as_data(cause)) from cause


def _handler(verb: Verb, connection: Connection, desk: Desk) -> Handler:
    async def handler(params: Any) -> Any:
        own, wait = _wait(params) if verb.starts else (params, False)
        request = read(verb, own)
        if verb.starts:
            answer = await _Starting(verb, request, connection, desk).answer(wait=wait)
        else:
            caller = desk.caller(connection, lambda _told: None)
            answer = await _translated(verb.do(desk.orchestrator, request, caller))
        return plain(answer)

    return handler


def _wait(params: Any) -> tuple[Any, bool]:
    """The parameters of a verb that starts runs without `wait`, and that."""
    if not isinstance(params, dict):
        return params, False
    own = dict(cast("dict[str, Any]", params))
    wait = own.pop("wait", False)
    if not isinstance(wait, bool):
        raise JsonRpcInvalidParams("`wait` is neither true nor false")
    return own, wait


class _Starting:
    """A request that starts runs: it goes on without the client, unless that was a command of the
    terminal, which waits in the foreground.
    """

    def __init__(self, verb: Verb, request: Any, connection: Connection, desk: Desk) -> None:
        self._verb, self._request = verb, request
        self._connection, self._desk = connection, desk
        self._scope = anyio.CancelScope()
        self._began = anyio.Event()
        self._ended = anyio.Event()
        self._runs: list[str] = []
        self._result: RunView | None = None
        self._fault: BaseException | None = None

    async def answer(self, *, wait: bool) -> Any:
        """The run's id, once there is one; with `wait` the ended run."""
        self._desk.start(self._work)
        try:
            await (self._ended if wait else self._began).wait()
        except anyio.get_cancelled_exc_class():
            self._left()
            raise
        if self._fault is not None:
            raise self._fault
        return self._result if wait else Began(self._runs[0])

    async def _work(self) -> None:
        caller = self._desk.caller(self._connection, self._hear)
        try:
            with self._scope:
                do = self._verb.do(self._desk.orchestrator, self._request, caller)
                self._result = cast("RunView", await _translated(do))
            if self._scope.cancelled_caught:
                self._fault = JsonRpcRequestCancelled("the run was not begun")
        except Exception as fault:  # noqa: BLE001 - raised again where it is answered
            self._fault = fault
        finally:
            self._began.set()
            self._ended.set()

    def _hear(self, told: Told) -> None:
        if isinstance(told, Began):
            self._runs.append(told.run)
            self._began.set()
        if self._connection.declares("events"):
            events = Events(told=(told_row(told),))
            self._connection.protocol.notify(METHOD, plain(events))

    def _left(self) -> None:
        """The request was cancelled, or the client has gone or is about to."""
        if self._connection.protocol.msg_id in self._connection.cancelled:
            self._stop(suspend=False)
        elif self._connection.hello.door == "cli":
            # What was attached ends with its command; nothing is lost, since it can be resumed.
            self._stop(suspend=True)

    def _stop(self, *, suspend: bool) -> None:
        driving = self._desk.orchestrator.driving
        under_way = [run for run in self._runs if run in driving.seats]
        for run in under_way:
            driving.suspend(run) if suspend else driving.cancel(run)
        if not under_way:
            self._scope.cancel()


# --- what goes over the wire -----------------------------------------------------------------


def read(verb: Verb, params: Any) -> Any:
    """The verb's request. Raises `JsonRpcInvalidParams` naming the parameter that is wrong."""
    return read_as(verb.request, f"codexd/{verb.name}", params)


def read_as(kind: type, name: str, params: Any) -> Any:
    """The parameters of whatever is called `name`, as a dataclass. Raises like `read`."""
    params = cast("Any", {} if params is None else params)
    if not isinstance(params, dict):
        shown = json.dumps(params)[:60]
        raise JsonRpcInvalidParams(f"{name} takes one object, not {shown}")
    try:
        return adapter(kind).validate_json(json.dumps(params), strict=True)
    except RecursionError:
        raise JsonRpcInvalidParams(f"{name}: nested too deeply") from None
    except ValidationError as fault:
        known = [field.name for field in fields(kind)]
        raise JsonRpcInvalidParams(_what(fault, known), data=_where(fault)) from None


def _what(fault: ValidationError, known: Sequence[str]) -> str:
    words: list[str] = []
    for error in fault.errors():
        where = ".".join(str(part) for part in error["loc"])
        match error["type"]:
            case "unexpected_keyword_argument":
                words.append(f"`{where}` is no parameter; known are {', '.join(known)}")
            case "missing" | "missing_keyword_only_argument":
                words.append(f"`{where}` is missing")
            case "json_invalid":
                words.append(f"a text that is no Unicode: {error['msg']}")
            case _:
                words.append(f"`{where}`: {error['msg']}")
    return "; ".join(words)


def _where(fault: ValidationError) -> dict[str, Any]:
    return {"parameters": [".".join(str(part) for part in e["loc"]) for e in fault.errors()]}


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """How values of a type are read and written."""
    return TypeAdapter(kind)


def plain(value: Any) -> Any:
    """`value` as JSON has it."""
    kind = cast("Any", type(value))
    return adapter(kind).dump_python(value, mode="json")


async def _translated(work: Awaitable[Any]) -> Any:
    """What `work` gives; its fault as the protocol's."""
    try:
        return await work
    except CodexdError as fault:
        raise error_of(fault) from fault


def error_of(fault: CodexdError) -> JsonRpcException:
    """A foreseen fault as an error of the protocol."""
    code = next((FAULTS[kind] for kind in type(fault).__mro__ if kind in FAULTS), -32603)
    return JsonRpcException(str(fault), code=code, data=as_data(fault))
