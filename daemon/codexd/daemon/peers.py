"""Who is at the other end of a socket, as the kernel has it."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from codexd.daemon.handshake import Refusal

_NAMESPACES = ("user", "mnt", "net", "pid", "ipc")
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Bonds:
    """What holds a process back."""

    no_new_privs: int
    seccomp: int
    n_filters: int
    namespaces: tuple[str, ...]


def check(sock: socket.socket) -> Refusal | None:
    """Why the peer of `sock` is not let in; `None` where nothing is known against it.

    The token alone would do against other users. A sandboxed process of the same user could have
    been given it, and what it asks for would be done outside of its sandbox.
    """
    if sock.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    if uid != os.getuid():
        return Refusal("token", "the client is another user's")
    return sandboxed(bonds_of(pid), bonds_of(os.getpid()))


def sandboxed(theirs: Bonds | None, ours: Bonds | None) -> Refusal | None:
    """A refusal where `theirs` hold tighter than `ours`, or are not known."""
    if ours is None:
        return None
    if theirs is None:
        return Refusal("sandboxed", "the client cannot be looked at: it is in a container")
    if theirs.namespaces != ours.namespaces:
        pairs = zip(_NAMESPACES, theirs.namespaces, ours.namespaces, strict=True)
        names = ", ".join(name for name, one, other in pairs if one != other)
        return Refusal("sandboxed", f"the client is in a container of its own ({names})")
    if theirs.no_new_privs > ours.no_new_privs:
        return Refusal("sandboxed", "the client may gain no privileges, and codexd may")
    if (theirs.seccomp, theirs.n_filters) > (ours.seccomp, ours.n_filters):
        return Refusal("sandboxed", "the client's system calls are filtered")
    return None


def bonds_of(pid: int) -> Bonds | None:
    """What holds the process back; `None` where it cannot be looked at."""
    folder = Path(f"/proc/{pid}")
    try:
        lines = (folder / "status").read_text().splitlines()
        namespaces = tuple(str((folder / "ns" / name).readlink()) for name in _NAMESPACES)
    except OSError:
        return None
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    names = ("NoNewPrivs", "Seccomp", "Seccomp_filters")
    privileges, seccomp, n_filters = (int(said.get(name, "0")) for name in names)
    return Bonds(privileges, seccomp, n_filters, namespaces)
