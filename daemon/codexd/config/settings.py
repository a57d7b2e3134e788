"""Our configuration (`codexd.toml`) over Codex's (`config.toml`), each with its file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from codexd.config.inputs import Author, Input, codex_home, command_line, dotted, files
from codexd.config.keys import check, nearest
from codexd.config.known import KNOWN
from codexd.config.positions import KeyPath
from codexd.config.provider import ModelChoice, Provider, WireApi
from codexd.config.workspace import Folders, Workspace, find_workspace, folders, home_of
from codexd.errors import BadConfig, Diagnostic, Severity, Source

__all__ = ["Config", "ModelChoice", "Provider", "WireApi", "load"]


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force in one workspace for one caller."""

    workspace: Workspace
    folders: Folders
    model: ModelChoice
    light_model: ModelChoice | None
    providers: Mapping[str, Provider]
    """Known and configured ones, by id."""
    default_budget: int = 40_000
    max_threads: int = 64
    max_depth: int = 3
    may_raise_budget: bool = False
    """Whether `--budget` may pass what a definition says (user's configuration only)."""
    sandbox: str | None = None
    """`none` where the user's own configuration says so."""
    model_context_window: int | None = None
    web_search: Mapping[str, Any] | None = None
    """`{"kind": "brave" | "searxng", "url": …, "env_key": …}`."""
    default_profile: str = "read-only"
    journal_keep_days: int = 90
    """How long the conversations of ended runs are kept; their facts stay."""
    journal_keep_mb: int = 1_000
    """How much of such conversations is kept."""
    journal_hold_seconds: int = 60
    """How long runs wait for a journal that does not take what happened."""
    daemon_idle_seconds: int = 600
    """How long the daemon stays without a client and a run; 0: until it is stopped."""
    user_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The `[policy]` table of the user's file: the user's ceiling, unparsed."""
    workspace_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """Where each dotted key that is in force stands (`model`), and all of `user_policy`
    (`policy.net.0`)."""
    workspace_policy_sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """The same of `workspace_policy`, whose keys are called alike."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What was wrong, unknown, or shown and not used (a workspace file's `model`)."""
    files: tuple[Path, ...] = ()
    """The files that were read, strongest first."""


