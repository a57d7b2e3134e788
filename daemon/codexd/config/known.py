"""The providers that are known without configuration. None of them names a model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from codexd.config.provider import Provider

KNOWN: Mapping[str, Provider] = MappingProxyType(
    {
        provider.id: provider
        for provider in (
            Provider(
                id="openai",
                name="OpenAI",
                base_url="https://api.openai.com/v1",
                wire_api="responses",
                env_key="OPENAI_API_KEY",
            ),
            Provider(
                id="anthropic",
                name="Anthropic",
                base_url="https://api.anthropic.com/v1",
                wire_api="messages",
                env_key="ANTHROPIC_API_KEY",
            ),
            Provider(
                id="ollama",
                name="Ollama",
                base_url="http://localhost:11434/v1",
                wire_api="chat",
            ),
        )
    }
)
"""By id; `[model_providers.ID]` adds to them or replaces one."""
