"""Whether the next model call fits: its bound, its output cap, and the reservation of both.

Nothing is called that was not reserved before. What does not fit waits for a call of the tree
that is in flight; else the run is asked, once, to finish with what it has; else it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codexd.models import Request, digest
from codexd.runs import ledger
from codexd.runs.context import request_of, trimmed
from codexd.runs.ending import ended
from codexd.runs.events import Begun, Body, Noted
from codexd.runs.host import Host
from codexd.runs.run import Run
from codexd.runs.seat import Opened, Seat
from codexd.runs.view import Status

LEAST_OUTPUT = 256
"""A call with a smaller output cap than this, where more is wanted, is not worth making."""
COUNT_MARGIN = 1.05
"""A provider's own count is called an estimate by some."""
KEEP_WHEN_SHORTENED = 1_000
"""Bytes that an old tool result keeps when the conversation outgrew the model's window."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to make the next call."""

    opened: Opened
    request: Request
    shortened: bool
    bound: int
    """Input tokens at most."""
    likely: int
    """Input tokens, about: what is new is bound as a token a byte, and is a third of that."""
    want: int
    """Output tokens to ask for."""
    cap: int
    """Output tokens that budget and money have room for, `want` at most."""

    @property
    def fits(self) -> bool:
        """Whether it may be made, and is worth it."""
        return self.cap >= min(self.want, LEAST_OUTPUT)


def admit_call(run: Run, seat: Seat, host: Host) -> list[Body]:
    """The events with which the next model call begins, or which stand in its way.

    Empty: the run waits, and is woken.
    """
    offers: list[Offer] = []
    for offer in _offers(run, seat, host):
        if _outgrown(offer, run):
            return [shorten(run)]
        if _wants_count(offer, seat):
            seat.to_count = (offer.opened, offer.request)
            seat.waiting = "count"
            return []
        if offer.fits:
            if _is_last(offer, run, seat):
                return [_lightweight()]
            return _begin(offer, run, seat, host)
        offers.append(offer)
    for account in (seat.account, seat.money):
        if account is not None and ledger.wait(account, seat.wake):
            seat.waiting = "budget"
            return []
    if not run.lightweight:
        return [_lightweight()]
    return [_exceeded(min(offers, key=lambda offer: offer.bound), run, seat)]


def shorten(run: Run) -> Noted:
    """The event that shortens what is old in the conversation."""
    return Noted(
        what="compacted",
        text="the conversation outgrew the model's window: old tool results were shortened",
        upto=max(0, len(run.items) - 1),
        keep_bytes=KEEP_WHEN_SHORTENED,
    )


def _offers(run: Run, seat: Seat, host: Host) -> Iterator[Offer]:
    """The ways to make the call, best first; in lightweight mode the light model, and a shorter
    conversation, come before the run's own.
    """
    assert seat.model is not None, "only a run with a model wants to call one"
    assert seat.definition is not None, "a run with a model is an agent's"
    request = request_of(run, seat.definition)
    models = [seat.model]
    if run.lightweight and seat.light is not None:
        models.insert(0, seat.light)
    for opened in models:
        # A bound from the last usage holds for that model and that conversation alone.
        settled = run.settled if run.settled_by == opened.model.name else None
        whole = _offer(opened, request, settled, seat, host)
        if not run.lightweight:
            yield whole
            continue
        short = _offer(opened, trimmed(request), None, seat, host)
        yield min(whole, replace(short, shortened=True), key=lambda offer: offer.bound)


def _offer(
    opened: Opened,
    request: Request,
    settled: tuple[int, int] | None,
    seat: Seat,
    host: Host,
) -> Offer:
    model = opened.model
    bound = round(model.input_bound(request, settled) * host.bound_factor.get(model.name, 1.0))
    sure = settled[1] if settled else 0
    likely = sure + max(0, bound - sure) // 3
    counted = seat.counted.get(model.name)
    if counted and counted.tokens is not None and counted.digest == digest(request):
        likely = counted.tokens
        bound = min(bound, round(counted.tokens * COUNT_MARGIN) + 1)
    want = model.wanted_output(request)
    if model.window is not None:
        want = min(want, max(LEAST_OUTPUT, model.window - likely))
    return Offer(opened, request, False, bound, likely, want, min(want, _room(seat, opened, bound)))


