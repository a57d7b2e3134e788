"""The demo, as `make demo` runs it: the real command on real repositories."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.needs import missing, needs

ROOT = Path(__file__).resolve().parents[2]
MODULE = """\
import pickle


def load(text, cache=[]):
    if text is None:
        raise TypeError("no text: %s" % (text, cache))
    return pickle.loads(text)
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout of its own, with the scripts and a `codexd` of the sources under test."""

    root: Path
    home: Path

    def run(self, command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """`command` as a user would paste it, in the checkout."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT / "daemon"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "CI": "true",
            **extra,
        }
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def demo(self, repository: Path | str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        return self.run(f".venv/bin/python scripts/demo.py {shlex.quote(str(repository))}", **extra)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, home = tmp_path / "check out", tmp_path / "home"
    home.mkdir()
    (root / ".venv/bin").mkdir(parents=True)
    for name in ("scripts/demo.py", "requirements/demo.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name, module in (("python", ""), ("codexd", "-m codexd ")):
        script = root / ".venv/bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {module}"$@"\n')
        script.chmod(0o755)
    return Checkout(root, home)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "module.py").write_text(MODULE, encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@localhost", "commit", "-qm", "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [needs("git"), *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def findings(output: str) -> list[str]:
    return re.findall(r"^\S+:\d+:\d+ .*$", output, re.MULTILINE)


def told(output: str) -> str:
    """What is told at the end, but for the times, and the few tokens of "holds that already"."""
    end = output[output.index("of 3 completed") :]
    return re.sub(r"\d+\.\d (s|×)|[\d,]+ of (?=[\d,]+ tokens)", "", end)


def test_a_clone_is_worked_on_and_nothing_else_is_written(
    checkout: Checkout, repository: Path
) -> None:
    before = snapshot(repository)
    sources = snapshot(checkout.root)
    done = checkout.demo(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "→ .demo/my project" in done.stdout
    assert "module.py:6:" in done.stdout
    assert snapshot(repository) == before
    written = set(snapshot(checkout.root)) - set(sources)
    assert {name.split("/")[0] for name in written} == {".demo"}
    assert {path.name for path in checkout.home.iterdir()} <= {".local", ".cache"}


def test_the_commands_that_it_prints_work_when_pasted(checkout: Checkout, repository: Path) -> None:
    done = checkout.demo(repository)
    [ran] = re.findall(r"^\$ (.*)$", done.stdout, re.MULTILINE)
    assert checkout.run(ran).returncode == 0
    [suggested] = re.findall(r"all of it +(.*)$", done.stdout, re.MULTILINE)
    shown = checkout.run(suggested)
    assert shown.returncode == 0, shown.stderr
    assert "module.py:6:" in shown.stdout


def test_a_second_time_gives_the_same_and_leaves_only_the_artifacts(
    checkout: Checkout, repository: Path
) -> None:
    first, second = checkout.demo(repository), checkout.demo(repository)
    assert findings(first.stdout) == findings(second.stdout) != []
    assert told(first.stdout) == told(second.stdout)
    folder = checkout.root / ".demo/my project"
    changed = git(folder, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert changed
    assert all(line.startswith("?? artifacts/") for line in changed), changed


def test_a_configured_model_and_a_key_are_named_and_not_used(
    checkout: Checkout, repository: Path
) -> None:
    (checkout.home / ".codex").mkdir()
    (checkout.home / ".codex/codexd.toml").write_text(
        'model = "mine/x"\n[model_providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    done = checkout.demo(repository, OPENAI_API_KEY="k", ANTHROPIC_API_KEY="k")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ANTHROPIC_API_KEY and OPENAI_API_KEY are set; they were not used" in done.stdout
    assert re.search(r"codexd\.toml:1 names mine/x; it was not used", done.stdout)


def test_a_broken_configuration_is_named_with_its_place(
    checkout: Checkout, repository: Path
) -> None:
    (checkout.home / ".codex").mkdir()
    (checkout.home / ".codex/config.toml").write_text("model = \n")
    done = checkout.demo(repository)
    assert done.returncode == 2
    assert ".codex/config.toml:1:9: " in done.stderr
    assert not (checkout.root / ".demo").exists()


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_a_path_that_is_no_repository_is_refused(
    checkout: Checkout, tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = checkout.demo(tmp_path / name)
    assert done.returncode == 2
    assert name in done.stderr
    assert "help:" in done.stderr


def test_a_folder_of_something_else_is_left_alone(checkout: Checkout, repository: Path) -> None:
    mine = checkout.root / ".demo/my project/notes.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    done = checkout.demo(repository)
    assert done.returncode == 2
    assert mine.exists()


def test_what_is_not_committed_is_said_to_be_left_out(checkout: Checkout, repository: Path) -> None:
    (repository / "module.py").write_text("x = 1\n")
    assert "without what is not committed" in checkout.demo(repository).stdout


@pytest.fixture
def wheel(checkout: Checkout) -> None:
    """bottle's wheel, in the checkout: from this machine's own demo, else fetched."""
    store = checkout.root / ".demo/.wheels"
    store.mkdir(parents=True)
    for path in (ROOT / ".demo/.wheels").glob("*.whl"):
        shutil.copy(path, store)
        return
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
    pins = ROOT / "requirements/demo.txt"
    done = subprocess.run(
        [*pip, "--only-binary=:all:", f"--requirement={pins}", f"--dest={store}"],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        missing("bottle's wheel, and the package index to fetch it from")


@pytest.mark.usefixtures("wheel")
def test_the_demo_finds_the_two_bugs_of_bottle(checkout: Checkout) -> None:
    done = checkout.demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bottle 0.12.25 (web framework, MIT, 3,809 lines) → .demo/bottle" in done.stdout
    worst = [line.split()[:2] for line in findings(done.stdout)[:2]]
    assert sorted(worst) == [["bottle.py:2133:33", "error"], ["bottle.py:2133:67", "error"]]
    assert "3 of 3 completed" in done.stdout


@pytest.mark.usefixtures("wheel")
def test_a_changed_bottle_is_put_back_and_the_changes_are_kept(checkout: Checkout) -> None:
    assert checkout.demo().returncode == 0
    folder = checkout.root / ".demo/bottle"
    original = (folder / "bottle.py").read_bytes()
    (folder / "bottle.py").write_text("mine = 1\n")
    assert "git stash" in checkout.demo().stdout
    assert (folder / "bottle.py").read_bytes() == original
    assert "mine = 1" in git(folder, "stash", "show", "--patch")
