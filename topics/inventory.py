"""`pos.inventory`: the absolute stock level of a product at an outlet, as the point of sale counts it."""

from decimal import Decimal

import msgspec

from topics.ids import OutletId, ProductId


class InventoryLevel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One count. Negative and fractional levels are normal.

    `version` is monotonic per product and outlet; absent (None), the count always applies. `sku` and `name`
    come from the embedded product and are absent where only its id was sent.
    """

    product_id: ProductId
    outlet_id: OutletId
    level: Decimal
    version: int | None = None
    sku: str | None = None
    name: str | None = None
    repaired: tuple[str, ...] = ()
