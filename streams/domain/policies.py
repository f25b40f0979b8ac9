"""Which outlet fulfils what: named, pure policies (DOMAIN 3). A store's link names one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from streams.domain import covering
from topics.ids import OutletId, ProductId
from topics.numbers import ZERO


class Want(msgspec.Struct, frozen=True, gc=False):
    """So many pieces of a product, for one line (or one part of a bundle)."""

    product_id: ProductId
    quantity: Decimal


class Row(Protocol):
    """What is available at each place, not below zero."""

    def __getitem__(self, place: int, /) -> Decimal: ...

    def __iter__(self) -> Iterator[Decimal]: ...


class Counter(msgspec.Struct, frozen=True, gc=False):
    """What the connected outlets have to offer to an order.

    `outlets` are sorted by priority, then id, and `ranks` are their priorities. `available` has, for each
    product wanted, what is available at each of them, in the same order and never below zero. `used` are the
    places (indexes into `outlets`) that fulfil other parts of the same order already.
    """

    outlets: Sequence[OutletId]
    ranks: tuple[int, ...]
    available: Mapping[ProductId, Row]
    used: frozenset[int] = frozenset()


class Take(msgspec.Struct, frozen=True, gc=False):
    """Pieces of want number `want` from the outlet at `place`."""

    want: int
    place: int
    quantity: Decimal


Policy = Callable[[Sequence[Want], Counter], list[Take]]
"""Answers which pieces come from where. It takes no more than is wanted, and never what is not there; what it
leaves is oversold or stays unallocated, as the link says."""


def lightspeed(wants: Sequence[Want], counter: Counter) -> list[Take]:
    """One outlet that can do it all; else split between lines, not within one; else split lines (DOMAIN 3).

    Ties: fewest outlets, then priority, then most stock left, then outlet id. Outlets that fulfil other parts
    of the order cost nothing, so that an edited order stays together.
    """
    if not counter.outlets or not wants:
        return []
    order = _preference(counter)
    rows = _needs(wants, counter)
    # Outlets of the order first: among them the rest of the order may even be split before a new one joins.
    own = [place for place in order if place in counter.used] if counter.used else []
    for places in (own, order):
        for place in places:
            for row, quantity in rows:
                if row[place] < quantity:
                    break
            else:
                return [Take(number, place, want.quantity) for number, want in enumerate(wants)]
        if places is own and len(own) > 1:
            lines = _lines(wants, counter)
            takes = covering.whole_lines(lines, own, ())
            if takes is not None:
                return [Take(*take) for take in takes]
    others = [place for place in order if place not in counter.used] if own else order
    lines = _lines(wants, counter)
    takes = covering.whole_lines(lines, own, others)
    if takes is None:
        takes = covering.split_lines(lines, own, others)
    return [Take(*take) for take in takes]


def priority_only(wants: Sequence[Want], counter: Counter) -> list[Take]:
    """Each line takes what the outlets have, strictly by their priority: no outlet is spared, lines split."""
    left = {product: list(row) for product, row in counter.available.items()}
    takes = []
    for number, want in enumerate(wants):
        row, rest = left[want.product_id], want.quantity
        for place in range(len(counter.outlets)):
            if rest <= 0:
                break
            taken = min(rest, row[place])
            if taken > 0:
                row[place] -= taken
                rest -= taken
                takes.append(Take(number, place, taken))
    return takes


DEFAULT_POLICY: Final = "lightspeed"
POLICIES: Final[Mapping[str, Policy]] = {DEFAULT_POLICY: lightspeed, "priority": priority_only}


def whole_orders(policy: Policy, ranks: tuple[int, ...]) -> int:
    """Return how many places, from the first, get an order whole if they are the first that can do it all."""
    if policy is lightspeed:
        # Where priorities are shared, stock decides between the places, and that differs by order.
        return len(ranks) if _all_differ(ranks) else 0
    # By priority alone each line begins at the first place: it has the order only if it can do it all.
    return 1 if policy is priority_only else 0


def _preference(counter: Counter) -> Sequence[int]:
    """Return the places by priority, then most stock of the wanted products, then id: a total order."""
    ranks = counter.ranks
    if _all_differ(ranks):
        return range(len(ranks))
    rows = list(counter.available.values())
    return sorted(range(len(ranks)), key=lambda place: (ranks[place], -sum(row[place] for row in rows)))


@lru_cache(maxsize=10_000)
def _all_differ(ranks: tuple[int, ...]) -> bool:
    return len(set(ranks)) == len(ranks)


def _needs(wants: Sequence[Want], counter: Counter) -> list[tuple[Row, Decimal]]:
    """Return what each product is wanted in all, beside what there is: lines of one product share it."""
    available = counter.available
    if len(available) == len(wants):
        return [(available[want.product_id], want.quantity) for want in wants]
    total: dict[ProductId, Decimal] = {}
    for want in wants:
        total[want.product_id] = total.get(want.product_id, ZERO) + want.quantity
    return [(available[product], quantity) for product, quantity in total.items()]


def _lines(wants: Sequence[Want], counter: Counter) -> list[covering.Line]:
    rows = {product: list(row) for product, row in counter.available.items()}
    return [
        covering.Line(number, want.product_id, want.quantity, rows[want.product_id])
        for number, want in enumerate(wants)
    ]
