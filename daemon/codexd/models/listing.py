"""What a provider offers, as it says itself."""

from __future__ import annotations

import json
from typing import Any, cast

from codexd.errors import CutStream
from codexd.models.http import Service
from codexd.models.interface import ModelEntry


async def listed(service: Service) -> list[ModelEntry]:
    """What the provider of `service` offers, in its own order. Raises `ModelFault`."""
    provider = service.provider
    query = "?limit=1000" if provider.wire_api == "messages" else ""
    answer = await service.fetch("GET", f"/models{query}")
    try:
        said: Any = json.loads(answer)
        # Together gives the list alone; an Ollama that holds no model gives `null`.
        entries = cast("list[dict[str, Any]]", said if isinstance(said, list) else said["data"])
        return [
            ModelEntry(provider.id, entry["id"], {k: v for k, v in entry.items() if k != "id"})
            for entry in entries or ()
        ]
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise CutStream(
            f"{provider.name} sent no list of models: {error!r}",
            help=f"is base_url right? {provider.base_url}",
        ) from error
