"""No random tree of runs passes a limit, loses a token or rolls one up twice."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codexd.errors import IllegalMove
from codexd.runs import ledger
from codexd.runs.ledger import Account, Hold


def check(accounts: list[Account], *, overrun: bool) -> None:
    """What must hold of every account at every moment."""
    for account in accounts:
        if account.closed:
            continue
        promised = sum(
            child.granted for child in accounts if child.up is account and not child.closed
        )
        assert account.held >= promised >= 0
        if account.up is not None:
            assert account.free >= 0, "what an overrun took is taken from above"
        if not overrun:
            spare = max(0, account.sure - account.spent - account.held)
            assert account.up is None or account.free == spare, "what is spare is given back"
            assert 0 <= account.spent + account.held <= account.granted <= account.cap


class Tree:
    """Random moves on a tree of accounts, with what was truly used counted beside it."""

    def __init__(self, rng: random.Random, *, overruns: bool) -> None:
        self.rng = rng
        self.overruns = overruns
        self.overrun = 0
        self.limit = rng.choice([0, 1, 50, 1_000, 100_000])
        self.accounts = [ledger.open_root(self.limit)]
        self.holds: list[Hold] = []
        self.used = 0
        self.woken = 0

    def move(self) -> None:
        open_ones = [account for account in self.accounts if not account.closed]
        account = self.rng.choice(open_ones)
        match self.rng.choice(
            ["open", "reserve", "reserve", "reserve", "settle", "settle", "close"]
        ):
            case "open":
                cap = self.rng.randint(0, max(1, account.cap * 2))
                sure = self.rng.choice([0, cap, cap // 3])
                child = ledger.open_child(account, cap=cap, sure=sure)
                if child is not None:
                    self.accounts.append(child)
            case "reserve":
                room = account.room
                n = self.rng.choice([room, room + 1, self.rng.randint(0, max(1, room * 2))])
                n = max(0, n)
                hold = ledger.reserve(account, n)
                assert hold is not None or n > room, "room is what can be reserved"
                assert hold is None or n <= room or self.overrun
                if hold is not None:
                    self.holds.append(hold)
                else:
                    ledger.wait(account, self.wake)
            case "settle" if self.holds:
                self.settle(self.holds.pop(self.rng.randrange(len(self.holds))))
            case "close" if account.up and not account.n_open:
                ledger.close(account)
            case _:
                pass

    def settle(self, hold: Hold) -> None:
        # All of it (a cut stream), none (refused), a part, or more than was reserved (overrun).
        used = self.rng.choice([hold.n, 0, self.rng.randint(0, hold.n)])
        if self.overruns and self.rng.random() < 0.2:
            used = hold.n + self.rng.randint(1, 100)
            self.overrun += used - hold.n
        ledger.settle(hold, used)
        self.used += used

    def wake(self) -> None:
        self.woken += 1

    def end(self) -> None:
        for hold in self.holds:
            self.settle(hold)
        for account in reversed(self.accounts):
            if account.up is not None and not account.closed:
                ledger.close(account)


@pytest.mark.parametrize("overruns", [False, True])
def test_twenty_thousand_random_trees_keep_their_limits(overruns: bool) -> None:
    for seed in range(10_000):
        tree = Tree(random.Random(seed), overruns=overruns)
        for _ in range(tree.rng.randint(1, 40)):
            tree.move()
            check(tree.accounts, overrun=tree.overrun > 0)
        tree.end()
        root = tree.accounts[0]
        assert root.spent == tree.used, "usage rolls up exactly once"
        assert root.held == 0, "all is released"
        assert root.spent <= tree.limit + tree.overrun, "nothing passes a limit"
        assert root.calls.in_flight == 0


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 3_000), min_size=1, max_size=12))
def test_fair_shares_are_always_there(total: int, wants: list[int]) -> None:
    root = ledger.open_root(total)
    share = total // len(wants)
    children = [ledger.open_child(root, cap=total, sure=share) for _ in wants]
    assert all(child is not None for child in children)
    for child, want in zip(children, wants, strict=True):
        assert child is not None
        hold = ledger.reserve(child, min(want, share))
        assert hold is not None, "a sure share cannot be taken by a sibling"


def test_what_a_sibling_gives_back_can_be_drawn() -> None:
    root = ledger.open_root(100)
    first = ledger.open_child(root, cap=100, sure=50)
    second = ledger.open_child(root, cap=100, sure=50)
    assert first is not None
    assert second is not None
    assert ledger.reserve(first, 51) is None
    ledger.close(second)
    assert ledger.reserve(first, 100) is not None


def test_zero_is_zero() -> None:
    root = ledger.open_root(0)
    assert ledger.reserve(root, 1) is None
    assert root.room == 0


def test_a_reservation_is_settled_once() -> None:
    hold = ledger.reserve(ledger.open_root(10), 5)
    assert hold is not None
    ledger.settle(hold, 5)
    with pytest.raises(IllegalMove):
        ledger.settle(hold, 5)


def test_an_account_with_calls_in_flight_cannot_be_closed() -> None:
    root = ledger.open_root(10)
    child = ledger.open_child(root, cap=10, sure=10)
    assert child is not None
    ledger.reserve(child, 5)
    with pytest.raises(IllegalMove):
        ledger.close(child)


def test_waiters_are_woken_in_the_order_in_which_they_came() -> None:
    root = ledger.open_root(10)
    hold = ledger.reserve(root, 10)
    assert hold is not None
    woken: list[int] = []
    for n in range(3):
        assert ledger.wait(root, lambda n=n: woken.append(n))
    ledger.settle(hold, 3)
    assert woken == [0, 1, 2]
    assert not ledger.wait(root, lambda: None), "with nothing in flight, nobody would wake it"


def test_a_closed_account_gives_nothing() -> None:
    root = ledger.open_root(10)
    child = ledger.open_child(root, cap=10, sure=0)
    assert child is not None
    ledger.close(child)
    assert ledger.reserve(child, 1) is None
    with pytest.raises(IllegalMove):
        ledger.close(child)
