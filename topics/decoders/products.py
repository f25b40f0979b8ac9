"""`pos.products`: from the point of sale's product to a `Product` (DOMAIN 2)."""

import msgspec

from topics.decoders import record
from topics.decoders.lenient import Flag, Id, Mark, Text, Whole
from topics.ids import ProductId
from topics.products import Product


class WireProduct(msgspec.Struct, gc=False):
    """A product, as webhooks and both generations of the API send it: the fields that are used."""

    id: Id = None
    sku: Id = None
    name: Text = None
    base_name: Text = None
    active: Flag = None
    is_active: Flag = None
    deleted_at: Mark = None
    version: Whole = None


PRODUCT = record.Shape(WireProduct)


def decode_product(value: bytes | None) -> Product:
    """Return the record's product; ContractError when it has no id."""
    return record.read(value, PRODUCT, _build)


def _build(raw: WireProduct, mended: tuple[str, ...]) -> Product:
    active = raw.is_active if raw.active is None else raw.active
    return Product(
        product_id=ProductId(record.required(raw.id, "id")),
        sku=record.identifier(raw.sku, "sku") or "",
        name=record.plain(raw.name) or record.plain(raw.base_name) or "",
        active=active is not False and not record.is_set(raw.deleted_at),
        version=record.counted(raw.version),
        repaired=mended,
    )
