"""Who answers models, and which model was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from codexd.errors import Source

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
    stream_max_retries: int = 2
    """How often a run asks again, each time as a new act, where an answer broke in the middle."""
    stream_idle_timeout_ms: int = 300_000
    source: Source = field(default_factory=lambda: Source("<built in>"))


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model in force: `offline`, a replay, or a provider's."""

    provider: Provider | None
    """`None`: nobody is asked; `id` is then `offline` or `replay/PATH`."""
    id: str
    """The provider's model id; `offline`; `replay/PATH`."""
    source: Source

    @property
    def name(self) -> str:
        """`PROVIDER/MODEL`, `offline`, or `replay/PATH`."""
        return f"{self.provider.id}/{self.id}" if self.provider else self.id

    @property
    def is_offline(self) -> bool:
        """Whether rules answer."""
        return self.provider is None and self.id == "offline"

    @property
    def replays(self) -> str | None:
        """The path of the recording that is played back; `None` where none is."""
        head, _, path = self.id.partition("/")
        return path if self.provider is None and head == "replay" else None
