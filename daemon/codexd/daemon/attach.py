"""How a client comes to the daemon of its workspace: finds it, or starts it; greets it.

The standard library only, and little of it: an editor's bridge goes through here, cold.
"""

from __future__ import annotations

# `socket` brings `enum` and `selectors`: half of what a bridge may take to start.
import _socket
import json
import os
import signal
import sys

from codexd import __version__
from codexd.config import places
from codexd.daemon import endpoint
from codexd.daemon.ending import END_SECONDS, end_holder, until_gone
from codexd.daemon.endpoint import PROTOCOL, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeGuard

PROGRAM = (sys.executable, "-P", "-m", "codexd.daemon")
"""What a daemon is started with; the workspace and two descriptors follow."""

LONGEST_LINE = 64 * 1024
"""Bytes that each side's line of the handshake may have."""
ANSWER_SECONDS = 5.0
START_SECONDS = 60.0

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
"""Variables that hold the keys of providers which need no configuration."""
_SENT = {
    *("PATH", "SSH_AUTH_SOCK", "LANG", "LANGUAGE", *KEYS),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"),
}
_OWN = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "CODEX_HOME"),
    *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV", "CODEXD_DEBUG"),
}
_OWN_PREFIXES = ("XDG_", "LC_", "PYTHON")


class Attached:
    """A connection to a daemon, the handshake done."""

    __slots__ = ("answer", "early", "pid", "sock", "started", "version")

    def __init__(self, sock: _socket.socket, answer: dict[str, Any], early: bytes) -> None:
        self.sock = sock
        """Blocking. `_socket`'s: `socket.socket(fileno=sock.detach())` makes it a whole one."""
        self.answer = answer
        """The daemon's line, with more in it for the doors `status` and `stop`."""
        self.early = early
        """What came in with that line, of the protocol that follows."""
        self.version, self.pid = str(answer.get("version")), int(answer.get("pid", 0))
        self.started = False
        """Whether it was started for this client."""


def find(root: str, env: Mapping[str, str], *, door: str) -> Attached | None:
    """A connection to the daemon of the workspace at `root`; `None` where none runs.

    Raises `Refused` where it lets nobody like us in, `Unavailable` where it does not answer.
    """
    return _accepted(_greet(Place(root, env), env, door))


def attach(
    root: str,
    env: Mapping[str, str],
    *,
    door: str,
    said: str = "",
    check: Callable[[], object] = bool,
) -> Attached:
    """A connection to the daemon of the workspace at `root`, started where none runs.

    Of several clients that come at once one starts it. One of an older protocol is replaced.
    `said` is configuration that stands in no file, and may name variables to be sent; `check` is
    called before a daemon is started, and raises where there is no need for one.
    Raises `Refused`, `Unavailable`, and what `check` raises.
    """
    place = Place(root, env)
    attached = _greet(place, env, door, said)
    if attached is None or _gives_way(attached):
        if attached is not None:
            attached.sock.close()
        else:
            check()
        attached = _start_or_join(place, env, door, said)
    attached = _accepted(attached)
    if attached is None:
        raise _unavailable(
            "the daemon ended as soon as it had begun", f"its log says why: {place.log}"
        )
    return attached


def may_start(env: Mapping[str, str]) -> bool:
    """Whether a command may start a daemon by the way: not in CI."""
    return env.get("CI") != "true"


def sent_environment(root: str, env: Mapping[str, str], said: str = "") -> dict[str, str]:
    """What of `env` goes to the daemon: what programs need to reach the world, and the variables
    that configuration names, that of files and what is `said` besides.
    """
    words = _words_of(os.fsencode(said))
    for path in places.config_files(root, env):
        words |= _words(path)
    return {
        name: value
        for name, value in env.items()
        if name in _SENT or name.startswith("LC_") or os.fsencode(name) in words
    }


