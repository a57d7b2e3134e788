"""Whether a model is stuck: in the same calls again and again, or in calls that cannot be made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from codexd.models import ToolCall, ToolReply

MAX_UNMADE = 5
"""So many answers in a row may hold nothing but calls that cannot be made."""
REPEATS_TOLD = 3
"""So many times the same with the same results, and the model is told."""
MAX_REPEATS = 5
"""So many times, and the run ends."""
LONGEST_CIRCLE = 3
"""How many answers a circle may have: read, search, read, search is one of two."""
KEPT_TURNS = LONGEST_CIRCLE * MAX_REPEATS
LONGEST_QUOTE = 300
"""Characters of a fault, or of a call, in a sentence for people."""

_TOOK = re.compile(r"; \d+\.\d s;")
"""How long a program took, in the last line of its result: never twice the same."""


def turn_digest(turns: Iterable[tuple[ToolCall, ToolReply]]) -> str:
    """What an answer's calls were, and what came of them; their ids are left out."""
    said = [
        (call.name, call.arguments, _TOOK.sub("", reply.text), reply.is_error)
        for call, reply in turns
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def n_repeats(turns: Sequence[str]) -> int:
    """How often the newest turns stand there in a row, alone or as a circle; 1: once."""
    return max(
        (_n_blocks(turns, size) for size in range(1, LONGEST_CIRCLE + 1) if size <= len(turns)),
        default=0,
    )


def _n_blocks(turns: Sequence[str], size: int) -> int:
    last = turns[-size:]
    n = 1
    while turns[-size * (n + 1) : -size * n] == last:
        n += 1
    return n


def call_named(call: ToolCall) -> str:
    """A call for people: `read_file a.txt`."""
    return f"{call.name} {subject_of(call.arguments)}".strip()


def subject_of(arguments: str) -> str:
    """What a tool call is about, for people: the first of its arguments."""
    try:
        values: dict[str, Any] = json.loads(arguments)
        return str(next(iter(values.values()), ""))[:200]
    except (ValueError, AttributeError, RecursionError):
        return ""


def quoted(text: str) -> str:
    """The first line of `text`, short enough for a sentence."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"
