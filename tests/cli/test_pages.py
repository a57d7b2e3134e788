"""The pages about agents, models, the journal and what is in force, from hand-made values."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.expected import check
from wcwidth import wcswidth

from codexd.agents.definition import AgentDefinition
from codexd.agents.listing import agent_rows
from codexd.agents.registry import AgentEntry
from codexd.cli.about import doctor_page, models_page
from codexd.cli.agents import Shown, agent_page, diagnostics_lines
from codexd.cli.asking import answer_of, question
from codexd.cli.audit import Record, line_of, verified
from codexd.cli.listing import agents_table
from codexd.cli.page import Page
from codexd.cli.plain import document
from codexd.cli.text import Text
from codexd.config import Config, Folders, ModelChoice, Workspace
from codexd.errors import Diagnostic, Severity, Source
from codexd.models.interface import ModelEntry
from codexd.orchestrator import Check, Consent
from codexd.policy import Grant, Layer

ROOT = Path("/work")
FILE = "/work/.codex/agents/sec-audit.yaml"
CONFIG = Config(
    workspace=Workspace(ROOT, "0" * 16),
    folders=Folders(ROOT, ROOT, ROOT, ROOT),
    model=ModelChoice(None, "offline", Source("<built in>")),
    light_model=None,
    providers={},
)


def grant(value: str, line: int) -> Grant:
    return Grant(value, Source(FILE, line))


AUDITOR = AgentDefinition(
    name="Security Auditor", source=Source(FILE, 2), dialect="yaml",
    description="Finds what an attacker would", goal="Audit the code, worst first",
    tools=("read_file", "grep", "analyze"),
    policy=Layer(
        name="agent Security Auditor", source=Source(FILE, 2), read=(grant("./**", 9),),
        write=(grant("artifacts/security-audit.md", 12), grant("notes/**", 13)), exec=(),
        net=(grant("https://osv.dev/*", 15),),
    ),
    max_tokens=20_000, max_tokens_source=Source(FILE, 7), timeout_seconds=600,
    artifacts=("artifacts/security-audit.md",),
    success_criteria=("every finding names a line", "nothing is guessed"),
)  # fmt: skip
WRONG = Diagnostic(
    Path(FILE), 7, 1, 7, 10, Severity.ERROR, "unknown key `max_tokns`", "max_tokns", "max_tokens"
)
ENTRIES = (
    AgentEntry(Path(FILE), "workspace", AUDITOR, ()),
    AgentEntry(ROOT / ".claude/agents/broken.md", "claude", None, (WRONG, WRONG)),
    AgentEntry(
        ROOT / "security-auditor.yaml", "user",
        AUDITOR.model_copy(update={"max_tokens": None, "description": "別の監査エージェント"}), (),
        shadowed_by=Path(FILE),
    ),
)  # fmt: skip
CEILING = Layer(
    name="user ceiling", source=Source("/home/me/.codex/codexd.toml", 4), net=(),
    write=(Grant("artifacts/**", Source("/home/me/.codex/codexd.toml", 6)),),
)  # fmt: skip
CHECKS = (
    Check("workspace", ok=True, text="/work (id 0000)"),
    Check(
        "model", ok=False, text="openai/m, but OPENAI_API_KEY is not set",
        remedy="export OPENAI_API_KEY=… in the shell that starts codexd",
        source="/home/me/.codex/codexd.toml:1",
    ),
    Check("git", ok=True, text="/usr/bin/git"),
)  # fmt: skip
OFFERS = (
    ("offline", (ModelEntry("offline", "offline"),)),
    ("openai", (ModelEntry("openai", "small"), ModelEntry("openai", "large"))),
    ("anthropic", "Anthropic needs a key, and ANTHROPIC_API_KEY is not set"),
    ("ollama", ()),
)
AUDITED: Record = {"run": "91be00000000", "parent": None, "hash": "0f" * 32, "erased": []}
RECORDS: tuple[Record, ...] = (
    {
        "event_type": "agent_execution", "agent_name": "sec-audit", "status": "completed",
        "goal": "Audit the code", "start_time": "2026-11-21T10:00:00.000Z",
        "end_time": "2026-11-21T10:00:01.100Z", "duration_secs": 1.1, "tokens_used": 1480,
        "artifacts": ["artifacts/security-audit.md"], "error": None, "codexd": AUDITED,
    },
    {
        "event_type": "tool_call", "timestamp": "2026-11-21T10:00:00.500Z",
        "agent_name": "sec-audit", "tool": "grep", "arguments": {"pattern": "eval\x1b[2J"},
        "outcome": "ok", "result": "x" * 500, "duration_secs": 0.0, "error": None,
        "codexd": AUDITED,
    },
    {
        "event_type": "security", "timestamp": "2026-11-21T10:00:00.600Z",
        "agent_name": "sec-audit", "decision": "denied", "what": "write_file", "subject": "./src",
        "by": "policy", "scope": None, "reason": "writing is granted nowhere", "codexd": AUDITED,
    },
)  # fmt: skip
CONSENT = Consent("api.anthropic.com", "./** without .env, .git, keys", ("sec-audit",))

PAGES: dict[str, Callable[[Page], list[str]]] = {
    "agents": lambda page: agents_table(json.loads(document(agent_rows(ENTRIES, CONFIG))), page),
    "agent": lambda page: agent_page(Shown(AUDITOR, (WRONG,), (), CONFIG), page),
    "agent-limited": lambda page: agent_page(Shown(AUDITOR, (), (CEILING,), CONFIG), page),
    "doctor": lambda page: doctor_page(CHECKS, page),
    "models": lambda page: models_page(OFFERS, page),
    "audit": lambda page: [line_of(record, page) for record in RECORDS],
    "consent": lambda page: question(CONSENT, page),
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_page_is_as_expected(name: str, lang: str, width: int) -> None:
    lines = PAGES[name](Page(Text(lang), width))
    check(f"{name}.{lang}.{width}", lines)
    assert max(map(wcswidth, lines)) <= width


def test_a_diagnostic_is_written_as_compilers_do() -> None:
    assert diagnostics_lines([WRONG], ROOT) == [
        ".codex/agents/sec-audit.yaml:7:1: error: unknown key `max_tokns`; nearest `max_tokens`"
    ]


def test_the_question_is_the_one_promised() -> None:
    assert question(CONSENT, Page(Text("en"), 79)) == [
        "api.anthropic.com will read files of this workspace that sec-audit may read:",
        "./** without .env, .git, keys. Allow?  [o]nce  [a]lways here  [N]o",
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("o\n", "once"), ("A\n", "always"), ("always\n", "always"), ("n\n", "no"), ("\n", "no"),
     ("", "no"), ("yes\n", "no")],
)  # fmt: skip
def test_whatever_is_not_clearly_yes_is_no(typed: str, meant: str) -> None:
    assert answer_of(typed) == meant


def test_a_whole_chain_is_told_in_a_line_and_a_broken_one_with_its_faults() -> None:
    page = Page(Text("en"), 80)
    whole: Record = {"ok": True, "events": 212, "runs": 7, "faults": ()}
    broken: Record = {**whole, "ok": False, "faults": [{"seq": 41, "what": "edited"}]}
    assert verified(whole, page) == ["212 events, 7 runs: chain whole"]
    assert verified(broken, page) == ["212 events, 7 runs: chain broken", "  event 41: edited"]
