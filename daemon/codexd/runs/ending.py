"""How a run ends: its last event, with its result as far as it got."""

from __future__ import annotations

from codexd.runs.answer import judge, missing
from codexd.runs.events import Ended
from codexd.runs.run import Run, last_text, result_of
from codexd.runs.view import Status


def ended(run: Run, status: Status, reason: str = "", help: str = "") -> Ended:
    """The run's last event."""
    result = result_of(run)
    summary = result.summary if result else last_text(run)
    declared = run.started.artifacts
    return Ended(
        status=status,
        summary=summary,
        criteria=judge(run.started.criteria, result),
        artifacts=run.wrote,
        missing_artifacts=missing(declared, run.wrote),
        data=result.data if result else None,
        reason=reason,
        help=help,
        spent=run.spent,
        uncertain=run.uncertain,
        spent_micro_usd=run.spent_micro_usd,
    )
