"""`Replay`: the model answers of an exported journal, played back exactly.

A recording is a file that `codexd audit export` wrote. Its `api_call` records tell each answer (or
the fault that came instead), the digest of what it answered, and what was reserved for it: so a
run that asks the same gets the same, token for token, and one that asks anything else is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from codexd.errors import (
    AuthFailed,
    BadConfig,
    CodexdError,
    ContextTooLong,
    CutStream,
    ModelFault,
    NeedsModel,
    Overloaded,
    RateLimited,
    RequestRefused,
    Unreachable,
)
from codexd.models import bounds
from codexd.models.interface import Answer, OnText, Request, Stop, ToolCall, Usage, digest

FRAMING = 64
WANTED_OUTPUT = 4_096
"""Of a call that is not in the recording, so that its budget is judged as a provider's is."""


FAULTS = {
    kind.__name__: kind
    for kind in (
        ModelFault, RateLimited, Overloaded, Unreachable, ContextTooLong, AuthFailed,
        RequestRefused, CutStream,
    )
} | {"Crash": ModelFault}  # fmt: skip
"""By the name in the record; a crash of ours comes again as its message."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One model call as it was."""

    number: int
    """Its place in the recording, from 1."""
    outcome: Answer | CodexdError | None
    """`None`: retention took the answer."""
    request: str = ""
    """The digest of what it answered; empty where not recorded."""
    bound: int | None = None
    """The input tokens that were reserved for it; `None` where not recorded."""
    cap: int | None = None
    """The output cap that was sent with it."""


class Replay:
    """Plays recorded calls back. One that knows its request answers only that one, so runs side
    by side each find their own; the others come in the order recorded.
    """

    caps_output = True
    reports_usage = True
    host = ""

    def __init__(self, records: Iterable[Mapping[str, Any]], *, name: str = "replay") -> None:
        """`records` are `api_call` records of the audit log. Raises `BadConfig` for one that holds
        no answer that could be played.
        """
        records = list(records)
        found = [_recorded(record, i) for i, record in enumerate(records, 1)]
        self._left = [recorded for recorded in found if recorded is not None]
        self._n_played = 0
        windows = {record.get("context_window") for record in records}
        self.name = name
        self.window: int | None = windows.pop() if len(windows) == 1 else None
        self.exact = bool(records) and all(record.get("model") == "offline" for record in records)
        """Whether rules gave the answers: they know exactly what a call takes."""

    def wanted_output(self, request: Request) -> int:
        """The output cap of the recorded call."""
        recorded = self._next(request)
        if recorded is not None and recorded.cap is not None:
            return recorded.cap
        usage = _usage(recorded)
        return usage.output if usage else WANTED_OUTPUT

    def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
        """What was reserved for the recorded call's input; bytes where there is none."""
        recorded = self._next(request)
        if recorded is not None and recorded.bound is not None:
            return recorded.bound
        if usage := _usage(recorded):
            return usage.input
        if settled is not None:
            return bounds.of_growth(request, settled)
        return bounds.of_body(repr(request).encode(errors="replace"), request, FRAMING)

    async def count_input(self, request: Request) -> int | None:
        """Nothing beyond `input_bound` is known."""
        return None

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        """The recorded answer to `request`. Raises the recorded fault, or `RequestRefused` where
        there is neither.
        """
        if not self._left:
            raise RequestRefused(
                f"the recording is at its end after {self._n_played} answers",
                help="the run asks more than the recorded one did",
            )
        recorded = self._next(request)
        if recorded is None:
            raise RequestRefused(
                f"answer {self._n_played + 1} of the recording is to another conversation",
                help="replay needs the files, the agent and the goal of the recorded run",
            )
        if recorded.outcome is None:
            raise RequestRefused(
                f"answer {recorded.number} is not in the recording: its agent's retention took it",
                help="`policies.context.retention: permanent` keeps the answers of later runs",
            )
        self._left.remove(recorded)
        self._n_played += 1
        if isinstance(recorded.outcome, CodexdError):
            raise recorded.outcome
        if recorded.outcome.text:
            on_text(recorded.outcome.text)
        return recorded.outcome

    def _next(self, request: Request) -> Recorded | None:
        asked = digest(request)
        for recorded in self._left:
            if recorded.request in {"", asked}:
                return recorded
        return None


