"""What a level stands at, by one of those who know."""

from decimal import Decimal
from typing import NamedTuple

from topics.ids import OutletId, ProductId
from topics.numbers import ZERO

LevelKey = tuple[ProductId, OutletId]


class Standing(NamedTuple):
    """A level's numbers, or what they change by."""

    on_hand: Decimal = ZERO
    allocated: Decimal = ZERO
    awaiting: Decimal = ZERO

    def plus(self, other: "Standing") -> "Standing":
        return Standing(
            self.on_hand + other.on_hand, self.allocated + other.allocated, self.awaiting + other.awaiting
        )

    def less(self, other: "Standing") -> "Standing":
        return Standing(
            self.on_hand - other.on_hand, self.allocated - other.allocated, self.awaiting - other.awaiting
        )

    def __str__(self) -> str:
        on_hand, allocated, awaiting = map(plain, self)
        return f"{on_hand} on hand, {allocated} allocated, {awaiting} awaiting count"


def plain(number: Decimal) -> str:
    """Write a quantity without exponent and superfluous zeros."""
    return format(number.normalize() if number else ZERO, "f")
