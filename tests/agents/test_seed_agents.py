"""Every real agent file of the seeds loads with the meaning that its author intended.

The files are not part of the project: they are looked for beside the checkout
(`shared/seed-agents`), or where `CODEXD_SEED_AGENTS` says.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from codexd.agents.definition import AgentDefinition, Retention
from codexd.agents.dialects import read
from codexd.agents.toolnames import READING
from codexd.errors import Severity
from codexd.policy import may_exec, may_reach, may_write

SEEDS = Path(
    os.environ.get("CODEXD_SEED_AGENTS") or Path(__file__).parents[3] / "shared" / "seed-agents"
)

# Not `needs.missing`: these files are absent wherever the project is taken to, CI too.
pytestmark = pytest.mark.skipif(
    not SEEDS.is_dir(), reason="needs `shared/seed-agents` beside the checkout"
)

READ = ("list_dir", "glob")
WRITE = ("write_file", "apply_patch")
ACTS = ("report_finding", "update_plan")
DOCS = ["https://docs.rs/*", "https://doc.rust-lang.org/*"]
FINDING = ("grep", "read_file", "codebase_search")
CODEX = ("read_file", "grep", "codebase_search")


@dataclass
class Expected:
    """What must come out of one file."""

    name: str
    tools: tuple[str, ...]
    max_tokens: int | None
    writes: list[str] = field(default_factory=list[str])
    """`fs.write`, and then the artifacts."""
    hosts: list[str] = field(default_factory=list[str])
    commands: list[str] = field(default_factory=list[str])
    artifacts: tuple[str, ...] = ()
    retention: Retention = Retention.JOB
    redact: bool = True
    deadline: float | None = None
    n_criteria: int = 0
    servers: tuple[str, ...] = ()
    mcp_tools: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    """Of the remarks, from the top of the file down."""
    more: dict[str, Any] = field(default_factory=dict[str, Any])


REVIEW = Expected(
    "code-reviewer",
    (*FINDING, *WRITE, "web_fetch", "shell", *ACTS),
    40_000,
    ["./artifacts", "./code-review-reports"],
    [*DOCS, "https://docs.python.org/*", "https://developer.mozilla.org/*"],
    ["cargo", "npm", "python", "rustfmt", "clippy"],
    ("artifacts/code-review-report.md", "code-review-reports/review-summary.json"),
    n_criteria=5,
    codes=("no-tier",),
    more={
        "goal": "Comprehensive code review with security, performance, and best practices analysis"
    },
)

EXPECTED: dict[str, Expected] = {
    "architect.yaml": Expected(
        "architect",
        (*CODEX, *WRITE, "web_fetch", "shell", *ACTS),
        60_000,
        ["./artifacts", "./architecture-docs", "./adrs"],
        [
            *DOCS,
            "https://developer.mozilla.org/*",
            "https://martinfowler.com/*",
            "https://c4model.com/*",
        ],
        ["cargo", "npm", "tree", "cloc"],
        (
            "artifacts/architecture-analysis.md",
            "architecture-docs/system-overview.md",
            "adrs/*.md",
        ),
        n_criteria=6,
        codes=("no-tier",),
    ),
    "code-reviewer.yaml": REVIEW,
    "codex-mcp-researcher.yaml": Expected(
        "codex-mcp-researcher",
        ACTS,
        10_000,
        retention=Retention.PERMANENT,
        deadline=300.0,
        servers=("codex-agent",),
        codes=("not-honoured",),
        more={
            "description": "Research agent that uses Codex via MCP protocol",
            "version": "1.0.0",
            "capabilities": ("deep_research", "code_analysis", "web_search", "mcp_tools"),
            "temperature": 0.7,
            "max_parallel_tasks": 3,
        },
    ),
    "cursor-rust-error-fixer.md": Expected(
        "rust-error-fixer",
        (*READING, *ACTS),
        None,
        retention=Retention.PERMANENT,
        codes=("default-profile",),
        more={"dialect": "cursor", "model": None},
    ),
    "executor.yaml": Expected(
        "executor",
        (*CODEX, *WRITE, "web_fetch", "shell", *ACTS),
        50_000,
        ["./src", "./lib", "./app", "./components", "./artifacts"],
        [
            *DOCS,
            "https://docs.python.org/*",
            "https://developer.mozilla.org/*",
            "https://www.typescriptlang.org/*",
        ],
        ["cargo", "npm", "python", "rustfmt", "prettier", "eslint"],
        ("artifacts/implementation-log.md", "src/**/*"),
        n_criteria=6,
        codes=("no-tier",),
    ),
    "git4d-schema-auditor.yaml": Expected(
        "git4d-schema-auditor",
        (*CODEX, *WRITE, *ACTS),
        12_000,
        ["./artifacts", "./logs"],
        artifacts=("artifacts/git4d-schema-audit.md",),
        n_criteria=2,
    ),
    "performance-analyst.yaml": Expected(
        "performance-analyst",
        (*CODEX, *WRITE, "web_fetch", "shell", *ACTS),
        32_000,
        ["./artifacts", "./performance-reports"],
        [*DOCS, "https://profiler.firefox.com/*"],
        ["cargo", "npm", "node", "python", "perf", "hyperfine", "flamegraph"],
        ("artifacts/perf-analysis.md", "performance-reports/profile-summary.json"),
        n_criteria=4,
        codes=("no-tier",),
    ),
    "python-reviewer.yaml": Expected(
        "Python Reviewer",
        ("read_file", *READ, "grep", *WRITE, "web_fetch", "shell", *ACTS),
        20_000,
        ["./artifacts", "./review-comments"],
        [
            "https://docs.python.org",
            "https://peps.python.org",
            "https://django-doc.readthedocs.io",
            "https://fastapi.tiangolo.com",
        ],
        [
            *("python", "python3", "pip", "pylint", "black", "mypy", "flake8", "bandit"),
            *("pytest", "isort", "git"),
        ],
        ("artifacts/python-review.md", "review-comments/python/*.md"),
        n_criteria=5,
        mcp_tools=("code_indexer", "ast_analyzer", "python_language_server"),
        extras=("python_checks", "linters", "frameworks_support"),
        codes=("unknown-tool",) * 3 + ("no-tier",) + ("told-to-model",) * 3,
        more={"slug": "python-reviewer"},
    ),
    "refactorer.yaml": Expected(
        "refactorer",
        (*CODEX, *WRITE, "web_fetch", "shell", *ACTS),
        50_000,
        ["./src", "./lib", "./app", "./components", "./artifacts", "./refactoring-reports"],
        ["https://refactoring.guru/*", "https://martinfowler.com/*", *DOCS],
        ["cargo", "npm", "rustfmt", "clippy", "prettier", "eslint"],
        ("artifacts/refactoring-report.md", "refactoring-reports/changes-summary.json"),
        n_criteria=7,
        codes=("no-tier",),
    ),
    "researcher.yaml": Expected(
        "researcher",
        ("web_search", "read_file", "grep", *WRITE, "web_fetch", *ACTS),
        60_000,
        ["./artifacts", "./research-reports"],
        ["https://*"],
        [],
        (
            "artifacts/research-report.md",
            "research-reports/sources.json",
            "research-reports/cross-validation-report.md",
        ),
        retention=Retention.SESSION,
        redact=False,
        n_criteria=5,
        codes=("redact-false",),
    ),
    "sec-audit.yaml": Expected(
        "sec-audit",
        (*FINDING, "web_search", *WRITE, "web_fetch", "shell", *ACTS),
        50_000,
        ["./artifacts", "./security-reports"],
        [
            "https://nvd.nist.gov/*",
            "https://cve.mitre.org/*",
            "https://rustsec.org/*",
            "https://snyk.io/*",
            "https://github.com/advisories/*",
        ],
        ["cargo", "npm", "pip", "cargo-audit", "npm audit"],
        (
            "artifacts/security-audit-report.md",
            "security-reports/vulnerability-summary.json",
            "security-reports/patch-recommendations.md",
        ),
        retention=Retention.SESSION,
        n_criteria=5,
        codes=("no-tier",),
    ),
    "skills-code-reviewer-openai.yaml": Expected(
        "code-reviewer-agent",
        (*CODEX, "shell", *ACTS),
        4096,
        commands=["*"],
        retention=Retention.PERMANENT,
        deadline=3600.0,
        extras=("termination_conditions",),
        codes=("no-tier", "not-honoured", "told-to-model"),
        more={"model": "claude-3-opus-20240307", "temperature": 0.7},
    ),
    "test-gen.yaml": Expected(
        "test-gen",
        (*FINDING, *WRITE, "web_fetch", "shell", *ACTS),
        30_000,
        ["./tests", "./__tests__", "./test", "./artifacts"],
        [
            "https://docs.rs/*",
            "https://jestjs.io/*",
            "https://vitest.dev/*",
            "https://docs.pytest.org/*",
        ],
        ["cargo", "npm", "python", "pytest", "jest"],
        ("artifacts/test-generation-report.md", "artifacts/test-coverage-analysis.json"),
        redact=False,
        n_criteria=5,
        codes=("no-tier", "redact-false"),
    ),
    "ts-reviewer.yaml": Expected(
        "TypeScript Reviewer",
        ("read_file", *READ, "grep", *WRITE, "web_fetch", "shell", *ACTS),
        20_000,
        ["./artifacts", "./review-comments"],
        [
            "https://typescript-eslint.io",
            "https://react.dev",
            "https://nextjs.org",
            "https://nodejs.org",
        ],
        ["npm", "npx", "eslint", "prettier", "tsc", "jest", "vitest", "git"],
        ("artifacts/ts-review.md", "review-comments/typescript/*.md"),
        n_criteria=5,
        mcp_tools=("code_indexer", "ast_analyzer", "typescript_language_server"),
        extras=("typescript_checks", "linters", "frameworks_support"),
        codes=("unknown-tool",) * 3 + ("no-tier",) + ("told-to-model",) * 3,
        more={"slug": "typescript-reviewer"},
    ),
    "v1-code-reviewer.yaml": Expected(
        "Code Reviewer",
        ("read_file", *READ, "grep", *WRITE, "web_fetch", "shell", *ACTS),
        20_000,
        ["./artifacts", "./review-comments"],
        ["https://docs.rs", "https://github.com", "https://rust-lang.github.io"],
        ["git", "cargo", "npm", "eslint", "prettier", "clippy"],
        ("artifacts/code-review.md", "artifacts/review-summary.json", "review-comments/*.md"),
        n_criteria=6,
        mcp_tools=("code_indexer", "ast_analyzer"),
        extras=("review_strategy", "rust_specific", "pr_template"),
        codes=("unknown-tool",) * 2 + ("no-tier",) + ("told-to-model",) * 3,
    ),
    "v1-researcher.yaml": Expected(
        "Deep Researcher",
        ("read_file", *READ, "grep", *WRITE, "web_fetch", *ACTS),
        24_000,
        ["./artifacts"],
        ["https://*", "http://*"],
        [],
        ("artifacts/report.md", "artifacts/evidence/*.json"),
        n_criteria=3,
        mcp_tools=("search", "crawler", "pdf_reader"),
        extras=("research_strategy",),
        codes=("unknown-tool",) * 3 + ("told-to-model",),
    ),
    "v1-sec-audit.yaml": Expected(
        "Security Auditor",
        ("read_file", *READ, "grep", *WRITE, "web_fetch", "shell", *ACTS),
        20_000,
        ["./artifacts"],
        [
            "https://nvd.nist.gov",
            "https://github.com",
            "https://cve.mitre.org",
            "https://security.snyk.io",
            "https://*",
        ],
        ["npm", "pip", "cargo", "go", "snyk", "trivy", "safety", "bandit"],
        ("artifacts/sec-audit.md", "artifacts/patches/*.diff", "artifacts/cve-report.json"),
        n_criteria=4,
        mcp_tools=("code_indexer", "search", "crawler", "pdf_reader"),
        extras=("audit_strategy",),
        codes=("unknown-tool",) * 4 + ("no-tier", "told-to-model"),
    ),
    "v3-code-reviewer.yaml": Expected(
        "code-reviewer",
        (*CODEX, *WRITE, "web_fetch", "shell", *ACTS),
        40_000,
        REVIEW.writes,
        REVIEW.hosts,
        REVIEW.commands,
        REVIEW.artifacts,
        n_criteria=5,
        codes=("no-tier",),
    ),
}


def load(file: str) -> tuple[AgentDefinition, tuple[str, ...]]:
    path = SEEDS / file
    origin = "cursor" if path.suffix == ".md" else "workspace"
    definition, remarks = read(path, path.read_bytes(), origin)
    assert definition is not None, [str(remark) for remark in remarks]
    assert not [remark for remark in remarks if remark.severity is Severity.ERROR]
    return definition, tuple(remark.code for remark in remarks)


@pytest.mark.parametrize("file", EXPECTED)
def test_a_seed_agent_means_what_its_author_intended(file: str):
    agent, codes = load(file)
    expected, policy = EXPECTED[file], agent.policy

    assert agent.name == expected.name
    assert agent.tools == expected.tools
    assert agent.max_tokens == expected.max_tokens
    assert [grant.value for grant in policy.write or ()] == [
        *expected.writes, *expected.artifacts,
    ]  # fmt: skip
    assert [grant.value for grant in policy.net or ()] == expected.hosts
    assert [grant.value for grant in policy.exec or ()] == expected.commands
    assert agent.artifacts == expected.artifacts
    assert agent.retention is expected.retention
    assert agent.redact is expected.redact
    assert agent.timeout_seconds == expected.deadline
    assert len(agent.success_criteria) == expected.n_criteria
    assert agent.mcp_servers == expected.servers
    assert agent.mcp_tools == expected.mcp_tools
    assert tuple(agent.extras) == expected.extras
    assert codes == expected.codes
    for name, value in expected.more.items():
        assert getattr(agent, name) == value


def test_every_seed_agent_is_expected():
    others = {"SOURCES.txt", "aliases.yaml"}
    assert {path.name for path in SEEDS.iterdir()} - others == set(EXPECTED)


def test_the_sec_audit_may_do_what_it_asks_for_and_no_more():
    policy = (load("sec-audit.yaml")[0].policy,)
    assert may_exec(policy, ["npm", "audit"])
    assert may_exec(policy, ["cargo-audit"])
    assert not may_exec(policy, ["curl", "https://nvd.nist.gov"])
    assert may_reach(policy, "https://github.com/advisories/GHSA-1")
    assert not may_reach(policy, "https://github.com/someone/else")
    assert may_write(policy, "security-reports/2026/summary.json")
    assert not may_write(policy, "src/main.rs")


def test_the_researcher_reaches_any_public_host_over_https_alone():
    policy = (load("researcher.yaml")[0].policy,)
    assert may_reach(policy, "https://example.com/page")
    assert not may_reach(policy, "http://example.com/page")
    assert not may_reach(policy, "https://localhost/")


def test_the_executor_writes_its_source_artifacts():
    policy = (load("executor.yaml")[0].policy,)
    assert may_write(policy, "src/deep/in/main.rs")
    assert not may_write(policy, "Cargo.toml")


def test_the_extras_are_kept_whole():
    assert load("v1-researcher.yaml")[0].extras == {
        "research_strategy": {
            "depth": 3,
            "breadth": 8,
            "citations_required": True,
            "lightweight_fallback": True,
            "contradiction_check": True,
        }
    }


def test_instructions_are_the_markdown_body_or_the_prompt():
    cursor = load("cursor-rust-error-fixer.md")[0].instructions
    assert cursor.startswith("# ")
    assert cursor.endswith("コードの可読性が維持されている")
    flat = load("skills-code-reviewer-openai.yaml")[0].instructions
    assert flat.startswith("You are a code review expert.")
    assert "\n## Output Format\n" in flat
