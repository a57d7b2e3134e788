"""Every verb of the command line, in one table.

Parsing, `--help`, the completion scripts and the README's list are made from it. A text for
people is a pair, English and Japanese.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from codexd.words import Words

# `typing` takes longer to import than all of `--help` may, and nothing here needs it at run time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    Completes: TypeAlias = Literal["", "file", "folder", "agent", "agents", "run"]


@dataclass(frozen=True, slots=True)
class Flag:
    """`--name VALUE`, or a switch where `metavar` is empty."""

    name: str
    help: Words
    metavar: str = ""
    short: str = ""
    repeats: bool = False
    choices: tuple[str, ...] = ()
    completes: Completes = ""


@dataclass(frozen=True, slots=True)
class Argument:
    """A value that stands by its place."""

    name: str
    """As `--help` shows it: `AGENT`."""
    help: Words
    optional: bool = False
    repeats: bool = False
    choices: tuple[str, ...] = ()
    completes: Completes = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be asked for."""

    name: str
    """One word, or two: `agents list`."""
    help: Words
    handler: str
    """`module:function` under `codexd.cli`, imported when the verb is asked for."""
    arguments: tuple[Argument, ...] = ()
    flags: tuple[Flag, ...] = field(default=())

    @property
    def all_flags(self) -> tuple[Flag, ...]:
        """Its own flags and those that every verb has."""
        return self.flags + EVERYWHERE


JSON = Flag("--json", Words("one JSON document on stdout", "標準出力に JSON を 1 つ出す"))
LANG = Flag(
    "--lang",
    Words("language of the texts (else by locale)", "表示言語 (省略時はロケールによる)"),
    metavar="LANG",
    choices=("en", "ja"),
)
HELP = Flag("--help", Words("this text", "この説明"), short="-h")
EVERYWHERE = (JSON, LANG, HELP)

CD = Flag(
    "--cd",
    Words("act in that folder's workspace", "指定フォルダーのワークスペースで実行"),
    metavar="DIR",
    short="-C",
    completes="folder",
)
MODEL = Flag(
    "--model",
    Words(
        "PROVIDER/MODEL, offline (rules) or replay/FILE",
        "PROVIDER/MODEL, offline (ルール), replay/FILE",
    ),
    metavar="MODEL",
    short="-m",
)
SET = Flag(
    "--config",
    Words("set one configuration key", "設定キーを 1 つ上書き"),
    metavar="KEY=VALUE",
    short="-c",
    repeats=True,
)
OUTPUT = Flag(
    "--output",
    Words("write the result to a file, as JSON", "結果を JSON でファイルに書く"),
    metavar="FILE",
    short="-o",
    completes="file",
)
GOAL = Flag(
    "--goal",
    Words("what is wanted (else the agent's own goal)", "目標 (省略時はエージェント自身の目標)"),
    metavar="TEXT",
)
SCOPE = Flag(
    "--scope",
    Words("what it is about; repeatable", "対象のパス (繰り返し可)"),
    metavar="PATH",
    repeats=True,
    completes="file",
)
BUDGET = Flag(
    "--budget",
    Words("tokens it may spend; 0 is zero", "使ってよいトークン数 (0 はゼロ)"),
    metavar="TOKENS",
)
DEADLINE = Flag(
    "--deadline",
    Words(
        "running time: 90s, 5m, 1h; a bare number is minutes",
        "実行時間の上限: 90s, 5m, 1h (単位なしは分)",
    ),
    metavar="TIME",
)
BUDGET_USD = Flag(
    "--budget-usd",
    Words("dollars it may spend", "使ってよい金額 (ドル)"),
    metavar="USD",
)
FAIL_ON = Flag(
    "--fail-on",
    Words("exit 1 on such findings or worse", "この重大度以上の指摘があれば終了コード 1"),
    metavar="SEVERITY",
    choices=("error", "warning"),
)
ALONE = Flag(
    "--standalone",
    Words("in this process, not the daemon (as in CI)", "デーモンを使わずに実行 (CI と同じ)"),
)
RUNNING = (MODEL, CD, SET, BUDGET_USD, FAIL_ON, ALONE)
"""The flags of every verb that runs an agent."""

WHICH_RUN = Argument(
    "ID",
    Words("the run; else the last one", "実行の ID (省略時は最後の実行)"),
    optional=True,
    completes="run",
)
LAST = Flag("--last", Words("the last run", "最後の実行"))
RUN = Flag("--run", Words("of one run", "この実行だけ"), metavar="ID", completes="run")
AGENT = Flag(
    "--agent", Words("of one agent", "このエージェントだけ"), metavar="NAME", completes="agent"
)
SINCE = Flag(
    "--since",
    Words("since then: 2h, or an RFC 3339 time", "これ以降: 2h または RFC 3339 の時刻"),
    metavar="TIME",
)
NAME = Argument("NAME", Words("an agent", "エージェント"), completes="agent")

