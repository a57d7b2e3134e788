"""Where things are, as plain texts: what a client that starts for every keystroke has time to load.

`workspace.py` and `inputs.py` give the same places as paths; here each is decided, once.
"""

from __future__ import annotations

import os
import sys

# `hashlib` loads OpenSSL, which takes longer than all the rest of this page.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from hashlib import sha256
elif sys.version_info >= (3, 12):
    from _sha2 import sha256
else:
    from _sha256 import sha256


def root_of(folder: str, home: str) -> str:
    """The real path of the nearest ancestor with `.git`, else with `.codex` (never `home`), else
    of the folder itself.
    """
    real, home = os.path.realpath(folder), os.path.realpath(home)
    # A linked worktree or a submodule has a `.git` file, so presence is all that is asked.
    # Every user of Codex has `~/.codex`: it would make one workspace of the whole home folder.
    return _above(real, ".git") or _above(real, ".codex", but=home) or real


def _above(place: str, name: str, *, but: str = "") -> str | None:
    """The nearest of `place` and its ancestors, `but` one, that holds `name`."""
    while place == but or not os.path.lexists(os.path.join(place, name)):
        parent = os.path.dirname(place)
        if parent == place:
            return None
        place = parent
    return place


def digest(path: str) -> str:
    """16 hex digits that stand for a path."""
    return sha256(os.fsencode(path)).hexdigest()[:16]


def home_of(env: Mapping[str, str]) -> str:
    """`$HOME`, else the home folder that the system knows. Raises `BadConfig` for neither."""
    home = env.get("HOME") or os.path.expanduser("~")
    if home.startswith("~"):
        raise _bad("no home folder is known", "set HOME")
    if not os.path.isabs(home):
        # Taken as it is, it would put our state into whatever folder we are in.
        raise _bad(f"HOME is no absolute path: {home}", "set HOME to your home folder")
    return home


def base(env: Mapping[str, str], variable: str, default: str) -> str:
    """An XDG base directory; `default` is below the home folder."""
    named = env.get(variable, "")
    # The specification tells programs to ignore a relative path here.
    return named if os.path.isabs(named) else os.path.join(home_of(env), default)


def state_folder(root: str, env: Mapping[str, str]) -> str:
    """Where the state of the workspace at `root` lives."""
    return os.path.join(base(env, "XDG_STATE_HOME", ".local/state"), "codexd", digest(root))


def codex_home(env: Mapping[str, str]) -> str:
    """Codex's own folder: `$CODEX_HOME`, else `~/.codex`. Ours is `~/.codex` always."""
    return env.get("CODEX_HOME") or os.path.join(home_of(env), ".codex")


def config_files(root: str, env: Mapping[str, str]) -> tuple[str, str, str, str]:
    """What may configure the workspace at `root`: our files (its, the user's), then Codex's."""
    return (
        os.path.join(root, ".codex", "codexd.toml"),
        os.path.join(home_of(env), ".codex", "codexd.toml"),
        os.path.join(root, ".codex", "config.toml"),
        os.path.join(codex_home(env), "config.toml"),
    )


def _bad(message: str, help: str) -> Exception:
    from codexd.errors import BadConfig

    return BadConfig(message, help=help)
