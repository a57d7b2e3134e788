"""The git tools on real repositories, friendly and hostile ones."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.needs import needs

from codexd.errors import Denied, Source, ToolFault
from codexd.policy import Grant, Layer, Policy
from codexd.tools import git as git_tools
from codexd.tools.interface import Tool, ToolContext

pytestmark = pytest.mark.anyio

HERE = Source("agent.yaml", 3)
TOOLS = {tool.name: tool for tool in git_tools.GIT_TOOLS}


def reading(*paths: str) -> Policy:
    return (Layer("agent x", HERE, read=tuple(Grant(path, HERE) for path in paths)),)


def git(root: Path, *arguments: str, check: bool = True) -> str:
    """Plain git, as a user runs it."""
    done = subprocess.run(
        [needs("git"), "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *arguments],
        cwd=root,
        check=check,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A", "-f")
    git(root, "commit", "-q", "-m", message)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = (tmp_path / "repo").resolve()
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    write(root, **{"src/app.py": "one\ntwo\nthree\n", ".env": "TOKEN=first\n", "docs/a.md": "a\n"})
    commit(root, "first")
    write(root, **{"src/app.py": "one\n2\nthree\n", ".env": "TOKEN=second\n"})
    commit(root, "second: change two")
    return root


def context(root: Path, policy: Policy | None = None, **more: Any) -> ToolContext:
    path = str(Path(needs("git")).parent)
    return ToolContext(root.resolve(), policy or reading("."), env={"PATH": path}, **more)


async def call(where: ToolContext, name: str, **arguments: Any) -> str:
    tool: Tool = TOOLS[name]
    assert tool.call is not None
    return (await tool.call(tool.arguments.model_validate(arguments), where)).text


async def test_status_names_what_changed(root: Path) -> None:
    assert await call(context(root), "git_status") == (
        "## main\nnothing to commit, working tree clean"
    )
    write(root, **{"src/app.py": "changed\n", "new/file.txt": "x\n", "読む.md": "y\n"})
    git(root, "mv", "docs/a.md", "docs/b.md")
    assert (await call(context(root), "git_status")).splitlines() == [
        "## main",
        "R  docs/a.md -> docs/b.md",
        " M src/app.py",
        "?? new/",
        "?? 読む.md",
    ]


async def test_diff_of_the_working_tree_the_index_and_commits(root: Path) -> None:
    write(root, **{"src/app.py": "one\n2\nthree\nfour\n"})
    assert "+four" in await call(context(root), "git_diff")
    assert await call(context(root), "git_diff", staged=True) == "no difference"
    git(root, "add", "-A")
    assert "+four" in await call(context(root), "git_diff", staged=True)
    between = await call(context(root), "git_diff", revisions="HEAD~1..HEAD")
    assert "-two" in between
    assert "+2" in between
    assert "four" not in between
    against = await call(context(root), "git_diff", revisions="HEAD~1", stat=True)
    assert "src/app.py | 3 ++-" in against


async def test_log_show_and_blame(root: Path) -> None:
    lines = (await call(context(root), "git_log")).splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == ["second: change two", "first"]
    assert "(HEAD -> main)" in lines[0]
    shown = await call(context(root), "git_show")
    assert "author Ann <ann@example.org>" in shown
    assert "    second: change two" in shown
    assert "-two\n+2" in shown
    assert await call(context(root), "git_show", revision="HEAD~1:src/app.py") == "one\ntwo\nthree"
    assert await call(context(root), "git_show", revision="HEAD", path="src") == "app.py"
    blamed = (await call(context(root), "git_blame", path="src/app.py")).splitlines()
    assert len(blamed) == 3
    assert blamed[1].endswith("2) 2")
    assert (await call(context(root), "git_blame", path="src/app.py", start_line=3)).endswith(
        "three"
    )


async def test_the_first_commit_is_shown_against_nothing(root: Path) -> None:
    assert "+two" in await call(context(root), "git_show", revision="HEAD~1")


async def test_log_pages_and_filters(root: Path) -> None:
    first = await call(context(root), "git_log", max_count=1)
    assert "go on with offset=1" in first
    assert "first" in await call(context(root), "git_log", max_count=1, offset=1)
    assert "second" not in await call(context(root), "git_log", grep="FIRST")
    assert await call(context(root), "git_log", author="nobody") == "no commit"
    assert "second" not in await call(context(root), "git_log", paths="docs")


async def test_pages_of_a_diff_join(root: Path) -> None:
    write(root, **{"src/app.py": "".join(f"line {n}\n" for n in range(400))})
    small = context(root, max_bytes=2000)
    whole = await call(context(root, max_bytes=100_000), "git_diff")
    lines: list[str] = []
    while True:
        text = await call(small, "git_diff", offset=len(lines))
        assert len(text.encode()) <= 2000
        *rows, last = text.splitlines()
        lines += rows
        if "go on with offset=" not in last:
            lines.append(last)
            break
    assert "\n".join(lines) == whole


async def test_protected_files_are_left_out_and_it_says_so(root: Path) -> None:
    for shown in (
        await call(context(root), "git_show"),
        await call(context(root), "git_diff", revisions="HEAD~1..HEAD"),
        await call(context(root), "git_diff", revisions="HEAD~1..HEAD", stat=True),
    ):
        assert "src/app.py" in shown
        assert "TOKEN" not in shown
        assert ".env" not in shown
        assert "[1 path is left out" in shown
    write(root, **{".env": "TOKEN=third\n"})
    assert "TOKEN" not in await call(context(root), "git_diff")
    assert ".env" not in await call(context(root), "git_status")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("git_show", {"revision": "HEAD:.env"}),
        ("git_show", {"revision": "HEAD", "path": ".env"}),
        ("git_show", {"revision": "HEAD:./.env"}),
        ("git_show", {"revision": "HEAD:docs/../.env"}),
        ("git_blame", {"path": ".env"}),
        ("git_diff", {"paths": ".env"}),
        ("git_log", {"paths": [".env"]}),
        ("git_status", {"paths": "../elsewhere"}),
    ],
)
async def test_protected_paths_are_refused(
    root: Path, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Denied):
        await call(context(root), name, **arguments)


async def test_a_rename_out_of_a_protected_name_shows_only_the_new_one(root: Path) -> None:
    git(root, "mv", ".env", "plain.txt")
    commit(root, "third")
    shown = await call(context(root), "git_show")
    assert ".env" not in shown
    assert "b/plain.txt" in shown


async def test_a_folder_that_was_a_readable_file_hides_what_is_protected(root: Path) -> None:
    write(root, conf="plain\n")
    commit(root, "third")
    (root / "conf").unlink()
    write(root, **{"conf/.env": "TOKEN=deep\n"})
    commit(root, "fourth")
    shown = await call(context(root), "git_show")
    assert "-plain" in shown
    assert "TOKEN" not in shown


async def test_ungranted_paths_are_left_out(root: Path) -> None:
    write(root, **{"src/app.py": "x\n", "docs/a.md": "y\n"})
    narrow = context(root, reading("docs"))
    assert "src" not in await call(narrow, "git_diff")
    assert "docs/a.md" in await call(narrow, "git_diff")
    assert await call(narrow, "git_show", revision="HEAD", path=".") == (
        "docs/\n[2 paths are left out: the policy does not let this agent read them]"
    )


@pytest.mark.parametrize(
    "revision",
    ["--output=x", "-p", "HEAD --output=x", "HEAD..HEAD", "HEAD;ls", "$(ls)", "no-such", "^HEAD"],
)
async def test_what_is_no_revision_is_refused(root: Path, revision: str) -> None:
    with pytest.raises(ToolFault):
        await call(context(root), "git_show", revision=revision)
    assert not (root / "x").exists()


async def test_a_blob_is_no_commit(root: Path) -> None:
    blob = git(root, "rev-parse", "HEAD:.env").strip()
    with pytest.raises(ToolFault, match="no commit"):
        await call(context(root), "git_show", revision=blob)


async def test_without_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolFault, match="not a git repository"):
        await call(context(tmp_path), "git_log")


async def test_a_repository_above_the_workspace_is_not_taken(root: Path) -> None:
    with pytest.raises(ToolFault, match="not a git repository"):
        await call(context(root / "src"), "git_log")


async def test_a_repository_without_commits_is_told_apart(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, a="x\n")
    here = context(tmp_path)
    assert await call(here, "git_status") == "## No commits yet on main\n?? a"
    with pytest.raises(ToolFault, match="no commit `HEAD`"):
        await call(here, "git_log")


async def test_a_linked_worktree_has_its_own_head_and_the_common_history(
    root: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(root, "worktree", "add", "-q", "-b", "side", str(linked))
    write(linked, **{"src/app.py": "side\n"})
    assert " M src/app.py" in await call(context(linked), "git_status")
    commit(linked, "on the side")
    assert "on the side" in await call(context(linked), "git_log")
    assert "on the side" not in await call(context(root), "git_log")
    assert "on the side" in await call(context(root), "git_log", revision="side")


async def test_a_submodule_is_read_by_its_own_history(root: Path, tmp_path: Path) -> None:
    git(root, "-c", "protocol.file.allow=always", "clone", "-q", str(root), str(tmp_path / "lib"))
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    add = ("submodule", "add", "-q", str(tmp_path / "lib"), "lib")
    git(outer, "-c", "protocol.file.allow=always", *add)
    commit(outer, "with a library")
    assert "second: change two" in await call(context(outer / "lib"), "git_log")
    assert "Subproject commit" in await call(context(outer), "git_show")


# --- hostile repositories -------------------------------------------------------------------


@pytest.fixture
def hostile(root: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A repository whose configuration would touch a marker in every way that we know."""
    marker = tmp_path / "marker"
    evil = tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\ntouch "{marker}"\ncat\n')
    evil.chmod(0o755)
    (root / ".gitattributes").write_text("*.py filter=evil diff=evil\n*.md diff=evil\n")
    commit(root, "attributes")
    (root / ".git" / "evil.config").write_text(f'[core]\n\tfsmonitor = "{evil}"\n')
    (root / ".git" / "config").write_text(
        f"""
[core]
	repositoryformatversion = 0
	pager = {evil}
	editor = {evil}
	sshCommand = {evil}
	hooksPath = {evil.parent}
	alternateRefsCommand = {evil}
	attributesFile = {evil.parent}/attributes
[include]
	path = evil.config
[pager]
	log = {evil}
	diff = {evil}
[diff]
	external = {evil}
[diff "evil"]
	textconv = {evil}
	command = {evil}
[filter "evil"]
	clean = {evil}
	smudge = {evil}
	process = {evil}
	required = true
[gpg]
	program = {evil}
[log]
	showSignature = true
[alias]
	status = !{evil}
	log = !{evil}
[blame]
	ignoreRevsFile = {evil}
"""
    )
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        shutil.copy(evil, root / ".git" / "hooks" / hook)
        shutil.copy(evil, evil.parent / hook)
    write(root, **{"src/app.py": "changed\n", "docs/a.md": "changed\n"})
    return root, marker


