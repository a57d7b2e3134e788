"""The audit log: the journal, read.

Each record is one flat object. `agent_execution` has the ten fields of the first design and no
other: `event_type, agent_name, status, goal, start_time, end_time, duration_secs, tokens_used,
artifacts, error`. The other kinds (`api_call`, `tool_call`, `token_usage`, `security`) begin with
`event_type, timestamp, agent_name`. What is codexd's own stands in one nested object, `codexd`:

    run, parent   ids; a group of parallel runs has no agent's name, and its tokens are the sum of
                  those of its children, as a run's include those that it delegated
    act           which act of the run, where the record tells one
    seq, hash     where in the journal's chain the record ends
    erased        the names of the record's fields that are null because retention took them

Times are RFC 3339 UTC. `null` stands for what is not known: the end of a run that has none yet
(`running`, `interrupted`), the cost where no price is known, the outcome of an act that was under
way when its process was killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from codexd.errors import BadRequest
from codexd.runs.events import (
    Answered,
    Approved,
    Asked,
    Begun,
    Done,
    Driven,
    Ended,
    Event,
    Lost,
    Refused,
    Started,
)
from codexd.runs.view import Status

Record = Mapping[str, Any]


@dataclass(slots=True)
class _Run:
    """What later records of a run need of what came before."""

    began: Event
    started: Started
    last: Event
    begun: dict[int, tuple[Event, Begun]] = field(default_factory=dict[int, tuple[Event, Begun]])
    """The acts that are under way."""
    spent: int = 0
    has_ended: bool = False


class Exporter:
    """Turns events, in the order of the journal, into audit records.

    It remembers what each run and its open acts began with, so that a record tells an act whole.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def records(self, event: Event) -> Iterator[Record]:
        """The records that `event` completes; most complete none."""
        body = event.body
        if isinstance(body, Started):
            # What is long, and is in no record, is not kept for as long as the log is read.
            long = {"definition": None, "system": "", "tools": (), "policy": ()}
            slim = body.model_copy(update=long)
            self._runs[event.run] = _Run(event, slim, event)
            return
        run = self._runs.get(event.run)
        if run is None:  # written by a newer codexd: shown by nobody
            return
        run.last = event
        match body:
            case Driven():
                run.has_ended = False
            case Begun():
                run.begun[body.act] = (event, body)
            case Answered():
                run.spent += body.charged
                yield _api_call(run, body, event)
                yield _token_usage(run, body, event)
            case Lost():
                run.spent += body.charged
                begun = run.begun.get(body.act)
                if begun and begun[1].what == "model":
                    yield _api_call(run, body, event)
                    yield _token_usage(run, body, event)
                else:
                    yield _tool_call(run, body, event)
            case Done():
                run.spent += body.spent
                yield _tool_call(run, body, event)
            case Asked() | Approved() | Refused():
                yield _security(run, body, event)
            case Ended():
                run.has_ended = True
                yield _agent_execution(run, body)
            case _:
                pass

    def unfinished(self, is_alive: Callable[[str], bool]) -> Iterator[Record]:
        """Records of the runs that have not ended, and of acts that a killed process had begun."""
        for id, run in self._runs.items():
            if run.has_ended:
                continue
            alive = is_alive(id)
            if not alive:
                for event, begun in list(run.begun.values()):
                    tell = _api_call if begun.what == "model" else _tool_call
                    yield tell(run, Lost(act=begun.act, why="no outcome is known"), event)
            yield _agent_execution(run, Status.RUNNING if alive else Status.INTERRUPTED)

    def is_below(self, run: str | None, top: str) -> bool:
        """Whether `run` is `top`, or was started by it or by one below it."""
        while run is not None and run != top:
            known = self._runs.get(run)
            run = known.started.parent if known else None
        return run is not None


def _base(run: _Run, event: Event, kind: str) -> dict[str, Any]:
    return {"event_type": kind, "timestamp": event.at, "agent_name": run.started.agent}


def _own(run: _Run, event: Event, *, act: int = 0, erased: Sequence[str] = ()) -> Record:
    own: dict[str, Any] = {"run": event.run, "parent": run.started.parent}
    if act:
        own["act"] = act
    return {"codexd": {**own, "seq": event.seq, "hash": event.hash, "erased": list(erased)}}


def _agent_execution(run: _Run, end: Ended | Status) -> Record:
    event = run.last
    ended = end if isinstance(end, Ended) else None
    status = end.status if isinstance(end, Ended) else end
    return {
        "event_type": "agent_execution",
        "agent_name": run.started.agent,
        "status": status.value,
        "goal": run.started.goal,
        "start_time": run.began.at,
        "end_time": event.at if ended else None,
        "duration_secs": event.active_ms / 1000,
        "tokens_used": ended.spent if ended else run.spent,
        "artifacts": list(ended.artifacts) if ended else [],
        "error": ended.reason or status.value if ended and status is not Status.COMPLETED else None,
        **_own(run, event),
    }


