"""Each dialect becomes a definition, and what it cannot mean is said at the very place."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.agents.definition import AgentDefinition, Retention
from codexd.agents.dialects import read
from codexd.agents.toolnames import READING
from codexd.errors import Diagnostic, Severity, Source
from codexd.policy import Approval

FIXTURES = Path(__file__).parent / "fixtures"
ACTS = ("report_finding", "update_plan")


def load(name: str, origin: str = "workspace") -> tuple[AgentDefinition, list[str]]:
    """The definition in a fixture, and its remarks as `line:column severity code`."""
    path = FIXTURES / name
    definition, remarks = read(path, path.read_bytes(), origin)
    assert definition is not None, [str(remark) for remark in remarks]
    return definition, shown(remarks)


def shown(remarks: tuple[Diagnostic, ...]) -> list[str]:
    return [f"{each.line}:{each.column} {each.severity} {each.code}" for each in remarks]


def remarks_on(text: str, name: str = "x.yaml", origin: str = "workspace") -> list[Diagnostic]:
    return list(read(Path(name), text.encode(), origin)[1])


def defined(text: str, name: str = "x.yaml", origin: str = "workspace") -> AgentDefinition:
    definition, remarks = read(Path(name), text.encode(), origin)
    assert definition is not None, [str(remark) for remark in remarks]
    return definition


def values(grants: object) -> list[str]:
    return [grant.value for grant in cast("Any", grants or ())]


# --- the shapes ------------------------------------------------------------------------------


def test_the_runtime_shape_is_read_whole():
    agent, remarks = load("runtime.yaml")

    assert (agent.name, agent.slug, agent.dialect) == ("Runtime Agent", "runtime-agent", "yaml")
    assert agent.description == "The runtime shape, whole"
    assert agent.goal == "Look at the code"
    assert agent.tools == (
        "read_file", "grep", "write_file", "apply_patch", "web_fetch", "shell",
        *ACTS,
    )  # fmt: skip
    assert agent.mcp_tools == ("code_indexer",)
    assert agent.max_tokens == 40_000
    assert agent.max_tokens_source == Source(str(FIXTURES / "runtime.yaml"), 27, 5)
    assert agent.retention is Retention.JOB
    assert agent.redact is False
    assert agent.success_criteria == ("Everything was read",)
    assert agent.artifacts == ("artifacts/report.md", "notes/*.md")
    assert agent.extras == {"research_strategy": {"depth": 3, "breadth": 8}}
    assert remarks == [
        "9:7 warning unknown-tool",
        "20:9 information no-tier",
        "30:13 information redact-false",
        "36:1 information told-to-model",
    ]


def test_the_list_shape_is_read_whole():
    agent, remarks = load("list.yaml")

    assert agent.mcp_servers == ("codex-agent",)
    assert agent.tools == ("web_search", *ACTS)
    assert agent.instructions == "You research.\nSlowly.\n"
    assert (agent.version, agent.capabilities) == ("1.0", ("deep_research",))
    assert (agent.max_tokens, agent.temperature) == (10_000, 0.7)
    assert (agent.max_parallel_tasks, agent.timeout_seconds) == (3, 300.0)
    assert agent.retention is Retention.PERMANENT
    assert agent.redact is True
    assert agent.extras == {}
    assert remarks == ["7:13 information not-honoured"]


def test_the_flat_shape_is_read_whole():
    agent, remarks = load("flat.yaml")

    assert agent.tools == ("grep", "shell", *ACTS)
    assert values(agent.policy.exec) == ["*"]
    assert agent.instructions == "You review."
    assert (agent.model, agent.max_tokens, agent.timeout_seconds) == ("some-model", 4096, 3600.0)
    assert agent.extras == {
        "termination_conditions": [{"type": "task_complete", "condition": "the user says so"}]
    }
    assert remarks == [
        "7:5 information no-tier",
        "8:15 information not-honoured",
        "10:5 information told-to-model",
    ]


def test_the_shapes_mix():
    agent = defined(
        """\
name: mixed
instructions: First.
system_prompt: Second.
max_tokens: 900
tools:
  mcp:
    - grep
    - {type: mcp, server: docs}
  fs: {read: true}
