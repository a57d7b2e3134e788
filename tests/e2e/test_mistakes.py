"""One mistake in each place where a user can make one: what is wrong, where, and what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from tests.cli.program import codexd, environment, model_flags, workspace
from tests.model_server import ModelServer, Scripted
from tests.needs import missing

MODULE = [sys.executable, "-m", "codexd"]
LATER = "help:  "
Run = subprocess.CompletedProcess[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = workspace(tmp_path / "work")
    (made / ".codex/agents").mkdir(parents=True)
    return made


def home() -> Path:
    return Path(os.environ["HOME"])


def configure(text: str) -> Path:
    """The user's own configuration."""
    path = home() / ".codex/codexd.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def n_runs() -> int:
    """How many runs the journals of this home hold."""
    count = 0
    for store in home().glob(".local/state/codexd/*/state.db"):
        with closing(sqlite3.connect(store)) as db:
            count += db.execute("SELECT count(*) FROM run").fetchone()[0]
    return count


def refused(folder: Path, *argv: str, status: int = 2, env: dict[str, str] | None = None) -> str:
    """What stderr says of a command that is refused: nothing was done, and stdout is empty."""
    before = names(folder)
    done = codexd(folder, *argv, env=env)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.startswith(("error: ", "エラー: ")), done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    assert names(folder) == before
    assert n_runs() == 0
    return done.stderr


# --- agent files -----------------------------------------------------------------------------

AGENTS: dict[str, tuple[bytes, str]] = {
    "tab": (b"name: tab\ngoal: x\ntools:\n\tmcp: [grep]\n", "4:1: error: a tab stands here"),
    "open": (b"name: open\ntools: {mcp: [grep}\n", "2:19: error: did not find expected ','"),
    "quote": (
        b'name: quote\ngoal: "x\n',
        "error: the file ends inside quotes that begin in line 2",
    ),
    "twice": (b"name: twice\ngoal: x\ngoal: y\n", "3:1: error: the key `goal` stands twice"),
    "unknown": (b"name: unknown\nmax_tokns: 9\n", "2:1: error: unknown key `max_tokns`; nearest"),
    "type": (b"name: type\nmax_tokens: lots\n", "2:13: error: a whole number, 0 or more, was"),
    "below": (b"name: below\nmax_tokens: -5\n", "2:13: error: a whole number, 0 or more, was"),
    "tool": (b"name: tool\ntools: {mcp: [read_fiel]}\n", "2:15: warning: no built-in tool"),
    "empty": (b"", "1:1: error: an agent file is keys and values"),
    "list": (b"- a\n- b\n", "1:1: error: an agent file is keys and values"),
    "nameless": (b"goal: x\n", "1:1: error: an agent needs a name"),
    "tag": (b"name: tag\ngoal: !!python/name:os.system x\n", "2:7: error: a tag"),
    "crlf": (b"name: crlf\r\nmax_tokns: 9\r\n", "2:1: error: unknown key `max_tokns`"),
    "bom": (b"\xef\xbb\xbfname: bom\nmax_tokns: 9\n", "2:1: error: unknown key `max_tokns`"),
    "latin": (b"name: latin\ngoal: caf\xe9\n", "2:10: error: the file is not UTF-8"),
    "utf16": ("name: utf16\n".encode("utf-16"), "1:1: error: the file is not UTF-8"),
    "binary": (b"\x00\x01\x02\xff", "error: the file is not UTF-8"),
    "huge": (b"a" * 1_100_000, "1:1: error: cannot be read: it is larger than 1 MiB"),
}


def test_every_broken_agent_file_is_named_with_its_line_at_once(folder: Path) -> None:
    agents = folder / ".codex/agents"
    for name, (content, _) in AGENTS.items():
        (agents / f"{name}.yaml").write_bytes(content)
    os.mkfifo(agents / "fifo.yaml")
    (agents / "folder.yaml").mkdir()
    (agents / "dangling.yaml").symlink_to("nowhere.yaml")
    done = codexd(folder, "agents", "validate")
    assert (done.returncode, done.stderr) == (1, "")
    said = done.stdout
    for name, (_, words) in AGENTS.items():
        [line] = [line for line in said.splitlines() if line.startswith(f".codex/agents/{name}.")]
        assert words in line
    assert "fifo.yaml:1:1: error: cannot be read: it is no regular file" in said
    assert "folder.yaml:1:1: error: cannot be read: Is a directory" in said
    assert "dangling.yaml:1:1: error: cannot be read: No such file or directory" in said
    listed = codexd(folder, "agents", "list")
    assert (listed.returncode, listed.stdout.count("1 problem")) == (0, len(AGENTS) + 3)
    assert "code-reviewer" in listed.stdout


