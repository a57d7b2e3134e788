"""What people read of ended runs: pure functions from a `RunView` to lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from codexd.cli.columns import cells, clean, cut, pad, table, wrap
from codexd.cli.exits import SEVERITIES, identity, tree
from codexd.cli.page import Page, fill
from codexd.cli.units import age, dollars, duration, length, number
from codexd.errors import Severity
from codexd.runs.view import Judged, RunView, Status
from codexd.tools import Finding

if TYPE_CHECKING:
    from codexd.cli.page import Ink
    from codexd.orchestrator import Undone

TOP_OF_ONE, TOP_OF_MANY = 10, 4
"""Findings shown at the end of one run, and of several."""

SIGNS: dict[Status, tuple[str, Ink]] = {
    Status.RUNNING: ("▸", "dim"),
    Status.WAITING: ("◌", "yellow"),
    Status.COMPLETED: ("✔", "green"),
    Status.FAILED: ("✖", "red"),
    Status.INTERRUPTED: ("✖", "red"),
    Status.BUDGET_EXCEEDED: ("■", "yellow"),
    Status.DEADLINE_EXCEEDED: ("■", "yellow"),
    Status.CANCELLED: ("■", "yellow"),
}
_SEVERITY_INK: dict[Severity, Ink] = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_MARKS = {"pending": "○", "in_progress": "◐", "completed": "●"}
LEAST_NEW_BUDGET = 5_000
"""The smallest budget that is suggested for going on: a few calls fit in it."""
_NARROWEST_MESSAGE, _NARROWEST_TABLE = 28, 72
"""Columns below which findings, and the table of runs, are stacked instead."""


def is_group(run: RunView) -> bool:
    """Whether the run has no model and its acts are its children (`delegate-parallel`)."""
    return not run.agent


def result(
    run: RunView, page: Page, *, again: str, written: str = "", go_on: str = ""
) -> list[str]:
    """The block that ends a `delegate`: rows, findings, what it took and left.

    `again` is the command that shows all of it; `written` the file that holds it as JSON; `go_on`
    the command that goes on with it.
    """
    shown = list(run.children) if is_group(run) and run.children else [run]
    many = is_group(run)
    blocks = [
        _rows_with_details(shown, page),
        findings_block(
            worst_first(tree(run)), page, limit=TOP_OF_MANY if many else TOP_OF_ONE, again=again
        ),
        (_together(run, page) if many else []) + _totals(run, page),
    ]
    blocks[-1] += _files(run, page, written)
    if go_on:
        blocks[-1] += page.labelled(page.text("go-on"), go_on, indent=9)
    return _joined(blocks)


def go_on(run: RunView, command: Callable[[str], str]) -> str:
    """The command that goes on with a run that stopped; empty where that would not help.

    `command` puts the folder to a command that is suggested.
    """
    if run.parent is not None or run.status is Status.COMPLETED or not run.status.ended:
        return ""
    # What rules could not do once they cannot do again.
    if run.status is Status.FAILED and all(each.model in ("", "offline") for each in tree(run)):
        return ""
    words = f"codexd runs resume {run.short}"
    stopped = {each.status for each in tree(run)}
    if Status.BUDGET_EXCEEDED in stopped:
        words += f" --budget {max(2 * run.budget, LEAST_NEW_BUDGET)}"
    if Status.DEADLINE_EXCEEDED in stopped and run.deadline_seconds is not None:
        words += f" --deadline {max(2, round(2 * run.deadline_seconds))}s"
    return command(words)


def _joined(blocks: Sequence[list[str]]) -> list[str]:
    """The blocks that hold something, a blank line between them."""
    lines: list[str] = []
    for block in filter(None, blocks):
        lines += ["", *block] if lines else block
    return lines


# --- rows ------------------------------------------------------------------------------------


def _rows_with_details(runs: Sequence[RunView], page: Page) -> list[str]:
    """A row a run, and below each what a reader must know: why it stopped, what was noted."""
    lines: list[str] = []
    for row, run in zip(rows(runs, page), runs, strict=True):
        lines += row
        lines += _details(run, page)
    return lines


def rows(runs: Sequence[RunView], page: Page) -> list[list[str]]:
    """For each run its row, aligned with the others; in several lines where it is too narrow."""
    parts = [_parts(run, runs, page) for run in runs]
    # One run alone tells how it stopped before what it kept; several keep to their columns.
    if len(runs) == 1 and runs[0].status is not Status.COMPLETED:
        head, status, findings, *rest = parts[0]
        parts = [[head, status, rest[0], findings, *rest[1:]]]
    lines = table(parts)
    if all(cells(line) <= page.width for line in lines):
        return [[_signed(line, run, page)] for line, run in zip(lines, runs, strict=True)]
    stacked: list[list[str]] = []
    for run in runs:
        first, *others = fill(_parts(run, [run], page), page.width - 2)
        first = cut(first, page.width)
        stacked.append([_signed(first, run, page), *(f"  {line}" for line in others)])
    return stacked


def _parts(run: RunView, runs: Sequence[RunView], page: Page) -> list[str]:
    """(sign and name, status, findings, tokens, money, time) with digits aligned in `runs`."""
    text = page.text
    n_width = max(len(str(len(each.findings))) for each in runs)
    spent_width = max(len(number(each.spent)) for each in runs)
    budget_width = max(len(number(each.budget)) for each in runs)
    spent, budget = number(run.spent).rjust(spent_width), number(run.budget).rjust(budget_width)
    return [
        f"{SIGNS[run.status][0]} {clean(run.agent or 'delegate-parallel')}",
        text(f"status.{run.status}"),
        findings_count(run, page, width=n_width),
        text("tokens", spent=spent, budget=budget),
        money(run),
        duration(run.seconds, text),
    ]


def _signed(line: str, run: RunView, page: Page) -> str:
    return page.ink(SIGNS[run.status][1], line[:1]) + line[1:]


def findings_count(run: RunView, page: Page, *, width: int = 0) -> str:
    """`30 findings, 2 errors`; `3 findings kept` of a run that was stopped; empty for none."""
    n = len(run.findings)
    if not n:
        return ""
    words = page.text.count("finding", n, shown=str(n).rjust(width))
    if run.status.ended and run.status is not Status.COMPLETED:
        return page.text("finding.kept", findings=words)
    n_errors = sum(finding.severity is Severity.ERROR for finding in run.findings)
    return page.text.count("finding.errors", n_errors, findings=words) if n_errors else words


def money(run: RunView) -> str:
    """`$0.05`, or empty where nothing is billed or no price is known."""
    return dollars(run.spent_usd) if run.billed and run.spent_usd is not None else ""


def _details(run: RunView, page: Page) -> Iterator[str]:
    """Lines below a row, indented: why it ended so, or what it says where it found nothing."""
    why = list(_why(run, page))
    if not why and not run.findings and run.summary:
        why = [f"  {line}" for line in wrap(clean(run.summary), page.prose - 2)]
    yield from why
    for note in _notes(run, page):
        yield from page.labelled(f"  {page.text('note')}", clean(note), indent=8)


def _notes(run: RunView, page: Page) -> list[str]:
    """The run's notes; of a completed one also why something that it declared is not there."""
    why = run.reason if run.status is Status.COMPLETED else ""
    return [page.text.told(note) for note in (*run.notes, why) if note]


