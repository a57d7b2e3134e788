"""The offline model driven end to end: real tools, real files, a small loop in the loop's place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from codexd.errors import CodexdError, ModelFault, NeedsModel, Severity, Source
from codexd.models import Answer, Brief, Item, Request, Stop, ToolReply, ToolSchema, UserText
from codexd.models.offline import Offline
from codexd.policy import Layer
from codexd.tools import Finding, ToolContext
from codexd.tools.analyze import ANALYZE_TOOLS, Analyze

ANALYZE = ToolSchema("analyze", "", Analyze.model_json_schema())
REPORT = ToolSchema("report_finding", "", {"properties": {"findings": {"type": "array"}}})
REPORT_ONE = ToolSchema("report_finding", "", {"properties": {"path": {"type": "string"}}})
WRITE = ToolSchema("write_file", "", {"properties": {"path": {}, "content": {}}})
TOOLS = (ANALYZE, REPORT, WRITE)

REVIEW = "Review the code"

SHOP = '''\
"""A shop."""

import json


def total(prices=[]):
    """The sum of all prices."""
    for price in prices:
        if price < 0:
            raise ValueError("negative" % price)
    return sum(prices)


def load(source):
    if not isinstance(source, dict):
        raise TypeError("no dict: %r" % key)
    for key in source:
        print(key)


class Basket:
    """What a customer has chosen."""

    def add(self, name):
        try:
            self.names.append(name)
        except:
            self.names = [name]
'''


@dataclass
class Played:
    """What came of a run."""

    findings: list[Finding] = field(default_factory=list[Finding])
    answers: list[Answer] = field(default_factory=list[Answer])
    spent: int = 0
    end: str = "completed"
    result: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def calls(self) -> int:
        return sum(len(answer.calls) for answer in self.answers)


def brief_for(
    goal: str = REVIEW,
    *,
    agent: str = "someone",
    purpose: str = "",
    scope: tuple[str, ...] = (),
    criteria: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
) -> Brief:
    return Brief(agent, purpose, goal, scope, criteria, artifacts)


def request_for(
    brief: Brief,
    items: Sequence[Item] = (),
    *,
    tools: tuple[ToolSchema, ...] = TOOLS,
    lightweight: bool = False,
    max_output: int = 1_000_000,
) -> Request:
    start = UserText(f"<goal>{brief.goal}</goal>")
    return Request("be good", (start, *items), tools, max_output, brief, lightweight=lightweight)


def context_for(root: Path, cache: Path | None = None) -> ToolContext:
    return ToolContext(root.resolve(), (Layer("agent test", Source("test.yaml")),), cache=cache)


async def play(
    brief: Brief,
    context: ToolContext,
    *,
    tools: tuple[ToolSchema, ...] = TOOLS,
    budget: int | None = None,
    refuse_writes: bool = False,
) -> Played:
    """Drive the model as the loop does: reserve, ask, settle, act, until it answers in text."""
    model, run, items, light = Offline(), Played(), list[Item](), False
    for _ in range(100):
        request = request_for(brief, items, tools=tools, lightweight=light)
        bound, wanted = model.input_bound(request, None), model.wanted_output(request)
        cap = wanted if budget is None else min(wanted, budget - run.spent - bound)
        if cap < min(wanted, 256):
            if light:
                run.end = "budget_exceeded"
                return run
            light = True
            continue
        heard = list[str]()
        answer = await model.stream(replace(request, max_output=cap), heard.append)
        assert answer.usage
        assert answer.usage.input == bound
        assert answer.usage.output <= cap
        assert cap < wanted or answer.usage.output == wanted
        assert "".join(heard) == answer.text
        run.spent += answer.usage.total
        run.answers.append(answer)
        if not answer.calls:
            run.result = json.loads(answer.text)
            return run
        items += [answer, *[await act(run, call, context, refuse_writes) for call in answer.calls]]
    raise AssertionError("it does not come to an end")


async def act(run: Played, call: Any, context: ToolContext, refuse_writes: bool) -> ToolReply:
    arguments = json.loads(call.arguments)
    if call.name == "analyze":
        look = ANALYZE_TOOLS[0].call
        assert look
        try:
            output = await look(Analyze.model_validate(arguments), context)
        except CodexdError as fault:
            return ToolReply(call.id, call.name, str(fault), is_error=True)
        return ToolReply(call.id, call.name, output.text)
    if call.name == "report_finding":
        several = arguments.get("findings", [arguments])
        run.findings += [Finding.model_validate(one, strict=False) for one in several]
        return ToolReply(call.id, call.name, "noted")
    assert call.name == "write_file"
    if refuse_writes:
        return ToolReply(call.id, call.name, "no grant covers it", is_error=True)
    path = context.root / arguments["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(arguments["content"], encoding="utf-8")
    return ToolReply(call.id, call.name, "written")


@pytest.fixture
def shop(tmp_path: Path) -> ToolContext:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "shop.py").write_text(SHOP)
    return context_for(tmp_path / "ws", tmp_path / "cache")


@pytest.fixture
def mall(tmp_path: Path) -> ToolContext:
    """A workspace with more findings than one run reports."""
    (tmp_path / "ws").mkdir()
    for n in range(20):
        (tmp_path / "ws" / f"shop{n:02}.py").write_text(SHOP)
    return context_for(tmp_path / "ws", tmp_path / "cache")


@pytest.mark.anyio
async def test_a_review_reports_the_worst_first_and_writes_its_report(shop: ToolContext) -> None:
    run = await play(
        brief_for(artifacts=("artifacts/code-review-report.md", "artifacts/review.json")), shop
    )
    assert [(f.line, f.rule) for f in run.findings[:2]] == [(16, "F821"), (10, "F507")]
    assert run.findings[0].severity is Severity.ERROR
    assert "2 errors" in run.result["summary"]
    report = (shop.root / "artifacts/code-review-report.md").read_text()
    assert report.startswith("# Code review report\n\nReview the code\n")
    assert all(finding.message in report for finding in run.findings)
    listed = json.loads((shop.root / "artifacts/review.json").read_text())
    assert len(listed["findings"]) == len(run.findings)


@pytest.mark.anyio
async def test_the_same_tree_and_goal_give_the_same_bytes(shop: ToolContext) -> None:
    brief = brief_for("Review the code, its docs and its security")
    first = await play(brief, shop)
    again = await play(brief, replace(shop, cache=None))
    assert first.answers == again.answers


@pytest.mark.anyio
async def test_findings_are_reported_one_by_one_where_the_tool_takes_one(
    shop: ToolContext,
) -> None:
    together = await play(brief_for(), shop)
    apart = await play(brief_for(), shop, tools=(ANALYZE, REPORT_ONE, WRITE))
    assert apart.findings == together.findings


@pytest.mark.anyio
async def test_without_a_tool_for_findings_they_stand_in_the_result(shop: ToolContext) -> None:
    told = await play(brief_for(), shop)
    run = await play(brief_for(), shop, tools=(ANALYZE,))
    assert [one["line"] for one in run.result["data"]["findings"]] == [
        one.line for one in told.findings
    ]


@pytest.mark.anyio
async def test_one_run_reports_forty_findings_and_says_how_many_are_left(
    mall: ToolContext,
) -> None:
    run = await play(brief_for(artifacts=("report.md",)), mall)
    assert len(run.findings) == 40
    assert {finding.severity for finding in run.findings} == {Severity.ERROR}
    assert "40 reported, 60 left" in run.result["summary"]
    assert "60 more were found" in (mall.root / "report.md").read_text()


@pytest.mark.anyio
async def test_an_outline_is_read_on_behind_findings_that_were_left(mall: ToolContext) -> None:
    run = await play(
        brief_for(
            "Review the docs", criteria=("The outline lists every public class and function",)
        ),
        mall,
    )
    assert len(run.findings) == 40
    assert sum(len(lines) for lines in run.result["data"]["outline"].values()) == 60
    assert run.result["criteria"][0]["judged"] == "met"


@pytest.mark.anyio
@pytest.mark.parametrize("budget", [60, 120, 300, 450, 700, 1000, 2000, 4000])
async def test_no_budget_is_passed_and_no_finding_is_cut_in_two(
    mall: ToolContext, budget: int
) -> None:
    run = await play(brief_for(artifacts=("report.md",)), mall, budget=budget)
    assert run.spent <= budget
    assert run.end == "budget_exceeded" or "reported" in run.result["summary"]
    assert all(finding.message for finding in run.findings)


@pytest.mark.anyio
async def test_a_budget_of_450_tokens_keeps_three_findings(mall: ToolContext) -> None:
    run = await play(brief_for(), mall, budget=450)
    assert run.end == "budget_exceeded"
    assert len(run.findings) == 3


@pytest.mark.anyio
async def test_an_answer_is_cut_to_its_cap_by_whole_findings(shop: ToolContext) -> None:
    model, brief = Offline(), brief_for()
    asked = await model.stream(request_for(brief), print)
    reply = await act(Played(), asked.calls[0], shop, refuse_writes=False)
    request = request_for(brief, [asked, reply])
    wanted = model.wanted_output(request)
    n_before = 3
    for cap in range(wanted - 1, 0, -7):
        answer = await model.stream(replace(request, max_output=cap), print)
        assert answer.usage
        assert answer.usage.output <= cap
        told = [json.loads(call.arguments) for call in answer.calls]
        n_reported = sum(len(one["findings"]) for one in told)
        assert n_reported <= n_before
        n_before = n_reported
        if not answer.calls and answer.text:
            assert json.loads(answer.text)["summary"]
    assert n_before == 0
    nothing = await model.stream(replace(request, max_output=0), print)
    assert (nothing.text, nothing.stop) == ("", Stop.MAX_OUTPUT)


@pytest.mark.anyio
async def test_lightweight_reports_what_was_read_and_ends_without_reading_or_writing(
    mall: ToolContext,
) -> None:
    model, brief = Offline(), brief_for(artifacts=("report.md",))
    asked = await model.stream(request_for(brief), print)
    items: list[Item] = [asked, await act(Played(), asked.calls[0], mall, refuse_writes=False)]
    told = await model.stream(request_for(brief, items, lightweight=True), print)
    assert [call.name for call in told.calls] == ["report_finding"]
    items += [told, ToolReply(told.calls[0].id, "report_finding", "noted")]
    last = await model.stream(request_for(brief, items, lightweight=True), print)
    assert not last.calls
    summary = json.loads(last.text)["summary"]
    assert "3 reported, 97 left (partial, to stay within the budget)" in summary


@pytest.mark.anyio
async def test_lightweight_ends_honestly_when_the_pages_were_trimmed_away(
    mall: ToolContext,
) -> None:
    model, brief = Offline(), brief_for()
    asked = await model.stream(request_for(brief), print)
    items: list[Item] = [asked, await act(Played(), asked.calls[0], mall, refuse_writes=False)]
    told = await model.stream(request_for(brief, items), print)
    kept: list[Item] = [told, ToolReply(told.calls[0].id, "report_finding", "noted")]
    last = await model.stream(request_for(brief, kept, lightweight=True), print)
    assert "3 findings reported" in json.loads(last.text)["summary"]


def test_input_is_the_goal_at_first_and_then_only_new_tool_results() -> None:
    model, brief = Offline(), brief_for("あいう!")  # 10 bytes
    assert model.input_bound(request_for(brief), None) == 3
    items: list[Item] = [Answer(""), ToolReply("a", "analyze", "x" * 400), Answer("told")]
    assert model.input_bound(request_for(brief, items), (1, 500)) == 0
    items += [ToolReply("b", "analyze", "xyz"), ToolReply("c", "report_finding", "noted")]
    assert model.input_bound(request_for(brief, items), None) == 2


@pytest.mark.anyio
async def test_criteria_are_met_only_where_rules_can_check_them(shop: ToolContext) -> None:
    criteria = (
        "Every finding names its file and line",
        "Every public class and function without a docstring is named.",
        "The code is a joy to read",
        "Every finding names its file and line, and is right",
    )
    run = await play(brief_for("Review the docs", criteria=criteria), shop)
    assert [one["judged"] for one in run.result["criteria"]] == [
        "met",
        "met",
        "not_judged",
        "not_judged",
    ]
    assert [one["criterion"] for one in run.result["criteria"]] == list(criteria)
    assert run.result["criteria"][2]["evidence"] == "no model"


@pytest.mark.anyio
async def test_a_criterion_about_all_findings_is_not_met_when_some_are_left(
    mall: ToolContext,
) -> None:
    criterion = "Every public class and function without a docstring is named"
    run = await play(brief_for("Review the docs", criteria=(criterion,)), mall)
    assert run.result["criteria"][0]["judged"] == "not_met"


@pytest.mark.anyio
async def test_a_refused_or_impossible_artifact_is_told(shop: ToolContext) -> None:
    brief = brief_for(agent="Py Reviewer", artifacts=("notes/*.md", "patches/*.diff"))
    refused = await play(brief, shop, refuse_writes=True)
    assert "notes/py-reviewer.md was not written: no grant covers it." in refused.result["summary"]
    assert "patches/*.diff was not written: rules write reports" in refused.result["summary"]
    without = await play(brief, shop, tools=(ANALYZE, REPORT))
    assert "notes/py-reviewer.md was not written: no tool" in without.result["summary"]
    await play(brief, shop)
    assert (shop.root / "notes/py-reviewer.md").is_file()


@pytest.mark.anyio
async def test_an_empty_scope_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelFault, match="nothing was analysed"):
        await play(brief_for(), context_for(tmp_path))


CRITERIA = (
    "Every finding names its file and line",
    "Every public class and function without a docstring is named",
    "The outline lists every public class and function",
)


@pytest.mark.anyio
async def test_of_files_in_other_languages_rules_claim_nothing(tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text("pub fn parse(s: &str) -> i32 { s.parse().unwrap() }\n")
    (tmp_path / "run.js").write_text("eval(process.argv[2])\n")
    run = await play(brief_for("Document the API", criteria=CRITERIA), context_for(tmp_path))
    judged = [one["judged"] for one in run.result["criteria"]]
    assert judged == ["not_judged", "not_judged", "met"]
    assert (
        "Docstrings reads Python only: 2 other files were not looked at (.js, .rs)."
        in run.result["summary"]
    )


@pytest.mark.anyio
async def test_where_no_rule_reads_the_language_a_model_is_needed(tmp_path: Path) -> None:
    (tmp_path / "run.js").write_text("eval(process.argv[2])\n")
    with pytest.raises(NeedsModel, match=r"security reads Python only: 1 other file .*\.js"):
        await play(brief_for("Audit the security"), context_for(tmp_path))
    # Its dependencies are something to tell.
    (tmp_path / "package.json").write_text('{"dependencies": {"express": "^4"}}\n')
    run = await play(brief_for("Audit the security"), context_for(tmp_path))
    assert "1 dependency in 2 files" in run.result["summary"]
    assert "Security reads Python only" in run.result["summary"]


@pytest.mark.anyio
async def test_an_analysis_that_fails_fails_the_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelFault, match=r"the analysis failed: .*nowhere"):
        await play(brief_for(scope=("nowhere",)), context_for(tmp_path))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("goal", "kinds"),
    [
        ("Review the code", {"lint", "complexity"}),
        ("コードレビュー・品質チェック", {"lint", "complexity"}),
        ("Audit session handling", {"security", "dependencies"}),
        ("認証まわりの脆弱性を監査してください", {"security", "dependencies"}),
        ("Which public functions lack docs?", {"docstrings", "outline"}),
        ("APIドキュメントの不足を調べる", {"docstrings", "outline"}),
        ("Improve coverage", {"untested"}),
        ("テストの足りない関数", {"untested"}),
        ("Collect every TODO", {"todos"}),
        ("依存パッケージの一覧", {"dependencies"}),
        ("Find complex functions", {"complexity"}),
        (
            "Comprehensive code review with security, performance, and best practices analysis",
            {"lint", "complexity", "security", "dependencies"},
        ),
    ],
)
async def test_words_of_the_goal_choose_the_rules(goal: str, kinds: set[str]) -> None:
    answer = await Offline().stream(request_for(brief_for(goal)), print)
    assert set(json.loads(answer.calls[0].arguments)["kinds"]) == kinds


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("agent", "goal", "purpose"),
    [
        ("researcher", "Deep research with multi-source validation", ""),
        ("Deep Researcher", "計画→探索→反証→出典付きレポを生成する", ""),
        ("refactorer", "Refactor code to improve performance and reduce complexity", ""),
        ("executor", "Implement features, write code, test them", ""),
        ("architect", "Analyze system architecture, module boundaries and docs", ""),
        ("git4d-schema-auditor", "Check alignment between design docs and prisma schema", ""),
        ("code-reviewer", "Fix the bug on line 2133", "Review code"),
        ("code-reviewer", "ログイン画面を実装して、テストも書く", "Review code"),
        ("helper", "hello", ""),
    ],
)
async def test_what_takes_understanding_needs_a_model(agent: str, goal: str, purpose: str) -> None:
    request = request_for(brief_for(goal, agent=agent, purpose=purpose))
    assert Offline().wanted_output(request) == 0
    with pytest.raises(NeedsModel, match="needs a language model") as caught:
        await Offline().stream(request, print)
    assert "-m PROVIDER/MODEL" in caught.value.help


@pytest.mark.anyio
async def test_a_goal_without_a_known_word_is_left_to_the_agent() -> None:
    by_name = request_for(brief_for("look at sessions", agent="sec-audit"))
    by_purpose = request_for(brief_for("look at sessions", agent="bob", purpose="Finds TODOs"))
    for request, kinds in ((by_name, ["security", "dependencies"]), (by_purpose, ["todos"])):
        answer = await Offline().stream(request, print)
        assert json.loads(answer.calls[0].arguments)["kinds"] == kinds


@pytest.mark.anyio
async def test_rules_without_the_analyze_tool_name_the_line_to_add() -> None:
    request = request_for(brief_for(), tools=(WRITE,))
    with pytest.raises(NeedsModel) as caught:
        await Offline().stream(request, print)
    assert caught.value.help == "add `analyze` to its tools"
