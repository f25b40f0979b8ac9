"""Fulfilments: what outlets have to do, and did."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from storage.lookups.answer import Answer, quantity
from storage.queries import query

OPEN_STATES = ("new", "in_progress", "packed")


class FulfillmentLineListed(Answer, frozen=True, kw_only=True):
    line_id: str
    sku: str
    product_id: str | None
    quantity: Decimal
    backordered: Decimal
    picked: Decimal
    packed: Decimal
    fulfilled: Decimal


class FulfillmentListed(Answer, frozen=True, kw_only=True):
    """A fulfilment with its lines; `updated_at` is its latest change."""

    fulfillment_id: str
    sale_id: str
    store_id: str
    order_id: str
    outlet_id: str
    type: str
    state: str
    revision: int
    updated_at: datetime
    lines: list[FulfillmentLineListed]


async def list_fulfillments(
    connection: Any,
    *,
    store_id: str | None = None,
    outlet_id: str | None = None,
    order_id: str | None = None,
    states: Sequence[str] | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> Sequence[FulfillmentListed]:
    """Return fulfilments, the last changed first; `states` None: of any state."""
    heads = await connection.fetch(
        query("lookups.list_fulfillments"),
        store_id,
        outlet_id,
        None if states is None else list(states),
        since,
        order_id,
        limit,
    )
    lines: defaultdict[str, list[FulfillmentLineListed]] = defaultdict(list)
    names = FulfillmentLineListed.__struct_fields__
    for own_id, line_id, sku, product_id, *quantities in await connection.fetch(
        query("lookups.fulfillment_lines"), [head[0] for head in heads]
    ):
        values = (line_id, sku, product_id, *map(quantity, quantities))
        lines[own_id].append(FulfillmentLineListed(**dict(zip(names, values, strict=True))))
    names = FulfillmentListed.__struct_fields__
    return [FulfillmentListed(**dict(zip(names, (*head, lines[head[0]]), strict=True))) for head in heads]
