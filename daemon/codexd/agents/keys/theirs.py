"""The keys of other products' dialects: Codex's TOML, Claude's, Cursor's and VS Code's Markdown."""

from __future__ import annotations

from codexd.agents.keys.key import Key, Kind
from codexd.agents.keys.ours import DESCRIPTION, EFFORT, EFFORT_DEFAULT, EFFORTS, MODEL, NAME
from codexd.words import Words

_PROFILE = Words(
    "your `default_profile`: the tools that read, until you set it",
    "自分の `default_profile`。設定するまでは読むツールのみ",
)
_SERVERS = Words(
    "MCP servers that it may use. They are not connected yet.",
    "使える MCP サーバー。まだ接続しません。",
)
_SKILLS = Words("Not honoured: there are no skills yet.", "未対応です。スキルはまだありません。")
_HOOKS = Words(
    "Not honoured: nothing that a file brings along is run.",
    "未対応です。ファイルが持ち込むものは実行しません。",
)
_NO_USE = Words("Has no use here.", "ここでは使いません。")


def _idle(name: str, about: Words = _NO_USE, *kinds: Kind) -> Key:
    return Key(name, kinds or (Kind.TEXT,), about, idle=True)


CODEX = (
    NAME,
    DESCRIPTION,
    Key(
        "developer_instructions",
        (Kind.PROSE,),
        Words(
            "What the model is told: how to work, what to look at, what to leave out. Needed.",
            "モデルへの指示。進め方、見るもの、しないこと。必須です。",
        ),
    ),
    Key(
        "sandbox_mode",
        (Kind.CHOICE,),
        Words(
            "`read-only`: reads the workspace. `workspace-write`: writes it too, protected files "
            "left aside. Programs need a sandbox tier, and none is in force yet. "
            "`danger-full-access` does not load.",
            "`read-only`: ワークスペースを読みます。`workspace-write`: 保護されたファイルを除いて"
            "書きもします。プログラムにはサンドボックスが必要で、まだ有効ではありません。"
            "`danger-full-access` は読み込まれません。",
        ),
        default=_PROFILE,
        grants=Words(
            "reading, or reading and writing, the workspace",
            "ワークスペースの読み取り、または読み書き",
        ),
        values=("read-only", "workspace-write", "danger-full-access"),
        decides=True,
    ),
    Key(
        "web_search",
        (Kind.CHOICE, Kind.FLAG),
        Words("Whether it may search the web.", "Web 検索を使えるか。"),
        default=Words("`disabled`", "`disabled`"),
        grants=Words("the tool `web_search`", "ツール `web_search`"),
        values=("disabled", "cached", "live"),
    ),
    MODEL,
    Key("model_reasoning_effort", (Kind.CHOICE,), EFFORT, EFFORT_DEFAULT, values=EFFORTS),
    Key("mcp_servers", (Kind.MAP,), _SERVERS, decides=True),
    Key("skills", (Kind.MAP, Kind.ITEMS), _SKILLS),
    _idle(
        "nickname_candidates",
        Words("Has no use here: a run goes by its agent.", "ここでは使いません。"),
        Kind.TEXTS,
    ),
)

