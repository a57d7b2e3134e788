"""From paths to an analysis: read what the policy allows, ask ruff, hand it to the worker."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread

from codexd.errors import CodexdError, ToolFault
from codexd.policy.files import read_bytes, walk
from codexd.tools import process
from codexd.tools.analyze.dependencies import is_manifest
from codexd.tools.analyze.lint import RULES, ruff_command, ruff_program
from codexd.tools.analyze.work import Analysis, Job, copy_name
from codexd.tools.interface import ToolContext
from codexd.tools.process import Head

SECONDS = 120
"""How long ruff, or our own rules, may take."""

PREFIX = "codexd-analyze-"
LEFT_SECONDS = 3600
"""A job's folder older than this belongs to nobody any more."""

LARGEST_FILE = 1_000_000
"""Bytes; a larger one is data or made by a program."""

LARGEST_JOB = 64_000_000
"""Bytes of all files together."""

GENERATED = re.compile(rb"Code generated .{0,80}DO NOT EDIT|(?<!\w)@generated\b")
HEAD = 2_000
"""Bytes at a file's start in which it says that a program made it."""

KEPT = 64
"""Results that the cache folder keeps."""

FOREIGN = {
    "node_modules",
    "vendor",
    "third_party",
    "_vendor",
    "site-packages",
    ".venv",
    "venv",
    "dist",
    "build",
    "target",
    "__pycache__",
}
"""Folders of code that others wrote or programs made; looked into where a path names them."""

SUFFIXES = re.compile(
    r"\.(c|cc|cpp|cs|cxx|erl|f90|gd|go|h|hh|hpp|java|js|jsx|cjs|mjs|kt|kts|lua|m|mm|php|pl|pm|py|r"
    r"|rb|rs|scala|sol|swift|ts|tsx|vue|zig|sh|sql)$",
    re.IGNORECASE,
)
"""What is code: the languages that lizard reads, and shell."""


async def run(context: ToolContext, kinds: Sequence[str], paths: Sequence[str]) -> Analysis:
    """The analysis of the files under `paths`, from the cache where nothing has changed.

    Raises `ToolFault` where it takes too long or a path cannot be read.
    """
    chosen = await anyio.to_thread.run_sync(choose, context, kinds, paths)
    key = await anyio.to_thread.run_sync(state_of, context, kinds, chosen)
    kept = await anyio.to_thread.run_sync(recall, context.cache, key)
    if kept:
        return kept
    made = await make(context, kinds, chosen)
    await anyio.to_thread.run_sync(keep, context.cache, key, made)
    return made


def choose(context: ToolContext, kinds: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The files to look at, sorted: code, and manifests where dependencies are asked for."""
    found: set[str] = set()
    for start in paths:
        named = set(start.split("/"))
        for path in walk(context.root, context.policy, start):
            folders = set(path.split("/")[:-1])
            if path.endswith(".min.js") or (folders & FOREIGN) - named:
                continue
            if SUFFIXES.search(path) or ("dependencies" in kinds and is_manifest(path)):
                found.add(path)
    return sorted(found)


def state_of(context: ToolContext, kinds: Sequence[str], chosen: Sequence[str]) -> str:
    """A name for this analysis of these files as they are now."""
    stamps: list[tuple[str, int, int]] = []
    for path in chosen:
        try:
            held = os.lstat(context.root / path)
        except FileNotFoundError:
            continue
        stamps.append((path, held.st_mtime_ns, held.st_size))
    # What finds is part of it, since an update may find more; the policy too, since what one agent
    # may read, another may not.
    rules = [*sorted(Path(__file__).parent.glob("*.py")), Path(ruff_program())]
    finders = [path.stat().st_mtime_ns for path in rules]
    whole = (finders, str(context.root), sorted(kinds), stamps, repr(context.policy))
    return hashlib.sha256(repr(whole).encode()).hexdigest()[:32]


def recall(cache: Path | None, key: str) -> Analysis | None:
    """The analysis kept under this key, or `None`."""
    if cache is None:
        return None
    try:
        return Analysis.model_validate_json((cache / f"analyze-{key}.json").read_bytes())
    except (OSError, ValueError):  # absent, or cut off by a full disk: it is made again
        return None


def keep(cache: Path | None, key: str, made: Analysis) -> None:
    """Keep an analysis for the pages to come; a cache that cannot be written is none."""
    if cache is None:
        return
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        begun = cache / f"analyze-{key}.{os.getpid()}"
        begun.write_text(made.model_dump_json(), encoding="utf-8")
        begun.replace(cache / f"analyze-{key}.json")
        kept = sorted(cache.glob("analyze-*"), key=lambda path: path.stat().st_mtime_ns)
        for old in kept[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return


async def make(context: ToolContext, kinds: Sequence[str], chosen: Sequence[str]) -> Analysis:
    """The analysis, made anew."""
    folder = await anyio.to_thread.run_sync(new_folder)
    try:
        try:
            n_python = await anyio.to_thread.run_sync(hand_over, context, kinds, chosen, folder)
        except OSError as fault:
            raise _no_room(fault) from fault
        if n_python and any(kind in RULES for kind in kinds):
            await output_of(ruff_command(kinds, "../reports.json"), folder / "code")
        worker = [sys.executable, "-P", "-s", "-m", "codexd.tools.analyze.work", str(folder)]
        made = await output_of(worker, folder)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, folder, True)
    return await anyio.to_thread.run_sync(Analysis.model_validate_json, made)


def new_folder() -> Path:
    """A folder for one job; those that a killed process left are cleared away.

    Raises `ToolFault` where none can be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as fault:
        raise _no_room(fault) from fault
    for other in folder.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = other.lstat()
            left = found.st_mtime < folder.stat().st_mtime - LEFT_SECONDS
            if left and found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode):
                shutil.rmtree(other, ignore_errors=True)
    return folder


