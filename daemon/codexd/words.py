"""One sentence in the languages that codexd speaks: what tables of words are made of."""

from __future__ import annotations

from dataclasses import dataclass

# `typing` takes longer to import than all of `--help` may, and nothing here needs it at run time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    Lang: TypeAlias = Literal["en", "ja"]


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages."""

    en: str
    ja: str

    def in_(self, lang: Lang) -> str:
        """The sentence in `lang`."""
        return self.ja if lang == "ja" else self.en