@pytest.mark.parametrize("name", ["tab", "unknown", "huge"])
def test_a_broken_agent_file_begins_no_run(folder: Path, name: str) -> None:
    path = folder / f".codex/agents/{name}.yaml"
    path.write_bytes(AGENTS[name][0])
    said = refused(folder, "delegate", name)
    assert f"error: agent `{name}` has errors in {path}\n" in said
    assert AGENTS[name][1] in said
    assert "help:  mend the file; `codexd agents validate`" in said


def test_a_misspelt_tool_is_told_before_the_run(folder: Path) -> None:
    text = "name: code-reviewer\ntools: {mcp: [read_file, list_dri]}\n"
    (folder / ".codex/agents/x.yaml").write_text(text)
    done = codexd(folder, "delegate", "code-reviewer")
    first = done.stderr.splitlines()[0]
    assert first.startswith(".codex/agents/x.yaml:2:26: warning: no built-in tool `list_dri`")
    assert first.endswith("nearest `list_dir`")


def test_of_many_remarks_the_first_are_told_and_the_rest_counted(folder: Path) -> None:
    tools = ", ".join(f"tool_{n}" for n in range(8))
    (folder / ".codex/agents/x.yaml").write_text(f"name: x\ntools: {{mcp: [{tools}]}}\n")
    lines = codexd(folder, "delegate", "x").stderr.splitlines()
    assert [line.count("warning: no built-in tool") for line in lines[:7]] == [1] * 5 + [0, 0]
    assert lines[5] == "… 3 more: `codexd doctor` and `codexd agents validate` tell all"


def test_a_file_where_agents_have_their_folder_is_told(folder: Path) -> None:
    (folder / ".codex/agents").rmdir()
    (folder / ".codex/agents").write_text("hm\n")
    why = ".codex/agents:1:1: error: cannot be read: Not a directory\n"
    unknown = codexd(folder, "delegate", "mine")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.startswith(f"{why}error: no agent named `mine`\n")
    assert codexd(folder, "agents", "validate").stdout == why
    assert codexd(folder, "agents", "list").stderr == why
    assert codexd(folder, "delegate", "docs-gen").stderr.startswith(why)
    told = codexd(folder, "doctor")
    assert (told.returncode, "✖ agents" in told.stdout) == (1, True)


# --- configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whose", "text", "words"),
    [
        ("user", b'model = "x\nfoo = 1\n', ":1:11: Illegal character"),
        ("user", b'x = "caf\xe9"\n', ":1:9: no UTF-8"),
        ("workspace", b"x = [\n", ":2:1: Invalid value"),
    ],
)
def test_a_configuration_that_is_no_toml_is_named_with_its_line(
    folder: Path, whose: str, text: bytes, words: str
) -> None:
    path = (home() if whose == "user" else folder) / ".codex/codexd.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text)
    said = refused(folder, "delegate", "code-reviewer")
    assert f"error: {path}{words}" in said
    assert LATER in said