def _api_call(run: _Run, body: Answered | Lost, event: Event) -> Record:
    _, begun = run.begun.pop(body.act, (None, None))
    answered = body if isinstance(body, Answered) else None
    has_answer = answered is not None and not answered.fault
    is_erased = has_answer and event.erased
    return {
        **_base(run, event, "api_call"),
        "model": begun.model if begun else run.started.model,
        "response_model": answered.model or None if answered else None,
        "context_window": run.started.window,
        "request_digest": begun.digest if begun else None,
        "tokens_reserved": begun.reserved if begun else None,
        "output_cap": begun.cap if begun else None,
        "duration_secs": answered.ms / 1000 if answered else None,
        "finish_reason": answered.stop if answered and has_answer else None,
        "answer": _answer(answered) if answered and has_answer and not is_erased else None,
        "fault": _fault(answered) if answered and answered.fault else None,
        "error": (body.why if isinstance(body, Lost) else body.message) or None,
        **_own(run, event, act=body.act, erased=("answer",) if is_erased else ()),
    }


def _answer(body: Answered) -> Record:
    """An answer as `replay` plays it back."""
    return {
        "text": body.text,
        "calls": [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in body.calls],
        "opaque": list(body.opaque),
        "stop": body.stop,
        "usage": asdict(body.usage) if body.usage else None,
        "model": body.model,
    }


def _fault(body: Answered) -> Record:
    """What came instead of an answer, as `replay` plays it back; `error` says it in words."""
    return {"type": body.fault, "help": body.help, "billed": body.charged > 0}


def _token_usage(run: _Run, body: Answered | Lost, event: Event) -> Record:
    usage = body.usage if isinstance(body, Answered) else None
    return {
        **_base(run, event, "token_usage"),
        "input_tokens": usage.input if usage else None,
        "cached_tokens": usage.cached if usage else None,
        "output_tokens": usage.output if usage else None,
        "reasoning_tokens": usage.reasoning if usage else None,
        "tokens_charged": body.charged,
        "uncertain": body.uncertain if isinstance(body, Answered) else body.charged,
        "cost_usd": body.charged_micro_usd / 1e6 if run.started.priced else None,
        **_own(run, event, act=body.act),
    }


def _tool_call(run: _Run, body: Done | Lost, event: Event) -> Record:
    began, begun = run.begun.pop(body.act, (None, None))
    done = body if isinstance(body, Done) else None
    erased: list[str] = []
    if began and began.erased:
        erased.append("arguments")
    if done and event.erased:
        erased.append("result")
    return {
        **_base(run, event, "tool_call"),
        "tool": begun.tool if begun else done.tool if done else "",
        "arguments": _arguments(begun) if begun and "arguments" not in erased else None,
        "effect": begun.effect.value if begun else None,
        "outcome": "unknown" if done is None else "error" if done.is_error else "ok",
        "result": done.text if done and "result" not in erased else None,
        "wrote": list(done.wrote) if done else [],
        "child_run": (begun.run if begun else "") or None,
        "duration_secs": done.ms / 1000 if done else None,
        "error": body.why if isinstance(body, Lost) else None,
        **_own(run, event, act=body.act, erased=erased),
    }


def _arguments(begun: Begun) -> Any:
    """What a tool was called with, a child run begun with; as text where that is no JSON."""
    if begun.spec is not None:
        return begun.spec.model_dump(mode="json", exclude_defaults=True)
    try:
        return json.loads(begun.arguments, parse_constant=_refuse)
    except ValueError:
        return begun.arguments


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _security(run: _Run, body: Asked | Approved | Refused, event: Event) -> Record:
    said = body.model_dump(mode="json")
    return {
        **_base(run, event, "security"),
        "decision": body.kind,
        "what": body.what,
        "subject": body.subject,
        "by": said.get("by") or None,
        "scope": said.get("scope") or None,
        "reason": said.get("why") or None,
        **_own(run, event),
    }


def since(text: str, *, now: datetime) -> str:
    """The earliest timestamp meant by `text`: RFC 3339, or a length such as `90s`, `2h`, `7d`.

    Raises `BadRequest`.
    """
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    number, unit = text[:-1], text[-1:]
    try:
        if unit in units and number.isdecimal():
            instant = now - timedelta(**{units[unit]: int(number)})
        else:
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"--since {text!r} is neither a time nor a length",
            help="write 2026-01-31T09:00:00Z, or 90s, 30m, 2h, 7d",
        ) from None
    stamp = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")
