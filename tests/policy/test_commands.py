"""Argument lists, and the smallest part of a shell that becomes one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.errors import Denied
from codexd.policy import Layer, may_exec
from codexd.policy.commands import find_program, parse, shown

MakeLayer = Callable[..., Layer]


@pytest.mark.parametrize(
    ("grant", "argv"),
    [
        ("cargo", ["cargo"]),
        ("cargo", ["cargo", "build", "--release"]),
        ("npm audit", ["npm", "audit", "--json"]),
        ("  npm   audit ", ["npm", "audit"]),
    ],
)
def test_a_grant_is_the_first_words_of_a_command(
    grant: str, argv: list[str], layer: MakeLayer
) -> None:
    assert may_exec((layer(exec=[grant]),), argv)


@pytest.mark.parametrize(
    ("grant", "argv"),
    [
        ("cargo", ["cargo-evil"]),
        ("cargo", ["/tmp/cargo"]),
        ("cargo", ["./cargo"]),
        ("cargo", ["Cargo"]),
        ("npm audit", ["npm"]),
        ("npm audit", ["npm", "auditor"]),
        ("npm audit", ["npm audit"]),
        ("npm audit", ["npm", "--prefix", "x", "audit"]),
        ("", ["ls"]),
        ("cargo", []),
        ("*", ["ls"]),
        ("full", ["full"]),
    ],
)
def test_a_grant_does_not_cover_another_command(
    grant: str, argv: list[str], layer: MakeLayer
) -> None:
    assert not may_exec((layer(exec=[grant]),), argv)


@pytest.mark.parametrize("grant", ["*", "full"])
def test_a_grant_that_only_a_sandbox_holds_is_refused_by_name(grant: str, layer: MakeLayer) -> None:
    why = may_exec((layer(exec=[grant]),), ["ls"]).why
    assert f"`{grant}` (agent.yaml:7) needs a sandbox" in why


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("cargo test", ("cargo", "test")),
        ("  git\tlog  --oneline ", ("git", "log", "--oneline")),
        ("git show HEAD~1 a#b", ("git", "show", "HEAD~1", "a#b")),
        ("grep 'a b; $c' x", ("grep", "a b; $c", "x")),
        ('grep "a b|c" x', ("grep", "a b|c", "x")),
        ("""a'b'"c"d""", ("abcd",)),
        ("git commit -m ''", ("git", "commit", "-m", "")),
        ("npm run build:prod -- --x=1,2", ("npm", "run", "build:prod", "--", "--x=1,2")),
        ("echo 日本", ("echo", "日本")),
    ],
)
def test_words_and_quotes_make_an_argument_list(text: str, argv: tuple[str, ...]) -> None:
    assert parse(text) == argv


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ls; rm x", "';'"), ("ls && rm x", "'&'"), ("ls & rm", "'&'"), ("ls | sh", "'|'"),
        ("ls > x", "'>'"), ("ls 2>&1", "'>'"), ("cat < x", "'<'"), ("echo $HOME", r"'\$'"),
        ("echo $(id)", r"'\$'"), ("echo `id`", "'`'"), ('echo "$(id)"', r"'\$'"),
        ('echo "`id`"', "'`'"), ('echo "a\\"b"', "backslash|\\\\"), ("ls *.py", r"'\*'"),
        ("ls ?.py", r"'\?'"), ("ls [ab]", r"'\['"), ("ls {a,b}", r"'\{'"), ("(ls)", r"'\('"),
        ("ls ~", "'~'"), ("ls # x", "'#'"), ("ls \\\n x", "no backslash"),
        ("ls\nrm x", "one command"),
        ("ls\rrm", "one command"), ("ls 'x", "no end"), ('ls "x', "no end"), ("", "empty"),
        ("''", "empty"), ("FOO=1 ls", "variables"), ("if true", "shell"), ("! ls", "shell"),
        ("cd /", "shell"), ("ls \u202e", "does not print"), ("ls '\0'", "x00"), ("ls \0", "print"),
    ],
)  # fmt: skip
def test_anything_more_of_a_shell_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(Denied, match=named):
        parse(text)


WORDS = st.lists(
    st.text(st.characters(blacklist_characters="'\0", blacklist_categories=("Cs",)), max_size=8),
    min_size=1,
    max_size=4,
)


@given(WORDS)
def test_single_quotes_take_every_word_as_it_stands(words: list[str]) -> None:
    argv = ("run", *words)
    text = "run " + " ".join(f"'{word}'" for word in words)
    assert parse(text) == argv


@given(st.text(max_size=30))
def test_parsing_gives_words_or_denies(text: str) -> None:
    try:
        words = parse(text)
    except Denied:
        return
    assert words[0]


def test_what_does_not_print_is_shown_escaped() -> None:
    assert shown(["rm", "a\u202eb\x1b[0m", "it's"]) == r"rm 'a\u202eb\x1b[0m' 'it\'s'"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a folder of programs outside it."""
    root, bin_ = tmp_path / "ws", tmp_path / "bin"
    for folder in (root / "bin", bin_):
        folder.mkdir(parents=True)
    return root.resolve(), bin_.resolve()


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_is_found_outside_the_workspace(folders: tuple[Path, Path]) -> None:
    root, bin_ = folders
    program(root / "bin" / "tool")
    program(bin_ / "tool")
    assert find_program("tool", root, f"{root}/bin{os.pathsep}{bin_}") == bin_ / "tool"


def test_a_program_keeps_the_name_that_it_runs_under(folders: tuple[Path, Path]) -> None:
    root, bin_ = folders
    program(bin_ / "rustup")
    (bin_ / "cargo").symlink_to("rustup")
    assert find_program("cargo", root, str(bin_)) == bin_ / "cargo"


@pytest.mark.parametrize("name", ["tool", "./bin/tool", "bin/tool", "linked"])
def test_no_program_of_the_workspace_is_found(folders: tuple[Path, Path], name: str) -> None:
    root, bin_ = folders
    program(root / "bin" / "tool")
    (bin_ / "linked").symlink_to(root / "bin" / "tool")
    (bin_.parent / "path").symlink_to(root / "bin")
    search = os.pathsep.join((str(root / "bin"), str(bin_), str(bin_.parent / "path"), "", "."))
    with pytest.raises(Denied, match="inside the workspace"):
        find_program(name, root, search)


def test_a_link_of_the_workspace_to_a_program_outside_is_not_taken(
    folders: tuple[Path, Path],
) -> None:
    root, bin_ = folders
    program(bin_ / "python")
    (root / "bin" / "py").symlink_to(bin_ / "python")
    with pytest.raises(Denied):
        find_program("py", root, str(root / "bin"))


def test_a_missing_program_is_said_to_be_missing(folders: tuple[Path, Path]) -> None:
    root, bin_ = folders
    (bin_ / "data").write_text("not executable")
    for name in ("nope", "data", "a\0b"):
        with pytest.raises(Denied, match="no program"):
            find_program(name, root, str(bin_))
