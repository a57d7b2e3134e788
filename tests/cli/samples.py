"""Runs as the terminal meets them: plain values, as an orchestrator would give them."""

from __future__ import annotations

from dataclasses import replace

from codexd.errors import Severity
from codexd.runs.view import Criterion, Judged, RunView, Status
from codexd.tools import Finding


def finding(
    line: int,
    message: str,
    rule: str = "",
    *,
    column: int = 1,
    severity: str = "warning",
    path: str = "bottle.py",
) -> Finding:
    return Finding(
        path=path, line=line, column=column, severity=Severity(severity), message=message, rule=rule
    )


def run(agent: str = "code-reviewer", **changes: object) -> RunView:
    """A completed offline run of `agent`, with `changes`."""
    view = RunView(
        id="8c1d22aa90fe", short="8c1d", parent=None, root="8c1d22aa90fe", agent=agent,
        goal="Review the code", status=Status.COMPLETED, doing="", model="offline", billed=False,
        spent=3120, budget=40_000, uncertain=0, spent_usd=None, budget_usd=None,
        started_at="2026-11-21T10:00:00.000Z", ended_at="2026-11-21T10:00:01.100Z", seconds=1.1,
        deadline_seconds=None, summary="", reason="", help="", findings=(), criteria=(),
        artifacts=(), missing_artifacts=(), plan=(), data=None, notes=(),
    )  # fmt: skip
    return replace(view, **changes)


REVIEW = (
    finding(
        2133, "`key` is read before it exists: load_dict(\"x\") raises UnboundLocalError, not the "
        "TypeError meant here", "F821", column=67, severity="error",
    ),
    finding(2133, "the message has no place for its argument", "F507", column=33, severity="error"),
    *(finding(100 + n, f"line {n} is too complex", "C901", column=5) for n in range(28)),
)  # fmt: skip
AUDIT = (
    finding(3367, "jinja2 Environment without autoescape: HTML gets in", "S701", column=20),
    finding(3080, "eval() of a caller's text", "S307", column=12),
    *(finding(10 + n, f"weak hash in step {n}", "S324", path="a.py") for n in range(6)),
)
OUTLINE = tuple(
    finding(500 + n, f"public function {n} without a docstring", "D103", severity="information")
    for n in range(31)
)
MET = Criterion("every finding names a line", Judged.MET, "30 of 30 have one")
OPEN = Criterion("advice is worth following", Judged.NOT_JUDGED)

CHILDREN = (
    run(findings=REVIEW, criteria=(MET, MET, OPEN), artifacts=("artifacts/code-review-report.md",)),
    run(
        "sec-audit", id="91be00000000", short="91be", findings=AUDIT, spent=1480, seconds=0.9,
        criteria=(MET, OPEN, OPEN, OPEN), artifacts=("artifacts/security-audit.md",),
    ),
    run(
        "docs-gen", id="aa0100000000", short="aa01", findings=OUTLINE, spent=2210, budget=15_000,
        seconds=0.8, criteria=(MET, OPEN, OPEN, OPEN), artifacts=("artifacts/api-outline.md",),
    ),
)  # fmt: skip
GROUP = run(
    "", id="77aa00000000", short="77aa", goal="", model="", spent=6810, budget=95_000,
    children=tuple(replace(child, parent="77aa00000000") for child in CHILDREN),
)  # fmt: skip
BUDGET_STOP = run(
    status=Status.BUDGET_EXCEEDED, spent=498, budget=500, seconds=0.2, findings=REVIEW[:3],
    reason="the next step could cost 212 and 2 were left, so it was not begun",
)  # fmt: skip