def test_a_folder_or_a_pipe_is_no_configuration(folder: Path) -> None:
    path = home() / ".codex/codexd.toml"
    path.mkdir(parents=True)
    assert f"error: {path}: a folder" in refused(folder, "delegate", "code-reviewer")
    path.rmdir()
    os.mkfifo(path)
    assert f"error: {path}: no regular file" in refused(folder, "delegate", "code-reviewer")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default_budgett = 5\n", ":1:1: warning: unknown key `default_budgett`; nearest `default"),
        ('\ndefault_budget = "many"\n', ":2:1: error: expected a whole number, 0 or more, found"),
        ("[policy]\nwriet = []\n", ":2:1: error: unknown key `policy.wriet`; nearest `write`"),
        ("[policy]\nnet = 5\n", ":2:1: error: `policy.net`: a list of texts was expected"),
        ('model = "x"\nmodel_provider = "opnai"\n', ":2:1: error: no provider `opnai`, so `x`"),
    ],
)
def test_a_key_that_does_not_count_is_told_before_the_run(
    folder: Path, text: str, words: str
) -> None:
    path = configure(text)
    done = codexd(folder, "delegate", "docs-gen")
    assert done.returncode == 0
    assert done.stderr.startswith(f"{path}{words}"), done.stderr


def test_doctor_tells_of_a_ceiling_that_was_misspelt(folder: Path) -> None:
    path = configure("[policy]\nwriet = []\n")
    done = codexd(folder, "doctor", "--json")
    [check] = [each for each in json.loads(done.stdout) if each["name"] == "configuration"]
    assert (done.returncode, check["ok"]) == (1, False)
    assert f"{path}:2:1: error: unknown key `policy.wriet`" in check["remedy"]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("default_budgett=5", "unknown key `default_budgett`\nhelp:  the nearest is `default_bud"),
        ("max_threads=4", "unknown key `max_threads`\nhelp:  the nearest is `agents.max_threads`"),
        ("nonsense=5", "unknown key `nonsense`; there are agents, daemon, "),
        ("default_budget=many", "-c default_budget: expected a whole number, 0 or more, found "),
        ("default_budget=-1", "-c default_budget: expected a whole number, 0 or more, found -1"),
        ("default_budget", "`default_budget` is no KEY=VALUE\nhelp:  such as -c default_budget=2"),
        ("a b=1", "-c a b: no key\nhelp:  write -c key=value"),
        ("sandbox=none", "-c sandbox: counts only where it stands in ~/.codex/codexd.toml"),
        ("model_providers.x.wire_api=cht", '"responses" or "chat" or "messages", found "cht"'),
        ("model_providers.x.wire_api=chat", "provider `x` needs a base_url"),
    ],
)
def test_a_configuration_flag_that_cannot_be_used_is_refused(
    folder: Path, pair: str, words: str
) -> None:
    assert words in refused(folder, "delegate", "code-reviewer", "-c", pair)


# --- the command line ------------------------------------------------------------------------

REVIEW = ("delegate", "code-reviewer")
PAIR = ("delegate-parallel", "code-reviewer,sec-audit")
TOKENS = "it is a whole number of tokens, 0 or more\nhelp:  such as 5000 or 5_000\n"
TIME = "it is a length of time above zero\nhelp:  such as 90s, 5m, 1h; a bare number is minutes\n"

