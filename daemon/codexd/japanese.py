"""What the layers below the doors say, in Japanese.

They write English, into the journal too: that is data, the same for every reader. Doors know
their sentences by their English and tell them in Japanese; one that it does not know stays as it
is. A test looks for each sentence of the table in the code that says it, so none goes stale.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

JAPANESE = {
    # The daemon, and how clients come to it.
    "one of several runs has a model or configuration of its own": (
        "複数の実行の 1 つに、個別のモデルや設定があります"
    ),
    "a group has one of each: name them beside `runs`": (
        "モデルと設定はグループに 1 つずつです。`runs` の隣に書いてください"
    ),
    "`{name}` is {value}; it goes from 1 to {most}": (
        "`{name}` は {value} です。1 から {most} までです"
    ),
    "run `{run}` is not under way: it is {status}": "実行 `{run}` は進行中ではありません: {status}",
    "end it where it was started: Ctrl-C there, or `kill` that process": (
        "始めた場所で終わらせてください: そこで Ctrl-C、またはそのプロセスを `kill`"
    ),
    "no daemon can be had here: {why}": "ここではデーモンを使えません: {why}",
    "its folder must be yours to write, with room; XDG_STATE_HOME names another place for it": (
        "フォルダーには書き込み権限と空き容量が要ります。XDG_STATE_HOME で別の場所にできます"
    ),
    "the daemon did not start: {why}": "デーモンが起動しませんでした: {why}",
    "its log may say why: {path}": "理由はログにあるかもしれません: {path}",
    "the daemon ended as soon as it had begun": "デーモンは起動してすぐに終わりました",
    "its log says why: {path}": "理由はログにあります: {path}",
    "another client has been starting it for too long": "別のクライアントの起動処理が終わりません",
    "another daemon runs": "別のデーモンが動いています",
    "ask again in a moment": "少し待ってからもう一度試してください",
    "the daemon (pid {pid}) does not answer": "デーモン (pid {pid}) が応答しません",
    "`codexd daemon restart` ends it": "`codexd daemon restart` で終わらせられます",
    "the daemon (pid {pid}) cannot be reached from here: {why}": (
        "デーモン (pid {pid}) にここからは接続できません: {why}"
    ),
    "a sandbox may keep this process from its socket; `--standalone` needs none": (
        "サンドボックスがソケットを妨げているかもしれません。`--standalone` なら不要です"
    ),
    "a sandbox may keep this process from it; `--standalone` needs none": (
        "サンドボックスが妨げているかもしれません。`--standalone` なら不要です"
    ),
    "the daemon (pid {pid}) refused: {why}": "デーモン (pid {pid}) が拒否しました: {why}",
    "the token is not that of endpoint.json": "トークンが endpoint.json のものと違います",
    "`codexd daemon restart` has it make a new endpoint": (
        "`codexd daemon restart` で endpoint.json が作り直されます"
    ),
    "it speaks protocol {ours}, the client speaks {theirs}": (
        "デーモンのプロトコルは {ours}、クライアントは {theirs} です"
    ),
    "update the older of the two; `codexd daemon stop` ends the one that runs": (
        "古い方を更新してください。動いている方は `codexd daemon stop` で止まります"
    ),
    "it is about to end": "まもなく終わります",
    "the client may gain no privileges, and codexd may": (
        "クライアントは権限を得られませんが、codexd は得られます"
    ),
    "the client's system calls are filtered": "クライアントのシステムコールは制限されています",
    "the client is in a container of its own ({names})": (
        "クライアントは別のコンテナーにいます ({names})"
    ),
    "start this outside of the sandbox, or with `--standalone`": (
        "サンドボックスの外で、または `--standalone` で起動してください"
    ),
    "the daemon of {root} runs on {host}": "{root} のデーモンは {host} で動いています",
    "end it there": "そこで止めてください",
    "the connection to the daemon is lost; editors start this again": (
        "デーモンとの接続が切れました。エディターが起動し直します"
    ),
    "codexd is about to end here, so no run begins": (
        "codexd はまもなく終わるので、実行は始まりません"
    ),
    "what came in on stdin is no message of the Language Server Protocol: {why}": (
        "標準入力に来たものは Language Server Protocol のメッセージではありません: {why}"
    ),
    "`codexd lsp` is for editors to start": "`codexd lsp` はエディターが起動するものです",
    # Why a run ended, and what was noted on the way.
    "the next step could cost {needed} and {left} were left, so it was not begun": (
        "次の一歩は最大 {needed} かかりますが、残りは {left} なので始めませんでした"
    ),
    "the next step could cost more money than was left, so it was not begun": (
        "次の一歩は残りの金額を超えうるので始めませんでした"
    ),
    "budget nearly spent: asked to finish with what it has": (
        "予算がほぼ尽きたため、今あるもので終えるよう求めました"
    ),
    "the conversation outgrew the model's window: old tool results were shortened": (
        "会話がモデルの窓を超えたため、古いツール結果を短くしました"
    ),
    "{model} counted {over}; the run was ended": "{model} の計数: {over}。実行を終えました",
    "{counted} tokens where at most {reserved} were reserved": (
        "{counted} トークン (予約は最大 {reserved})"
    ),
    "${counted} where at most ${reserved} were reserved": "${counted} (予約は最大 ${reserved})",
    "cancelled by the user": "利用者が取り消しました",
    "run `{run}` is completed": "実行 `{run}` は完了しています",
    "delegate its goal anew to have it done once more": (
        "もう一度行うには、目標を改めて任せてください"
    ),
    "run `{run}` has spent {spent} of its {budget} tokens": (
        "実行 `{run}` は {budget} トークン中 {spent} を使いました"
    ),
    "--budget N is its new total, more than {least}": (
        "--budget N は新しい合計です ({least} より大きく)"
    ),
    "run `{run}` has run for {active} s of {limit} s": (
        "実行 `{run}` は {limit} 秒中 {active} 秒動きました"
    ),
    "--deadline TIME is its new total of running time": (
        "--deadline TIME は実行時間の新しい合計です"
    ),
    "run `{run}` is part of `{root}`": "実行 `{run}` は `{root}` の一部です",
    "a tree is resumed at its root: codexd runs resume {root}": (
        "木は根から再開します: codexd runs resume {root}"
    ),
    "run `{run}` is being driven, by process {pid}": (
        "実行 `{run}` はプロセス {pid} が動かしています"
    ),
    "{file} {changed}; this run goes on as the agent it began as": (
        "{file} {changed}。この実行は始めたときの定義で続きます"
    ),
    "is gone": "はもうありません",
    "was changed since": "はその後変更されました",
    "put back: {paths}": "元に戻しました: {paths}",
    "a total budget of {n} is below zero": "合計の予算 {n} が負です",
    "`{agent}` needs a language model here: {why}": "`{agent}` には言語モデルが必要です: {why}",
    "whoever asked for it has gone": "依頼元がいなくなりました",
    "its deadline of {seconds} s has passed": "期限の {seconds} 秒を過ぎました",
    "its limit of {limit} turns is reached, and it was not done": (
        "上限の {limit} ターンに達しましたが、終わっていません"
    ),
    "raise `maxTurns` (`max_turns`) in its file, or give it a smaller goal": (
        "ファイルの `maxTurns` (`max_turns`) を上げるか、目標を小さくしてください"
    ),
    "{n} of {all} completed": "{all} 件中 {n} 件が完了",
    "the model refused: {words}": "モデルが拒否しました: {words}",
    "the model answered nothing and did nothing": "モデルは何も答えず、何もしませんでした",
    "try another model (-m PROVIDER/MODEL), or say more in --goal": (
        "別のモデル (-m PROVIDER/MODEL) を試すか、--goal をもっと詳しくしてください"
    ),
    "the model made the same call {n} times with the same result: {call}": (
        "モデルが同じ呼び出しを {n} 回行い、結果も同じでした: {call}"
    ),
    "no call could be made in {n} answers; the last: {fault}": (
        "{n} 回続けて、答えにある呼び出しを一つも行えませんでした。最後は: {fault}"
    ),
    "try another model (-m PROVIDER/MODEL), or grant its agent what it asked for": (
        "別のモデル (-m PROVIDER/MODEL) を試すか、求められたものをエージェントに許可してください"
    ),
    "give it a smaller goal, or try another model (-m PROVIDER/MODEL)": (
        "目標を小さくするか、別のモデル (-m PROVIDER/MODEL) を試してください"
    ),
    "the model's answers keep running into the output cap": "モデルの答えが出力上限で切れ続けます",
    "internal error: {kind}: {words}": "内部エラー: {kind}: {words}",
    "`{tool}` is not offered: {why}": "`{tool}` は使えません: {why}",
    "`{name}` is no built-in tool{hint}": "`{name}` という組み込みツールはありません{hint}",
    "; the nearest is `{near}`": "。最も近いのは `{near}` です",
    "no sandbox is in force yet to hold a program; your own configuration may allow it "
    'without one (`sandbox = "none"` in `~/.codex/codexd.toml`)': (
        "プログラムを囲うサンドボックスがまだありません。自分の設定で許可できます "
        '(`~/.codex/codexd.toml` の `sandbox = "none"`)'
    ),
    "no search service is configured (`[web_search]` in `codexd.toml`)": (
        "検索サービスの設定がありません (`codexd.toml` の `[web_search]`)"
    ),
    "no command is granted": "許可されたコマンドがありません",
    "no host is granted": "許可されたホストがありません",
    "no path is granted for writing": "書き込みを許可されたパスがありません",
    # What a run does now.
    "thinking": "考え中",
    "answering, {n} characters": "回答中、{n} 文字",
    "waiting for a free place": "空きを待っています",
    "waiting for budget that other runs hold": "他の実行が押さえた予算を待っています",
    "counting its input": "入力を数えています",
    "waiting for {names}": "{names} を待っています",
    # What cannot be begun.
    "a budget of {asked} is more than the {own} of {agent} ({source})": (
        "予算 {asked} は {agent} の上限 {own} を超えています ({source})"
    ),
    "ask for {own} or less, or raise max_tokens there": (
        "{own} 以下にするか、そこの max_tokens を上げてください"
    ),
    "a budget of {asked} is below zero": "予算 {asked} は 0 未満です",
    "no price is known for {model}, so a limit in money cannot be kept": (
        "{model} の価格が不明なため、金額の上限を守れません"
    ),
    "leave --budget-usd out: the limit in tokens holds": (
        "--budget-usd を外してください。トークンの上限は守られます"
    ),
    "the scope {path} is outside the workspace {root}": (
        "対象 {path} はワークスペース {root} の外です"
    ),
    "-C acts in another folder's workspace": "別のワークスペースで実行するには -C を使います",
    "the scope {path} does not exist in {root}": "対象 {path} は {root} にありません",
    "name a file or folder from where you are, or from the workspace's root": (
        "現在の場所かワークスペースの根からのパスを指定してください"
    ),
    "{host} may not read files of this workspace, so nothing was begun": (
        "{host} にこのワークスペースのファイルを読ませないため、何も始めていません"
    ),
    "`-m offline` runs by rules; nothing leaves this machine": (
        "`-m offline` はルールで動き、何もこの機械の外に出ません"
    ),
    "{host} was not allowed to read files here": "{host} はここのファイルを読む許可がありません",
    "run {agent} by itself: then it is asked for": "{agent} を単独で実行すると尋ねられます",
    "agent `{name}` has errors in {path}": "エージェント `{name}` に誤りがあります: {path}",
    "`codexd agents validate` names each with its line": (
        "行番号つきの一覧は `codexd agents validate`"
    ),
    "the description of the agent is empty": "エージェントの説明が空です",
    "an agent named `{slug}` is there already: {path}": (
        "`{slug}` というエージェントは既にあります: {path}"
    ),
    "move that file away, or leave --save out; the agent made is shown above": (
        "そのファイルを移すか、--save を外してください。作ったエージェントは上に示しました"
    ),
    "making this agent needs a language model: no built-in agent is near enough": (
        "このエージェントを作るには言語モデルが要ります。近い組み込みエージェントがありません"
    ),
    "name one with -m PROVIDER/MODEL; `codexd agents list` shows what rules have": (
        "-m PROVIDER/MODEL で指定してください。ルールで動くものは `codexd agents list`"
    ),
    "no agent was made: {why}": "エージェントを作れませんでした: {why}",
    "the answer holds no agent: expected one JSON object with name, goal, instructions": (
        "答えにエージェントがありません。name, goal, instructions を持つ JSON が要ります"
    ),
    "ask again, or say more of what the agent should do": (
        "もう一度試すか、何をさせたいかをもっと詳しく書いてください"
    ),
    "`{agent}` needs a language model: rules cannot do this": (
        "`{agent}` には言語モデルが要ります。ルールではできません"
    ),
    "name one with `-m PROVIDER/MODEL`; rules serve reviews, security, docs, untested code, "
    "TODOs and dependencies": (
        "`-m PROVIDER/MODEL` で指定してください。ルールでできるのはレビュー、セキュリティ、"
        "ドキュメント、テストのないコード、TODO、依存の調査です"
    ),
    "`{agent}` needs a language model: rules work through the tool `analyze`, which it may not "
    "use": (
        "`{agent}` には言語モデルが要ります。ルールはツール `analyze` で動きますが、使えません"
    ),
    "add `analyze` to its tools": "ツールに `analyze` を加えてください",
    "the analysis failed: {why}": "解析に失敗しました: {why}",
    # What is not there.
    "no run has been made in {root} yet": "{root} ではまだ何も実行していません",
    "`codexd delegate code-reviewer` makes one": "`codexd delegate code-reviewer` で実行できます",
    "`{id}` is no run's id": "`{id}` は実行の ID ではありません",
    "`codexd runs list` shows them": "一覧は `codexd runs list`",
    "no run's id begins with `{id}`": "ID が `{id}` で始まる実行はありません",
    "{n} runs' ids begin with `{id}`": "ID が `{id}` で始まる実行が {n} 件あります",
    "--since {text} is neither a time nor a length": "--since {text} は時刻でも長さでもありません",
    "write 2026-01-31T09:00:00Z, or 90s, 30m, 2h, 7d": (
        "例: 2026-01-31T09:00:00Z、または 90s, 30m, 2h, 7d"
    ),
    # Configuration and models.
    "no folder `{folder}`": "フォルダー `{folder}` がありません",
    "-C takes a folder that is there; without it: this one": (
        "-C には実在するフォルダーを。省略するとここです"
    ),
    "-m {flag}: no provider `{provider}`": "-m {flag}: プロバイダー `{provider}` がありません",
    "there are {providers}; `[model_providers.{provider}]` in ~/.codex/codexd.toml adds it": (
        "あるのは {providers}。~/.codex/codexd.toml の `[model_providers.{provider}]` で足せます"
    ),
    "-m {flag}: expected PROVIDER/MODEL, replay/FILE, or offline": (
        "-m {flag}: PROVIDER/MODEL、replay/FILE、offline のどれかです"
    ),
    "the nearest is `{near}`": "最も近いのは `{near}` です",
    "`{near}` is the nearest; {others}": "最も近いのは `{near}` です。{others}",
    "providers: {providers}": "プロバイダー: {providers}",
    "-m {flag}: `{provider}` stands in {path}, and does not count there": (
        "-m {flag}: `{provider}` は {path} にありますが、そこでは効きません"
    ),
    "a provider counts in ~/.codex/codexd.toml": "プロバイダーは ~/.codex/codexd.toml で効きます",
    "-c {key}: no key": "-c {key}: キーがありません",
    "write -c key=value, as -c default_budget=20000": "例: -c default_budget=20000",
    "{path}:{line}:{column}: {fault}": "{path}:{line}:{column}: {fault}",
    "mend the file, or move it away; nothing of it was used": (
        "ファイルを直すか、移してください。何も使っていません"
    ),
    "{provider} needs a key, and {variable} is not set": (
        "{provider} には鍵が要りますが、{variable} がありません"
    ),
    "export {variable}=…, or choose another model (`-m offline`)": (
        "export {variable}=… とするか、別のモデルを選んでください (`-m offline`)"
    ),
    "check the key in {variable}": "{variable} の鍵を確かめてください",
    "{host} says {status}": "{host} の応答: {status}",
    "wait{how_long}, or run fewer agents at once": (
        "待つか{how_long}、同時に動かすエージェントを減らしてください"
    ),
    "try again later": "しばらくしてからもう一度試してください",
    "`codexd models` shows what {provider} offers": "{provider} のモデルは `codexd models`",
    "a smaller scope, or a model with a larger window": (
        "対象を狭めるか、窓の大きいモデルを使ってください"
    ),
    "{host} did not answer within {seconds} s": "{host} が {seconds} 秒以内に応答しませんでした",
    "where it needs longer, raise {key}": "もっと時間がかかる場合は {key} を上げてください",
    "stream_idle_timeout_ms of model_providers.{provider}": (
        "model_providers.{provider} の stream_idle_timeout_ms"
    ),
    "{host} cannot be reached: {why}": "{host} に届きません: {why}",
    "is {provider} running?": "{provider} は動いていますか?",
    "check the network, and base_url; behind a proxy set HTTPS_PROXY": (
        "ネットワークと base_url を確かめてください。プロキシがあれば HTTPS_PROXY を設定します"
    ),
    "the stream of {host} was silent for {seconds} s": "{host} の応答が {seconds} 秒途絶えました",
    "the stream of {host} broke off: {why}": "{host} の応答が切れました: {why}",
    "the stream of {host} ended in the middle": "{host} の応答が途中で終わりました",
    "ask again": "もう一度試してください",
    # Recordings.
    "the recording {path} cannot be read: {why}": "記録 {path} を読めません: {why}",
    "{path} is no recording: {why}": "{path} は記録ではありません: {why}",
    "{path} holds no model call": "{path} にモデルの答えがありません",
    "`codexd audit export --format jsonl > FILE` writes one": (
        "`codexd audit export --format jsonl > FILE` で作れます"
    ),
    "the recording {path} has no answers of `{agent}`": (
        "記録 {path} に `{agent}` の答えがありません"
    ),
    "it has those of {names}": "あるのは {names} の答えです",
    "the recording is at its end after {n} answers": "記録は {n} 件の答えで終わりです",
    "the run asks more than the recorded one did": "記録した実行より多くを尋ねています",
    "answer {n} of the recording is to another conversation": (
        "記録の {n} 件目は別の会話への答えです"
    ),
    "replay needs the files, the agent and the goal of the recorded run": (
        "再生には、記録した実行と同じファイル・エージェント・目標が要ります"
    ),
    "answer {n} is not in the recording: its agent's retention took it": (
        "{n} 件目の答えは、エージェントの保持期間により記録にありません"
    ),
    "`policies.context.retention: permanent` keeps the answers of later runs": (
        "`policies.context.retention: permanent` なら今後の答えは残ります"
    ),
    # The journal.
    "the journal cannot be used: {path}: {why}": "ジャーナルを使えません: {path}: {why}",
    "the disk is full": "ディスクが一杯です",
    "free some space: nothing was begun that is not in the journal": (
        "空き容量を確保してください。ジャーナルにないことは始めていません"
    ),
    "make it writable, or set XDG_STATE_HOME to a folder that is": (
        "書き込み可能にするか、XDG_STATE_HOME を書けるフォルダーにしてください"
    ),
    "another program holds the file; end it, then try again": (
        "別のプログラムが使用中です。終了してからもう一度試してください"
    ),
    "the file is damaged; move it away to begin a new journal": (
        "ファイルが壊れています。移すと新しいジャーナルが始まります"
    ),
    "free some space, or set XDG_STATE_HOME to a folder that can be written": (
        "空き容量を確保するか、XDG_STATE_HOME を書けるフォルダーにしてください"
    ),
    "the state folder cannot be made: {folder}: {why}": (
        "状態フォルダーを作れません: {folder}: {why}"
    ),
    "the journal was deleted or replaced while runs went on: {path}": (
        "実行中にジャーナルが消されたか置き換えられました: {path}"
    ),
    "what was found until then went with it; nothing more was begun: run it again": (
        "それまでの結果は共に失われ、その後は何も始めていません。もう一度実行してください"
    ),
    "the journal's key is gone: {path}": "ジャーナルの鍵がありません: {path}",
    "put it back from a backup; or move the state folder away to begin a new one": (
        "バックアップから戻すか、状態フォルダーを移して新しく始めてください"
    ),
    "event {seq} is missing": "イベント {seq} がありません",
    "events {first}–{last} are missing": "イベント {first}–{last} がありません",
    "the facts of event {seq} ({kind} of run {run}) were edited": (
        "イベント {seq} (実行 {run} の {kind}) の事実が書き換えられています"
    ),
    "the content of event {seq} ({kind}) was edited": (
        "イベント {seq} ({kind}) の内容が書き換えられています"
    ),
    "event {seq} ({kind} of run {run}) breaks the chain": (
        "イベント {seq} (実行 {run} の {kind}) で連鎖が切れています"
    ),
    "event {seq} is not the one that journal.head names": (
        "イベント {seq} は journal.head の示すものではありません"
    ),
    "journal.head is damaged, so a cut tail would not be seen": (
        "journal.head が壊れているため、末尾が切られても分かりません"
    ),
    "the tail was cut: journal.head names event {seq}": (
        "末尾が切られています。journal.head はイベント {seq} を示しています"
    ),
    # What doctor says.
    "workspace": "ワークスペース",
    "model": "モデル",
    "not used": "未使用",
    "sandbox": "サンドボックス",
    "agents": "エージェント",
    "configuration": "設定",
    "journal": "ジャーナル",
    "{what}, no language model; nothing leaves this machine": (
        "{what}、言語モデルなし。何もこの機械の外に出ません"
    ),
    "offline: rules": "offline: ルール",
    "{name}: recorded answers": "{name}: 記録した答え",
    "{name}: there is no such file": "{name}: そのファイルはありません",
    "`codexd audit export --format jsonl > FILE` writes a recording": (
        "記録は `codexd audit export --format jsonl > FILE` で作れます"
    ),
    "{what}, but {variable} is not set": "{what}。ただし {variable} がありません",
    "export {variable}=… in the shell that starts codexd": (
        "codexd を起動するシェルで export {variable}=…"
    ),
    "{found}; it is not used by itself": "{found}。自動では使いません",
    "{variable} is set": "{variable} が設定されています",
    "{host} answers": "{host} が応答します",
    "-m {provider}/MODEL uses it once; `codexd models` lists its models": (
        "-m {provider}/MODEL で 1 回使えます。モデルの一覧は `codexd models`"
    ),
    "none, by your own configuration: granted commands run unheld by the kernel": (
        "なし (自分の設定による)。許可したコマンドはカーネルに囲われずに動きます"
    ),
    "no tier is in force yet: agents get no shell": (
        "まだ何も有効でないため、エージェントは shell を使えません"
    ),
    'sandbox = "none" in ~/.codex/codexd.toml lets granted commands run, unheld': (
        '~/.codex/codexd.toml の sandbox = "none" で、許可したコマンドが囲われずに動きます'
    ),
    "{usable} usable, {broken} with errors, {remarks} remarks": (
        "使用可 {usable}、誤りあり {broken}、注意 {remarks}"
    ),
    "no file: built-in values": "ファイルなし。組み込みの値です",
    "{path}: {events} events, {runs} runs, ": "{path}: イベント {events} 件、実行 {runs} 件、",
    "{text}chain whole, {free} MiB free": "{text}連鎖は無傷、空き {free} MiB",
    "{text}the chain is broken": "{text}連鎖が壊れています",
    "free some space: an act that cannot be journalled is not begun": (
        "空き容量を確保してください。記録できないことは始めません"
    ),
    "not there": "ありません",
    "git tools are not offered without it": "ないため git のツールは使えません",
    "grep uses Python without it: the same results, slower": (
        "なければ grep は Python で動きます。結果は同じで、遅くなります"
    ),
    # What an agent may do.
    "./** without .env, .git, keys": "./** (.env、.git、鍵を除く)",
    "reads {paths}": "{paths} を読む",
    "reads nothing": "何も読まない",
    "writes {paths}": "{paths} に書く",
    "writes nothing": "何も書かない",
    "network {hosts}": "{hosts} と通信",
    "no network": "通信なし",
    "runs {commands}": "{commands} を起動",
    "no shell": "shell なし",
    "network of programs {hosts}": "プログラムは {hosts} と通信",
    "variables {names}": "変数 {names}",
    "tools {names}": "ツール {names}",
    "no tools": "ツールなし",
    "models {names}": "モデル {names}",
    "no models": "モデルなし",
    # Where a made agent comes from.
    "the built-in {name}": "組み込みの {name}",
    "the model": "モデル",
}
"""By the English sentence; its `{name}` fields are the same in both languages."""


def in_japanese(english: str) -> str:
    """`english` in Japanese, with the sentences inside it; as it is where it is not known."""
    if english in JAPANESE:
        return JAPANESE[english]
    for pattern, japanese in _patterns():
        if found := pattern.fullmatch(english):
            fields = found.groupdict()
            return japanese.format_map({name: _inside(fields[name]) for name in fields})
    # Reasons are strung together, and a part that is known is told.
    parts = english.split("; ")
    known = [in_japanese(part) for part in parts] if len(parts) > 1 else parts
    return english if known == parts else "。".join(known)


def _inside(text: str) -> str:
    """What stands in a field: a sentence, or a word that is nobody's to translate."""
    return in_japanese(text) if " " in text.strip() or text.startswith(";") else text


_SHORT = 16


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The sentences with fields as patterns, the one that says most first."""
    found: list[tuple[int, re.Pattern[str], str]] = []
    for english, japanese in JAPANESE.items():
        parts = list(Formatter().parse(english))
        if any(name for _, name, _, _ in parts):
            said = sum(len(words) for words, _, _, _ in parts)
            pattern = "".join(
                re.escape(words) + (f"(?P<{name}>.*?)" if name else "")
                for words, name, _, _ in parts
            )
            # A short one that begins with a field would be found in many a text of others.
            if said < _SHORT and not parts[0][0]:
                pattern = pattern.replace(".*?", r"\S+", 1)
            found.append((said, re.compile(pattern, re.DOTALL), japanese))
    found.sort(key=lambda each: -each[0])
    return tuple((pattern, japanese) for _, pattern, japanese in found)
