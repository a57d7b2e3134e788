"""The table of tools: names, schemas, arguments, what a run is offered."""

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.agents.toolnames import ACTING, ALIASES, BUILT_IN, READING, WRITING
from codexd.errors import Source, ToolFault
from codexd.models import ToolSchema
from codexd.policy import Grant, Layer, Policy
from codexd.tools import table
from codexd.tools.interface import Effect

HERE = Source("agent.yaml", 3)


def test_every_built_in_name_has_its_tool_and_no_other() -> None:
    assert sorted(table.TOOLS) == sorted(BUILT_IN)
    assert [tool.name for tool in table.TOOLS.values()] == list(table.TOOLS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_tool_calls_prepares_or_is_performed_by_the_loop(name: str) -> None:
    tool = table.TOOLS[name]
    assert (tool.call is None) == (name in WRITING + ACTING)
    assert (tool.prepare is not None) == (name in WRITING)
    assert (tool.effect is Effect.FILE_WRITE) == (name in WRITING)
    assert (tool.effect is Effect.NONE) >= (name in READING)


@pytest.mark.parametrize("name", [*BUILT_IN, *ALIASES])
def test_names_and_aliases_resolve(name: str) -> None:
    tool = table.resolve(name)
    assert tool is not None
    assert tool.name == ALIASES.get(name, name)


def test_an_unknown_name_resolves_to_nothing_and_has_a_nearest() -> None:
    assert table.resolve("codex_reed_file") is None
    assert table.nearest("codex_reed_file") == "codex_read_file"


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_schema_is_plain_json_of_an_object(name: str) -> None:
    offer = table.schema_of(table.TOOLS[name])
    text = json.dumps(offer.parameters)
    assert offer.parameters["type"] == "object"
    assert offer.parameters["additionalProperties"] is False
    assert offer.description
    assert not any(word in text for word in ("$ref", "$defs", '"null"', '"title": "'))
    for property in offer.parameters["properties"].values():
        assert property


def test_a_schema_has_the_shape_that_models_take() -> None:
    names = [field.name for field in fields(ToolSchema)]
    assert [field.name for field in fields(table.Offer)] == names
    assert table.schema_of(table.TOOLS["shell"], "bash").name == "bash"


def parse(name: str, data: Any) -> Any:
    tool = table.resolve(name)
    assert tool is not None
    return table.parse_arguments(tool, data if isinstance(data, str) else json.dumps(data))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("grep", {"patern": "x"}, ["`pattern` is missing", "unknown `patern`", "`pattern`"]),
        ("grep", {"pattern": "x", "head_limitt": 3}, ["unknown `head_limitt`", "`max_results`"]),
        ("grep", {"pattern": "x", "before": 99}, ["`before`", "20", "99"]),
        ("grep", "[1]", ["list", "one JSON object"]),
        ("grep", "{", ["no JSON", "line 1 column 1"]),
        ("grep", "[" * 200_000, ["no JSON"]),
        ("shell", {"command": 5}, ["`command`", "got 5"]),
        ("git_diff", {"context": "many"}, ["`context`", '"many"']),
        ("read_file", {"path": "a", "ofset": 3}, ["unknown `ofset`", "nearest: `offset`"]),
        (
            "report_finding",
            {"findings": [{"path": "a", "line": 0, "mesage": "x"}]},
            ["`findings.0.line`", "unknown `findings.0.mesage`", "nearest: `message`"],
        ),
        (
            "update_plan",
            {"plan": [{"step": "a", "status": "soon"}]},
            ["`plan.0.status`", "'pending'"],
        ),
        ("web_fetch", {}, ["`url` is missing"]),
    ],
)
def test_bad_arguments_are_told_so_that_a_model_can_mend_them(
    name: str, data: Any, said: list[str]
) -> None:
    with pytest.raises(ToolFault) as fault:
        parse(name, data)
    text = f"{fault.value} {fault.value.help}"
    assert all(word in text for word in said), text


def test_no_arguments_are_an_empty_object() -> None:
    assert parse("git_status", "").paths == ()
    assert parse("git_status", " {} ").paths == ()


