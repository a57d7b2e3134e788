"""The tool `apply_patch`: a patch over several files, or one text replaced by another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import anyio.to_thread
from pydantic import AliasChoices, Field, model_validator

from codexd.errors import ToolFault
from codexd.policy import files, writing
from codexd.tools import hunks
from codexd.tools.arguments import Arguments
from codexd.tools.files import PATH_KEYS, encoded, sized
from codexd.tools.interface import Effect, FileChange, Tool, ToolContext


class ApplyPatch(Arguments):
    """Arguments of `apply_patch`: `patch`, or `path` with `old` and `new`."""

    patch: str | None = Field(
        default=None,
        validation_alias=AliasChoices("patch", "input", "diff", "patch_text"),
        description="a unified diff, or `*** Begin Patch` … `*** End Patch`",
    )
    path: str | None = Field(
        default=None,
        validation_alias=AliasChoices(*PATH_KEYS),
        description="with `old` and `new`: the file to change",
    )
    old: str | None = Field(
        default=None,
        validation_alias=AliasChoices("old", "old_string", "old_str", "old_text", "search"),
        description="the text to replace, exactly as it stands, once in the file; empty for a "
        "new file",
    )
    new: str | None = Field(
        default=None,
        validation_alias=AliasChoices("new", "new_string", "new_str", "new_text", "replace"),
        description="what to put in its place",
    )
    replace_all: bool = Field(default=False, description="replace `old` wherever it stands")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        pair = (self.path, self.old, self.new)
        if self.patch is not None and all(one is None for one in pair):
            return self
        if self.patch is None and all(one is not None for one in pair):
            return self
        raise ValueError("give `patch` alone, or all of `path`, `old` and `new`")


async def prepare_patch(arguments: ApplyPatch, context: ToolContext) -> tuple[FileChange, ...]:
    """What the patch changes, whole files before and after; nothing is touched.

    Raises `Denied`, and `ToolFault` where any part of it does not fit.
    """
    return await anyio.to_thread.run_sync(lambda: _prepared(arguments, context))


def _prepared(arguments: ApplyPatch, context: ToolContext) -> tuple[FileChange, ...]:
    draft = _Draft(context)
    if arguments.patch is not None:
        for one in hunks.read(arguments.patch):
            draft.patch(one)
    elif arguments.path is not None and arguments.old is not None and arguments.new is not None:
        draft.substitute(arguments.path, arguments.old, arguments.new, every=arguments.replace_all)
    return draft.changes()


@dataclass
class _Draft:
    """The workspace as it will be: several parts of a patch may touch one file."""

    context: ToolContext
    before: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    now: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    moved: dict[str, str] = field(default_factory=dict[str, str])
    """New path → old."""

    def patch(self, one: hunks.FilePatch) -> None:
        """Do what `one` says."""
        path = self._open(one.path)
        if one.kind == "add":
            self._make(path, encoded(path, one.content))
            return
        held = self._held(path)
        if one.kind == "delete":
            if one.hunks and self._laid(path, held, one):
                raise ToolFault(
                    f"the patch deletes `{path}`, which holds more than the patch says",
                    help=f"read `{path}` again, and repeat all of its lines or none",
                )
            self.now[path] = None
            return
        after = encoded(path, self._laid(path, held, one), "surrogateescape")
        if one.move_to is None:
            self.now[path] = after
            return
        target = self._open(one.move_to)
        self.now[path] = None
        self._make(target, after)
        self.moved[target] = self.moved.pop(path, path)

    def substitute(self, path: str, old: str, new: str, *, every: bool) -> None:
        """Replace `old` by `new`, which must stand there once unless `every`."""
        path = self._open(path)
        if not old:
            self._make(path, encoded(path, new))
            return
        text, mark = _text_of(path, self._held(path))
        if "\r\n" in text and "\r\n" not in old:
            # The model saw the file with plain line ends.
            old, new = (one.replace("\n", "\r\n") for one in (old, new.replace("\r\n", "\n")))
        n_found = text.count(old)
        if n_found == 0:
            raise ToolFault(
                f"`old` is not in `{path}`\n" + hunks.nearest(text.split("\n"), old.split("\n")),
                help=f"read `{path}` again and repeat the text exactly as it is",
            )
        if n_found > 1 and not every:
            raise ToolFault(
                f"`old` stands {n_found} times in `{path}`: {_where(text, old)}",
                help="give more of the lines around it, or set `replace_all`",
            )
        self.now[path] = encoded(path, mark + text.replace(old, new), "surrogateescape")

    def changes(self) -> tuple[FileChange, ...]:
        """One change a file that differs."""
        return sized(
            [
                FileChange(path, before, self.now[path], self.moved.get(path, ""))
                for path, before in self.before.items()
            ]
        )

    def _open(self, path: str) -> str:
        """The normal path, its present content known. Raises `Denied`."""
        root, policy = self.context.root, self.context.policy
        path = files.inside(root, path)
        if path not in self.before:
            held = writing.read_current(root, policy, path)
            if held is not None:
                # What does not fit is told with the lines around it: writing alone is not enough.
                files.check_read(policy, path)
            self.before[path] = self.now[path] = held
        return path

    def _held(self, path: str) -> bytes:
        held = self.now[path]
        if held is None:
            raise ToolFault(f"no file `{path}` to change", help="glob shows what is there")
        return held

    def _make(self, path: str, content: bytes) -> None:
        if self.now[path] is not None:
            raise ToolFault(f"`{path}` exists already", help="change it, or delete it first")
        self.now[path] = content

    def _laid(self, path: str, held: bytes, one: hunks.FilePatch) -> str:
        if not one.hunks:
            return held.decode("utf-8", "surrogateescape")
        text, mark = _text_of(path, held)
        return mark + hunks.lay(path, text, one.hunks)


def _text_of(path: str, content: bytes) -> tuple[str, str]:
    """The file as text that goes back to the same bytes, and the byte order mark before it."""
    if b"\0" in content:
        raise ToolFault(f"`{path}` is a binary file", help="only text files are patched")
    text = content.decode("utf-8", "surrogateescape")
    return text.removeprefix("\ufeff"), "\ufeff" if text.startswith("\ufeff") else ""


def _where(text: str, old: str) -> str:
    lines: list[str] = []
    at = text.find(old)
    while at >= 0 and len(lines) < 10:
        lines.append(str(text.count("\n", 0, at) + 1))
        at = text.find(old, at + len(old))
    return f"lines {', '.join(lines)}"


PATCH_TOOLS: tuple[Tool, ...] = (
    Tool(
        "apply_patch",
        "Change, make, move or delete files: `patch` is a unified diff or a Codex patch "
        "(`*** Begin Patch`, `*** Update File: PATH`, `@@`, lines with ` `, `-`, `+`, "
        "`*** End Patch`); or give `path`, `old` and `new` to replace one text. All or nothing.",
        ApplyPatch,
        Effect.FILE_WRITE,
        prepare=prepare_patch,
    ),
)
