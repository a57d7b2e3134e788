"""Where the daemon of a workspace is found: its folder, its locks, its socket, its endpoint file.

Whoever holds the flock of `daemon.lock` is the daemon; all else here is only what it says of
itself, and is believed as long as somebody answers there.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys

from codexd.config import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Address: TypeAlias = str | tuple[str, int]

PROTOCOL = 1
"""Of the handshake and of what is spoken after it; raised where an older side would be lost."""

LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107
"""Bytes that the path of a socket may have."""

FOLDER_HELP = (
    "its folder must be yours to write, with room; XDG_STATE_HOME names another place for it"
)


class Place:
    """The files of one workspace's daemon."""

    __slots__ = ("endpoint", "folder", "lock", "log", "root", "starting")

    def __init__(self, root: str, env: Mapping[str, str]) -> None:
        self.root = root
        self.folder = os.path.realpath(places.state_folder(root, env))
        self.endpoint = os.path.join(self.folder, "endpoint.json")
        self.lock = os.path.join(self.folder, "daemon.lock")
        """Held by the daemon as long as it lives."""
        self.starting = os.path.join(self.folder, "start.lock")
        """Held by whoever starts one, and by what it started until that is ready."""
        self.log = os.path.join(self.folder, "daemon.log")


class Endpoint:
    """What a daemon says of itself in `endpoint.json`."""

    __slots__ = ("address", "boot_id", "host", "pid", "protocol", "token", "version")

    def __init__(
        self, address: Address, token: str, pid: int, version: str, protocol: int = PROTOCOL
    ) -> None:
        self.address = address
        """The path of a Unix socket; (host, port) where there are none."""
        self.token, self.pid, self.version, self.protocol = token, pid, version, protocol
        self.boot_id, self.host = boot_id(), host_name()


def write(place: Place, endpoint: Endpoint) -> None:
    """Have `endpoint.json` say `endpoint`, at once and readable for its owner only."""
    fresh = f"{place.endpoint}.new"
    told = {name: getattr(endpoint, name) for name in Endpoint.__slots__}
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        json.dump(told, file)
    os.replace(fresh, place.endpoint)


def read(place: Place) -> Endpoint | None:
    """The endpoint that is named; `None` where none is, or that of another boot or machine.

    Raises `Unavailable` where it may not be read.
    """
    try:
        with open(place.endpoint, encoding="utf-8") as file:
            told = json.load(file)
        address = told["address"]
        endpoint = Endpoint(
            address if isinstance(address, str) else (str(address[0]), int(address[1])),
            str(told["token"]),
            int(told["pid"]),
            str(told["version"]),
            int(told["protocol"]),
        )
        here = (told["boot_id"], told["host"]) == (endpoint.boot_id, endpoint.host)
    except (FileNotFoundError, NotADirectoryError, ValueError, LookupError, TypeError):
        # Cut short or not ours: a daemon that starts writes it anew.
        return None
    except OSError as fault:
        raise _unavailable(
            f"{place.endpoint}: {fault.strerror}",
            "a sandbox may keep this process from it; `--standalone` needs none",
        ) from fault
    return endpoint if here else None


def make_private(path: str) -> None:
    """Nobody but us may connect to the socket at `path`, should its folder ever be opened."""
    os.chmod(path, 0o600)


def names(place: Place, token: str) -> bool:
    """Whether clients find the daemon of that token, as far as one can tell."""
    from codexd.errors import Unavailable

    try:
        named = read(place)
    except Unavailable:
        return True
    return named is not None and named.token == token


def withdraw(place: Place, endpoint: Endpoint) -> None:
    """Nobody finds or reaches the daemon of `endpoint` any more."""
    named = read(place)
    if named is not None and named.token != endpoint.token:
        # Somebody has removed the state folder under us, and another daemon has come since.
        return
    # The endpoint first: who finds none waits for the lock instead of knocking.
    for path in (place.endpoint, endpoint.address):
        if isinstance(path, str):
            try:
                os.unlink(path)
            except OSError:
                continue


def make_folder(place: Place) -> None:
    """Have the state folder. Raises `Unavailable`."""
    try:
        os.makedirs(place.folder, mode=0o700, exist_ok=True)
    except OSError as fault:
        raise _unavailable(f"{place.folder}: {fault.strerror}", FOLDER_HELP) from fault


def open_lock(path: str) -> int:
    """A descriptor of the lock file, made where there is none. Raises `Unavailable`."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _unavailable(f"{path}: {fault.strerror}", FOLDER_HELP) from fault


def take(descriptor: int) -> bool:
    """Take the lock, unless somebody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Waiting:
    """Waits for a lock, as often as asked, in one thread: one that was given up, and gets the lock
    when nobody expects it any more, would keep others from it.
    """

    __slots__ = ("_descriptor", "_is_begun", "_taken")

    def __init__(self, descriptor: int) -> None:
        import _thread

        self._descriptor, self._is_begun = descriptor, False
        self._taken = _thread.allocate_lock()
        self._taken.acquire()

    def until(self, seconds: float) -> bool:
        """Take the lock when it becomes free; `False` when it does not within `seconds`."""
        if not self._is_begun:
            if take(self._descriptor):
                return True
            import _thread

            self._is_begun = True
            _thread.start_new_thread(self._wait, ())
        return self._taken.acquire(timeout=seconds)

    def _wait(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._taken.release()


def wait_for(descriptor: int, seconds: float) -> bool:
    """Take the lock when it becomes free; `False` when it does not within `seconds`."""
    return Waiting(descriptor).until(seconds)


def claim(descriptor: int) -> None:
    """Hold the daemon's lock, and have its file say so. Raises `Unavailable`."""
    if not take(descriptor):
        raise _unavailable("another daemon runs", "ask again in a moment")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {host_name()} {boot_id()}".encode(), 0)


def holder(descriptor: int) -> tuple[int, str]:
    """(pid, host) of who holds the lock; a pid of 0 where it cannot be reached from here."""
    pid, _, rest = os.pread(descriptor, 500, 0).decode(errors="replace").partition(" ")
    host, _, boot = rest.partition(" ")
    here = (host, boot) == (host_name(), boot_id())
    return (int(pid) if here and pid.isdecimal() else 0), host


def socket_path(place: Place, env: Mapping[str, str]) -> str:
    """A path for the socket, in a folder that only we can enter. Raises `Unavailable`."""
    name = f"{places.digest(place.folder)}.sock"
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime):
        path = os.path.join(runtime, "codexd", name)
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return _private(path)
    return _private(f"/tmp/codexd-{os.getuid()}/{name}")  # noqa: S108 - checked below


def _private(path: str) -> str:
    """`path`, its folder made. Raises `Unavailable` where others could put something there."""
    folder = os.path.dirname(path)
    help = f"remove {folder}, or set XDG_RUNTIME_DIR to a folder of yours"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            if found.st_mode & 0o077:
                os.chmod(folder, 0o700)
            return path
    except OSError as fault:
        raise _unavailable(f"{folder}: {fault.strerror}", help) from fault
    raise _unavailable(f"{folder}: no folder of yours, so no socket is put there", help)


def host_name() -> str:
    """This machine's name."""
    return os.uname().nodename


def boot_id() -> str:
    """What this boot of the machine is called; empty where it has no name."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _unavailable(message: str, help: str) -> Exception:
    from codexd.errors import Unavailable

    return Unavailable(f"no daemon can be had here: {message}", help=help)
