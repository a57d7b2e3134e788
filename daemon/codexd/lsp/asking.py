"""Questions to people: to the client that asked first, then to all that can ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import anyio
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from codexd.lsp.server import Connection
from codexd.lsp.text import told
from codexd.lsp.verbs import plain
from codexd.orchestrator import Ask, Consent

if TYPE_CHECKING:
    from codexd.lsp.desk import Desk

METHOD = "codexd/approve"


@dataclass(frozen=True, slots=True)
class ApproveParams:
    """A question to a person: may this host read files of the workspace?"""

    host: str
    reads: str
    """What it will read, for people: `./** without .env, .git, keys`."""
    agents: tuple[str, ...]
    """Whose runs it answers."""
    kind: Literal["hosted_model"] = "hosted_model"


@dataclass(frozen=True, slots=True)
class ApproveAnswer:
    """What the person said; all else is a no. The question may be taken back by
    `$/cancelRequest`: somebody else has answered.
    """

    answer: Literal["once", "always", "no"]


def ask_of(connection: Connection, desk: Desk) -> Ask | None:
    """How whoever is at `connection` is asked; `None` where nobody is there to answer."""
    if not (connection.declares("approve") or connection.hello.door == "lsp"):
        return None

    async def ask(consent: Consent) -> str:
        return await _first_answer(consent, connection, desk)

    return ask


async def _first_answer(consent: Consent, first: Connection, desk: Desk) -> str:
    """The answer of whoever is first; the question is taken back from the others."""
    answers: list[str] = []
    cannot = anyio.Event()
    async with anyio.create_task_group() as asking:

        async def put(connection: Connection) -> None:
            answer = await _ask(consent, connection)
            if answer:
                answers.append(answer)
                asking.cancel_scope.cancel()
            cannot.set()

        asking.start_soon(put, first)
        with anyio.move_on_after(desk.silent_seconds):
            await cannot.wait()
        for other in list(desk.connections):
            # A command of the terminal asks for itself alone: whoever waits for it would take
            # the question for its own.
            if other is not first and other.declares("approve") and other.hello.door == "lsp":
                asking.start_soon(put, other)
    return answers[0] if answers else "no"


async def _ask(consent: Consent, connection: Connection) -> str:
    """`once`, `always` or `no`; empty where the client is gone or cannot ask."""
    protocol = connection.protocol
    try:
        if connection.declares("approve"):
            params = ApproveParams(consent.host, consent.reads, consent.agents)
            reply: Any = await protocol.ask(METHOD, plain(params))
            answer = cast("dict[str, Any]", reply).get("answer") if isinstance(reply, dict) else ""
            return answer if answer in ("once", "always") else "no"
        return await _message(consent, connection)
    except (ConnectionError, JsonRpcException):
        return ""


async def _message(consent: Consent, connection: Connection) -> str:
    """The same by LSP's own question. *Deny* stands first: a stray Enter picks that."""
    ja = connection.language == "ja"
    titles = ("拒否", "今回だけ", "常に許可") if ja else ("Deny", "Allow once", "Always here")
    agents, reads = ", ".join(consent.agents), told(connection.language, consent.reads)
    question = (
        f"{agents} が読むファイル ({reads}) を {consent.host} に送ります。許可しますか?"
        if ja
        else f"{consent.host} will read files of this workspace that {agents} may read: "
        f"{reads}. Allow?"
    )
    params = types.ShowMessageRequestParams(
        type=types.MessageType.Warning,
        message=question,
        actions=[types.MessageActionItem(title=title) for title in titles],
    )
    chosen = await connection.protocol.ask(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
    answers: dict[str, str] = dict(zip(titles, ("no", "once", "always"), strict=True))
    return answers.get(getattr(chosen, "title", ""), "no")
