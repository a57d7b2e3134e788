"""What can go wrong, as one tree; and `Diagnostic`, for input that is wrong but was read on.

CodexdError
├── Rejected            the caller may not have this; asking again will not help
│   ├── UnknownAgent
│   ├── UnknownRun
│   ├── BadDefinition   an agent file with an error, and no good version of it
│   ├── BadConfig       a configuration file, flag or variable that cannot be used
│   ├── BadRequest      a parameter of a verb that does not fit (usage)
│   ├── Denied          the policy, or the user, says no
│   ├── Refused         the daemon does not let this client in
│   └── NeedsModel      rules cannot serve this; a language model is needed
├── IllegalMove         something was asked to do what its state does not allow
├── BudgetExceeded      nothing is left to reserve
├── ToolFault           a tool's foreseen fault, told to the model
├── ModelFault          a model call that gave no answer
│   ├── RateLimited     429
│   ├── Overloaded      5xx
│   ├── Unreachable     no connection: refused, DNS, TLS, silence
│   ├── ContextTooLong
│   ├── AuthFailed      401, 403, or no key
│   ├── RequestRefused  any other 4xx
│   │   └── UnknownModel    the provider has no model of that id
│   └── CutStream       a stream that began and broke, or made no sense
└── Unavailable         store or disk did not answer; asking again may help
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast


class CodexdError(Exception):
    """A foreseen fault. `str()` says what and where; `help` says what to do about it."""

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def leaves(fault: BaseException) -> Iterator[BaseException]:
    """`fault`, or what a group of faults is made of."""
    if isinstance(fault, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", fault).exceptions:
            yield from leaves(part)
    else:
        yield fault


class Rejected(CodexdError):
    """The caller may not have this; asking again will not help."""


class UnknownAgent(Rejected):
    """No definition goes by that name."""

    def __init__(self, name: str, nearest: str | None, n_agents: int) -> None:
        shown = f"`codexd agents list` shows all {n_agents}"
        super().__init__(
            f"no agent named `{name}`",
            help=f"`{nearest}` is the nearest; {shown}" if nearest else shown,
        )
        self.name, self.nearest, self.n_agents = name, nearest, n_agents


class UnknownRun(Rejected):
    """No run of this workspace has that id, or several ids begin so."""


class BadDefinition(Rejected):
    """An agent file has errors and no good version of it is known; `diagnostics` are they."""

    def __init__(
        self, message: str, diagnostics: tuple[Diagnostic, ...], *, help: str = ""
    ) -> None:
        super().__init__(message, help=help)
        self.diagnostics = diagnostics


class BadConfig(Rejected):
    """A configuration file, flag or variable that cannot be used."""


class BadRequest(Rejected):
    """A parameter of a verb does not fit; the message names it."""


class Denied(Rejected):
    """The policy, or the user, says no."""


class Refused(Rejected):
    """The daemon does not let this client in; `kind` is the handshake's word for why."""

    def __init__(self, kind: str, message: str, *, help: str | None = None) -> None:
        super().__init__(message, help=help or "")
        self.kind = kind


class NeedsModel(Rejected):
    """Rules cannot serve this; a language model is needed."""


class IllegalMove(CodexdError):
    """Something was asked to do what its state does not allow."""


class BudgetExceeded(CodexdError):
    """Nothing is left to reserve."""


class ToolFault(CodexdError):
    """A tool's foreseen fault: told to the model, which may do better next time."""


class ModelFault(CodexdError):
    """A model call that gave no answer.

    `billed` is `False` where the provider certainly counted nothing (it refused with a status,
    or no connection was made), and `True` where it may have: then the call is settled at its
    full reservation, as uncertain.
    """

    def __init__(self, message: str, *, help: str = "", billed: bool = False) -> None:
        super().__init__(message, help=help)
        self.billed = billed


class RateLimited(ModelFault):
    """429, and the retries are used up."""


class Overloaded(ModelFault):
    """500, 502, 503, 529, and the retries are used up."""


class Unreachable(ModelFault):
    """No connection (refused, DNS, TLS), or silence before the first byte."""


class ContextTooLong(ModelFault):
    """The request is larger than the model's window."""


class AuthFailed(ModelFault):
    """401 or 403, or the key's variable is not set."""


class RequestRefused(ModelFault):
    """Any other 4xx."""


class UnknownModel(RequestRefused):
    """The provider has no model of that id, or not for this key."""


class CutStream(ModelFault):
    """A stream that began and then broke, fell silent, or made no sense."""

    def __init__(self, message: str, *, help: str = "ask again", billed: bool = False) -> None:
        super().__init__(message, help=help, billed=billed)


class Unavailable(CodexdError):
    """The store or the disk did not answer; asking again may help, unless it is `lasting`."""

    def __init__(self, message: str, *, help: str = "", lasting: bool = False) -> None:
        super().__init__(message, help=help)
        self.lasting = lasting


class Severity(StrEnum):
    """LSP's four; an `ERROR` in an agent file keeps it out of service."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was said: `file` and the line and column (1-based, code points).

    `file` is a path, or a name in angle brackets (`<command line>`, `<built in>`).
    """

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return self.file if self.file.startswith("<") else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One remark about a file that a user wrote: an agent file, a configuration file."""

    path: Path
    line: int
    """1-based."""
    column: int
    """1-based, in code points."""
    end_line: int
    end_column: int
    """One past the last code point."""
    severity: Severity
    message: str
    """What is wrong, what was expected."""
    key: str = ""
    """The dotted key, `policies.context.max_tokens`; empty where there is none."""
    nearest: str = ""
    """The nearest known key or value, for a fix; empty where none is near."""
    code: str = ""
    """A stable name for the kind of remark, `unknown-key`."""

    def __str__(self) -> str:
        nearest = f"; nearest `{self.nearest}`" if self.nearest else ""
        return f"{self.path}:{self.line}:{self.column}: {self.severity}: {self.message}{nearest}"


def as_data(fault: CodexdError) -> dict[str, object]:
    """`fault` as plain values, for another process: `from_data` makes the same of them."""
    data: dict[str, object] = {"type": type(fault).__name__, "help": fault.help}
    if isinstance(fault, UnknownAgent):
        data |= {"name": fault.name, "nearest": fault.nearest, "n_agents": fault.n_agents}
    if isinstance(fault, BadDefinition):
        data["diagnostics"] = [
            asdict(each) | {"path": str(each.path)} for each in fault.diagnostics
        ]
    return data


def from_data(message: str, data: Mapping[str, Any]) -> CodexdError:
    """The fault that another process told of; of a kind not known here, `CodexdError`."""
    kind, help = globals().get(str(data.get("type"))), str(data.get("help", ""))
    if kind is UnknownAgent:
        return UnknownAgent(data["name"], data["nearest"], data["n_agents"])
    if kind is BadDefinition:
        rows: list[dict[str, Any]] = data["diagnostics"]
        diagnostics = [_diagnostic(row) for row in rows]
        return BadDefinition(message, tuple(diagnostics), help=help)
    if isinstance(kind, type) and issubclass(kind, CodexdError):
        return kind(message, help=help)
    return CodexdError(message, help=help)


def _diagnostic(row: dict[str, Any]) -> Diagnostic:
    own: dict[str, Any] = {"path": Path(row["path"]), "severity": Severity(row["severity"])}
    return Diagnostic(**{**row, **own})
