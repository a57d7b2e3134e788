"""`Replay`: the model answers of an exported journal, played back exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from codexd.errors import RequestRefused
from codexd.models import bounds
from codexd.models.interface import Answer, OnText, Request, Stop, ToolCall, Usage, digest

FRAMING = 64


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer as it was, and the digest of what it answered (empty where not recorded)."""

    answer: Answer
    request: str = ""


class Replay:
    """Plays recorded answers back. One that knows its request answers only that one, so runs
    side by side each find their own; the others come in the order recorded.
    """

    caps_output = True
    reports_usage = True
    exact = True
    name = "replay"
    host = ""
    window = None

    def __init__(self, answers: Iterable[Mapping[str, Any]]) -> None:
        """`answers` are records `{"text", "calls", "opaque", "stop", "usage", "model"}`, with
        `request` (`digest`) where it was recorded. Raises `RequestRefused` for one that is none.
        """
        self._left = [_recorded(record, i) for i, record in enumerate(answers, 1)]
        self._n_played = 0

    def wanted_output(self, request: Request) -> int:
        """What the recorded answer took."""
        recorded = self._next(request)
        usage = recorded.answer.usage if recorded else None
        return usage.output if usage else 4_096

    def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
        """What the recorded call took; bytes where that was not counted."""
        recorded = self._next(request)
        if recorded and recorded.answer.usage:
            return recorded.answer.usage.input
        if settled is not None:
            return bounds.of_growth(request, settled)
        return bounds.utf8(repr(request)) + FRAMING

    async def count_input(self, request: Request) -> int | None:
        """Nothing beyond `input_bound` is known."""
        return None

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        """The recorded answer to `request`. Raises `RequestRefused` where there is none."""
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
        self._left.remove(recorded)
        self._n_played += 1
        if recorded.answer.text:
            on_text(recorded.answer.text)
        return recorded.answer

    def _next(self, request: Request) -> Recorded | None:
        asked = digest(request)
        for recorded in self._left:
            if recorded.request in {"", asked}:
                return recorded
        return None


def _recorded(record: Mapping[str, Any], number: int) -> Recorded:
    try:
        usage = record.get("usage")
        answer = Answer(
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
    except (KeyError, TypeError, ValueError) as error:
        raise RequestRefused(
            f"record {number} is no model answer: {error}",
            help="`codexd audit export` writes records that replay",
        ) from error
    return Recorded(answer, record.get("request") or "")
