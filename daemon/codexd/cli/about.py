"""The verbs about what is at hand: `models`, `doctor`."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from codexd.cli.columns import cells, clean, table, wrap
from codexd.cli.door import Door
from codexd.cli.page import Page
from codexd.models.interface import ModelEntry
from codexd.orchestrator import Check

Offers = tuple[tuple[str, Sequence[ModelEntry] | str], ...]


def models(door: Door) -> int:
    """`codexd models`."""

    async def ask() -> Offers:
        async with door.open() as codexd:
            return await codexd.models()

    offers = anyio.run(ask)
    if door.json:
        door.give([_offer(provider, offer) for provider, offer in offers])
    else:
        door.show(models_page(offers, door.page))
    return 0


def _offer(provider: str, offer: Sequence[ModelEntry] | str) -> dict[str, object]:
    """One provider of `models --json`."""
    if isinstance(offer, str):
        return {"provider": provider, "models": (), "problem": offer}
    return {"provider": provider, "models": offer, "problem": None}


def models_page(offers: Offers, page: Page) -> list[str]:
    """A line a model, spelled as `-m` takes it; a provider's problem in its place."""
    lines: list[str] = []
    for provider, offer in offers:
        if isinstance(offer, str):
            lines += page.labelled(
                provider, page.ink("dim", clean(page.text.told(offer))), indent=12
            )
        elif provider == "offline":
            lines.append(page.text("models.offline"))
        elif not offer:
            lines.append(f"{provider}  {page.text('models.none')}")
        else:
            lines += [clean(f"{provider}/{entry.id}") for entry in offer]
    return lines


def doctor(door: Door) -> int:
    """`codexd doctor`: 1 where something is wrong."""
    checks = anyio.run(door.examine)
    if door.json:
        door.give(checks)
    else:
        door.show(doctor_page(checks, door.page))
    return 0 if all(check.ok for check in checks) else 1


def doctor_page(checks: Sequence[Check], page: Page) -> list[str]:
    """A line a check, with where it is set; below what is missing, the remedy."""
    signs = {True: "✔", False: "✖"}
    heads = table(
        [[f"{signs[check.ok]} {clean(page.text.told(check.name))}", "|"] for check in checks]
    )
    indent = max((cells(head) - 1 for head in heads), default=0)
    lines: list[str] = []
    for check, head in zip(checks, heads, strict=True):
        said = page.text.told(check.text)
        words = f"{said} ({check.source})" if check.source else said
        label = page.ink("green" if check.ok else "red", head[0]) + head[1:-1]
        lines += page.labelled(label, clean(words), indent=indent)
        if check.remedy:
            remedy = page.text("doctor.remedy", remedy=clean(page.text.told(check.remedy)))
            lines += [" " * indent + line for line in wrap(remedy, max(20, page.prose - indent))]
    return lines
