"""`git_status`, `git_diff`, `git_log`, `git_show`, `git_blame`: real git, told what to read.

Git runs without the repository's configuration (`gitdir.py`), never a program that the repository
names. Revisions are resolved to ids first, so that no text of a model is read as an option or a
path; paths go as literal pathspecs. Which files a diff shows is decided by the read policy, path
by path, before git is asked for their text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import AliasChoices, Field

from codexd.errors import Denied, ToolFault
from codexd.policy import Policy
from codexd.policy.commands import ascii_safe
from codexd.policy.files import check_enter, check_read, inside
from codexd.policy.paths import may_enter, normal, readable
from codexd.tools import process
from codexd.tools.arguments import Arguments, Strings
from codexd.tools.gitdir import Git, git_folder
from codexd.tools.interface import Effect, Tool, ToolContext, ToolOutput
from codexd.tools.results import cut_line, page

SECONDS = 30.0
LARGEST = 4_000_000
"""Bytes that are taken of what git says."""

_BATCH_PATHS = 100_000
"""Bytes of paths in one argument list."""

_PATHS = AliasChoices("paths", "path", "files", "file")
_REVISION = AliasChoices("revision", "rev", "commit", "ref", "sha")


class Status(Arguments):
    """Arguments of `git_status`."""

    paths: Strings = Field(default=(), validation_alias=_PATHS)
    offset: int = Field(default=0, ge=0, description="lines to skip")


class Diff(Arguments):
    """Arguments of `git_diff`."""

    revisions: str = Field(
        default="",
        validation_alias=AliasChoices("revisions", "revision", "range", "commit", "target"),
        description="`A..B`, `A...B` (since they parted), or `A` against the working tree; "
        "default: the working tree against the index",
    )
    staged: bool = Field(
        default=False,
        validation_alias=AliasChoices("staged", "cached"),
        description="the index against HEAD (or against `revisions`)",
    )
    paths: Strings = Field(default=(), validation_alias=_PATHS)
    stat: bool = Field(default=False, description="only how much each file changed")
    context: int = Field(default=3, ge=0, le=50, description="lines around each change")
    offset: int = Field(default=0, ge=0, description="lines to skip")


class Log(Arguments):
    """Arguments of `git_log`."""

    revision: str = Field(
        default="HEAD",
        validation_alias=AliasChoices(*_REVISION.choices, "range", "branch"),
        description="where to begin, or `A..B`",
    )
    paths: Strings = Field(default=(), validation_alias=_PATHS)
    max_count: int = Field(
        default=20, ge=1, le=500, validation_alias=AliasChoices("max_count", "limit", "n", "count")
    )
    offset: int = Field(default=0, ge=0, validation_alias=AliasChoices("offset", "skip"))
    author: str = ""
    grep: str = Field(default="", description="text in the commit message")
    since: str = ""
    until: str = ""
    body: bool = Field(default=False, description="whole messages, not only subjects")


class Show(Arguments):
    """Arguments of `git_show`."""

    revision: str = Field(
        default="HEAD",
        validation_alias=_REVISION,
        description="a commit; `REVISION:PATH` for a file as it was then",
    )
    path: str = Field(
        default="",
        validation_alias=AliasChoices("path", "file"),
        description="show this file or folder as it was then, instead of the commit",
    )
    stat: bool = Field(default=False, description="only how much each file changed")
    offset: int = Field(default=0, ge=0, description="lines to skip")


class Blame(Arguments):
    """Arguments of `git_blame`."""

    path: str = Field(validation_alias=AliasChoices("path", "file"))
    revision: str = Field(
        default="HEAD",
        validation_alias=_REVISION,
        description="the file as of this commit; changes not committed are not shown",
    )
    start_line: int = Field(default=1, ge=1)
    end_line: int | None = Field(default=None, ge=1)
    offset: int = Field(default=0, ge=0, description="lines to skip")


# --- the five -------------------------------------------------------------------------------


async def status(asked: Status, context: ToolContext) -> ToolOutput:
    """The branch, and what differs between HEAD, index and working tree."""
    paths = _asked_paths(asked.paths, context)
    async with git_folder(context) as git:
        said = await _ask(
            git,
            context,
            *("status", "--porcelain=v1", "-z", "--branch", "--ignore-submodules=all"),
            *_pathspecs(paths),
        )
    rows = iter(said.text.split("\0"))
    shown: list[str] = []
    hidden = 0
    for row in rows:
        if row.startswith("## ") or not row:
            shown += [row] if row else []
            continue
        code, path = row[:2], row[3:]
        before = next(rows, "") if set(code) & set("RC") else ""
        if not all(_visible(context.policy, one) for one in (path, before) if one):
            hidden += 1
            continue
        shown.append(f"{code} {before} -> {path}" if before else f"{code} {path}")
    if len(shown) == 1 and not hidden:
        shown.append("nothing to commit, working tree clean")
    return _output(shown, asked.offset, context, said, _left_out(hidden))


async def diff(asked: Diff, context: ToolContext) -> ToolOutput:
    """The patch between two states, without the files that may not be read."""
    paths = _asked_paths(asked.paths, context)
    async with git_folder(context) as git:
        between = await _between(git, context, asked.revisions)
        if asked.staged:
            between = ["--cached", *between]
        form = ["--stat=120"] if asked.stat else ["--patch", f"--unified={asked.context}"]
        changes = await _changes(git, context, between, form, paths)
    lines = changes.lines or ["no difference" + (" that may be shown" if changes.hidden else "")]
    return _output(lines, asked.offset, context, changes.said, _left_out(changes.hidden))


async def log(asked: Log, context: ToolContext) -> ToolOutput:
    """Commits, newest first: id, date, author, names, subject."""
    paths = _asked_paths(asked.paths, context)
    filters = [
        f"--{name}={value}"
        for name in ("author", "grep", "since", "until")
        if (value := getattr(asked, name))
    ]
    form = "%h %as %an%d: %s" + ("%n%w(0,4,4)%b" if asked.body else "")
    async with git_folder(context) as git:
        between = await _between(git, context, asked.revision, dots=("..",))
        said = await _ask(
            git,
            context,
            *("log", f"--format=tformat:{form}", "--no-show-signature"),
            *("--fixed-strings", "--regexp-ignore-case", *filters),
            *(f"--max-count={asked.max_count + 1}", f"--skip={asked.offset}", "-z"),
            *between,
            *_pathspecs(paths),
        )
    commits = [commit.rstrip() for commit in said.text.split("\0") if commit]
    more = len(commits) > asked.max_count
    text = page(
        commits[: asked.max_count],
        offset=asked.offset,
        first=asked.offset,
        max_bytes=context.max_bytes,
        what="commits",
        more=more,
    )
    return ToolOutput(text or "no commit")


async def show(asked: Show, context: ToolContext) -> ToolOutput:
    """A commit with its changes against its first parent, or a file as it was then."""
    revision, colon, path = asked.revision.partition(":")
    path = path if colon else asked.path
    async with git_folder(context) as git:
        commit = await _commit(git, context, revision or "HEAD")
        if path:
            return await _file_then(git, context, commit, inside(context.root, path), asked.offset)
        form = "commit %H%d%nauthor %an <%ae> %aI%nparents %P%n%n%w(0,4,4)%B"
        head = await _ask(git, context, "log", "-1", f"--format={form}", commit)
        parents = re.search(r"^parents (\S*)", head.text, re.MULTILINE)
        base = parents[1] if parents and parents[1] else await _empty_tree(git, context)
        look = ["--stat=120"] if asked.stat else ["--patch"]
        changes = await _changes(git, context, [base, commit], look, ())
    lines = [*head.text.rstrip().split("\n"), "", *changes.lines]
    return _output(lines, asked.offset, context, changes.said, _left_out(changes.hidden))


async def blame(asked: Blame, context: ToolContext) -> ToolOutput:
    """Each line of a file with the commit, author and date that it came from."""
    path = inside(context.root, asked.path)
    check_read(context.policy, path)
    if asked.end_line is not None and asked.end_line < asked.start_line:
        raise ToolFault("`end_line` comes before `start_line`")
    lines = f"-L{asked.start_line},{asked.end_line or ''}"
    async with git_folder(context) as git:
        # Never the working tree: git would read it through links that were swapped in.
        commit = await _commit(git, context, asked.revision)
        said = await _ask(git, context, "blame", "--date=short", lines, commit, "--", path)
    return _output(said.text.rstrip("\n").split("\n"), asked.offset, context, said, "")


# --- asking git -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What git wrote; not all of it where it was too much."""

    text: str
    whole: bool


