"""What configures: the command line's `-c`, our files, Codex's files; read, not yet judged."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from codexd.config import places
from codexd.config.positions import KeyPath, Span, TomlFault, parse_toml_spans
from codexd.errors import BadConfig, Diagnostic, Severity, Source

LARGEST = 1_000_000
"""Bytes that a configuration file may have."""


class Author(StrEnum):
    """Who says it. Only the user may widen, or choose who is paid."""

    COMMAND_LINE = "command line"
    USER = "user"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that configures."""

    author: Author
    table: Mapping[str, Any]
    path: Path | None = None
    """`None`: the command line."""
    is_codex: bool = False
    """Whether it is Codex's own file: we read a few keys there and have no say in the others."""
    spans: Mapping[KeyPath, Span] = field(default_factory=dict[KeyPath, Span])

    def source(self, path: KeyPath) -> Source:
        """Where the key stands."""
        if self.path is None:
            return Source("<command line>")
        span = self.spans.get(path, Span(1, 1, 1, 1))
        return Source(str(self.path), span.line, span.column)

    def remark(
        self, path: KeyPath, severity: Severity, message: str, *, code: str, nearest: str = ""
    ) -> Diagnostic:
        """A diagnostic at the key.

        Raises `BadConfig` on the command line: whoever types it is there to type it again.
        """
        if self.path is None:
            raise BadConfig(f"-c {dotted(path)}: {message}", help=_nearest(nearest))
        span = self.spans.get(path, Span(1, 1, 1, 1))
        return Diagnostic(
            self.path, *span, severity, message, key=dotted(path), nearest=nearest, code=code
        )


def dotted(path: KeyPath) -> str:
    """`policy.net.0`."""
    return ".".join(map(str, path))


def command_line(overrides: Mapping[str, str]) -> Input:
    """`-c key=value` pairs: a dotted key, and a value that is TOML, else text.

    Raises `BadConfig` where a key is none, or two of them cannot stand together.
    """
    table: dict[str, Any] = {}
    for key, text in overrides.items():
        *parents, last = _keys(key)
        inner = table
        for name in parents:
            within: Any = inner.setdefault(name, {})
            if not isinstance(within, dict):
                raise BadConfig(f"-c {key}: `{name}` is given a value of its own as well")
            inner = cast("dict[str, Any]", within)
        if last in inner:
            raise BadConfig(f"-c {key}: said twice")
        inner[last] = _value(text)
    return Input(Author.COMMAND_LINE, table)


def files(root: Path, env: Mapping[str, str]) -> Iterator[Input]:
    """The configuration files of the workspace at `root` that are there, strongest first.

    Raises `BadConfig` for one that cannot be read or is no TOML.
    """
    mine, ours, their_mine, codexs = map(Path, places.config_files(str(root), env))
    given = (
        (Author.WORKSPACE, mine, False),
        (Author.USER, ours, False),
        (Author.WORKSPACE, their_mine, True),
        (Author.USER, codexs, True),
    )
    for author, path, is_codex in given:
        # In the home folder itself both are one file, and it is the user's.
        if author is Author.WORKSPACE and _is_same(path, codexs if is_codex else ours):
            continue
        text = _read(path)
        if text is None:
            continue
        try:
            table, spans, _ = parse_toml_spans(text)
        except TomlFault as fault:
            raise BadConfig(
                f"{path}:{fault.line}:{fault.column}: {fault}",
                help="mend the file, or move it away; nothing of it was used",
            ) from fault
        yield Input(author, table, path, is_codex, spans)


def codex_home(env: Mapping[str, str]) -> Path:
    """Codex's own folder: `$CODEX_HOME`, else `~/.codex`. Ours is `~/.codex` always."""
    return Path(places.codex_home(env))


def _keys(key: str) -> tuple[str, ...]:
    try:
        table = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        raise _no_key(key) from None
    names: list[str] = []
    while len(table) == 1:
        [(name, value)] = table.items()
        names.append(name)
        if not isinstance(value, dict):
            return tuple(names)
        table = cast("dict[str, Any]", value)
    raise _no_key(key)


def _no_key(key: str) -> BadConfig:
    return BadConfig(f"-c {key}: no key", help="write -c key=value, as -c default_budget=20000")


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _read(path: Path) -> str | None:
    """The text; `None` where there is no such file. A repository may ship a device or a pipe
    under this name, so it is opened without waiting, and only a regular file is read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BadConfig(f"{path}: no regular file", help="it is to be a TOML file")
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as fault:
        raise BadConfig(f"{path}: a folder", help="it is to be a TOML file") from fault
    except OSError as fault:
        raise BadConfig(
            f"{path}: cannot be read: {fault.strerror}", help="mend its permissions, or move it"
        ) from fault
    if len(content) > LARGEST:
        raise BadConfig(f"{path}: larger than {LARGEST:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        good = content[: fault.start].decode("utf-8-sig")
        line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
        raise BadConfig(
            f"{path}:{line}:{column}: no UTF-8", help="save the file as UTF-8"
        ) from fault


def _nearest(name: str) -> str:
    return f"the nearest is `{name}`" if name else ""