LINES: list[tuple[Sequence[str], str]] = [
    (["delegat"], "no verb named `delegat`\nhelp:  `delegate` is the nearest"),
    (["agents", "lst"], "no verb named `agents lst`\nhelp:  `agents list` is the nearest"),
    (["agents"], "`codexd agents` what? one of: list, show, validate, export"),
    (["delegate"], "`codexd delegate` needs AGENT\nhelp:  `codexd delegate --help` shows how"),
    (["delegate", "a", "b"], "has no place for `b`\nhelp:  a text with blanks needs quotes"),
    ([*REVIEW, "--budgt", "5"], "has no flag `--budgt`\nhelp:  `--budget` is the nearest"),
    ([*REVIEW, "-z"], "`codexd delegate` has no flag `-z`"),
    ([*REVIEW, "--budget"], "`--budget` needs a value: --budget TOKENS"),
    ([*REVIEW, "--lang", "fr"], "--lang cannot be `fr`; it is one of: en, ja"),
    ([*REVIEW, "--fail-on", "info"], "--fail-on cannot be `info`; it is one of: error, warning"),
    *(([*REVIEW, "--budget", each], TOKENS) for each in ("10k", "-5", "1.5", "", "1e4")),
    ([*REVIEW, "--budget", "9" * 20], "--budget is larger than 1,000,000,000,000"),
    *(([*REVIEW, "--deadline", each], TIME) for each in ("0", "-1", "soon", "5x", "", "nan")),
    ([*REVIEW, "--budget-usd", "much"], "an amount in dollars, 0 or more\nhelp:  such as 0.50"),
    ([*REVIEW, "-C", ""], "`--cd` needs a value: --cd DIR"),
    ([*REVIEW, "-o", ""], "`--output` needs a value: --output FILE"),
    ([*REVIEW, "--scope", ""], "`--scope` needs a value: --scope PATH"),
    ([*PAIR, "--goals", "a"], "2 agents, but --goals gives 1\nhelp:  give one for each agent"),
    ([*PAIR, "--goals", "a,b,c"], "2 agents, but --goals gives 3\nhelp:  "),
    ([*PAIR, "--goal", "a"], "2 agents, but --goal gives 1\nhelp:  "),
    ([*PAIR, "--scopes", "app.py"], "2 agents, but --scopes gives 1\nhelp:  "),
    ([*PAIR, "--budgets", "1,2,3"], "2 agents, but --budgets gives 3\nhelp:  "),
    ([*PAIR, "--budgets", "100,10k"], f"--budgets cannot be `10k`: {TOKENS}"),
    (["delegate-parallel", "a,,b"], "`a,,b` has an empty name between its commas"),
    ([*REVIEW, "-o", "nowhere/x.json"], "cannot write nowhere/x.json: no such folder\nhelp:  noth"),
    ([*REVIEW, "-o", "."], "cannot write .: it is a folder\nhelp:  nothing was begun"),
    ([*REVIEW, "-o", "made/"], "cannot write made: it is a folder\nhelp:  nothing was begun"),
    (["runs", "list", "--limit", "0"], "--limit cannot be `0`: it is a number above zero"),
    (["audit", "export", "--format", "xml"], "--format cannot be `xml`; it is one of: json, jsonl"),
    (["completion", "tcsh"], "SHELL cannot be `tcsh`; it is one of: bash, zsh, fish"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "words"), LINES, ids=lambda each: str(each)[-40:])
def test_a_command_line_that_cannot_be_read_begins_nothing(
    folder: Path, argv: Sequence[str], words: str
) -> None:
    assert words in refused(folder, *argv)


ASKED: list[tuple[Sequence[str], str]] = [
    (["delegate", "code-reviwer"], "no agent named `code-reviwer`\nhelp:  `code-reviewer` is the"),
    (["delegate-parallel", "sec-audit,nobody"], "no agent named `nobody`\nhelp:  "),
    (["agents", "show", "nobody"], "no agent named `nobody`\nhelp:  `codexd agents list` shows"),
    ([*REVIEW, "--scope", "nope.py"], "the scope 'nope.py' does not exist in {folder}\nhelp:  "),
    ([*REVIEW, "--scope", "/etc"], "the scope '/etc' is outside the workspace {folder}\nhelp:  -C"),
    ([*PAIR, "--scopes", "app.py,.."], "the scope '..' is outside the workspace {folder}\nhelp:  "),
    ([*REVIEW, "-C", "/no/where"], "no folder `/no/where`\nhelp:  -C takes a folder that is there"),
    ([*REVIEW, "-C", "app.py"], "no folder `app.py`\nhelp:  "),
    ([*REVIEW, "-m", "gpt"], "-m gpt: expected PROVIDER/MODEL, replay/FILE, or offline\nhelp:  "),
    ([*REVIEW, "-m", "openai/"], "-m openai/: expected PROVIDER/MODEL, replay/FILE, or offline\n"),
    ([*REVIEW, "-m", "opnai/x"], "-m opnai/x: no provider `opnai`\nhelp:  `openai` is the nearest"),
    ([*REVIEW, "--budget", "50000"], "a budget of 50,000 is more than the 40,000 of code-reviewer"),
    (["runs", "show"], "no run has been made in {folder} yet\nhelp:  `codexd delegate"),
    (["runs", "show", "zz"], "`zz` is no run's id\nhelp:  `codexd runs list` shows them"),
    (["runs", "watch", "abc"], "no run's id begins with `abc`\nhelp:  `codexd runs list` shows"),
    (["audit", "show", "--run", "abc"], "no run's id begins with `abc`\nhelp:  "),
    (["audit", "show", "--since", "soon"], "--since 'soon' is neither a time nor a length\nhelp:"),
    (["audit", "export", "--since", "2026-13-01"], "--since '2026-13-01' is neither a time nor a "),
    (["agent-create", ""], "the description of the agent is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "words"), ASKED, ids=lambda each: str(each)[-40:])
def test_a_request_that_cannot_be_met_begins_nothing(
    folder: Path, argv: Sequence[str], words: str
) -> None:
    assert f"error: {words.format(folder=folder)}" in refused(folder, *argv)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["delegat"], "`delegat` というコマンドはありません\nヒント: 最も近いのは `delegate` です"),
        ([*REVIEW, "--budgt=3"], "`--budgt` というフラグはありません\nヒント: 最も近いのは `--bu"),
        (
            ["delegate", "code-reviwer"],
            "`code-reviwer` というエージェントはありません\nヒント: 最も",
        ),
        (
            [*PAIR, "--goals", "a"],
            "エージェント 2 に対し --goals は 1 です\nヒント: 人数分を指定す",
        ),
        (
            [*REVIEW, "-o", "no/x"],
            "no/x に書けません: フォルダーがありません\nヒント: 何も始めていま",
        ),
    ],
)
def test_mistakes_are_told_in_japanese(folder: Path, argv: Sequence[str], words: str) -> None:
    said = refused(folder, *argv, env={"LANG": "ja_JP.UTF-8"})
    assert f"エラー: {words}" in said or words in said


