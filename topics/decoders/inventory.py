"""`pos.inventory`: three generations of one count, to an `InventoryLevel` (DOMAIN 2)."""

import msgspec

from topics.decoders import record
from topics.decoders.lenient import Flag, Id, Number, Text, Whole
from topics.ids import OutletId, ProductId
from topics.inventory import InventoryLevel
from topics.numbers import exact


class WireProductOf(msgspec.Struct, gc=False):
    """The product that a webhook embeds."""

    id: Id = None
    sku: Id = None
    name: Text = None
    active: Flag = None


class WireOutletOf(msgspec.Struct, gc=False):
    id: Id = None


class WireLevel(msgspec.Struct, gc=False):
    """`count` in webhooks, `inventory_level` in API 2.0, `current_inventory_level` from 2026-07 on."""

    product_id: Id = None
    outlet_id: Id = None
    product: WireProductOf | None = None
    outlet: WireOutletOf | None = None
    count: Number = None
    inventory_level: Number = None
    current_inventory_level: Number = None
    version: Whole = None
    sku: Id = None


LEVEL = record.Shape(WireLevel)


def decode_inventory(value: bytes | None) -> InventoryLevel:
    """Return the record's count; ContractError when it has no product, outlet or level."""
    return record.read(value, LEVEL, _build)


def _build(raw: WireLevel, mended: tuple[str, ...]) -> InventoryLevel:
    product, outlet = raw.product, raw.outlet
    product_id = record.identifier(raw.product_id, "product_id")
    if product_id is None:
        product_id = record.required(product.id if product else None, "product_id")
    outlet_id = record.identifier(raw.outlet_id, "outlet_id")
    if outlet_id is None:
        outlet_id = record.required(outlet.id if outlet else None, "outlet_id")
    levels = [
        exact(level)
        for level in (raw.current_inventory_level, raw.inventory_level, raw.count)
        if level is not None
    ]
    if not levels:
        raise record.missing("count")
    sku = record.identifier(product.sku, "product.sku") if product else None
    return InventoryLevel(
        product_id=ProductId(product_id),
        outlet_id=OutletId(outlet_id),
        level=levels[0],
        version=record.counted(raw.version),
        sku=sku or record.identifier(raw.sku, "sku"),
        name=record.plain(product.name) if product else None,
        repaired=mended,
    )
