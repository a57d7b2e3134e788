"""Patches as values: read from two formats, laid onto a text.

The formats are the unified diff (git's too) and the one of Codex (`*** Begin Patch`). Both
become `FilePatch`es; `lay` finds each hunk's place by its lines, since models count badly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from codexd.errors import ToolFault


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines to find and what becomes of them."""

    lines: tuple[tuple[str, str], ...]
    """(` `, `-` or `+`; the text without its line end)."""
    headers: tuple[str, ...] = ()
    """Lines to go past first, one after the other (`@@ class Base`, `@@ def method`)."""
    at: int | None = None
    """The line, 1-based, where the old lines are said to begin."""
    at_end: bool = False
    """They are the last lines of the file."""
    final_newline: bool | None = None
    """Whether the file ends with one afterwards; `None`: as before."""

    @property
    def old(self) -> list[str]:
        """The lines to find."""
        return [text for op, text in self.lines if op != "+"]


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What a patch does to one file."""

    kind: Literal["add", "delete", "update"]
    path: str
    hunks: tuple[Hunk, ...] = ()
    """Of a file to delete: what it is said to hold; none where nothing is said."""
    move_to: str | None = None
    content: str = ""
    """Of a file to add."""


def read(patch: str) -> tuple[FilePatch, ...]:
    """The patch, in whichever format it is. Raises `ToolFault` where it is none."""
    lines = [line.removesuffix("\r") for line in patch.strip("\r\n").split("\n")]
    # Models wrap patches in fences and here-documents.
    if lines and re.match(r"```|(?:apply_patch\s+)?<<-?\s*['\"]?EOF", lines[0].strip()):
        lines = lines[1:-1] if lines[-1].strip() in ("```", "EOF") else lines[1:]
    if any(line.strip() == "*** Begin Patch" for line in lines):
        files = _Codex(lines).read()
    elif any(line.startswith(("--- ", "diff --git ", "@@")) for line in lines):
        files = _Unified(lines).read()
    else:
        raise ToolFault(
            "neither a unified diff nor a Codex patch",
            help="begin with `--- a/FILE` and `+++ b/FILE`, or with `*** Begin Patch`",
        )
    if not files:
        raise ToolFault("the patch changes no file")
    return tuple(files)


# --- Codex's format -------------------------------------------------------------------------


@dataclass
class _Codex:
    """A reader of `*** Begin Patch` … `*** End Patch`."""

    lines: list[str]
    at: int = 0

    def read(self) -> list[FilePatch]:
        stripped = [line.strip() for line in self.lines]
        self.at = stripped.index("*** Begin Patch") + 1
        end = next(
            (n for n in range(len(stripped) - 1, -1, -1) if stripped[n] == "*** End Patch"), None
        )
        if end is None:
            raise ToolFault("the patch has no `*** End Patch`", help="send the whole patch again")
        self.lines = self.lines[:end]
        files: list[FilePatch] = []
        while self.at < len(self.lines):
            if self.lines[self.at].strip():
                files.append(self._file())
            else:
                self.at += 1
        return files

    def _file(self) -> FilePatch:
        line = self.lines[self.at].strip()
        taken = re.fullmatch(r"\*\*\* (Add|Delete|Update) File: *(.+)", line)
        if taken is None:
            raise ToolFault(
                f"line {self.at + 1} of the patch is no file header: `{line[:80]}`",
                help="`*** Add File: `, `*** Update File: ` or `*** Delete File: ` and a path",
            )
        self.at += 1
        path = taken[2].strip()
        if taken[1] == "Delete":
            return FilePatch("delete", path)
        return self._added(path) if taken[1] == "Add" else self._updated(path)

    def _added(self, path: str) -> FilePatch:
        content: list[str] = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("+"):
            content.append(self.lines[self.at][1:] + "\n")
            self.at += 1
        return FilePatch("add", path, content="".join(content))

    def _updated(self, path: str) -> FilePatch:
        move_to = None
        if self.at < len(self.lines):
            move = re.fullmatch(r"\*\*\* Move to: *(.+)", self.lines[self.at].strip())
            if move:
                move_to = move[1].strip()
                self.at += 1
        hunks: list[Hunk] = []
        while self.at < len(self.lines) and not self._is_header():
            if not self.lines[self.at].strip():
                self.at += 1
            else:
                hunks.append(self._hunk(path))
        if not hunks and move_to is None:
            raise ToolFault(f"the patch says nothing to change in `{path}`")
        return FilePatch("update", path, tuple(hunks), move_to)

    def _is_header(self) -> bool:
        return self.lines[self.at].startswith("*** ") and (
            self.lines[self.at].strip() != "*** End of File"
        )

    def _hunk(self, path: str) -> Hunk:
        headers: list[str] = []
        at = None
        while self.at < len(self.lines) and self.lines[self.at].startswith("@@"):
            header = self.lines[self.at][2:]
            # Some models write a unified diff's header here.
            numbers = re.match(r"\s*-(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@", header)
            if numbers:
                at = int(numbers[1])
            elif header.strip():
                headers.append(header.removeprefix(" ").rstrip())
            self.at += 1
        lines: list[tuple[str, str]] = []
        at_end = False
        while self.at < len(self.lines) and not self.lines[self.at].startswith("@@"):
            line = self.lines[self.at]
            if line.strip() == "*** End of File":
                at_end, self.at = True, self.at + 1
                break
            if self._is_header():
                break
            if line and line[0] not in " +-":
                raise ToolFault(
                    f"line {self.at + 1} of the patch begins with {line[0]!r}, in a hunk of "
                    f"`{path}`: `{line[:80]}`",
                    help="each line of a hunk begins with a blank, `-` or `+`",
                )
            lines.append((line[:1] or " ", line[1:]))
            self.at += 1
        if not lines:
            raise ToolFault(f"a hunk of `{path}` has no lines (line {self.at + 1} of the patch)")
        return Hunk(tuple(lines), tuple(headers), at, at_end)


# --- unified diffs --------------------------------------------------------------------------

_NUMBERS = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass
class _Unified:
    """A reader of unified diffs, git's additions included."""

    lines: list[str]
    at: int = 0
    git: dict[str, str] = field(default_factory=dict[str, str])
    """What git's lines before `---` say of the file: `rename from`, `rename to`, …"""
    files: list[FilePatch] = field(default_factory=list[FilePatch])

    def read(self) -> list[FilePatch]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith("diff --git "):
                self._end_git()
                self.git = {"diff": line}
                self.at += 1
            elif self._is_file_header():
                self.files.append(self._file())
            elif line.startswith("@@"):
                raise ToolFault(
                    f"line {self.at + 1} of the patch begins a hunk before any file is named",
                    help="`--- a/FILE` and `+++ b/FILE` come first",
                )
            else:
                self._git_line(line)
                self.at += 1
        self._end_git()
        return self.files

    def _git_line(self, line: str) -> None:
        if line.startswith(("GIT binary patch", "Binary files ")):
            raise ToolFault("a binary patch cannot be applied", help="only text files are patched")
        if self.git and re.match(r"(?:new file|deleted file|new) mode 1[26]0000", line):
            raise ToolFault(f"links and submodules are not patched: `{line}`")
        if self.git and line.startswith(("old mode ", "new mode ")):
            raise ToolFault(
                f"a file's mode is not changed by a patch: `{line}`",
                help="leave the lines `old mode` and `new mode` out",
            )
        for key in ("rename from", "rename to", "new file mode", "deleted file mode"):
            if self.git and line.startswith(f"{key} "):
                self.git[key] = line[len(key) + 1 :]

    def _end_git(self) -> None:
        """A section of git's without hunks: a mere rename, an empty file."""
        git, self.git = self.git, {}
        if "rename from" in git and "rename to" in git:
            self.files.append(
                FilePatch("update", _path(git["rename from"]), (), _path(git["rename to"]))
            )
        elif "new file mode" in git or "deleted file mode" in git:
            both = re.fullmatch(r"diff --git a/(.+) b/\1", git["diff"])
            if both:
                kind = "add" if "new file mode" in git else "delete"
                self.files.append(FilePatch(kind, both[1]))

    def _is_file_header(self) -> bool:
        return (
            self.at + 1 < len(self.lines)
            and self.lines[self.at].startswith("--- ")
            and self.lines[self.at + 1].startswith("+++ ")
        )

    def _file(self) -> FilePatch:
        old, new = (_path(self.lines[self.at + n][4:]) for n in (0, 1))
        prefixed = (old[:2], new[:2]) == ("a/", "b/")
        if prefixed or "/dev/null" in (old, new):
            old, new = (re.sub(r"^[ab]/", "", path) for path in (old, new))
        self.git = {}
        self.at += 2
        hunks: list[Hunk] = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("@@"):
            hunks.append(self._hunk(new if old == "/dev/null" else old))
            while self.at < len(self.lines) and not self.lines[self.at].strip():
                self.at += 1
        if old == "/dev/null":
            return FilePatch("add", new, content=_added_text(hunks))
        if new == "/dev/null":
            return FilePatch("delete", old, tuple(hunks))
        if not hunks and old == new:
            raise ToolFault(f"the patch says nothing to change in `{old}`")
        return FilePatch("update", old, tuple(hunks), None if old == new else new)

    def _hunk(self, path: str) -> Hunk:
        numbers = _NUMBERS.match(self.lines[self.at])
        header = self.lines[self.at][2:].strip().removesuffix("@@").strip()
        at, n_old, n_new = None, 0, 0
        if numbers:
            at, n_old, n_new = int(numbers[1]), int(numbers[2] or 1), int(numbers[3] or 1)
            # `-5,0` says "after line 5".
            at += n_old == 0
        self.at += 1
        lines: list[tuple[str, str]] = []
        newline: dict[str, bool] = {}
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith(("@@", "diff --git ")):
                break
            # A removed `-- x` looks like a file's header: the numbers tell them apart.
            if self._is_file_header() and not (n_old > 0 and n_new > 0):
                break
            if line.startswith("\\"):
                newline[lines[-1][0] if lines else " "] = False
            elif line and line[0] not in " +-":
                raise ToolFault(
                    f"line {self.at + 1} of the patch begins with {line[0]!r}, in a hunk of "
                    f"`{path}`: `{line[:80]}`",
                    help="each line of a hunk begins with a blank, `-` or `+`",
                )
            elif not line and numbers and n_old <= 0 and n_new <= 0:
                break
            else:
                op = line[:1] or " "
                lines.append((op, line[1:]))
                n_old -= op != "+"
                n_new -= op != "-"
            self.at += 1
        if not lines:
            raise ToolFault(f"a hunk of `{path}` has no lines (line {self.at + 1} of the patch)")
        headers = () if numbers or not header else (header,)
        return Hunk(tuple(lines), headers, at, final_newline=_final_newline(newline))