async def test_a_hostile_configuration_starts_nothing(hostile: tuple[Path, Path]) -> None:
    root, marker = hostile
    where = context(root)
    assert " M src/app.py" in await call(where, "git_status")
    assert "+changed" in await call(where, "git_diff")
    assert "+changed" in await call(where, "git_diff", revisions="HEAD")
    assert "second" in await call(where, "git_log", body=True)
    assert "attributes" in await call(where, "git_show")
    assert "one" in await call(where, "git_show", revision="HEAD~1:src/app.py")
    assert "one" in await call(where, "git_blame", path="src/app.py")
    assert not marker.exists()
    # Plain git falls for it: the trap is a real one.
    git(root, "status", check=False)
    git(root, "diff", check=False)
    assert marker.exists()


async def test_a_hostile_submodule_starts_nothing(root: Path, tmp_path: Path) -> None:
    marker, evil = tmp_path / "marker", tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\ntouch "{marker}"\n')
    evil.chmod(0o755)
    sub = root / "sub"
    sub.mkdir()
    git(sub, "init", "-q")
    write(sub, a="x\n")
    commit(sub, "inner")
    git(root, "add", "sub")
    git(root, "commit", "-q", "-m", "gitlink")
    git(sub, "config", "core.fsmonitor", str(evil))
    write(sub, a="y\n")
    await call(context(root), "git_status")
    await call(context(root), "git_diff")
    assert not marker.exists()
    git(root, "status", check=False)
    assert marker.exists()


