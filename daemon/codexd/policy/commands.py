"""Which programs an agent may start. An argument list decides what is *started*; what a started
program can *do* only the kernel decides, which this version does not ask.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from codexd.errors import Denied
from codexd.policy.layers import Decision, Grant, Policy, decide, grants_of

UNHELD = ("*", "full")
"""Grants that only a sandbox can hold."""

_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def may_exec(policy: Policy, argv: Sequence[str]) -> Decision:
    """Whether the argument list may be started: some grant's words are its first words.

    `*` and `full` cover nothing as long as no sandbox is in force.
    """
    unheld = [
        f"`{grant.value}` ({grant.source})"
        for layer in policy
        for grant in grants_of(layer, "exec") or ()
        if grant.value in UNHELD
    ]
    note = f"{', '.join(unheld)} needs a sandbox, and none is in force" if unheld else ""
    return decide(
        policy,
        "exec",
        f"to run `{shown(argv)}`",
        lambda grant: covers(grant, argv),
        add=shown(argv[:1]),
        note=note,
    )


def covers(grant: Grant, argv: Sequence[str]) -> bool:
    """Whether the words of `grant` are the first words of `argv`."""
    words = grant.value.split()
    if not words or not argv or grant.value in UNHELD:
        return False
    return tuple(words) == tuple(argv[: len(words)])


def shown(argv: Sequence[str]) -> str:
    """The argument list for people, words quoted where they need it, control characters escaped."""
    return " ".join(
        word if _PLAIN.fullmatch(word) else "'" + ascii_safe(word).replace("'", r"\'") + "'"
        for word in argv
    )


def ascii_safe(text: str) -> str:
    """`text` with whatever does not print (control, bidi) as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def find_program(name: str, root: Path, search_path: str) -> Path:
    """The executable file that `name` means on `search_path`, its folder's links resolved.

    A program inside the workspace `root` is never taken, nor a link there or to there: an agent
    that may write it would decide what runs. Raises `Denied` where there is no other.
    """
    if "\0" in name:
        raise Denied(f"no program `{ascii_safe(name)}`: no name holds that character")
    folders = [folder for folder in search_path.split(os.pathsep) if folder.startswith("/")]
    candidates = [Path(folder) / name for folder in folders] if "/" not in name else [root / name]
    within: Path | None = None
    for candidate in candidates:
        # The last part keeps its name: rustup, busybox and others act by the name they run under.
        program = Path(os.path.realpath(candidate.parent)) / candidate.name
        real = Path(os.path.realpath(program))
        if not _is_program(real):
            continue
        if not (program.is_relative_to(root) or real.is_relative_to(root)):
            return program
        within = within or program
    if within is not None:
        raise Denied(
            f"`{within}` is inside the workspace: whoever may write there would decide what runs",
            help="install it outside the workspace",
        )
    raise Denied(f"no program `{ascii_safe(name)}` on the search path", help="install it")


def _is_program(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and os.access(path, os.X_OK)


# --- the shell's smallest part --------------------------------------------------------------

_REFUSED = {
    ";": "one command at a time",
    "&": "one command at a time, and none in the background",
    "|": "one command at a time",
    "<": "no redirection",
    ">": "no redirection: write files with write_file",
    "$": "no variables and no substitution",
    "`": "no substitution",
    "(": "no subshell",
    ")": "no subshell",
    "{": "no braces; quote them where they are meant",
    "}": "no braces; quote them where they are meant",
    "*": "no patterns: name the files, or quote it where it is meant",
    "?": "no patterns: name the files, or quote it where it is meant",
    "[": "no patterns: name the files, or quote it where it is meant",
    "]": "no patterns: name the files, or quote it where it is meant",
    "\\": "no backslash; use quotes",
    "\n": "one command at a time",
    "\r": "one command at a time",
}
_AT_THE_START = {
    "~": "no home folder; quote it where it is meant",
    "#": "no comments; quote it where it is meant",
}
_WORDS_OF_THE_SHELL = re.compile(
    r"!|if|then|else|elif|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc"
    r"|eval|exec|source|\.|cd|export"
)


def parse(text: str) -> tuple[str, ...]:
    """The argument list that `text` spells: words and quoted parts, and nothing else of a shell.

    In double quotes `$`, a backtick and a backslash are refused too, since a shell would not take
    them as they stand. Raises `Denied`, naming the character.
    """
    words: list[str] = []
    word: str | None = None
    at = 0
    text = text.strip()
    while at < len(text):
        char = text[at]
        if char in "'\"":
            end = text.find(char, at + 1)
            if end < 0:
                raise Denied(f"a quote ({char}) at character {at + 1} has no end")
            quoted = text[at + 1 : end]
            if char == '"':
                _refuse_in_quotes(quoted, at)
            word, at = (word or "") + quoted, end
        elif char in " \t":
            if word is not None:
                words.append(word)
            word = None
        elif why := _refusal(char, at_start=word is None):
            raise Denied(
                f"{char!r} at character {at + 1} of the command is not taken: {why}",
                help="give one program and its arguments, words and quoted text only",
            )
        else:
            word = (word or "") + char
        at += 1
    if word is not None:
        words.append(word)
    return _checked(tuple(words))


def _refusal(char: str, *, at_start: bool) -> str | None:
    """Why `char` is not taken outside quotes; `None` where it is."""
    if char in _REFUSED:
        return _REFUSED[char]
    if at_start and char in _AT_THE_START:
        return _AT_THE_START[char]
    return None if char.isprintable() else "it does not print"


def _refuse_in_quotes(quoted: str, at: int) -> None:
    bad = re.search(r"[$`\\]", quoted)
    if bad:
        raise Denied(
            f"{bad[0]!r} at character {at + 2 + bad.start()} of the command is not taken: "
            "a shell would not read it as it stands",
            help="use single quotes where it is meant",
        )


def _checked(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise Denied("an empty command")
    if any("\0" in word for word in words):
        raise Denied("a command with the character '\\x00' in it")
    if _WORDS_OF_THE_SHELL.fullmatch(words[0]):
        raise Denied(f"`{words[0]}` belongs to a shell; one program at a time is started here")
    if re.fullmatch(r"[A-Za-z_]\w*=.*", words[0], re.DOTALL):
        raise Denied(f"`{ascii_safe(words[0])}`: variables are not set here")
    return words
