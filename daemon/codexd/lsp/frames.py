"""Messages between their headers: `Content-Length: N`, an empty line, N bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

MAX_BYTES = 32 << 20
"""Of one message: more than any document that an editor opens with a language server."""
MAX_HEADER_BYTES = 4096


class FrameFault(Exception):
    """What came is no frame; where the next one begins cannot be known."""


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The body of the next message; `None` where the client has gone.

    Raises `FrameFault`.
    """
    length = await _length(reader)
    if length is None:
        return None
    try:
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _length(reader: asyncio.StreamReader) -> int | None:
    """What the headers say; `None` where nothing came any more."""
    lengths: set[int] = set()
    n_bytes, began = 0, False
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except asyncio.LimitOverrunError:
            raise FrameFault("a header line without an end") from None
        n_bytes += len(line)
        if n_bytes > MAX_HEADER_BYTES:
            raise FrameFault(f"headers of more than {MAX_HEADER_BYTES} bytes")
        line = line.strip()
        if not line and not began:
            continue  # an empty line before the headers: some clients end bodies with one
        if not line:
            break
        began = True
        name, colon, value = line.partition(b":")
        if not colon:
            raise FrameFault(f"{line[:40]!r} is no header; `Content-Length: N` was expected")
        if name.strip().lower() == b"content-length":
            lengths.add(_number(value.strip()))
    if len(lengths) != 1:
        raise FrameFault("several Content-Length that differ" if lengths else "no Content-Length")
    return lengths.pop()


def _number(value: bytes) -> int:
    # `int` would take `+5`, `5_0` and digits of other scripts.
    if not value.isdigit() or len(value) > 15:
        raise FrameFault(f"Content-Length {value[:40]!r} is no length")
    if int(value) > MAX_BYTES:
        raise FrameFault(f"Content-Length {int(value):,} is more than {MAX_BYTES:,} bytes")
    return int(value)


def frame(message: bytes) -> bytes:
    """`message` with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(message), message)


def loads(body: bytes) -> Any:
    """The value in the body of a message. Raises `ValueError`, `RecursionError`."""
    return json.loads(body.decode(), parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def dumps(value: Any, *, default: Callable[[Any], Any] | None = None) -> bytes:
    """`value` as the body of a message; `default` makes JSON of what is none."""
    # As ASCII: lone surrogates, which JSON can escape and UTF-8 cannot hold, stay what they are.
    return json.dumps(value, separators=(",", ":"), default=default).encode("ascii")
