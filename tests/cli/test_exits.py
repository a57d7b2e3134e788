"""Exit statuses."""

import itertools
from dataclasses import replace

import pytest
from tests.cli.samples import AUDIT, GROUP, OUTLINE, REVIEW, run

from codexd.cli.exits import exit_status, first_of
from codexd.errors import Severity
from codexd.runs.view import Status

STATUS = {
    Status.COMPLETED: 0,
    Status.FAILED: 1,
    Status.INTERRUPTED: 1,
    Status.BUDGET_EXCEEDED: 3,
    Status.DEADLINE_EXCEEDED: 4,
    Status.CANCELLED: 130,
}


@pytest.mark.parametrize(("status", "code"), STATUS.items())
def test_an_end_has_its_status(status: Status, code: int) -> None:
    assert exit_status(run(status=status)) == code


def test_of_several_the_gravest_is_told() -> None:
    order = [130, 1, 5, 3, 4, 0]
    for codes in itertools.product(order, repeat=3):
        assert first_of(codes) == min(codes, key=order.index)
    assert first_of([]) == 0


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ((Status.COMPLETED, Status.COMPLETED), 0),
        ((Status.BUDGET_EXCEEDED, Status.DEADLINE_EXCEEDED), 3),
        ((Status.DEADLINE_EXCEEDED, Status.FAILED), 1),
        ((Status.FAILED, Status.CANCELLED), 130),
    ],
)
def test_a_group_ends_as_its_children_did(ends: tuple[Status, ...], code: int) -> None:
    group = replace(GROUP, children=tuple(run(status=status) for status in ends))
    assert exit_status(group) == code


def test_a_delegated_childs_failure_is_its_parents_affair() -> None:
    assert exit_status(run(children=(run(status=Status.FAILED),))) == 0


@pytest.mark.parametrize(
    ("findings", "fail_on", "code"),
    [
        (REVIEW, None, 0),
        (REVIEW, Severity.ERROR, 1),
        (AUDIT, Severity.ERROR, 0),
        (AUDIT, Severity.WARNING, 1),
        (OUTLINE, Severity.WARNING, 0),
    ],
)
def test_findings_fail_a_run_where_that_is_asked_for(
    findings: tuple[object, ...], fail_on: Severity | None, code: int
) -> None:
    assert exit_status(run(findings=findings), fail_on) == code
    assert exit_status(run(children=(run(findings=findings),)), fail_on) == code
