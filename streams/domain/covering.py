"""The search behind splitting an order: the fewest outlets that can do it.

Exact where that is cheap, which is nearly always. The search is bounded by steps, not by time, so that the
same order gets the same outlets on any machine; past the bound a greedy choice takes over.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from topics.ids import ProductId

STEPS = 20_000
"""Most comparisons of one search (some milliseconds); 500 lines over 50 outlets stay below 0.1 s."""
PACK_STEPS = 2_000
"""Most placements tried when lines that share a product are packed into outlets."""


class Line(NamedTuple):
    """Want number `number`: its product, its quantity, and what each place has of the product."""

    number: int
    product_id: ProductId
    quantity: Decimal
    row: Sequence[Decimal]


Taken = tuple[int, int, Decimal]
"""(number of the want, place, quantity)"""


def whole_lines(lines: Sequence[Line], own: Sequence[int], others: Sequence[int]) -> list[Taken] | None:
    """Place every line whole, over `own` places and as few of `others` as can be; None when that cannot be.

    Both are in order of preference: of several smallest sets the first in that order is taken.
    """
    masks = []
    for line in lines:
        if any(line.row[place] >= line.quantity for place in own):
            continue
        mask = _mask(others, line.row, line.quantity)
        if not mask:
            return None
        masks.append(mask)
    groups = _by_product(lines)
    placed: list[list[Taken]] = []

    def accept(places: list[int]) -> bool:
        takes = _place_whole(groups, [*own, *places])
        if takes is None:
            return False
        placed.append(takes)
        return True

    if not masks and accept([]):
        return placed[0]
    if _fewest(masks, others, 1, accept):
        return placed[0]
    chosen = _greedy_lines(lines, own, others)
    return _place_whole(groups, [*own, *chosen]) if chosen is not None else None


def split_lines(lines: Sequence[Line], own: Sequence[int], others: Sequence[int]) -> list[Taken]:
    """Take all that can be had, over `own` places and as few of `others` as can be.

    Lines stay whole where they can, largest first; the rest is split in order of preference.
    """
    groups = _by_product(lines)
    targets: list[tuple[Sequence[Decimal], Decimal]] = []
    for group in groups:
        row = group[0].row
        need = sum((line.quantity for line in group), Decimal(0))
        ours = sum((row[place] for place in own), Decimal(0))
        target = min(need - ours, sum((row[place] for place in others), Decimal(0)))
        if target > 0:
            targets.append((row, target))

    def accept(places: list[int]) -> bool:
        return all(sum((row[place] for place in places), Decimal(0)) >= target for row, target in targets)

    chosen: list[int] = []
    if targets:
        masks = [_mask(others, row, None) for row, _ in targets]
        fewest = max(_least_places(row, target, others) for row, target in targets)
        chosen = _fewest(masks, others, fewest, accept) or _greedy_targets(targets, others)
    return [take for group in groups for take in _share(group, [*own, *chosen])]


def _mask(places: Sequence[int], row: Sequence[Decimal], quantity: Decimal | None) -> int:
    """Return a bit per place (in order of preference) that has the quantity; None: that has any."""
    mask = 0
    for bit, place in enumerate(places):
        if row[place] >= quantity if quantity is not None else row[place] > 0:
            mask |= 1 << bit
    return mask


def _by_product(lines: Sequence[Line]) -> list[list[Line]]:
    """Group the lines that share stock; the largest first, so that their order does not matter."""
    groups: dict[ProductId, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.product_id, []).append(line)
    for group in groups.values():
        if len(group) > 1:
            group.sort(key=lambda line: (-line.quantity, line.number))
    return list(groups.values())


def _place_whole(groups: Sequence[Sequence[Line]], places: Sequence[int]) -> list[Taken] | None:
    takes: list[Taken] = []
    for group in groups:
        if len(group) == 1:
            number, _, quantity, row = group[0]
            for place in places:
                if row[place] >= quantity:
                    takes.append((number, place, quantity))
                    break
            else:
                return None
        else:
            packed = _pack(group, places)
            if packed is None:
                return None
            takes += packed
    return takes


def _pack(group: Sequence[Line], places: Sequence[int]) -> list[Taken] | None:
    """Place lines of one product whole, each in the first place that leaves room for the others."""
    left = [group[0].row[place] for place in places]
    chosen: list[int] = []
    steps = 0
    start = 0
    while len(chosen) < len(group):
        quantity = group[len(chosen)].quantity
        for at in range(start, len(places)):
            steps += 1
            if left[at] >= quantity:
                left[at] -= quantity
                chosen.append(at)
                # Equal lines are alike: the next one need not try what this one could not use.
                alike = len(chosen) < len(group) and group[len(chosen)].quantity == quantity
                start = at if alike else 0
                break
        else:
            if not chosen or steps > PACK_STEPS:
                return None
            at = chosen.pop()
            left[at] += group[len(chosen)].quantity
            start = at + 1
    return [(line.number, places[at], line.quantity) for line, at in zip(group, chosen, strict=True)]


def _fewest(
    masks: Sequence[int], places: Sequence[int], least: int, accept: Callable[[list[int]], bool]
) -> list[int] | None:
    """Return the smallest set of places that hits every mask and is accepted; of several, the preferred one.

    None: there is none, or the steps ran out.
    """
    needed = _hardest(masks)
    steps = STEPS
    for size in range(least, len(places) + 1):
        for bits in _sets(needed, len(places), size):
            if bits is None:
                steps -= len(needed) + 1
            else:
                chosen = [places[bit] for bit in bits]
                if accept(chosen):
                    return chosen
                steps -= 10 * (len(needed) + 1)
            if steps <= 0:
                return None
    return None


def _hardest(masks: Sequence[int]) -> list[int]:
    """Drop masks that are hit whenever another one is."""
    distinct = sorted(set(masks), key=lambda mask: (mask.bit_count(), mask))
    if len(distinct) > 100:
        return distinct
    kept: list[int] = []
    for mask in distinct:
        if not any(mask & other == other for other in kept):
            kept.append(mask)
    return kept


def _sets(masks: list[int], bits: int, size: int) -> Iterator[tuple[int, ...] | None]:
    """Yield the sets of `size` bits that hit every mask, in order; None for each step on the way."""
    stack: list[tuple[tuple[int, ...], int, list[int]]] = [((), -1, masks)]
    while stack:
        chosen, bit, before = stack.pop()
        missed = before
        if bit >= 0:
            chosen = (*chosen, bit)
            missed = [mask for mask in before if not mask >> bit & 1]
        slots = size - len(chosen)
        if not slots:
            if not missed:
                yield chosen
            continue
        yield None
        # A mask whose highest bit has been passed can no longer be hit.
        last = min((mask.bit_length() - 1 for mask in missed), default=bits - 1)
        last = min(last, bits - slots)
        options: Iterable[int] = range(last, bit, -1)
        if slots == 1 and missed:
            common = -1
            for mask in missed:
                common &= mask
            options = [option for option in options if common >> option & 1]
        for option in options:
            stack.append((chosen, option, missed))


def _least_places(row: Sequence[Decimal], target: Decimal, places: Sequence[int]) -> int:
    """Return how many places it takes at least to hold the target: those with the most."""
    count, rest = 0, target
    for have in sorted((row[place] for place in places), reverse=True):
        if rest <= 0:
            break
        rest -= have
        count += 1
    return count


def _greedy_lines(lines: Sequence[Line], own: Sequence[int], others: Sequence[int]) -> list[int] | None:
    """Add the place that can do most of the lines left, until all are placed; None when lines remain."""
    left = [line for line in lines if not any(line.row[place] >= line.quantity for place in own)]
    chosen: list[int] = []
    while left:
        best, most = -1, 0
        for place in others:
            if place not in chosen:
                count = sum(1 for line in left if line.row[place] >= line.quantity)
                if count > most:
                    best, most = place, count
        if best < 0:
            return None
        chosen.append(best)
        left = [line for line in left if line.row[best] < line.quantity]
    return chosen


def _greedy_targets(targets: Sequence[tuple[Sequence[Decimal], Decimal]], others: Sequence[int]) -> list[int]:
    """Add the place that brings most of what is missing, until nothing is."""
    rest = [[row, target] for row, target in targets]
    chosen: list[int] = []
    while rest:
        best, most = -1, Decimal(0)
        for place in others:
            if place not in chosen:
                brings = sum((min(row[place], target) for row, target in rest), Decimal(0))  # type: ignore[index,call-overload]
                if brings > most:
                    best, most = place, brings
        if best < 0:
            break
        chosen.append(best)
        rest = [[row, target - row[best]] for row, target in rest if target > row[best]]  # type: ignore[index]
    return chosen


def _share(group: Sequence[Line], places: Sequence[int]) -> list[Taken]:
    """Give the lines of one product what the places have: whole where it fits, then piece by piece."""
    row = group[0].row
    left = {place: row[place] for place in places}
    takes: list[Taken] = []
    split: list[Line] = []
    for line in group:
        for place in places:
            if left[place] >= line.quantity:
                left[place] -= line.quantity
                takes.append((line.number, place, line.quantity))
                break
        else:
            split.append(line)
    for line in split:
        rest = line.quantity
        for place in places:
            taken = min(rest, left[place])
            if taken > 0:
                left[place] -= taken
                rest -= taken
                takes.append((line.number, place, taken))
            if rest <= 0:
                break
    return takes
