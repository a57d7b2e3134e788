"""What is wanted at a place of an agent file that is being typed: found by lines and indentation
alone, since such a text seldom parses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from codexd.agents.sheet import KeyPath
from codexd.lsp.agentfiles.flow import closed_at, flow

_KEY = re.compile(r"""(["']?)([^"':#,\[\]{}]+)\1\s*:(?:(\s+)(.*)|$)""", re.DOTALL)
_DASHES = re.compile(r"( *)((?:- +)*)")
_BLOCK = re.compile(r"[|>][-+0-9]*\s*(?:#.*)?")
_COMMENT = re.compile(r"(?:^|\s)#")
_TOML_HEADER = re.compile(r"\s*(\[\[?)([^\]#]*)")
_PLAIN_KEY = re.compile(r"[\w-]+\s*=")
_TOML_KEY = re.compile(r"""\s*([\w."'-]+)\s*=\s*""")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is wanted at a place."""

    path: KeyPath
    """Of a key: what it would stand in. Of a value: its own, in which `0` is any item."""
    is_key: bool
    is_value: bool
    """An item of a block list may be both: a value, or the first key of a mapping."""
    word: str
    """What stands of it before the place."""
    said: frozenset[str] = frozenset()
    """The keys, or items, that stand beside it."""
    quote: str = ""
    """The quote that is open before `word`."""
    glued: bool = False
    """It follows a colon without a blank."""
    in_flow: bool = False


# --- YAML -------------------------------------------------------------------------------------


def yaml_cursor(lines: Sequence[str], row: int, column: int) -> Cursor | None:
    """What is wanted at `column` of line `row` (from 0); `None`: nothing that can be named."""
    before = lines[row][:column]
    dashes = _DASHES.match(before)
    assert dashes is not None  # it matches the empty text
    start = dashes.end()
    above = _above(lines, row, len(dashes[1]), dashes[2], start)
    if above is None:
        return None
    path, opened = above
    rest = before[start:]
    if opened is not None:
        text = "\n".join([opened[1], *lines[opened[0] + 1 : row], before])
        found = _in_flow(text, path, ":", lines[row][column:])
        if found is not None:
            return found
    if _COMMENT.search(before):
        return None
    key = _KEY.fullmatch(rest)
    if key is None:
        return _bare(lines, row, start, path, rest, is_item=bool(dashes[2]))
    value, own = key[4] or "", (*path, key[2].strip())
    if value[:1] in ("[", "{"):
        return _in_flow(value, own, ":", lines[row][column:])
    if _BLOCK.fullmatch(value) or value[:1] in ("|", ">"):
        return None
    quote = value[:1] if value[:1] in ("'", '"') else ""
    word = value[len(quote) :]
    if quote and quote in word:
        return None
    return Cursor(own, False, True, word, quote=quote, glued=key[3] is None)


def _bare(
    lines: Sequence[str], row: int, start: int, path: KeyPath, rest: str, *, is_item: bool
) -> Cursor | None:
    """A place before which no colon stands: a key, or an item of a list."""
    if is_item and rest[:1] in ("[", "{"):
        return _in_flow(rest, path, ":", "")
    quote = rest[:1] if rest[:1] in ("'", '"') else ""
    said = _items(lines, row, start) if is_item else _keys(lines, row, path, start)
    return Cursor(path, True, is_item, rest[len(quote) :], said, quote)


def _in_flow(text: str, path: KeyPath, sign: str, after: str) -> Cursor | None:
    found = flow(text, sign)
    if found is None:
        return None
    said = {*found.said}
    rest = re.split(r"[\]}]", after, maxsplit=1)[0]
    later = (part.partition(sign)[0].strip(" \t\"'") for part in rest.split(",")[1:])
    said.update(part for part in later if part)
    return Cursor(
        (*path, *found.path), found.is_key, not found.is_key, found.word, frozenset(said),
        found.quote, in_flow=True,
    )  # fmt: skip


def _above(
    lines: Sequence[str], row: int, indent: int, dashes: str, start: int
) -> tuple[KeyPath, tuple[int, str] | None] | None:
    """The path of what holds a place, and where a bracket that may still be open begins (its
    line, and the text from it on); `None` within a block of text.
    """
    path: list[str | int] = []
    opened: tuple[int, str] | None = None
    # Keys stand above what they hold to the left of it; a list may stand right below its key.
    key_limit = dash_limit = start
    for n, char in reversed(list(enumerate(dashes, indent))):
        if char == "-":
            path.append(0)
            key_limit, dash_limit = n + 1, n
    for n in range(row - 1, -1, -1):
        line = lines[n]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        marks = _DASHES.match(line)
        assert marks is not None
        at = marks.end()
        key = _KEY.fullmatch(line[at:].rstrip()) if at < key_limit else None
        if key is not None:
            value = key[4] or ""
            if _BLOCK.fullmatch(value):
                return None
            if not path and not opened and value[:1] in ("[", "{"):
                opened = n, value
            path.append(key[2].strip())
            key_limit = dash_limit = at
        for mark, char in reversed(list(enumerate(marks[2], len(marks[1])))):
            if char == "-" and mark < dash_limit:
                path.append(0)
                key_limit, dash_limit = mark + 1, mark
        if key_limit == 0:
            break
    return tuple(reversed(path)), opened


def _keys(lines: Sequence[str], row: int, path: KeyPath, start: int) -> frozenset[str]:
    """The keys beside the one that is begun in line `row`, at `start` or where they stand."""
    inside = _block(lines, row, start, is_item=path[-1:] == (0,))
    found: dict[int, set[str]] = {}
    for n in inside:
        marks = _DASHES.match(lines[n])
        assert marks is not None
        key = _KEY.fullmatch(lines[n][marks.end() :].rstrip())
        if key is not None:
            found.setdefault(marks.end(), set()).add(key[2].strip())
    return frozenset(found[start] if start in found else found[min(found)] if found else ())


def _items(lines: Sequence[str], row: int, start: int) -> frozenset[str]:
    """The scalar items of the list that line `row` is in."""
    indent = len(lines[row]) - len(lines[row].lstrip())
    found: set[str] = set()
    for step in (-1, 1):
        n = row + step
        while 0 <= n < len(lines):
            line = lines[n]
            depth = len(line) - len(line.lstrip())
            if line.strip() and (depth < indent or (depth == indent and line[depth] != "-")):
                break
            if depth == indent and line.strip():
                found.add(line[depth + 1 :].strip(" \t\"'"))
            n += step
    return frozenset(found)


def _block(lines: Sequence[str], row: int, start: int, *, is_item: bool) -> list[int]:
    """The other lines of the mapping that line `row` is in, whose keys stand at `start`."""
    found: list[int] = []
    n = row - 1
    while n >= 0:
        line = lines[n]
        marks = _DASHES.match(line)
        assert marks is not None
        if line.strip() and not line.lstrip().startswith("#"):
            if marks.end() < start:
                break
            found.append(n)
            if is_item and marks[2] and len(marks[1]) < start <= marks.end():
                break
        n -= 1
    n = row + 1
    while n < len(lines):
        line = lines[n]
        depth = len(line) - len(line.lstrip())
        if line.strip() and not line.lstrip().startswith("#"):
            if depth < start:
                break
            found.append(n)
        n += 1
    return found


# --- TOML -------------------------------------------------------------------------------------


def toml_cursor(lines: Sequence[str], row: int, column: int) -> Cursor | None:
    """What is wanted at `column` of line `row` (from 0); `None`: nothing that can be named."""
    table: KeyPath = ()
    said: dict[KeyPath, set[str]] = {}
    found: Cursor | None = None
    n = 0
    while n < len(lines):
        line, first = lines[n], n
        here = line[:column] if n == row else None
        key = _TOML_KEY.match(line)
        header = None if key else _TOML_HEADER.match(line)
        n += 1
        if header is not None:
            table = _dotted(header[2])
            if len(header[1]) == 2:
                table = (*table, 0)
            said.setdefault((), set()).update(str(step) for step in table[:1])
        elif key is not None:
            own = _dotted(key[1]) or ("",)
            path = (*table, *own)
            n = _end_of_value(lines, first, line[key.end() :])
            if first <= row < n:
                found = _toml_value(lines, first, key, path, row, column)
            if not (first == row and column < key.end()):
                said.setdefault(table, set()).add(str(own[0]))
        elif here is not None and not _COMMENT.search(here) and re.fullmatch(r"\s*[\w-]*", here):
            found = Cursor(table, True, False, here.strip())
    if found is not None and found.is_key and not found.in_flow:
        return Cursor(found.path, True, False, found.word, frozenset(said.get(found.path, ())))
    return found


def _dotted(text: str) -> KeyPath:
    return tuple(part.strip().strip("\"'") for part in text.split(".") if part.strip())


def _end_of_value(lines: Sequence[str], first: int, value: str) -> int:
    """The line after the one in which a value, begun in line `first`, ends."""
    for quotes in ('"""', "'''"):
        if value.startswith(quotes):
            if quotes in value[3:]:
                return first + 1
            closing = (n for n in range(first + 1, len(lines)) if quotes in lines[n])
            return next(closing, len(lines) - 1) + 1
    if value[:1] in ("[", "{"):
        # What is never closed ends where the next key plainly begins.
        keys = (n for n in range(first + 1, len(lines)) if _PLAIN_KEY.match(lines[n]))
        limit = next(keys, len(lines))
        text = "\n".join([value, *lines[first + 1 : limit]])
        end = closed_at(text, "=")
        return first + 1 + text.count("\n", 0, end) if end >= 0 else limit
    return first + 1


def _toml_value(
    lines: Sequence[str], first: int, key: re.Match[str], path: KeyPath, row: int, column: int
) -> Cursor | None:
    if row == first and column <= key.end(1):
        word = lines[row][:column].strip()
        return Cursor(path[:-1], True, False, word) if "." not in word else None
    if row == first and column < key.end():
        return Cursor(path, False, True, "", glued=False) if "=" in key[0][:column] else None
    value = lines[first][key.end() : column if row == first else None]
    if value.startswith(('"""', "'''")):
        return None
    if value[:1] in ("[", "{"):
        text = value if row == first else "\n".join(
            [value, *lines[first + 1 : row], lines[row][:column]]
        )  # fmt: skip
        return _in_flow(text, path, "=", lines[row][column:])
    quote = value[:1] if value[:1] in ("'", '"') else ""
    word = value[len(quote) :]
    if row != first or (quote and quote in word) or _COMMENT.search(value):
        return None
    return Cursor(path, False, True, word, quote=quote)
