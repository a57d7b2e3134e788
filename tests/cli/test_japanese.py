"""What the lower layers say, told in Japanese."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from tests.cli.program import codexd, workspace

import codexd as package
from codexd.japanese import JAPANESE, in_japanese

TOLD_TO_PEOPLE = {"Finish", "Cancel", "Check", "BadRequest", "UnknownRun", "NeedsModel"}
"""What is called with sentences that reach the terminal, each of which is to be in the table."""
RARE = {
    # Mistakes in programs that call us, not in what people type.
    "no agent was named",
    "a budget of {} dollars is none",
    "no run driven here is `{}`",
    "{} runs driven here have ids that begin with `{}`",
    "run `{}` was written by a newer codexd, and cannot be shown",
    "run `{}` is not in the journal",
}


@cache
def trees() -> tuple[ast.Module, ...]:
    folder = Path(package.__path__[0])
    files = (
        path
        for path in folder.rglob("*.py")
        if "cli" not in path.relative_to(folder).parts and path.name != "japanese.py"
    )
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in files)


def text_of(node: ast.AST) -> str | None:
    """A text in the code, `{}` standing for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in values]
            return "".join(map(str, parts))
        case _:
            return None


def plain(sentence: str) -> str:
    """A sentence of the table as `text_of` gives it."""
    parts = Formatter().parse(sentence)
    return "".join(words + ("{}" if name else "") for words, name, _, _ in parts)


def said(node: ast.expr) -> Iterator[str]:
    """The texts that an argument may be."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            yield from (*said(body), *said(other))
        case _:
            if (text := text_of(node)) is not None:
                yield text


@pytest.mark.parametrize("english", JAPANESE)
def test_each_sentence_is_one_that_the_code_says(english: str) -> None:
    found = {text_of(node) for tree in trees() for node in ast.walk(tree)}
    assert plain(english) in found


@pytest.mark.parametrize("english", JAPANESE)
def test_both_languages_have_the_same_fields(english: str) -> None:
    japanese = JAPANESE[english]
    fields = [{name for _, name, _, _ in Formatter().parse(text)} for text in (english, japanese)]
    assert fields[0] - {None} == fields[1] - {None}


@pytest.mark.parametrize("english", [text for text in JAPANESE if "{" in text])
def test_each_sentence_is_known_again_with_its_fields_filled(english: str) -> None:
    names = {name for _, name, _, _ in Formatter().parse(english) if name}
    values = {name: f"<{name}>" for name in names}
    assert in_japanese(english.format_map(values)) == JAPANESE[english].format_map(values)


def test_what_ends_a_run_and_what_begins_none_is_in_the_table() -> None:
    known = {plain(english) for english in JAPANESE} | RARE
    calls = (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call))
    texts = {
        text
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in TOLD_TO_PEOPLE
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        for text in said(argument)
        if re.search(r"[a-z]{2,} [a-z]{2,}", text)
    }
    assert len(texts) > 20
    assert texts - known == set()


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        (
            "the next step could cost 1,212 and 2 were left, so it was not begun",
            "次の一歩は最大 1,212 かかりますが、残りは 2 なので始めませんでした",
        ),
        (
            "`shell` is not offered: no command is granted",
            "`shell` は使えません: 許可されたコマンドがありません",
        ),
        (
            "api.x.com says 429: slow; the model answered nothing and did nothing",
            "api.x.com の応答: 429: slow。モデルは何も答えず、何もしませんでした",
        ),
        ("the model said this; and that", "the model said this; and that"),
        ("a stranger's text answers", "a stranger's text answers"),
        ("", ""),
    ],
)
def test_sentences_within_sentences_are_told_and_strangers_are_left_alone(
    english: str, japanese: str
) -> None:
    assert in_japanese(english) == japanese


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["doctor"], "何もこの機械の外に出ません"),
        (["delegate", "code-reviewer", "--budget", "30"], "始めませんでした"),
        (["delegate", "code-reviewer", "--budget", "999999999"], "超えています"),
        (["delegate", "code-reviewer", "--scope", "gone"], "対象 'gone' は"),
        (["agent-create", "write a poem"], "言語モデルが要ります"),
        (["agent-create", "review this for bugs"], "(元: 組み込みの code-reviewer)"),
        (["delegate", "code-reviewer", "-m", "replay/gone"], "記録 gone を読めません"),
        (["delegate", "code-reviewer", "-m", "opnai/x"], "最も近いのは `openai` です。あるのは"),
        (["runs", "show", "ffff"], "で始まる実行はありません"),
        (["delegate", "code-reviewr"], "最も近いのは `code-reviewer` です。全 8 件"),
    ],
)
def test_a_japanese_terminal_reads_japanese(tmp_path: Path, argv: list[str], words: str) -> None:
    done = codexd(workspace(tmp_path / "work"), *argv, env={"LANG": "ja_JP.UTF-8"})
    assert words in "".join(line.strip() for line in (done.stdout + done.stderr).splitlines())
