"""What a run wants next: a function of what it is. Nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from codexd.models import Answer, Stop, ToolCall, ToolReply
from codexd.runs.answer import Result, misfit, missing, parse_result, says_nothing
from codexd.runs.events import (
    Answered,
    ChildSpec,
)
from codexd.runs.run import Run
from codexd.runs.stuck import (
    MAX_REPEATS,
    MAX_UNMADE,
    REPEATS_TOLD,
    call_named,
    n_repeats,
    quoted,
)
from codexd.runs.view import Status
from codexd.tools import Effect

MAX_CUT_ANSWERS = 2
"""How often a model may run into its output cap before the run fails."""


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask the model, with the conversation as it is."""


@dataclass(frozen=True, slots=True)
class CallTool:
    """Do what a pending call asks for."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child of a group; `index` is its place in the order asked."""

    index: int
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Say `say` to the model once, and go on."""

    what: str
    say: str


@dataclass(frozen=True, slots=True)
class Shorten:
    """The conversation passed the model's window: shorten what is old in it."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the run."""

    status: Status
    reason: str = ""
    help: str = ""


Want: TypeAlias = CallModel | CallTool | StartChild | AskAgain | Shorten | Finish


def next_acts(run: Run) -> tuple[Want, ...]:
    """What the run wants now; empty while it can only wait for what is in flight."""
    if run.ended:
        return ()
    if run.stopping:
        stopping = run.stopping
        return () if run.in_flight else (Finish(stopping.status, stopping.why),)
    if run.is_group:
        return _next_of_group(run)
    if run.pending:
        return _next_calls(run)
    if run.in_flight:
        return ()
    if run.overrun:
        return (Finish(Status.BUDGET_EXCEEDED, run.overrun),)
    if run.last is not None and run.last.fault:
        return (_after_fault(run, run.last),)
    answer = run.items[-1] if run.items else None
    if isinstance(answer, Answer):
        return (_after_answer(run, answer),)
    return (_next_turn(run),)


def _next_of_group(run: Run) -> tuple[Want, ...]:
    # Children begin in the order asked, so that the n-th that began is the n-th that was asked for.
    begun = {begun.run for begun in run.in_flight}
    waiting = {
        index
        for index, child in enumerate(run.children)
        if child.status is None and child.run not in begun
    }
    due = tuple(
        StartChild(index, spec)
        for index, spec in enumerate(run.started.children)
        if index in waiting or index >= len(run.children)
    )
    if due or run.in_flight:
        return due
    statuses = [child.status or Status.FAILED for child in run.children]
    worst = next((status for status in PRECEDENCE if status in statuses), Status.COMPLETED)
    n = sum(status is Status.COMPLETED for status in statuses)
    reason = "" if worst is Status.COMPLETED else f"{n} of {len(statuses)} completed"
    return (Finish(worst, reason),)


PRECEDENCE = (
    Status.CANCELLED,
    Status.FAILED,
    Status.BUDGET_EXCEEDED,
    Status.DEADLINE_EXCEEDED,
)
"""Of several ends, the first of these is what they come to together."""


def _next_calls(run: Run) -> tuple[Want, ...]:
    """Calls that may begin now. Calls begin in asked order; a write waits for what was asked
    before it, and what was asked after it waits for the write.
    """
    wants: list[Want] = []
    n_children = sum(begun.what == "child" for begun in run.in_flight)
    limit = run.started.max_children
    for index, pending in enumerate(run.pending):
        if pending.act is not None or pending.reply is not None:
            if pending.reply is None and _writes(run, pending.act):
                break
            continue
        name = pending.call.name
        if name in WRITERS and any(earlier.reply is None for earlier in run.pending[:index]):
            break
        if name == "delegate":
            n_children += 1
            if limit and n_children > limit:  # where none may be, it is refused
                break
        wants.append(CallTool(pending.call))
        if name in WRITERS:
            break
    return tuple(wants)


WRITERS = frozenset({"write_file", "apply_patch", "shell"})
"""Tools that calls after them may depend on."""


def _writes(run: Run, act: int | None) -> bool:
    begun = next((begun for begun in run.in_flight if begun.act == act), None)
    return begun is not None and (
        begun.effect in (Effect.FILE_WRITE, Effect.OTHER) and begun.what == "tool"
    )


def _after_fault(run: Run, last: Answered) -> Want:
    if last.fault == "ContextTooLong" and "compacted" not in run.asked:
        return Shorten()
    if last.fault == "CutStream" and run.n_cut_streams <= run.started.stream_retries:
        return CallModel()
    return Finish(Status.FAILED, last.message, last.help)


