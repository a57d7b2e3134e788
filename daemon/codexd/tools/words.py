"""Text as the words that an index holds: identifiers in their parts, Japanese in pairs.

The same function makes the words of a file and those of a question, so both meet in the index
whatever it is that tokenizes: `getUserName` and `get_user_name` are `get`, `user`, `name` and
`getusername`; 検索結果, which has no blanks, is 検索, 索結, 結果.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_RUN = re.compile(
    r"(?P<pairs>[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uff66-\uff9f"
    r"々〆ー\U00020000-\U0003134f]+)"
    r"|(?P<word>[^\W\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+)"
)
_BETWEEN_PARTS = re.compile(
    r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\D)(?=\d)|(?<=\d)(?=\D)"
)
_LONGEST = 80
"""Characters: longer runs are hashes and encoded data, which nobody looks for."""


def words_of(text: str) -> Iterator[str]:
    """The words of `text` in order, in lower case; parts of an identifier, then the whole."""
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text)):
        if run["pairs"] is not None:
            yield from _pairs(run["pairs"])
        elif len(run["word"]) <= _LONGEST:
            yield from _parts(run["word"])


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for at in range(len(run) - 1):
        yield run[at : at + 2]


def _parts(word: str) -> Iterator[str]:
    parts = [part.lower() for part in _BETWEEN_PARTS.split(word) if part]
    yield from parts
    if len(parts) > 1:
        yield "".join(parts)
