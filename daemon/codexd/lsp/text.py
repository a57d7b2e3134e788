"""What an editor's user reads, in English and Japanese."""

from __future__ import annotations

from codexd.japanese import in_japanese

TEXT: dict[str, tuple[str, str]] = {
    # Code actions.
    "fix_with": ("Fix with {agent}", "{agent} で修正"),
    "explain": ("Explain: {message}", "説明: {message}"),
    "dismiss": ("Dismiss: {message}", "非表示にする: {message}"),
    "delegate": ("Delegate selection to {agent}…", "選択範囲を {agent} に任せる…"),
    "review": ("Review selection with {agent}", "選択範囲を {agent} でレビュー"),
    "review_file": ("Review file with {agent}", "ファイルを {agent} でレビュー"),
    "tests": ("Generate tests for selection", "選択範囲のテストを生成"),
    "tests_file": ("Generate tests for file", "ファイルのテストを生成"),
    "create": ("Create an agent for this…", "このためのエージェントを作成…"),
    "apply_patch": ("Apply patch of {run}", "{run} のパッチを適用"),
    "dismiss_patch": ("Dismiss patch of {run}", "{run} のパッチを破棄"),
    # Proposals.
    "proposed": (
        (
            "{run} changes {path}, which has unsaved changes here. Nothing was written: the code "
            'action "Apply patch of {run}" in that file puts it in.'
        ),
        (
            "{run} が {path} を変更しますが、未保存の変更があるため書き込んでいません。"
            "そのファイルのコードアクション「{run} のパッチを適用」で反映できます。"
        ),
    ),
    "proposed_plain": (
        (
            "{run} wanted to change {path}, which has unsaved changes here. Nothing was written, "
            "and this editor takes no edits: save the file, then give the goal again."
        ),
        (
            "{run} は {path} を変更しようとしましたが、未保存の変更があるため書き込んでいません。"
            "このエディターは編集を受け付けないため、保存してからもう一度実行してください。"
        ),
    ),
    "misfits": (
        (
            "{path}: of the patch of {run}, these places are different now and were left as they "
            "are: {places}"
        ),
        "{path}: {run} のパッチのうち、次の箇所は変更されているため反映していません: {places}",
    ),
    "line": ("line {line} (`{text}`)", "{line} 行目 (`{text}`)"),
    "no_edits": (
        "this editor takes no edits from a language server: change the file by hand",
        "このエディターは言語サーバーからの編集を受け付けません: 手動で変更してください",
    ),
    # What a command cannot do.
    "no_finding": (
        "finding {index} of run `{run}` is not shown any more: it was dismissed or replaced",
        "実行 `{run}` の指摘 {index} は、非表示にしたか置き換えられたため、もうありません",
    ),
    "no_fix": (
        "the finding has no fix that fits the text as it is now",
        "この指摘には、いまのテキストに合う修正がありません",
    ),
    "no_patch": (
        "no patch of run `{run}` waits here: it was applied or dismissed",
        "実行 `{run}` のパッチは、適用または破棄したため、もうありません",
    ),
    "no_report": ("run `{run}` has left no report", "実行 `{run}` のレポートはありません"),
    # The end of a run.
    "several": ("{n} agents", "{n} エージェント"),
    "findings": ("{n} findings", "指摘 {n} 件"),
    "one_finding": ("1 finding", "指摘 1 件"),
    "errors": ("{n} errors", "エラー {n} 件"),
    "one_error": ("1 error", "エラー 1 件"),
    "tokens": ("{n} tokens", "{n} トークン"),
    "done": ("done", "完了"),
    "completed": ("completed", "完了"),
    "failed": ("failed", "失敗"),
    "budget_exceeded": ("budget reached", "予算に達しました"),
    "deadline_exceeded": ("deadline passed", "期限を過ぎました"),
    "cancelled": ("cancelled", "取り消し"),
    "interrupted": ("interrupted", "中断"),
    # Progress.
    "group": ("several agents", "複数のエージェント"),
    "spent": ("{spent} of {budget} tokens", "{spent} / {budget} トークン"),
    "running": ("running", "実行中"),
    "waiting": ("waiting", "待機中"),
    "report_at": ("report: {path}", "レポート: {path}"),
    "open_report": ("Open report", "レポートを開く"),
    "show_findings": ("Show findings", "指摘を表示"),
}


def text(language: str, key: str, **values: object) -> str:
    """A text by its key, in `ja` or English."""
    english, japanese = TEXT[key]
    return (japanese if language == "ja" else english).format(**values)


def told(language: str, english: str) -> str:
    """A sentence of a lower layer, in `ja` or as it is."""
    return in_japanese(english) if language == "ja" else english
