"""The tools `read_file`, `list_dir` and `write_file`, and what makes file changes happen."""

from __future__ import annotations

import re
from collections.abc import Sequence

import anyio.to_thread
from pydantic import AliasChoices, Field

from codexd.errors import ToolFault
from codexd.policy import files, writing
from codexd.tools import results
from codexd.tools.arguments import Arguments
from codexd.tools.interface import Effect, FileChange, Tool, ToolContext, ToolOutput

_MAX_READ = 16 << 20
"""Bytes of one file that are looked at."""

PATH_KEYS = ("path", "file_path", "target_file", "filePath", "filename", "file")
"""How a path is called here, and in other products."""
FOLDER_KEYS = ("path", "target_directory", "dir_path", "dirPath", "directory", "dir", "folder")


class ReadFile(Arguments):
    """Arguments of `read_file`."""

    path: str = Field(
        validation_alias=AliasChoices(*PATH_KEYS),
        description="path from the workspace folder, forward slashes",
    )
    offset: int = Field(
        default=1,
        ge=0,
        validation_alias=AliasChoices("offset", "start_line", "line"),
        description="first line to give, 1-based",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        validation_alias=AliasChoices("limit", "max_lines", "n_lines"),
        description="how many lines to give; all that fit, where absent",
    )


class ListDir(Arguments):
    """Arguments of `list_dir`."""

    path: str = Field(
        default=".",
        validation_alias=AliasChoices(*FOLDER_KEYS),
        description="folder, from the workspace folder",
    )
    offset: int = Field(default=1, ge=0, description="first entry to give, 1-based")


class WriteFile(Arguments):
    """Arguments of `write_file`."""

    path: str = Field(
        validation_alias=AliasChoices(*PATH_KEYS),
        description="path from the workspace folder, forward slashes",
    )
    content: str = Field(
        validation_alias=AliasChoices("content", "contents", "text", "file_text"),
        description="the whole new content of the file",
    )


async def read_file(arguments: ReadFile, context: ToolContext) -> ToolOutput:
    """The lines asked for, under a line that says which they are."""
    content = await anyio.to_thread.run_sync(
        lambda: files.read_bytes(context.root, context.policy, arguments.path, limit=_MAX_READ + 1)
    )
    path = files.inside(context.root, arguments.path)
    text, remark = _text_of(path, content)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if not lines:
        return ToolOutput(f"{path} is empty")
    first = max(1, arguments.offset)
    if first > len(lines):
        raise ToolFault(f"`{path}` has {len(lines)} lines; line {first} was asked for")
    wanted = lines[first - 1 : first - 1 + (arguments.limit or len(lines))]
    return ToolOutput(_page(path, wanted, first, len(lines), remark, context.max_bytes))


def _text_of(path: str, content: bytes) -> tuple[str, str]:
    """The file as text, and what its reader should know of it."""
    remarks: list[str] = []
    if len(content) > _MAX_READ:
        content = content[:_MAX_READ]
        remarks.append(f"its first {_MAX_READ >> 20} MiB only")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        remarks.append("UTF-16")
        text = content.decode("utf-16", "replace")
    elif b"\0" in content[:8192]:
        raise ToolFault(f"`{path}` is a binary file")
    else:
        text = content.decode("utf-8", "replace").removeprefix("\ufeff")
        if "\ufffd" in text and "\ufffd".encode() not in content:
            remarks.append("not UTF-8: bytes that are not are shown as \ufffd")
    if "\r\n" in text:
        remarks.append("CRLF line ends")
    return text.replace("\r\n", "\n"), "".join(f" ({remark})" for remark in remarks)


def _page(
    path: str, lines: Sequence[str], first: int, n_lines: int, remark: str, max_bytes: int
) -> str:
    """The header and as many of `lines` as `max_bytes` hold, with how to go on."""
    room = max_bytes - len(path.encode()) - 160
    shown: list[str] = []
    cut = ""
    for line in lines:
        room -= len(line.encode("utf-8", "replace")) + 1
        if room < 0:
            break
        shown.append(line)
    if not shown:
        # One line fills the page: its beginning is better than nothing.
        shown = [results.cut(lines[0], max(80, max_bytes - len(path) - 200))]
        cut = f"\n[line {first} is {len(lines[0]):,} characters long and was cut; grep finds in it]"
    last = first + len(shown) - 1
    if last < n_lines and len(shown) < len(lines):
        cut += f"\n[cut here: go on with offset={last + 1}]"
    header = f"{path} lines {first}-{last} of {n_lines}{remark}"
    return "\n".join([header, *shown]) + cut