# --- findings --------------------------------------------------------------------------------


def worst_first(runs: Iterable[RunView]) -> list[Finding]:
    """What `runs` found, each once: by severity, then what each run told first, then by place.

    Agents tell the worst first: an audit's first warning stands before a review's tenth, wherever
    in the code they are.
    """
    weights: dict[tuple[str, int, int, str, str], tuple[tuple[int, int], Finding]] = {}
    for run in runs:
        told: Counter[Severity] = Counter()
        for finding in run.findings:
            weight = (SEVERITIES.index(finding.severity), told[finding.severity])
            told[finding.severity] += 1
            key = identity(finding)
            if key not in weights or weight < weights[key][0]:
                weights[key] = (weight, finding)
    ordered = sorted(weights.items(), key=lambda item: (item[1][0], item[0]))
    return [finding for _, (_, finding) in ordered]


def findings_block(
    findings: Sequence[Finding], page: Page, *, limit: int | None, again: str = ""
) -> list[str]:
    """The first findings, one an entry; how many more there are, and how to see them."""
    shown = findings[:limit]
    if not shown:
        return []
    lines = _findings_lines(shown, page)
    if n_more := len(findings) - len(shown):
        more = page.text("more", n=number(n_more), command=again)
        lines += wrap(more, page.prose)
    return lines


