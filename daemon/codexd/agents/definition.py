"""`AgentDefinition`: what every dialect of agent file becomes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from codexd.errors import Source
from codexd.policy import Layer


class Retention(StrEnum):
    """How long the conversation's bodies of a run are kept (`design.md`, "Agent definitions")."""

    JOB = "job"
    SESSION = "session"
    PERMANENT = "permanent"


class AgentDefinition(BaseModel):
    """Who an agent is, what it may do, what it may spend. Never a running thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """As written (`Python Reviewer`)."""
    source: Source
    """The file, and the line of `name` (or 1)."""
    dialect: str
    """`yaml`, `toml`, `claude`, `cursor`, `vscode`."""
    description: str = ""
    goal: str = ""
    """Its standing purpose, and what it does when no goal is given."""
    instructions: str = ""
    """What its author tells the model: `instructions`, `system_prompt`,
    `developer_instructions`, or the Markdown body."""
    tools: tuple[str, ...] = ()
    """Canonical names of built-in tools, in the author's order, without repeats."""
    mcp_servers: tuple[str, ...] = ()
    mcp_tools: tuple[str, ...] = ()
    """Names in the file's tool list that are no built-in's: an MCP server may offer them."""
    policy: Layer
    """What it asks for, each grant with its file and line."""
    max_tokens: int | None = None
    """The run's default budget: input + output, whole run."""
    max_tokens_source: Source | None = None
    retention: Retention = Retention.PERMANENT
    redact: bool = True
    """Said by the author; `False` shows nothing more, since the model reads redacted text."""
    success_criteria: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    """Paths or globs, workspace-relative without a leading `./`."""
    model: str | None = None
    """Chooses among the configured provider's models; turns none on."""
    temperature: float | None = None
    reasoning_effort: str | None = None
    max_parallel_tasks: int | None = None
    """Child runs at once."""
    timeout_seconds: float | None = None
    """The deadline: running time."""
    max_turns: int | None = None
    """How many answers its model may give."""
    capabilities: tuple[str, ...] = ()
    version: str = ""
    extras: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Everything else the author wrote (`research_strategy`, `linters`, …): told to the model as
    settings of this agent, granting nothing."""

    @property
    def slug(self) -> str:
        """`Python Reviewer` → `python-reviewer`."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.name.lower()).split())