def _final_newline(without: dict[str, bool]) -> bool | None:
    """Whether the text ends with a newline afterwards; `without` are the kinds of lines that the
    diff marks as having none.
    """
    if "+" in without or " " in without:
        return False
    return True if "-" in without else None


def _added_text(hunks: Sequence[Hunk]) -> str:
    lines = [text for hunk in hunks for op, text in hunk.lines if op == "+"]
    text = "".join(f"{line}\n" for line in lines)
    without = hunks and hunks[-1].final_newline is False
    return text.removesuffix("\n") if without else text


def _path(text: str) -> str:
    path = text.split("\t", 1)[0].rstrip()
    if path.startswith('"') and path.endswith('"') and len(path) > 1:
        # git quotes names that are not ASCII as C strings of their bytes.
        try:
            path = path[1:-1].encode().decode("unicode_escape").encode("latin-1").decode()
        except UnicodeError:
            raise ToolFault(f"the patch names a path that cannot be read: {text}") from None
    return path


# --- laying hunks onto a text ---------------------------------------------------------------


def lay(path: str, text: str, hunks: Sequence[Hunk]) -> str:
    """`text` with all `hunks` applied, in their order.

    Line ends stay as they are, new lines get those around them, and a missing final newline stays
    missing unless a hunk says otherwise. Raises `ToolFault` naming the hunk that has no place,
    and the nearest place.
    """
    lines = _Lines(text)
    start, shift = 0, 0
    for n, hunk in enumerate(hunks, 1):
        found = _place(lines.texts, hunk, start, shift)
        if found is None:
            raise ToolFault(
                f"hunk {n} of {len(hunks)} for `{path}` has no place: nothing of this patch was "
                f"applied\n{nearest(lines.texts, hunk.old)}",
                help=f"read `{path}` again and repeat the lines exactly as they are",
            )
        hunk, place = found
        start = lines.replace(place, hunk.lines)
        if hunk.at is not None:
            shift = start - (hunk.at - 1 + len(hunk.old))
        if hunk.final_newline is not None and start == len(lines.texts):
            lines.final_newline = hunk.final_newline
    return lines.text()


