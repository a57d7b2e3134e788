"""Brackets and braces up to a place: what is open there, and what has been said in it.

YAML's flow style and TOML's arrays and inline tables, as far as they are alike; half a text is the
usual case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from codexd.agents.sheet import KeyPath


@dataclass(slots=True)
class _Open:
    is_map: bool
    key: str | None = None
    """Of a map: the key whose value comes next."""
    said: list[str] = field(default_factory=list[str])
    """Keys of a map, items of a list."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Where a text ends that began with a bracket."""

    path: KeyPath
    """What holds the place, from the bracket's own value on; `0` is any item."""
    is_key: bool
    """A key of a map is wanted, not a value."""
    said: tuple[str, ...]
    """The keys, or items, before it."""
    word: str
    """What stands of the thing itself, a quote that is open left out."""
    quote: str
    """The open quote, or empty."""


def flow(text: str, sign: str) -> Flow | None:
    """What is open at the end of `text`, whose maps have `sign` (`:` or `=`) after a key; `None`:
    all is closed, or a comment.
    """
    found = _scan(text, sign)
    return found if isinstance(found, Flow) else None


def closed_at(text: str, sign: str) -> int:
    """The offset behind the bracket that closes the first one; -1: it is not closed."""
    found = _scan(text, sign)
    return found if isinstance(found, int) else -1


def _scan(text: str, sign: str) -> Flow | int | None:
    """What is open at the end, else where all is closed; `None`: a comment."""
    stack: list[_Open] = []
    word, at = "", 0
    while at < len(text):
        char = text[at]
        if char in "\"'" and not word.strip():
            end = _closing(text, at)
            if end < 0:
                return _end(stack, text[at + 1 :], char)
            word, at = text[at + 1 : end], end
        elif char in "[{":
            stack.append(_Open(is_map=char == "{"))
            word = ""
        elif char in "]}":
            if stack:
                stack.pop()
            if not stack:
                return at + 1
            word = ""
        elif char == ",":
            _next(stack, word)
            word = ""
        elif char == sign and stack and stack[-1].is_map and stack[-1].key is None:
            stack[-1].key = word.strip()
            stack[-1].said.append(word.strip())
            word = ""
        elif char == "#" and (at == 0 or text[at - 1].isspace()):
            end = text.find("\n", at)
            if end < 0:
                return None
            at = end
        else:
            word += char
        at += 1
    return _end(stack, word.lstrip(), "")


def _closing(text: str, at: int) -> int:
    """Where the quote at `at` is closed; -1: it is not, in this line."""
    quote, n = text[at], at + 1
    while n < len(text) and text[n] != "\n":
        if text[n] == "\\" and quote == '"':
            n += 1
        elif text[n] == quote:
            return n
        n += 1
    return -1


def _next(stack: list[_Open], word: str) -> None:
    if not stack:
        return
    if stack[-1].is_map:
        stack[-1].key = None
    else:
        stack[-1].said.append(word.strip())


def _end(stack: list[_Open], word: str, quote: str) -> Flow | None:
    if not stack:
        return None
    path: list[str | int] = []
    for each in stack:
        if not each.is_map:
            path.append(0)
        elif each.key is not None:
            path.append(each.key)
    last = stack[-1]
    is_key = last.is_map and last.key is None
    return Flow(tuple(path), is_key, tuple(last.said), word, quote)
