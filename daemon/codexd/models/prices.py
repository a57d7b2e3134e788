"""What tokens cost, by `genai-prices` as installed: no network, nothing updated behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from codexd.models.interface import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

INPUT_KEYS = ("input_mtok", "cache_write_mtok", "cache_read_mtok")
OUTPUT_KEYS = ("output_mtok", "output_text_mtok", "output_reasoning_mtok")
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs. A dollar a million tokens is a micro-dollar a token."""

    input: Decimal
    """Micro-dollars of the dearest input token: any tier, any time of day, written to a cache."""
    output: Decimal
    """Micro-dollars of the dearest output token."""
    call: Decimal
    """Micro-dollars of the call itself."""
    _provider: Provider = field(repr=False)
    _model: ModelInfo = field(repr=False)

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """Micro-dollars that a call of so many tokens cannot pass."""
        return _up(self.input * input_tokens + self.output * output_tokens + self.call)

    def cost(self, usage: Usage) -> int:
        """Micro-dollars of a call that took `usage`, now; rounded up."""
        from genai_prices import Usage as Counted

        counted = Counted(
            input_tokens=usage.input,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_written,
            output_tokens=usage.output,
        )
        try:
            dollars = self._model.calc_price(counted, self._provider).total_price
        except (ValueError, ArithmeticError):
            # Counts that contradict each other, such as more cached than there were.
            return self.bound(usage.input, usage.output)
        return _up(dollars * MICRO)


def price_of(provider_id: str, model_id: str, *, base_url: str = "") -> Price | None:
    """The price of a model; `None` where it is not known. Never raises.

    With `base_url` that decides whose prices they are: a provider that goes by a known name
    may stand somewhere else.
    """
    found = _find(provider_id, model_id, base_url)
    if found is None:
        return None
    provider, model = found
    prices = list(_all(model))
    input = _dearest(prices, INPUT_KEYS)
    output = _dearest(prices, OUTPUT_KEYS)
    if input is None or output is None:
        return None
    # `requests_kcount` is dollars a thousand calls.
    call = (_dearest(prices, ("requests_kcount",)) or Decimal(0)) * MICRO / 1000
    return Price(input, output, call, provider, model)


def window_of(provider_id: str, model_id: str, *, base_url: str = "") -> int | None:
    """Tokens that one call of a model can hold; `None` where it is not known. Never raises."""
    found = _find(provider_id, model_id, base_url)
    return found[1].context_window if found else None


def _find(provider_id: str, model_id: str, base_url: str) -> tuple[Provider, ModelInfo] | None:
    # A third of a second at first use, so only runs with a hosted model pay for it.
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    # By a given URL, or by exactly that name: the library's own search by name also guesses.
    if not base_url and provider_id not in {known.id for known in snapshot.providers}:
        return None
    try:
        return snapshot.find_provider_model(
            model_id, None, None if base_url else provider_id, base_url or None
        )
    except LookupError:
        return None


def _all(model: ModelInfo) -> Iterator[ModelPrice]:
    if isinstance(model.prices, list):
        for conditional in model.prices:
            yield conditional.prices
    else:
        yield model.prices


def _dearest(prices: list[ModelPrice], keys: tuple[str, ...]) -> Decimal | None:
    found = [
        amount for price in prices for key in keys for amount in _amounts(vars(price).get(key))
    ]
    return max(found, default=None)


def _amounts(price: Any) -> Iterator[Decimal]:
    if isinstance(price, Decimal):
        yield price
    elif price is not None:
        yield price.base
        for tier in price.tiers:
            yield tier.price


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))
