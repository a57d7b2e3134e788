"""Agents from a description: made by a model in a run of its own, or by a rule; then run."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import anyio
import pytest
from tests.cli.program import codexd, environment, model_flags, workspace
from tests.house import House, agent, call, house, result
from tests.model_server import ModelServer, Scripted, Used

from codexd import CreateAgent
from codexd.agents import dialects
from codexd.errors import BadRequest, Denied, ModelFault, NeedsModel
from codexd.orchestrator import CreatedAgent
from codexd.runs.events import Noted, Started
from codexd.runs.view import RunView, Status

pytestmark = pytest.mark.anyio

AGENT: dict[str, Any] = {
    "name": "licence-checker",
    "description": "Finds files without a licence.",
    "goal": "Check licences.",
    "instructions": "Look at each file.\nReport what has none.",
    "tools": ["read_file", "grep"],
    "artifacts": [],
    "net": [],
    "max_tokens": 30_000,
    "success_criteria": ["Every file was looked at"],
}
DONE = Scripted(text=result("checked", **{"Every file was looked at": "met"}))


def made(change: Mapping[str, Any] | None = None, **more: Any) -> Scripted:
    """An answer that holds an agent."""
    data = AGENT | dict(change or {})
    answer: dict[str, Any] = {"summary": "made an agent", "criteria": [], "data": data}
    return Scripted(text=json.dumps(answer), **more)


async def create(
    here: House, prompt: str = "find files without a licence", **wanted: Any
) -> tuple[RunView, list[CreatedAgent]]:
    run = await here.codexd.create_agent(CreateAgent(prompt=prompt, **wanted))
    return run, [told for told in here.told if isinstance(told, CreatedAgent)]


def policy_of(yaml: str) -> tuple[tuple[str, ...], list[Any]]:
    """(tools, [writes, programs, hosts]) of an agent file's text, read as any other."""
    definition, remarks = dialects.read(Path("made.yaml"), yaml.encode(), "workspace")
    assert definition is not None
    assert not remarks
    policy = definition.policy
    return definition.tools, [
        [grant.value for grant in grants or ()]
        for grants in (policy.write, policy.exec, policy.net)
    ]


# By a model.


async def test_a_model_makes_the_agent_and_it_runs(tmp_path: Path) -> None:
    async with house(tmp_path, [made(), DONE]) as here:
        run, [shown] = await create(here)
        [making, _] = sorted(await here.codexd.runs(), key=lambda each: each.started_at)
        schema = here.server.requests[0].body["response_format"]["json_schema"]["schema"]
        system = here.server.requests[1].body["messages"][0]["content"]
    assert (run.agent, run.status, run.goal) == (
        "licence-checker", Status.COMPLETED, "Check licences.",
    )  # fmt: skip
    assert [criterion.judged for criterion in run.criteria] == ["met"]
    assert (shown.name, shown.origin) == ("licence-checker", "the model")
    assert (making.agent, making.status) == ("agent-create", Status.COMPLETED)
    assert set(schema["properties"]["data"]["required"]) == set(AGENT)
    assert "Report what has none." in system


async def test_the_goal_given_is_the_runs(tmp_path: Path) -> None:
    async with house(tmp_path, [made(), DONE]) as here:
        run, _ = await create(here, goal="only src")
    assert run.goal == "only src"


@pytest.mark.parametrize(
    ("first", "wrong"),
    [
        (Scripted(text="I made you a nice agent."), "as the JSON object"),
        (Scripted(text=result("made")), "`data` is not of the type object"),
        (made({"tools": "all"}), "`data.tools` is not of the type array"),
        (made({"tools": ["read_file", "shell"]}), "`data.tools[1]` is none of"),
    ],
)
async def test_a_bad_first_answer_is_asked_for_again_with_what_is_wrong(
    tmp_path: Path, first: Scripted, wrong: str
) -> None:
    async with house(tmp_path, [first, made(), DONE]) as here:
        run, [shown] = await create(here)
        said = here.server.requests[1].body["messages"][-1]["content"]
    assert wrong in said
    assert (run.status, shown.name) == (Status.COMPLETED, "licence-checker")


