"""Pieces that the point of sale has taken over and that no count has shown yet (DOMAIN 4)."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from streams.domain.state import Awaited
from topics.numbers import ZERO

MOST = 32
"""So many times are told apart at one level. Beyond, the oldest are taken to be as young as the next: they
wait longer than they must, so less is sold for a while, never too much."""


def total(awaited: Iterable[Awaited]) -> Decimal:
    return sum((one.quantity for one in awaited), ZERO)


def added(awaited: tuple[Awaited, ...], quantity: Decimal, at: datetime) -> tuple[Awaited, ...]:
    """Return what is awaited with so many more pieces since then, in the order of the times."""
    if quantity <= 0:
        return awaited
    quantities = {one.since: one.quantity for one in awaited}
    quantities[at] = quantities.get(at, ZERO) + quantity
    ordered = [Awaited(since, quantities[since]) for since in sorted(quantities)]
    while len(ordered) > MOST:
        first, second, *rest = ordered
        ordered = [Awaited(second.since, first.quantity + second.quantity), *rest]
    return tuple(ordered)


def after_count(awaited: tuple[Awaited, ...], counted_at: datetime) -> tuple[Awaited, ...]:
    """Return what a count of that time does not show: what was taken over after it."""
    return tuple([one for one in awaited if one.since > counted_at])


def fewer(awaited: tuple[Awaited, ...], quantity: Decimal) -> tuple[Awaited, ...]:
    """Return what is awaited with so many pieces fewer, of those that wait longest first."""
    left = []
    for one in awaited:
        less = min(quantity, one.quantity)
        quantity -= less
        if less < one.quantity:
            left.append(Awaited(one.since, one.quantity - less))
    return tuple(left)


def without(awaited: tuple[Awaited, ...], quantity: Decimal, since: datetime) -> tuple[Awaited, ...]:
    """Return what is awaited with so many pieces fewer since then; fewer only of those that still wait."""
    left = []
    for one in awaited:
        if one.since == since:
            rest = one.quantity - min(quantity, one.quantity)
            if rest > 0:
                left.append(Awaited(since, rest))
        else:
            left.append(one)
    return tuple(left)
