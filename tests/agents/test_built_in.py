"""The built-in agents: what each may do, what it may spend, and whom rules can serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from codexd.agents.toolnames import ACTING, BUILT_IN, REACHING, canonical
from codexd.errors import NeedsModel
from codexd.models import Brief, Request, ToolSchema
from codexd.models.offline import Offline

FOLDER = Path(__file__).parents[2] / "agents"

AGENTS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.yaml"))
}

BUDGETS = {
    "code-reviewer": 40_000,
    "dependency-scout": 20_000,
    "docs-gen": 15_000,
    "planning": 30_000,
    "refactorer": 50_000,
    "researcher": 60_000,
    "sec-audit": 40_000,
    "test-gen": 40_000,
}

OFFLINE = {
    "code-reviewer": ["lint", "complexity"],
    "dependency-scout": ["dependencies"],
    "docs-gen": ["docstrings", "outline"],
    "sec-audit": ["security", "dependencies"],
    "test-gen": ["untested"],
}


def request_for(agent: dict[str, Any]) -> Request:
    brief = Brief(
        agent=agent["name"],
        purpose=f"{agent['goal']} {agent['description']}",
        goal=agent["goal"],
        criteria=tuple(agent["success_criteria"]),
        artifacts=tuple(agent.get("artifacts", ())),
    )
    tools = tuple(ToolSchema(name, "", {}) for name in agent["tools"]["mcp"])
    return Request("", (), tools, 10_000, brief)


def test_there_are_eight_each_named_as_its_file_with_its_budget() -> None:
    budgets = {name: one["policies"]["context"]["max_tokens"] for name, one in AGENTS.items()}
    assert budgets == BUDGETS
    assert all(one["name"] == name for name, one in AGENTS.items())


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_says_what_it_is_for_and_when_it_has_succeeded(name: str) -> None:
    agent = AGENTS[name]
    assert all(agent[key] for key in ("description", "goal", "instructions", "success_criteria"))
    assert all(tool in BUILT_IN and canonical(tool) == tool for tool in agent["tools"]["mcp"])


@pytest.mark.parametrize("name", AGENTS)
def test_no_agent_has_more_than_it_needs(name: str) -> None:
    tools = AGENTS[name]["tools"]
    assert tools["shell"] == []
    assert not {"shell", "delegate"} & set(tools["mcp"])
    reaching = bool(set(tools["mcp"]) & set(REACHING))
    assert bool(tools["net"]["allow"]) == reaching == (name in ("researcher", "dependency-scout"))
    assert not any("*" in host.split("/")[2] for host in tools["net"]["allow"])
    beside = ["**/*.test.*", "**/*.spec.*", "**/*_test.*", "**/test_*.py"]
    may_change = {"test-gen": ["./tests", "./test", "./__tests__", *beside], "refactorer": ["./"]}
    assert tools["fs"]["write"] == may_change.get(name, [])


@pytest.mark.parametrize("name", AGENTS)
def test_what_declares_an_artifact_can_write_it(name: str) -> None:
    agent = AGENTS[name]
    assert bool(agent.get("artifacts")) == ("write_file" in agent["tools"]["mcp"])
    assert set(ACTING) & set(agent["tools"]["mcp"])


@pytest.mark.anyio
@pytest.mark.parametrize("name", AGENTS)
async def test_rules_serve_five_of_them_and_say_so_of_the_rest(name: str) -> None:
    request = request_for(AGENTS[name])
    if name in OFFLINE:
        answer = await Offline().stream(request, print)
        assert f'"kinds":{OFFLINE[name]}'.replace("'", '"').replace(" ", "") in (
            answer.calls[0].arguments
        )
    else:
        with pytest.raises(NeedsModel):
            await Offline().stream(request, print)


def test_the_three_of_the_demo_have_eleven_criteria() -> None:
    demo = ("code-reviewer", "sec-audit", "docs-gen")
    assert sum(len(AGENTS[name]["success_criteria"]) for name in demo) == 11
