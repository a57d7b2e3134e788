"""How a run ends: its last event, with its result as far as it got."""

from __future__ import annotations

from codexd.models import ToolReply
from codexd.runs.answer import judge, missing
from codexd.runs.events import Ended
from codexd.runs.next import WRITERS, last_text, result_of
from codexd.runs.run import Run
from codexd.runs.view import Status


def ended(run: Run, status: Status, reason: str = "", help: str = "") -> Ended:
    """The run's last event; `reason` and `help` are for people."""
    result = result_of(run)
    summary = result.summary if result else last_text(run)
    absent = missing(run.started.artifacts, run.wrote)
    if status is Status.COMPLETED and absent:
        reason = reason or _why_not_written(run)
    return Ended(
        status=status,
        summary=summary,
        criteria=judge(run.started.criteria, result),
        artifacts=run.wrote,
        missing_artifacts=absent,
        data=result.data if result else None,
        reason=reason,
        help=help,
        spent=run.spent,
        uncertain=run.uncertain,
        spent_micro_usd=run.spent_micro_usd,
    )


def _why_not_written(run: Run) -> str:
    """What the last refused write said; empty where none was tried, or all went well."""
    refused = (
        item.text
        for item in reversed(run.items)
        if isinstance(item, ToolReply) and item.is_error and item.name in WRITERS
    )
    return next(refused, "").partition("\n")[0]