class _Lines:
    """A text as its lines, each with its own end."""

    def __init__(self, text: str) -> None:
        *parts, rest = text.split("\n")
        self.final_newline = not rest
        self.ends = ["\r\n" if part.endswith("\r") else "\n" for part in parts]
        self.texts = [part.removesuffix("\r") for part in parts]
        self.usual = "\r\n" if self.ends.count("\r\n") * 2 > len(self.ends) else "\n"
        if rest:
            # It gets an end like the others, which `text` takes off again.
            self.texts.append(rest)
            self.ends.append(self.usual)

    def replace(self, place: int, lines: Sequence[tuple[str, str]]) -> int:
        """Lay the lines of a hunk at `place`; gives the place after them."""
        texts: list[str] = []
        ends: list[str] = []
        freed: list[str] = []
        at = place
        for op, text in lines:
            if op == "+":
                texts.append(text)
                ends.append(freed.pop(0) if freed else self._end_near(ends, place))
                continue
            if op == "-":
                # What takes its place takes its end.
                freed.append(self.ends[at])
            else:
                # The file's own words, which may differ in blanks from the patch's.
                texts.append(self.texts[at])
                ends.append(self.ends[at])
                freed.clear()
            at += 1
        self.texts[place:at] = texts
        self.ends[place:at] = ends
        return place + len(texts)

    def _end_near(self, laid: list[str], place: int) -> str:
        if laid:
            return laid[-1]
        if place > 0:
            return self.ends[place - 1]
        return self.ends[0] if self.ends else self.usual

    def text(self) -> str:
        """The whole again."""
        whole = "".join(text + end for text, end in zip(self.texts, self.ends, strict=True))
        if self.final_newline or not self.texts:
            return whole
        return whole.removesuffix(self.ends[-1])


