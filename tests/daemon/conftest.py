"""A workspace with its own home, whose daemons are gone when the test is."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import pytest
from tests.cli.program import environment, workspace
from tests.daemon import standin

from codexd.daemon import attach, ending, endpoint
from codexd.daemon.attach import Attached
from codexd.daemon.endpoint import Place


@dataclass
class Site:
    """One workspace, and how a client there goes about it."""

    folder: Path
    env: dict[str, str]
    open: ExitStack = field(default_factory=ExitStack)

    @property
    def root(self) -> str:
        return str(self.folder)

    @property
    def place(self) -> Place:
        return Place(self.root, self.env)

    @property
    def said(self) -> dict[str, Any]:
        """What endpoint.json says."""
        return json.loads(Path(self.place.endpoint).read_text())

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in Path(self.place.log).read_text().splitlines()]

    def attach(self, door: str = "cli", **env: str) -> Attached:
        """A connection, the daemon being started where none runs."""
        attached = attach.attach(self.root, {**self.env, **env}, door=door)
        self.open.callback(attached.sock.close)
        return attached

    def talk(self, attached: Attached) -> Talk:
        """Requests over a connection."""
        talk = Talk(attached)
        self.open.callback(talk.close)
        return talk

    def find(self, door: str = "cli") -> Attached | None:
        """A connection; `None` where none runs."""
        return attach.find(self.root, self.env, door=door)

    def start(self, *argv: str, **env: str) -> subprocess.Popen[bytes]:
        """`codexd ARGV…` with all streams as pipes."""
        return subprocess.Popen(
            [sys.executable, standin.__file__, *argv], cwd=self.folder, env={**self.env, **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *argv: str, said: bytes = b"", **env: str) -> tuple[int, str, str]:
        """(exit status, stdout, stderr) of `codexd ARGV…`."""
        with self.start(*argv, **env) as process:
            out, err = process.communicate(said, timeout=60)
        return process.returncode, out.decode(), err.decode()

    def knock(self, line: bytes, *, then: int = 65_536) -> bytes:
        """What the daemon answers to a raw first line, until it closes."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(self.said["address"])
            sock.sendall(line)
            return b"".join(iter(lambda: _received(sock, then), b""))

    def hello(self, **changed: object) -> bytes:
        """A client's line, as it should be but for `changed`; `None` leaves out."""
        whole: dict[str, object] = {
            "codexd": 1, "token": self.said["token"], "door": "status", "version": "0", "pid": 1,
            "cwd": "/", "env": {},
        }  # fmt: skip
        told = {key: value for key, value in {**whole, **changed}.items() if value is not None}
        return json.dumps(told).encode() + b"\n"


def _received(sock: socket.socket, size: int) -> bytes:
    try:
        return sock.recv(size)
    except ConnectionResetError:
        return b""


class Talk:
    """Requests over a connection."""

    def __init__(self, attached: Attached) -> None:
        self._sock = socket.socket(fileno=attached.sock.detach())
        self._sock.settimeout(20)
        self._file = self._sock.makefile("rb")

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a request."""
        self._sock.sendall(
            standin.framed({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        )
        return read_frame(self._file)["result"]

    def close(self) -> None:
        self._file.close()
        self._sock.close()


def read_frame(stream: IO[bytes]) -> dict[str, Any]:
    """The next message."""
    length = int(stream.readline().split(b":")[1])
    stream.readline()
    return json.loads(stream.read(length))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Site]:
    monkeypatch.setattr(attach, "PROGRAM", standin.PROGRAM)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    folder = workspace(tmp_path / "work").resolve()
    env = environment(XDG_RUNTIME_DIR=str(runtime), CI="")
    root = Path(__file__).parent.parent.parent
    env["PYTHONPATH"] = f"{env['PYTHONPATH']}:{root}"
    site = Site(folder, env)
    with site.open:
        yield site
    ending.end(site.place, None)
    assert site.find() is None
    assert not _processes_of(site.root)


def _processes_of(root: str) -> list[str]:
    """The command lines that name the workspace."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(root) in words:
            found.append(repr(words))
    return found


def lock_is_free(place: Place) -> bool:
    """Whether nobody is the daemon."""
    lock = endpoint.open_lock(place.lock)
    try:
        return endpoint.take(lock)
    finally:
        os.close(lock)


def until_gone(place: Place) -> None:
    """Return when nobody is the daemon any more."""
    lock = endpoint.open_lock(place.lock)
    assert endpoint.wait_for(lock, 20)
    os.close(lock)


def table(text: str) -> dict[str, Any]:
    """A JSON object."""
    return cast("dict[str, Any]", json.loads(text))
