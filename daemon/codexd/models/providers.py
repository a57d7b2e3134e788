"""Models of configured providers: opened, listed, and noticed where they could be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from codexd.config import ModelChoice, Provider
from codexd.config.known import KNOWN
from codexd.errors import AuthFailed
from codexd.models.interface import Model, ModelEntry

# What speaks HTTP takes a third of a second to import: only hosted models pay for it.
if TYPE_CHECKING:
    from codexd.models.http import Client, Service
    from codexd.models.wire import Wire

NOTICE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A provider that could be used here, and is not by itself."""

    provider: Provider
    found: str
    """What speaks for it: `OPENAI_API_KEY is set`, or `localhost:11434 answers`."""


def open_client() -> Client:
    """The HTTP client that the models of one process share; a context manager."""
    from codexd.models.http import Client

    return Client()


def open_model(
    choice: ModelChoice, *, env: Mapping[str, str], client: Client, window: int | None = None
) -> Model:
    """The hosted model of `choice`. `window` is what the configuration says of its size.

    Raises `AuthFailed` where the provider's key is not in `env`, `ValueError` for offline.
    """
    from codexd.models.hosted import HostedModel

    provider = choice.provider
    if provider is None:
        raise ValueError("offline is not a hosted model")
    service = _service(provider, env, client)
    return HostedModel(
        service, _wire(provider), choice.id, window=window or _window(choice.id, provider)
    )


async def list_models(
    provider: Provider, env: Mapping[str, str], client: Client
) -> list[ModelEntry]:
    """What `provider` offers, in its own order. Raises `ModelFault`."""
    from codexd.models.listing import listed

    return await listed(_service(provider, env, client))


async def key_hints(
    env: Mapping[str, str], *, known: Mapping[str, Provider] = KNOWN
) -> tuple[KeyHint, ...]:
    """Which known providers could be used: a key in `env`, or a local server that answers.

    Takes 0.3 s at most, and sends no key.
    """
    hints: list[KeyHint] = []
    for provider in known.values():
        key = provider.env_key
        if key and env.get(key, "").strip():
            hints.append(KeyHint(provider, f"{key} is set"))
        elif key is None and (place := await _answering(provider)):
            hints.append(KeyHint(provider, f"{place} answers"))
    return tuple(hints)


async def _answering(provider: Provider) -> str | None:
    """`host:port` where something speaks HTTP there; without the weight of an HTTP client."""
    from urllib.parse import urlsplit

    url = urlsplit(provider.base_url)
    host, port = url.hostname or "", url.port or 80
    request = f"GET {url.path}/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with anyio.move_on_after(NOTICE_SECONDS):
        try:
            async with await anyio.connect_tcp(host, port) as stream:
                await stream.send(request.encode())
                head = await stream.receive(64)
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            return None
        return f"{host}:{port}" if head.startswith(b"HTTP/1.1 200") else None
    return None


def _service(provider: Provider, env: Mapping[str, str], client: Client) -> Service:
    from codexd.models.http import Service, json_headers

    key = _key(provider, env)
    return Service(provider, client, json_headers(provider, _wire(provider).auth(key)), key)


def _key(provider: Provider, env: Mapping[str, str]) -> str | None:
    if provider.env_key is None:
        return None
    key = env.get(provider.env_key, "").strip()
    if not key:
        raise AuthFailed(
            f"{provider.name} needs a key, and {provider.env_key} is not set",
            help=f"export {provider.env_key}=…, or choose another model (`-m offline`)",
        )
    if not key.isascii() or not key.isprintable():
        raise AuthFailed(
            f"{provider.env_key} holds characters that no key has",
            help=f"set {provider.env_key} again; quotes or a line break may have slipped in",
        )
    return key


def _wire(provider: Provider) -> Wire:
    match provider.wire_api:
        case "responses":
            from codexd.models.responses import WIRE
        case "chat":
            from codexd.models.chat import WIRE
        case "messages":
            from codexd.models.messages import WIRE
    return WIRE


def _window(model_id: str, provider: Provider) -> int | None:
    from codexd.models.http import is_local
    from codexd.models.prices import window_of

    return (
        None if is_local(provider) else window_of(provider.id, model_id, base_url=provider.base_url)
    )
