"""How a daemon is brought to its end from outside, without hurting anybody else."""

from __future__ import annotations

import os
import signal

from codexd.daemon import endpoint
from codexd.daemon.endpoint import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

END_SECONDS = 30.0
"""How long a daemon that ends may take: its runs have 10 s to end, then 10 s to leave off."""


def until_gone(sock: _socket.socket) -> bool:
    """Whether the daemon, asked to end over `sock`, has ended within `END_SECONDS`."""
    sock.settimeout(END_SECONDS)
    try:
        # It closes this connection by ending.
        while sock.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        sock.close()
    return True


def end_holder(place: Place, number: int) -> int:
    """Send the signal to whoever holds the daemon's lock; its pid, 0 where nobody is here.

    A pid may be used again: what is signalled is a process that was there while the lock, which
    it has signed, was held.
    """
    lock = endpoint.open_lock(place.lock)
    try:
        pid, _ = endpoint.holder(lock)
        if not pid:
            return 0
        if not hasattr(os, "pidfd_open"):
            if endpoint.take(lock):
                return 0
            os.kill(pid, number)
            return pid
        process = os.pidfd_open(pid)
        try:
            if endpoint.take(lock) or endpoint.holder(lock)[0] != pid:
                return 0
            signal.pidfd_send_signal(process, number)
        finally:
            os.close(process)
    except ProcessLookupError:
        return 0
    else:
        return pid
    finally:
        os.close(lock)


def end(place: Place, sock: _socket.socket | None) -> int:
    """The pid of the daemon that has ended; 0 where there was none.

    `sock` is a connection over which it was asked to; `None`: it could not be asked, and is
    signalled; killed, where that does not help. Raises `Unavailable` where it is elsewhere.
    """
    if not os.path.isdir(place.folder):
        return 0
    lock = endpoint.open_lock(place.lock)
    try:
        pid, host = endpoint.holder(lock)
        if sock is not None:
            until_gone(sock)
        elif endpoint.take(lock):
            return 0
        else:
            end_holder(place, signal.SIGTERM)
        free = endpoint.Waiting(lock)
        if free.until(END_SECONDS):
            return pid
        end_holder(place, signal.SIGKILL)
        if pid and free.until(END_SECONDS):
            return pid
    finally:
        os.close(lock)
    from codexd.errors import Unavailable

    raise Unavailable(f"the daemon of {place.root} runs on {host}", help="end it there")