def _findings_lines(findings: Sequence[Finding], page: Page) -> list[str]:
    places = [clean(f"{f.path}:{f.line}:{f.column}") for f in findings]
    severities = [page.text(f"severity.{f.severity}") for f in findings]
    place_width, severity_width = max(map(cells, places)), max(map(cells, severities))
    left = place_width + 2 + severity_width + 2
    room = min(page.prose - left, max(cells(clean(f"{f.message} {f.rule}")) for f in findings))
    if page.prose - left < _NARROWEST_MESSAGE:
        return _findings_stacked(findings, places, severities, page)
    lines: list[str] = []
    for finding, place, severity in zip(findings, places, severities, strict=True):
        head = pad(place, place_width) + "  "
        head += page.ink(_SEVERITY_INK.get(finding.severity, "dim"), severity)
        head += " " * (severity_width - cells(severity) + 2)
        for i, line in enumerate(_message(finding, room, page)):
            lines.append(((head if i == 0 else " " * left) + line).rstrip())
    return lines


def _message(finding: Finding, room: int, page: Page) -> list[str]:
    """The message wrapped, its rule at the right end of its last line."""
    message, rule = clean(finding.message), clean(finding.rule)
    lines = wrap(message, room)
    if not rule:
        return lines
    if cells(lines[-1]) + 1 + cells(rule) > room:
        lines = wrap(message, room - cells(rule) - 1)
    gap = " " * (room - cells(lines[-1]) - cells(rule))
    return [*lines[:-1], lines[-1] + gap + page.ink("dim", rule)]


def _findings_stacked(
    findings: Sequence[Finding], places: Sequence[str], severities: Sequence[str], page: Page
) -> list[str]:
    """For narrow terminals: the place on a line of its own, the message below it."""
    lines: list[str] = []
    for finding, place, severity in zip(findings, places, severities, strict=True):
        lines += fill([place, severity, clean(finding.rule)], page.prose)
        lines += [f"  {line}" for line in wrap(clean(finding.message), page.prose - 2)]
    return lines


# --- sums ------------------------------------------------------------------------------------


def _together(run: RunView, page: Page) -> list[str]:
    """`3 of 3 completed in 1.1 s, 2.5 × faster than in sequence`."""
    text, n = page.text, len(run.children)
    done = sum(child.status is Status.COMPLETED for child in run.children)
    words = text("together", done=done, n=n, time=duration(run.seconds, text))
    ratio = sum(child.seconds for child in run.children) / run.seconds if run.seconds else 0
    if 1 < n == done and ratio >= 1.05:
        words = text("together.faster", together=words, ratio=f"{ratio:.1f}")
    return wrap(words, page.prose)


def _totals(run: RunView, page: Page) -> list[str]:
    lines = fill([spending(run, page), criteria(run, page)], page.prose, gap=" · ")
    return [part for line in lines for part in wrap(line, page.prose)]


