"""The keys that configure, what each expects, and whose word counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from codexd.config.inputs import Author, Input
from codexd.config.positions import KeyPath
from codexd.errors import BadConfig, Diagnostic, Severity


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value must be."""

    expected: str
    fits: Callable[[Any], bool]


def _whole(least: int) -> Kind:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return Kind(f"a whole number, {least} or more", fits)


def _one_of(*names: str) -> Kind:
    listed = " or ".join(f'"{name}"' for name in names)
    return Kind(listed, lambda value: value in names)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(text, str) for text in cast("dict[str, Any]", value).values())


TEXT = Kind("a text", _is_text)
TEXTS = Kind("a table of texts", _are_texts)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TABLE = Kind("a table", lambda value: isinstance(value, dict))
URL = Kind(
    "a URL, http:// or https://",
    lambda value: _is_text(value) and value.startswith(("http://", "https://")),
)

KEYS: dict[tuple[str, ...], Kind] = {
    ("model",): TEXT,
    ("model_provider",): TEXT,
    ("model_providers", "*", "name"): TEXT,
    ("model_providers", "*", "base_url"): URL,
    ("model_providers", "*", "env_key"): TEXT,
    ("model_providers", "*", "wire_api"): _one_of("responses", "chat", "messages"),
    ("model_providers", "*", "http_headers"): TEXTS,
    ("model_providers", "*", "query_params"): TEXTS,
    ("model_providers", "*", "request_max_retries"): _whole(0),
    ("model_providers", "*", "stream_max_retries"): _whole(0),
    ("model_providers", "*", "stream_idle_timeout_ms"): _whole(1),
    ("model_context_window",): _whole(1),
    ("light_model",): TEXT,
    ("default_budget",): _whole(0),
    ("may_raise_budget",): FLAG,
    ("sandbox",): _one_of("none"),
    ("default_profile",): _one_of("read-only", "workspace-write"),
    ("agents", "max_threads"): _whole(1),
    ("agents", "max_depth"): _whole(0),
    ("web_search", "kind"): _one_of("brave", "searxng"),
    ("web_search", "url"): URL,
    ("web_search", "env_key"): TEXT,
    ("journal", "keep_days"): _whole(1),
    ("journal", "keep_mb"): _whole(1),
    ("journal", "hold_seconds"): _whole(0),
    ("daemon", "idle_seconds"): _whole(0),
    ("policy",): TABLE,
    ("mcp_servers",): TABLE,
}
"""Every key of `codexd.toml`; `*` is a provider's id."""

_TABLES = {path[:n] for path in KEYS for n in range(1, len(path))}

_CODEX_READS = {"model", "model_provider", "model_providers", "model_context_window", "agents"}

_WHO_ANSWERS = "a repository does not choose who reads, and who is paid"
_WIDENS = "a repository does not widen what is allowed"

_NOT_THE_WORKSPACES = {
    "model": (Severity.INFORMATION, _WHO_ANSWERS),
    "model_provider": (Severity.INFORMATION, _WHO_ANSWERS),
    "model_providers": (Severity.INFORMATION, _WHO_ANSWERS),
    "light_model": (Severity.INFORMATION, _WHO_ANSWERS),
    "web_search": (Severity.WARNING, "a repository does not choose where a key is sent"),
    "sandbox": (Severity.WARNING, _WIDENS),
    "may_raise_budget": (Severity.WARNING, _WIDENS),
    "default_profile": (Severity.WARNING, _WIDENS),
    "journal": (Severity.WARNING, "a repository does not decide what is kept of its runs"),
    "daemon": (Severity.WARNING, "a repository does not decide how long your processes stay"),
}

# A command line is pasted more easily than a file is edited.
_FILE_ONLY = {"sandbox", "may_raise_budget", "policy"}

_NO_EFFECT: dict[tuple[str, ...], str] = {
    ("mcp_servers",): "MCP servers are not started by this version",
}


def check(given: Input) -> tuple[dict[KeyPath, Any], list[Diagnostic]]:
    """The values of `given` that count, by path; and what is to be said of the others.

    Raises `BadConfig` where the command line says what does not count, and where a ceiling is none.
    """
    values: dict[KeyPath, Any] = {}
    remarks: list[Diagnostic] = []
    for name in given.table:
        if given.is_codex and name not in _CODEX_READS:
            continue
        if given.author is Author.WORKSPACE and name in _NOT_THE_WORKSPACES:
            severity, why = _NOT_THE_WORKSPACES[name]
            message = f"shown, not used: {why}; it counts in ~/.codex/codexd.toml"
            remarks.append(given.remark((name,), severity, message, code="not-used"))
        elif given.author is Author.COMMAND_LINE and name in _FILE_ONLY:
            message = "counts only where it stands in ~/.codex/codexd.toml"
            remarks.append(given.remark((name,), Severity.ERROR, message, code="not-used"))
        else:
            _check(given, (name,), given.table[name], values, remarks)
    return values, remarks


def _check(
    given: Input,
    path: tuple[str, ...],
    value: Any,
    values: dict[KeyPath, Any],
    remarks: list[Diagnostic],
) -> None:
    pattern = (path[0], "*", *path[2:]) if path[0] == "model_providers" and path[1:] else path
    kind = KEYS.get(pattern) or (TABLE if pattern in _TABLES else None)
    if kind is None:
        if not given.is_codex:
            remarks.append(_unknown(given, path, pattern))
    elif not kind.fits(value):
        message = f"expected {kind.expected}, found {_shown(value)}"
        if path == ("policy",):
            # A ceiling that cannot be read holds nothing back, so nothing begins below it.
            raise BadConfig(
                f"{given.source(path)}: policy: {message}",
                help="write it as a table, `[policy]`, or leave it out",
            )
        remarks.append(given.remark(path, Severity.ERROR, message, code="wrong-type"))
    elif pattern in _TABLES:
        for name, inner in value.items():
            _check(given, (*path, name), inner, values, remarks)
    elif pattern not in _NO_EFFECT:
        values[path] = value
    elif not given.is_codex:
        message = _NO_EFFECT[pattern]
        remarks.append(given.remark(path, Severity.WARNING, message, code="not-used"))


def _unknown(given: Input, path: tuple[str, ...], pattern: tuple[str, ...]) -> Diagnostic:
    siblings = {key[len(path) - 1] for key in KEYS if key[: len(path) - 1] == pattern[:-1]}
    near = nearest(path[-1], siblings)
    if not near and len(path) == 1:
        # Of a table it is easily said as if it stood alone.
        near = next((".".join(key) for key in KEYS if key[-1] == path[0]), "")
    message = f"unknown key `{path[-1]}`"
    if given.path is None and not near:
        message += f"; there are {', '.join(sorted(siblings))}"
    return given.remark(path, Severity.WARNING, message, code="unknown-key", nearest=near)


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of `known` that `name` was probably meant to be; empty where none is near."""
    # Loaded for mistakes alone.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0.6)), "")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        # A long one may be a secret in the wrong place.
        return f'"{value}"' if len(value) <= 20 else "a text"
    return str(value)
