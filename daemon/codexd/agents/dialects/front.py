"""Markdown with YAML front matter: the keys as a sheet with the file's own lines, and the body."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, cast

from codexd.agents import yaml
from codexd.agents.dialects import common
from codexd.agents.sheet import Sheet
from codexd.errors import Diagnostic, Severity, Source
from codexd.policy import Grant

_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LOOSE = re.compile(r"(name|description|argument-hint|model):[ \t]+(?![\"'|>\[{&*!])(.*\S)[ \t\r]*")


class Page(NamedTuple):
    """An agent file in Markdown, taken apart."""

    sheet: Sheet
    body: str
    lines: list[str]
    """Of the whole file."""


def read(path: Path, data: bytes, dialect: str, *, needs_front: bool) -> Page | Diagnostic:
    """The file taken apart, or the error that stands in the way."""
    try:
        text = yaml.decode(data)
    except yaml.YamlFault as fault:
        return common.fault(path, fault.message, fault.place)
    front = _FRONT.match(text)
    if front is None:
        if text.startswith("---"):
            return common.fault(path, "the front matter has no end: a line `---`", (1, 1, 1, 4))
        if needs_front:
            message = "no front matter: an agent file begins with `---`, keys, `---`"
            return common.fault(path, message, (1, 1, 1, 1))
    matter, body = (front[1], text[front.end() :]) if front else ("", text)
    loose: list[Diagnostic] = []
    try:
        document = _parse(path, matter, loose)
    except yaml.YamlFault as fault:
        return common.fault(path, fault.message, fault.place)
    value: Any = {} if document.value is None else document.value
    if not isinstance(value, dict):
        return common.fault(path, "front matter is keys and values: `name: …`", document.values[()])
    found = cast("dict[str, Any]", value)
    sheet = Sheet(path, found, document.keys, document.values, dialect)
    sheet.remarks += loose
    return Page(sheet, body.strip(), text.split("\n"))


def _parse(path: Path, matter: str, loose: list[Diagnostic]) -> yaml.Document:
    """The front matter. Texts that their tools read although YAML does not (`description: Use
    when: …`) are read as meant, with a warning each, appended to `loose`.
    """
    while True:
        try:
            return yaml.parse(matter, first_line=2)
        except yaml.YamlFault as fault:
            lines = matter.split("\n")
            n = fault.place.line - 2
            found = _LOOSE.fullmatch(lines[n]) if 0 <= n < len(lines) else None
            if found is None:
                raise
            quoted = found[2].replace("'", "''")
            lines[n] = f"{found[1]}: '{quoted}'"
            matter = "\n".join(lines)
            message = f"read as one text, though YAML would not ({fault.message})"
            loose.append(
                Diagnostic(
                    path, *fault.place, Severity.WARNING, message, key=found[1], code="loose-text"
                )
            )


def words(page: Page, key: str) -> list[Grant] | None:
    """The words of a list, or of a text with commas between them, each with its place.

    Commas within parentheses part nothing: `Bash(git add, git commit)`.
    """
    sheet = page.sheet
    value = sheet.value.get(key)
    if not isinstance(value, str):
        found = sheet.texts(key)
        return None if found is None else list(found)
    line, column, end_line, _ = sheet.span((key,))
    shown = page.lines[line - 1][column - 1 :] if line == end_line else ""
    parts: list[Grant] = []
    for match in re.finditer(r"(?:[^,(]|\([^)]*\)?)+", value):
        word = match[0].strip()
        if word:
            # Where the text is folded or quoted in an odd way, its beginning has to do.
            start = column + max(shown.find(word, match.start()), 0)
            parts.append(Grant(word, Source(sheet.file, line, start)))
            sheet.spots[line, start] = (key,), (line, start, line, start + len(word))
    return parts


def stem(sheet: Sheet) -> str:
    """The agent's name: as written, else the file's stem, with a remark."""
    if sheet.value.get("name") not in (None, ""):
        return common.name(sheet)
    found = sheet.path.name
    for suffix in (".agent.md", ".md"):
        if found.lower().endswith(suffix):
            found = found[: -len(suffix)]
            break
    sheet.information(("name",), f"no `name`: it is called `{found}`, after its file", code="stem")
    return found