def own_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What of `env` a daemon started by us lives in: nothing that is this client's alone."""
    own = {
        name: value for name, value in env.items() if name in _OWN or name.startswith(_OWN_PREFIXES)
    }
    if "PYTHONPATH" in own:
        # It lives in another folder than we do.
        folders = filter(None, own["PYTHONPATH"].split(os.pathsep))
        own["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, folders))
    return own


_NAMES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_NO_NAME = bytes(i if i in _NAMES else 32 for i in range(256))
_LARGEST = 1_000_000


def _words_of(text: bytes) -> set[bytes]:
    return set(text.translate(_NO_NAME).split())


def _words(path: str) -> set[bytes]:
    """The words of a file that could be names of variables."""
    try:
        # A repository may ship a pipe under this name: it is opened without waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        return _words_of(os.read(descriptor, _LARGEST))
    except OSError:
        return set()
    finally:
        os.close(descriptor)


def _greet(place: Place, env: Mapping[str, str], door: str, said: str = "") -> Attached | None:
    """What the daemon answers, be it a refusal; `None` where nobody is there."""
    named = endpoint.read(place)
    if named is None:
        return None
    unix = isinstance(named.address, str)
    sock = _socket.socket(_socket.AF_UNIX if unix else _socket.AF_INET, _socket.SOCK_STREAM)
    try:
        sock.settimeout(ANSWER_SECONDS)
        sock.connect(named.address)
        sock.sendall(_hello(place, env, door, named.token, said))
        line = _line(sock)
    except TimeoutError:
        sock.close()
        raise _unavailable(
            f"the daemon (pid {named.pid}) does not answer", "`codexd daemon restart` ends it"
        ) from None
    except PermissionError as fault:
        sock.close()
        raise _unavailable(
            f"the daemon (pid {named.pid}) cannot be reached from here: {fault.strerror}",
            "a sandbox may keep this process from its socket; `--standalone` needs none",
        ) from fault
    except OSError:
        # Its socket is gone, or it went while we spoke.
        sock.close()
        return None
    head, _, early = line.partition(b"\n")
    try:
        answer = json.loads(head)
    except ValueError:
        answer = None
    if not is_table(answer):
        sock.close()
        return None
    sock.settimeout(None)
    return Attached(sock, answer, early)


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether `value`, read as JSON, is an object."""
    return isinstance(value, dict)


def _hello(place: Place, env: Mapping[str, str], door: str, token: str, said: str) -> bytes:
    hello = {
        "codexd": PROTOCOL,
        "token": token,
        "door": door,
        "version": __version__,
        "pid": os.getpid(),
        "cwd": _cwd(),
        "env": sent_environment(place.root, env, said) if door in ("lsp", "cli") else {},
    }
    line = json.dumps(hello).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise _unavailable(
            f"the environment to send is larger than {LONGEST_LINE // 1024} KiB",
            "unset a long variable that the configuration names, or shorten PATH",
        )
    return line


def _cwd() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def _line(sock: _socket.socket) -> bytes:
    """What the daemon says first, at least a line of it; empty where it has gone."""
    said = b""
    while b"\n" not in said and len(said) <= LONGEST_LINE:
        piece = sock.recv(4096)
        if not piece:
            return b""
        said += piece
    return said


def _accepted(attached: Attached | None) -> Attached | None:
    """`attached`. Raises `Refused` where it is a refusal."""
    if attached is None or "refused" not in attached.answer:
        return attached
    attached.sock.close()
    from codexd.errors import Refused

    kind, say = str(attached.answer["refused"]), str(attached.answer.get("say", ""))
    raise Refused(kind, f"the daemon (pid {attached.pid}) refused: {say}", help=_REMEDIES.get(kind))


_REMEDIES = {
    "token": "`codexd daemon restart` has it make a new endpoint",
    "protocol": "update the older of the two; `codexd daemon stop` ends the one that runs",
    "retiring": "ask again in a moment",
    "sandboxed": "start this outside of the sandbox, or with `--standalone`",
}


def _gives_way(attached: Attached) -> bool:
    """Whether a refusal is that of a daemon which will end for us."""
    kind = attached.answer.get("refused")
    older = attached.answer.get("codexd", PROTOCOL) < PROTOCOL
    return kind == "retiring" or (kind == "protocol" and older)


def _start_or_join(place: Place, env: Mapping[str, str], door: str, said: str) -> Attached | None:
    """The first answer of a daemon that is started here, or that somebody else just started."""
    endpoint.make_folder(place)
    starting = endpoint.open_lock(place.starting)
    try:
        # Whoever starts one holds this until it is ready: here two that come at once meet.
        if not endpoint.wait_for(starting, START_SECONDS + END_SECONDS):
            raise _unavailable("another client has been starting it for too long", _log(place))
        attached = _greet(place, env, door, said)
        if attached is not None and not _gives_way(attached):
            return attached
        if attached is not None:
            _have_retired(place, env, attached)
        _make_way(place)
        _start(place, env, starting)
    finally:
        os.close(starting)
    attached = _greet(place, env, door, said)
    if attached is not None:
        attached.started = True
    return attached


def _have_retired(place: Place, env: Mapping[str, str], refusal: Attached) -> None:
    """Have a daemon that is older than we are end, in order."""
    refusal.sock.close()
    if refusal.answer["refused"] == "protocol":
        asked = _accepted(_greet(place, env, "retire"))
        if asked is not None:
            until_gone(asked.sock)


def _make_way(place: Place) -> None:
    """Have nobody hold the daemon's lock. Raises `Unavailable`."""
    lock = endpoint.open_lock(place.lock)
    try:
        if endpoint.take(lock):
            return
        # One that ends takes its endpoint away first. One whose socket was swept away is of no
        # use to anybody: its runs leave off and can be resumed.
        if endpoint.read(place) is not None:
            end_holder(place, signal.SIGTERM)
        if not endpoint.wait_for(lock, END_SECONDS):
            pid, host = endpoint.holder(lock)
            raise _unavailable(
                f"a daemon ({pid or '?'} on {host}) holds {place.lock}, and is out of reach",
                "`codexd daemon stop` ends one that hangs; one elsewhere is ended there",
            )
    finally:
        os.close(lock)


def _start(place: Place, env: Mapping[str, str], starting: int) -> None:
    """Have a daemon that is ready. Raises `Unavailable` with what it says of why it is not."""
    import subprocess

    try:
        log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _unavailable(f"{place.log}: {fault.strerror}", endpoint.FOLDER_HELP) from fault
    ready, told = os.pipe()
    try:
        subprocess.run(
            [*PROGRAM, place.root, str(told), str(starting)], check=False, cwd="/",
            env=own_environment(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=(told, starting), start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(told)
        os.close(log)
    with open(ready, "rb") as pipe:
        said = pipe.read()
    answer: dict[str, Any] = json.loads(said) if said else {}
    if "pid" not in answer:
        raise _unavailable(
            f"the daemon did not start: {answer.get('fault', 'it ended without a word')}",
            str(answer.get("help") or _log(place)),
        )


def _log(place: Place) -> str:
    return f"its log may say why: {place.log}"


def _unavailable(message: str, help: str) -> Exception:
    from codexd.errors import Unavailable

    return Unavailable(message, help=help)
