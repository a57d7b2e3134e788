"""The audit log: the journal, read. Its records have the field names of the first design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from codexd.errors import BadRequest
from codexd.runs.events import (
    Answered,
    Approved,
    Asked,
    Begun,
    Done,
    Ended,
    Event,
    Lost,
    Refused,
    Started,
)

Record = Mapping[str, Any]


class Exporter:
    """Turns events, in the order of the journal, into audit records.

    It remembers what each run's open acts began with, so that a record tells an act whole.
    """

    def __init__(self) -> None:
        self._started: dict[str, tuple[Event, Started]] = {}
        self._begun: dict[tuple[str, int], tuple[Event, Begun]] = {}

    def records(self, event: Event) -> Iterator[Record]:
        """The records that `event` completes; most complete none."""
        body = event.body
        match body:
            case Started():
                self._started[event.run] = (event, body)
            case Begun():
                self._begun[event.run, body.act] = (event, body)
            case Answered():
                yield self._api_call(event, body)
                yield self._token_usage(event, body)
            case Lost():
                begun = self._begun.get((event.run, body.act))
                if begun and begun[1].what == "model":
                    yield self._token_usage(event, body)
                else:
                    yield self._tool_call(event, body)
            case Done():
                yield self._tool_call(event, body)
            case Asked() | Approved() | Refused():
                yield self._base(event, "security") | {
                    "decision": body.kind,
                    **body.model_dump(mode="json", exclude_defaults=True),
                }
            case Ended():
                yield self._agent_execution(event, body)
            case _:
                pass

    def _base(self, event: Event, kind: str) -> dict[str, Any]:
        started = self._started.get(event.run)
        return {
            "event_type": kind,
            "timestamp": event.at,
            "seq": event.seq,
            "run": event.run,
            "agent_name": started[1].agent if started else "",
        }

    def _agent_execution(self, event: Event, body: Ended) -> Record:
        began, started = self._started.get(event.run, (None, None))
        error = body.reason or None if body.status.value != "completed" else None
        return {
            "event_type": "agent_execution",
            "agent_name": started.agent if started else "",
            "status": body.status.value,
            "goal": started.goal if started else "",
            "start_time": began.at if began else None,
            "end_time": event.at,
            "duration_secs": event.active_ms / 1000,
            "tokens_used": body.spent,
            "artifacts": list(body.artifacts),
            "error": error,
            "run": event.run,
            "parent": started.parent if started else None,
            "seq": event.seq,
            "hash": event.hash,
        }

    def _api_call(self, event: Event, body: Answered) -> Record:
        _, begun = self._begun.pop((event.run, body.act), (None, None))
        started = self._started.get(event.run)
        return self._base(event, "api_call") | {
            "act": body.act,
            "model": started[1].model if started else "",
            "response_model": body.model,
            "request_digest": begun.digest if begun else "",
            "tokens_reserved": begun.reserved if begun else None,
            "output_cap": begun.cap if begun else None,
            "duration_secs": body.ms / 1000,
            "finish_reason": body.stop if not body.fault else None,
            "error": body.message or None,
            "answer": None if event.erased else _answer(body, begun.digest if begun else ""),
        }

    def _token_usage(self, event: Event, body: Answered | Lost) -> Record:
        usage = body.usage if isinstance(body, Answered) else None
        return self._base(event, "token_usage") | {
            "act": body.act,
            "input_tokens": usage.input if usage else None,
            "cached_tokens": usage.cached if usage else None,
            "output_tokens": usage.output if usage else None,
            "reasoning_tokens": usage.reasoning if usage else None,
            "tokens_charged": body.charged,
            "uncertain": body.uncertain if isinstance(body, Answered) else body.charged,
            "cost_usd": body.charged_micro_usd / 1e6,
        }

    def _tool_call(self, event: Event, body: Done | Lost) -> Record:
        _, begun = self._begun.pop((event.run, body.act), (None, None))
        done = body if isinstance(body, Done) else None
        return self._base(event, "tool_call") | {
            "act": body.act,
            "tool": (begun.tool if begun else done.tool if done else ""),
            "arguments": begun.arguments if begun and not event.erased else None,
            "effect": begun.effect.value if begun else None,
            "outcome": "lost" if done is None else "error" if done.is_error else "ok",
            "result": None if event.erased else done.text if done else None,
            "error": body.why if isinstance(body, Lost) else None,
            "duration_secs": done.ms / 1000 if done else None,
            "wrote": list(done.wrote) if done else [],
            "child_run": (done.run if done else "") or None,
        }


def _answer(body: Answered, request: str) -> Record | None:
    """The answer as `replay` plays it back; `None` for a fault."""
    if body.fault:
        return None
    return {
        "text": body.text,
        "calls": [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in body.calls],
        "opaque": list(body.opaque),
        "stop": body.stop,
        "usage": None
        if body.usage is None
        else {
            "input": body.usage.input,
            "output": body.usage.output,
            "cached": body.usage.cached,
            "reasoning": body.usage.reasoning,
        },
        "model": body.model,
        "request": request,
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
