"""Every sentence that the terminal says, in English and Japanese.

Help texts of verbs and flags stand with them in `verbs.py`. A sentence's `{name}` fields are the
same in both languages; a test compares them.
"""

from __future__ import annotations

# As in `verbs.py`: what only types need is not imported on the way to `--help`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SENTENCES: Mapping[str, tuple[str, str]] = {
    # How faults begin, and what to do about them.
    "error": ("error:", "エラー:"),
    "help": ("help: ", "ヒント:"),
    "internal": ("internal: {what}", "内部エラー: {what}"),
    "internal.help": (
        "this is a mistake of ours; CODEXD_DEBUG=1 shows where",
        "codexd の不具合です。CODEXD_DEBUG=1 で場所を表示します",
    ),
    "lost": ("cannot write: {why}", "書き込めません: {why}"),
    "lost.help": (
        "free some space; a run that was made is kept: `codexd runs show --last`",
        "空き容量を確保してください。実行結果は残っています: `codexd runs show --last`",
    ),
    "unknown-agent": ("no agent named `{name}`", "`{name}` というエージェントはありません"),
    "unknown-agent.near": (
        "`{nearest}` is the nearest; `codexd agents list` shows all {n}",
        "最も近いのは `{nearest}` です。全 {n} 件の一覧は `codexd agents list`",
    ),
    "unknown-agent.help": (
        "`codexd agents list` shows all {n}",
        "全 {n} 件の一覧は `codexd agents list`",
    ),
    # Command lines that cannot be used.
    "misuse.no-verb": ("no verb given", "コマンドがありません"),
    "misuse.no-verb.help": ("`codexd --help` shows all", "一覧は `codexd --help`"),
    "misuse.unknown-verb": ("no verb named `{verb}`", "`{verb}` というコマンドはありません"),
    "misuse.unknown-verb.near": (
        "`{nearest}` is the nearest; `codexd --help` shows all",
        "最も近いのは `{nearest}` です。一覧は `codexd --help`",
    ),
    "misuse.unknown-verb.help": ("`codexd --help` shows all", "一覧は `codexd --help`"),
    "misuse.verb-incomplete": (
        "`codexd {verb}` what? one of: {choices}",
        "`codexd {verb}` の後に次のどれかが要ります: {choices}",
    ),
    "misuse.unknown-flag": (
        "`codexd {verb}` has no flag `{flag}`",
        "`codexd {verb}` に `{flag}` というフラグはありません",
    ),
    "misuse.unknown-flag.near": (
        "`{nearest}` is the nearest; `codexd {verb} --help` shows all",
        "最も近いのは `{nearest}` です。一覧は `codexd {verb} --help`",
    ),
    "misuse.unknown-flag.help": (
        "`codexd {verb} --help` shows all",
        "一覧は `codexd {verb} --help`",
    ),
    "misuse.flag-needs-value": (
        "`{flag}` needs a value: {flag} {metavar}",
        "`{flag}` には値が要ります: {flag} {metavar}",
    ),
    "misuse.flag-takes-none": ("`{flag}` takes no value", "`{flag}` は値を取りません"),
    "misuse.flag-twice": ("`{flag}` is given twice", "`{flag}` が 2 回あります"),
    "misuse.argument-missing": (
        "`codexd {verb}` needs {argument}",
        "`codexd {verb}` には {argument} が要ります",
    ),
    "misuse.argument-missing.help": (
        "`codexd {verb} --help` shows how",
        "使い方は `codexd {verb} --help`",
    ),
    "misuse.argument-extra": (
        "`codexd {verb}` has no place for `{argument}`",
        "`codexd {verb}` に `{argument}` の置き場所がありません",
    ),
    "misuse.argument-extra.help": (
        "a text with blanks needs quotes",
        "空白を含む文は引用符で囲んでください",
    ),
    "misuse.not-a-choice": (
        "{name} cannot be `{value}`; it is one of: {choices}",
        "{name} に `{value}` は使えません。次のどれかです: {choices}",
    ),
    "misuse.not-tokens": (
        "{name} cannot be `{value}`: it is a whole number of tokens, 0 or more",
        "{name} に `{value}` は使えません。0 以上の整数 (トークン数) です",
    ),
    "misuse.not-tokens.help": ("such as 5000 or 5_000", "例: 5000 または 5_000"),
    "misuse.not-dollars": (
        "{name} cannot be `{value}`: it is an amount in dollars, 0 or more",
        "{name} に `{value}` は使えません。0 以上の金額 (ドル) です",
    ),
    "misuse.not-dollars.help": ("such as 0.50", "例: 0.50"),
    "misuse.not-time": (
        "{name} cannot be `{value}`: it is a length of time above zero",
        "{name} に `{value}` は使えません。0 より長い時間です",
    ),
    "misuse.not-time.help": (
        "such as 90s, 5m, 1h; a bare number is minutes",
        "例: 90s, 5m, 1h (単位なしは分)",
    ),
    "misuse.not-count": (
        "{name} cannot be `{value}`: it is a number above zero",
        "{name} に `{value}` は使えません。1 以上の整数です",
    ),
    "misuse.too-large": (
        "{name} is larger than {most}, the most that is counted",
        "{name} が大きすぎます。上限は {most} です",
    ),
    "misuse.no-text": ("{name} is no UTF-8 text", "{name} が UTF-8 ではありません"),
    "misuse.no-text.help": (
        "type it in a UTF-8 terminal; a file named otherwise can be renamed",
        "UTF-8 の端末で入力してください。ファイル名なら改名できます",
    ),
    "misuse.not-pair": (
        "`{value}` is no KEY=VALUE",
        "`{value}` は KEY=VALUE の形ではありません",
    ),
    "misuse.not-pair.help": ("such as -c default_budget=20000", "例: -c default_budget=20000"),
    "misuse.counts": (
        "{agents} agents, but {name} gives {given}",
        "エージェント {agents} に対し {name} は {given} です",
    ),
    "misuse.counts.help": (
        "give one for each agent, or none: then each definition's own",
        "人数分を指定するか、省略してください (省略時は各定義の値)",
    ),
    "misuse.both": ("`{one}` and `{other}` together", "`{one}` と `{other}` は併用できません"),
    "misuse.both.help": ("use one of them", "どちらか一方にしてください"),
    "misuse.empty-agent": (
        "`{value}` has an empty name between its commas",
        "`{value}` のコンマの間に空の名前があります",
    ),
    "misuse.output": ("cannot write {path}: {why}", "{path} に書けません: {why}"),
    "misuse.output.help": (
        "nothing was begun; choose another -o FILE",
        "何も始めていません。別の -o FILE を指定してください",
    ),
    "output.no-folder": ("no such folder", "フォルダーがありません"),
    "output.a-folder": ("it is a folder", "フォルダーです"),
    "output.read-only": ("no permission", "書き込み権限がありません"),
    "output.lost": (
        "cannot write {path}: {why}",
        "{path} に書けません: {why}",
    ),
    "output.lost.help": (
        "the run is kept: `{command}`",
        "結果は残っています: `{command}`",
    ),
    # What a run is.
    "status.running": ("running", "実行中"),
    "status.waiting": ("waiting", "待機中"),
    "status.completed": ("completed", "完了"),
    "status.failed": ("failed", "失敗"),
    "status.budget_exceeded": ("budget reached", "予算到達"),
    "status.deadline_exceeded": ("deadline reached", "期限到達"),
    "status.cancelled": ("cancelled", "取消"),
    "status.interrupted": ("interrupted", "中断"),
    "severity.error": ("error", "エラー"),
    "severity.warning": ("warning", "警告"),
    "severity.information": ("info", "情報"),
    "severity.hint": ("hint", "ヒント"),
    "judged.met": ("met", "達成"),
    "judged.not_met": ("not met", "未達成"),
    "judged.not_judged": ("not judged", "判定なし"),
    # A run's row.
    "finding.one": ("{n} finding", "指摘 {n} 件"),
    "finding.many": ("{n} findings", "指摘 {n} 件"),
    "finding.errors.one": ("{findings}, {n} error", "{findings} (エラー {n})"),
    "finding.errors.many": ("{findings}, {n} errors", "{findings} (エラー {n})"),
    "finding.kept": ("{findings} kept", "{findings}を保持"),
    "tokens": ("{spent} / {budget} tokens", "{spent} / {budget} トークン"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{minutes} min {seconds} s", "{minutes} 分 {seconds} 秒"),
    "hours": ("{hours} h {minutes} min", "{hours} 時間 {minutes} 分"),
    "ago.seconds": ("{n} s ago", "{n} 秒前"),
    "ago.minutes": ("{n} min ago", "{n} 分前"),
    "ago.hours": ("{n} h ago", "{n} 時間前"),
    "ago.days": ("{n} d ago", "{n} 日前"),
    # The end of a run.
    "more": ("… {n} more: {command}", "… 他 {n} 件: {command}"),
    "together": ("{done} of {n} completed in {time}", "{n} 件中 {done} 件が {time}で完了"),
    "together.faster": (
        "{together}, {ratio} × faster than in sequence",
        "{together}、逐次より {ratio} 倍速い",
    ),
    "spent.free": (
        "{spent} of {budget} tokens counted, none billed",
        "{budget} トークン中 {spent} を計上、課金なし",
    ),
    "spent.billed": ("{spent} of {budget} tokens", "{budget} トークン中 {spent} を使用"),
    "spent.usd": ("{spent}, {usd}", "{spent}、{usd}"),
    "spent.uncertain": ("{spent}, {n} of them uncertain", "{spent}、うち {n} は不確か"),
    "criteria": ("criteria: {counts}", "達成基準: {counts}"),
    "criteria.count": ("{n} {judged}", "{judged} {n}"),
    "criteria.no-model": ("{counts} (no model)", "{counts} (モデルなし)"),
    "comma": (", ", "、"),
    "reports": ("reports", "成果物"),
    "missing": ("missing", "不足"),
    "written": ("written", "出力"),
    "note": ("note", "注記"),
    "deadline": ("deadline {time}", "期限 {time}"),
    # While it runs.
    "started": ("started", "開始"),
    "stopping": (
        "stopping… (Ctrl-C again: at once)",
        "停止中… (もう一度 Ctrl-C で即時終了)",
    ),
    "interrupted": (
        "interrupted; what happened so far is kept: {command}",
        "中断しました。ここまでの記録は残っています: {command}",
    ),
    "hidden-remarks": (
        "… {n} more: `codexd doctor` and `codexd agents validate` tell all",
        "… 他 {n} 件: `codexd doctor` と `codexd agents validate` で全件表示",
    ),
    "hidden-rows": ("… {n} more: {counts}", "… 他 {n} 件: {counts}"),
    "consent": (
        "{host} will read files of this workspace that {agents} may read: {reads}. Allow?",
        "{host} が {agents} の読めるこのワークスペースのファイルを読みます: {reads}。許可しますか?",
    ),
    "consent.answers": (
        "[o]nce  [a]lways here  [N]o",
        "[o] 今回だけ  [a] ここでは常に  [N] いいえ",
    ),
    "kept": (
        "{answers} and {results} taken from the journal, none paid again",
        "{answers}と{results}を監査ログから引き継ぎ (再課金なし)",
    ),
    "kept.answers.one": ("{n} answer", "回答 {n} 件"),
    "kept.answers.many": ("{n} answers", "回答 {n} 件"),
    "kept.results.one": ("{n} tool result", "ツール結果 {n} 件"),
    "kept.results.many": ("{n} tool results", "ツール結果 {n} 件"),
    "go-on": ("go on", "続行"),
    "undo.restored": ("restored", "復元"),
    "undo.deleted": ("deleted", "削除"),
    "undo.conflict": ("changed since", "変更あり"),
    "undo.nothing-done": (
        "nothing was put back: somebody changed these files after the run",
        "何も戻していません: 上のファイルは実行後に変更されています",
    ),
    "undo.none": (
        "run {run} wrote nothing that is not as before",
        "実行 {run} が書いたものはありません",
    ),
    "created": ("{name} (from {origin})", "{name} (元: {origin})"),
    # Pages about runs.
    "runs.none": (
        "no run yet: codexd delegate code-reviewer",
        "まだ実行はありません: codexd delegate code-reviewer",
    ),
    "column.run": ("run", "実行"),
    "column.status": ("status", "状態"),
    "column.agent": ("agent", "エージェント"),
    "column.goal": ("goal", "目標"),
    "column.tokens": ("tokens", "トークン"),
    "column.time": ("time", "時間"),
    "column.when": ("when", "開始"),
    "show.goal": ("goal", "目標"),
    "show.model": ("model", "モデル"),
    "show.run": ("run", "実行"),
    "show.budget": ("budget", "予算"),
    "show.deadline": ("deadline", "期限"),
    "show.started": ("started", "開始"),
    "show.plan": ("plan", "計画"),
    "show.criteria": ("criteria", "達成基準"),
    "show.data": ("result", "結果"),
    # Pages about agents.
    "column.origin": ("from", "出所"),
    "column.about": ("about", "説明"),
    "column.budget": ("tokens", "トークン"),
    "agents.none": ("no agents", "エージェントがありません"),
    "agents.shadowed": ("shadowed by {path}", "{path} に隠れています"),
    "agents.problems.one": ("{n} problem", "問題 {n} 件"),
    "agents.problems.many": ("{n} problems", "問題 {n} 件"),
    "agents.validate-hint": (
        "codexd agents validate shows the problems",
        "問題の詳細: codexd agents validate",
    ),
    "agents.valid.one": ("{n} agent file, nothing wrong", "エージェントファイル {n} 件、問題なし"),
    "agents.valid.many": (
        "{n} agent files, nothing wrong",
        "エージェントファイル {n} 件、問題なし",
    ),
    "agent.file": ("file", "ファイル"),
    "agent.about": ("about", "説明"),
    "agent.goal": ("goal", "目標"),
    "agent.model": ("model", "モデル"),
    "agent.tools": ("tools", "ツール"),
    "agent.read": ("reads", "読む"),
    "agent.write": ("writes", "書く"),
    "agent.exec": ("starts", "起動"),
    "agent.net": ("network", "通信"),
    "agent.ceiling": ("limited by", "上限"),
    "agent.in-force": ("in force", "有効"),
    "agent.budget": ("budget", "予算"),
    "agent.deadline": ("deadline", "期限"),
    "agent.criteria": ("criteria", "達成基準"),
    "agent.artifacts": ("artifacts", "成果物"),
    "agent.retention": ("kept", "保持"),
    "agent.nothing": ("nothing", "なし"),
    "agent.default": ("{n} tokens (default)", "{n} トークン (既定値)"),
    "agent.tokens": ("{n} tokens", "{n} トークン"),
    "retention.job": ("until the run completes", "実行完了まで"),
    "retention.session": ("until the session ends", "セッション終了まで"),
    "retention.permanent": ("permanently", "永続"),
    # The journal, models, doctor.
    "audit.none": ("no events", "イベントはありません"),
    "audit.whole": (
        "{events} events, {runs} runs: chain whole",
        "イベント {events} 件、実行 {runs} 件: 連鎖は無傷です",
    ),
    "audit.broken": (
        "{events} events, {runs} runs: chain broken",
        "イベント {events} 件、実行 {runs} 件: 連鎖が壊れています",
    ),
    "audit.fault": ("event {seq}: {what}", "イベント {seq}: {what}"),
    "models.offline": ("offline (rules)", "offline (ルール)"),
    "models.none": ("no models", "モデルなし"),
    "doctor.remedy": ("→ {remedy}", "→ {remedy}"),
    # --help
    "usage": ("usage:", "使い方:"),
    "usage.verbs": ("verbs", "コマンド"),
    # Stopping what the daemon drives.
    "cancel.asked": ("{run} {agent} was asked to stop", "{run} {agent} に停止を求めました"),
    "cancel.none": ("no run is under way", "進行中の実行はありません"),
    "cancel.no-daemon": (
        "no daemon runs for {root}, so no run of it is under way",
        "{root} のデーモンは動いていないので、進行中の実行はありません",
    ),
    "cancel.no-daemon.help": (
        "a run that a terminal drives ends with Ctrl-C there",
        "端末が動かしている実行は、その端末の Ctrl-C で終わります",
    ),
    # The daemon.
    "daemon.lost": (
        "the daemon has gone; what happened is in the audit log",
        "デーモンが終了しました。起きたことは監査ログに残っています",
    ),
    "daemon.logs": ("`codexd daemon logs` shows more", "詳しくは `codexd daemon logs`"),
    "daemon.started": (
        "a daemon runs for {root}: pid {pid}; `{end}` ends it",
        "{root} のデーモンを起動しました: pid {pid}。停止は `{end}`",
    ),
    "daemon.began": (
        "started this workspace's daemon, pid {pid}; `{end}` ends it",
        "このワークスペースのデーモンを起動しました: pid {pid}。停止は `{end}`",
    ),
    "daemon.there": (
        "a daemon was running already for {root}: pid {pid}; `{end}` ends it",
        "{root} のデーモンはすでに動いています: pid {pid}。停止は `{end}`",
    ),
    "daemon.stopped": ("the daemon (pid {pid}) has ended", "デーモン (pid {pid}) を停止しました"),
    "daemon.none": ("no daemon runs for {root}", "{root} のデーモンは動いていません"),
    "daemon.no-log": (
        "no daemon has run yet: no {path}",
        "まだ動いたことがありません: {path} なし",
    ),
    "daemon.version": ("version", "版"),
    "daemon.root": ("workspace", "ワークスペース"),
    "daemon.uptime": ("up for", "稼働時間"),
    "daemon.clients": ("clients", "接続数"),
    "daemon.runs": ("runs", "実行数"),
    "daemon.exit": ("idle exit", "自動終了"),
    "daemon.idle": (
        "after {time} without a client and a run",
        "接続も実行もない状態が {time} 続くと",
    ),
    "daemon.stays": ("never", "なし"),
    "daemon.log": ("log", "ログ"),
    "usage.arguments": ("arguments", "引数"),
    "usage.flags": ("flags", "フラグ"),
    "usage.everywhere": ("every verb", "共通フラグ"),
    "usage.flag-word": ("flags", "フラグ"),
    "usage.verb-word": ("VERB", "コマンド"),
    "usage.tagline": (
        "runs agents on your code: budgets that hold, a journal that cannot lie",
        "コードにエージェントを走らせる: 守られる予算、嘘のない記録",
    ),
    "usage.more": (
        "codexd VERB --help shows a verb's flags; codexd --version the version",
        "各コマンドのフラグは codexd コマンド --help、版は codexd --version",
    ),
}