async def test_it_is_asked_for_again_once(tmp_path: Path) -> None:
    nothing = Scripted(text="Sorry, here is a poem.")
    async with house(tmp_path, [nothing, nothing, DONE]) as here:
        with pytest.raises(ModelFault, match="no agent was made"):
            await create(here)
        [making] = await here.codexd.runs()
        asked = [note.ask for note in here.bodies(making, Noted)]
    assert len(here.server.requests) == 2
    assert asked == ["result"]


async def test_a_making_that_does_not_complete_is_the_result(tmp_path: Path) -> None:
    async with house(tmp_path, [Scripted(status=400, message="no such model")]) as here:
        run, shown = await create(here)
    assert (run.agent, run.status, shown) == ("agent-create", Status.FAILED, [])
    assert "no such model" in run.reason


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("../../etc/Passwd", "etc-passwd"),
        ("/tmp/x", "tmp-x"),
        ("..", "find-files-without-a-licence"),
        ("con\x00trol\n", "control"),
        ("code-reviewer", "code-reviewer-2"),
        ("x" * 300, "x" * 40),
    ],
)
async def test_a_name_is_safe_to_be_a_files(tmp_path: Path, asked: str, name: str) -> None:
    async with house(tmp_path, [made({"name": asked}), DONE]) as here:
        run, [shown] = await create(here, save=True)
        saved = sorted(path.name for path in (here.workspace / ".codex/agents").iterdir())
    assert run.agent == shown.name == name
    assert saved == sorted([f"{name}.yaml", "worker.yaml"])


async def test_an_agent_that_asks_for_everything_gets_the_least(tmp_path: Path) -> None:
    greedy = {
        "tools": ["read_file", "write_file", "shell", "web_fetch", "delegate"],
        "artifacts": ["artifacts/report.md", "src/main.py", "../x", ".codex/agents/me.yaml"],
        "net": ["https://*", "https://evil.example/*", "https://docs.rs/*"],
        "shell": {"exec": ["bash"]},
        "fs": {"write": ["./"]},
        "max_tokens": 10_000_000,
    }
    prompt = "compare our crates with https://docs.rs"
    answer = made(greedy)
    # Asked again, it insists.
    async with house(tmp_path, [answer, answer, DONE]) as here:
        run, [shown] = await create(here, prompt=prompt, budget=30_000)
        [started] = here.bodies(run, Started)
    tools, grants = policy_of(shown.yaml)
    assert set(tools) == {
        "read_file", "write_file", "web_fetch", "report_finding", "update_plan",
    }  # fmt: skip
    assert grants == [["artifacts/report.md"], [], ["https://docs.rs/*"]]
    offered = {tool["name"] for tool in started.tools}
    assert not offered & {"shell", "delegate", "apply_patch", "web_search"}
    assert run.budget < 30_000


async def test_a_budget_holds_for_making_and_running_together(tmp_path: Path) -> None:
    answer = made({"max_tokens": 500_000}, usage=Used(6_000, 1_500))
    work = Scripted(calls=(call("read_file", path="a.txt"),), usage=Used(4_000, 500))
    async with house(tmp_path, [answer, *[work] * 50]) as here:
        run, [shown] = await create(here, budget=20_000)
        runs = await here.codexd.runs()
    assert "max_tokens: 12500" in shown.yaml
    assert run.budget == 12_500
    assert run.status is Status.BUDGET_EXCEEDED
    assert sum(each.spent for each in runs) <= 20_000


async def test_a_budget_that_the_making_ate_leaves_nothing_to_run_on(tmp_path: Path) -> None:
    async with house(tmp_path, [made(usage=Used(5_000, 4_000)), DONE]) as here:
        run, _ = await create(here, budget=9_000)
        assert len(here.server.requests) == 1
    assert (run.agent, run.status, run.budget) == ("licence-checker", Status.BUDGET_EXCEEDED, 0)


async def test_an_agent_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    theirs = agent("licence-checker")
    async with house(tmp_path, [made(), DONE], theirs) as here:
        path = here.workspace / ".codex/agents/licence-checker.yaml"
        before = path.read_bytes()
        with pytest.raises(BadRequest, match="is there already"):
            await create(here, save=True)
        assert path.read_bytes() == before
        assert len(here.server.requests) == 1