def spending(run: RunView, page: Page) -> str:
    """`6,810 of 95,000 tokens counted, none billed`."""
    text = page.text
    billed = any(each.billed for each in tree(run) if not is_group(each))
    words = text(
        "spent.billed" if billed else "spent.free",
        spent=number(run.spent),
        budget=number(run.budget),
    )
    if billed and run.spent_usd is not None:
        words = text("spent.usd", spent=words, usd=dollars(run.spent_usd))
    if run.uncertain:
        words = text("spent.uncertain", spent=words, n=number(run.uncertain))
    return words


def criteria(run: RunView, page: Page) -> str:
    """`criteria: 4 met, 7 not judged (no model)`; empty where there are none."""
    asked = run.children if is_group(run) else (run,)
    counts = Counter(criterion.judged for each in asked for criterion in each.criteria)
    if not counts:
        return ""
    text = page.text
    words = text("comma").join(
        text("criteria.count", n=counts[judged], judged=text(f"judged.{judged}"))
        for judged in Judged
        if counts[judged]
    )
    if counts[Judged.NOT_JUDGED] and all(each.model == "offline" for each in asked):
        words = text("criteria.no-model", counts=words)
    return text("criteria", counts=words)


def _files(run: RunView, page: Page, written: str) -> list[str]:
    """The artifacts left and missing, and the file that `-o` named."""
    # Children first: a group's own list has them in the order in which they ended.
    all_ = [*(below for child in run.children for below in tree(child)), run]
    rows = [
        (page.text("reports"), _paths([path for each in all_ for path in each.artifacts])),
        (page.text("missing"), _paths([path for each in all_ for path in each.missing_artifacts])),
        (page.text("written"), clean(written)),
    ]
    shown = [(label, words) for label, words in rows if words]
    indent = max((cells(label) for label, _ in shown), default=0) + 2
    return [line for label, words in shown for line in page.labelled(label, words, indent=indent)]


def _paths(paths: Sequence[str]) -> str:
    """`artifacts/a.md, b.md, docs/c.md`: a folder is named once for the files that follow."""
    shown: list[str] = []
    last = ""
    for path in dict.fromkeys(paths):
        folder, slash, name = path.rpartition("/")
        shown.append(name if slash and shown and folder == last else path)
        last = folder
    return clean(", ".join(shown))


# --- pages -----------------------------------------------------------------------------------


def runs_table(runs: Sequence[RunView], page: Page, *, now: datetime) -> list[str]:
    """The table of `runs list`: a row a root run, newest first."""
    text = page.text
    if not runs:
        return [text("runs.none")]
    names = ("run", "status", "agent", "goal", "tokens", "time", "when")
    body = [_run_cells(run, page, now) for run in runs]
    if page.width < _NARROWEST_TABLE:
        return [line for row in body for line in _stacked(row, page)]
    head = [text(f"column.{name}") for name in names]
    lines = table(_fitted([head, *body], page.width), right=(4, 5, 6))
    return [page.ink("dim", lines[0]), *lines[1:]]


