"""An agent file as its dialect reads it: values, where each stands, and the remarks on it.

What is wrong is remarked on and read over, so that one look names every fault of a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, cast

from codexd.agents.keys import DECIDING, HOMES, names_at
from codexd.errors import Diagnostic, Severity, Source
from codexd.policy import Grant

KeyPath: TypeAlias = tuple[str | int, ...]
Span: TypeAlias = tuple[int, int, int, int]
"""Line, column, end line, end column: from 1, in code points, the end exclusive."""

WHOLE: Span = (1, 1, 1, 1)


class Sheet:
    """A mapping of a file, typed access to it by key path, and the remarks made meanwhile.

    Each accessor returns `None` (or nothing) for what is absent, null, or remarked on.
    """

    def __init__(
        self,
        path: Path,
        value: dict[str, Any],
        keys: Mapping[KeyPath, Span],
        values: Mapping[KeyPath, Span],
        dialect: str,
    ) -> None:
        self.path, self.value, self.keys, self.values = path, value, keys, values
        self.dialect, self.homes = dialect, HOMES[dialect]
        self.file = str(path)
        self.remarks: list[Diagnostic] = []
        self.tool_words: dict[str, Grant] = {}
        """By canonical name: the word of the file that first names that tool."""

    def remarked(self) -> tuple[Diagnostic, ...]:
        """All remarks, from the top of the file down."""
        return tuple(sorted(self.remarks, key=lambda remark: (remark.line, remark.column)))

    # --- remarks ----------------------------------------------------------------------------

    @property
    def is_broken(self) -> bool:
        """Whether an error was remarked on."""
        return any(remark.severity is Severity.ERROR for remark in self.remarks)

    def error(
        self, at: KeyPath, message: str, *, nearest: str = "", code: str = "bad-value"
    ) -> None:
        """Remark on the value at `at`; the file stays out of service."""
        self.remark(Severity.ERROR, at, message, nearest=nearest, code=code)

    def warning(self, at: KeyPath, message: str, *, nearest: str = "", code: str = "") -> None:
        """Remark on the value at `at`: probably not what its author means."""
        self.remark(Severity.WARNING, at, message, nearest=nearest, code=code)

    def information(self, at: KeyPath, message: str, *, code: str = "") -> None:
        """Remark on the value at `at`: what becomes of it."""
        self.remark(Severity.INFORMATION, at, message, code=code)

    def remark(
        self,
        severity: Severity,
        at: KeyPath,
        message: str,
        *,
        nearest: str = "",
        code: str = "",
        span: Span | None = None,
    ) -> None:
        """Remark on `span`, else on the value at `at`."""
        line, column, end_line, end_column = span or self.span(at)
        key = ".".join(map(str, at))
        self.remarks.append(
            Diagnostic(
                self.path, line, column, end_line, end_column, severity, message, key, nearest, code
            )
        )

    def remark_on(
        self, grant: Grant, severity: Severity, message: str, *, nearest: str = "", code: str = ""
    ) -> None:
        """Remark on an item of a list, where it stands."""
        line, column = grant.source.line, grant.source.column
        at, span = self.spots.get((line, column)) or ((), (line, column, line, column + 1))
        self.remark(severity, at, message, nearest=nearest, code=code, span=span)

    @cached_property
    def spots(self) -> dict[tuple[int, int], tuple[KeyPath, Span]]:
        """What a grant may stand at, by line and column: keys, items, and words of a text."""
        return {span[:2]: (at, self.span(at)) for at, span in reversed([*self.keys.items()])}

    def span(self, at: KeyPath) -> Span:
        """Where the value at `at` stands, else its key, else what holds it."""
        while at:
            span = self.values.get(at) or self.keys.get(at)
            if span is not None:
                return span
            at = at[:-1]
        return WHOLE

    def source(self, at: KeyPath) -> Source:
        """Where the key or item at `at` stands, as grants name it."""
        while at:
            span = self.keys.get(at) or self.values.get(at)
            if span is not None:
                return Source(self.file, span[0], span[1])
            at = at[:-1]
        return Source(self.file)

    # --- values -----------------------------------------------------------------------------

    def get(self, at: KeyPath) -> Any:
        """Whatever is at `at`; `None` where nothing is."""
        value: Any = self.value
        for step in at:
            if isinstance(value, dict):
                value = cast("dict[Any, Any]", value).get(step)
            elif isinstance(value, list) and isinstance(step, int):
                value = cast("list[Any]", value)[step]
            else:
                return None
        return value

    def text(self, *at: str | int) -> str:
        """The text at `at`, as written; empty where there is none."""
        value = self.get(at)
        if isinstance(value, str):
            return value
        if value is not None:
            self.error(at, f"a text was expected, not {kind(value)}{_quoting(value)}")
        return ""

    def texts(self, *at: str | int) -> tuple[Grant, ...] | None:
        """The texts in the list at `at`, each with its place; `None` where there is no list."""
        items = self.items(*at)
        if items is None:
            return None
        found: list[Grant] = []
        for n, item in enumerate(items):
            if isinstance(item, str) and item.strip():
                found.append(Grant(item, self.source((*at, n))))
            else:
                self.error((*at, n), f"a text was expected, not {kind(item)}{_quoting(item)}")
        return tuple(found)

    def items(self, *at: str | int) -> list[Any] | None:
        """The list at `at`."""
        value = self.get(at)
        if value is None or isinstance(value, list):
            return cast("list[Any] | None", value)
        self.error(at, f"a list was expected, not {kind(value)}; write `[…]` or lines with `- `")
        return None

    def mapping(self, *at: str | int) -> dict[str, Any]:
        """The mapping at `at`; an empty one where there is none."""
        value = self.get(at)
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        if value is not None:
            self.error(at, f"keys and values were expected, not {kind(value)}")
        return {}

    def flag(self, *at: str | int) -> bool | None:
        """The truth value at `at`."""
        value = self.get(at)
        if value is None or isinstance(value, bool):
            return value
        self.error(at, f"`true` or `false` was expected, not {kind(value)}")
        return None

    def whole(self, *at: str | int, least: int = 0) -> int | None:
        """The whole number at `at`."""
        value = self.get(at)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 53:
            return value
        self.error(at, f"a whole number, {least} or more, was expected, not {kind(value)}")
        return None

    def number(
        self, *at: str | int, above: float | None = None, least: float = 0, most: float = math.inf
    ) -> float | None:
        """The number at `at`, more than `above` where it is given, else `least` to `most`."""
        value = self.get(at)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            # `nan` passes no comparison; a whole number may be larger than any float.
            low = value >= least if above is None else value > above
            if low and value <= most and value < 1e15:
                return float(value)
        limit = f"more than {above:g}" if above is not None else f"{least:g} to {most:g}"
        self.error(at, f"a number, {limit}, was expected, not {kind(value)}")
        return None

    def choice(self, words: Iterable[str], *at: str | int) -> str:
        """The word at `at`, one of `words`; empty where there is none."""
        value, words = self.text(*at).strip(), tuple(words)
        if not value or value in words:
            return value
        self.error(
            at,
            f"one of {', '.join(words)} was expected, not `{value}`",
            nearest=nearest(value, words),
        )
        return ""

    # --- keys -------------------------------------------------------------------------------

    def unknown(self, *at: str | int) -> list[str]:
        """The keys at `at` that are near to nothing known, in order; others are remarked on."""
        mapping, known = self.get(at), names_at(self.dialect, *at)
        if not isinstance(mapping, dict):
            return []
        keys = cast("dict[str, Any]", mapping)
        return [key for key in keys if key not in known and not self._is_slip(key, known, at)]

    def only(self, *at: str | int) -> None:
        """Remark on every key at `at` that is not known there."""
        for key in self.unknown(*at):
            here = ".".join(map(str, at))
            self.remark(
                Severity.WARNING,
                (*at, key),
                f"unknown key `{key}` in `{here}`; it has no effect",
                code="unknown-key",
                span=self.keys.get((*at, key)),
            )

    def _is_slip(self, key: str, known: Iterable[str], at: KeyPath) -> bool:
        """Whether `key` was remarked on as a known one misspelled or in the wrong place."""
        # Short keys of other places are compared as they are: `writer` is no slip of `write`.
        away = key if key in self.homes else nearest(key, [k for k in self.homes if len(k) > 5])
        if near := "" if away == key else nearest(key, known):
            severity = Severity.ERROR if near in DECIDING else Severity.WARNING
            message = f"unknown key `{key}`"
        elif away:
            severity, near = Severity.ERROR, self.homes[away]
            message = f"`{key}` has no meaning here, and what it limits would not be limited"
        else:
            return False
        span = self.keys.get((*at, key))
        self.remark(severity, (*at, key), message, nearest=near, code="unknown-key", span=span)
        return True


def kind(value: object) -> str:
    """What a value is, for people."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value if len(str(value)) < 40 else 'there'}"
        case str():
            return f"the text `{value if len(value) <= 40 else value[:39] + '…'}`"
        case list():
            return "a list"
        case dict():
            return "keys and values"
        case _:
            return f"`{value}`"


def _quoting(value: object) -> str:
    return "" if isinstance(value, list) else "; put it in quotes if it is meant as a text"


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that `word` is probably meant to be; empty where none is near."""
    # Imported late: most files have no slip, and difflib costs the start of every command.
    import difflib

    plain = {_plain(each): each for each in known}
    if (same := plain.get(_plain(word))) is not None:
        return same
    close = difflib.get_close_matches(_plain(word), plain, 1, 0.8)
    # Two letters that changed places (`raed`) weigh too much in a short word.
    letters = sorted(_plain(word))
    swapped = (each for each in plain if sorted(each) == letters)
    found = close[0] if close else next(swapped, "") if len(letters) > 2 else ""
    return plain.get(found, "")


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
