"""`stock.corrections`: an operator's order to put a stock level right."""

from decimal import Decimal

import msgspec

from topics.ids import OutletId, ProductId
from topics.numbers import ZERO


class LedgerLevel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A level as the movements add up to it: sums, and the revision of the last movement."""

    revision: int
    on_hand: Decimal = ZERO
    allocated: Decimal = ZERO
    awaiting: Decimal = ZERO


class Correction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a level is to be raised by, and the level that this was computed against.

    It applies once (`correction_id`), and only while the level is still at `revision`. `on_hand`, `allocated`
    and `awaiting` are signed changes of the level. `ledger` is there when the movements do not add up to the
    level: the movement that is written makes good for that, too. `operator` and `reason` are for whoever asks
    later why the level moved.
    """

    correction_id: str
    product_id: ProductId
    outlet_id: OutletId
    revision: int
    on_hand: Decimal = ZERO
    allocated: Decimal = ZERO
    awaiting: Decimal = ZERO
    ledger: LedgerLevel | None = None
    reason: str = ""
    operator: str = ""
