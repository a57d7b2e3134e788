"""HTTP to providers of models: one client a process, one gate a provider, retries before a 2xx.

The transport is aiohttp's under httpx: a third of the CPU of httpx's own at 500 streams.
"""

from __future__ import annotations

import errno
import os
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol, Self, cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
import anyio
import httpx
from httpx_aiohttp import AiohttpTransport

from codexd.config import Provider
from codexd.errors import BadConfig, CutStream, ModelFault, Unreachable
from codexd.models import refusals

CONNECT_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 4.0
"""Below the 5 s of uvicorn, Node and llama.cpp: a connection that the server closes while we
send on it would be a call that may have been billed."""
LONGEST_WAIT = 120.0
"""A provider that asks for a longer pause than this many seconds gets no retry."""
CONNECT_RETRIES = 2
END_SECONDS = 0.1
"""How long the end of a body may take after the last event that matters."""
LARGEST_ERROR = 65_536

BROKEN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError)
"""All that a connection can raise: the transport lets some of aiohttp's own through."""
NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""Those after which the provider certainly has not seen the request."""


class Sleep(Protocol):
    """`anyio.sleep`, or a test's."""

    async def __call__(self, delay: float, /) -> None:
        """Come back after `delay` seconds."""
        ...


@dataclass(slots=True)
class Gate:
    """When a provider may be called again. All of its calls back off and recover together."""

    sleep: Sleep = anyio.sleep
    clock: Callable[[], float] = anyio.current_time
    jitter: Callable[[], float] = random.random
    """0 to 1, anew each time."""
    not_before: float = 0.0

    async def passed(self) -> None:
        """Wait until the gate is open."""
        while (left := self.not_before - self.clock()) > 0:
            # Apart by a tenth, so that hundreds of calls do not come back in one instant.
            await self.sleep(left * (1 + self.jitter() / 10))

    def back_off(self, attempt: int, wait: float | None) -> None:
        """Close the gate: for `wait` seconds, else 0.5, 1, 2, 4 … 16 s, less up to a half."""
        if wait is None:
            wait = min(16.0, 0.5 * 2**attempt) * (1 - self.jitter() / 2)
        self.not_before = max(self.not_before, self.clock() + wait)


