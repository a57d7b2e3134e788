"""The events of a run: immutable, numbered facts, as they are stored and folded.

A body has two parts. Its *facts* (amounts, names, hashes, findings, results) stay for good; its
*content* (the conversation: prompts, answers, arguments, results of tools) may be erased when
retention says so, and is then read as empty. Each part is hashed by itself, so that erasing one
leaves the chain whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from codexd.models import ToolCall, Usage
from codexd.runs.view import Criterion, Status
from codexd.tools import Effect, Finding


class Body(BaseModel):
    """What an event says. An older version of a kind is upcast by `decode`."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64")
    kind: ClassVar[str] = ""
    v: ClassVar[int] = 1
    content: ClassVar[frozenset[str]] = frozenset()
    """The fields that retention may erase."""


class ChildSpec(BaseModel):
    """A child run, as it was asked for."""

    model_config = ConfigDict(frozen=True)
    agent: str
    goal: str | None = None
    scope: tuple[str, ...] = ()
    budget: int | None = None
    deadline_seconds: float | None = None


class Started(Body):
    """A run exists. Everything that it was begun with stands here in full."""

    kind: ClassVar[str] = "started"
    parent: str | None = None
    root: str
    depth: int = 0
    agent: str = ""
    """Empty for a group of parallel runs."""
    definition: dict[str, Any] | None = None
    goal: str = ""
    scope: tuple[str, ...] = ()
    system: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    """The schemas offered to the model."""
    policy: tuple[dict[str, Any], ...] = ()
    """The effective policy: its layers."""
    model: str = ""
    billed: bool = False
    priced: bool = False
    """Whether what its tokens cost is known: nothing, where nobody bills them."""
    window: int | None = None
    budget: int
    budget_micro_usd: int | None = None
    deadline_seconds: float | None = None
    criteria: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    """As this run is to write them (`report.2.md` beside a twin's `report.1.md`)."""
    data_schema: dict[str, Any] | None = None
    """What the `data` of its result is to be, as JSON Schema; `None`: free."""
    retention: str = "permanent"
    max_children: int | None = None
    max_turns: int | None = None
    """How many answers its model may give; `None`: as many as the budget has room for."""
    stream_retries: int = 2
    """How often a stream that broke is asked for again."""
    children: tuple[ChildSpec, ...] = ()
    """A group's: what it starts."""
    notes: tuple[str, ...] = ()


class Driven(Body):
    """A host took the run up; a run that had ended goes on, within its new limits."""

    kind: ClassVar[str] = "driven"
    host: str
    budget: int | None = None
    """A new total; `None`: as before. So are the next two."""
    budget_micro_usd: int | None = None
    deadline_seconds: float | None = None


class Change(BaseModel):
    """One file of a write's intent: enough to see on which side of it we are, and to undo it."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")
    path: str
    before: bytes | None
    before_sha256: str | None
    after_sha256: str | None


class Begun(Body):
    """The intent of an act; committed before the act."""

    kind: ClassVar[str] = "begun"
    content: ClassVar[frozenset[str]] = frozenset({"arguments"})
    act: int
    what: Literal["model", "tool", "child"]
    digest: str = ""
    """Of a model's request, or of tool + arguments."""
    # A model call.
    model: str = ""
    bound: int = 0
    cap: int = 0
    reserved: int = 0
    reserved_micro_usd: int = 0
    light: bool = False
    shortened: bool = False
    """Whether old tool results were cut to fit the budget; the conversation goes on like that."""
    # A tool call or a child run.
    call_id: str = ""
    tool: str = ""
    arguments: str = ""
    effect: Effect = Effect.NONE
    changes: tuple[Change, ...] = ()
    # A child run.
    run: str = ""
    spec: ChildSpec | None = None
    allowance: int = 0


class Answered(Body):
    """The outcome of a model call: an answer, or the fault that came instead."""

    kind: ClassVar[str] = "answered"
    content: ClassVar[frozenset[str]] = frozenset({"text", "calls", "opaque"})
    act: int
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    opaque: tuple[dict[str, Any], ...] = ()
    stop: str = "end"
    model: str = ""
    usage: Usage | None = None
    charged: int = 0
    """What was settled; equals `usage.total` where usage came."""
    uncertain: int = 0
    """Of `charged`, what nobody reported."""
    charged_micro_usd: int = 0
    ms: int = 0
    fault: str = ""
    """The `ModelFault`'s class name."""
    message: str = ""
    help: str = ""