def test_a_mistake_is_json_for_whoever_asked_for_json(folder: Path) -> None:
    done = codexd(folder, "delegate", "code-reviwer", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["type"]) == (2, "UnknownAgent")
    assert error["message"] == "no agent named `code-reviwer`"
    assert "`code-reviewer` is the nearest" in error["help"]


def test_a_short_id_that_several_runs_share_is_refused(folder: Path) -> None:
    crowd = ",".join(["docs-gen"] * 16)
    codexd(folder, "delegate-parallel", crowd, "--budgets", ",".join("0" * 16), "--json")
    [run] = json.loads(codexd(folder, "runs", "list", "--json").stdout)
    ids = [run["id"], *(child["id"] for child in run["children"])]
    # Seventeen ids, sixteen digits.
    first = next(digit for digit in "0123456789abcdef" if sum(id[0] == digit for id in ids) > 1)
    done = codexd(folder, "runs", "show", first)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"runs' ids begin with `{first}`\nhelp:  `codexd runs list` shows them" in done.stderr


def test_outside_of_any_repository_the_folder_is_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = nothing_here\n")
    done = codexd(tmp_path, "delegate", "code-reviewer", "--json")
    assert [each["path"] for each in json.loads(done.stdout)["findings"]] == ["a.py"]


# --- the model -------------------------------------------------------------------------------


def test_a_missing_key_is_named_and_nothing_begun(folder: Path) -> None:
    said = refused(folder, "delegate", "code-reviewer", "-m", "openai/x", status=1)
    assert "OpenAI needs a key, and OPENAI_API_KEY is not set\nhelp:  export OPENAI_API_K" in said


@pytest.mark.anyio
async def test_a_key_that_is_refused_is_told_without_the_key(folder: Path) -> None:
    key = "sk-0123456789abcdefghij"
    async with ModelServer([Scripted(status=401, message="no such key")]) as server:
        flags = [*model_flags(server), "-c", "model_providers.local.env_key=MY_KEY"]
        command = [*MODULE, "delegate", "code-reviewer", *flags]
        done = await anyio.run_process(
            command, cwd=folder, env=environment(MY_KEY=key), check=False
        )
        assert len(server.requests) == 1
    said = done.stdout.decode()
    assert done.returncode == 1
    assert "says 401: no such key" in said
    assert "check the key in MY_KEY" in said
    assert key not in said + done.stderr.decode()


