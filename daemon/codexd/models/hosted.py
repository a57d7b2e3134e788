"""`HostedModel`: a model behind HTTP, on any of the three wire formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from codexd.config.keys import nearest
from codexd.errors import CutStream, ModelFault, RequestRefused, UnknownModel
from codexd.models import bounds
from codexd.models.http import Service, is_local
from codexd.models.interface import Answer, Item, OnText, Request, Stop
from codexd.models.listing import listed, loaded_window
from codexd.models.sse import EventReader
from codexd.models.wire import Reading, Target, Wire

WANTED_OUTPUT = 4_096
WANTED_FOR_ARTIFACTS = 8_192
"""Where whole files are to be written."""
WANTED_LIGHTWEIGHT = 1_024
MOST_WANTED = 32_768
"""A model whose thoughts took the whole of a cap gets twice as much the next time, up to this."""
NONSENSE = (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError)
"""What a reading raises for an event of another shape than the wire's. Validating each event
first would cost more CPU than all else that is done with it."""


class HostedModel:
    """One model of one provider. Cheap to make; any number of calls may run at once."""

    caps_output = True
    reports_usage = True
    exact = False

    def __init__(
        self, service: Service, wire: Wire, model_id: str, *, window: int | None = None
    ) -> None:
        self._service, self._wire = service, wire
        self._target = Target(service.provider, model_id)
        self._window = window
        self._loaded: int | None = None
        """The window that the server itself says it keeps to."""
        self._may_be_ollama = is_local(service.provider)

    @property
    def name(self) -> str:
        """`PROVIDER/MODEL`."""
        return self._target.name

    @property
    def host(self) -> str:
        """The host that reads what is sent; empty where nothing leaves this machine."""
        if not is_local(self._service.provider):
            return self._service.host
        # A local Ollama passes what it calls cloud models on to its maker.
        return "ollama.com" if self._target.model.endswith(("-cloud", ":cloud")) else ""

    @property
    def window(self) -> int | None:
        """Tokens of input + output that one call can hold; `None` where unknown."""
        return self._window or self._loaded

    def wanted_output(self, request: Request) -> int:
        """The output cap to ask for where the budget has room."""
        if request.lightweight:
            return WANTED_LIGHTWEIGHT
        want = WANTED_FOR_ARTIFACTS if request.brief.artifacts else WANTED_OUTPUT
        return min(MOST_WANTED, want << sum(_only_thought(item) for item in request.items))

    def input_bound(self, request: Request, settled: tuple[int, int] | None) -> int:
        """An upper bound of the request's input tokens: never less than the provider counts."""
        target = self._target
        if "schema" in target.without or not self._wire.enforces(request, target):
            request = replace(request, answer_schema=None)
        if settled is not None:
            bound = bounds.of_growth(request, settled)
        else:
            body = _bytes(self._wire.body(request, target))
            bound = bounds.of_body(body, request, self._wire.framing(request))
        # What a server cuts to its window it does not count.
        return bound if self._loaded is None else min(bound, self._loaded)

    async def count_input(self, request: Request) -> int | None:
        """The provider's own count; `None` where it has no such endpoint. Raises `ModelFault`."""
        body = self._wire.body(request, self._target)
        counted = _bytes({key: body[key] for key in body if key not in self._wire.uncounted})
        for counter in self._wire.counters:
            try:
                answer = await self._service.fetch(
                    "POST", counter.path, counted, at_root=counter.at_root
                )
                count = json.loads(answer)[counter.key]
            except (RequestRefused, *NONSENSE):
                # Servers that speak a wire for other models seldom have all of its counters.
                continue
            if type(count) is int and count >= 0:
                return count
        if self._may_be_ollama:
            await self._look_for_window()
        return None

    async def stream(self, request: Request, on_text: OnText) -> Answer:
        """Answer `request`; pieces of text go to `on_text` as they come. Raises `ModelFault`."""
        while True:
            target = self._target
            try:
                answer = await self._ask(request, target, on_text)
                break
            except UnknownModel as fault:
                raise await self._named(fault) from None
            except RequestRefused as fault:
                refused = self._refused_feature(str(fault).lower(), request, target)
                if refused is None:
                    raise
                # Refused with a status, so nothing was billed: the same call, without it.
                without = self._target.without | {refused}
                self._target = replace(self._target, without=without)
        if self._may_be_ollama:
            await self._look_for_window()
        return answer

    async def _look_for_window(self) -> None:
        self._may_be_ollama = False
        self._loaded = await loaded_window(self._service, self._target.model)

    def _refused_feature(self, words: str, request: Request, target: Target) -> str | None:
        """The feature that a refusal names and that the request had; `None` where it names none."""
        for feature, signs in self._wire.optional.items():
            if feature in target.without or not any(sign in words for sign in signs):
                continue
            less = replace(target, without=target.without | {feature})
            if self._wire.body(request, less) != self._wire.body(request, target):
                return feature
        return None

    async def _named(self, fault: UnknownModel) -> UnknownModel:
        """`fault` with the nearest of the models that the provider does offer."""
        provider = self._target.provider
        try:
            ids = [entry.id for entry in await listed(self._service)]
        except ModelFault:
            return fault
        near = nearest(self._target.model, ids)
        shown = f"`codexd models` shows all {len(ids)} that {provider.name} offers"
        help = f"`{provider.id}/{near}` is the nearest; {shown}" if near else shown
        return UnknownModel(str(fault), help=help)

    async def _ask(self, request: Request, target: Target, on_text: OnText) -> Answer:
        reading = self._wire.reading(request, target)
        body = _bytes(self._wire.body(request, target))
        async with self._service.post(self._wire.path, body) as response:
            await self._service.read(response, _taker(reading, on_text))
            answer = _answer(reading)
        if answer is None:
            raise CutStream(
                f"the stream of {self._service.host} ended in the middle",
                billed=True,
            )
        return answer