class Done(Body):
    """The outcome of a tool call or child run (`act` 0: refused before it began)."""

    kind: ClassVar[str] = "done"
    content: ClassVar[frozenset[str]] = frozenset({"text"})
    act: int = 0
    call_id: str = ""
    tool: str = ""
    text: str = ""
    is_error: bool = False
    wrote: tuple[str, ...] = ()
    ms: int = 0
    run: str = ""
    status: Status | None = None
    spent: int = 0
    """A child's, its own children's included; so are the next two."""
    uncertain: int = 0
    spent_micro_usd: int = 0


class Lost(Body):
    """An act that began and whose outcome nobody knows; a model call is charged in full."""

    kind: ClassVar[str] = "lost"
    act: int
    call_id: str = ""
    why: str = ""
    charged: int = 0
    charged_micro_usd: int = 0


class Reported(Body):
    """Findings that the agent reported."""

    kind: ClassVar[str] = "finding"
    call_id: str = ""
    findings: tuple[Finding, ...]


class Asked(Body):
    """A question to the user."""

    kind: ClassVar[str] = "asked"
    what: str
    subject: str = ""


class Approved(Body):
    """What the user, or the user's configuration, allowed."""

    kind: ClassVar[str] = "approved"
    what: str
    subject: str = ""
    by: str = ""
    scope: str = ""


class Refused(Body):
    """What the policy or the user refused."""

    kind: ClassVar[str] = "denied"
    what: str
    subject: str = ""
    by: str = ""
    why: str = ""
    call_id: str = ""
    """The call of a model that it was, where it was one."""


class Noted(Body):
    """A remark: plan, lightweight, overrun, compacted, asked_again, resumed, undone, erased."""

    kind: ClassVar[str] = "noted"
    content: ClassVar[frozenset[str]] = frozenset({"say"})
    what: Literal[
        "plan", "lightweight", "overrun", "compacted", "asked_again", "resumed", "undone", "erased"
    ]
    text: str = ""
    """For people."""
    ask: str = ""
    """Asked again: for what (`result`, `cut`, `repeats`, `turns`)."""
    say: str = ""
    """Said to the model as a user would."""
    call_id: str = ""
    plan: tuple[tuple[str, str], ...] = ()
    keep_bytes: int = 0
    """Compacted: how many bytes an old tool result keeps."""
    upto: int = 0
    """Compacted: how many leading items were shortened."""


class Stopping(Body):
    """The run is to end with `status`; what is in flight is being ended."""

    kind: ClassVar[str] = "stopping"
    status: Status
    why: str = ""


class Ended(Body):
    """The run's last event, with its result."""

    kind: ClassVar[str] = "ended"
    status: Status
    summary: str = ""
    criteria: tuple[Criterion, ...] = ()
    artifacts: tuple[str, ...] = ()
    missing_artifacts: tuple[str, ...] = ()
    data: Any = None
    reason: str = ""
    help: str = ""
    spent: int = 0
    uncertain: int = 0
    spent_micro_usd: int = 0


class Unknown(Body):
    """A kind of a newer codexd: shown, not driven."""

    kind: ClassVar[str] = "unknown"
    name: str = ""
    facts: dict[str, Any] = Field(default_factory=dict[str, Any])


KINDS: dict[str, type[Body]] = {
    body.kind: body
    for body in (
        Started, Driven, Begun, Answered, Done, Lost, Reported, Asked, Approved, Refused,
        Noted, Stopping, Ended,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about a run, as committed."""

    seq: int
    """Over all runs of the store."""
    run: str
    n: int
    """Within its run, from 1."""
    at: str
    """RFC 3339 UTC with milliseconds."""
    active_ms: int
    """The run's running time so far."""
    body: Body
    hash: str = ""
    """Hex; the journal's chain up to and including this event."""
    erased: bool = False
    """Whether retention took the content."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body as bytes."""

    kind: str
    v: int
    facts: bytes
    content: bytes | None
    digest: bytes
    """sha256(facts) then, where there is content, sha256(content): 32 or 64 bytes."""


def encode(body: Body) -> Encoded:
    """`body` as exact JSON bytes, facts and content apart."""
    cls = type(body)
    facts = body.model_dump_json(exclude=set(cls.content), exclude_defaults=True).encode()
    content = None
    digest = hashlib.sha256(facts).digest()
    if cls.content:
        text = body.model_dump_json(include=set(cls.content), exclude_defaults=True)
        if text != "{}":
            content = text.encode()
            digest += hashlib.sha256(content).digest()
    return Encoded(cls.kind, cls.v, facts, content, digest)


def decode(kind: str, v: int, facts: bytes, content: bytes | None) -> Body:
    """The body that was encoded; a newer kind or version is `Unknown`."""
    cls = KINDS.get(kind)
    values = json.loads(facts)
    if cls is None or v > cls.v:
        return Unknown(name=f"{kind} v{v}", facts=values)
    if content is not None:
        values |= json.loads(content)
    return cls.model_validate_json(json.dumps(values))