def test_a_model_server_that_is_not_there_is_named(folder: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody else gets it, and nobody listens
        host = f"127.0.0.1:{held.getsockname()[1]}"
        flags = ["-m", "local/x", "-c", f"model_providers.local.base_url=http://{host}/v1"]
        flags += ["-c", "model_providers.local.request_max_retries=0"]
        done = codexd(folder, "delegate", "code-reviewer", *flags)
    assert done.returncode == 1
    assert f"  {host} cannot be reached: Connection refused\n  is local running?\n" in done.stdout


def test_what_rules_cannot_do_says_so(folder: Path) -> None:
    done = codexd(folder, "delegate", "planning", "--goal", "build a ship")
    assert done.returncode == 1
    assert "needs a language model" in done.stdout
    assert "-m PROVIDER/MODEL" in done.stdout


# --- permissions, places ---------------------------------------------------------------------


def unprivileged(folder: Path, *argv: str, **env: str) -> Run:
    """The command where permissions count: root is to go without its leave to pass over them."""
    command = [*MODULE, *argv]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv") or missing("`setpriv`, since this is root")
        command = [setpriv, "--bounding-set", "-dac_override,-dac_read_search", *command]
    return subprocess.run(
        command, cwd=folder, env=environment(**env), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_agents_that_may_not_be_read_are_told(folder: Path) -> None:
    agents = folder / ".codex/agents"
    agents.chmod(0)
    try:
        unknown = unprivileged(folder, "delegate", "mine")
        told = unprivileged(folder, "doctor")
    finally:
        agents.chmod(0o755)
    why = ".codex/agents:1:1: error: cannot be read: Permission denied\n"
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.startswith(f"{why}error: no agent named `mine`\n")
    assert (told.returncode, "✖ agents" in told.stdout) == (1, True)


def test_files_that_may_not_be_read_or_written_are_told(folder: Path) -> None:
    config = configure("default_budget = 5\n")
    config.chmod(0)
    done = unprivileged(folder, "delegate", "code-reviewer")
    config.unlink()
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {config}: cannot be read: Permission denied\nhelp:  mend its" in done.stderr
    (folder / "report.json").touch(0o400)
    done = unprivileged(folder, "delegate", "code-reviewer", "-o", "report.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot write report.json: no permission\nhelp:  nothing was begun" in done.stderr


def test_a_source_file_that_may_not_be_read_is_told_in_the_report(folder: Path) -> None:
    (folder / "closed.py").touch(0)
    done = unprivileged(folder, "delegate", "code-reviewer")
    assert done.returncode == 0, done.stderr
    report = (folder / "artifacts/code-review-report.md").read_text()
    assert "left out, not readable: no permission" in report


@pytest.mark.parametrize("obstacle", ["read-only", "a file", "a folder", "a link"])
def test_a_report_that_cannot_be_written_is_told_and_the_findings_shown(
    folder: Path, obstacle: str
) -> None:
    place = folder / "artifacts"
    match obstacle:
        case "read-only":
            place.mkdir(mode=0o555)
        case "a file":
            place.write_text("mine\n")
        case "a folder":
            (place / "code-review-report.md").mkdir(parents=True)
        case _:
            place.symlink_to("/etc")
    done = unprivileged(folder, "delegate", "code-reviewer")
    assert "F821" in done.stdout
    assert "missing  artifacts/code-review-report.md" in done.stdout
    [note] = [line for line in done.stdout.splitlines() if line.startswith("  note  ")]
    assert "artifacts/code-review-report.md" in note
    assert obstacle != "a file" or place.read_text() == "mine\n"


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_DATA_HOME"])
def test_state_that_cannot_be_kept_begins_nothing(folder: Path, variable: str) -> None:
    said = refused(folder, "delegate", "code-reviewer", status=1, env={variable: "/dev/null/x"})
    assert "/dev/null/x/codexd" in said
    assert f"set {variable} to a folder that can be written" in said


def test_a_home_that_is_read_only_is_told_and_needs_only_a_place_for_state(
    folder: Path, tmp_path: Path
) -> None:
    home().chmod(0o555)
    try:
        done = unprivileged(folder, "delegate", "docs-gen")
        places = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "DATA")}
        other = unprivileged(folder, "delegate", "docs-gen", **places)
        listed = unprivileged(folder, "agents", "list")
    finally:
        home().chmod(0o755)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the state folder cannot be made: {home()}/.local/state/codexd/" in done.stderr
    assert "or set XDG_STATE_HOME" in done.stderr
    assert (other.returncode, listed.returncode) == (0, 0), other.stderr + listed.stderr


def test_an_unusual_home_is_no_obstacle_and_a_relative_one_is_named(folder: Path) -> None:
    said = refused(folder, "delegate", "docs-gen", env={"HOME": "not/absolute"})
    assert "HOME is no absolute path: not/absolute\nhelp:  set HOME" in said


def test_neither_temporary_folder_nor_git_nor_ripgrep_is_needed(
    folder: Path, tmp_path: Path
) -> None:
    env = {"TMPDIR": "/no/where", "PATH": str(tmp_path)}
    done = codexd(folder, "delegate", "code-reviewer", env=env)
    assert done.returncode == 0, done.stderr
    told = codexd(folder, "doctor", env=env).stdout
    assert "git             not there" in told
    assert "rg              not there" in told


# --- streams, terminals, languages -----------------------------------------------------------


def shell(folder: Path, line: str, **env: str) -> Run:
    """`line` in a shell, where `codexd` is the command."""
    command = f'codexd() {{ "{sys.executable}" -m codexd "$@"; }}\n{line}'
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment(**env), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "status", "out"),
    [
        ("codexd delegate docs-gen <&-", 0, "✔ docs-gen"),
        ("codexd delegate docs-gen 2>&-", 0, "✔ docs-gen"),
        ("codexd delegate docs-gen <&- >&- 2>&-", 0, ""),
        ("codexd delegate nobody 2>/dev/full", 2, ""),
        ("codexd agents list >/dev/full", 1, ""),
        ("{ codexd agents list; echo $? >&2; } | true", 0, ""),
        ("{ codexd delegate docs-gen 2>&1; echo $? >&3; } 3>&2 | true", 0, ""),
    ],
)
def test_closed_full_and_unread_streams_break_nothing(
    folder: Path, line: str, status: int, out: str
) -> None:
    done = shell(folder, line)
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith(out)
    assert bool(done.stdout) == bool(out)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if "echo" in line:
        assert done.stderr.endswith("141\n")


