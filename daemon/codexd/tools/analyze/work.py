"""The analysis itself, as a process of its own: `python -m codexd.tools.analyze.work`.

Parsing is pure Python and holds the interpreter's lock; in the process that drives runs and
answers editors it would make everybody wait. The one argument is a folder with the job, ruff's
reports and copies of the files; the result goes as JSON to stdout. Nothing else is opened.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from codexd.tools.analyze.code import CodeFile, Weighed, worst_first
from codexd.tools.analyze.definitions import Entry, docstrings, outline
from codexd.tools.analyze.dependencies import dependencies, is_manifest
from codexd.tools.analyze.functions import complexity, untested
from codexd.tools.analyze.lint import lint, pickles
from codexd.tools.analyze.todos import todos
from codexd.tools.interface import Finding

MOST = 2_000
"""How many findings, and how many entries of a list, one result keeps."""


class Job(BaseModel):
    """What is to be analysed."""

    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    """Workspace-relative; the text of each stands in the file that `copy_name` says."""
    notes: tuple[str, ...] = ()
    """What was left out already."""


class Analysis(BaseModel):
    """The whole result, before it is paged."""

    findings: tuple[Finding, ...] = ()
    """Worst first."""
    outline: tuple[Entry, ...] = ()
    dependencies: tuple[Entry, ...] = ()
    files: int = 0
    """How many files were looked at."""
    unread: int = 0
    """How many of them are in languages that some of the rules asked for do not read."""
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""


def copy_name(place: int, path: str) -> str:
    """What the copy of a job's file is called: only Python keeps its suffix, which ruff reads."""
    return f"{place}.py" if path.endswith(".py") else f"{place}.txt"


def analyse(
    job: Job, files: Sequence[CodeFile], reports: Sequence[Mapping[str, Any]] = ()
) -> Analysis:
    """The result of one job on its files, and of what ruff says about them."""
    lists = {
        "findings": worst_first(weighed(job.kinds, files, reports)),
        "outline": list(outline(files)) if "outline" in job.kinds else [],
        "dependencies": dependencies(files) if "dependencies" in job.kinds else [],
    }
    notes = [
        f"left out, more than anybody reads: {len(found) - MOST} {name}"
        for name, found in lists.items()
        if len(found) > MOST
    ]
    shown = {name: tuple(found[:MOST]) for name, found in lists.items()}
    limited = [kind for kind in job.kinds if kind in PYTHON_ONLY]
    unread = [file for file in files if not (file.is_python or is_manifest(file.path))]
    if limited and unread:
        languages = ", ".join(sorted({file.suffix for file in unread if file.suffix}))
        several = "files were" if len(unread) > 1 else "file was"
        reads = "reads" if len(limited) == 1 else "read"
        notes.append(
            f"{' and '.join(limited)} {reads} Python only: {len(unread)} other {several} not "
            f"looked at ({languages})"
        )
    whole = {
        **shown,
        "files": len(files),
        "unread": len(unread) if limited else 0,
        "notes": (*job.notes, *notes),
    }
    return Analysis.model_validate(whole)


PYTHON_ONLY = ("lint", "security", "docstrings")
"""The kinds whose rules read Python, and nothing of any other language."""


def weighed(
    kinds: Sequence[str], files: Sequence[CodeFile], reports: Sequence[Mapping[str, Any]]
) -> Iterator[Weighed]:
    """The findings of every kind that was asked for."""
    if "lint" in kinds:
        yield from lint("lint", reports, files)
    if "security" in kinds:
        found = list(lint("security", reports, files))
        yield from found
        yield from pickles(files, {(f.path, f.line) for _, f in found if f.rule == "S301"})
    for kind, look in LOOKS.items():
        if kind in kinds:
            yield from look(files)


LOOKS: Mapping[str, Callable[[Sequence[CodeFile]], Iterator[Weighed]]] = {
    "complexity": complexity,
    "untested": untested,
    "docstrings": docstrings,
    "todos": todos,
}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    job = Job.model_validate_json((folder / "job.json").read_bytes())
    files = [
        CodeFile(path, (folder / "code" / copy_name(place, path)).read_text("utf-8-sig"))
        for place, path in enumerate(job.paths)
    ]
    said = folder / "reports.json"
    reports: list[dict[str, Any]] = json.loads(said.read_bytes()) if said.exists() else []
    sys.stdout.buffer.write(analyse(job, files, reports).model_dump_json().encode())