def read_recording(path: Path) -> list[Mapping[str, Any]]:
    """The records of model calls in a file that `codexd audit export` wrote, in any of its
    formats. Raises `BadConfig`.
    """
    try:
        records = _records(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise BadConfig(
            f"the recording {path} cannot be read: {fault.strerror or fault}",
            help="`codexd audit export --format jsonl > FILE` writes one",
        ) from fault
    except ValueError as fault:
        raise BadConfig(
            f"{path} is no recording: {str(fault).partition(chr(10))[0]}",
            help="`codexd audit export --format jsonl > FILE` writes one",
        ) from fault
    calls = [record for record in records if record.get("event_type") == "api_call"]
    if not calls:
        raise BadConfig(
            f"{path} holds no model call",
            help="`codexd audit export --format jsonl > FILE` writes those of the runs that were",
        )
    return calls


def _records(text: str) -> list[Mapping[str, Any]]:
    """The records of an export. Raises `ValueError`."""
    found: object
    match text.lstrip()[:1]:
        case "[":
            found = json.loads(text)
        case "{":
            found = [json.loads(line) for line in text.split("\n") if line.strip()]
        case _:
            found = _yaml(text)
    records = cast("list[object]", found) if isinstance(found, list) else [found]
    if not all(isinstance(record, Mapping) for record in records):
        raise ValueError("it is not made of records")
    return cast("list[Mapping[str, Any]]", records)


def _yaml(text: str) -> object:
    import yaml

    try:
        # libyaml's is ten times as fast, is not in every build, and as safe.
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as fault:
        raise ValueError(str(fault)) from fault


def _recorded(record: Mapping[str, Any], number: int) -> Recorded | None:
    """The call that `record` tells; `None` where nobody knows how it came out."""
    own: Mapping[str, Any] = record.get("codexd") or {}
    try:
        outcome: Answer | CodexdError | None = None
        if record.get("answer") is not None:
            outcome = _answer(record["answer"])
        elif record.get("fault") is not None:
            outcome = _fault(record["fault"], record.get("error") or "")
        elif "answer" not in own.get("erased", ()):
            return None
        cap, reserved = record.get("output_cap"), record.get("tokens_reserved")
        return Recorded(
            number,
            outcome,
            request=record.get("request_digest") or "",
            bound=None if cap is None or reserved is None else reserved - cap,
            cap=cap,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadConfig(
            f"model call {number} of the recording holds no answer: {error}",
            help="`codexd audit export` writes records that replay",
        ) from error


def _answer(record: Mapping[str, Any]) -> Answer:
    usage = record.get("usage")
    return Answer(
        text=record.get("text") or "",
        calls=tuple(
            ToolCall(call["id"], call["name"], call["arguments"])
            for call in record.get("calls") or ()
        ),
        opaque=tuple(record.get("opaque") or ()),
        stop=Stop(record.get("stop") or Stop.END),
        usage=Usage(**usage) if usage else None,
        model=record.get("model") or "",
    )


def _fault(record: Mapping[str, Any], message: str) -> CodexdError:
    """The fault that came instead of an answer."""
    if record["type"] == NeedsModel.__name__:
        return NeedsModel(message, help=record["help"])
    kind = FAULTS.get(record["type"])
    if kind is None:
        raise ValueError(f"no fault is called {record['type']}")
    return kind(message, help=record["help"], billed=record["billed"])


def _usage(recorded: Recorded | None) -> Usage | None:
    outcome = recorded.outcome if recorded else None
    return outcome.usage if isinstance(outcome, Answer) else None