@pytest.mark.parametrize("columns", ["1", "-3", "many"])
def test_any_width_is_a_width(folder: Path, columns: str) -> None:
    done = codexd(folder, "agents", "list", env={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    assert "code-reviewer" in done.stdout


@pytest.mark.parametrize(
    ("env", "first"),
    [
        ({"LANG": "C"}, "error: no agent named `日本`"),
        ({"LANG": "garbage"}, "error: no agent named `日本`"),
        ({"LANG": "C", "LC_ALL": "ja_JP.UTF-8"}, "エラー: `日本` というエージェントはありません"),
        ({"LANG": "ja_JP.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}, "エラー: `日本` という"),
        ({"LANG": "ja_JP.UTF-8", "PYTHONIOENCODING": "ascii"}, "???: `??` ????"),
    ],
)
def test_any_locale_gets_an_answer(folder: Path, env: dict[str, str], first: str) -> None:
    done = codexd(folder, "delegate", "日本", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(first)
    assert "\x1b" not in done.stderr


NO_TEXT = os.fsdecode(b"\xff\xfe")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["delegate", NO_TEXT], "AGENT is no UTF-8 text\nhelp:  type it in a UTF-8 terminal"),
        ([*REVIEW, "--goal", NO_TEXT], "--goal is no UTF-8 text"),
        ([*REVIEW, "--scope", NO_TEXT], "--scope is no UTF-8 text"),
        ([*REVIEW, "-C", f"/{NO_TEXT}"], "no folder `/??`"),
        ([NO_TEXT], "no verb named `??`"),
    ],
)
def test_bytes_that_are_no_text_are_refused(folder: Path, argv: Sequence[str], words: str) -> None:
    assert words in refused(folder, *argv)


@pytest.mark.parametrize("name", ["日本 with 'quotes\" $x", "new\nline", NO_TEXT, "-x"])
def test_a_workspace_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = workspace(tmp_path / name)
    (folder / f"odd{NO_TEXT}.py").write_text("import os\n")
    (folder / "esc\x1b[31m.py").write_text("import os\n")
    done = codexd(tmp_path, "delegate", "code-reviewer", "-C", f"./{name}")
    assert done.returncode == 0, done.stderr
    assert "F821" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    [row] = codexd(folder, "runs", "list").stdout.splitlines()[1:]
    assert "✔ completed" in row
