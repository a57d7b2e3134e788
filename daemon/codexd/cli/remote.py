"""The daemon of the workspace, asked over its socket as if it were an orchestrator here."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import TypeAdapter

from codexd.errors import BadRequest, CodexdError, Denied, Unavailable, from_data
from codexd.lsp.frames import dumps, frame, read_frame
from codexd.orchestrator.verbs import (
    Ask,
    Began,
    Consent,
    CreateAgent,
    CreatedAgent,
    Delegate,
    DelegateParallel,
    Kept,
    Remarks,
    Resume,
    Told,
    Undone,
)
from codexd.runs.view import RunView, Status

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from codexd.cli.door import Door
    from codexd.cli.text import Text
    from codexd.daemon.attach import Attached

INVALID_PARAMS = -32602
REQUEST_CANCELLED = -32800
TOLD = {"remarks": Remarks, "began": Began, "created": CreatedAgent, "kept": Kept}
_NOT_IN_ROWS = {
    "summary": "",
    "help": "",
    "findings": (),
    "criteria": (),
    "artifacts": (),
    "missing_artifacts": (),
    "plan": (),
    "data": None,
    "notes": (),
}


class _Lost(Unavailable):
    """The daemon hung up."""


class Remote:
    """What a command of the terminal asks the daemon for."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        door: Door,
        flags: Mapping[str, Any],
        ask: Ask | None,
        tell: Callable[[Told], None],
    ) -> None:
        self._reader, self._writer = streams
        self._door, self._flags, self._ask, self._tell = door, flags, ask, tell
        self._last_id = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._answered = anyio.Event()
        self._lost = False
        self._roots: dict[str, None] = {}
        """The root runs that this command has begun."""
        self._rows: dict[str, dict[str, Any]] = {}
        self._waited_for: int | None = None
        """The request that starts runs, while it is under way."""
        self._questions: dict[int | str, anyio.CancelScope] = {}
        """What the daemon asks a person, by the id of its request."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        attached: Attached,
        door: Door,
        flags: Mapping[str, Any],
        ask: Ask | None,
        tell: Callable[[Told], None],
    ) -> AsyncGenerator[Remote]:
        """The daemon at the other end of `attached`; leaving hangs up.

        `flags` (`model`, `config`) go with every request that starts runs.
        """
        sock = socket.socket(fileno=attached.sock.detach())
        sock.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=sock)
        reader.feed_data(attached.early)
        remote = cls((reader, writer), door, flags, ask, tell)
        remote._send("initialize", _hello(door.text.lang, asks=ask is not None), msg_id=0)
        remote._send("initialized", {})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(remote._listen, tasks)
            try:
                yield remote
            finally:
                writer.close()
                tasks.cancel_scope.cancel()

    # --- what is asked ----------------------------------------------------------------------

    async def delegate(self, request: Delegate) -> RunView:
        """The ended run."""
        return await self._run("delegate", request)

    async def delegate_parallel(self, request: DelegateParallel) -> RunView:
        """The ended group."""
        return await self._run("delegateParallel", request)

    async def create_agent(self, request: CreateAgent) -> RunView:
        """The ended run of the agent made, or that of its making."""
        return await self._run("createAgent", request)

    async def resume(self, request: Resume) -> RunView:
        """The run, driven to its end."""
        return await self._run("resume", request)

    async def undo(self, run_id: str | None = None) -> Undone:
        """What was put back."""
        return TypeAdapter(Undone).validate_python(await self.request("undo", {"run": run_id}))

    async def cancel(self, run_id: str | None = None) -> tuple[str, ...]:
        """Have the run (`None`: those of this command) end as `cancelled`; the ids asked."""
        if run_id is None:
            return await self._stop(suspend=False)
        return tuple((await self.request("cancel", {"run": run_id}))["runs"])

    async def cancel_all(self) -> tuple[str, ...]:
        """Have every run that the daemon drives end as `cancelled`; the ids asked."""
        return tuple((await self.request("cancel", {}))["runs"])

    async def suspend(self) -> None:
        """Have the runs of this command leave off, to be resumed."""
        await self._stop(suspend=True)

    async def _stop(self, *, suspend: bool) -> tuple[str, ...]:
        """Have the runs of this command stop; where none is under way, none is begun either."""
        asked: list[str] = []
        for run in list(self._roots):
            # It may have ended meanwhile, and so may the daemon: whoever waits for the run hears.
            with suppress(CodexdError):
                asked += (await self.request("cancel", {"run": run, "suspend": suspend}))["runs"]
        if not asked and self._waited_for is not None:
            self._send("$/cancelRequest", {"id": self._waited_for})
        return tuple(asked)

    def abandon(self) -> None:
        """Hang up: the daemon has the runs leave off."""
        self._writer.transport.abort()

    def roots(self) -> Sequence[RunView]:
        """The runs of this command, as they are now."""
        return [view for root in self._roots if (view := self._view(root)) is not None]

    def _view(self, run_id: str) -> RunView | None:
        row = self._rows.get(run_id)
        if row is None:
            return None
        below = [id for id, other in self._rows.items() if other["parent"] == run_id]
        children = tuple(view for id in below if (view := self._view(id)) is not None)
        known = {name: value for name, value in row.items() if name != "n_findings"}
        return _RUN.validate_python({**_NOT_IN_ROWS, **known, "children": children})

    # --- the wire ---------------------------------------------------------------------------

    async def _run(self, verb: str, request: Any) -> RunView:
        params = {**asdict(request), **self._flags, "wait": True}
        try:
            return _RUN.validate_python(await self.request(verb, params))
        except _Lost:
            if not self._roots:
                raise
            # What happened is in the journal, which needs no daemon to be read.
            async with self._door.open() as here:
                run = await here.run(list(self._roots)[-1])
            why = self._door.text("daemon.lost") if run.status is Status.INTERRUPTED else run.reason
            return replace(run, reason=why)

    async def request(self, verb: str, params: dict[str, Any]) -> Any:
        """The answer of a verb, plain. Raises the fault that the daemon met."""
        self._last_id += 1
        msg_id = self._last_id
        if params.get("wait"):
            self._waited_for = msg_id
        self._send(f"codexd/{verb}", params, msg_id=msg_id)
        while msg_id not in self._answers:
            if self._lost:
                text = self._door.text
                raise _Lost(text("daemon.lost"), help=text("daemon.logs"))
            await self._answered.wait()
        answer = self._answers.pop(msg_id)
        if "error" in answer:
            raise _fault(answer["error"], self._door.text)
        return answer["result"]

    def _send(self, method: str, params: Any, *, msg_id: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if msg_id is not None:
            message["id"] = msg_id
        self._writer.write(frame(dumps(message)))

    async def _listen(self, tasks: TaskGroup) -> None:
        while (body := await read_frame(self._reader)) is not None:
            message: dict[str, Any] = json.loads(body)
            match message.get("method"):
                case None:
                    self._answers[message["id"]] = message
                    self._wake()
                case "codexd/events":
                    self._hear(message["params"])
                case "codexd/approve":
                    self._questions[message["id"]] = anyio.CancelScope()
                    tasks.start_soon(self._approve, message)
                case "$/cancelRequest":
                    # Somebody else has answered.
                    if question := self._questions.get(message["params"]["id"]):
                        question.cancel()
                case _:
                    pass
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        answered, self._answered = self._answered, anyio.Event()
        answered.set()

    def _hear(self, params: dict[str, Any]) -> None:
        for each in params["told"]:
            told = TypeAdapter(TOLD[each.pop("kind")]).validate_python(each)
            if isinstance(told, Began):
                self._roots[told.run] = None
            self._tell(told)
        for row in params["runs"]:
            if row["root"] in self._roots:
                self._rows[row["id"]] = row

    async def _approve(self, message: dict[str, Any]) -> None:
        assert self._ask is not None, "it was declared"
        params = message["params"]
        consent = Consent(params["host"], params["reads"], tuple(params["agents"]))
        with self._questions[message["id"]]:
            result = {"answer": await self._ask(consent)}
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            self._writer.write(frame(dumps(answer)))
        del self._questions[message["id"]]


_RUN = TypeAdapter(RunView)


def _hello(language: str, *, asks: bool) -> dict[str, Any]:
    ours = {"events": True, "approve": asks, "progress": False}
    return {
        "processId": None,
        "rootUri": None,
        "locale": language,
        "clientInfo": {"name": "terminal"},
        "capabilities": {"experimental": {"codexd": ours}},
    }


def _fault(error: dict[str, Any], text: Text) -> CodexdError:
    """The error of an answer as the fault that it was."""
    data: dict[str, Any] = error.get("data") or {}
    if "type" in data:
        return from_data(error["message"], data)
    if error["code"] == REQUEST_CANCELLED:
        return Denied(error["message"])
    if error["code"] == INVALID_PARAMS:
        return BadRequest(error["message"])
    return Unavailable(error["message"], help=text("daemon.logs"))
