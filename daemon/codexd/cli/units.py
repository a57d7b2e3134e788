"""Numbers and lengths of time, read from a command line and written for people."""

from __future__ import annotations

from datetime import datetime

from codexd.cli.faults import Misuse
from codexd.cli.text import Text

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MOST = 1_000_000_000_000
"""Of tokens, dollars, seconds or rows: more is a slip of the hand, and no store could count it."""


def read_tokens(name: str, value: str, *, separators: str = "_,") -> int:
    """`5000`, `5_000`, `5,000`: a whole number, 0 or more."""
    digits = value.strip()
    # A separator stands between digits, or it is a slip of the hand.
    parts = digits.replace(",", "_").split("_") if "," in separators else digits.split("_")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise Misuse("not-tokens", name=name, value=value)
    return _whole(name, "".join(parts))


def read_dollars(name: str, value: str) -> float:
    """`0.50`: an amount, 0 or more."""
    digits = value.strip().removeprefix("$")
    whole, _, rest = digits.partition(".")
    if not (whole + rest).isdecimal() or not (whole + rest).isascii():
        raise Misuse("not-dollars", name=name, value=value)
    return _bounded(name, float(digits))


def read_count(name: str, value: str) -> int:
    """A number above zero."""
    if not (value.isascii() and value.isdigit() and value.strip("0")):
        raise Misuse("not-count", name=name, value=value)
    return _whole(name, value)


def read_seconds(name: str, value: str) -> float:
    """`90s`, `5m`, `1h`; a bare number is minutes."""
    digits, unit = value.strip(), "m"
    if digits[-1:] in _SECONDS:
        digits, unit = digits[:-1], digits[-1]
    whole, _, rest = digits.partition(".")
    seconds = 0.0
    if (whole + rest).isascii() and (whole + rest).isdigit():
        seconds = float(digits) * _SECONDS[unit]
    if seconds <= 0:
        raise Misuse("not-time", name=name, value=value)
    return _bounded(name, seconds)


def _whole(name: str, digits: str) -> int:
    _bounded(name, float(digits))
    # Python refuses to read a number of thousands of digits, zeros before it among them.
    return int(digits.lstrip("0") or "0")


def _bounded(name: str, n: float) -> float:
    if n > _MOST:
        raise Misuse("too-large", name=name, most=number(_MOST))
    return n


def length(seconds: float) -> str:
    """The shortest spelling that a command line takes: `30m`, `90s`, `1h`."""
    for unit in ("h", "m"):
        if seconds % _SECONDS[unit] == 0 and seconds >= _SECONDS[unit]:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"


def duration(seconds: float, text: Text, *, coarse: bool = False) -> str:
    """`1.1 s`, `12 s`, `2 min 5 s`, `1 h 2 min`; whole seconds where `coarse`."""
    if seconds < 9.95 and not coarse:
        return text("seconds", n=f"{seconds:.1f}")
    whole = int(seconds) if coarse else round(seconds)
    if whole < 60:
        return text("seconds", n=whole)
    if whole < 3600:
        return text("minutes", minutes=whole // 60, seconds=whole % 60)
    return text("hours", hours=whole // 3600, minutes=whole % 3600 // 60)


def age(at: str, now: datetime, text: Text) -> str:
    """How long ago the RFC 3339 instant `at` was, in its largest unit."""
    seconds = max(0, int((now - datetime.fromisoformat(at)).total_seconds()))
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return text(f"ago.{unit}", n=seconds // size)
    return text("ago.seconds", n=seconds)


def number(n: int) -> str:
    """`40,000`."""
    return f"{n:,}"


def dollars(usd: float) -> str:
    """`$0.05`; smaller amounts with the digits that show them."""
    return f"${usd:,.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.4f}"
