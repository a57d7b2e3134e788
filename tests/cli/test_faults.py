"""Every fault has its status and its words."""

from pathlib import Path

import pytest

from codexd import errors
from codexd.cli.faults import Misuse, foreseen, lines_of, status_of
from codexd.cli.text import Text

UNKNOWN = errors.UnknownAgent("code-reviwer", "code-reviewer", 8)
BAD_FILE = errors.BadDefinition(
    "the agent `x` cannot be used",
    (
        errors.Diagnostic(
            Path("x.yaml"), 3, 1, 3, 9, errors.Severity.ERROR, "unknown key `max_tokns`",
            nearest="max_tokens",
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (errors.Denied("no"), 5),
        (errors.BadRequest("no"), 2),
        (Misuse("no-verb"), 2),
        (UNKNOWN, 2),
        (errors.BadConfig("no"), 2),
        (BAD_FILE, 2),
        (errors.UnknownRun("no"), 2),
        (errors.BudgetExceeded("no"), 3),
        (errors.NeedsModel("no"), 1),
        (errors.IllegalMove("no"), 1),
        (errors.Unavailable("no"), 1),
        (errors.AuthFailed("no"), 1),
        (KeyError("no"), 1),
    ],
)
def test_a_fault_has_its_status(fault: Exception, status: int) -> None:
    assert status_of(fault) == status


def test_an_unknown_agent_is_told_with_the_nearest() -> None:
    assert lines_of(UNKNOWN, Text("en")) == [
        "error: no agent named `code-reviwer`",
        "help:  `code-reviewer` is the nearest; `codexd agents list` shows all 8",
    ]
    assert lines_of(UNKNOWN, Text("ja")) == [
        "エラー: `code-reviwer` というエージェントはありません",
        "ヒント: 最も近いのは `code-reviewer` です。全 8 件の一覧は `codexd agents list`",
    ]


def test_a_bad_file_is_told_line_by_line() -> None:
    assert lines_of(BAD_FILE, Text("en")) == [
        "error: the agent `x` cannot be used",
        "  x.yaml:3:1: error: unknown key `max_tokns`; nearest `max_tokens`",
    ]


def test_a_misuse_is_told_in_both_languages() -> None:
    fault = Misuse("counts", agents=3, name="--goals", given=2)
    assert lines_of(fault, Text("en"))[0] == "error: 3 agents, but --goals gives 2"
    assert lines_of(fault, Text("ja"))[0] == "エラー: エージェント 3 に対し --goals は 2 です"


def test_a_foreseen_fault_is_found_in_a_task_groups() -> None:
    group = BaseExceptionGroup("", [ExceptionGroup("", [UNKNOWN])])
    assert foreseen(group) is UNKNOWN
    assert foreseen(ExceptionGroup("", [KeyError("x")])) is None
