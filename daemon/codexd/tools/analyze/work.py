"""The analysis itself, as a process of its own: `python -m codexd.tools.analyze.work`.

Parsing is pure Python and holds the interpreter's lock; in the process that drives runs and
answers editors it would make everybody wait. The one argument is a file with the job as JSON, the
result goes as JSON to stdout. No other file is opened: what is analysed stands in the job.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from codexd.tools.analyze.code import CodeFile, Weighed, worst_first
from codexd.tools.analyze.definitions import Entry, docstrings, outline
from codexd.tools.analyze.dependencies import dependencies
from codexd.tools.analyze.functions import complexity, untested
from codexd.tools.analyze.lint import lint, pickles
from codexd.tools.analyze.todos import todos
from codexd.tools.interface import Finding


class Job(BaseModel):
    """What is to be analysed."""

    kinds: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    """Path and text."""
    reports: tuple[dict[str, Any], ...] = ()
    """What ruff says, with `filename` as a key of `names`."""
    names: dict[str, int] = {}
    """Which of `files` ruff was given under which name."""


class Analysis(BaseModel):
    """The whole result, before it is paged."""

    findings: tuple[Finding, ...] = ()
    """Worst first."""
    outline: tuple[Entry, ...] = ()
    dependencies: tuple[Entry, ...] = ()
    files: int = 0
    """How many files were looked at."""
    notes: tuple[str, ...] = ()
    """What was left out, one sentence each."""


def analyse(job: Job) -> Analysis:
    """The result of one job; depends on nothing but the job."""
    files = tuple(CodeFile(path, text) for path, text in job.files)
    return Analysis(
        findings=tuple(worst_first(weighed(job, files))),
        outline=tuple(outline(files)) if "outline" in job.kinds else (),
        dependencies=tuple(dependencies(files)) if "dependencies" in job.kinds else (),
        files=len(files),
    )


def weighed(job: Job, files: tuple[CodeFile, ...]) -> Iterator[Weighed]:
    """The findings of every kind that was asked for."""
    named = {name: files[place] for name, place in job.names.items()}
    if "lint" in job.kinds:
        yield from lint("lint", job.reports, named)
    if "security" in job.kinds:
        found = list(lint("security", job.reports, named))
        yield from found
        yield from pickles(files, {(f.path, f.line) for _, f in found if f.rule == "S301"})
    for kind, look in (
        ("complexity", complexity),
        ("untested", untested),
        ("docstrings", docstrings),
        ("todos", todos),
    ):
        if kind in job.kinds:
            yield from look(files)


if __name__ == "__main__":
    job = Job.model_validate_json(Path(sys.argv[1]).read_bytes())
    sys.stdout.buffer.write(analyse(job).model_dump_json().encode())
