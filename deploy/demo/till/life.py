"""What becomes of a sale in the shop: the acts of its life, and which order leads which life."""

from itertools import accumulate
from typing import Literal, NamedTuple
from zlib import crc32

Act = Literal[
    "acknowledge", "pay", "pick", "pack", "hand_over", "close", "give_back", "take_back", "void", "cancel"
]
"""`pay` is left out where the order is paid. `give_back` is a return, `take_back` voids it. `cancel` is done
in the online store."""


class Life(NamedTuple):
    """Acts one after the other: the next one comes when the sale shows the one before.

    `back` is how much is returned, `elsewhere` at another outlet than it went out from. `cash` pays what is
    due in cash, rounded. `known`: the shop has the customer's profile, and sends it first.
    """

    acts: tuple[Act, ...]
    back: Literal["one", "all"] = "one"
    elsewhere: bool = False
    cash: bool = False
    known: bool = False


SHIPPED: tuple[Act, ...] = ("acknowledge", "pay", "pick", "pack", "hand_over", "close")
QUICK: tuple[Act, ...] = ("acknowledge", "pay", "hand_over")
CASH_ROUNDS_TO = "0.10"

_KINDS: tuple[tuple[int, tuple[Act, ...]], ...] = (
    (10, SHIPPED),
    (50, QUICK),
    (20, (*QUICK, "give_back")),
    (3, (*QUICK, "give_back", "take_back")),
    (5, ("acknowledge", "pay", "give_back")),
    (7, ("acknowledge", "void")),
    (5, ("acknowledge", "cancel")),
)
"""Of the generated orders that have a life: in how many of a hundred it is this one."""
_LIMITS = tuple(accumulate(weight for weight, _ in _KINDS))


def life_of(store_id: str, order_id: str, percent: float, seed: int) -> Life | None:
    """Return the life of a generated order, None if the shop never touches it; `percent` of them have one.

    It hangs on nothing but the order and the seed: whatever is killed meanwhile, the same is done.
    """
    chance = crc32(f"{seed}/{store_id}/{order_id}".encode())
    if chance % 10_000 >= percent * 100:
        return None
    chance //= 10_000
    place = chance % _LIMITS[-1]
    acts = next(acts for limit, (_, acts) in zip(_LIMITS, _KINDS, strict=True) if place < limit)
    chance //= _LIMITS[-1]
    return Life(
        acts,
        back="all" if chance % 4 == 0 else "one",
        elsewhere=chance // 4 % 4 == 0,
        cash=chance // 16 % 2 == 0,
        known=chance // 32 % 8 == 0,
    )
