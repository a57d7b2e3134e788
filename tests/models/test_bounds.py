"""Bounds hold whatever the text: a tokenizer that makes a token of each byte stays below them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.models.helpers import SCHEMA, provider, request

from codexd.config import ModelChoice
from codexd.config.settings import WireApi
from codexd.errors import Source
from codexd.models import Answer, Item, ToolCall, ToolReply, UserText, bounds
from codexd.models.http import Client
from codexd.models.providers import open_model

texts = st.text(max_size=60)
items = st.one_of(
    st.builds(UserText, texts),
    st.builds(ToolReply, texts, texts, texts),
    st.builds(Answer, texts, st.tuples(st.builds(ToolCall, texts, texts, texts))),
)


def in_bytes(item: Item) -> int:
    """What a tokenizer of bytes counts of the item's texts."""
    match item:
        case Answer(text, calls):
            parts = [text, *(call.name + call.arguments for call in calls)]
        case ToolReply(_, _, text):
            parts = [text]
        case _:
            parts = [item.text]
    return len("".join(parts).encode())


@given(st.lists(items, max_size=6), st.integers(0, 6), st.integers(0, 10_000))
def test_what_was_added_since_is_counted_by_its_bytes(
    added: list[Item], n_settled: int, tokens: int
) -> None:
    asked = request(*added)
    n = min(n_settled, len(asked.items))
    grown = sum(in_bytes(item) for item in asked.items[n:])
    assert bounds.of_growth(asked, (n, tokens)) >= tokens + grown


def test_a_schema_counts_even_where_all_items_are_settled() -> None:
    bare = bounds.of_growth(request(), (1, 100))
    schema = bounds.of_growth(request(answer_schema=SCHEMA), (1, 100))
    assert schema >= bare + len(json.dumps(SCHEMA))


def test_a_schema_that_is_not_sent_is_not_counted() -> None:
    client = Client()

    def bound(wire: WireApi, settled: tuple[int, int] | None, **more: Any) -> int:
        choice = ModelChoice(provider("http://127.0.0.1:1/v1", wire), "m", Source("<test>"))
        model = open_model(choice, env={}, client=client)
        return model.input_bound(request(**{"answer_schema": SCHEMA, **more}), settled)

    for settled in (None, (1, 100)):
        without = bound("chat", settled) - bound("chat", settled, answer_schema=None)
        assert without == 0
        assert bound("responses", settled) > bound("responses", settled, answer_schema=None)
        alone = bound("chat", settled, tools=())
        assert alone > bound("chat", settled, tools=(), answer_schema=None)


def test_arguments_that_go_back_wrapped_into_json_are_counted_by_their_bytes() -> None:
    """What was counted was the text as it came; what goes back has its quotes escaped."""

    def bound(arguments: str) -> int:
        answer = Answer("", (ToolCall("c", "f", arguments),))
        return bounds.of_growth(request(answer), (2, 1_000))

    broken = '{"text": "' + '\\"' * 500
    assert bound('{"a": 1}') < 1_000 + 100
    assert bound(broken) >= 1_000 + len(json.dumps({"not_json": broken}))


def test_halves_of_surrogate_pairs_are_counted() -> None:
    assert bounds.utf8("\udce9a") == 4