def _fitted(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The rows of `runs list` with their agents and goals cut to what the others leave."""
    agent, goal = 2, 3
    others = [max(cells(row[i]) for row in rows) for i in range(7) if i not in (agent, goal)]
    room = width - sum(others) - 2 * 6
    agents = min(max(cells(row[agent]) for row in rows), max(10, room * 2 // 5))
    goals = room - agents
    # Who did it tells more than what was asked, where there is room for one of them.
    if room < 30:
        agents, goals = room + 2, 0
    return [
        [*row[:agent], cut(row[agent], agents), cut(row[goal], goals), *row[4:]] for row in rows
    ]


def _stacked(row: Sequence[str], page: Page) -> list[str]:
    first, *others = fill([cut(each, page.width - 2) for each in row], page.width - 2)
    return [first, *(f"  {line}" for line in others)]


def _run_cells(run: RunView, page: Page, now: datetime) -> list[str]:
    text = page.text
    agents = ", ".join(child.agent for child in run.children) if is_group(run) else run.agent
    goals = dict.fromkeys(child.goal for child in run.children) if is_group(run) else [run.goal]
    return [
        run.short,
        f"{SIGNS[run.status][0]} {text(f'status.{run.status}')}",
        clean(agents),
        clean("; ".join(filter(None, goals))),
        f"{number(run.spent)} / {number(run.budget)}",
        duration(run.seconds, text),
        age(run.started_at, now, text),
    ]


def run_page(run: RunView, page: Page, *, go_on: str = "") -> list[str]:
    """All of one run, as `runs show` tells it; then each of its children."""
    blocks = [[*rows([run], page)[0], *_why(run, page)], _facts(run, page)]
    if run.plan:
        steps = [f"  {_MARKS.get(state, '○')} {clean(step)}" for step, state in run.plan]
        blocks.append([page.text("show.plan"), *steps])
    if run.summary:
        words = [
            line for part in run.summary.splitlines() for line in wrap(clean(part), page.prose)
        ]
        blocks.append(words)
    if run.data is not None:
        blocks.append([page.text("show.data"), *_data_lines(run.data)])
    blocks.append(findings_block(worst_first([run]), page, limit=None))
    blocks.append(_judgements(run, page))
    alone = _alone(run)
    blocks.append(_files(alone, page, ""))
    if go_on:
        blocks.append(page.labelled(page.text("go-on"), go_on, indent=9))
    for child in run.children:
        blocks.append([page.ink("dim", "─" * min(page.prose, 60))])
        blocks.append(run_page(child, page))
    return _joined(blocks)


def undone_page(undone: Undone, page: Page) -> list[str]:
    """What `runs undo` did."""
    text = page.text
    rows = [
        ("undo.conflict", undone.conflicts),
        ("undo.restored", undone.restored),
        ("undo.deleted", undone.deleted),
    ]
    lines = [
        line
        for key, paths in rows
        for path in paths
        for line in page.labelled(text(key), clean(path), indent=14)
    ]
    if undone.conflicts:
        lines += wrap(text("undo.nothing-done"), page.prose)
    return lines or [text("undo.none", run=undone.run)]


def _alone(run: RunView) -> RunView:
    from dataclasses import replace

    return replace(run, children=())


def _facts(run: RunView, page: Page) -> list[str]:
    text = page.text
    limits = text("tokens", spent=number(run.spent), budget=number(run.budget))
    if run.budget_usd is not None:
        limits += f", {dollars(run.spent_usd or 0)} / {dollars(run.budget_usd)}"
    facts: list[tuple[str, str]] = [
        ("show.run", run.id),
        ("show.goal", run.goal),
        ("show.model", run.model),
        ("show.budget", limits),
        ("show.deadline", length(run.deadline_seconds) if run.deadline_seconds else ""),
        ("show.started", run.started_at),
        *(("note", note) for note in _notes(run, page)),
    ]
    shown = [(text(key), clean(words)) for key, words in facts if words]
    indent = max(cells(label) for label, _ in shown) + 2
    return [line for label, words in shown for line in page.labelled(label, words, indent=indent)]


def _why(run: RunView, page: Page) -> Iterator[str]:
    if run.status is not Status.COMPLETED:
        for words in filter(None, (run.reason, run.help)):
            said = clean(page.text.told(words))
            yield from (f"  {line}" for line in wrap(said, page.prose - 2))


def _judgements(run: RunView, page: Page) -> list[str]:
    """Each criterion with its judgement and evidence."""
    text = page.text
    if not run.criteria:
        return []
    width = max(cells(text(f"judged.{judged}")) for judged in Judged)
    lines = [text("show.criteria")]
    for criterion in run.criteria:
        label = f"  {pad(text(f'judged.{criterion.judged}'), width)}"
        lines += page.labelled(label, clean(criterion.text), indent=width + 4)
        if criterion.evidence:
            lines += page.labelled("", clean(criterion.evidence), indent=width + 6)
    return lines


def _data_lines(data: object) -> list[str]:
    import json

    dumped = json.dumps(data, ensure_ascii=False, indent=2, default=str)
    return [f"  {clean(line)}" for line in dumped.splitlines()]
