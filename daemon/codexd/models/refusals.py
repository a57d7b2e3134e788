"""What a provider's refusal means: a status and a body become one of our faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from codexd.config import Provider
from codexd.errors import (
    AuthFailed,
    ContextTooLong,
    ModelFault,
    Overloaded,
    RateLimited,
    RequestRefused,
)

TOO_LONG = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "context limit",
    "maximum context",
    "prompt is too long",
    "input is too long",
    "input tokens exceed",
    "request_too_large",
)
"""What OpenAI, Anthropic, vLLM, llama.cpp and LM Studio say of a request that does not fit."""

LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status other than 2xx, and what may be done about it."""

    fault: ModelFault
    status: int
    may_retry: bool
    """Whether the same request may succeed later."""
    wait: float | None = None
    """Seconds that the provider asks to wait; `None` where it says nothing."""


def read(
    provider: Provider,
    host: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
) -> Refusal:
    """What the answer `status` of `provider` means. Keys of `headers` are in lower case."""
    message, code = message_of(body)
    said = f"{host} says {status}" + (f": {message}" if message else "")
    wait = retry_after(headers, now=now)
    fault = _fault(provider, status, f"{code} {message}".lower(), said, headers, wait)
    retry = (status in {408, 409, 429} or status >= 500) and not isinstance(fault, ContextTooLong)
    # An empty purse does not fill up while we wait.
    if code == "insufficient_quota":
        retry = False
    if headers.get("x-should-retry") in {"true", "false"}:
        retry = headers["x-should-retry"] == "true"
    return Refusal(fault, status, retry, wait)


def _fault(
    provider: Provider,
    status: int,
    words: str,
    said: str,
    headers: Mapping[str, str],
    wait: float | None,
) -> ModelFault:
    if (status in {400, 413, 422, 500} and is_too_long(words)) or status == 413:
        return ContextTooLong(said, help="a smaller scope, or a model with a larger window")
    if status in {401, 403}:
        key = provider.env_key
        return AuthFailed(said, help=f"check the key in {key}" if key else _key_help(provider))
    if status == 429:
        how_long = f" {wait:,.0f} s" if wait else ""
        return RateLimited(said, help=f"wait{how_long}, or run fewer agents at once")
    if status >= 500:
        return Overloaded(said, help="try again later")
    if 300 <= status < 400:
        to = headers.get("location", "elsewhere")
        return RequestRefused(
            f"{said}: it redirects to {to}, and a key is not sent on",
            help=f"set base_url of model_providers.{provider.id} to the right place",
        )
    if status == 404:
        return RequestRefused(said, help=f"`codexd models` shows what {provider.id} offers")
    return RequestRefused(said)


def _key_help(provider: Provider) -> str:
    return f"name the variable that holds its key: env_key in [model_providers.{provider.id}]"


def is_too_long(words: str) -> bool:
    """Whether a provider's lower-case words say that the request does not fit the model."""
    return any(sign in words for sign in TOO_LONG)


def message_of(body: bytes) -> tuple[str, str]:
    """(message, code) of an error's body, in any of the shapes that providers use."""
    try:
        data: Any = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:LONGEST_MESSAGE], ""
    return error_of(data)


def error_of(data: Any) -> tuple[str, str]:
    """(message, code) of `{"error": {…}}`, `{"error": "…"}` or `{"message": "…"}`."""
    if not isinstance(data, dict):
        return str(data)[:LONGEST_MESSAGE], ""
    fields = cast("dict[str, Any]", data)
    inner = fields.get("error") or fields
    if not isinstance(inner, dict):
        return str(inner)[:LONGEST_MESSAGE], ""
    error = cast("dict[str, Any]", inner)
    message = error.get("message") or error.get("detail") or ""
    code = error.get("code") or error.get("type") or ""
    return str(message)[:LONGEST_MESSAGE], str(code)


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds, or a date); `None` without."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if value.replace(".", "", 1).isdecimal():
            return float(value) * unit
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
