"""SIGKILL at any point, then `runs resume`: what is lost, paid again, done twice or left behind.

A real process, a real model server over HTTP that counts what it was asked, real files.
`python -m tests.crash.harness --points 300` prints the counts.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import anyio
from tests.model_server import Call, ModelServer, Scripted, turns

ROOT = Path(__file__).parent.parent.parent
MARK = "CODEXD_CRASH_POINT"

LEAD = """\
name: lead
goal: lead
tools: {mcp: [read_file, grep, write_file, report_finding, delegate, shell], fs: {read: true}, \
shell: {exec: [sh tick.sh]}}
policies: {context: {max_tokens: 200000}}
artifacts: [out/lead.md]
"""
HELPER = """\
name: helper
goal: helper
tools: {mcp: [read_file, report_finding, shell], fs: {read: true}, shell: {exec: [sh tick.sh]}}
policies: {context: {max_tokens: 60000}}
"""
WRITER = """\
name: writer
goal: writer
tools: {mcp: [read_file, apply_patch, report_finding], fs: {read: true, write: [src/**]}}
policies: {context: {max_tokens: 90000}}
"""
PATCH = """\
*** Begin Patch
*** Update File: src/one.py
@@
-ONE = 1
+ONE = 11
*** Update File: src/two.py
@@
-TWO = 2
+TWO = 22
*** Add File: src/three.py
+THREE = 33
*** End Patch
"""
FILES = {
    "a.txt": "alpha\nbeta\n",
    "src/one.py": "ONE = 1\n",
    "src/two.py": "TWO = 2\n",
    "tick.sh": 'echo "$1" >> ticks.log\n',
}
LEFT = {
    **FILES,
    "src/one.py": "ONE = 11\n",
    "src/two.py": "TWO = 22\n",
    "src/three.py": "THREE = 33\n",
    "out/lead.md": "# Lead\n",
}
COMMAND = ("delegate-parallel", "lead,writer")


def _call(name: str, **arguments: Any) -> Call:
    return Call(name, json.dumps(arguments))


def _found(line: int) -> Call:
    return _call("report_finding", path="a.txt", line=line, message=f"line {line}")


def _end(summary: str) -> Scripted:
    return Scripted(text=json.dumps({"summary": summary, "criteria": [], "data": None}))


SCRIPTS: dict[str, tuple[Scripted, ...]] = {
    "lead": (
        Scripted(calls=(_call("read_file", path="a.txt"), _call("grep", pattern="alpha"))),
        Scripted(calls=(_found(1), _call("shell", command="sh tick.sh lead-1"))),
        Scripted(calls=(_call("delegate", agent="helper", goal="help one"),
                        _call("delegate", agent="helper", goal="help two"))),
        Scripted(calls=(_call("write_file", path="out/lead.md", content="# Lead\n"),)),
        _end("led"),
    ),
    "help one": (
        Scripted(calls=(_call("shell", command="sh tick.sh one-1"), _found(2))), _end("one")
    ),
    "help two": (Scripted(calls=(_call("read_file", path="src/one.py"),)), _end("two")),
    "writer": (
        Scripted(calls=(_call("read_file", path="src/two.py"),)),
        Scripted(calls=(_call("apply_patch", patch=PATCH), _found(3))),
        _end("written"),
    ),
}  # fmt: skip


def goal_of(body: dict[str, Any]) -> str:
    """The goal of the conversation in a request."""
    first = next(m["content"] for m in body["messages"] if m["role"] == "user")
    return str(first).partition("\n")[0]


def answer(body: dict[str, Any]) -> Scripted:
    """What the model says: by goal, and by turn."""
    answers = SCRIPTS[goal_of(body)]
    return answers[min(turns(body), len(answers) - 1)]


@dataclass(frozen=True, slots=True)
class Point:
    """Where the first process dies, and where the second, if it does."""

    first: str
    second: str = ""


@dataclass(slots=True)
class Count:
    """What went wrong; all of it is to be 0."""

    results_lost: int = 0
    asked_again: int = 0
    done_twice: int = 0
    settled_too_little: int = 0
    settled_too_much: int = 0
    orphans: int = 0
    broken_chains: int = 0
    not_completed: int = 0
    wrong_files: int = 0
    survived: int = 0
    """Points that the process did not come to: commits are more or fewer, as tasks meet."""
    told: list[str] = field(default_factory=list[str])
    """What was seen, for who mends it."""

    def __iadd__(self, other: Count) -> Count:
        for each in fields(Count):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    @property
    def faults(self) -> dict[str, int]:
        """Each count by name."""
        names = [each.name for each in fields(Count) if each.name not in ("told", "survived")]
        return {name: getattr(self, name) for name in names}


class Yard:
    """A workspace, a home and a model server for one point."""

    def __init__(self, folder: Path, server: ModelServer, mark: str) -> None:
        self.workspace, self.home = folder / "work", folder / "home"
        agents = self.workspace / ".codex" / "agents"
        agents.mkdir(parents=True)
        for name, text in (("lead", LEAD), ("helper", HELPER), ("writer", WRITER)):
            (agents / f"{name}.yaml").write_text(text)
        for path, text in FILES.items():
            (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / path).write_text(text)
        (self.home / ".codex").mkdir(parents=True)
        (self.home / ".codex" / "codexd.toml").write_text(
            f"""\
model = "small"
model_provider = "scripted"
sandbox = "none"
[model_providers.scripted]
name = "scripted"
base_url = "{server.url}"
wire_api = "chat"
request_max_retries = 0
"""
        )
        self.env = {
            "HOME": str(self.home),
            "CI": "true",  # the process drives its runs itself
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{ROOT / 'daemon'}:{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            MARK: mark,
        }

    def env_in(self, folder: Path) -> dict[str, str]:
        """The environment for a copy of the yard in `folder`."""
        return {**self.env, "HOME": str(folder / "home")}

    async def codexd(self, *argv: str, dies: str = "") -> subprocess.CompletedProcess[bytes]:
        """The ended command; with `dies` the victim of that name."""
        module = ("tests.crash.victim", dies) if dies else ("codexd",)
        command = [sys.executable, "-m", *module, *argv]
        return await anyio.run_process(
            command, cwd=self.workspace, env=self.env, check=False, stdin=subprocess.DEVNULL
        )

    @property
    def database(self) -> Path | None:
        """The journal, where one was made."""
        return next(iter(self.home.glob(".local/state/codexd/*/state.db")), None)

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(run, kind, facts and content) of every event in the journal."""
        if self.database is None:
            return []
        with sqlite3.connect(self.database) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if "event" not in tables:
                return []
            rows = db.execute("SELECT run, kind, facts, content FROM event ORDER BY seq").fetchall()
        return [
            (run, kind, json.loads(facts) | (json.loads(content) if content else {}))
            for run, kind, facts, content in rows
        ]

    def files(self) -> dict[str, str]:
        """What stands in the workspace, but for agents and the log of effects."""
        return {
            str(path.relative_to(self.workspace)): path.read_text()
            for path in self.workspace.rglob("*")
            if path.is_file() and ".codex" not in path.parts and path.name != "ticks.log"
        }

    def ticks(self) -> Counter[str]:
        """How often each effect happened."""
        log = self.workspace / "ticks.log"
        return Counter(log.read_text().split() if log.exists() else ())


def _goals(events: Iterable[tuple[str, str, dict[str, Any]]]) -> dict[str, str]:
    return {run: body["goal"] for run, kind, body in events if kind == "started"}


def _answers(events: Sequence[tuple[str, str, dict[str, Any]]]) -> Counter[str]:
    """By goal, the answers that the journal has."""
    goals = _goals(events)
    return Counter(
        goals[run] for run, kind, body in events if kind == "answered" and not body.get("fault")
    )


def _done(events: Sequence[tuple[str, str, dict[str, Any]]]) -> set[tuple[str, str]]:
    """(goal, call) of every tool call with an outcome."""
    goals = _goals(events)
    return {
        (goals[run], body["call_id"])
        for run, kind, body in events
        if kind == "done" and body.get("act") and not body.get("run")
    }


def _findings(events: Iterable[tuple[str, str, dict[str, Any]]]) -> set[int]:
    return {
        finding["line"]
        for _, kind, body in events
        if kind == "finding"
        for finding in body["findings"]
    }


def _alive(mark: str) -> Iterator[int]:
    """Processes that were started under `mark`."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                continue


async def try_point(point: Point, folder: Path) -> Count:
    """What goes wrong when codexd dies at `point`, and is resumed."""
    count = Count()
    mark = f"{os.getpid()}-{folder.name}"
    async with ModelServer(answer) as server:
        yard = Yard(folder, server, mark)
        died = await yard.codexd(*COMMAND, dies=point.first)
        kept = yard.events()
        asked = len(server.requests)
        if died.returncode != -signal.SIGKILL:
            count.survived += 1
        goals = _goals(kept)
        if point.second and goals:
            await yard.codexd("runs", "resume", "--last", dies=point.second)
        if goals:
            resumed = await yard.codexd("runs", "resume", "--last", "--json")
            already = b"is completed" in resumed.stderr
        else:
            # Nothing had been begun: there is nothing to resume, and nothing was lost.
            resumed = await yard.codexd(*COMMAND, "--json")
            already = False
        events = yard.events()
        if resumed.returncode != 0 and not already:
            count.not_completed += 1
            count.told.append(f"{point}: {resumed.returncode} {resumed.stderr.decode()[-600:]}")
        # Results.
        if not _findings(kept) <= _findings(events) or _findings(events) != {1, 2, 3}:
            count.results_lost += 1
            count.told.append(f"{point}: findings {_findings(kept)} -> {_findings(events)}")
        # Answers that the journal had are not asked for again.
        had = _answers(kept)
        for received in server.requests[asked:]:
            goal = goal_of(received.body)
            if turns(received.body) < had[goal]:
                count.asked_again += 1
                count.told.append(f"{point}: {goal} asked again at turn {turns(received.body)}")
        # Acts with an outcome are not begun again.
        count.done_twice += _twice(point, kept, events, yard, count)
        _settled(point, events, server, count)
        if yard.files() != LEFT:
            count.wrong_files += 1
            changed = {k: v for k, v in yard.files().items() if LEFT.get(k) != v}
            gone = LEFT.keys() - yard.files().keys()
            count.told.append(f"{point}: files {changed} gone {gone}")
        if left := list(_alive(mark)):
            count.orphans += len(left)
        verified = await yard.codexd("audit", "verify")
        if verified.returncode != 0:
            count.broken_chains += 1
            count.told.append(f"{point}: {verified.stdout.decode()}")
    return count


def _twice(
    point: Point,
    kept: Sequence[tuple[str, str, dict[str, Any]]],
    events: Sequence[tuple[str, str, dict[str, Any]]],
    yard: Yard,
    count: Count,
) -> int:
    n = 0
    done = _done(kept)
    goals = _goals(events)
    for run, kind, body in events[len(kept) :]:
        if kind == "begun" and body["what"] == "tool" and (goals[run], body["call_id"]) in done:
            n += 1
            count.told.append(f"{point}: {body['call_id']} of {goals[run]} begun again")
    for tick, times in yard.ticks().items():
        if times > 1:
            n += 1
            count.told.append(f"{point}: {tick} happened {times} times")
    return n


def _settled(
    point: Point,
    events: Sequence[tuple[str, str, dict[str, Any]]],
    server: ModelServer,
    count: Count,
) -> None:
    charged = sum(b.get("charged", 0) for _, kind, b in events if kind in ("answered", "lost"))
    uncertain = sum(b.get("uncertain", 0) for _, kind, b in events if kind == "answered")
    uncertain += sum(b.get("charged", 0) for _, kind, b in events if kind == "lost")
    billed = server.input_tokens + server.output_tokens
    if charged < billed or (not uncertain and charged != billed):
        count.settled_too_little += 1
        count.told.append(f"{point}: charged {charged}, uncertain {uncertain}, billed {billed}")
    if charged - uncertain > billed:
        count.settled_too_much += 1
        count.told.append(f"{point}: charged {charged}, uncertain {uncertain}, billed {billed}")


def points(n: int, seed: int) -> list[Point]:
    """`n` points: every boundary of a commit and of a rename in turn, some of them twice."""
    chance = random.Random(seed)
    every = [f"{side}:commit:{i}" for i in range(1, 28) for side in ("before", "after")]
    every += [f"{side}:rename:{i}" for i in range(1, 4) for side in ("before", "after")]
    found: list[Point] = []
    while len(found) < n:
        chance.shuffle(every)
        for first in every:
            twice = chance.random() < 0.25
            found.append(Point(first, chance.choice(every) if twice else ""))
    return found[:n]


async def run(n: int, seed: int, *, at_once: int = 3) -> Count:
    """The sum over `n` points at which the process died; one that it did not come to counts not."""
    total = Count()
    limit = anyio.Semaphore(at_once)

    async def one(index: int, point: Point) -> None:
        async with limit:
            with tempfile.TemporaryDirectory(prefix="crash") as folder:
                place = Path(folder) / f"{index}"
                place.mkdir()
                nonlocal total
                total += await try_point(point, place)

    n_tried = 0
    while (missing := n + total.survived - n_tried) > 0:
        async with anyio.create_task_group() as group:
            for index, point in enumerate(points(missing, seed + n_tried)):
                group.start_soon(one, index, point)
        n_tried += missing
    return total


def _of_the_server(record: logging.LogRecord) -> bool:
    """Whether it is worth telling: that a killed client went away is not."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionError))


def main() -> int:
    """1 where anything went wrong."""
    logging.getLogger("aiohttp.server").addFilter(_of_the_server)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    total = anyio.run(run, asked.points, asked.seed)
    for line in total.told:
        print(line)
    print(f"SIGKILL at {asked.points} points (seed {asked.seed}), each resumed:")
    for name, n in total.faults.items():
        print(f"  {name.replace('_', ' '):20} {n}")
    return 1 if any(total.faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
