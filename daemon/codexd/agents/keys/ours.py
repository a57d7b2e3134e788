"""The keys of our YAML, all three shapes, the most wanted first."""

from __future__ import annotations

from codexd.agents.keys.key import Key, Kind
from codexd.words import Words

NAME = Key(
    "name",
    (Kind.TEXT,),
    Words(
        "What the agent is called: as written, or as a slug (`Python Reviewer`, "
        "`python-reviewer`). Of equal names the first place wins, the workspace's before yours.",
        "エージェントの名前。書いたとおり、またはスラッグ (`Python Reviewer`、`python-reviewer`) で"
        "呼べます。同名なら先の場所が勝ち、ワークスペースが個人用に優先します。",
    ),
)
DESCRIPTION = Key(
    "description",
    (Kind.TEXT,),
    Words(
        "What it does for whom, in one sentence: lists show it, and an agent that may delegate "
        "chooses by it.",
        "誰のために何をするかを 1 文で。一覧に表示され、委任するエージェントが選ぶ手がかりです。",
    ),
)
MODEL = Key(
    "model",
    (Kind.MODEL,),
    Words(
        "Which of the configured provider's models answers. It turns none on: without a provider "
        "in your configuration or `-m`, the run is offline (rules).",
        "設定済みプロバイダーのどのモデルが答えるか。モデルを有効にはしません。設定や `-m` に"
        "プロバイダーがなければオフライン (ルール) です。",
    ),
    default=Words("the configuration's `model`", "設定の `model`"),
    decides=True,
)
EFFORT = Words(
    "How much the model is asked to think before it answers.",
    "モデルが答える前にどれだけ考えるか。",
)
EFFORT_DEFAULT = Words("the provider's own", "プロバイダーの既定")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CONFIGURED = Words(
    "the configuration's `default_budget` (40,000)", "設定の `default_budget` (40,000)"
)

_NET = Words(
    "Which hosts it may reach with the web tools: `{allow: […]}`, or the list itself.",
    "Web ツールで接続できるホスト。`{allow: […]}`、またはリスト。",
)
_ALLOW = Words(
    "Hosts that the web tools may reach: `https://docs.rs/*`, `https://*.example.com`, "
    "`http://localhost:8080`. No path and `/*` are the whole host, no port is the scheme's own.",
    "Web ツールで接続できるホスト: `https://docs.rs/*`、`https://*.example.com`、"
    "`http://localhost:8080`。パスなしと `/*` はホスト全体、ポートなしは既定のポート。",
)
_ALLOW_GRANTS = Words(
    "GET requests to these hosts. An address that is not public only where it is spelled.",
    "これらのホストへの GET。公開されていないアドレスは明記した場合だけ。",
)
_SUBPROCESS = Words(
    "Hosts that programs it starts may reach: within `allow`, without paths and without a bare "
    "`*`. Only a sandbox could hold that, and no tier is in force yet.",
    "起動するプログラムが接続できるホスト。`allow` の範囲内で、パスと単独の `*` は不可。"
    "サンドボックスが必要で、まだ有効ではありません。",
)
_SHELL = Words(
    "Which programs it may start: `{exec: […]}`, or the list itself; `[]` is none.",
    "起動できるプログラム。`{exec: […]}`、またはリスト。`[]` はなし。",
)
_EXEC = Words(
    "First words of commands that it may start: `cargo` is cargo with any arguments, `npm audit` "
    "those two words and whatever follows.",
    "起動できるコマンドの先頭の語。`cargo` は任意の引数つき、`npm audit` はこの 2 語と続き。",
)
_EXEC_GRANTS = Words(
    'Starting these programs, where your own configuration says `sandbox = "none"`; else nothing '
    "until a sandbox tier is in force.",
    'これらのプログラムの起動。自分の設定に `sandbox = "none"` がある場合のみで、なければ'
    "サンドボックスが有効になるまで許可されません。",
)
_TOKENS = Words(
    "The run's budget in tokens: input and output of the whole run, never the cap of one answer. "
    "`--budget` at a start may only lower it. `0` is zero.",
    "実行の予算 (トークン)。実行全体の入力と出力で、1 回の答えの上限ではありません。開始時の "
    "`--budget` は下げるだけ。`0` はゼロ。",
)
_TOKENS_GRANTS = Words("spending that many tokens a run", "1 実行あたりそのトークン数の消費")
NOTHING = Words("nothing", "なし")

