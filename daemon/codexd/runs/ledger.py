"""Who may spend how much: one account a run, each child's allowance held on its parent's.

No node can promise what its parent lacks, so no limit in the tree can be passed. Amounts are
whole numbers of one unit; the same code counts tokens and micro-dollars. Nothing here awaits:
between two lines no other run can act, which is what makes a reservation all or nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from codexd.errors import IllegalMove


@dataclass(slots=True, eq=False)
class Account:
    """One run's account. At rest, `spent + held <= granted <= cap` unless a provider overran."""

    up: Account | None
    cap: int
    """What it may be granted at most."""
    sure: int
    """What stays granted while unspent, whatever others need."""
    granted: int
    """Its allowance now: held on `up`; of the root, the limit."""
    spent: int = 0
    """Settled, its closed children's included."""
    held: int = 0
    """Reserved for calls in flight, and granted to open children."""
    n_open: int = 0
    """Children that are not closed, and calls that are not settled."""
    closed: bool = False
    calls: Calls = field(default_factory=lambda: Calls())
    """Shared by the whole tree."""

    @property
    def free(self) -> int:
        """What it was granted and has neither spent nor promised."""
        return self.granted - self.spent - self.held

    @property
    def room(self) -> int:
        """The largest amount that `reserve` is sure to give now."""
        if self.up is None:
            return self.free
        return min(self.cap - self.spent - self.held, self.free + max(0, self.up.room))


@dataclass(slots=True, eq=False)
class Calls:
    """The calls in flight of one tree, and who waits for one to settle, in order."""

    in_flight: int = 0
    waiting: deque[Callable[[], None]] = field(default_factory=lambda: deque[Callable[[], None]]())


@dataclass(slots=True, eq=False)
class Hold:
    """A reservation; settled exactly once."""

    account: Account
    n: int
    settled: bool = False


def open_root(limit: int) -> Account:
    """The account of a root run. `0` is zero: nothing can be reserved."""
    return Account(up=None, cap=limit, sure=0, granted=limit)


def open_child(up: Account, *, cap: int, sure: int) -> Account | None:
    """An account under `up`, with `sure` granted at once; `None` where `up` lacks that."""
    child = Account(up=up, cap=cap, sure=sure, granted=0, calls=up.calls)
    if not _draw(child, sure):
        return None
    up.n_open += 1
    return child


def resume_child(up: Account, *, cap: int, sure: int, spent: int) -> Account:
    """The account of a child that has spent before: that is held on `up`, and `sure` of the whole
    is granted where `up` has it. Spent is spent, whether a smaller limit has room for it or not.
    """
    child = Account(up=up, cap=cap, sure=0, granted=0, spent=spent, calls=up.calls)
    up.n_open += 1
    _level(child)
    child.sure = sure
    _draw(child, max(0, sure - spent))
    return child


def reserve(account: Account, n: int) -> Hold | None:
    """Hold `n` of the account for a call, drawing up the tree what it lacks; else `None`."""
    if n < 0:
        raise ValueError(f"a reservation of {n}")
    if account.closed or not _draw(account, n):
        return None
    account.held += n
    account.n_open += 1
    account.calls.in_flight += 1
    return Hold(account, n)


def settle(hold: Hold, used: int) -> None:
    """Turn a reservation into spending. `used` may pass it: an overrun, borne by the tree."""
    if hold.settled:
        raise IllegalMove("a reservation is settled once")
    hold.settled = True
    account = hold.account
    account.held -= hold.n
    account.spent += used
    account.n_open -= 1
    account.calls.in_flight -= 1
    _level(account)
    wake(account)


def close(account: Account) -> None:
    """Give the rest back, and roll the spending up, once. Children first."""
    if account.closed:
        raise IllegalMove("an account is closed once")
    if account.n_open:
        raise IllegalMove("an account with open children or calls in flight cannot be closed")
    account.closed = True
    up = account.up
    if up is not None:
        up.n_open -= 1
        up.held -= account.granted
        up.spent += account.spent
        _level(up)
    wake(account)


def wait(account: Account, wake_up: Callable[[], None]) -> bool:
    """Have `wake_up` called when a call of the tree settles; `False` where none is in flight."""
    if not account.calls.in_flight:
        return False
    account.calls.waiting.append(wake_up)
    return True


def wake(account: Account) -> None:
    """Let everyone who waits ask again, in the order in which they came."""
    waiting = account.calls.waiting
    for _ in range(len(waiting)):
        waiting.popleft()()


def _draw(account: Account, n: int) -> bool:
    short = n - account.free
    if short <= 0:
        return True
    up = account.up
    if up is None or account.granted + short > account.cap or not _draw(up, short):
        return False
    up.held += short
    account.granted += short
    return True


def _level(account: Account) -> None:
    """Give back what is spare; after an overrun, take what is missing."""
    while (up := account.up) is not None:
        free = account.free
        back = free - max(0, account.sure - account.spent - account.held)
        if back == 0 or back < 0 <= free:
            return
        account.granted -= back
        up.held -= back
        account = up
