"""The success criteria that rules can check; all others are said to be not judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from codexd.models.interface import Brief
from codexd.models.offline.conversation import Seen
from codexd.models.offline.report import counted

Judgement: TypeAlias = tuple[str, str]
"""`met`, `not_met` or `not_judged`, and the evidence."""


def judged(brief: Brief, kinds: Sequence[str], seen: Seen) -> list[Mapping[str, str]]:
    """Each criterion with what rules can say about it."""
    rows: list[Mapping[str, str]] = []
    for criterion in brief.criteria:
        verdict, evidence = judge(criterion, kinds, seen)
        rows.append({"criterion": criterion, "judged": verdict, "evidence": evidence})
    return rows


def judge(criterion: str, kinds: Sequence[str], seen: Seen) -> Judgement:
    """One criterion: judged where its whole sentence is one that rules know how to check."""
    if not seen.n_pages:
        return "not_judged", "no analysis is at hand"
    for pattern, check in CHECKS:
        if re.fullmatch(pattern, criterion.strip().rstrip("."), re.IGNORECASE):
            return check(kinds, seen)
    return "not_judged", "no model"


def located(kinds: Sequence[str], seen: Seen) -> Judgement:
    """Whether all that was reported has a place."""
    found = seen.reported_findings or seen.findings
    if not found:
        verdict = "not_judged" if seen.unread else "met"
        return verdict, f"no findings in {counted(seen.files, 'file')}{not_read(seen)}"
    n_placed = sum(1 for one in found if one.get("path") and one.get("line"))
    verdict = "met" if n_placed == len(found) else "not_met"
    return verdict, f"{n_placed} of {counted(len(found), 'finding')}"


def all_reported(kind: str) -> Callable[[Sequence[str], Seen], Judgement]:
    """Whether everything that this kind of analysis found was reported."""

    def check(kinds: Sequence[str], seen: Seen) -> Judgement:
        if kind not in kinds:
            return "not_judged", f"{kind} was not analysed"
        left = seen.n_findings - len(seen.reported_findings)
        if left:
            return "not_met", f"{left} of {seen.n_findings} are left"
        if seen.unread and kind in PYTHON_ONLY:
            return "not_judged", f"all of {seen.files - seen.unread} read{not_read(seen)}"
        return "met", f"all {counted(seen.n_findings, 'finding')} in {counted(seen.files, 'file')}"

    return check


PYTHON_ONLY = ("docstrings",)
"""Of the kinds that criteria speak of, those whose rules read Python alone."""


def not_read(seen: Seen) -> str:
    """What to add where rules passed files over."""
    return f", and {seen.unread} in languages that rules do not read" if seen.unread else ""


def all_listed(name: str) -> Callable[[Sequence[str], Seen], Judgement]:
    """Whether a list holds everything that was found."""

    def check(kinds: Sequence[str], seen: Seen) -> Judgement:
        if name not in kinds:
            return "not_judged", f"{name} was not analysed"
        n_listed = sum(len(lines) for lines in seen.lists.get(name, {}).values())
        n_found = seen.counts.get(name, 0)
        return "met" if n_listed == n_found else "not_met", f"{n_listed} of {n_found}"

    return check


CHECKS: tuple[tuple[str, Callable[[Sequence[str], Seen], Judgement]], ...] = (
    (r"every finding (?:names|has|gives) (?:its|a) file and (?:its |a )?line", located),
    (
        r"every public (?:python )?class and function without a docstring is (?:named|listed)",
        all_reported("docstrings"),
    ),
    (
        r"every public function that no test names is listed(?:, the most complex first)?",
        all_reported("untested"),
    ),
    (r"the outline (?:lists|names|has) every public class and function", all_listed("outline")),
    (
        r"every (?:declared )?dependency is (?:named|reported|listed)(?: with its version)?",
        all_listed("dependencies"),
    ),
)
"""Sentences and their checks. Only a whole sentence counts: half a criterion is not judged."""