_TOOLS = Key(
    "tools",
    (Kind.TOOLS, Kind.TEXT),
    Words(
        "What it may use, in a list or with commas between: `Read, Grep, Bash(git diff:*), "
        "WebFetch(domain:docs.rs)`. Our own names are taken as well.",
        "使えるツール。リスト、またはコンマ区切り: `Read, Grep, Bash(git diff:*), "
        "WebFetch(domain:docs.rs)`。codexd の名前も使えます。",
    ),
    default=_PROFILE,
    grants=Words(
        "these tools; `Tool(argument)` a command, path or host as well",
        "これらのツール。`Tool(引数)` はコマンド、パス、ホストも",
    ),
    decides=True,
)
_BACKGROUND = Words(
    "Has no effect: whoever starts a run decides whether to wait for it.",
    "効果はありません。待つかどうかは実行を始める側が決めます。",
)
_MODES = ("default", "acceptEdits", "plan", "dontAsk", "auto", "bypassPermissions")
_PERMISSION_MODE = Key(
    "permissionMode",
    (Kind.CHOICE,),
    Words(
        "What becomes of what no grant covers. `acceptEdits`: writes the workspace; `plan`: writes "
        "and runs nothing; `dontAsk`: refused without asking; `bypassPermissions` does not load.",
        "許可のないことの扱い。`acceptEdits`: ワークスペースに書きます。`plan`: 書き込みも実行も"
        "しません。`dontAsk`: 尋ねずに拒みます。`bypassPermissions` は読み込まれません。",
    ),
    default=Words("`default`: each crossing would be asked", "`default`: 越えるたびに尋ねます"),
    grants=Words(
        "with `acceptEdits`, writing the workspace", "`acceptEdits` ならワークスペースへの書き込み"
    ),
    values=_MODES,
    decides=True,
)
_READONLY = Key(
    "readonly",
    (Kind.FLAG,),
    Words("`true`: it writes and runs nothing.", "`true`: 書き込みも実行もしません。"),
    default=Words("`false`", "`false`"),
    decides=True,
)
_MARKDOWN = (
    _TOOLS,
    Key(
        "disallowedTools",
        (Kind.TOOLS, Kind.TEXT),
        Words(
            "Tools that it shall not have; a part of one (`Bash(rm:*)`) takes the whole.",
            "使わせないツール。一部 (`Bash(rm:*)`) でも全体を外します。",
        ),
        decides=True,
    ),
    _PERMISSION_MODE,
    Key(
        "maxTurns",
        (Kind.WHOLE,),
        Words("How many answers its model may give.", "モデルが答えてよい回数。"),
        default=Words("as many as the budget holds", "予算の範囲"),
        decides=True,
    ),
    Key("effort", (Kind.CHOICE,), EFFORT, EFFORT_DEFAULT, values=EFFORTS),
    Key("mcpServers", (Kind.MAP, Kind.SERVERS), _SERVERS, decides=True),
    _READONLY,
    Key("skills", (Kind.TEXTS,), _SKILLS),
    Key("hooks", (Kind.MAP,), _HOOKS),
    Key(
        "memory",
        (Kind.TEXT,),
        Words(
            "Not honoured: an agent begins each run anew.",
            "未対応です。エージェントは毎回新しく始めます。",
        ),
    ),
    Key(
        "isolation",
        (Kind.TEXT,),
        Words(
            "Not honoured: it works in the workspace itself.",
            "未対応です。ワークスペース自体で働きます。",
        ),
    ),
    _idle("background", _BACKGROUND, Kind.FLAG),
    _idle("is_background", _BACKGROUND, Kind.FLAG),
    _idle("color"),
)
CLAUDE = (NAME, DESCRIPTION, MODEL, *_MARKDOWN)
CURSOR = (NAME, DESCRIPTION, MODEL, _READONLY, *(key for key in _MARKDOWN if key != _READONLY))

_HANDOFFS = Words(
    "Has no effect: there are no handoffs; an agent may delegate.",
    "効果はありません。引き継ぎはなく、エージェントは委任できます。",
)
VSCODE = (
    NAME,
    DESCRIPTION,
    Key(
        "tools",
        (Kind.TOOLS, Kind.TEXT),
        Words(
            "What it may use: VS Code's names (`search`, `edit`, `runCommands`, `fetch`), ours, or "
            "`SERVER/*`.",
            "使えるツール。VS Code の名前 (`search`、`edit`、`runCommands`、`fetch`)、codexd の"
            "名前、または `SERVER/*`。",
        ),
        default=_PROFILE,
        grants=Words(
            "these tools; an editing one writes the workspace",
            "これらのツール。編集ツールはワークスペースに書きます",
        ),
        decides=True,
    ),
    Key(
        "model",
        (Kind.MODEL, Kind.TEXTS),
        MODEL.about,
        default=MODEL.default,
        decides=True,
    ),
    Key(
        "agents",
        (Kind.AGENTS,),
        Words(
            "Whom it may delegate to. `[]`: nobody; a list of some is not held yet.",
            "委任できる相手。`[]`: なし。一部に限ることはまだできません。",
        ),
        default=Words("any agent, within its own rights", "自分の権限の範囲で任意のエージェント"),
        grants=Words("the tool `delegate`", "ツール `delegate`"),
    ),
    _idle("handoffs", _HANDOFFS, Kind.ITEMS),
    _idle("handoffs.*.label"),
    _idle("handoffs.*.agent", _HANDOFFS, Kind.AGENT),
    _idle("handoffs.*.prompt"),
    _idle("handoffs.*.send", _NO_USE, Kind.FLAG),
    Key("mcp-servers", (Kind.MAP,), _SERVERS, decides=True),
    _idle("argument-hint"),
    _idle(
        "user-invocable",
        Words(
            "Has no effect: every agent can be started by name.",
            "効果はありません。どのエージェントも名前で始められます。",
        ),
        Kind.FLAG,
    ),
    _idle(
        "disable-model-invocation",
        Words(
            "Has no effect: an agent that may delegate may start this one.",
            "効果はありません。委任できるエージェントはこれを始められます。",
        ),
        Kind.FLAG,
    ),
    Key("hooks", (Kind.MAP,), _HOOKS),
    _idle(
        "target",
        Words("Has no effect: this is neither VS Code nor Copilot.", "効果はありません。"),
    ),
)