def _no_room(fault: OSError) -> ToolFault:
    return ToolFault(
        f"the analysis has no place for copies of the files: {fault.strerror}",
        help="free some space for temporary files, or set TMPDIR to another folder",
    )


def hand_over(
    context: ToolContext, kinds: Sequence[str], chosen: Sequence[str], folder: Path
) -> int:
    """Put the job into `folder`, and copies of the files into its `code`; how many are Python.

    Copies, so that ruff and the worker see what the policy let be read and nothing else: no
    neighbour, no link that was put there meanwhile, no configuration. A copy is named for its
    place among the job's paths.
    """
    (folder / "code").mkdir()
    paths: list[str] = []
    large = odd = made = refused = total = n_python = 0
    for path in chosen:
        try:
            data = read_bytes(context.root, context.policy, path, limit=LARGEST_FILE + 1)
        except CodexdError:
            refused += 1
            continue
        if len(data) > LARGEST_FILE or total + len(data) > LARGEST_JOB:
            large += 1
            continue
        if not is_utf8(data):
            odd += 1
            continue
        if GENERATED.search(data, 0, HEAD):
            made += 1
            continue
        total += len(data)
        n_python += path.endswith(".py")
        (folder / "code" / copy_name(len(paths), path)).write_bytes(data)
        paths.append(path)
    left_out = (
        (large, f"larger than {LARGEST_FILE:,} bytes, or more than one analysis holds"),
        (odd, "not UTF-8"),
        (made, "made by a program, as they say themselves"),
        (refused, "not readable under this agent's policy"),
    )
    notes = tuple(f"left out, {why}: {n} file{'s' if n > 1 else ''}" for n, why in left_out if n)
    job = Job(kinds=tuple(kinds), paths=tuple(paths), notes=notes)
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    return n_python


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are text that all of our rules can read."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


async def output_of(argv: Sequence[str], folder: Path) -> bytes:
    """What one of our own programs writes. Raises `ToolFault` where it fails or takes too long."""
    output, errors = bytearray(), Head(4_000)

    def take(chunk: bytes) -> bool:
        output.extend(chunk)
        return len(output) < LARGEST_JOB

    env = {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONHASHSEED": "0"}
    done = await process.run(argv, cwd=folder, env=env, seconds=SECONDS, take=take, errors=errors)
    if done.timed_out:
        raise ToolFault(f"the analysis took longer than {SECONDS} s", help="name fewer paths")
    if done.status or done.enough:
        last = errors.text.strip().rpartition("\n")[2] or "too much to report"
        raise ToolFault(f"the analysis broke off: {last}", help="name fewer paths")
    return bytes(output)
