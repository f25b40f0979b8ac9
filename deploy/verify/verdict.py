"""The comparison of what was published with what came out."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from deploy.verify.ledger import Ledger, LevelKey
from topics.ids import OrderId, StoreId

OrderKey = tuple[StoreId, OrderId]

_ORDERS = "SELECT store_id, order_id, count(*) AS rows FROM tillstream.sales GROUP BY store_id, order_id"
_COUNTS = """
SELECT (SELECT count(*) FROM tillstream.sales) AS sales,
       (SELECT count(*) FROM tillstream.fulfillments) AS fulfillments,
       (SELECT count(*) FROM tillstream.stock_movements) AS movements,
       (SELECT count(*) FROM tillstream.dead_letters) AS dead_letters,
       (SELECT count(*)
          FROM tillstream.stock_levels AS level
          JOIN (SELECT store_id, product_id, outlet_id, sum(allocated) AS allocated, sum(on_hand) AS on_hand
                  FROM tillstream.stock_movements GROUP BY store_id, product_id, outlet_id) AS ledger
         USING (store_id, product_id, outlet_id)
         WHERE level.allocated <> ledger.allocated OR level.on_hand <> ledger.on_hand) AS unequal_levels
"""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found; the last four are 0 when the promise was kept.

    `missing`: published orders that have no sale in the topic, or none in Postgres. `duplicates`: events or
    sales that are there twice, revisions with a gap, and rows that Postgres has more than the topics.
    `oversold`: pieces promised beyond a level without the backordered flag. `unequal`: levels that are not
    the sum of their movements, in the topics, in Postgres, or against the sales' open allocations.
    """

    orders: int
    sales: int
    fulfillments: int
    dead_letters: int
    missing: int
    duplicates: int
    oversold: int
    unequal: int

    @property
    def kept(self) -> bool:
        return not (self.missing or self.duplicates or self.oversold or self.unequal)


async def judge(published: Collection[OrderKey], ledger: Ledger, connection: Any) -> Verdict:
    """Compare; the ledger must have been read to the end, and Postgres have caught up.

    `connection` is an asyncpg connection that may read the schema `tillstream`.
    """
    rows = {(row["store_id"], row["order_id"]): row["rows"] for row in await connection.fetch(_ORDERS)}
    counts = await connection.fetchrow(_COUNTS)
    wanted = set(published)
    return Verdict(
        orders=len(wanted),
        sales=counts["sales"],
        fulfillments=counts["fulfillments"],
        dead_letters=counts["dead_letters"],
        missing=len(wanted - ledger.orders.keys()) + len(wanted - rows.keys()),
        duplicates=(
            ledger.doubled
            + ledger.gaps
            + sum(count - 1 for count in ledger.orders.values())
            + sum(count - 1 for count in rows.values())
            + max(0, counts["movements"] - ledger.movements)
        ),
        oversold=oversold(ledger),
        unequal=counts["unequal_levels"] + unequal(ledger),
    )


def oversold(ledger: Ledger) -> int:
    """Count the pieces promised beyond what was on hand, without being flagged as backordered."""
    excess = Decimal(0)
    for key, (quantity, backordered) in ledger.allocated().items():
        on_hand = ledger.levels[key].on_hand if key in ledger.levels else Decimal(0)
        excess += max(Decimal(0), quantity - backordered - max(Decimal(0), on_hand))
    return int(excess)


def unequal(ledger: Ledger) -> int:
    """Count the levels whose movements do not sum to what the sales hold there."""
    held: Mapping[LevelKey, tuple[Decimal, Decimal]] = ledger.allocated()
    keys = held.keys() | ledger.levels.keys()
    zero = (Decimal(0), Decimal(0))
    return sum(ledger.levels[key].allocated != held.get(key, zero)[0] for key in keys)
