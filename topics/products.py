"""`pos.products`: which SKU a product of the point of sale has today."""

import msgspec

from topics.ids import ProductId


class Product(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A product; stock is kept by its id, the SKU is only its name (DOMAIN 4). `sku` may be empty.

    `active` is false for one that was deactivated or deleted. `version` absent: the record always applies.
    """

    product_id: ProductId
    sku: str
    name: str
    active: bool = True
    version: int | None = None
    repaired: tuple[str, ...] = ()