@pytest.mark.parametrize(
    "lent",
    ["objects", "refs", "index", ".git", "alternates", "gitfile", "commondir", "loose", "info"],
)
async def test_another_repository_is_not_read_through_a_hostile_one(
    root: Path, tmp_path: Path, lent: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    git(mine, "init", "-q", "-b", "main")
    write(mine, a="x\n")
    commit(mine, "bait")
    dot_git = mine / ".git"
    if lent == "alternates":
        (dot_git / "objects" / "info" / "alternates").write_text(f"{root}/.git/objects\n")
    elif lent in (".git", "gitfile"):
        shutil.rmtree(dot_git)
        if lent == ".git":
            dot_git.symlink_to(root / ".git")
        else:
            dot_git.write_text(f"gitdir: {root}/.git\n")
    elif lent == "commondir":
        # It says of itself that it is a worktree of the other, as git would write it there.
        dot_git.rename(mine / "own")
        (mine / "own" / "gitdir").write_text(f"{dot_git}\n")
        (mine / "own" / "commondir").write_text(f"{root}/.git\n")
        dot_git.write_text("gitdir: own\n")
    elif lent == "loose":
        id = git(root, "rev-parse", "HEAD:src/app.py").strip()
        (dot_git / "objects" / id[:2]).mkdir(exist_ok=True)
        loose = Path("objects", id[:2], id[2:])
        (dot_git / loose).symlink_to(root / ".git" / loose)
    elif lent == "info":
        (dot_git / "objects" / "info" / "commit-graph").symlink_to(root / ".git" / "HEAD")
    else:
        target = dot_git / lent
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        target.symlink_to(root / ".git" / lent)
    with pytest.raises(Denied):
        await call(context(mine), "git_log")


async def test_a_working_tree_swapped_for_a_link_shows_nothing_of_its_target(
    root: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "app.py").write_text("private\n")
    shutil.rmtree(root / "src")
    (root / "src").symlink_to(elsewhere)
    assert "private" not in await call(context(root), "git_diff")
    assert "private" not in await call(context(root), "git_blame", path="src/app.py")


async def test_nothing_of_the_repository_is_changed(root: Path) -> None:
    (root / "src/app.py").touch()

    def state() -> dict[str, int]:
        return {
            str(path): path.lstat().st_mtime_ns
            for path in sorted((root / ".git").rglob("*"))
            if path.is_file()
        }

    before = state()
    for name in ("git_status", "git_diff", "git_log", "git_show"):
        await call(context(root), name)
    assert state() == before