policies:
  context: {max_tokens: 1000}
resource_limits: {timeout_seconds: 90}
termination_conditions: [{type: timeout, duration_minutes: 1}]
"""
    )
    assert agent.instructions == "First.\n\nSecond."
    assert agent.max_tokens == 900
    assert agent.max_tokens_source == Source("x.yaml", 4, 1)
    assert agent.timeout_seconds == 60.0
    assert agent.mcp_servers == ("docs",)


def test_a_codex_agent_is_read_whole():
    agent, remarks = load("codex.toml")

    assert (agent.name, agent.dialect, agent.description) == ("codex-agent", "toml", "Reads")
    assert agent.instructions == "Do it.\n"
    assert (agent.model, agent.reasoning_effort) == ("some-model", "high")
    assert agent.tools == (*READING, "shell", "write_file", "apply_patch", "web_search", *ACTS)
    assert values(agent.policy.read) == values(agent.policy.write) == ["./"]
    assert values(agent.policy.exec) == ["*"]
    assert agent.policy.net == ()
    assert agent.mcp_servers == ("docs",)
    assert agent.extras == {}
    assert remarks == [
        "3:1 information not-honoured",
        "6:16 information no-tier",
        "12:14 information not-honoured",
        "15:2 information not-honoured",
    ]


def test_a_claude_agent_is_read_whole():
    agent, remarks = load("claude.md", "claude")

    assert (agent.name, agent.dialect) == ("claude-agent", "claude")
    assert agent.description == "Use when: anything happens"
    assert agent.instructions == "You help.\n\n---\nStill the body."
    assert agent.tools == ("read_file", "grep", "shell", "apply_patch", *ACTS)
    assert (agent.mcp_servers, agent.mcp_tools) == (("docs",), ("lookup",))
    assert values(agent.policy.exec) == ["git diff"]
    assert values(agent.policy.write) == ["./"]
    assert "web_fetch" not in values(agent.policy.tools)
    assert "web_search" in values(agent.policy.tools)
    assert agent.policy.approval is Approval.ON_REQUEST
    assert (agent.model, agent.max_turns) == (None, 12)
    assert remarks == [
        "3:22 warning loose-text",
        "4:20 information no-tier",
        "4:44 information not-honoured",
        "4:63 warning unknown-tool",
        "10:1 warning not-honoured",
        "11:1 information not-honoured",
    ]


def test_a_cursor_agent_is_read_whole():
    agent, remarks = load("cursor.md", "cursor")

    assert (agent.name, agent.dialect, agent.model) == ("cursor-agent", "cursor", None)
    assert agent.description == "日本語の説明"
    assert agent.instructions == "Fix it."
    assert agent.tools == (*READING, *ACTS)
    assert agent.policy.write == agent.policy.exec == agent.policy.net == ()
    assert remarks == ["2:7 information default-profile"]


def test_a_vscode_agent_is_read_whole():
    agent, remarks = load("vscode.agent.md", "github")

    assert (agent.name, agent.dialect, agent.description) == ("vscode", "vscode", "Plans")
    assert agent.instructions == "Plan it."
    assert agent.tools == (
        "codebase_search", "apply_patch", "write_file", "shell", "web_fetch", *ACTS,
    )  # fmt: skip
    assert agent.model == "First Model (copilot)"
    assert agent.mcp_servers == ("docs", "github")
    assert values(agent.policy.write) == ["./"]
    assert "delegate" not in values(agent.policy.tools)
    assert remarks == [
        "1:1 information stem",
        "3:41 information no-tier",
        "3:56 warning not-granted",
        "3:65 information not-honoured",
        "3:77 warning unknown-tool",
        "4:8 information not-honoured",
        "5:1 information not-honoured",
        "7:1 information not-honoured",
        "11:3 information not-honoured",
    ]


def test_only_what_is_needed_has_to_be_there():
    agent = defined("name: small\n")
    assert agent.tools == ACTS
    assert agent.policy.read is None
    assert agent.policy.write == agent.policy.exec == agent.policy.net == ()
    assert agent.max_tokens is None


# --- keys and types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "severity", "nearest"),
    [
        ("name: x\ntols: {mcp: []}\n", 2, 1, "error", "tools"),
        ("name: x\nmax_token: 5\n", 2, 1, "error", "max_tokens"),
        ("name: x\nmaxTokens: 5\n", 2, 1, "error", "max_tokens"),
        ("name: x\ntools:\n  fs: {wirte: [./a]}\n", 3, 8, "error", "write"),
        ("name: x\ntools:\n  nets: {allow: []}\n", 3, 3, "error", "net"),
        ("name: x\npolicies: {permisions: {}}\n", 2, 12, "error", "permissions"),
        ("name: x\nfs: {read: true}\n", 2, 1, "error", "tools.fs"),
        ("name: x\npermissions: {}\n", 2, 1, "error", "policies.permissions"),
        ("name: x\npolicy: {}\n", 2, 1, "error", "policies"),
        ("name: x\ndisallowed_tools: [shell]\n", 2, 1, "error", "tools"),
        ("name: x\ntimeout: 5\n", 2, 1, "error", "resource_limits.timeout_seconds"),
        (
            "name: x\nresource_limits: {max_tokens: 5}\n",
            2, 19, "error", "policies.context.max_tokens",
        ),
        ("name: x\ndescripton: y\n", 2, 1, "warning", "description"),
        ("name: x\nsuccess-criteria: [y]\n", 2, 1, "warning", "success_criteria"),
        ("name: x\npolicies: {context: {colour: red}}\n", 2, 22, "warning", ""),
        ("name: x\nlinters: [ruff]\n", 2, 1, "information", ""),
        ("name: x\nframeworks: [ruff]\n", 2, 1, "information", ""),
        ("name: x\nwriter: me\n", 2, 1, "information", ""),
    ],
)  # fmt: skip
def test_an_unknown_key_is_named_where_it_stands(
    text: str, line: int, column: int, severity: str, nearest: str
):
    remarks = remarks_on(text)
    assert [(each.line, each.column, each.severity, each.nearest) for each in remarks] == [
        (line, column, severity, nearest)
    ]


def test_a_key_that_limits_nothing_here_is_an_error_in_other_dialects_too():
    for text, name in (
        ("name = 'x'\ndescription = 'y'\ndeveloper_instructions = 'z'\nmax_tokens = 5\n", "x.toml"),
        ("---\nname: x\ntools: Read\nmax_tokens: 5\n---\n", "x.md"),
        ("---\nname: x\ntools: [read]\npermissionMode: plan\n---\n", "x.agent.md"),
    ):
        errors = [each for each in remarks_on(text, name) if each.severity is Severity.ERROR]
        assert [(each.line, each.column) for each in errors] == [(4, 1)]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("goal: x\n", 1, 1, "needs a name"),
        ("name: ' '\n", 1, 7, "needs a name"),
        ("name: 12\n", 1, 7, "a text was expected, not the number 12"),
        ("name: '...'\n", 1, 7, "a letter or digit"),
        ("name: [a]\n", 1, 7, "a text was expected, not a list"),
        ("name: x\ntools: grep\n", 2, 8, "keys and values were expected"),
        ("name: x\ntools: {mcp: grep}\n", 2, 14, "a list was expected"),
        ("name: x\ntools: {mcp: [1]}\n", 2, 15, "a tool's name"),
        ("name: x\ntools:\n  - server: a\n    type: http\n", 4, 11, "`type: mcp`"),
        ("name: x\ntools: [{type: mcp}]\n", 2, 9, "needs `server`"),
        ("name: x\ntools: [{type: mcp, server: ''}]\n", 2, 9, "needs `server`"),
        ("name: x\ntools: {fs: {read: maybe}}\n", 2, 20, "`true` or `false`"),
        ("name: x\ntools: {fs: {write: true}}\n", 2, 21, "a list of paths"),
        ("name: x\ntools: {fs: {write: [a, 3]}}\n", 2, 25, "not the number 3"),
        ("name: x\ntools: {shell: cargo}\n", 2, 16, "keys and values were expected"),
        ("name: x\nmax_tokens: 1.5\n", 2, 13, "a whole number, 0 or more"),
        ("name: x\nmax_tokens: -1\n", 2, 13, "a whole number, 0 or more"),
        ("name: x\nmax_tokens: true\n", 2, 13, "not `true`"),
        ("name: x\nmax_tokens: 40_000\n", 2, 13, "the text `40_000`"),
        ("name: x\ntemperature: 3\n", 2, 14, "0 to 2"),
        ("name: x\ntemperature: .nan\n", 2, 14, "0 to 2"),
        ("name: x\nresource_limits: {timeout_seconds: 0}\n", 2, 36, "more than 0"),
        ("name: x\nresource_limits: {timeout_seconds: .inf}\n", 2, 36, "more than 0"),
        ("name: x\npolicies: {context: {retention: jobs}}\n", 2, 33, "one of job, session"),
        ("name: x\npolicies: []\n", 2, 11, "keys and values"),
        ("name: x\npolicies: {secrets: {redact: yes}}\n", 2, 30, "`true` or `false`"),
        ("name: x\nsuccess_criteria:\n  - a: b\n", 3, 5, "put it in quotes"),
        ("name: x\ntermination_conditions: [{type: timeout}]\n", 2, 26, "duration_minutes"),
        ("name: x\nartifacts: [./]\n", 2, 13, "is a folder"),
        ("name: x\nartifacts: [a/]\n", 2, 13, "is a folder"),
        ("- name: x\n", 1, 1, "keys and values: `name: …`"),
        ("", 1, 1, "keys and values"),
        ("name: x\nname: y\n", 2, 1, "stands twice"),
        (f"name: {'x' * 101}\n", 1, 7, "at most 100 characters"),
        (f"name: x\n{'k' * 201}: 1\n", 2, 1, "more than 200 characters"),
    ],
)
def test_a_wrong_value_is_an_error_where_it_stands(text: str, line: int, column: int, said: str):
    definition, remarks = read(Path("x.yaml"), text.encode(), "workspace")
    errors = [each for each in remarks if each.severity is Severity.ERROR]

    assert definition is None
    assert [(each.line, each.column) for each in errors] == [(line, column)]
    assert said in errors[0].message


@pytest.mark.parametrize(
    ("name", "warned"),
    [
        ("code-revi\u0435wer", True),
        ("\u03bfutline", True),
        ("code-reviewer", False),
        ("\u0430\u0433\u0435\u043d\u0442", False),
        ("Python \u30ec\u30d3\u30e5\u30a2", False),
    ],
)
def test_a_name_that_looks_like_another_is_remarked_on(name: str, warned: bool):
    assert [each.code for each in remarks_on(f"name: {name}\n")] == ["look-alike"] * warned


def test_one_look_names_every_fault_from_the_top_down():
    remarks = remarks_on("max_tokens: x\ntools: {fs: {write: [/a, ~/b, ../c]}}\nname: []\n")
    assert [(each.line, each.column) for each in remarks] == [
        (1, 13), (2, 22), (2, 26), (2, 31), (3, 7),
    ]  # fmt: skip


def test_a_remark_knows_its_key_and_where_its_value_ends():
    remark = remarks_on("name: x\npolicies:\n  context:\n    max_tokens: many\n")[0]
    assert remark.key == "policies.context.max_tokens"
    assert (remark.end_line, remark.end_column) == (4, 21)


def test_the_smaller_of_two_budgets_holds_and_that_is_said():
    remarks = remarks_on("name: x\nmax_tokens: 9\npolicies: {context: {max_tokens: 5}}\n")
    assert [(each.line, each.severity) for each in remarks] == [(2, Severity.WARNING)]


def test_a_budget_of_zero_is_zero():
    assert defined("name: x\nmax_tokens: 0\n").max_tokens == 0


# --- TOML ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("name = 'x'\ndescription = 'y'\n", 1, 1, "`developer_instructions` is needed"),
        ("description = 'y'\ndeveloper_instructions = 'z'\n", 1, 1, "needs a name"),
        ("name = \n", 1, 8, "Invalid value"),
        ("name = 'x'\nname = 'y'\n", 2, 11, "Cannot overwrite"),
    ],
)
def test_a_codex_agent_lacks_nothing_that_is_needed(text: str, line: int, column: int, said: str):
    remarks = remarks_on(text, "x.toml")
    errors = [each for each in remarks if each.severity is Severity.ERROR]
    assert [(each.line, each.column) for each in errors] == [(line, column)]
    assert said in errors[0].message


TOML = "name = 'x'\ndescription = 'y'\ndeveloper_instructions = 'z'\n"


def test_without_a_sandbox_mode_a_codex_agent_only_reads_and_that_is_said():
    agent = defined(TOML, "x.toml")
    assert agent.tools == (*READING, *ACTS)
    assert agent.policy.exec == agent.policy.write == ()
    assert [each.code for each in remarks_on(TOML, "x.toml")] == ["default-profile"]


def test_read_only_may_run_but_not_write():
    agent = defined(TOML + "sandbox_mode = 'read-only'\n", "x.toml")
    assert values(agent.policy.exec) == ["*"]
    assert agent.policy.write == agent.policy.net == ()


def test_full_access_is_refused():
    remarks = remarks_on(TOML + "sandbox_mode = 'danger-full-access'\n", "x.toml")
    assert [(each.line, each.column, each.code) for each in remarks] == [(4, 16, "too-wide")]


def test_dates_among_the_settings_of_a_codex_agent_become_texts():
    agent = defined(TOML + "since = 2026-01-02\n", "x.toml")
    assert agent.extras == {"since": "2026-01-02"}


# --- Markdown --------------------------------------------------------------------------------


def claude(keys: str) -> AgentDefinition:
    return defined(f"---\nname: x\n{keys}\n---\nDo.\n", "x.md", "claude")


def claude_remarks(keys: str) -> list[Diagnostic]:
    return remarks_on(f"---\nname: x\n{keys}\n---\nDo.\n", "x.md", "claude")


def test_claude_tools_are_listed_by_commas_or_lines():
    by_commas = claude("tools: Read, Bash(git diff:*), LS")
    by_lines = claude("tools:\n  - Read\n  - Bash(git diff:*)\n  - LS")
    assert by_commas.tools == by_lines.tools == ("read_file", "shell", "list_dir", *ACTS)
    assert values(by_commas.policy.exec) == values(by_lines.policy.exec) == ["git diff"]


def test_bash_alone_is_every_program_which_nothing_holds_yet():
    agent = claude("tools: Bash")
    assert values(agent.policy.exec) == ["*"]
    assert [each.code for each in claude_remarks("tools: Bash")] == ["no-tier"]


def test_a_path_or_host_in_parentheses_is_what_is_granted():
    agent = claude("tools: Read(./src/**), Edit(./src/**), WebFetch(domain:docs.rs)")
    assert values(agent.policy.read) == ["./src/**"]
    assert values(agent.policy.write) == ["./src/**"]
    assert values(agent.policy.net) == ["docs.rs"]


def test_what_claude_would_ask_about_is_refused_and_said():
    remarks = claude_remarks("tools: Write, WebFetch")
    assert [(each.line, each.code) for each in remarks] == [
        (3, "not-granted"), (3, "not-granted"),
    ]  # fmt: skip


def test_disallowed_tools_are_taken_away_from_children_too():
    agent = claude("tools: Read, Bash\ndisallowedTools: Bash, Task")
    assert agent.tools == ("read_file", *ACTS)
    assert agent.policy.exec == ()
    assert not {"shell", "delegate"} & set(values(agent.policy.tools))


def test_taking_a_part_of_a_tool_away_takes_all_of_it():
    agent = claude("tools: Read, Bash\ndisallowedTools: Bash(rm:*)")
    assert "shell" not in agent.tools
    remarks = claude_remarks("tools: Read, Bash\ndisallowedTools: Bash(rm:*)")
    assert (4, 18, "not-honoured") in [(each.line, each.column, each.code) for each in remarks]


@pytest.mark.parametrize(
    ("mode", "approval", "writes", "runs"),
    [
        ("default", Approval.ON_REQUEST, [], ["cargo"]),
        ("acceptEdits", Approval.ON_REQUEST, ["./"], ["cargo"]),
        ("dontAsk", Approval.NEVER, [], ["cargo"]),
        ("plan", Approval.NEVER, [], []),
    ],
)
def test_permission_modes_mean_what_the_table_says(
    mode: str, approval: Approval, writes: list[str], runs: list[str]
):
    agent = claude(f"tools: Read, Edit, Bash(cargo:*)\npermissionMode: {mode}")
    assert agent.policy.approval is approval
    assert values(agent.policy.write) == writes
    assert values(agent.policy.exec) == runs


def test_bypassing_permissions_is_refused():
    remarks = claude_remarks("tools: Read\npermissionMode: bypassPermissions")
    assert [(each.line, each.column, each.code) for each in remarks] == [(4, 17, "too-wide")]


def test_without_tools_a_markdown_agent_only_reads():
    for name, origin in (("x.md", "claude"), ("x.md", "cursor"), ("x.agent.md", "github")):
        agent = defined("---\nname: x\n---\nDo.\n", name, origin)
        assert agent.tools == (*READING, *ACTS)
        assert agent.policy.write == agent.policy.exec == agent.policy.net == ()


def test_a_markdown_agent_without_a_name_goes_by_its_file():
    assert defined("---\ntools: Read\n---\nDo.\n", "fixer.md", "claude").name == "fixer"
    assert defined("Do.\n", "planner.agent.md", "github").name == "planner"


def test_windows_line_ends_change_nothing():
    agent = defined("---\r\nname: x\r\ntools: Read\r\n---\r\nDo.\r\n", "x.md", "claude")
    assert (agent.name, agent.tools) == ("x", ("read_file", *ACTS))
    assert agent.instructions == "Do."


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("Do.\n", 1, 1, "no front matter"),
        ("---\nname: x\n", 1, 1, "has no end"),
        ("---\n- x\n---\n", 2, 1, "keys and values"),
        ("---\nname: x\ntools: [Read\n---\n", 4, 1, "expected"),
        ("---\nname: x\n\tbad: y\n---\n", 3, 1, "a tab"),
    ],
)
def test_front_matter_that_cannot_be_read_is_an_error(text: str, line: int, column: int, said: str):
    remarks = remarks_on(text, "x.md", "claude")
    assert [each.severity for each in remarks] == [Severity.ERROR]
    assert (remarks[0].line, remarks[0].column) == (line, column)
    assert said in remarks[0].message


def test_a_vscode_agent_may_limit_whom_it_delegates_to_only_to_nobody():
    some = remarks_on("---\ntools: [agent]\nagents: [a, b]\n---\n", "x.agent.md", "github")
    assert (3, "warning") in [(each.line, each.severity) for each in some]
    nobody = defined("---\ntools: [agent]\nagents: []\n---\n", "x.agent.md", "github")
    assert nobody.tools == ACTS


def test_a_file_of_no_dialect_is_an_error():
    assert [each.code for each in remarks_on("x", "x.json")] == ["no-dialect"]


# --- whatever stands there -------------------------------------------------------------------

_VOCABULARY = """
name tools mcp fs read write policies context max_tokens grep ./a /a .. https://* * true 1 -1 ~
Bash( Bash(a,b) type timeout termination_conditions model net allow shell exec artifacts
permissions filesystem network mcpServers mcp-servers skills agents handoffs sandbox_mode
web_search disallowedTools permissionMode plan resource_limits version
"""
_WORDS = st.sampled_from(_VOCABULARY.split())
_VALUES = st.recursive(
    st.one_of(_WORDS, st.integers(), st.booleans(), st.none(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=_VALUES, name=st.sampled_from(["x.yaml", "x.md", "x.agent.md"]))
def test_no_value_anywhere_raises(value: object, name: str):
    text = json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")
    if name.endswith(".md"):
        text = f"---\n{text}\n---\nbody"
    definition, remarks = read(Path(name), text.encode(), "claude")
    assert (definition is None) == any(each.severity is Severity.ERROR for each in remarks)


@given(
    data=st.binary(max_size=60), name=st.sampled_from(["x.yaml", "x.toml", "x.md", "x.agent.md"])
)
def test_no_bytes_raise(data: bytes, name: str):
    definition, remarks = read(Path(name), data, "workspace")
    assert (definition is None) == any(each.severity is Severity.ERROR for each in remarks)
