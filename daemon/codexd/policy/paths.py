"""Which paths an agent may read and write. Pure: names in, decisions out, nothing is opened.

Paths are relative to the workspace folder, with forward slashes. A grant without wildcards is a
root (`./artifacts` covers everything below it); one with wildcards matches whole paths, `**`
any number of folders. Names are compared part by part, never as string prefixes.

Some names are protected whatever a root covers: only a grant that spells the name itself
opens them, and not one that a repository alone wrote. They are compared as the least careful
filesystem would: without case, without code points that show nothing, without the trailing dots
and blanks that Windows drops.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from codexd.errors import Denied
from codexd.policy.layers import (
    NAME_IT,
    Decision,
    Field,
    Grant,
    Policy,
    Verdict,
    decide,
    opened,
)


def may_read(policy: Policy, path: str) -> Decision:
    """Whether the file at `path` may be read. Where no layer says anything: in the workspace."""
    return _may(policy, "read", path)


def may_write(policy: Policy, path: str) -> Decision:
    """Whether the file at `path` may be made, replaced or removed."""
    return _may(policy, "write", path)


def may_enter(policy: Policy, folder: str) -> bool:
    """Whether `folder` is readable or something that may be read can stand below it."""
    guarded = protected(folder, writing=False)
    for layer in policy:
        if layer.read is not None and not any(
            _leads(grant, folder) and _names(grant, folder, guarded) for grant in layer.read
        ):
            return False
    return not guarded or opened(policy, "read")


def readable(policy: Policy, path: str) -> bool:
    """`bool(may_read(policy, path))` for a normal path, without the sentence: for sweeps."""
    guarded = protected(path, writing=False)
    for layer in policy:
        if layer.read is not None and not any(
            _covers(grant, path) and _names(grant, path, guarded) for grant in layer.read
        ):
            return False
    return not guarded or opened(policy, "read")


def normal(path: str) -> str:
    """`path` without `./`, doubled and trailing slashes; `.` for the workspace folder itself.

    Raises `Denied` for what is no path inside the workspace: absolute, `..`, a drive, a
    backslash, a control character.
    """
    if not path:
        raise Denied("an empty path", help="`.` is the workspace folder")
    if bad := re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", path):
        raise Denied(f"a path with the character {bad[0]!r} in it: {path!r}")
    if "\\" in path or re.match(r"[A-Za-z]:", path):
        raise Denied(f"`{path}` is no workspace path", help="use forward slashes and no drive")
    if path.startswith(("/", "~")):
        raise Denied(
            f"`{path}` is outside the workspace", help="give the path from the workspace folder"
        )
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Denied(
            f"`..` is not followed: `{path}`", help="give the path from the workspace folder"
        )
    return "/".join(parts) or "."


def covers(value: str, path: str) -> bool:
    """Whether the grant written as `value` covers the normal `path`."""
    pattern = parse(value)
    return pattern is not None and pattern.covers(_parts(path))


def subsumes(wide: str, narrow: str) -> bool:
    """Whether all that the grant `narrow` covers is surely covered by the grant `wide`."""
    outer, inner = parse(wide), parse(narrow)
    if outer is None or inner is None:
        return False
    if outer.parts == inner.parts or outer.parts == ("**",):
        return True
    steady = inner.parts[: inner.n_literal]
    if outer.is_root:
        return outer.covers(steady)
    # `src/**` holds whatever lies below `src`, however it is spelled.
    n = len(outer.parts) - 1
    below = outer.parts[-1] == "**" and outer.n_literal == n
    return below and steady[:n] == outer.parts[:n] and len(inner.parts) > n


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path grant, taken apart."""

    parts: tuple[str, ...]
    n_literal: int
    """How many leading parts have no wildcard."""

    @property
    def is_root(self) -> bool:
        """Whether it has no wildcard, and so covers everything below."""
        return self.n_literal == len(self.parts)

    def covers(self, path: tuple[str, ...]) -> bool:
        """Whether the whole of `path` matches, or lies below a root."""
        if self.is_root:
            return path[: self.n_literal] == self.parts
        return len(self.parts) in self._after(path)

    def leads(self, folder: tuple[str, ...]) -> bool:
        """Whether `folder` is covered, or something below it can be."""
        if self.is_root:
            n = min(len(folder), self.n_literal)
            return folder[:n] == self.parts[:n]
        return bool(self._after(folder))

    def _after(self, path: tuple[str, ...]) -> set[int]:
        # A set of places in the pattern, moved on by each part: linear in both, so that no
        # pattern, however many `**` it has, is slow.
        places = self._skip({0})
        for part in path:
            places = self._skip(
                {
                    place if self.parts[place] == "**" else place + 1
                    for place in places
                    if place < len(self.parts) and _part_matches(self.parts[place], part)
                }
                | {
                    place + 1
                    for place in places
                    if place == len(self.parts) - 1 and self.parts[place] == "**"
                }
            )
            if not places:
                break
        return places

    def _skip(self, places: set[int]) -> set[int]:
        # A `**` in the middle may stand for no folder; at the end it stands for at least one part.
        for place in sorted(places):
            while place < len(self.parts) - 1 and self.parts[place] == "**":
                place += 1
                places.add(place)
        return places


@lru_cache(maxsize=2048)
def parse(value: str) -> Pattern | None:
    """The grant written as `value`; `None` where it is no path inside the workspace."""
    try:
        path = normal(value)
    except Denied:
        return None
    parts = () if path == "." else tuple(path.split("/"))
    n_literal = next((n for n, part in enumerate(parts) if _is_wild(part)), len(parts))
    return Pattern(parts, n_literal)


