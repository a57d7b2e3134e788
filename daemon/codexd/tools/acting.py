"""The tools that act on their run: schemas only, performed by the loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, model_validator

from codexd.errors import Severity
from codexd.tools.arguments import Arguments, Strings
from codexd.tools.interface import Effect, Finding, Tool

_SEVERITIES = {
    "critical": "error",
    "high": "error",
    "major": "error",
    "medium": "warning",
    "moderate": "warning",
    "low": "information",
    "minor": "information",
    "info": "information",
    "note": "hint",
}


def _severity(value: Any) -> Any:
    return _SEVERITIES.get(value.lower(), value.lower()) if isinstance(value, str) else value


class ReportedFinding(Finding):
    """A finding as models spell it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    path: str = Field(
        validation_alias=AliasChoices("path", "file", "file_path", "filename"),
        description="workspace-relative path, with forward slashes",
    )
    line: int = Field(
        ge=1, validation_alias=AliasChoices("line", "start_line", "line_number", "lineno")
    )
    severity: Annotated[Severity, BeforeValidator(_severity)] = Severity.WARNING
    message: str = Field(
        min_length=1, validation_alias=AliasChoices("message", "description", "text")
    )
    rule: str = Field(
        default="", validation_alias=AliasChoices("rule", "rule_id", "code", "category")
    )


class ReportFinding(Arguments):
    """Arguments of `report_finding`: one finding given plainly means a list of one."""

    findings: tuple[ReportedFinding, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "findings" in data:
            return cast("Any", data)
        one = cast("Mapping[str, Any]", data)
        return {"findings": [one.get("finding", one)]}


_STATES = {"todo": "pending", "done": "completed", "complete": "completed", "active": "in_progress"}


def _state(value: Any) -> Any:
    return _STATES.get(value, value) if isinstance(value, str) else value


class PlanStep(Arguments):
    """One step of a plan."""

    step: str = Field(min_length=1, validation_alias=AliasChoices("step", "content", "title"))
    status: Annotated[Literal["pending", "in_progress", "completed"], BeforeValidator(_state)] = (
        "pending"
    )


class UpdatePlan(Arguments):
    """Arguments of `update_plan`."""

    plan: tuple[PlanStep, ...] = Field(
        validation_alias=AliasChoices("plan", "steps", "todos"),
        description="the whole plan, in order; it replaces the one before",
    )
    explanation: str = Field(default="", description="why the plan changed")


class Delegate(Arguments):
    """Arguments of `delegate`."""

    agent: str = Field(
        min_length=1,
        validation_alias=AliasChoices("agent", "subagent_type", "agent_name"),
        description="name of the agent",
    )
    goal: str = Field(
        min_length=1,
        validation_alias=AliasChoices("goal", "prompt", "task"),
        description="what is wanted from it; it sees nothing of this conversation",
    )
    scope: Strings = Field(
        default=(),
        validation_alias=AliasChoices("scope", "paths"),
        description="paths that it is about; they grant nothing",
    )
    budget: int | None = Field(
        default=None,
        ge=0,
        validation_alias=AliasChoices("budget", "max_tokens"),
        description="tokens it may spend, input and output; held on this run's own budget",
    )


ACTING_TOOLS = (
    Tool(
        "report_finding",
        "Report located remarks: file, line, severity, message. Report each as soon as it is sure.",
        ReportFinding,
        Effect.IDEMPOTENT,
    ),
    Tool(
        "update_plan",
        "Keep the plan of this run: steps and how far each is. At most one is in progress.",
        UpdatePlan,
        Effect.IDEMPOTENT,
    ),
    Tool(
        "delegate",
        "Give a goal to another agent and wait for its result. Several calls at once run "
        "in parallel.",
        Delegate,
        Effect.OTHER,
    ),
)