def _only_thought(item: Item) -> bool:
    """Whether it is an answer that came to its cap before it said anything."""
    return (
        isinstance(item, Answer)
        and item.stop is Stop.MAX_OUTPUT
        and not (item.text.strip() or item.calls)
    )


def _taker(reading: Reading, on_text: OnText) -> Callable[[bytes], bool]:
    """What takes the bytes of a stream into `reading`; `True` once the answer is whole."""
    events = EventReader()

    def take(chunk: bytes) -> bool:
        for data in events.feed(chunk):
            if data == "[DONE]":
                reading.done = True
            elif text := _take(reading, data):
                on_text(_whole(text))
            if reading.done:
                return True
        return False

    return take


def _take(reading: Reading, data: str) -> str:
    try:
        event: Any = json.loads(data)
        # Joined, so that a delta which is no text is nonsense here and not later.
        return "".join((reading.take(event),))
    except NONSENSE as error:
        raise _nonsense(data, error) from error


def _answer(reading: Reading) -> Answer | None:
    try:
        answer = reading.answer()
        return answer and _well_formed(answer)
    except NONSENSE as error:
        raise _nonsense("", error) from error


def _nonsense(data: str, error: Exception) -> CutStream:
    shown = f": {data[:100]}" if data else ""
    return CutStream(
        f"an event of the stream makes no sense ({type(error).__name__}){shown}", billed=True
    )


def _bytes(body: dict[str, Any]) -> bytes:
    try:
        return to_json(body)  # a third of what `json.dumps` takes
    except PydanticSerializationError:
        # Halves of surrogate pairs, from the name of a file perhaps, only pass as escapes.
        return json.dumps(body, separators=(",", ":")).encode()


def _well_formed(answer: Answer) -> Answer:
    """`answer` with text that can be encoded: pairs that came in halves joined, halves replaced.

    Raises `TypeError` where something that should be text is none.
    """
    calls = answer.calls
    parts = [part for call in calls for part in (call.id, call.name, call.arguments)]
    if "".join((answer.text, answer.model, *parts)).isascii():
        return answer
    text = _whole(answer.text)
    calls = tuple(replace(call, arguments=_whole(call.arguments)) for call in calls)
    return replace(answer, text=text, calls=calls)


def _whole(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
