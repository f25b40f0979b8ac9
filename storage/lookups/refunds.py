"""Refunds: money given back through the point of sale."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from storage.lookups.answer import Answer, money
from storage.lookups.time_zones import known_time_zone
from storage.queries import query


class RefundListed(Answer, frozen=True, kw_only=True):
    """A refund: one tender of one return; `made_at` is its latest change (made, or voided)."""

    refund_id: str
    sale_id: str
    store_id: str
    order_id: str
    return_id: str
    outlet_id: str | None
    revision: int
    state: str
    method: str
    kind: str
    processor: str | None
    reversal: str
    amount: str
    currency: str
    made_at: datetime


async def list_refunds(
    connection: Any,
    *,
    store_id: str | None = None,
    order_id: str | None = None,
    reversal: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    time_zone: str = "UTC",
    voided_too: bool = False,
    limit: int = 50,
) -> Sequence[RefundListed]:
    """Return refunds, the last made first, of days that are both included and are those of the time zone.

    Raises StorageError when there is no such time zone.
    """
    rows = await connection.fetch(
        query("lookups.list_refunds"),
        store_id,
        order_id,
        reversal,
        voided_too,
        limit,
        first_day,
        last_day,
        await known_time_zone(connection, time_zone),
    )
    names = RefundListed.__struct_fields__
    found = []
    for row in rows:
        values = dict(zip(names, row, strict=True))
        found.append(RefundListed(**(values | {"amount": money(values["amount"])})))
    return found
