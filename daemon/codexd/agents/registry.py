"""The agents of a workspace: which files, which wins, what is wrong with them."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from codexd.agents import aliases, dialects
from codexd.agents.definition import AgentDefinition
from codexd.agents.dialects import READ_ONLY
from codexd.errors import BadDefinition, Diagnostic, Severity, UnknownAgent
from codexd.policy import Policy

MAX_BYTES = 1 << 20
"""An agent file is text that a person wrote; a larger one is something else."""

Stamp: TypeAlias = tuple[int, int, int]
"""(mtime in ns, size, inode): a file whose stamp is the same is not read again."""


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """One agent file, read."""

    path: Path
    origin: str
    """`workspace`, `claude`, `cursor`, `github`, `user`, `built-in`."""
    definition: AgentDefinition | None
    """`None`: the file has errors."""
    diagnostics: tuple[Diagnostic, ...]
    shadowed_by: Path | None = None
    stale: bool = False
    """The file is broken and `definition` is its last version without errors."""
    stamp: Stamp | None = field(default=None, compare=False)
    """Of the file as it was read; `None` where it could not be looked at. A file that was touched
    and says what it said is the same agent.
    """

    @property
    def stem(self) -> str:
        """The file's name without the suffix that tells its dialect."""
        return self.path.name.removesuffix(self.path.suffix).removesuffix(".agent")

    @property
    def slug(self) -> str:
        """What it is called by; of a broken file, which has no name, the stem's."""
        return slug_of(self.definition.name if self.definition else self.stem) or self.stem


@dataclass(frozen=True, slots=True)
class Registry:
    """What was found, in order of precedence; a value, made anew when files change."""

    entries: tuple[AgentEntry, ...]
    aliases: dict[str, str]
    """`@cr` → `code-reviewer`; shortcuts as well."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Of `aliases.yaml`, and of folders that could not be read."""

    def find(self, name: str) -> AgentDefinition:
        """The agent by name as written, slug, alias or file stem.

        Raises `UnknownAgent` with the nearest name, `BadDefinition` where the file has errors.
        """
        served = [entry for entry in self.entries if entry.shadowed_by is None]
        entry = _by_name(served, name)
        # An alias leads to an agent, never to another alias: so there are no circles.
        if entry is None and name in self.aliases:
            target = self.aliases[name]
            entry = _by_name(served, target) or _by_stem(served, target)
        entry = entry or _by_stem(served, name)
        if entry is None:
            raise UnknownAgent(name, _nearest(name, served, self.aliases), len(served))
        if entry.definition is None:
            raise BadDefinition(
                f"agent `{name}` has errors in {entry.path}",
                entry.diagnostics,
                help="mend the file; `codexd agents validate` says when all is well",
            )
        return entry.definition


@lru_cache(maxsize=4096)  # a thousand agents that are looked at again have the names they had
def slug_of(name: str) -> str:
    """`Python Reviewer` → `python-reviewer`, as `AgentDefinition.slug`."""
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _by_name(served: Sequence[AgentEntry], name: str) -> AgentEntry | None:
    for entry in served:
        if entry.definition is not None and entry.definition.name == name:
            return entry
    slug = slug_of(name)
    return next((entry for entry in served if slug and entry.slug == slug), None)


def _by_stem(served: Sequence[AgentEntry], name: str) -> AgentEntry | None:
    return next((entry for entry in served if entry.stem == name), None)


def _nearest(name: str, served: Sequence[AgentEntry], aliases: Iterable[str]) -> str | None:
    import difflib

    known = {alias.lower(): alias for alias in aliases}
    for entry in served:
        known[entry.stem.lower()] = entry.stem
        if entry.definition is not None:
            known[entry.definition.name.lower()] = entry.definition.name
    # Last, so that a slug is offered where a name differs from it only in capitals.
    known.update((entry.slug, entry.slug) for entry in served)
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return known[close[0]] if close else None


# --- which files -----------------------------------------------------------------------------


class Place(NamedTuple):
    """A folder where agent files stand."""

    folder: str
    origin: str
    suffixes: tuple[str, ...]
    bounds: str | None
    """What symbolic links may not lead out of; `None`: they may lead anywhere."""


def places(root: Path, home: Path) -> tuple[Place, ...]:
    """Where agents of the workspace at `root` are looked for, in order of precedence."""
    ours, bounds = (".yaml", ".yml", ".toml"), os.path.realpath(root)
    found = (
        Place(f"{root}/.codex/agents", "workspace", ours, bounds),
        Place(f"{root}/.claude/agents", "claude", (".md",), bounds),
        Place(f"{root}/.cursor/agents", "cursor", (".md",), bounds),
        Place(f"{root}/.github/agents", "github", (".agent.md",), bounds),
        Place(f"{home}/.codex/agents", "user", ours, None),
        Place(f"{built_in()}", "built-in", ours, None),
    )
    # The home folder may itself be the workspace: its agents are there once, and the user's.
    same = bounds == os.path.realpath(home)
    return tuple(each for each in found if each.origin != "workspace" or not same)


def built_in() -> Path:
    """The folder of the agents that come with codexd: in the package, else in the checkout."""
    installed = Path(__file__).parent / "built_in"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "agents"


