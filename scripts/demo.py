"""`make demo [REPO=path]`: three agents in parallel on a real code base, always offline.

Writes into `.demo/` alone; codexd itself writes into its own state and cache folders, so the
commands suggested at the end find its runs.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email import message_from_string
from pathlib import Path
from typing import NoReturn

from codexd.config import Config, load
from codexd.errors import BadConfig

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
CODEXD = ROOT / ".venv/bin/codexd"
AGENTS = "code-reviewer,sec-audit,docs-gen"


def main(repository: str) -> int:
    """The exit status of the run."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a stream always, here
    config = configuration()
    if repository:
        folder, about = clone(Path(repository).expanduser())
    else:
        folder, about = bottle()
    say("input", f"{about} → {folder.relative_to(ROOT)}")
    say("model", "offline: rules, no language model; nothing leaves this machine")
    for line in unused(config):
        say("", line)
    command = ["delegate-parallel", AGENTS, "-m", "offline"]
    place = folder.relative_to(ROOT)
    print(
        f"$ cd {shlex.quote(str(place))} && {spelled(from_=folder)} {' '.join(command)}", flush=True
    )
    status = run([str(CODEXD), *command], folder)
    if status == 0:
        codexd, there = spelled(from_=ROOT), shlex.quote(str(place))
        print(f"next     all of it   {codexd} runs show --last -C {there}")
        print(f"         your code   {codexd} delegate code-reviewer -C ~/src/yours")
        print(f"         a model     {codexd} delegate sec-audit -C {there} -m PROVIDER/MODEL")
        print(f"         the daemon  {codexd} daemon stop -C {there}   (or after 10 idle minutes)")
    return status


def say(label: str, text: str) -> None:
    """One line of the demo's own."""
    print(f"{label:<7} {text}", flush=True)


def stop(message: str, help: str) -> NoReturn:
    """End here, with what is wrong and what to do."""
    print(f"error: {message}\nhelp:  {help}", file=sys.stderr)
    raise SystemExit(2)


def configuration() -> Config:
    """What the user has configured: the demo uses no model of it, and says so."""
    try:
        return load(ROOT, env=os.environ)
    except BadConfig as fault:
        stop(
            str(fault),
            f"{fault.help}\n       (the demo needs no configuration, but codexd reads it)",
        )


def unused(config: Config) -> list[str]:
    """What could have been spent, and was not."""
    lines: list[str] = []
    keys = {provider.env_key for provider in config.providers.values() if provider.env_key}
    if found := sorted(key for key in keys if os.environ.get(key)):
        rest = "is set; it was not used" if len(found) == 1 else "are set; they were not used"
        lines.append(f"{' and '.join(found)} {rest}")
    if config.model.provider:
        lines.append(f"{config.model.source} names {config.model.name}; it was not used")
    return lines


def spelled(*, from_: Path) -> str:
    """`codexd` where PATH has this very one, else its path from the folder that one stands in."""
    on_path = shutil.which("codexd")
    if on_path and Path(on_path).resolve() == CODEXD.resolve():
        return "codexd"
    return shlex.quote(os.path.relpath(CODEXD, from_))


def run(command: Sequence[str], folder: Path) -> int:
    """The exit status. Ctrl-C is the command's own to handle: it gets it from the terminal too."""
    before = signal.signal(signal.SIGINT, _leave_it)
    try:
        status = subprocess.run(command, cwd=folder, check=False).returncode
    except FileNotFoundError:
        stop(f"{CODEXD} is missing", "make clean, then make demo")
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


def _leave_it(_signal: int, _frame: object) -> None:
    """A handler, and not SIG_IGN, which the command would inherit."""


