"""What a provider's refusal means: a status and a body become one of our faults."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any, cast

from codexd.config import Provider
from codexd.errors import (
    AuthFailed,
    ContextTooLong,
    CutStream,
    ModelFault,
    Overloaded,
    RateLimited,
    RequestRefused,
    UnknownModel,
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

UNKNOWN_MODEL = re.compile(
    r"model_not_found|model_not_available|invalid_model|not_found_error model:"
    r"|\bmodels?\b.{0,100}?(not found|not exist)|not a valid model|invalid model( name|:)"
)
"""What providers say, in lower case, of a model that they do not have."""
TOO_LONG_HELP = "a smaller scope, or a model with a larger window"
LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no stream, and what may be done about it."""

    fault: ModelFault
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
    told = message.removeprefix(str(status)).lstrip(": ")
    said = f"{host} says {status}" + (f": {told}" if told else "")
    wait = retry_after(headers, now=now)
    words = f"{code} {message}".lower()
    if status < 300:
        return Refusal(_no_stream(provider, host, headers, body, said), may_retry=False)
    fault = _fault(provider, status, words, said, headers, wait)
    retry = (status in {408, 409, 429} or status >= 500) and not isinstance(fault, ContextTooLong)
    # An empty purse does not fill up while we wait.
    if code == "insufficient_quota":
        retry = False
    if headers.get("x-should-retry") in {"true", "false"}:
        retry = headers["x-should-retry"] == "true"
    return Refusal(fault, retry, wait)


def _no_stream(
    provider: Provider, host: str, headers: Mapping[str, str], body: bytes, said: str
) -> ModelFault:
    """What a 2xx means whose body is JSON or a page: a stream was asked for."""
    kind = headers.get("content-type", "")
    if not kind.startswith("application/json"):
        return RequestRefused(f"{host} answered with a web page", help=_place_help(provider))
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if error:
        # LM Studio says so of a path that it does not know; it has nothing to bill.
        return RequestRefused(said, help=_place_help(provider) if isinstance(error, str) else "")
    return CutStream(f"{host} answered with {kind} where a stream was asked for", billed=True)


def _fault(
    provider: Provider,
    status: int,
    words: str,
    said: str,
    headers: Mapping[str, str],
    wait: float | None,
) -> ModelFault:
    if (status in {400, 413, 422, 500} and is_too_long(words)) or status == 413:
        return ContextTooLong(said, help=TOO_LONG_HELP)
    if status in {401, 403}:
        key = provider.env_key
        return AuthFailed(said, help=f"check the key in {key}" if key else _key_help(provider))
    if status == 429:
        if "quota" in words or "billing" in words:
            return RateLimited(said, help=f"see the plan and the credit of {provider.name}")
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
    if status == 402:
        return RequestRefused(said, help=f"see the plan and the credit of {provider.name}")
    if status in {400, 404} and UNKNOWN_MODEL.search(words):
        return UnknownModel(said, help=f"`codexd models` shows what {provider.id} offers")
    if status in {404, 405}:
        return RequestRefused(said, help=_place_help(provider))
    return RequestRefused(said)


def _place_help(provider: Provider) -> str:
    """What to look at where something answers that is not the API."""
    url = provider.base_url.rstrip("/")
    key = f"base_url of model_providers.{provider.id}"
    for path in ("/chat/completions", "/responses", "/messages"):
        if url.endswith(path):
            return f"leave {path} out of the {key}: it is added to it"
    if url.endswith("/v1/v1"):
        return f"/v1 stands twice in the {key}: {url}"
    if not url.endswith("/v1"):
        return f"is the {key} right? it is {url}; most end in /v1"
    return f"is the {key} right? it is {url}; and does it speak {provider.wire_api}?"


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
        return _plain(body.decode(errors="replace"))[:LONGEST_MESSAGE], ""
    return error_of(data)


def _plain(text: str) -> str:
    """`text`, or the title of the page that it is: proxies answer with whole pages."""
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
    if text.lstrip().startswith("<"):
        return " ".join(unescape(title[1]).split()) if title else "a web page"
    return text.strip()


def error_of(data: Any) -> tuple[str, str]:
    """(message, code) of `{"error": {…}}`, `{"error": "…"}` or `{"message": "…"}`, of the first
    of a list of them (Gemini), and of what a router says that its own provider said.
    """
    if isinstance(data, list) and data:
        return error_of(cast("list[Any]", data)[0])
    if not isinstance(data, dict):
        return f"{data}"[:LONGEST_MESSAGE], ""
    fields = cast("dict[str, Any]", data)
    inner = fields.get("error") or fields
    if not isinstance(inner, dict):
        return str(inner)[:LONGEST_MESSAGE], ""
    error = cast("dict[str, Any]", inner)
    message = error.get("message") or error.get("detail") or ""
    metadata: Any = error.get("metadata")
    if isinstance(metadata, dict) and (raw := cast("dict[str, Any]", metadata).get("raw")):
        message = f"{message}: {raw}"
    code = error.get("code") or error.get("type") or ""
    return str(message)[:LONGEST_MESSAGE], str(code)


def in_stream(data: Any) -> ContextTooLong | RateLimited | CutStream:
    """The fault of a provider that gives up in a stream that began with 200, as it says itself."""
    message, code = error_of(data)
    said = f"the provider gave up in the middle: {message or code}"
    if is_too_long(f"{code} {message}".lower()):
        return ContextTooLong(said, help=TOO_LONG_HELP)
    if code in {"429", "rate_limit_exceeded", "rate_limit_error", "insufficient_quota"}:
        return RateLimited(said, help="wait, or run fewer agents at once", billed=True)
    return CutStream(said, billed=True)


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