def load(
    root: Path,
    *,
    home: Path,
    profile: str = READ_ONLY,
    ceilings: Policy = (),
    cached: Sequence[AgentEntry] = (),
    changed: Collection[str] = (),
) -> Registry:
    """Every agent that the workspace at `root` has: workspace, other tools', user's, built-in.

    `profile` is what a file of another tool gets that says nothing of tools; grants are held
    against `ceilings`, and get a remark where they are wider.
    An entry of `cached` whose file has not changed is taken as it is. Where a file has since
    broken, its last version without errors stays in service.
    Files of the names in `changed` are read whatever their stamps: two writes of as many bytes
    within one tick of the clock leave the same one.
    """
    before = {str(entry.path): entry for entry in cached}
    entries: list[AgentEntry] = []
    diagnostics: list[Diagnostic] = []
    for place in places(root, home):
        try:
            files = sorted(_files(place))
        except OSError as fault:
            diagnostics.append(remark(place.folder, f"cannot be read: {fault.strerror}"))
            continue
        for path in files:
            known = before.get(path)
            stamp = _stamp(path)
            same = known is not None and stamp is not None and known.stamp == stamp
            if known is not None and same and path.rpartition("/")[2] not in changed:
                entries.append(known)
            else:
                entry = read_entry(
                    path,
                    place.origin,
                    profile,
                    ceilings=ceilings,
                    stamp=stamp,
                    bounds=place.bounds,
                )
                entries.append(_still_served(entry, known))
    entries = _shadow(entries)
    file = _aliases(root)
    registry = Registry(tuple(entries), file.names)
    lost = [each.remark(file.path) for each in file.entries if not _leads(registry, each.target)]
    return replace(registry, diagnostics=(*diagnostics, *file.diagnostics, *lost))


def _aliases(root: Path) -> aliases.Aliases:
    path = root / ".codex" / "aliases.yaml"
    try:
        return aliases.parse(path, _bytes(str(path), os.path.realpath(root)))
    except FileNotFoundError:
        return aliases.Aliases(path)
    except OSError as fault:
        found = remark(str(path), f"cannot be read: {fault.strerror}")
        return aliases.Aliases(path, diagnostics=(found,))


def _leads(registry: Registry, target: str) -> bool:
    served = [entry for entry in registry.entries if entry.shadowed_by is None]
    return (_by_name(served, target) or _by_stem(served, target)) is not None


def _files(place: Place) -> Iterator[str]:
    if place.bounds is not None and not _within(place.folder, place.bounds):
        raise OSError(0, "it is a link out of the workspace")
    try:
        found = os.scandir(place.folder)
    except FileNotFoundError:
        return
    with found:
        for each in found:
            # A leading dot marks what editors keep beside a file while it is open.
            if each.name.endswith(place.suffixes) and not each.name.startswith("."):
                yield each.path


def _within(path: str, bounds: str) -> bool:
    real = os.path.realpath(path)
    return real == bounds or real.startswith(bounds.rstrip("/") + "/")


def _still_served(entry: AgentEntry, before: AgentEntry | None) -> AgentEntry:
    """`entry`; where it has broken since, with its last version without errors."""
    if entry.definition is not None or before is None or before.definition is None:
        return entry
    path = str(entry.path)
    kept = remark(path, "the last version without errors stays in service", code="stale")
    kept = replace(kept, severity=Severity.INFORMATION)
    return replace(
        entry,
        definition=before.definition,
        diagnostics=(*entry.diagnostics, kept),
        stale=True,
    )


def _stamp(path: str) -> Stamp | None:
    try:
        now = os.stat(path)  # noqa: PTH116 - a thousand files: no Path for each
    except OSError:
        return None
    return now.st_mtime_ns, now.st_size, now.st_ino


def _shadow(entries: Sequence[AgentEntry]) -> list[AgentEntry]:
    first: dict[str, AgentEntry] = {}
    shown: list[AgentEntry] = []
    for each in entries:
        winner = first.setdefault(each.slug, each)
        shadowed_by = None if winner is each else winner.path
        if each.shadowed_by == shadowed_by:
            shown.append(each)
            continue
        # It may come from the cache, where another file or none shadowed it.
        own = tuple(one for one in each.diagnostics if one.code != "shadowed")
        if shadowed_by is not None:
            own = (*own, _shadowed(each, shadowed_by))
        shown.append(replace(each, shadowed_by=shadowed_by, diagnostics=own))
    return shown


def _shadowed(entry: AgentEntry, by: Path) -> Diagnostic:
    source = entry.definition.source if entry.definition else None
    line, column = (source.line, source.column) if source else (1, 1)
    return Diagnostic(
        path=entry.path,
        line=line,
        column=column,
        end_line=line,
        end_column=column,
        severity=Severity.INFORMATION,
        message=f"`{entry.slug}` is shadowed by {by}",
        key="name",
        code="shadowed",
    )


# --- one file --------------------------------------------------------------------------------


def read_entry(
    path: str,
    origin: str,
    profile: str = READ_ONLY,
    *,
    ceilings: Policy = (),
    stamp: Stamp | None = None,
    bounds: str | None = None,
) -> AgentEntry:
    """The agent in the file at `path`; what keeps it from being read is a diagnostic."""
    try:
        data = _bytes(path, bounds)
    except OSError as fault:
        found = remark(path, f"cannot be read: {fault.strerror}")
        return AgentEntry(Path(path), origin, None, (found,), stamp=stamp)
    file = Path(path)
    definition, diagnostics = dialects.read(file, data, origin, profile=profile, ceilings=ceilings)
    return AgentEntry(file, origin, definition, diagnostics, stamp=stamp)


def _bytes(path: str, bounds: str | None) -> bytes:
    if bounds is not None and not _within(path, bounds):
        raise OSError(0, "it is a link out of the workspace")
    # Not to block: a repository may hold a named pipe where a file is expected.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no regular file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(0, "it is larger than 1 MiB")
    return data


def remark(path: str, message: str, *, code: str = "unreadable") -> Diagnostic:
    """An error about a whole file or folder."""
    return Diagnostic(Path(path), 1, 1, 1, 1, Severity.ERROR, message, code=code)
