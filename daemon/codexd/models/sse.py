"""Server-sent events out of bytes, as the WHATWG specification reads them; no I/O."""

from __future__ import annotations

from codexd.errors import CutStream

MAX_LINE = 8 << 20
"""Bytes that one line, or the data of one event, may have."""
MAX_STREAM = 256 << 20
"""Bytes that one stream may have: no answer is that long, and nothing may run for ever."""


class EventReader:
    """Feed it chunks as they arrive; it gives the data of each event that is whole.

    Event names are not kept: every wire that we speak repeats them inside the data. Lines end
    with LF, CRLF or CR; an event that the stream's end cuts off is never given.
    """

    def __init__(self, *, max_line: int = MAX_LINE, max_stream: int = MAX_STREAM) -> None:
        self._max_line, self._left = max_line, max_stream
        self._open_line: list[bytes] = []
        self._open_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that `chunk` completes, in order.

        Raises `CutStream` for text that is no UTF-8 and for a line or stream past its limit.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise CutStream("the stream is longer than any answer", billed=True)
        if b"\r" in chunk or self._after_cr:
            chunk = self._with_lf(chunk)
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        lines = chunk.split(b"\n")
        if self._open_line:
            lines[0] = b"".join([*self._open_line, lines[0]])
            self._open_line.clear()
            self._open_size = 0
        self._keep(lines.pop())
        if self._at_start:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            self._at_start = False
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[str]:
        events: list[str] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(_text(b"\n".join(self._data)))
                    self._data.clear()
                    self._data_size = 0
            elif line.startswith(b"data:"):
                value = line[6:] if line[5:6] == b" " else line[5:]
                self._data_size += len(value)
                self._check(self._data_size)
                self._data.append(value)
            elif line == b"data":
                self._data.append(b"")
        return events

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._open_line.append(piece)
            self._open_size += len(piece)
            self._check(self._open_size)

    def _check(self, size: int) -> None:
        if size > self._max_line:
            raise CutStream(
                f"a line of the stream is longer than {self._max_line:,} bytes", billed=True
            )

    def _with_lf(self, chunk: bytes) -> bytes:
        # A CR that ended the last chunk was taken for a line's end; its LF is not another one.
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CutStream("the stream holds bytes that are no UTF-8", billed=True) from None
