"""One question to a daemon that runs already, asked and answered before Python is warm.

The standard library only, and little of it: what is asked so is asked at every prompt.
"""

from __future__ import annotations

import json

from codexd.config import places
from codexd.daemon.attach import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Mapping
    from typing import Any


def ask(folder: str, env: Mapping[str, str], verb: str) -> Any:
    """What the daemon of the folder's workspace answers to a verb without parameters; `None`
    where none runs, or it does not answer: then this process does it itself.
    """
    root = places.root_of(folder, places.home_of(env))
    try:
        attached = find(root, env, door="cli")
    except Exception as fault:
        from codexd.errors import CodexdError

        if isinstance(fault, CodexdError):
            return None
        raise
    if attached is None:
        return None
    sock = attached.sock
    try:
        # All at once: each answer awaited would be a turn of two processes.
        sock.sendall(
            _frame("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, msg_id=0)
            + _frame(f"codexd/{verb}", {}, msg_id=1)
        )
        return _answer(sock, attached.early)
    except OSError:
        return None
    finally:
        sock.close()


def _frame(method: str, params: Mapping[str, Any], *, msg_id: int) -> bytes:
    message = {"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params}
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _answer(sock: _socket.socket, early: bytes) -> Any:
    """The result of the request with id 1; `None` for an error, or where the daemon hangs up."""
    sock.settimeout(30)
    came = bytearray(early)
    while True:
        while (end := came.find(b"\r\n\r\n")) >= 0:
            # Ours is the only header that a daemon sends.
            length = int(came[:end].partition(b":")[2])
            whole = end + 4 + length
            if len(came) < whole:
                break
            message = json.loads(came[end + 4 : whole])
            del came[:whole]
            if message.get("id") == 1:
                return message.get("result")
        piece = sock.recv(1 << 16)
        if not piece:
            return None
        came += piece
