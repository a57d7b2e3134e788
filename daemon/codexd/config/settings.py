"""Our configuration (`codexd.toml`) over Codex's (`config.toml`), each with its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from codexd.config.workspace import Folders, Workspace
from codexd.errors import Diagnostic, Source

WireApi = Literal["responses", "chat", "messages"]


@dataclass(frozen=True, slots=True)
class Provider:
    """Who answers models, and how to speak to it. Known ones carry no model id."""

    id: str
    name: str
    base_url: str
    wire_api: WireApi
    env_key: str | None = None
    """The environment variable that holds the key; the only place a key is read from."""
    http_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query_params: Mapping[str, str] = field(default_factory=dict[str, str])
    request_max_retries: int = 4
    stream_idle_timeout_ms: int = 300_000
    source: Source = field(default_factory=lambda: Source("<built in>"))


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model in force: `offline`, or a provider's."""

    provider: Provider | None
    """`None`: offline."""
    id: str
    """The provider's model id; `offline`."""
    source: Source

    @property
    def name(self) -> str:
        """`PROVIDER/MODEL`, or `offline`."""
        return f"{self.provider.id}/{self.id}" if self.provider else "offline"


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
    user_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The `[policy]` table of the user's file: the user's ceiling, unparsed."""
    workspace_policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    """Where each dotted key that was read stands (`policy.net.0`, `model`)."""
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

    `model` is `-m`: `PROVIDER/MODEL`, or `offline`; `overrides` are `-c key=value` pairs, values
    read as TOML, else as text. Raises `BadConfig` for a file that does not parse and for a flag
    that cannot be used; everything else that is wrong is in `diagnostics`.
    """
    raise NotImplementedError
