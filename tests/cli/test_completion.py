"""Completion, by the shells themselves."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.needs import needs

from codexd.cli.completion import script
from codexd.cli.verbs import VERBS

ROWS = [
    (["codexd", "dele"], {"delegate", "delegate-parallel"}),
    (["codexd", "runs", "s"], {"show"}),
    (["codexd", "agents", ""], {"list", "show", "validate", "export", "schema"}),
    (["codexd", "delegate", "code"], {"code-reviewer"}),
    (["codexd", "delegate-parallel", "code-reviewer,sec"], {"code-reviewer,sec-audit"}),
    (["codexd", "delegate", "sec-audit", "--bud"], {"--budget", "--budget-usd"}),
    (["codexd", "delegate", "sec-audit", "--fail-on", ""], {"error", "warning"}),
    (["codexd", "runs", "show", "8"], {"8c1d"}),
    (["codexd", "audit", "export", "--format", "j"], {"json", "jsonl"}),
    (["codexd", "completion", "f"], {"fish"}),
]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in whose PATH `codexd` knows two agents and a run."""
    fake = tmp_path / "codexd"
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '"agents list --names") echo code-reviewer; echo sec-audit ;;\n'
        '"runs list --ids") echo 8c1d; echo 91be ;;\n'
        "esac\n",
        encoding="utf-8",
    )
    fake.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "dumb"}


def output(argv: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize(("words", "expected"), ROWS)
def test_bash_completes(words: list[str], expected: set[str], shell: dict[str, str]) -> None:
    bash = needs("bash")
    quoted = " ".join(f"'{word}'" for word in words)
    ask = (
        f"{script('bash')}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        '_codexd; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert set(output([bash, "--norc", "-c", ask], shell).split()) == expected


@pytest.mark.parametrize(("words", "expected"), ROWS)
def test_fish_completes(words: list[str], expected: set[str], shell: dict[str, str]) -> None:
    fish = needs("fish")
    ask = f"{script('fish')}\ncomplete -C '{' '.join(words)}'"
    lines = output([fish, "--no-config", "-c", ask], shell).splitlines()
    assert {line.split("\t")[0] for line in lines} == expected


@pytest.mark.parametrize(("words", "expected"), ROWS)
def test_zsh_completes(
    words: list[str], expected: set[str], shell: dict[str, str], tmp_path: Path
) -> None:
    zsh = needs("zsh")
    (tmp_path / "_codexd").write_text(script("zsh"), encoding="utf-8")
    (tmp_path / "hits").touch()
    (tmp_path / "init").write_text(ZSH_INIT.format(folder=tmp_path), encoding="utf-8")
    # zsh completes only where a person types: in a line editor, on a terminal.
    with Terminal(raw=True) as terminal:
        side = terminal.slave
        running = subprocess.Popen(
            [zsh, "-f", "-i"], stdin=side, stdout=side, stderr=side, env=shell,
            start_new_session=True,
        )  # fmt: skip
        typed = f"source {tmp_path}/init\r{' '.join(words)}\t\x15exit\r"
        os.write(terminal.master, typed.encode())
        running.wait(timeout=20)
    assert set((tmp_path / "hits").read_text(encoding="utf-8").split()) == expected


def test_zsh_takes_the_script_sourced_too(shell: dict[str, str], tmp_path: Path) -> None:
    zsh = needs("zsh")
    (tmp_path / "sourced").write_text(script("zsh"), encoding="utf-8")
    ask = f"autoload -Uz compinit; compinit -u -D; source {tmp_path}/sourced; print $_comps[codexd]"
    assert output([zsh, "-f", "-c", ask], shell).strip() == "_codexd"


ZSH_INIT = """
fpath=({folder} $fpath)
autoload -Uz compinit; compinit -u -D
zstyle ':completion:*' insert-tab false
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
    local -a hits; builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $IPREFIX$^hits >> {folder}/hits
    builtin compadd "$@"
}}
"""


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_every_verb_and_flag_is_in_the_script(name: str) -> None:
    text = script(name)
    for verb in VERBS:
        assert verb.name.split()[-1] in text
        assert all(flag.name.lstrip("-") in text for flag in verb.all_flags)