def load(
    folder: Path,
    *,
    env: Mapping[str, str],
    model: str | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Config:
    """The configuration in force for `folder`.

    `model` is `-m`: `PROVIDER/MODEL`, `replay/FILE` (an audit export), or `offline`; `overrides`
    are `-c key=value` pairs, values read as TOML, else as text. Raises `BadConfig` for a file that
    does not parse and for a flag that cannot be used; everything else that is wrong is in
    `diagnostics`.
    """
    workspace = find_workspace(folder, home=home_of(env))
    inputs = (command_line(overrides or {}), *files(workspace.root, env))
    remarks = list(_of_codex_home(env))
    said: _Said = {}
    policies: dict[Author, Input] = {}
    for given in inputs:
        values, new = check(given)
        remarks += new
        if values.pop(("policy",), None) is not None:
            policies[given.author] = given
        for path, value in values.items():
            said.setdefault(path, _Stated(value, given))
    providers = _providers(said, remarks)
    configured = _configured_model(said, providers, remarks)
    choice = _flagged_model(model, providers, inputs) if model is not None else configured
    user, theirs = policies.get(Author.USER), policies.get(Author.WORKSPACE)
    return Config(
        workspace=workspace,
        folders=folders(workspace, env),
        model=choice,
        light_model=_light_model(said, providers, choice, is_flagged=model is not None),
        providers=providers,
        web_search=_web_search(said, remarks),
        user_policy=user.table["policy"] if user else {},
        workspace_policy=theirs.table["policy"] if theirs else {},
        sources={dotted(path): stated.source(path) for path, stated in said.items()}
        | _policy_sources(user),
        workspace_policy_sources=_policy_sources(theirs),
        diagnostics=tuple(remarks),
        files=tuple(given.path for given in inputs if given.path),
        **{field: said[path].value for path, field in _PLAIN.items() if path in said},
    )


_PLAIN: dict[KeyPath, str] = {
    ("default_budget",): "default_budget",
    ("may_raise_budget",): "may_raise_budget",
    ("sandbox",): "sandbox",
    ("default_profile",): "default_profile",
    ("model_context_window",): "model_context_window",
    ("agents", "max_threads"): "max_threads",
    ("agents", "max_depth"): "max_depth",
    ("journal", "keep_days"): "journal_keep_days",
    ("journal", "keep_mb"): "journal_keep_mb",
    ("journal", "hold_seconds"): "journal_hold_seconds",
    ("daemon", "idle_seconds"): "daemon_idle_seconds",
}


@dataclass(frozen=True, slots=True)
class _Stated:
    """A value in force, and who says it."""

    value: Any
    given: Input

    def source(self, path: KeyPath) -> Source:
        return self.given.source(path)


_Said: TypeAlias = dict[KeyPath, _Stated]


def _providers(said: _Said, remarks: list[Diagnostic]) -> dict[str, Provider]:
    """The known providers and the configured ones, key by key."""
    ids = dict.fromkeys(str(path[1]) for path in said if path[0] == "model_providers")
    providers = dict(KNOWN)
    for id in ids:
        stated = {
            str(path[2]): each for path, each in said.items() if path[:2] == ("model_providers", id)
        }
        given = next(iter(stated.values())).given
        # An unknown provider has Codex's own default for `wire_api`.
        known = KNOWN.get(id) or Provider(id, id, base_url="", wire_api="responses")
        provider = replace(
            known,
            **{name: each.value for name, each in stated.items()},
            source=given.source(("model_providers", id)),
        )
        if provider.base_url:
            providers[id] = provider
            continue
        message = f"provider `{id}` needs a base_url; it is not used"
        remarks.append(
            given.remark(("model_providers", id), Severity.ERROR, message, code="missing-key")
        )
    return providers


def _configured_model(
    said: _Said, providers: Mapping[str, Provider], remarks: list[Diagnostic]
) -> ModelChoice:
    """What the user's configuration chooses; `offline` where it names no model, or none that can
    be used.
    """
    stated = said.get(("model",))
    if stated is None:
        return ModelChoice(None, "offline", Source("<built in>"))
    source = stated.source(("model",))
    if stated.value == "offline":
        return ModelChoice(None, "offline", source)
    provider, id = _split(stated.value, said, providers)
    if provider in providers:
        return ModelChoice(providers[provider], id, source)
    by = said[("model_provider",)]
    remarks.append(
        by.given.remark(
            ("model_provider",),
            Severity.ERROR,
            f"no provider `{provider}`, so `{id}` is not used: the model is offline",
            code="unknown-provider",
            nearest=nearest(provider, providers),
        )
    )
    return ModelChoice(None, "offline", Source("<built in>"))


def _split(text: str, said: _Said, providers: Mapping[str, Provider]) -> tuple[str, str]:
    """(provider, model id) of a configured `model` or `light_model`.

    Where `model_provider` is stated the whole text is one of its ids, slashes and all.
    """
    if by := said.get(("model_provider",)):
        return by.value, text
    head, _, rest = text.partition("/")
    # Codex's own default, so that its files mean here what they mean there.
    return (head, rest) if head in providers and rest else ("openai", text)


def _flagged_model(
    flag: str, providers: Mapping[str, Provider], inputs: tuple[Input, ...]
) -> ModelChoice:
    """What `-m` chooses. Raises `BadConfig`."""
    source = Source("<command line>")
    if flag == "offline":
        return ModelChoice(None, "offline", source)
    provider, _, id = flag.partition("/")
    if provider == "replay" and id and provider not in providers:
        return ModelChoice(None, flag, source)
    if not provider or not id:
        near = nearest(flag, ["offline"])
        raise BadConfig(
            f"-m {flag}: expected PROVIDER/MODEL, replay/FILE, or offline",
            help=f"the nearest is `{near}`" if near else f"providers: {', '.join(providers)}",
        )
    if provider in providers:
        return ModelChoice(providers[provider], id, source)
    for given in inputs:
        if given.path and provider in given.table.get("model_providers", ()):
            raise BadConfig(
                f"-m {flag}: `{provider}` stands in {given.path}, and does not count there",
                help="a provider counts in ~/.codex/codexd.toml",
            )
    near = nearest(provider, providers)
    others = (
        f"there are {', '.join(providers)}; `[model_providers.{provider}]` in "
        "~/.codex/codexd.toml adds it"
    )
    raise BadConfig(
        f"-m {flag}: no provider `{provider}`",
        help=f"`{near}` is the nearest; {others}" if near else others,
    )


def _light_model(
    said: _Said, providers: Mapping[str, Provider], choice: ModelChoice, *, is_flagged: bool
) -> ModelChoice | None:
    """The configured `light_model`, unless it would send to someone whom `choice` left out."""
    stated = said.get(("light_model",))
    if stated is None or choice.provider is None or stated.value == "offline":
        return None
    provider, id = _split(stated.value, said, providers)
    if provider not in providers or (is_flagged and provider != choice.provider.id):
        return None
    return ModelChoice(providers[provider], id, stated.source(("light_model",)))


def _web_search(said: _Said, remarks: list[Diagnostic]) -> dict[str, Any] | None:
    stated = {str(path[1]): each for path, each in said.items() if path[0] == "web_search"}
    found = {name: each.value for name, each in stated.items()}
    missing = "url" if found.get("kind") == "searxng" else "env_key"
    missing = missing if "kind" in found else "kind"
    if found and missing not in found:
        remarks.append(
            next(iter(stated.values())).given.remark(
                ("web_search",),
                Severity.ERROR,
                f"web_search needs {missing}; it is not used",
                code="missing-key",
            )
        )
        return None
    return found or None


def _policy_sources(given: Input | None) -> dict[str, Source]:
    if given is None:
        return {}
    return {dotted(path): given.source(path) for path in given.spans if path[0] == "policy"}


def _of_codex_home(env: Mapping[str, str]) -> Iterator[Diagnostic]:
    place = codex_home(env)
    if env.get("CODEX_HOME") and not place.is_dir():
        message = "CODEX_HOME names no folder, so Codex's configuration is not read"
        yield Diagnostic(place, 1, 1, 1, 1, Severity.WARNING, message, code="missing")