async def test_nothing_is_saved_through_a_link_that_leads_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    async with house(tmp_path, [made(), DONE]) as here:
        folder = here.workspace / ".codex/agents"
        (folder / "worker.yaml").unlink()
        folder.rmdir()
        folder.symlink_to(outside)
        with pytest.raises(Denied, match="symbolic links"):
            await create(here, save=True)
    assert list(outside.iterdir()) == []


async def test_an_empty_description_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, []) as here:
        with pytest.raises(BadRequest, match="empty"):
            await create(here, prompt=" \n")


# By a rule.


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        ("audit for SQL injection and secrets", "sec-audit"),
        (
            "Create a code security auditor that scans for SQL injection and XSS vulnerabilities",
            "sec-audit",
        ),
        ("Write me an agent that reviews code", "code-reviewer"),
        ("依存パッケージのライセンスを調べる", "dependency-scout"),
    ],
)
async def test_offline_it_comes_from_the_nearest_built_in_which_is_named(
    tmp_path: Path, prompt: str, rule: str
) -> None:
    files = {"app.py": "import requests\n\n\ndef load(x):\n    return eval(x)\n"}
    async with house(tmp_path, [], model="offline", files=files) as here:
        run, [shown] = await create(here, prompt=prompt)
    assert shown.origin == f"the built-in {rule}"
    assert (run.agent, run.status, run.model) == (rule, Status.COMPLETED, "offline")


@pytest.mark.parametrize("prompt", ["write a poem about tests", "帽子を売る"])
async def test_offline_what_rules_cannot_do_needs_a_language_model(
    tmp_path: Path, prompt: str
) -> None:
    async with house(tmp_path, [], model="offline") as here:
        with pytest.raises(NeedsModel, match="language model"):
            await create(here, prompt=prompt)
        assert await here.codexd.runs() == ()


# From the terminal.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return workspace(tmp_path / "work")


async def scripted(
    folder: Path, script: list[Scripted], *argv: str
) -> tuple[CompletedProcess[str], ModelServer]:
    async with ModelServer(script) as server:
        command = [sys.executable, "-m", "codexd", "agent-create", *argv, *model_flags(server)]
        done = await anyio.run_process(command, cwd=folder, env=environment(), check=False)
    return (
        CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode()),
        server,
    )


async def test_save_shows_what_it_writes_and_what_it_writes_runs(folder: Path) -> None:
    argv = ["find files without a licence", "--save", "--budget", "40000", "-o", "result.json"]
    done, _ = await scripted(folder, [made(), DONE], *argv)
    assert done.returncode == 0, done.stderr
    written = (folder / ".codex/agents/licence-checker.yaml").read_text()
    head, *rest = done.stderr.partition("licence-checker (from the model)")[2].splitlines()
    assert head == " → .codex/agents/licence-checker.yaml"
    shown = "\n".join(line.removeprefix("  ") for line in rest)
    assert shown.startswith(written)
    assert done.stdout.startswith("✔ licence-checker  completed  ")
    assert json.loads((folder / "result.json").read_text())["agent"] == "licence-checker"
    assert codexd(folder, "agents", "validate").returncode == 0
    again = json.loads(codexd(folder, "agents", "show", "licence-checker", "--json").stdout)
    assert again["agent"]["instructions"] == AGENT["instructions"]


async def test_a_taken_name_is_a_usage_error_that_keeps_the_file(folder: Path) -> None:
    path = folder / ".codex/agents/licence-checker.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(agent("licence-checker"))
    done, server = await scripted(folder, [made(), DONE], "find licences", "--save")
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert path.read_text() == agent("licence-checker")
    assert len(server.requests) == 1


def test_offline_the_terminal_says_which_rule_it_is(folder: Path) -> None:
    done = codexd(folder, "agent-create", "review this code for bugs", "--json")
    assert "code-reviewer (from the built-in code-reviewer)" in done.stderr
    assert json.loads(done.stdout)["status"] == "completed"
    poem = codexd(folder, "agent-create", "write a poem")
    assert poem.returncode == 1
    assert "needs a language model" in poem.stderr