async def list_dir(arguments: ListDir, context: ToolContext) -> ToolOutput:
    """What the folder holds, a line an entry; folders end in a slash, files have their size."""
    entries = await anyio.to_thread.run_sync(
        lambda: files.list_dir(context.root, context.policy, arguments.path)
    )
    path = files.inside(context.root, arguments.path)
    first = max(1, arguments.offset)
    lines = [f"{path}: {len(entries)} entries"]
    room = context.max_bytes - len(lines[0].encode()) - 80
    for n, entry in enumerate(entries[first - 1 :], first):
        line = _entry_line(entry)
        room -= len(line.encode()) + 1
        if room < 0:
            lines.append(f"[cut here: go on with offset={n}]")
            break
        lines.append(line)
    return ToolOutput("\n".join(lines))


def _entry_line(entry: files.Entry) -> str:
    if entry.kind == "file":
        return f"{entry.name}  {entry.size:,} bytes"
    return f"{entry.name}/" if entry.kind == "folder" else f"{entry.name}  ({entry.kind})"


async def prepare_write(arguments: WriteFile, context: ToolContext) -> tuple[FileChange, ...]:
    """The one change of `write_file`; none where the file holds that content already."""
    path = files.inside(context.root, arguments.path)
    after = encoded(path, arguments.content)
    before = await anyio.to_thread.run_sync(
        lambda: writing.read_current(context.root, context.policy, path)
    )
    return sized([FileChange(path, before, after)])


def encoded(path: str, text: str, errors: str = "strict") -> bytes:
    """`text` as UTF-8. Raises `ToolFault` for what is no text."""
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError as fault:
        raise ToolFault(f"the new content of `{path}` is no valid text: {fault.reason}") from None


def sized(changes: Sequence[FileChange]) -> tuple[FileChange, ...]:
    """`changes`, none too large. Raises `ToolFault`."""
    for change in changes:
        if len(change.after or b"") > writing.LARGEST:
            raise writing.too_large(change.path)
    return tuple(changes)


async def apply(changes: Sequence[FileChange], context: ToolContext) -> ToolOutput:
    """All `changes` are made, or none, and what was done in words.

    A file that already holds its new content counts as written. Raises `Denied`, `ToolFault`
    (a file changed meanwhile), `Unavailable` (the disk).
    """
    await anyio.to_thread.run_sync(
        lambda: writing.write_all(
            context.root,
            context.policy,
            [(change.path, change.before, change.after) for change in changes],
            moves={change.path: change.moved_from for change in changes if change.moved_from},
        )
    )
    return ToolOutput(
        "\n".join(_told(change) for change in changes),
        wrote=tuple(change.path for change in changes if change.after is not None),
    )


def _told(change: FileChange) -> str:
    if change.after is None:
        return f"deleted {change.path}"
    n_after = _n_lines(change.after)
    if change.before == change.after:
        return f"{change.path} holds that already"
    if change.before is None:
        done = f"made {change.path} ({n_after} lines)"
    else:
        done = f"changed {change.path} ({_n_lines(change.before)} → {n_after} lines)"
    return f"{done}; it acts when somebody builds, tests or commits" if acts(change.path) else done


def _n_lines(content: bytes) -> int:
    return content.count(b"\n") + (bool(content) and not content.endswith(b"\n"))


_ACTS = re.compile(
    r"""(?:.*/)?(?:
      (?:GNU)?makefile | .*\.mk | justfile | rakefile | gemfile | dockerfile.* | .*\.dockerfile
    | (?:docker-)?compose.*\.ya?ml | package\.json | \.?pnpmfile\.cjs | .*\.config\.[cm]?[jt]s
    | pyproject\.toml | setup\.(?:py|cfg) | tox\.ini | noxfile\.py | conftest\.py | tasks\.py
    | cargo\.toml | build\.rs | build\.gradle(?:\.kts)? | pom\.xml | cmakelists\.txt | .*\.cmake
    | meson\.build | \.gitlab-ci\.yml | jenkinsfile | azure-pipelines\.yml | \.travis\.yml
    | \.pre-commit-config\.yaml | lefthook\.ya?ml | .*\.(?:ba|z)?sh | \.gitattributes | \.gitmodules
    | agents\.md | claude\.md | gemini\.md | \.cursorrules | \.envrc | \.npmrc
    ) | (?:.*/)?\.(?:github|circleci|husky|githooks|vscode|codex|claude|cursor)/.*""",
    re.VERBOSE | re.IGNORECASE,
)


def acts(path: str) -> bool:
    """Whether a file of that name is run or obeyed by builds, CI, hooks or agents."""
    return _ACTS.fullmatch(path) is not None


FILE_TOOLS: tuple[Tool, ...] = (
    Tool(
        "read_file",
        "Read a text file of the workspace, whole or some lines.",
        ReadFile,
        Effect.NONE,
        call=read_file,
    ),
    Tool(
        "list_dir",
        "List a folder of the workspace: folders end in a slash, files show their size.",
        ListDir,
        Effect.NONE,
        call=list_dir,
    ),
    Tool(
        "write_file",
        "Make a file, or replace a whole one. To change parts of a file use apply_patch.",
        WriteFile,
        Effect.FILE_WRITE,
        prepare=prepare_write,
    ),
)