VERBS = (
    Verb(
        "delegate",
        Words("give one agent a goal", "エージェントに目標を任せる"),
        "running:delegate",
        (Argument("AGENT", Words("who does it", "任せる相手"), completes="agent"),),
        (GOAL, SCOPE, BUDGET, DEADLINE, OUTPUT, *RUNNING),
    ),
    Verb(
        "delegate-parallel",
        Words("give several agents goals at once", "複数のエージェントに同時に任せる"),
        "running:delegate_parallel",
        (
            Argument(
                "A,B,C",
                Words("who; the same name twice is two runs", "任せる相手 (同名 2 回は 2 実行)"),
                completes="agents",
            ),
        ),
        (
            Flag(
                "--goals",
                Words("one goal an agent, by commas", "目標をエージェント順にコンマ区切りで"),
                metavar="G1,G2,…",
            ),
            Flag(
                "--scopes",
                Words("one scope an agent, by commas", "対象をエージェント順にコンマ区切りで"),
                metavar="S1,S2,…",
            ),
            Flag(
                "--budgets",
                Words("one budget an agent, by commas", "予算をエージェント順にコンマ区切りで"),
                metavar="N1,N2,…",
            ),
            Flag(
                "--goal",
                Words("one goal (with commas, too); once an agent", "目標 1 つ (コンマ可)、人数分"),
                metavar="TEXT",
                repeats=True,
            ),
            Flag(
                "--scope",
                Words("one scope; once an agent", "対象 1 つ、人数分"),
                metavar="PATH",
                repeats=True,
                completes="file",
            ),
            Flag(
                "--budget",
                Words("one budget; once an agent", "予算 1 つ、人数分"),
                metavar="TOKENS",
                repeats=True,
            ),
            Flag(
                "--total-budget",
                Words("tokens for all, in fair shares", "全体の予算 (公平に分ける)"),
                metavar="TOKENS",
            ),
            DEADLINE,
            OUTPUT,
            *RUNNING,
        ),
    ),
    Verb(
        "agent-create",
        Words("make an agent from a description and run it", "説明からエージェントを作って実行"),
        "running:agent_create",
        (Argument("PROMPT", Words("what it is for", "何のためのものか")),),
        (
            GOAL,
            BUDGET,
            Flag(
                "--save",
                Words("also write .codex/agents/NAME.yaml", ".codex/agents/NAME.yaml にも書く"),
            ),
            OUTPUT,
            *RUNNING,
        ),
    ),
    Verb(
        "agents list",
        Words("the agents of this workspace", "このワークスペースのエージェント一覧"),
        "listing:list_",
        (),
        (Flag("--names", Words("only the names", "名前だけ")), CD),
    ),
    Verb(
        "agents show",
        Words("what an agent may do and spend", "エージェントの権限と予算"),
        "agents:show",
        (NAME,),
        (CD,),
    ),
    Verb(
        "agents validate",
        Words("what is wrong with agent files", "エージェントファイルの誤りを調べる"),
        "agents:validate",
        (
            Argument(
                "PATH",
                Words("files; else all", "ファイル (省略時はすべて)"),
                optional=True,
                repeats=True,
                completes="file",
            ),
        ),
        (CD,),
    ),
    Verb(
        "agents export",
        Words("an agent in another file format", "エージェントを別の形式で出力"),
        "agents:export",
        (NAME,),
        (
            Flag(
                "--format",
                Words("yaml (ours) or toml (Codex)", "yaml (codexd) または toml (Codex)"),
                metavar="FORMAT",
                choices=("yaml", "toml"),
            ),
            CD,
        ),
    ),
    Verb(
        "agents schema",
        Words(
            "the keys of agent files, as a JSON schema", "エージェントファイルのキー (JSON Schema)"
        ),
        "agents:schema",
        (),
        (
            Flag(
                "--format",
                Words("whose files", "どの形式か"),
                metavar="FORMAT",
                choices=("yaml", "toml", "claude", "cursor", "vscode"),
            ),
        ),
    ),
    Verb(
        "runs list",
        Words("the latest runs", "最近の実行"),
        "history:list_",
        (),
        (
            Flag("--limit", Words("how many (20)", "件数 (20)"), metavar="N"),
            Flag("--ids", Words("only the ids", "ID だけ")),
            CD,
        ),
    ),
    Verb(
        "runs show",
        Words("one run: result, findings, spending", "実行の結果・指摘・消費"),
        "history:show",
        (WHICH_RUN,),
        (LAST, CD),
    ),
    Verb(
        "runs watch",
        Words("a run's row, live, until it ends", "実行を終わりまで見守る"),
        "history:watch",
        (WHICH_RUN,),
        (LAST, CD),
    ),
    Verb(
        "runs resume",
        Words("go on with a run that stopped", "止まった実行を続ける"),
        "running:resume",
        (WHICH_RUN,),
        (
            LAST,
            Flag(
                "--budget",
                Words("its new total of tokens", "新しい予算 (トークン、合計)"),
                metavar="TOKENS",
            ),
            Flag(
                "--deadline",
                Words("its new total of running time", "新しい期限 (実行時間の合計)"),
                metavar="TIME",
            ),
            OUTPUT,
            *RUNNING,
        ),
    ),
    Verb(
        "runs cancel",
        Words("stop a run of the daemon; else all", "デーモンの実行を止める (省略時は全部)"),
        "history:cancel",
        (WHICH_RUN,),
        (LAST, CD),
    ),
    Verb(
        "runs undo",
        Words("put back the files that a run wrote", "実行が書いたファイルを元に戻す"),
        "history:undo",
        (WHICH_RUN,),
        (LAST, CD, ALONE),
    ),
    Verb(
        "models",
        Words("the models that can be used", "使えるモデル"),
        "about:models",
        (),
        (SET, CD),
    ),
    Verb(
        "audit show",
        Words("what happened, one line an event", "監査ログを 1 行ずつ"),
        "audit:show",
        (),
        (
            RUN,
            AGENT,
            SINCE,
            Flag("--follow", Words("and go on as it happens", "続けて表示"), short="-f"),
            CD,
        ),
    ),
    Verb(
        "audit export",
        Words("the audit log as data", "監査ログをデータで出力"),
        "audit:export",
        (),
        (
            Flag(
                "--format",
                Words("json, jsonl or yaml", "json, jsonl, yaml"),
                metavar="FORMAT",
                choices=("json", "jsonl", "yaml"),
            ),
            RUN,
            AGENT,
            SINCE,
            CD,
        ),
    ),
    Verb(
        "audit verify",
        Words("whether the log's chain is whole", "ログの連鎖が無傷か確かめる"),
        "audit:verify",
        (),
        (CD,),
    ),
    Verb(
        "lsp",
        Words("a language server on stdin and stdout", "標準入出力の言語サーバー (エディター用)"),
        "daemons:lsp",
        (),
        (
            Flag("--stdio", Words("as without it", "省略時と同じ")),
            Flag(
                "--standalone",
                Words("serve in this process, without a daemon", "デーモンを使わずに動く"),
            ),
        ),
    ),
    Verb(
        "daemon start",
        Words("start this workspace's daemon", "このワークスペースのデーモンを起動"),
        "daemons:start",
        (),
        (CD,),
    ),
    Verb(
        "daemon stop",
        Words("end it; runs leave off, to be resumed", "停止する (実行は後で再開できる)"),
        "daemons:stop",
        (),
        (CD,),
    ),
    Verb(
        "daemon restart",
        Words("end it and start another", "停止して起動し直す"),
        "daemons:restart",
        (),
        (CD,),
    ),
    Verb(
        "daemon status",
        Words("whether it runs, for whom, since when", "動いているか、誰のためか、いつからか"),
        "daemons:status",
        (),
        (CD,),
    ),
    Verb(
        "daemon logs",
        Words("what it did", "デーモンのログ"),
        "daemons:logs",
        (),
        (
            Flag("--follow", Words("and go on as it happens", "続けて表示"), short="-f"),
            Flag("--limit", Words("how many lines (50)", "行数 (50)"), metavar="N"),
            CD,
        ),
    ),
    Verb(
        "doctor",
        Words("what is in force, from where; what is missing", "有効な設定とその出所、不足"),
        "about:doctor",
        (),
        (MODEL, SET, CD),
    ),
    Verb(
        "completion",
        Words("a completion script for your shell", "シェルの補完スクリプト"),
        "completion:completion",
        (Argument("SHELL", Words("which shell", "シェルの種類"), choices=("bash", "zsh", "fish")),),
    ),
)


def groups() -> tuple[str, ...]:
    """The first words of two-word verbs, in the table's order."""
    firsts = (verb.name.split()[0] for verb in VERBS if " " in verb.name)
    return tuple(dict.fromkeys(firsts))


def verb_named(name: str) -> Verb | None:
    """The row of that name, or `None`."""
    return next((verb for verb in VERBS if verb.name == name), None)