def sentence(key: str, lang: str, data: Mapping[str, object], *, absent: str | None = None) -> str:
    """The sentence `key` in `lang` with its fields filled; `absent` where there is no such key."""
    pair = SENTENCES.get(key)
    if pair is None:
        if absent is None:
            raise KeyError(key)
        return absent
    return pair[lang == "ja"].format(**data)


class Text:
    """The catalogue in one language."""

    # No dataclass: their module takes as long to import as the interpreter takes to start.
    __slots__ = ("lang",)

    def __init__(self, lang: str) -> None:
        self.lang = lang

    def __call__(self, key: str, **data: object) -> str:
        """The sentence `key`, filled."""
        return sentence(key, self.lang, data)

    def told(self, english: str) -> str:
        """What a lower layer says, in this language as far as it is known there."""
        if self.lang != "ja":
            return english
        from codexd.japanese import in_japanese

        return in_japanese(english)

    def count(self, key: str, n: int, **data: object) -> str:
        """The sentence for one, or for many: `key.one`, `key.many`."""
        return self(f"{key}.one" if n == 1 else f"{key}.many", n=data.pop("shown", n), **data)


def language(argv: list[str], env: Mapping[str, str]) -> str:
    """`ja` or `en`: what `--lang` says, else the locale."""
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name == "--lang":
            chosen = value if equals else argv[i + 1] if i + 1 < len(argv) else ""
            if chosen in ("en", "ja"):
                return chosen
    locale = next((env[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(key)), "")
    return "ja" if locale.lower().startswith("ja") else "en"
