"""Which rules serve which wish: a table of words, in English and Japanese."""

from __future__ import annotations

import re
from typing import NamedTuple

from codexd.errors import NeedsModel
from codexd.models.interface import Brief


class Rule(NamedTuple):
    """What `analyze` can say to wishes that have one of these words."""

    kinds: tuple[str, ...]
    words: str
    """A regular expression; English words begin at a word's start."""


RULES = (
    Rule(
        ("lint", "complexity"),
        r"\breview|\blint|\bquality|\bbugs?\b|\bfaults?\b|\bsmells?\b|\bstatic analysis"
        r"|レビュー|品質|バグ|静的解析",
    ),
    Rule(
        ("security", "dependencies"),
        r"\bsec(?:urity|ure|-)|\baudit|\bvulnerab|\bcves?\b|\binjection|\bhardening"
        r"|セキュリティ|監査|脆弱|CVE",
    ),
    Rule(
        ("docstrings", "outline"),
        r"\bdocs?\b|\bdocstring|\bdocument|\bundocumented|\bapi reference|\boutline"
        r"|ドキュメント|文書化|アウトライン",
    ),
    Rule(("untested",), r"\btest(?:s|ed|ing|-)?\b|\buntested|\bcoverage|テスト|カバレッジ"),
    Rule(("todos",), r"\btodos?\b|\bfixmes?\b|\bleft to do|残作業|未完了の印"),
    Rule(("dependencies",), r"\bdependenc|\bpackages?\b|\brequirements\.txt|依存|パッケージ"),
    Rule(("complexity",), r"\bcomplex|\bcyclomatic|複雑"),
)

BEYOND = (
    r"\brefactor|\bresearch|\bplan(?:s|ning|ned)?\b|\bimplement|\bdesign|\barchitect|\binvestigat"
    r"|\bperformance|\bprofil|\balign|\bmigrat|\btranslat|\bcreate\b|\bbuild (?:a|an|the)\b|\badd\b"
    r"|\bfix(?:es|ing)?\b|\brepair|\brewrite|\bchange\b|\brename|\bport\b|\bupgrade|\bexplain"
    r"|\bdescribe|\bsummar|\bcompare|\bdecide|\binvent|\bwrite code|\bremove\b|\bdelete\b"
    r"|\boptimi[sz]e|\bconvert|\bextract"
    r"|リファクタ|調査|計画|実装|設計|移行|翻訳|作成|追加|修正|改名|説明|要約|比較|最適化|変更"
)
"""What takes understanding. Where it comes first in a wish, rules would only pretend."""

HELP = (
    "name one with `-m PROVIDER/MODEL`; rules serve reviews, security, docs, untested code, "
    "TODOs and dependencies"
)


def kinds_for(brief: Brief) -> tuple[str, ...]:
    """What to analyse for this brief, in the order of the table.

    The first word that the goal has in common with the tables decides whether rules can serve;
    a goal without any leaves it to the agent's name, then to its purpose. What the goal and the
    name ask for is done together. Raises `NeedsModel` where rules cannot serve.
    """
    name = brief.agent.replace("_", "-")
    for wish in (brief.goal, name, brief.purpose):
        served, beyond = first_served(wish), first_beyond(wish)
        if served is None and beyond is None:
            continue
        if served is None or (beyond is not None and beyond < served):
            break
        return wanted(f"{wish} {name}")
    raise NeedsModel(f"`{brief.agent}` needs a language model: rules cannot do this", help=HELP)


def first_served(wish: str) -> int | None:
    """Where the first word stands that a rule serves."""
    places = [found.start() for rule in RULES if (found := search(rule.words, wish))]
    return min(places, default=None)


def first_beyond(wish: str) -> int | None:
    """Where the first word stands that no rule serves."""
    found = search(BEYOND, wish)
    return found.start() if found else None


def wanted(wish: str) -> tuple[str, ...]:
    """The kinds of all rules that the wish has a word of, each once."""
    kinds = (kind for rule in RULES if search(rule.words, wish) for kind in rule.kinds)
    return tuple(dict.fromkeys(kinds))


def search(words: str, text: str) -> re.Match[str] | None:
    """The first of `words` in `text`, in any case."""
    # In ASCII a word ends where Japanese begins, so `CVE横断` and `Python専用` are two words.
    return re.search(words, text, re.IGNORECASE | re.ASCII)
