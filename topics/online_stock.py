"""`ecom.stock`: the online level of a SKU, for the online store."""

from decimal import Decimal

from topics.event import Event
from topics.ids import ProductId


class OnlineStock(Event, frozen=True, kw_only=True, gc=False):
    """The level that the online store may sell: Σ available over connected outlets (DOMAIN 4).

    `level` is not below 0; `raw` keeps the sum as it is. `product_id` is absent when the SKU was withdrawn
    (its product got another SKU), and the level is then 0.
    """

    sku: str
    level: Decimal
    raw: Decimal
    product_id: ProductId | None
