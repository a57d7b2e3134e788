"""What agent files ask for becomes a layer of policy, each grant with its line."""

from pathlib import Path

import pytest

from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import read
from codexd.errors import Diagnostic, Severity, Source
from codexd.policy import Grant, Layer, may_exec, may_reach, may_read, may_use, may_write


def asked(text: str) -> tuple[AgentDefinition, list[Diagnostic]]:
    definition, remarks = read(Path("x.yaml"), f"name: x\n{text}".encode(), "workspace")
    assert definition is not None, [str(remark) for remark in remarks]
    return definition, list(remarks)


def layer(text: str) -> Layer:
    return asked(text)[0].policy


def values(grants: tuple[Grant, ...] | None) -> list[str] | None:
    return None if grants is None else [grant.value for grant in grants]


def test_every_grant_knows_its_line_and_column():
    policy = layer(
        """\
tools:
  fs:
    read: true
    write: [./a, "./b/**"]
  net:
    allow:
      - https://docs.rs/*
  shell: {exec: [cargo, npm audit]}
artifacts:
  - out/*.md
"""
    )
    assert (policy.name, policy.source) == ("agent x", Source("x.yaml", 1, 1))
    assert policy.read == (Grant("./", Source("x.yaml", 4, 5)),)
    assert policy.write == (
        Grant("./a", Source("x.yaml", 5, 13)),
        Grant("./b/**", Source("x.yaml", 5, 18)),
        Grant("out/*.md", Source("x.yaml", 11, 5)),
    )
    assert policy.net == (Grant("https://docs.rs/*", Source("x.yaml", 8, 9)),)
    assert policy.exec == (
        Grant("cargo", Source("x.yaml", 9, 18)),
        Grant("npm audit", Source("x.yaml", 9, 25)),
    )


def test_the_layer_decides_as_the_author_meant_it():
    policy = (
        layer(
            """\
tools:
  fs: {read: true, write: [./artifacts, "src/**"]}
  net: {allow: [https://docs.rs/*]}
  shell: {exec: [npm audit]}
artifacts: [./notes/*.md]
"""
        ),
    )
    assert may_read(policy, "src/a.py")
    assert not may_read(policy, ".env")
    assert may_write(policy, "artifacts/deep/report.md")
    assert may_write(policy, "src/a/b.py")
    assert may_write(policy, "notes/a.md")
    assert not may_write(policy, "notes/deep/a.md")
    assert not may_write(policy, "README.md")
    assert may_reach(policy, "https://docs.rs/serde/")
    assert not may_reach(policy, "https://example.com/")
    assert may_exec(policy, ["npm", "audit", "--json"])
    assert not may_exec(policy, ["npm", "install"])
    assert may_use(policy, "delegate")


def test_what_is_not_granted_is_denied_even_under_a_wide_ceiling():
    anywhere = (Grant("./", Source("<ceiling>")),)
    every = (Grant("https://*", Source("<ceiling>")),)
    ceiling = Layer("ceiling", Source("<ceiling>"), write=anywhere, net=every)
    policy = (ceiling, layer("goal: y\n"))
    assert may_read(policy, "src/a.py")
    assert not may_write(policy, "src/a.py")
    assert not may_reach(policy, "https://docs.rs/")
    assert not may_exec(policy, ["ls"])


def test_reading_denied_is_reading_denied():
    assert not may_read((layer("tools: {fs: {read: false}}\n"),), "README.md")


def test_reading_may_be_bounded_by_a_list():
    policy = (layer("tools: {fs: {read: [./src]}}\n"),)
    assert may_read(policy, "src/a.py")
    assert not may_read(policy, "README.md")


@pytest.mark.parametrize(
    ("tools", "read", "write"),
    [
        ("{mcp: [grep]}", ["./src/**"], []),
        ("{mcp: [grep, write_file]}", ["./src/**"], ["./src/**"]),
        ("[apply_patch]", ["./src/**"], ["./src/**"]),
    ],
)
def test_filesystem_roots_bound_reading_and_with_a_write_tool_writing(
    tools: str, read: list[str], write: list[str]
):
    policy = layer(f"tools: {tools}\npolicies: {{permissions: {{filesystem: [./src/**]}}}}\n")
    assert (values(policy.read), values(policy.write)) == (read, write)


