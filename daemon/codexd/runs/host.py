"""A process that drives runs, and what all its runs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codexd.agents.registry import Registry
from codexd.config import Config
from codexd.runs.editors import Editors
from codexd.runs.events import Event
from codexd.runs.journal import Journal
from codexd.runs.run import Run
from codexd.runs.seat import Opened, Seat
from codexd.runs.slots import Slots
from codexd.tools import ToolContext

if TYPE_CHECKING:
    from codexd.agents.definition import AgentDefinition

Publish = Callable[[str, str], None]
"""Told (run id, kind of event, or `progress`)."""


@dataclass(slots=True, eq=False)
class Host:
    """What the runs of one process share."""

    config: Config
    journal: Journal
    registry: Callable[[], Registry]
    """The agents as they are now."""
    open_model: Callable[[AgentDefinition | None], Opened]
    """The model in force for a definition. Raises `AuthFailed`, `BadConfig`."""
    open_again: Callable[[str, AgentDefinition], Opened]
    """The model of that name, for a run that began with it. Raises like `open_model`."""
    light_model: Callable[[], Opened | None]
    context: ToolContext
    """Of the workspace; a run's own has its policy and scope."""
    redact: Callable[[str], str]
    """Text without secrets."""
    publish: Publish
    slots: Slots
    project_rules: str = ""
    seats: dict[str, Seat] = field(default_factory=dict[str, Seat])
    """The runs being driven here, and those of their trees that have ended."""
    erase_at_end: list[str] = field(default_factory=list[str])
    """Runs whose conversation is kept for the session only."""
    editors: Editors | None = None
    """Who has files open; `None`: nobody."""
    bound_factor: dict[str, float] = field(default_factory=dict[str, float])
    """By model: by how much its provider has counted more than our bound."""

    def published(self, _seat: Seat, events: Sequence[Event]) -> None:
        """Tell who listens what was committed."""
        for event in events:
            self.publish(event.run, event.body.kind)

    def keep_slot(self, seat: Seat, run: Run) -> None:
        """Give the run's place back, unless it has an act in flight other than a child; and its
        turn to have one, unless it waits for it.
        """
        if seat.has_slot and not any(begun.what != "child" for begun in run.in_flight):
            seat.has_slot = False
            self.slots.give_back()
        elif not seat.has_slot and seat.waiting != "slot":
            self.slots.forget(seat.wake)

    def take_slot(self, seat: Seat) -> bool:
        """Have a place for the run, or be woken when there is one."""
        if not seat.has_slot and not self.slots.take(seat.wake):
            seat.waiting = "slot"
            return False
        seat.has_slot = True
        return True

    def leave(self, seat: Seat) -> None:
        """Take back what an ended or failed drive still holds."""
        if seat.has_slot:
            seat.has_slot = False
            self.slots.give_back()
        else:
            self.slots.forget(seat.wake)