class Client:
    """The HTTP client that all models of a process share. Use it as a context manager.

    HTTPS goes through the proxy that `HTTPS_PROXY` or `ALL_PROXY` names, save where `NO_PROXY`
    says otherwise: a tunnel, which sees the host and no key. Plain HTTP goes straight to its
    host, since a proxy would read the key. Redirects are not followed, cookies not kept.
    """

    def __init__(
        self,
        *,
        sleep: Sleep = anyio.sleep,
        clock: Callable[[], float] = anyio.current_time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._new_gate = lambda: Gate(sleep, clock, jitter)
        self._gates: dict[str, Gate] = {}
        self._transport = _Transport()

    def gate(self, provider: Provider) -> Gate:
        """The one gate of `provider` in this process."""
        return self._gates.setdefault(provider.id, self._new_gate())

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The response's head, its body unread. Raises any of `BROKEN`."""
        # Straight to the transport: what httpx's client would add are redirects, cookies and
        # CPU, and none of these is wanted.
        return await self._transport.handle_async_request(request)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.aclose()


class _Transport(httpx.AsyncBaseTransport):
    """Direct, or through the environment's proxy; made when the first request is sent."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._direct: AiohttpTransport | None = None
        self._proxied: AiohttpTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        direct = self._direct or self._open()
        proxied = self._proxied
        if proxied is None or request.url.scheme != "https" or proxy_bypass(request.url.host):
            return await direct.handle_async_request(request)
        return await proxied.handle_async_request(request)

    def _open(self) -> AiohttpTransport:
        context = httpx.create_ssl_context()
        # No limit of connections: how many calls run at once is decided by who starts runs.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=context)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self._session = session
        if proxy := _environment_proxy():
            self._proxied = AiohttpTransport(verify=context, client=session, proxy=proxy)
        self._direct = AiohttpTransport(verify=context, client=session)
        return self._direct

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


def _environment_proxy() -> httpx.Proxy | None:
    proxies = getproxies()
    url = proxies.get("https") or proxies.get("all")
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise BadConfig(
            f"the proxy {url} of the environment is no HTTP proxy",
            help="set HTTPS_PROXY to an http:// URL, or NO_PROXY to the provider's host",
        )
    return httpx.Proxy(url)


def _enough(_: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Service:
    """One provider as this process calls it."""

    provider: Provider
    client: Client
    headers: dict[str, str] = field(repr=False)
    """With the key in them: never shown."""
    key: str | None = field(repr=False, default=None)

    @property
    def host(self) -> str:
        """The host, and the port where the URL names one."""
        return _url(self.provider.base_url).netloc.decode()

    @asynccontextmanager
    async def post(self, path: str, body: bytes) -> AsyncGenerator[httpx.Response]:
        """The stream that answers `body`, once it has begun; leaving closes what is unread of it.

        Refusals that may pass and failed connections are tried again,
        `provider.request_max_retries` times at most. Raises `ModelFault`.
        """
        response = await self._answered("POST", self._at(path), body)
        try:
            kind = response.headers.get("content-type", "")
            if kind.startswith(("application/json", "text/html")):
                raise (await self._refusal(response)).fault
            yield response
        finally:
            await response.aclose()

    async def fetch(
        self, method: str, path: str, body: bytes | None = None, *, at_root: bool = False
    ) -> bytes:
        """The whole body of a 2xx answer; `at_root`: of a path outside of the API's `/v1`.

        Raises `ModelFault`.
        """
        response = await self._answered(method, self._at(path, at_root=at_root), body)
        try:
            return await _body(response, 64 << 20)
        except BROKEN as error:
            raise self._cut(error) from error
        finally:
            await response.aclose()

    async def read(self, response: httpx.Response, take: Callable[[bytes], bool]) -> None:
        """Hand the body of `response` to `take` as it comes, until it says that it has enough.

        Raises `CutStream` where the body breaks off.
        """
        try:
            with anyio.CancelScope() as scope:
                chunks = cast("AsyncIterable[bytes]", response.stream)
                # We ask for none, but some proxies compress all that passes through them.
                if "content-encoding" in response.headers:
                    chunks = response.aiter_bytes()
                async for chunk in chunks:
                    if take(chunk):
                        # Read to its end, a connection can be used again; that end is near.
                        take = _enough
                        scope.deadline = anyio.current_time() + END_SECONDS
        except BROKEN as error:
            raise self._cut(error) from error

    def _at(self, path: str, *, at_root: bool = False) -> httpx.URL:
        base = self.provider.base_url.rstrip("/")
        query = tuple(self.provider.query_params.items())
        return _url(base.removesuffix("/v1") if at_root else base, path, query)

    async def _answered(self, method: str, url: httpx.URL, body: bytes | None) -> httpx.Response:
        gate = self.client.gate(self.provider)
        attempt = 0
        while True:
            await gate.passed()
            try:
                response = await self.client.send(self._request(method, url, body))
            except BROKEN as error:
                fault = self._unreachable(error)
                if fault.billed or attempt >= self._connect_retries():
                    raise fault from error
                gate.back_off(attempt, None)
            else:
                if response.is_success:
                    return response
                refusal = await self._refusal(response)
                too_long = refusal.wait is not None and refusal.wait > LONGEST_WAIT
                if too_long or not refusal.may_retry:
                    raise refusal.fault
                # Also after the last try: the provider's word holds for all other calls.
                gate.back_off(attempt, refusal.wait)
                if attempt >= self.provider.request_max_retries:
                    raise refusal.fault
            attempt += 1

    def _request(self, method: str, url: httpx.URL, body: bytes | None) -> httpx.Request:
        idle = self.provider.stream_idle_timeout_ms / 1000
        return httpx.Request(
            method,
            url,
            headers=self.headers,
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS, "read": idle, "pool": None}},
        )

    def _connect_retries(self) -> int:
        # A local server that is not there will not be there in a second either.
        return (
            0
            if is_local(self.provider)
            else min(CONNECT_RETRIES, self.provider.request_max_retries)
        )

    async def _refusal(self, response: httpx.Response) -> refusals.Refusal:
        try:
            body = await _body(response, LARGEST_ERROR)
        except BROKEN:
            body = b""
        finally:
            await response.aclose()
        if self.key:
            body = body.replace(self.key.encode(), b"***")
        return refusals.read(
            self.provider,
            self.host,
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            body,
            now=datetime.now(UTC),
        )

    def _unreachable(self, error: Exception) -> ModelFault:
        cause = error.__cause__ or error
        sent = not isinstance(cause, NOT_SENT)
        if isinstance(error, httpx.ReadTimeout) or isinstance(cause, aiohttp.SocketTimeoutError):
            seconds = self.provider.stream_idle_timeout_ms / 1000
            said = f"{self.host} did not answer within {seconds:g} s"
            key = f"stream_idle_timeout_ms of model_providers.{self.provider.id}"
            return Unreachable(said, help=f"where it needs longer, raise {key}", billed=True)
        said = f"{self.host} cannot be reached: {_why(cause)}"
        return Unreachable(said, help=self._connect_help(cause), billed=sent)

    def _connect_help(self, cause: BaseException) -> str:
        tls = _tls_fault(cause)
        if isinstance(tls, ssl.SSLCertVerificationError):
            return (
                "where a company's proxy or the server has a certificate authority of its own, "
                "name its file in SSL_CERT_FILE"
            )
        if tls is not None:
            return f"does it speak https? base_url is {self.provider.base_url}"
        if is_local(self.provider):
            return f"is {self.provider.name} running?"
        return "check the network, and base_url; behind a proxy set HTTPS_PROXY"

    def _cut(self, error: Exception) -> CutStream:
        if isinstance(error, httpx.ReadTimeout):
            seconds = self.provider.stream_idle_timeout_ms / 1000
            said = f"the stream of {self.host} was silent for {seconds:g} s"
        else:
            said = f"the stream of {self.host} broke off: {error or type(error).__name__}"
        return CutStream(said, billed=True)


def _why(error: BaseException) -> str:
    """What the system says, in its own words: aiohttp tells of its internals as well."""
    tls = _tls_fault(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {tls.verify_message}"
    if tls is not None:
        return f"TLS failed: {(tls.reason or str(tls)).replace('_', ' ').lower()}"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, OSError):
        # asyncio makes a sentence of an address and a number; the number has a better one.
        if inner.errno is not None and inner.errno in errno.errorcode:
            return os.strerror(inner.errno)
        return inner.strerror or str(inner)
    return str(inner) or type(inner).__name__


def _tls_fault(error: BaseException) -> ssl.SSLError | None:
    """What TLS did not like, where that is what is wrong."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    return error if isinstance(error, ssl.SSLError) else None


@lru_cache(maxsize=64)  # to parse one takes longer than to read the answer's events
def _url(base: str, path: str = "", query: tuple[tuple[str, str], ...] = ()) -> httpx.URL:
    return httpx.URL(base.rstrip("/") + path, params=dict(query) or None)


def is_local(provider: Provider) -> bool:
    """Whether what is sent to `provider` stays on this machine."""
    host = _url(provider.base_url).host
    return host in {"localhost", "::1"} or host.startswith("127.") or host.endswith(".localhost")


async def _body(response: httpx.Response, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    return b"".join(parts)[:limit]


def json_headers(provider: Provider, auth: dict[str, str]) -> dict[str, str]:
    """The headers of every request to `provider`; the configured ones win."""
    base: dict[str, Any] = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        # Events that a compressor holds back would come late.
        "Accept-Encoding": "identity",
        "User-Agent": "codexd",
    }
    return {**base, **auth, **provider.http_headers}
