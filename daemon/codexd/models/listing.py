"""What a provider offers, as it says itself."""

from __future__ import annotations

import json
from typing import Any, cast

import anyio

from codexd.errors import CutStream, ModelFault
from codexd.models.http import Service
from codexd.models.interface import ModelEntry
from codexd.models.wire import tokens

WINDOW_SECONDS = 2.0


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


async def loaded_window(service: Service, model_id: str) -> int | None:
    """The window with which a local Ollama has loaded a model; `None` from any other server.

    It has a size of its own, often 4,096, and cuts what is longer without a word.
    """
    with anyio.move_on_after(WINDOW_SECONDS):
        try:
            answer = await service.fetch("GET", "/api/ps", at_root=True)
            for loaded in json.loads(answer)["models"]:
                if loaded["name"] in {model_id, f"{model_id}:latest"}:
                    return tokens(loaded["context_length"]) or None
        except (ModelFault, KeyError, TypeError, AttributeError, ValueError, RecursionError):
            return None
    return None
