"""Sales: a list of the latest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.lookups.answer import Answer, money
from storage.lookups.customers import normal
from storage.queries import query


class SaleListed(Answer, frozen=True, kw_only=True):
    """A sale in a list; `outlets` are those of its fulfilments."""

    sale_id: str
    store_id: str
    order_id: str
    pos_sale_id: str | None
    revision: int
    cause: str
    state: str
    attributes: list[str]
    paid: bool
    currency: str
    total: str
    amount_paid: str
    refunded: str
    customer_id: str
    customer_email: str | None
    customer_name: str
    placed_at: datetime
    outlets: list[str]


_MONEY = ("total", "amount_paid", "refunded")


async def list_sales(
    connection: Any,
    *,
    store_id: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    customer: str | None = None,
    limit: int = 50,
) -> Sequence[SaleListed]:
    """Return sales, the last placed first.

    `customer` is an e-mail in any spelling or a profile's id. The sales of profiles with that e-mail, and of
    those that such a profile took over, are the same customer's (DOMAIN 6).
    """
    profiles: list[str] | None = None
    if customer is not None:
        found_ids = await connection.fetch(
            query("lookups.customer_ids"), store_id, customer, normal(customer)
        )
        # The id too, for the walk-in customer is no profile.
        profiles = [customer, *(row[0] for row in found_ids)]
    rows = await connection.fetch(query("lookups.list_sales"), store_id, state, since, profiles, limit)
    names = SaleListed.__struct_fields__
    found = []
    for row in rows:
        values = dict(zip(names, row, strict=True))
        found.append(SaleListed(**(values | {name: money(values[name]) for name in _MONEY})))
    return found