def _room(seat: Seat, opened: Opened, bound: int) -> int:
    """The output that budget and money leave room for, after `bound` tokens of input."""
    room = seat.account.room - bound
    if seat.money is not None and opened.price is not None:
        money = seat.money.room - opened.price.bound(bound, 0)
        per_1000 = opened.price.bound(0, 1000)
        if money < 0:
            return -1
        # Rounded down twice: a price for a call may be in it once more than it costs.
        room = min(room, money * 1000 // per_1000 - 1 if per_1000 else room)
    return room


def _outgrown(offer: Offer, run: Run) -> bool:
    window = offer.opened.model.window
    return (
        window is not None and offer.likely + LEAST_OUTPUT > window and "compacted" not in run.asked
    )


def _is_last(offer: Offer, run: Run, seat: Seat) -> bool:
    """Whether there is room for this call and likely for none after it: then it had better
    conclude. Rules and recordings cannot, and know exactly what they take.
    """
    if run.lightweight or run.settled is None or offer.opened.model.exact:
        return False
    return seat.account.room < offer.bound + offer.likely + 2 * LEAST_OUTPUT


def _wants_count(offer: Offer, seat: Seat) -> bool:
    """Whether the provider's own count may show that it fits, or has room for a whole answer; a
    provider that does not count is asked once.
    """
    if offer.cap >= offer.want or offer.opened.model.exact:
        return False
    counted = seat.counted.get(offer.opened.model.name)
    if counted is None:
        return True
    return counted.tokens is not None and counted.digest != digest(offer.request)


def _begin(offer: Offer, run: Run, seat: Seat, host: Host) -> list[Body]:
    if not host.take_slot(seat):
        return []
    opened, bound, cap = offer.opened, offer.bound, offer.cap
    micro_usd = opened.price.bound(bound, cap) if opened.price else 0
    hold = ledger.reserve(seat.account, bound + cap)
    money = ledger.reserve(seat.money, micro_usd) if seat.money else None
    assert hold is not None, "room was there a moment ago, and nobody else could act since"
    assert money is not None or seat.money is None, "the same of money"
    act = run.next_act
    seat.holds[act] = (hold, money)
    seat.requests[act] = (opened, replace(offer.request, max_output=cap))
    return [
        Begun(
            act=act,
            what="model",
            model=opened.model.name,
            digest=digest(offer.request),
            bound=bound,
            cap=cap,
            reserved=bound + cap,
            reserved_micro_usd=micro_usd,
            light=run.lightweight,
            shortened=offer.shortened,
        )
    ]


def _lightweight() -> Noted:
    return Noted(what="lightweight", text="budget nearly spent: asked to finish with what it has")


def _exceeded(offer: Offer, run: Run, seat: Seat) -> Body:
    needed = offer.bound + min(offer.want, LEAST_OUTPUT)
    left = max(0, seat.account.room)
    fault = f"{run.last.message}; " if run.last is not None and run.last.fault else ""
    reason = (
        f"the next step could cost {needed:,} and {left:,} were left, so it was not begun"
        if needed > left
        else "the next step could cost more money than was left, so it was not begun"
    )
    help = ""
    if needed > left and run.settled is None and not run.spent:
        help = f"{needed:,} begin it: `--budget`, or `max_tokens` in the agent's file"
        counted = seat.counted.get(offer.opened.model.name)
        if counted is not None and counted.tokens is None:
            help += "; it will take less, but this server cannot count beforehand"
    return ended(run, Status.BUDGET_EXCEEDED, f"{fault}{reason}", help)
