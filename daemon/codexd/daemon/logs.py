"""What the daemon did, a JSON object a line, without secrets: `daemon.log`."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from codexd.policy.redaction import Redactor, redact

LARGEST = 5_000_000
"""Bytes from which the log is begun anew; the one before is kept as `daemon.log.1`."""


class Log:
    """The open log. What cannot be written is let go: a full disk ends no daemon."""

    def __init__(self, path: Path, *, largest: int = LARGEST) -> None:
        self.path, self._largest = path, largest
        self._file = _open(path)
        self._secrets: dict[str, str] = {}
        self._redactors: list[Callable[[str], str]] = [lambda text: redact(text)[0]]

    def close(self) -> None:
        """Nothing more is written."""
        os.close(self._file)

    def redact_with(self, redactor: Callable[[str], str]) -> None:
        """Have what `redactor` knows left out as well."""
        self._redactors[:1] = [redactor]

    def keep_out(self, values: Mapping[str, str]) -> None:
        """Have these values, by name, left out from now on."""
        fresh = [(name, value) for name, value in values.items() if value not in self._secrets]
        if fresh:
            self._secrets |= {value: name for name, value in fresh}
            # One name has a value in each client.
            known = {f"{name} {i}": value for i, (value, name) in enumerate(self._secrets.items())}
            redactor = Redactor(known)
            self._redactors[1:] = [lambda text: redactor.redact(text)[0]]

    def write(
        self,
        event: str,
        metadata: Mapping[str, object],
        *,
        level: str = "info",
        agent: str | None = None,
        run: str | None = None,
        duration_ms: int | None = None,
    ) -> None:
        """One line; `metadata` is what belongs to this kind of event alone."""
        row: dict[str, Any] = {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": level,
            "agent": agent,
            "event": event,
            "run": run,
            "duration_ms": duration_ms,
            "metadata": metadata,
        }
        line = json.dumps(self._clean(row), ensure_ascii=False) + "\n"
        try:
            os.write(self._file, line.encode(errors="replace"))
            if os.fstat(self._file).st_size >= self._largest:
                self._rotate()
        except OSError:
            return

    def fault(self, event: str, fault: BaseException) -> None:
        """One line about what should not have happened, with its traceback."""
        trace = "".join(traceback.format_exception(fault))
        self.write(event, {"message": f"{fault}", "traceback": trace}, level="error")

    def _clean(self, value: object) -> object:
        if isinstance(value, str):
            for each in self._redactors:
                value = each(value)
            return value
        if isinstance(value, dict):
            table = cast("dict[str, object]", value)
            return {name: self._clean(inner) for name, inner in table.items()}
        if isinstance(value, list | tuple):
            return [self._clean(inner) for inner in cast("list[object]", value)]
        return value if value is None or isinstance(value, int | float) else self._clean(f"{value}")

    def _rotate(self) -> None:
        self.path.replace(f"{self.path}.1")
        fresh, old = _open(self.path), self._file
        # What the interpreter itself says goes where the log is: a daemon has no terminal.
        for stream in (1, 2):
            if os.path.sameopenfile(stream, old):
                os.dup2(fresh, stream)
        self._file = fresh
        os.close(old)


class Records(logging.Handler):
    """What libraries and our own modules log, as lines of the log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        more: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            more["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        self._log.write("logged", more, level=record.levelname.lower())


def collect(log: Log) -> Records:
    """Have all that is logged in this process written to `log`; the handler that does it."""
    handler = Records(log)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    # It logs whole messages below this, secrets and all.
    logging.getLogger("pygls").setLevel(logging.WARNING)
    return handler


def _open(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    return file