@pytest.mark.parametrize(
    ("name", "data", "field", "value"),
    [
        ("grep", {"regex": "x"}, "pattern", "x"),
        ("grep", {"pattern": "x", "-i": True}, "ignore_case", True),
        ("grep", {"pattern": "x", "-C": 2}, "context", 2),
        ("grep", {"pattern": "x", "output_mode": "files_with_matches"}, "output", "files"),
        ("grep", {"pattern": "x", "path": "src"}, "paths", ("src",)),
        ("glob", {"glob_pattern": "*.py"}, "pattern", ("*.py",)),
        ("shell", {"command": ["ls", "-l"]}, "command", ("ls", "-l")),
        ("shell", {"cmd": "ls -l"}, "command", "ls -l"),
        ("shell", {"command": "ls", "timeout": 5}, "timeout_seconds", 5),
        ("web_search", {"search_term": "x"}, "query", "x"),
        ("delegate", {"subagent_type": "a", "prompt": "b"}, "agent", "a"),
        ("delegate", {"agent": "a", "task": "b", "scope": "src"}, "scope", ("src",)),
        ("git_show", {"commit": "abc"}, "revision", "abc"),
        ("codebase_search", {"query": "x", "target_directories": []}, "paths", ()),
    ],
)
def test_spellings_of_other_products_are_understood(
    name: str, data: Any, field: str, value: Any
) -> None:
    assert getattr(parse(name, data), field) == value


OBJECTS = st.dictionaries(st.text(), st.none() | st.integers() | st.text()).map(json.dumps)


@given(st.text() | OBJECTS)
def test_any_text_is_arguments_or_a_fault(text: str) -> None:
    for name in ("grep", "report_finding", "update_plan", "shell", "apply_patch"):
        with suppress(ToolFault):
            assert table.parse_arguments(table.TOOLS[name], text)


# --- what is offered ------------------------------------------------------------------------


def policy(**grants: tuple[str, ...]) -> Policy:
    given: dict[str, Any] = {
        name: tuple(Grant(value, HERE) for value in values) for name, values in grants.items()
    }
    return (replace(Layer("agent x", HERE), **given),)


def offer(
    *names: str, policy: Policy, shell_allowed: bool = True, web_search: bool = True
) -> tuple[list[str], str]:
    tools, notes = table.offered(
        names, shell_allowed=shell_allowed, web_search=web_search, policy=policy
    )
    return [tool.name for tool in tools], "\n".join(notes)


WIDE = policy(exec=("git",), net=("https://*",), write=("out",))


def test_everything_granted_is_offered_once_in_the_order_asked() -> None:
    assert offer(*BUILT_IN, "codex_grep", "bash", policy=WIDE) == (list(BUILT_IN), "")


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("shell", {"shell_allowed": False}, 'sandbox = "none"'),
        ("web_search", {"web_search": False}, "no search service"),
        ("shell", {"policy": policy(net=())}, "no command is granted"),
        ("shell", {"policy": (*WIDE, *policy(exec=()))}, "no command is granted"),
        ("web_fetch", {"policy": policy(exec=("git",))}, "no host is granted"),
        ("write", {"policy": policy(read=(".",))}, "`write_file` is not offered: no path"),
        ("apply_patch", {"policy": ()}, "no path"),
        ("grep", {"policy": policy(tools=("glob",))}, "agent.yaml:3"),
        ("grpe", {}, "`grpe` is no built-in tool; the nearest is `grep`"),
        ("mcp__x__y", {}, "`mcp__x__y` is no built-in tool"),
    ],
)
def test_what_is_not_offered_is_told_with_its_reason(
    name: str, more: dict[str, Any], said: str
) -> None:
    asked: dict[str, Any] = {"policy": WIDE, **more}
    names, notes = offer(name, **asked)
    assert names == []
    assert said in notes


# --- acting ---------------------------------------------------------------------------------


def test_one_finding_or_many_are_reported() -> None:
    one = {"file": "src/a.py", "line": 3, "message": "unused", "severity": "High"}
    for data in (one, {"finding": one}, {"findings": [one]}):
        (finding,) = parse("report_finding", data).findings
        assert (finding.path, finding.line, finding.severity) == ("src/a.py", 3, "error")
        assert finding.column == 1


def test_a_plan_is_steps_with_a_status() -> None:
    plan = parse("update_plan", {"todos": [{"content": "look", "status": "done"}, {"step": "fix"}]})
    assert [(step.step, step.status) for step in plan.plan] == [
        ("look", "completed"),
        ("fix", "pending"),
    ]


def test_a_delegation_has_an_agent_a_goal_and_bounds() -> None:
    asked = parse("delegate", {"agent": "a", "goal": "b", "scope": ["x"], "budget": 100})
    assert (asked.agent, asked.goal, asked.scope, asked.budget) == ("a", "b", ("x",), 100)
    with pytest.raises(ToolFault):
        parse("delegate", {"agent": "a", "goal": "b", "budget": -1})


# --- importing ------------------------------------------------------------------------------


def test_importing_loads_nothing_heavy() -> None:
    program = """
import sys, codexd.tools.table as table
print([name for name in ("anyio", "asyncio", "subprocess", "sqlite3") if name in sys.modules])
list(table.TOOLS.values())
print([name for name in ("httpx", "aiohttp", "lizard", "sqlite3") if name in sys.modules])
"""
    daemon = Path(table.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(daemon)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.split("\n") == ["[]", "[]", ""]
