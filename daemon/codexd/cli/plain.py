"""Runs and agents as plain JSON values, and files of them: what `--json` and `-o` give."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from codexd.cli.faults import Misuse
from codexd.cli.text import Text


def plain(value: object) -> object:
    """`value` as what JSON knows: dataclasses and models by their fields' names."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {str(key): plain(each) for key, each in mapping.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [plain(each) for each in cast("Sequence[object]", value)]
    return str(value)


def document(value: object) -> str:
    """`value` as one JSON document, indented, ending with a newline."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n"


def check_writable(name: str, text: Text) -> None:
    """Raises `Misuse` where `name` cannot become a file: asked before anything is begun."""
    path, why = Path(name), ""
    if path.is_dir() or name.endswith("/"):
        why = "output.a-folder"
    elif not path.parent.is_dir():
        why = "output.no-folder"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        why = "output.read-only"
    if why:
        raise Misuse("output", path=path, why=text(why))


def write_whole(path: Path, content: str) -> None:
    """Make `content` the file at `path`: all of it, or the file is as it was. Raises `OSError`."""
    target = path.resolve()
    # A device or a pipe (`/dev/stdout`) is written to; replacing it would destroy it.
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8") as stream:
            stream.write(content)
        return
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
