"""From paths to an analysis: read what the policy allows, ask ruff, hand it to the worker."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

import codexd
from codexd.errors import CodexdError, ToolFault
from codexd.policy.files import read_bytes, walk
from codexd.tools.analyze.dependencies import is_manifest
from codexd.tools.analyze.lint import RULES, ruff_command
from codexd.tools.analyze.work import Analysis, Job
from codexd.tools.interface import ToolContext

SECONDS = 120
"""How long one analysis may take."""

LARGEST_FILE = 1_000_000
"""Bytes; a larger one is data or made by a program."""

LARGEST_JOB = 64_000_000
"""Bytes of all files together."""

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

SUFFIXES = frozenset(
    ".c .cc .cpp .cs .cxx .erl .f90 .gd .go .h .hh .hpp .java .js .jsx .cjs .mjs .kt .kts .lua .m"
    " .mm .php .pl .pm .py .r .rb .rs .scala .sol .swift .ts .tsx .vue .zig .sh .sql".split()
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
    try:
        with anyio.fail_after(SECONDS):
            made = await make(context, kinds, chosen)
    except TimeoutError as fault:
        raise ToolFault(
            f"the analysis of {len(chosen)} files took longer than {SECONDS} s",
            help="name fewer paths",
        ) from fault
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
            if Path(path).suffix.lower() in SUFFIXES or (
                "dependencies" in kinds and is_manifest(path)
            ):
                found.add(path)
    return sorted(found)


def state_of(context: ToolContext, kinds: Sequence[str], chosen: Sequence[str]) -> str:
    """A name for this analysis of these files as they are now."""
    stamps: list[tuple[str, int, int]] = []
    for path in chosen:
        try:
            stat = os.lstat(context.root / path)
        except FileNotFoundError:
            continue
        stamps.append((path, stat.st_mtime_ns, stat.st_size))
    # The policy is part of it: what one agent may read, another may not.
    whole = (codexd.__version__, str(context.root), sorted(kinds), stamps, repr(context.policy))
    return hashlib.sha256(repr(whole).encode()).hexdigest()[:32]


def recall(cache: Path | None, key: str) -> Analysis | None:
    """The analysis kept under this key, or `None`."""
    try:
        return (
            Analysis.model_validate_json((cache / f"analyze-{key}.json").read_bytes())
            if cache
            else None
        )
    except (OSError, ValueError):  # absent, or cut off by a full disk: it is made again
        return None


def keep(cache: Path | None, key: str, made: Analysis) -> None:
    """Keep an analysis for the pages to come; a cache that cannot be written is none."""
    if cache is None:
        return
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
            file.write(made.model_dump_json().encode())
        Path(file.name).replace(cache / f"analyze-{key}.json")
        kept = sorted(cache.glob("analyze-*.json"), key=lambda path: path.stat().st_mtime_ns)
        for old in kept[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return


async def make(context: ToolContext, kinds: Sequence[str], chosen: Sequence[str]) -> Analysis:
    """The analysis, made anew."""
    files, notes = await anyio.to_thread.run_sync(read, context, chosen)
    reports: list[dict[str, Any]] = []
    names: dict[str, int] = {}
    if any(kind in RULES for kind in kinds):
        names = {
            f"{place}/{path.rpartition('/')[2]}": place
            for place, (path, _) in enumerate(files)
            if path.endswith(".py")
        }
        reports = await ask_ruff(kinds, {name: files[place][1] for name, place in names.items()})
    job = Job(kinds=tuple(kinds), files=tuple(files), reports=tuple(reports), names=names)
    python_path = str(Path(codexd.__file__).parent.parent)
    done = await anyio.run_process(
        [sys.executable, "-P", "-s", "-m", "codexd.tools.analyze.work"],
        input=job.model_dump_json().encode(),
        env={"PYTHONPATH": python_path, "PYTHONIOENCODING": "utf-8", "PYTHONHASHSEED": "0"},
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ToolFault(f"the analysis broke off: {last}", help="name fewer paths")
    return Analysis.model_validate_json(done.stdout).model_copy(update={"notes": tuple(notes)})


def read(context: ToolContext, chosen: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Path and text of each file that may be read, and sentences about those left out."""
    files: list[tuple[str, str]] = []
    large = odd = refused = total = 0
    for path in chosen:
        try:
            data = read_bytes(context.root, context.policy, path, limit=LARGEST_FILE + 1)
        except CodexdError:
            refused += 1
            continue
        if len(data) > LARGEST_FILE or total + len(data) > LARGEST_JOB:
            large += 1
            continue
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            odd += 1
            continue
        total += len(data)
        files.append((path, text))
    left_out = (
        (large, f"larger than {LARGEST_FILE:,} bytes, or more than one analysis holds"),
        (odd, "not UTF-8"),
        (refused, "not readable under this agent's policy"),
    )
    return files, [f"left out, {why}: {n} files" for n, why in left_out if n]


async def ask_ruff(kinds: Sequence[str], texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Ruff's reports on copies of these texts; `filename` is made the text's name again.

    Copies, so that ruff sees what the policy let be read and nothing else: no neighbour, no
    link that was put there meanwhile, no configuration.
    """
    if not texts:
        return []
    with tempfile.TemporaryDirectory(prefix="codexd-") as name:
        # Real, since ruff reports real paths (on macOS the temporary folder is a link).
        folder = Path(name).resolve()
        await anyio.to_thread.run_sync(write_all, folder, texts)
        done = await anyio.run_process(
            ruff_command(kinds), cwd=folder, env={}, stdin=subprocess.DEVNULL, check=False
        )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ToolFault(f"ruff could not check these files: {last}")
    reports: list[dict[str, Any]] = json.loads(done.stdout)
    for report in reports:
        report["filename"] = Path(report["filename"]).relative_to(folder).as_posix()
    return reports


def write_all(folder: Path, texts: Mapping[str, str]) -> None:
    """Put each text under its name."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8", newline="")
