"""`codexd lsp`: an editor's standard streams, joined to the daemon of its workspace.

It reads the first message itself, since that names the workspace; from then on it passes bytes,
and knows nothing of them.
"""

from __future__ import annotations

import _thread
import json
import os

from codexd.config import places
from codexd.daemon import attach
from codexd.daemon.attach import is_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Mapping
    from typing import Any, TypeGuard

    from codexd.errors import CodexdError

LARGEST_HEAD = 8 * 1024
LARGEST_FIRST = 16 * 1024 * 1024
"""Bytes that the head of the first message, and the message itself, may have."""
LAST_WORDS_SECONDS = 5.0
"""How long the daemon may still answer after the editor's input has ended."""
_PIECE = 64 * 1024
_REQUEST_FAILED = -32803


class First:
    """The first message, and what of it matters here."""

    __slots__ = ("id", "raw", "root")

    def __init__(self, raw: bytes, message: dict[str, Any], home: str) -> None:
        self.raw = raw
        """As it came, with whatever came in after it."""
        self.id = message.get("id")
        self.root = places.root_of(_folder_of(message.get("params")), home)


def bridge(env: Mapping[str, str], *, standalone: bool = False) -> int:
    """Join stdin and stdout to a daemon, or with `standalone` to a server in this process.

    Returns the exit status: 0 after `exit` or the end of input. Raises `CodexdError` where nobody
    can serve, having answered the editor so.
    """
    for stream in (0, 1):
        os.set_blocking(stream, True)
    first = read_first(places.home_of(env))
    if first is None:
        return 0
    try:
        # In CI a daemon that nobody asked for would outlive its job.
        may_start = attach.may_start(env)
        join = attach.attach if may_start else attach.find
        attached = None if standalone else join(first.root, env, door="lsp")
        if attached is None:
            return _alone(first, env)
    except Exception as fault:
        from codexd.errors import CodexdError

        if isinstance(fault, CodexdError):
            _answer(first, fault)
        raise
    _write(attached.early)
    passing = _Passing(attached.sock, first.raw)
    _thread.start_new_thread(passing.up, (LAST_WORDS_SECONDS,))
    if passing.down():
        return 0
    from codexd.errors import Unavailable

    raise Unavailable("the connection to the daemon is lost; editors start this again")


def _alone(first: First, env: Mapping[str, str]) -> int:
    """Serve in this process, to which the streams are joined as to a daemon."""
    import socket

    from codexd.daemon.alone import serve

    ours, theirs = socket.socketpair()
    passing = _Passing(ours, first.raw)
    # However long the runs take to end in order, it waits.
    _thread.start_new_thread(passing.up, (-1,))
    _thread.start_new_thread(passing.down, ())
    try:
        serve(first.root, env, theirs)
    finally:
        theirs.close()
    passing.gone.acquire(timeout=LAST_WORDS_SECONDS)
    return 0


def read_first(home: str) -> First | None:
    """The first message on stdin; `None` where input ends before it.

    Raises `BadRequest` where it is none.
    """
    raw = b""
    while (end := raw.find(b"\r\n\r\n")) < 0:
        if len(raw) > LARGEST_HEAD:
            raise _no_message(f"no end of its head within {LARGEST_HEAD:,} bytes")
        piece = os.read(0, _PIECE)
        if not piece:
            return None
        raw += piece
    length = _length(raw[:end])
    while len(raw) < end + 4 + length:
        piece = os.read(0, _PIECE)
        if not piece:
            return None
        raw += piece
    try:
        message = json.loads(raw[end + 4 : end + 4 + length])
    except (ValueError, RecursionError):
        message = None
    if not is_table(message):
        raise _no_message("its body is no JSON object")
    return First(raw, message, home)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            if not value.strip().isdigit() or int(value) > LARGEST_FIRST:
                raise _no_message(f"its length is to be a number up to {LARGEST_FIRST:,}")
            return int(value)
    raise _no_message("it has no Content-Length")


def _folder_of(params: object) -> str:
    """The folder that `initialize` names as its workspace; else this one."""
    if is_table(params):
        named = _tables(params.get("workspaceFolders"))[:1]
        for uri in (params.get("rootUri"), *(folder.get("uri") for folder in named)):
            if isinstance(uri, str) and (path := _path_of(uri)):
                return path
        path = params.get("rootPath")
        if isinstance(path, str) and os.path.isabs(path):
            return path
    return os.getcwd()


def _tables(value: object) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [each for each in value if is_table(each)] if _is_list(value) else []


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _path_of(uri: str) -> str:
    """The path of a file URI; empty where it is another one."""
    scheme, _, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    if scheme.lower() != "file" or host not in ("", "localhost"):
        return ""
    head, *parts = (slash + path).encode().split(b"%")
    for part in parts:
        is_byte = len(part) > 1 and not part[:2].strip(b"0123456789abcdefABCDEF")
        head += bytes.fromhex(part[:2].decode()) + part[2:] if is_byte else b"%" + part
    return os.fsdecode(head)


class _Passing:
    """Bytes on their way, in both directions, until one side ends."""

    def __init__(self, sock: _socket.socket, first: bytes) -> None:
        self._sock, self._first, self._last = sock, first, b""
        self._input_ended = False
        self.gone = _thread.allocate_lock()
        """Free when the server's side has ended."""
        self.gone.acquire()

    def up(self, last_words_seconds: float) -> None:
        """From the editor to the server, until input ends; then the server has so long to end."""
        piece = self._first
        try:
            while piece:
                self._last = (self._last + piece)[-_EXIT_FITS:]
                self._sock.sendall(piece)
                piece = os.read(0, _PIECE)
            self._input_ended = True
            self._sock.shutdown(_SHUT_WR)
        except OSError:
            return  # the server's side has ended, which the other direction tells of
        if not self.gone.acquire(timeout=last_words_seconds):
            os._exit(0)
        self.gone.release()

    def down(self) -> bool:
        """From the server to the editor, until either has gone; whether it was to end."""
        try:
            while piece := self._sock.recv(_PIECE):
                _write(piece)
        except BrokenPipeError:
            return True  # the editor has gone
        except OSError:
            pass
        finally:
            self.gone.release()
        return self._input_ended or _is_exit(self._last)


_SHUT_WR = 1
_EXIT_FITS = 256
"""Bytes in which the message `exit` fits."""


def _is_exit(last: bytes) -> bool:
    """Whether the last message sent was `exit`."""
    try:
        return json.loads(last.rpartition(b"\r\n\r\n")[2])["method"] == "exit"
    except (ValueError, LookupError, TypeError):
        return False


def _answer(first: First, fault: CodexdError) -> None:
    """Tell the editor why nobody serves it, in answer to its first request."""
    if first.id is None:
        return
    message = f"codexd: {fault}" + (f"; {fault.help}" if fault.help else "")
    error = {"code": _REQUEST_FAILED, "message": message, "data": {"retry": False}}
    body = json.dumps({"jsonrpc": "2.0", "id": first.id, "error": error}).encode()
    _write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def _write(piece: bytes) -> None:
    """All of `piece`, to stdout."""
    view = memoryview(piece)
    while view:
        view = view[os.write(1, view) :]


def _no_message(why: str) -> Exception:
    from codexd.errors import BadRequest

    return BadRequest(
        f"what came in on stdin is no message of the Language Server Protocol: {why}",
        help="`codexd lsp` is for editors to start",
    )
