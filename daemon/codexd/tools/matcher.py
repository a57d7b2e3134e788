"""A program of its own: Python's `re` over the files that it is sent on standard input.

`re` backtracks, holds the interpreter lock while it does and cannot be interrupted, so a pattern
such as `(a+)+$` would stop the whole daemon. Here it stops a process that can be killed. It opens
no file: the bytes were read by the parent, under the policy. Started with `-I -S`; it imports
nothing of codexd.

The first line in is the pattern, answered by `{}` or `{"error", "position"}`. Then come batches:
a line with the sizes of the files, then their bytes; each is answered by one line, a list of line
numbers for each file.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any


def main() -> None:
    """Answer until standard input ends."""
    query = json.loads(sys.stdin.buffer.readline())
    try:
        pattern = re.escape(query["pattern"]) if query["fixed"] else query["pattern"]
        regex = re.compile(pattern, re.IGNORECASE if query["ignore_case"] else 0)
    except (re.error, OverflowError, RecursionError) as error:
        _answer({"error": str(error), "position": getattr(error, "pos", None)})
        return
    _answer({})
    while header := sys.stdin.buffer.readline():
        files = [sys.stdin.buffer.read(size) for size in json.loads(header)]
        _answer([matching_lines(regex, data, query["per_file"]) for data in files])


def matching_lines(regex: re.Pattern[str], data: bytes, most: int) -> list[int]:
    """The 1-based numbers of the first `most` lines that match; none in a binary file."""
    if b"\0" in data:
        return []
    lines = data.decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    found: list[int] = []
    for number, line in enumerate(lines, 1):
        if regex.search(line.removesuffix("\r")):
            found.append(number)
            if len(found) == most:
                break
    return found


def _answer(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
