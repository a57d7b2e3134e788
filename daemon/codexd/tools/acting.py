"""Tools that act on their run: schemas here, performed by the loop."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AliasChoices, Field

from codexd.tools.arguments import Arguments
from codexd.tools.interface import Effect, Finding, Tool


class ReportFinding(Arguments):
    findings: tuple[Finding, ...] = ()

    def all_findings(self) -> tuple[Finding, ...]:
        return self.findings


class StepStatus(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Step(Arguments):
    step: str
    status: StepStatus = StepStatus.PENDING


class UpdatePlan(Arguments):
    plan: tuple[Step, ...]
    explanation: str = ""


class Delegate(Arguments):
    agent: str
    goal: str = Field(validation_alias=AliasChoices("goal", "task"))
    scope: tuple[str, ...] = ()
    budget: int | None = None


ACTING_TOOLS = (
    Tool("report_finding", "Report located problems.", ReportFinding, Effect.NONE),
    Tool("update_plan", "Show your plan.", UpdatePlan, Effect.NONE),
    Tool("delegate", "Have another agent do something.", Delegate, Effect.OTHER),
)