def test_no_filesystem_roots_are_reading_without_writing_but_for_artifacts():
    agent, remarks = asked(
        """\
tools: {mcp: [codex_write_file], fs: {write: [./src]}}
policies: {permissions: {filesystem: [], network: []}}
artifacts: [artifacts/report.md]
"""
    )
    assert values(agent.policy.read) == ["./"]
    assert values(agent.policy.write) == ["artifacts/report.md"]
    assert agent.tools[:5] == ("write_file", "read_file", "list_dir", "glob", "grep")
    assert [(each.line, each.column, each.code) for each in remarks] == [(2, 47, "not-granted")]


def test_the_network_list_bounds_hosts_or_grants_them():
    alone = layer("policies: {permissions: {network: [https://docs.rs/*]}}\n")
    assert values(alone.net) == ["https://docs.rs/*"]
    agent, remarks = asked(
        """\
tools: {net: {allow: [https://docs.rs/serde/*, https://example.com]}}
policies: {permissions: {network: [https://docs.rs/*]}}
"""
    )
    assert values(agent.policy.net) == ["https://docs.rs/serde/*"]
    assert [(each.line, each.column, each.code) for each in remarks] == [(2, 48, "not-granted")]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("tools: {fs: {write: [/etc]}}", 22, "outside the workspace"),
        ("tools: {fs: {write: [./a, ~/x]}}", 27, "outside the workspace"),
        ("tools: {fs: {write: [../x]}}", 22, "`..` is not followed"),
        ("tools: {fs: {write: ['C:\\x']}}", 22, "no workspace path"),
        ("tools: {fs: {read: [../x]}}", 21, "`..` is not followed"),
        ("artifacts: [a, ../x]", 16, "`..` is not followed"),
        ("policies: {permissions: {filesystem: [/]}}", 39, "outside the workspace"),
        ("tools: {net: {allow: ['*']}}", 23, "no host grant"),
        ("tools: {net: {allow: [ftp://x.org]}}", 23, "no host grant"),
        ("policies: {net: [https://a..b]}", 18, "no host name"),
        ("tools: {shell: {exec: [ls, 'a | b']}}", 28, "one command at a time"),
        ("tools: {shell: ['git diff:*']}", 17, "no patterns"),
        ("policies: {shell: [\"echo 'a b'\"]}", 20, "quotes have no meaning"),
    ],
)
def test_what_can_be_no_grant_is_an_error_at_its_item(text: str, column: int, said: str):
    definition, remarks = read(Path("x.yaml"), f"name: x\n{text}\n".encode(), "workspace")
    assert definition is None
    errors = [each for each in remarks if each.severity is Severity.ERROR]
    assert [(each.line, each.column) for each in errors] == [(2, column)]
    assert said in errors[0].message


@pytest.mark.parametrize("none", ["shell: []", "shell: {exec: []}", "shell: {}", "shell: false"])
def test_a_shell_without_commands_is_none(none: str):
    agent, remarks = asked(f"tools:\n  {none}\n")
    assert agent.policy.exec == ()
    assert "shell" not in agent.tools
    assert remarks == []


def test_grants_bring_the_tools_they_need_after_the_authors_own():
    agent, _ = asked(
        """\
tools:
  mcp: [codex_git_log, grep, codex_grep]
  fs: {read: true, write: [./a]}
  net: {allow: [https://docs.rs]}
  shell: [cargo]
"""
    )
    assert agent.tools == (
        "git_log", "grep", "write_file", "apply_patch",
        "web_fetch", "shell", "report_finding", "update_plan",
    )  # fmt: skip


def test_a_write_tool_without_a_path_is_remarked_on():
    _, remarks = asked("tools: {mcp: [write_file]}\n")
    assert [(each.line, each.severity, each.code) for each in remarks] == [
        (2, Severity.WARNING, "not-granted")
    ]


def test_hosts_for_subprocesses_are_apart():
    policy = layer("tools: {net: {allow: [https://docs.rs], subprocess: [https://crates.io]}}\n")
    assert values(policy.net) == ["https://docs.rs"]
    assert values(policy.net_sub) == ["https://crates.io"]