async def _ask(git: Git, context: ToolContext, *arguments: str) -> Said:
    """What git answers. Raises `ToolFault` with git's own words where it fails."""
    if any("\0" in argument for argument in arguments):
        raise ToolFault("an argument with a NUL character in it")
    out, errors = process.Head(LARGEST), process.Head(2000)
    finished = await process.run(
        [git.program, "--no-pager", *arguments],
        cwd=context.root,
        env=git.env,
        seconds=SECONDS,
        take=out,
        errors=errors,
    )
    if finished.timed_out:
        raise ToolFault(
            f"git {arguments[0]} took more than {SECONDS:g} s", help="name paths or fewer commits"
        )
    if finished.status and not finished.enough:
        first = errors.text.strip().split("\n")[0].removeprefix("fatal: ")
        raise ToolFault(f"git {arguments[0]}: {ascii_safe(first) or 'failed'}")
    return Said(out.text, whole=not finished.enough)


_NAMES_A_COMMIT = re.compile(r"(?![-^])[\w./@^~+#=,%&!-]+(?:@\{[\w ./+:-]+\}[\w./^~-]*)?")


async def _commit(git: Git, context: ToolContext, revision: str) -> str:
    """The id of the commit that `revision` names. Raises `ToolFault` where it names none."""
    if not _NAMES_A_COMMIT.fullmatch(revision) or ".." in revision:
        raise ToolFault(
            f"`{ascii_safe(revision)}` is no revision", help="a branch, a tag, an id, `HEAD~2`"
        )
    try:
        said = await _ask(
            git, context, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"
        )
    except ToolFault:
        raise ToolFault(
            f"the repository has no commit `{revision}`", help="git_log shows the commits"
        ) from None
    return said.text.strip()


