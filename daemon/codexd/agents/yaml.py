"""YAML as agent files have it: values and where each stands, out of libyaml's events.

Scalars are YAML 1.2's (`yes` and `on` are texts). Tags, anchors, aliases and repeated keys are
faults, depth and size are capped: what cannot be meant in an agent file cannot do harm in one.
PyYAML's own composers are not used: the C one crashes on 100,000 brackets, and both read 1.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 40

KeyPath: TypeAlias = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something stands: lines and columns from 1, in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


START = Place(1, 1, 1, 1)


class YamlFault(Exception):
    """The text is no YAML that an agent file may hold; `place` is where."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message, self.place = message, place


@dataclass(slots=True)
class Document:
    """One YAML document, read."""

    value: Any
    """`None` for an empty text."""
    keys: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])
    """Of each mapping's keys, by the path of its value; of a list's items, where each begins."""
    values: dict[KeyPath, Place] = field(default_factory=dict[KeyPath, Place])


def decode(data: bytes) -> str:
    """The text of a file. Raises `YamlFault` for what is too large or no UTF-8."""
    if len(data) > MAX_BYTES:
        raise YamlFault(f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read", START)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        raise YamlFault("the file is not UTF-8", Place(line, column, line, column + 1)) from None


def parse(text: str, *, first_line: int = 1) -> Document:
    """The one document in `text`, whose first line is line `first_line` of its file.

    Raises `YamlFault`.
    """
    reader = _Reader(text, first_line - 1)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = reader.at(mark) if mark else START
        raise YamlFault(_plain(error), place) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + first_line
        column = len(before.rpartition("\n")[2]) + 1
        message = f"a character that YAML does not allow: {_code_point(error.character)}"
        raise YamlFault(message, Place(line, column, line, column + 1)) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + first_line
        raise YamlFault("half of a surrogate pair", Place(line, 1, line, 2)) from None


def _plain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not YAML"
    hints = {
        "found character that cannot start any token": "a tab, `@` or backquote cannot begin here",
        "mapping values are not allowed in this context": "a second `: ` in one line; "
        "put the text in quotes",
        "did not find expected key": "a key was expected here; look at the indentation",
    }
    return hints.get(problem, problem)


def _code_point(character: Any) -> str:
    return f"U+{character:04X}" if isinstance(character, int) else repr(character)


class _Reader:
    """Events into values; its own stack, so that no text can exhaust Python's."""

    def __init__(self, text: str, line_offset: int) -> None:
        self._events = yaml.parse(text, Loader=yaml.CLoader)  # pyright: ignore[reportUnknownMemberType]
        self._offset = line_offset
        self._found = Document(None)

    def at(self, start: Any, end: Any = None) -> Place:
        """The place between two of libyaml's marks."""
        end = end or start
        return Place(
            start.line + 1 + self._offset,
            start.column + 1,
            end.line + 1 + self._offset,
            max(end.column, start.column + (end.line == start.line)) + 1 - (end is not start),
        )

    def document(self) -> Document:
        """The document. Raises what libyaml raises, and `YamlFault`."""
        n_documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    place = self.at(event.start_mark)
                    raise YamlFault("a second document; an agent file holds one", place)
            elif isinstance(event, yaml.NodeEvent):
                self._found.value = self._node(event)
        return self._found

    def _node(self, first: Any) -> Any:
        found = self._found
        stack: list[tuple[Any, KeyPath]] = []
        path: KeyPath = ()
        container: Any = None
        key: str | None = None
        event = first
        while True:
            kind = type(event)
            if (
                kind is yaml.ScalarEvent
                or kind is yaml.MappingStartEvent
                or (kind is yaml.SequenceStartEvent)
            ):
                if event.anchor is not None or event.tag is not None:
                    what = "an anchor (`&`)" if event.anchor is not None else f"a tag ({event.tag})"
                    place = self.at(event.start_mark)
                    raise YamlFault(f"{what} has no meaning in an agent file", place)
                place = self._place(event)
                if kind is yaml.ScalarEvent:
                    value: Any = scalar(event.value) if event.implicit[0] else event.value
                else:
                    value = {} if kind is yaml.MappingStartEvent else []
                if type(container) is dict and key is None:
                    key = self._key(event, kind, container, path)
                else:
                    if container is None:
                        here: KeyPath = ()
                        root = value
                    elif type(container) is dict:
                        here = (*path, key or "")
                        container[key] = value
                        key = None
                    else:
                        here = (*path, len(container))
                        found.keys[here] = place
                        container.append(value)
                    found.values[here] = place
                    if kind is not yaml.ScalarEvent:
                        if len(stack) >= MAX_DEPTH:
                            raise YamlFault(f"nested deeper than {MAX_DEPTH}", place)
                        stack.append((container, path))
                        container, path = value, here
                    elif container is None:
                        return root
            elif kind is yaml.AliasEvent:
                raise YamlFault("an alias (`*`) has no meaning here", self.at(event.start_mark))
            else:  # the end of a mapping or sequence
                if path in found.values:
                    start = found.values[path]
                    end = event.end_mark
                    found.values[path] = Place(
                        start.line, start.column, end.line + 1 + self._offset, end.column + 1
                    )
                container, path = stack.pop()
                if container is None:
                    return root
            event = next(self._events)

    def _key(self, event: Any, kind: Any, container: Any, path: KeyPath) -> str:
        place = self._place(event)
        if kind is not yaml.ScalarEvent:
            raise YamlFault("a key must be a text", place)
        key: str = event.value
        if key in container:
            first = self._found.keys[*path, key].line
            raise YamlFault(f"the key `{key}` stands twice; first in line {first}", place)
        self._found.keys[*path, key] = place
        return key

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        offset = self._offset + 1
        return Place(start.line + offset, start.column + 1, end.line + offset, end.column + 1)


_NUMBERS = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<special>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
MAX_NUMBER = 40
"""Characters of the longest number; longer ones stay texts."""


def scalar(text: str) -> str | int | float | bool | None:
    """What a plain scalar means in YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789.+-" or len(text) > MAX_NUMBER:
        return text
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return text
    if match["special"]:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if match["float"]:
        return float(text)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
