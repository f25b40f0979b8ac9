"""`stock.movements`: the append-only ledger of every change to a stock level."""

from decimal import Decimal
from typing import Literal

import msgspec

from topics.event import Event, Source
from topics.ids import LineId, OrderId, OutletId, ProductId, SaleId
from topics.numbers import ZERO

MovementKind = Literal[
    "counted", "allocated", "released", "acknowledged", "fulfilled", "returned", "corrected"
]
"""`acknowledged`: the point of sale took the pieces off its own level as it received the sale (DOMAIN 4).
`corrected`: an operator put the level right."""


class Movement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One change of one (product, outlet).

    `on_hand`, `allocated` and `awaiting` are the signed changes; their sums over all movements are the
    level's values at all times (DOMAIN 4). The `*_after` fields are those values once the change is made, and
    `revision` counts the changes of that level without gaps. `quantity` is how many pieces were allocated,
    released, acknowledged, fulfilled or returned, which may move no level; absent of a count or a correction.
    """

    kind: MovementKind
    product_id: ProductId
    sku: str
    outlet_id: OutletId
    revision: int
    quantity: Decimal = ZERO
    on_hand: Decimal = ZERO
    allocated: Decimal = ZERO
    awaiting: Decimal = ZERO
    on_hand_after: Decimal = ZERO
    allocated_after: Decimal = ZERO
    awaiting_after: Decimal = ZERO
    line_id: LineId | None = None


class StockMoved(Event, frozen=True, kw_only=True, gc=False):
    """All movements of one cause, in order: an order of many lines moves stock in one record."""

    cause: str
    source: Source
    movements: tuple[Movement, ...]
    sale_id: SaleId | None = None
    order_id: OrderId | None = None