def _next_turn(run: Run) -> Want:
    """Ask the model, unless it is stuck; where its turns are limited, tell it of the last one, and
    end after it.
    """
    n = n_repeats(run.turns)
    if run.n_unmade >= MAX_UNMADE:
        return Finish(
            Status.FAILED,
            f"no call could be made in {run.n_unmade} answers; the last: {_last_reply(run)}",
            "try another model (-m PROVIDER/MODEL), or grant its agent what it asked for",
        )
    if n >= MAX_REPEATS:
        return Finish(
            Status.FAILED,
            f"the model made the same call {n} times with the same result: {_last_call(run)}",
            "try another model (-m PROVIDER/MODEL), or say more in --goal",
        )
    if n >= REPEATS_TOLD and "repeats" not in run.asked:
        return AskAgain("repeats", STOP_REPEATING)
    limit = run.started.max_turns
    if limit is None:
        return CallModel()
    if _n_turns(run) >= limit:
        return Finish(
            Status.FAILED,
            f"its limit of {limit} turns is reached, and it was not done",
            "raise `maxTurns` (`max_turns`) in its file, or give it a smaller goal",
        )
    if _n_turns(run) == limit - 1 and "turns" not in run.asked:
        return AskAgain("turns", LAST_TURN)
    return CallModel()


STOP_REPEATING = (
    "You made the same calls again and again, and their results were the same each time; they will "
    "not change. Do something else, or give the last answer now."
)
LAST_TURN = "This is your last turn: give the last answer now, and call no tool."


def _last_reply(run: Run) -> str:
    """What the last call came to, in a line."""
    replies = (item for item in reversed(run.items) if isinstance(item, ToolReply))
    return next((quoted(reply.text) for reply in replies), "")


def _last_call(run: Run) -> str:
    """The last answer's first call, in a line."""
    answers = (item for item in reversed(run.items) if isinstance(item, Answer))
    return next((quoted(call_named(answer.calls[0])) for answer in answers if answer.calls), "")


def _n_turns(run: Run) -> int:
    return sum(isinstance(item, Answer) for item in run.items)


def _after_answer(run: Run, answer: Answer) -> Want:
    if answer.stop is Stop.REFUSED:
        return Finish(Status.FAILED, f"the model refused: {answer.text.strip()}")
    if answer.stop is Stop.MAX_OUTPUT:
        if run.n_cut_answers > MAX_CUT_ANSWERS:
            return Finish(
                Status.FAILED,
                "the model's answers keep running into the output cap",
                "give it a smaller goal, or try another model (-m PROVIDER/MODEL)",
            )
        return AskAgain(
            "cut",
            "Your answer was cut at the output limit. Go on from there, more briefly.",
        )
    wanted: list[str] = []
    result, schema = parse_result(answer.text), run.started.data_schema
    if "result" not in run.asked and result is None:
        wanted.append("Give your last answer once more, as the JSON object that was asked for.")
    if "result" not in run.asked and result and schema and (wrong := misfit(result.data, schema)):
        wanted.append(f"In your last answer {wrong}. Give the answer once more, whole and right.")
    absent = missing(run.started.artifacts, run.wrote)
    if "result" not in run.asked and absent and can_write(run):
        wanted.append(f"These declared artifacts are not written yet: {', '.join(absent)}. "
                      "Write them, then give the last answer.")  # fmt: skip
    has_turns = run.started.max_turns is None or _n_turns(run) < run.started.max_turns
    if wanted and has_turns and not run.lightweight:
        return AskAgain("result", " ".join(wanted))
    if says_nothing(answer.text) and not run.findings and not run.wrote:
        return Finish(
            Status.FAILED,
            "the model answered nothing and did nothing",
            "try another model (-m PROVIDER/MODEL), or say more in --goal",
        )
    return Finish(Status.COMPLETED)


def can_write(run: Run) -> bool:
    """Whether the run was offered a tool that writes files."""
    return any(tool["name"] in WRITERS for tool in run.started.tools)


def result_of(run: Run) -> Result | None:
    """The structured result in the last answer that has one."""
    for item in reversed(run.items):
        if isinstance(item, Answer) and (result := parse_result(item.text)) is not None:
            return result
    return None


def last_text(run: Run) -> str:
    """The last thing that the model said in words."""
    texts = (item.text for item in reversed(run.items) if isinstance(item, Answer))
    return next((text.strip() for text in texts if text.strip()), "")
