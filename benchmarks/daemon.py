"""What a daemon costs: coming to it, having it at rest, and clients that come and go.

    python benchmarks/daemon.py [--rounds 25] [--runs 2000] [--json FILE]

A real daemon of an empty workspace, started once. Each round runs, in turn: the bare interpreter,
an editor's bridge (`codexd lsp`, cold) until `initialize` is answered, and `codexd agents list`;
each ratio is to the bare interpreter of the same round. Then the daemon is left alone for a while
with one client attached, 200 clients attach, ask and leave, and one client has 2,000 runs made, 20
at a time: what the last three quarters of them leave behind is the growth of each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from _report import Figure, arguments, tell
from startup import BARE, command

TIMES, REST_MB, REST_PERCENT = 3.0, 80.0, 0.4
REST_SECONDS = 10.0
COME_AND_GO = 200


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000, help="default: 2,000")
    asked = arguments(parser, rounds=25)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "workspace")
        (root / ".git").mkdir(parents=True)
        env = {"HOME": folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        status = subprocess.run(
            [*command(), "daemon", "start", "--json"],
            cwd=root, env=env, capture_output=True, check=True,
        )  # fmt: skip
        pid = int(json.loads(status.stdout)["pid"])
        try:
            figures = [
                *coming(root, env, asked.rounds),
                *resting(root, env, pid),
                *running(root, env, pid, asked.runs),
            ]
        finally:
            subprocess.run([*command(), "daemon", "stop"], cwd=root, env=env, check=True)
    tell("daemon: coming to one, having one", figures, json_path=asked.json)


def coming(root: Path, env: Mapping[str, str], rounds: int) -> list[Figure]:
    """What it takes to come to a warm daemon."""
    bare: list[float] = []
    bridges: list[float] = []
    lists: list[float] = []
    for number in range(rounds + 2):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], cwd=root, env=env, check=True)
        middle = time.perf_counter()
        bridged = bridge(root, env)
        again = time.perf_counter()
        subprocess.run([*command(), "agents", "list"], cwd=root, env=env, capture_output=True)
        listed = time.perf_counter() - again
        # The first two rounds compile and warm the disk's cache.
        if number >= 2:
            bare.append(1000 * (middle - began))
            bridges.append(bridged / (middle - began))
            lists.append(listed / (middle - began))
    return [
        Figure(BARE, "ms", bare),
        Figure("codexd lsp, until `initialize` is answered", "×", bridges, at_most=TIMES),
        Figure("codexd agents list", "×", lists, at_most=TIMES),
    ]


def bridge(root: Path, env: Mapping[str, str]) -> float:
    """Seconds from the start of a bridge to the answer of `initialize`."""
    began = time.perf_counter()
    with attach(root, env) as process:
        taken = time.perf_counter() - began
        leave(process)
    return taken


def attach(root: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """An editor's bridge, `initialize` answered."""
    process = subprocess.Popen(
        [*command(), "lsp"], cwd=root, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    params: dict[str, object] = {"processId": None, "rootUri": root.as_uri(), "capabilities": {}}
    message: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
    send(process.stdin, {**message, "params": params})
    answer(process.stdout)
    send(process.stdin, {"jsonrpc": "2.0", "method": "initialized", "params": {}})
    return process


def leave(process: subprocess.Popen[bytes]) -> None:
    """Have the bridge end."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def answer(stream: IO[bytes]) -> bytes:
    """The next message."""
    length = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return stream.read(length)


def resting(root: Path, env: Mapping[str, str], pid: int) -> list[Figure]:
    """What the daemon takes while nothing happens, and what clients leave behind."""
    with attach(root, env) as process:
        rss, began, used = megabytes(pid), time.perf_counter(), seconds_of(pid)
        time.sleep(REST_SECONDS)  # noqa: TID251 - being left alone is what is measured
        share = 100 * (seconds_of(pid) - used) / (time.perf_counter() - began)
        leave(process)
    for _ in range(COME_AND_GO // 4):
        bridge(root, env)
    before, files = megabytes(pid), descriptors(pid)
    for _ in range(COME_AND_GO):
        bridge(root, env)
    return [
        Figure("memory at rest, one client attached", "MB", [rss], at_most=REST_MB),
        Figure("CPU at rest, of a core", "%", [share], at_most=REST_PERCENT),
        Figure(f"memory after {COME_AND_GO} came and went, more by", "MB",
               [megabytes(pid) - before], at_most=1.0),
        Figure("descriptors, more by", "", [descriptors(pid) - files], at_most=0.0),
    ]  # fmt: skip


def running(root: Path, env: Mapping[str, str], pid: int, n_runs: int) -> list[Figure]:
    """What a run leaves behind in the daemon's memory."""
    (root / "a.py").write_text("x = undefined\n")
    with attach(root, env) as process:
        began = time.perf_counter()
        make(process, n_runs // 4)
        before = megabytes(pid)
        make(process, n_runs - n_runs // 4)
        seconds, after = time.perf_counter() - began, megabytes(pid)
        leave(process)
    grown = 1000 * (after - before) / (n_runs - n_runs // 4)
    return [
        Figure(f"memory after {n_runs:,} runs", "MB", [after]),
        Figure("  more by each", "KB", [grown], at_most=1.5),
        Figure("  runs a second, 20 at once, by rules", "", [n_runs / seconds]),
    ]


AT_ONCE = 20


def make(process: subprocess.Popen[bytes], n_runs: int) -> None:
    """Have runs made, some at once, and wait for all of them."""
    assert process.stdin is not None
    assert process.stdout is not None
    asked = answered = 0
    while answered < n_runs:
        while asked < n_runs and asked - answered < AT_ONCE:
            asked += 1
            params = {"agent": "code-reviewer", "scope": ["a.py"], "wait": True}
            message = {"jsonrpc": "2.0", "id": f"run {asked}", "method": "codexd/delegate"}
            send(process.stdin, {**message, "params": params})
        reply = json.loads(answer(process.stdout))
        if str(reply.get("id", "")).startswith("run "):
            assert reply["result"]["status"] == "completed", reply
            answered += 1


def send(stream: IO[bytes], message: Mapping[str, object]) -> None:
    """Send one message."""
    body = json.dumps(message).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    stream.flush()


def megabytes(pid: int) -> float:
    """The memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def seconds_of(pid: int) -> float:
    """The CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """The files that a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


if __name__ == "__main__":
    main()
