"""Every fault, turned into an exit status and a sentence: the one place where that is decided."""

from __future__ import annotations

from codexd.cli.text import Text, sentence
from codexd.errors import (
    BadConfig,
    BadDefinition,
    BadRequest,
    BudgetExceeded,
    CodexdError,
    Denied,
    UnknownAgent,
    UnknownRun,
    leaves,
)

COMPLETED, FAILED, USAGE, BUDGET, DEADLINE, DENIED, CANCELLED = 0, 1, 2, 3, 4, 5, 130

_STATUS: tuple[tuple[type[CodexdError], int], ...] = (
    (Denied, DENIED),
    (BadRequest, USAGE),
    (UnknownAgent, USAGE),
    (BadConfig, USAGE),
    (BadDefinition, USAGE),
    (UnknownRun, USAGE),
    (BudgetExceeded, BUDGET),
)


class Misuse(BadRequest):
    """A command line that cannot be used: the catalogue's sentence `misuse.KEY`, with its data."""

    def __init__(self, key: str, **data: object) -> None:
        super().__init__(sentence(f"misuse.{key}", "en", data), help=_help(key, "en", data))
        self.key, self.data = key, data


def _help(key: str, lang: str, data: dict[str, object]) -> str:
    """The remedy of a misuse: `misuse.KEY.near` where a nearest name is known, else `.help`."""
    if data.get("nearest"):
        return sentence(f"misuse.{key}.near", lang, data)
    return sentence(f"misuse.{key}.help", lang, data, absent="")


def status_of(fault: BaseException) -> int:
    """The exit status that tells scripts what went wrong."""
    return next((status for kind, status in _STATUS if isinstance(fault, kind)), FAILED)


def foreseen(fault: BaseException) -> CodexdError | None:
    """The fault that people are told about, also out of a task group's; `None`: a crash."""
    return next((leaf for leaf in leaves(fault) if isinstance(leaf, CodexdError)), None)


def message_of(fault: CodexdError, text: Text) -> tuple[str, str]:
    """(what went wrong, what to do)."""
    match fault:
        case Misuse():
            return (
                sentence(f"misuse.{fault.key}", text.lang, fault.data),
                _help(fault.key, text.lang, fault.data),
            )
        case UnknownAgent():
            key = "unknown-agent.near" if fault.nearest else "unknown-agent.help"
            return (
                text("unknown-agent", name=fault.name),
                text(key, nearest=fault.nearest, n=fault.n_agents),
            )
        case _:
            return text.told(str(fault)), text.told(fault.help)


def lines_of(fault: CodexdError, text: Text) -> list[str]:
    """What stderr says of `fault`."""
    message, help = message_of(fault, text)
    first, second = text("error"), text("help")
    lines = [f"{first} {message}"]
    if isinstance(fault, BadDefinition):
        lines += [f"  {diagnostic}" for diagnostic in fault.diagnostics]
    if help:
        lines.append(f"{second} {help}")
    return lines