async def _between(
    git: Git, context: ToolContext, revisions: str, *, dots: Sequence[str] = ("...", "..")
) -> list[str]:
    """`revisions` as ids: none, one, or two with their dots."""
    if not revisions:
        return []
    for dot in dots:
        one, found, other = revisions.partition(dot)
        if found:
            left = await _commit(git, context, one or "HEAD")
            return [left + dot + await _commit(git, context, other or "HEAD")]
    return [await _commit(git, context, one) for one in revisions.split()[:2]]


async def _empty_tree(git: Git, context: ToolContext) -> str:
    return (await _ask(git, context, "hash-object", "-t", "tree", "/dev/null")).text.strip()


@dataclass(frozen=True, slots=True)
class Changes:
    """A diff of what may be read, and how many files are not in it."""

    lines: list[str]
    hidden: int
    said: Said


async def _changes(
    git: Git, context: ToolContext, between: list[str], form: list[str], paths: Sequence[str]
) -> Changes:
    """The difference, asked for only of the files that may be read."""
    # In a working tree git would look into submodules, where their own configuration rules.
    trees_only = "--cached" in between or len(between) == 2 or ".." in "".join(between)
    submodules = f"--ignore-submodules={'dirty' if trees_only else 'all'}"
    safe = ("--no-ext-diff", "--no-textconv", "--no-color", submodules)
    named = await _ask(
        git,
        context,
        *("diff", *safe, "--name-only", "-z", "--no-renames", *between),
        *_pathspecs(paths),
    )
    # The last name is cut short where there were too many.
    names = named.text.split("\0")[:-1]
    seen = list(dict.fromkeys(names))
    visible = [path for path in seen if _visible(context.policy, path)]
    hidden = len(seen) - len(visible)
    shown = _first(visible)
    if not shown:
        return Changes([], hidden, Said("", whole=named.whole))
    # A literal pathspec covers what is below it, were a file now a folder: those are excluded.
    allowed = set(shown)
    below = [
        path
        for path in set(seen) - allowed
        if any(path[: at.start()] in allowed for at in re.finditer("/", path))
    ]
    said = await _ask(
        git,
        context,
        *("diff", *safe, "--find-renames", *form, *between),
        *_pathspecs(shown, below),
    )
    whole = named.whole and said.whole and len(shown) == len(visible)
    return Changes(said.text.rstrip("\n").split("\n"), hidden, Said("", whole=whole))


