"""Events as lists show them, and the days that they are counted by."""

from __future__ import annotations

from datetime import UTC, datetime

from codexd.orchestrator.verbs import EventRow
from codexd.runs.events import Event


def event_row(event: Event) -> EventRow:
    """One event, as plain values."""
    body = event.body
    return EventRow(
        n=event.n,
        seq=event.seq,
        at=event.at,
        kind=body.kind,
        erased=event.erased,
        body=body.model_dump(mode="json"),
    )


def midnight(now: datetime) -> str:
    """The last midnight before `now`, in the time zone of `now`, as the journal writes times."""
    began = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return began.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