_TOOL_ITEM = (
    Key(
        "type",
        (Kind.CHOICE,),
        Words("`mcp`: all tools of an MCP server.", "`mcp`: MCP サーバーのすべてのツール。"),
        values=("mcp",),
        decides=True,
    ),
    Key(
        "server",
        (Kind.SERVER,),
        Words(
            "The MCP server's name. Servers are not connected yet.",
            "MCP サーバーの名前。サーバーにはまだ接続しません。",
        ),
        decides=True,
    ),
    Key("name", (Kind.TOOLS,), Words("A tool's name.", "ツールの名前。")),
    Key(
        "description",
        (Kind.TEXT,),
        Words("A note for people.", "人のためのメモ。"),
        idle=True,
    ),
)


def _within(above: str, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """The same keys, one place further in."""
    return tuple(
        Key(f"{above}.{key.path}", key.kinds, key.about, key.default, key.grants, key.values,
            key.decides, key.idle)
        for key in keys
    )  # fmt: skip


_HOSTS = (
    Key("net", (Kind.MAP, Kind.HOSTS, Kind.OFF), _NET, NOTHING, decides=True),
    Key("net.allow", (Kind.HOSTS,), _ALLOW, NOTHING, _ALLOW_GRANTS, decides=True),
    Key("net.subprocess", (Kind.HOSTS,), _SUBPROCESS, NOTHING, decides=True),
)
_PROGRAMS = (
    Key("shell", (Kind.MAP, Kind.COMMANDS, Kind.OFF), _SHELL, NOTHING, decides=True),
    Key("shell.exec", (Kind.COMMANDS,), _EXEC, NOTHING, _EXEC_GRANTS, decides=True),
)

_TOOLS = (
    Key(
        "tools",
        (Kind.MAP, Kind.TOOLS),
        Words(
            "What it may do: keys `mcp` (tools by name), `fs`, `net`, `shell`; or a list of tools.",
            "できること。キー `mcp` (ツール名)、`fs`、`net`、`shell`、またはツールのリスト。",
        ),
        default=Words("reporting alone", "報告のみ"),
        grants=Words(
            "the tools named; paths, hosts and programs are granted apart from them",
            "名前を挙げたツール。パス、ホスト、プログラムは別に許可します",
        ),
        decides=True,
    ),
    Key(
        "tools.mcp",
        (Kind.TOOLS, Kind.ITEMS),
        Words(
            "Tools by name, ours or an alias (`codex_read_file`); `{type: mcp, server: NAME}` is "
            "all that a server offers.",
            "ツール名。codexd のもの、または別名 (`codex_read_file`)。"
            "`{type: mcp, server: NAME}` はサーバーの全ツール。",
        ),
        grants=Words(
            "these tools, within the paths, hosts and programs granted",
            "これらのツール (許可されたパス、ホスト、プログラムの範囲内)",
        ),
        decides=True,
    ),
    *_within("tools.mcp.*", _TOOL_ITEM),
    Key(
        "tools.mcp_servers",
        (Kind.SERVERS,),
        Words(
            "MCP servers by name. They are not connected yet.",
            "MCP サーバーの名前。まだ接続しません。",
        ),
        decides=True,
    ),
    Key(
        "tools.fs",
        (Kind.MAP,),
        Words("Which files it reads and writes.", "読み書きできるファイル。"),
        decides=True,
    ),
    Key(
        "tools.fs.read",
        (Kind.FLAG, Kind.PATHS),
        Words(
            "`true`: the workspace without protected files (`.env`, `.git`, keys); a list: these "
            "paths and patterns.",
            "`true`: 保護されたファイル (`.env`、`.git`、鍵) を除くワークスペース。リスト: その"
            "パスとパターン。",
        ),
        default=Words("the workspace, where a tool reads", "読むツールがあればワークスペース"),
        grants=Words("reading there", "そこでの読み取り"),
        decides=True,
    ),
    Key(
        "tools.fs.write",
        (Kind.PATHS,),
        Words(
            "Paths and patterns that it may write, relative to the workspace: `./artifacts`, "
            "`src/**`; `[./]` is the workspace without protected files.",
            "書けるパスとパターン (ワークスペース相対): `./artifacts`、`src/**`。`[./]` は"
            "保護されたファイルを除くワークスペース。",
        ),
        default=Words("nothing but `artifacts`", "`artifacts` のみ"),
        grants=Words("writing there", "そこへの書き込み"),
        decides=True,
    ),
    *_within("tools", _HOSTS),
    *_within("tools", _PROGRAMS),
    *_within("tools.*", _TOOL_ITEM),
)

_POLICIES = (
    Key(
        "policies",
        (Kind.MAP,),
        Words("What it may spend, keep and reach at most.", "消費、保存、到達の上限。"),
        decides=True,
    ),
    Key(
        "policies.context",
        (Kind.MAP,),
        Words("Its budget, and how long its conversation is kept.", "予算と会話の保存期間。"),
        decides=True,
    ),
    Key(
        "policies.context.max_tokens",
        (Kind.WHOLE,),
        _TOKENS,
        CONFIGURED,
        _TOKENS_GRANTS,
        decides=True,
    ),
    Key(
        "policies.context.retention",
        (Kind.CHOICE,),
        Words(
            "How long the conversation's bodies are kept. `job`: until the run is completed and "
            "its result read; `session`: until the host stops; `permanent`: kept. Result, findings "
            "and what `undo` needs stay.",
            "会話の本文を保存する期間。`job`: 完了して結果が読まれるまで。`session`: ホストが"
            "止まるまで。`permanent`: 保存。結果、指摘、`undo` に要るものは残ります。",
        ),
        default=Words("`permanent`", "`permanent`"),
        values=("job", "session", "permanent"),
        decides=True,
    ),
    Key(
        "policies.permissions",
        (Kind.MAP,),
        Words("Bounds of all that it reads, writes and reaches.", "読み書きと接続全体の限界。"),
        decides=True,
    ),
    Key(
        "policies.permissions.filesystem",
        (Kind.PATHS,),
        Words(
            "`[]`: reads the workspace, writes nowhere. Paths: they bound reading and writing; "
            "writing needs a write tool as well.",
            "`[]`: ワークスペースを読み、どこにも書きません。パス: 読み書きの限界。書くには書き込み"
            "ツールも必要です。",
        ),
        grants=Words(
            "reading there; with a write tool, writing",
            "そこでの読み取り、書き込みツールがあれば書き込み",
        ),
        decides=True,
    ),
    Key(
        "policies.permissions.network",
        (Kind.HOSTS,),
        Words(
            "Bounds the hosts of `net`, and grants them where `net` says nothing; `[]` is none.",
            "`net` のホストの限界。`net` がなければその許可。`[]` はなし。",
        ),
        grants=_ALLOW_GRANTS,
        decides=True,
    ),
    Key(
        "policies.secrets",
        (Kind.MAP,),
        Words("What becomes of secrets in what it reads.", "読んだものに含まれる秘密の扱い。"),
        decides=True,
    ),
    Key(
        "policies.secrets.redact",
        (Kind.FLAG,),
        Words(
            "`false` has no effect: secrets are redacted before the model reads them.",
            "`false` に効果はありません。秘密はモデルが読む前に伏せられます。",
        ),
        default=Words("`true`", "`true`"),
        decides=True,
    ),
    *_within("policies", _HOSTS),
    *_within("policies", _PROGRAMS),
)

_LIMITS = (
    Key(
        "resource_limits",
        (Kind.MAP,),
        Words("How long it runs, and how much at once.", "実行時間と並列数の上限。"),
        decides=True,
    ),
    Key(
        "resource_limits.timeout_seconds",
        (Kind.NUMBER,),
        Words(
            "The deadline: seconds of running time, after which the run ends with all it has.",
            "期限。実行時間 (秒)。過ぎると、それまでの成果を残して終わります。",
        ),
        default=Words("none", "なし"),
        decides=True,
    ),
    Key(
        "resource_limits.max_parallel_tasks",
        (Kind.WHOLE,),
        Words("How many child runs it may have at once.", "同時に持てる子の実行の数。"),
        default=Words("the configuration's `max_threads` (64)", "設定の `max_threads` (64)"),
        decides=True,
    ),
    Key("max_tokens", (Kind.WHOLE,), _TOKENS, CONFIGURED, _TOKENS_GRANTS, decides=True),
    Key(
        "max_turns",
        (Kind.WHOLE,),
        Words("How many answers its model may give.", "モデルが答えてよい回数。"),
        default=Words("as many as the budget holds", "予算の範囲"),
        decides=True,
    ),
    Key(
        "termination_conditions",
        (Kind.ITEMS,),
        Words(
            "When it ends: `type: timeout` is a deadline; others are told to the model.",
            "終わる条件。`type: timeout` は期限。ほかはモデルに伝えます。",
        ),
        decides=True,
    ),
    Key(
        "termination_conditions.*.type",
        (Kind.CHOICE, Kind.TEXT),
        Words("`timeout` is held.", "`timeout` は守られます。"),
        values=("timeout", "task_complete"),
        decides=True,
    ),
    Key(
        "termination_conditions.*.duration_minutes",
        (Kind.NUMBER,),
        Words("The deadline in minutes of running time.", "期限 (実行時間、分)。"),
        decides=True,
    ),
    Key(
        "termination_conditions.*.duration_seconds",
        (Kind.NUMBER,),
        Words("The deadline in seconds of running time.", "期限 (実行時間、秒)。"),
        decides=True,
    ),
    Key(
        "context_size",
        (Kind.WHOLE,),
        Words(
            "No effect: a context is compacted when it outgrows the model's window.",
            "効果はありません。文脈はモデルの窓を超えると縮められます。",
        ),
        idle=True,
    ),
)

KEYS = (
    NAME,
    DESCRIPTION,
    Key(
        "goal",
        (Kind.TEXT,),
        Words(
            "Its standing purpose, and what it does when no goal is given.",
            "常の目的。目標なしで始めたときにすること。",
        ),
    ),
    Key(
        "instructions",
        (Kind.PROSE,),
        Words(
            "What the model is told: how to work, what to look at, what to leave out.",
            "モデルへの指示。進め方、見るもの、しないこと。",
        ),
    ),
    *_TOOLS,
    *_POLICIES,
    Key(
        "artifacts",
        (Kind.PATHS,),
        Words(
            "The files that it makes, paths or patterns in the workspace: `artifacts/report.md`.",
            "作るファイル。ワークスペース内のパスかパターン: `artifacts/report.md`。",
        ),
        default=NOTHING,
        grants=Words("writing exactly these", "これらだけへの書き込み"),
        decides=True,
    ),
    Key(
        "success_criteria",
        (Kind.TEXTS,),
        Words(
            "Sentences judged at the end with evidence: met, not met, not judged.",
            "終わりに根拠をもって判定する文。達成、未達成、判定せず。",
        ),
    ),
    *_LIMITS,
    MODEL,
    Key("reasoning_effort", (Kind.CHOICE,), EFFORT, EFFORT_DEFAULT, values=EFFORTS),
    Key(
        "temperature",
        (Kind.NUMBER,),
        Words(
            "How freely the model chooses its words: 0 to 2.",
            "モデルの語の選び方の自由さ: 0 から 2。",
        ),
        default=EFFORT_DEFAULT,
    ),
    Key(
        "system_prompt",
        (Kind.PROSE,),
        Words(
            "The same as `instructions`; both are told.", "`instructions` と同じ。両方伝えます。"
        ),
    ),
    Key(
        "capabilities",
        (Kind.TEXTS,),
        Words("Shown and searchable; they grant nothing.", "表示と検索用。何も許可しません。"),
    ),
    Key("version", (Kind.TEXT, Kind.NUMBER), Words("The file's version.", "ファイルの版。")),
)