def _first(paths: list[str]) -> list[str]:
    size = 0
    for n, path in enumerate(paths):
        size += len(path.encode("utf-8", "replace")) + 20
        if size > _BATCH_PATHS:
            return paths[:n]
    return paths


async def _file_then(
    git: Git, context: ToolContext, commit: str, path: str, offset: int
) -> ToolOutput:
    check_enter(context.policy, path)
    if path == ".":
        return await _folder_then(git, context, commit, path, offset)
    said = await _ask(git, context, "ls-tree", "-z", "--full-tree", commit, "--", path)
    found = re.match(r"(\d+) (\w+) ([0-9a-f]+)\t", said.text)
    if found is None:
        raise ToolFault(f"`{path}` is not in {commit[:10]}", help="git_show names what changed")
    if found[2] == "tree":
        return await _folder_then(git, context, found[3], path, offset)
    check_read(context.policy, path)
    if found[2] != "blob":
        return ToolOutput(f"`{path}` is a submodule at {found[3]}")
    content = await _ask(git, context, "cat-file", "blob", found[3])
    if "\0" in content.text:
        return ToolOutput(f"`{path}` is binary in {commit[:10]}")
    lines = content.text.removesuffix("\n").split("\n")
    link = ["[a symbolic link; its target:]"] if found[1] == "120000" else []
    return _output([*link, *lines], offset, context, content, "")


async def _folder_then(
    git: Git, context: ToolContext, tree: str, path: str, offset: int
) -> ToolOutput:
    said = await _ask(git, context, "ls-tree", "-z", tree)
    shown: list[str] = []
    hidden = 0
    for row in filter(None, said.text.split("\0")):
        about, _, name = row.partition("\t")
        is_folder = " tree " in about
        whole = name if path == "." else f"{path}/{name}"
        if _visible(context.policy, f"{whole}/" if is_folder else whole):
            shown.append(f"{name}/" if is_folder else name)
        else:
            hidden += 1
    return _output(shown, offset, context, said, _left_out(hidden))


# --- paths and pages ------------------------------------------------------------------------


def _asked_paths(paths: Sequence[str], context: ToolContext) -> tuple[str, ...]:
    normals = tuple(inside(context.root, path) for path in paths)
    for path in normals:
        check_enter(context.policy, path)
    return normals


def _pathspecs(paths: Sequence[str], but: Sequence[str] = ()) -> list[str]:
    return [
        "--",
        *(f":(top,literal){path}" if path != "." else ":(top)" for path in paths),
        *(f":(top,literal,exclude){path}" for path in but),
    ]


def _visible(policy: Policy, path: str) -> bool:
    """Whether the text of `path` may be shown; of a folder (`src/`), whether some below it may."""
    folder = path.endswith("/")
    path = path.rstrip("/")
    try:
        if normal(path) != path:
            return False
    except Denied:
        return False
    return may_enter(policy, path) if folder else readable(policy, path)


def _left_out(hidden: int) -> str:
    if not hidden:
        return ""
    noun = "path is" if hidden == 1 else "paths are"
    return f"[{hidden} {noun} left out: the policy does not let this agent read them]"


def _output(
    lines: Sequence[str], offset: int, context: ToolContext, said: Said, note: str
) -> ToolOutput:
    text = page(
        [cut_line(line, 2000) for line in lines],
        offset=offset,
        max_bytes=context.max_bytes - len(note) - 100,
        more=not said.whole,
    )
    parts = [text, note, "" if said.whole else "[there was more than can be taken: name paths]"]
    return ToolOutput("\n".join(part for part in parts if part))


GIT_TOOLS = (
    Tool(
        "git_status",
        "Which files differ between HEAD, the index and the working tree, and the branch.",
        Status,
        Effect.NONE,
        call=status,
    ),
    Tool(
        "git_diff",
        "The patch between the working tree and the index, HEAD or a commit, or two commits.",
        Diff,
        Effect.NONE,
        call=diff,
    ),
    Tool("git_log", "Commits, newest first.", Log, Effect.NONE, call=log),
    Tool(
        "git_show",
        "One commit with its changes, or a file as it was at a commit.",
        Show,
        Effect.NONE,
        call=show,
    ),
    Tool(
        "git_blame",
        "Which commit, author and date each line of a file came from.",
        Blame,
        Effect.NONE,
        call=blame,
    ),
)