def bottle() -> tuple[Path, str]:
    """The one module of bottle as a git repository, and what it is."""
    wheel = fetched()
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        code = archive.read("bottle.py")
        [metadata] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(metadata).decode())
    folder = DEMO / "bottle"
    if not (folder / ".git").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "bottle.py").write_bytes(code)
        git(folder, "init", "--quiet", "--template=", "--initial-branch=main")
        git(folder, "add", "bottle.py")
        git(folder, "commit", "--quiet", f"--message=bottle {about['Version']}")
    elif git(folder, "status", "--porcelain", "--", "bottle.py"):
        git(folder, "stash", "push", "--quiet", "--message=before make demo", "--", "bottle.py")
        say("", "bottle.py was changed; the changes are in `git stash`, the original is back")
    n_lines = code.count(b"\n")
    return folder, (
        f"bottle {about['Version']} (web framework, {about['License']}, {n_lines:,} lines)"
    )


def fetched() -> bytes:
    """The wheel that requirements/demo.txt pins, byte for byte."""
    pins = ROOT / "requirements/demo.txt"
    [pinned] = re.findall(r"sha256:([0-9a-f]{64})", pins.read_text(encoding="utf-8"))
    store = DEMO / ".wheels"

    def found() -> bytes | None:
        every = (path.read_bytes() for path in store.glob("*.whl"))
        return next((each for each in every if hashlib.sha256(each).hexdigest() == pinned), None)

    if wheel := found():
        return wheel
    pip = (sys.executable, "-m", "pip", "--quiet", "--no-cache-dir")
    wanted = (f"--requirement={pins}", "--require-hashes", "--no-deps", "--only-binary=:all:")
    done = subprocess.run(
        (*pip, "download", *wanted, f"--dest={store}"), capture_output=True, text=True, check=False
    )
    if wheel := found():
        return wheel
    print(done.stderr[-1000:], file=sys.stderr)
    stop(
        "the demo's input, bottle, could not be fetched",
        "the first `make demo` needs the package index; `make demo REPO=path` does not",
    )


def clone(source: Path) -> tuple[Path, str]:
    """A clone of a repository of the user's, and what it is. The repository is only read."""
    if not source.is_dir():
        stop(f"REPO={source}: no such folder", "REPO is the path of a git repository of yours")
    source = source.resolve()
    if not git(source, "rev-parse", "--verify", "--quiet", "HEAD", check=False):
        there = shlex.quote(str(source))
        stop(
            f"REPO={source}: no git repository with a commit",
            f"without git: {spelled(from_=ROOT)} delegate code-reviewer -C {there}",
        )
    name = f"{source.name}-yours" if source.name in {"bottle", ".wheels"} else source.name
    folder = DEMO / name
    if not folder.exists():
        DEMO.mkdir(exist_ok=True)
        options = ("--quiet", "--template=", "--no-hardlinks")
        git(DEMO, "clone", *options, "--", str(source), name)
    elif git(folder, "config", "remote.origin.url", check=False) != str(source):
        stop(f".demo/{name} is something else's", f"move it away: mv .demo/{name} .demo/{name}.old")
    else:
        git(folder, "pull", "--quiet", "--ff-only", check=False)
    n_files = git(folder, "ls-files").count("\n") + 1
    about = f"{source.name} at {git(folder, 'rev-parse', '--short', 'HEAD')}, {n_files:,} files"
    if git(source, "status", "--porcelain", "--untracked-files=no"):
        about += ", without what is not committed"
    return folder, about


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """What git prints, with no configuration, hooks or variables of the user's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_AUTHOR_NAME": "codexd demo",
        "GIT_AUTHOR_EMAIL": "demo@localhost",
        "GIT_AUTHOR_DATE": "2023-03-04T00:00:00Z",
        "GIT_COMMITTER_NAME": "codexd demo",
        "GIT_COMMITTER_EMAIL": "demo@localhost",
        "GIT_COMMITTER_DATE": "2023-03-04T00:00:00Z",
    }
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        stop("git is not installed", "install git, then make demo again")
    if done.returncode and check:
        stop(f"git {' '.join(arguments)}: {done.stderr.strip()}", f"look into {folder}")
    return done.stdout.strip() if not done.returncode else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
