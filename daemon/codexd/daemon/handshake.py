"""What a client's first line comes to: a `Hello`, or a refusal. Decided here, without I/O."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from codexd import __version__
from codexd.daemon.endpoint import PROTOCOL
from codexd.lsp.hello import Hello

Kind: TypeAlias = Literal["token", "protocol", "retiring", "sandboxed"]
SERVED = ("lsp", "cli")
"""The doors behind which the language server stands. `status`, `stop` and `retire` are the
process's own, and are opened to every protocol but as `judge` says.
"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client is not let in, in the handshake's word and in a sentence."""

    kind: Kind
    say: str


class _Line(BaseModel):
    model_config = ConfigDict(strict=True)

    door: Literal["lsp", "cli", "status", "stop", "retire"]
    version: str
    pid: int
    cwd: str
    env: dict[str, str]


def judge(
    line: bytes, *, token: str, ours: int = PROTOCOL, retiring: bool = False
) -> Hello | Refusal:
    """Whether whoever sent `line` is let in. `ours` is the protocol spoken here."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return Refusal("protocol", "the first line is to be one JSON object, the handshake")
    said = cast("dict[str, Any]", said)
    theirs, given = said.get("codexd"), said.get("token")
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(errors="replace"), token.encode()
    ):
        # Before all else: who has no token learns nothing.
        return Refusal("token", "the token is not that of endpoint.json")
    if type(theirs) is not int or theirs < 1:
        return Refusal("protocol", "`codexd` is to be the number of a protocol")
    if said.get("door") == "retire" and theirs <= ours:
        return Refusal("protocol", f"protocol {theirs} does not replace protocol {ours}")
    if said.get("door") in SERVED and not is_served(theirs, ours):
        return Refusal("protocol", f"it speaks protocol {ours}, the client speaks {theirs}")
    if said.get("door") in SERVED and retiring:
        return Refusal("retiring", "it is about to end")
    try:
        read = _Line.model_validate(said)
    except ValidationError as fault:
        where = ".".join(map(str, fault.errors()[0]["loc"]))
        return Refusal("protocol", f"`{where}` is not as the handshake has it")
    return Hello(read.door, read.version, read.pid, read.cwd, read.env)


def is_served(theirs: int, ours: int) -> bool:
    """Whether a client of protocol `theirs` is served by one of `ours`: its own, or one back."""
    return theirs in (ours, ours - 1)


def welcome(pid: int, **more: object) -> bytes:
    """The line that lets a client in."""
    return _line({"codexd": PROTOCOL, "version": __version__, "pid": pid, **more})


def refusal(refused: Refusal, pid: int) -> bytes:
    """The line that does not. It names our protocol: a newer client may have us retire."""
    told = {"refused": refused.kind, "say": refused.say}
    return _line({**told, "codexd": PROTOCOL, "version": __version__, "pid": pid})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
