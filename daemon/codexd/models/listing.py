"""What a provider offers, as it says itself."""

from __future__ import annotations

import json
from typing import Any, cast

import anyio

from codexd.errors import CutStream, ModelFault
from codexd.models.http import Service
from codexd.models.interface import ModelEntry
from codexd.models.wire import tokens

LOAD_SECONDS = 120.0


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
    """The window of a model in a local Ollama, which is had to load it; `None` from any other
    server.

    It has a size of its own, often 4,096, and what is longer is cut to it without a word.
    """
    # Without a prompt it only loads: nothing is answered, no token is counted. What passes itself
    # off as an Ollama may answer all the same.
    cap = {"num_predict": 1}
    load = json.dumps({"model": model_id, "stream": False, "options": cap}).encode()
    with anyio.move_on_after(LOAD_SECONDS):
        try:
            await service.fetch("POST", "/api/generate", load, at_root=True)
            answer = await service.fetch("GET", "/api/ps", at_root=True)
            for loaded in json.loads(answer)["models"]:
                if loaded["name"] in {model_id, f"{model_id}:latest"}:
                    return tokens(loaded["context_length"]) or None
        except (ModelFault, KeyError, TypeError, AttributeError, ValueError, RecursionError):
            return None
    return None