def _is_wild(part: str) -> bool:
    return any(char in part for char in "*?[")


def _part_matches(wanted: str, part: str) -> bool:
    # A name that is spelled with brackets (`[id].tsx`) matches itself as well.
    return wanted == "**" or wanted == part or bool(_part_regex(wanted).match(part))


@lru_cache(maxsize=2048)
def _part_regex(wanted: str) -> re.Pattern[str]:
    # Two `*` inside a part are one: `a**b`.
    return re.compile(translate(re.sub(r"\*+", "*", wanted)))


def _may(policy: Policy, field: Field, path: str) -> Decision:
    try:
        path = normal(path)
    except Denied as refused:
        return Decision(Verdict.DENY, str(refused), "paths")
    guarded = protected(path, writing=field == "write")
    shown = "/".join(_parts(path)[:guarded])
    decision = decide(
        policy,
        field,
        f"to {field} `{path}`",
        lambda grant: _covers(grant, path) and _names(grant, path, guarded),
        add="./**" if path == "." else f"./{shown or path}",
        unsaid=Verdict.ALLOW if field == "read" and not guarded else Verdict.DENY,
        note=f"`{shown}` is protected unless a grant names it in full" if guarded else "",
    )
    if decision and guarded and not opened(policy, field):
        why = f"to {field} `{path}` is not granted: `{shown}` is protected, and {NAME_IT}"
        return Decision(Verdict.DENY, why, decision.layer)
    return decision


def _covers(grant: Grant, path: str) -> bool:
    return covers(grant.value, path)


def _leads(grant: Grant, folder: str) -> bool:
    pattern = parse(grant.value)
    return pattern is not None and pattern.leads(_parts(folder))


def _names(grant: Grant, path: str, guarded: int) -> bool:
    """Whether `grant` spells the protected leading parts of `path` without a wildcard."""
    if not guarded:
        return True
    pattern = parse(grant.value)
    return pattern is not None and (
        pattern.n_literal >= guarded and pattern.parts[:guarded] == _parts(path)[:guarded]
    )


def _parts(path: str) -> tuple[str, ...]:
    return () if path == "." else tuple(path.split("/"))


# --- protected names ------------------------------------------------------------------------

_SECRET = re.compile(
    r"""
      \.env.* | \.npmrc | \.netrc | _netrc | \.pypirc | \.pgpass | \.my\.cnf | \.htpasswd
    | \.git-credentials | \.git | git~\d+ | \.ssh | \.gnupg | \.aws | \.azure | \.kube
    | \.dockercfg | \.dockerconfigjson | \.vault-token | \.terraformrc | \.boto | \.s3cfg
    | (?:id|ssh_host)_(?:rsa|dsa|ecdsa|ed25519)(?:_sk|_key)?(?:[._-].*)?
    | .*\.(?:pem|key|p12|pfx|p8|ppk|jks|keystore|kdbx|pkcs12|asc\.key|tfstate|ovpn)
    | credentials\.(?:json|toml|ya?ml|ini|xml|db) | client_secrets?(?:_.*)?\.json
    | service[-_]?account(?:[-_.].*)?\.json | application_default_credentials\.json
    | secrets?\.(?:json|toml|ya?ml|ini)
    """,
    re.VERBOSE,
)
"""Names, folded, that hold keys or lead to them: closed to reading and to writing."""

_STEERING = re.compile(
    r"\.(?:codex|claude|cursor|vscode|idea|devcontainer|husky|mcp\.json|pnpmfile\.cjs"
    r"|pre-commit-config\.yaml)"
    r"|(?:agents|claude)\.md"
)
"""Names, folded, that steer tools or agents: closed to writing."""

_STEERING_PAIRS = re.compile(
    r"\.github/(?:workflows|actions|agents|instructions|prompts|copilot-instructions\.md)"
    r"|\.cargo/config.*"
)

_SHOWS_NOTHING = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point: HFS+ drops some of them from names."""


def protected(path: str, *, writing: bool) -> int:
    """How many leading parts of the normal `path` make up its last protected name; 0: none."""
    found, above = 0, ""
    for n, part in enumerate(_parts(path), 1):
        folded, secret, steering = _kind(part)
        pair = writing and _STEERING_PAIRS.fullmatch(f"{above}/{folded}")
        if secret or (writing and steering) or pair:
            found = n
        above = folded
    return found


def names_protected(value: str, *, writing: bool) -> bool:
    """Whether the grant written as `value` spells a protected name without a wildcard."""
    pattern = parse(value)
    if pattern is None:
        return False
    return protected("/".join(pattern.parts[: pattern.n_literal]) or ".", writing=writing) > 0


@lru_cache(maxsize=8192)
def _kind(part: str) -> tuple[str, bool, bool]:
    """The name folded, whether it holds keys, whether it steers."""
    folded = fold(part)
    return folded, bool(_SECRET.fullmatch(folded)), bool(_STEERING.fullmatch(folded))


def fold(name: str) -> str:
    """One name as the least careful filesystem compares it."""
    if not name.isascii():
        name = _SHOWS_NOTHING.sub("", unicodedata.normalize("NFKC", name))
        # Folding may make new ones to normalise, and the other way round.
        name = unicodedata.normalize("NFKC", name.casefold())
    # NTFS opens `.env::$DATA` and `.env. ` as `.env`.
    return name.casefold().split(":", 1)[0].rstrip(". ") or name