def _place(texts: list[str], hunk: Hunk, start: int, shift: int) -> tuple[Hunk, int] | None:
    """Where the old lines of `hunk` stand, at or after `start`; the hunk as it was found."""
    for header in hunk.headers:
        found = _seek_header(texts, header, start)
        if found is None:
            return None
        start = found + 1
    hint = None if hunk.at is None else hunk.at - 1 + shift
    if not hunk.old:
        # Nothing to find: after its header, at its number, else at the end.
        if hunk.headers:
            return hunk, start
        return hunk, len(texts) if hint is None else max(start, min(hint, len(texts)))
    place = _seek(texts, hunk.old, start, hint, at_end=hunk.at_end)
    if place is None and hunk.headers:
        # The header may be among the hunk's own lines.
        place = _seek(texts, hunk.old, start - 1, hint, at_end=hunk.at_end)
    if place is None and hunk.lines[-1] == (" ", ""):
        # An empty line that only separated this hunk from what followed it.
        return _place(texts, replace(hunk, lines=hunk.lines[:-1]), start, shift)
    return None if place is None else (hunk, place)


def _seek_header(texts: list[str], header: str, start: int) -> int | None:
    found = _seek(texts, [header], start, None, at_end=False)
    if found is None:
        wanted = header.strip()
        found = next((n for n in range(start, len(texts)) if wanted in texts[n]), None)
    return found


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("‘’‚‛", "'"),
        **dict.fromkeys("“”„‟", '"'),
        **dict.fromkeys(
            "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000", " "
        ),
    }
)


def _exactly(text: str) -> str:
    return text


def _typed(text: str) -> str:
    return text.translate(_PLAIN).strip()


def _seek(
    texts: list[str], wanted: list[str], start: int, hint: int | None, *, at_end: bool
) -> int | None:
    """Where `wanted` stands: exactly, else without trailing blanks, without blanks around, with
    typographic signs as typed. With a hint the nearest such place, else the first.
    """
    for alike in (_exactly, str.rstrip, str.strip, _typed):
        have, want = [alike(text) for text in texts[start:]], [alike(text) for text in wanted]
        last = len(have) - len(want)
        if at_end and last >= 0 and have[last:] == want:
            return start + last
        places = [
            start + n
            for n, text in enumerate(have[: last + 1] if last >= 0 else [])
            if text == want[0] and have[n : n + len(want)] == want
        ]
        if places:
            return places[0] if hint is None else min(places, key=lambda place: abs(place - hint))
    return None


def nearest(texts: list[str], wanted: Sequence[str]) -> str:
    """The place of the file most like `wanted`, with line numbers, and the first line missing."""
    have = [text.strip() for text in texts]
    want = [text.strip() for text in wanted]
    missing = next((text for text in want if text and text not in have), None)
    said = f"this line is not in the file: {missing[:200]}\n" if missing else ""
    place = _likeliest(have, want)
    if place is None:
        return f"{said}no line of it is near"
    first, last = max(0, place), min(len(texts), place + max(len(wanted), 3), place + 12)
    shown = "\n".join(f"{n + 1:>5}  {texts[n][:200]}" for n in range(first, last))
    return f"{said}the nearest place, lines {first + 1}-{last}:\n{shown}"


def _likeliest(have: list[str], want: list[str]) -> int | None:
    # Each wanted line votes for the beginning that would put it where it stands.
    places: dict[str, list[int]] = {}
    for n, text in enumerate(have):
        found = places.setdefault(text, [])
        if len(found) < 50:
            found.append(n)
    votes = Counter(n - k for k, text in enumerate(want) if text for n in places.get(text, ()))
    if votes:
        return max(0, votes.most_common(1)[0][0])
    first = next(((k, text) for k, text in enumerate(want) if text), None)
    if first is None:
        return None
    close = get_close_matches(first[1][:200], [text[:200] for text in have[:2000] if text], 1, 0.6)
    if not close:
        return None
    return max(0, next(n for n, text in enumerate(have) if text[:200] == close[0]) - first[0])
