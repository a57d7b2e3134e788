"""What tokens cost: never less in the bound than in the settlement, and never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexd.models import Usage
from codexd.models.prices import price_of, window_of


def priced() -> list[tuple[str, str]]:
    from genai_prices.data_snapshot import get_snapshot

    return [
        (provider.id, model.id)
        for provider in get_snapshot().providers
        if provider.id in {"openai", "anthropic", "deepseek", "mistral", "perplexity"}
        for model in provider.models
        if price_of(provider.id, model.id)
    ]


PRICED = priced()


@given(
    st.sampled_from(PRICED),
    st.integers(0, 2_000_000),
    st.integers(0, 200_000),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_call_costs_more_than_its_bound(
    model: tuple[str, str], input: int, output: int, cached: float, written: float
) -> None:
    price = price_of(*model)
    assert price is not None
    read = int(input * cached)
    usage = Usage(input, output, cached=read, cache_written=int((input - read) * written))
    assert 0 <= price.cost(usage) <= price.bound(input, output)


def test_a_known_price_is_exact_to_the_micro_dollar() -> None:
    # $3 and $15 a million tokens, a tenth for what the cache had, a quarter more to write to it.
    price = price_of("anthropic", "claude-sonnet-4-5")
    assert price is not None
    assert price.cost(Usage(1_000, 100)) == 3_000 + 1_500
    assert price.cost(Usage(1_000, 100, cached=1_000)) == 300 + 1_500
    assert price.cost(Usage(1_000, 100, cache_written=1_000)) == 3_750 + 1_500


def test_counts_that_contradict_each_other_cost_the_bound() -> None:
    price = price_of("anthropic", "claude-sonnet-4-5")
    assert price is not None
    assert price.cost(Usage(10, 1, cached=10, cache_written=10)) <= price.bound(10, 1)


@pytest.mark.parametrize(
    ("provider", "model", "url"),
    [
        ("ollama", "llama3", ""),
        ("openai", "no-such-model", ""),
        ("my-anthropic-proxy", "claude-sonnet-4-5", ""),
        ("anthropic", "claude-sonnet-4-5", "http://localhost:8080/v1"),
        ("", "", ""),
    ],
)
def test_what_is_not_known_has_no_price(provider: str, model: str, url: str) -> None:
    assert price_of(provider, model, base_url=url) is None
    assert window_of(provider, model, base_url=url) is None


def test_the_url_tells_whose_prices_they_are() -> None:
    assert price_of("mine", "claude-sonnet-4-5", base_url="https://api.anthropic.com/v1")
    assert window_of("mine", "claude-sonnet-4-5", base_url="https://api.anthropic.com/v1")
