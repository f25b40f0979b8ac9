"""Whether Postgres holds what the topics say, each thing once."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger
from topics.ids import OrderId, StoreId

OrderKey = tuple[StoreId, OrderId]
Row = tuple[Any, ...]

_ORDERS = "SELECT store_id, order_id, count(*) AS rows FROM tillstream.sales GROUP BY store_id, order_id"
_SALES = "SELECT sale_id::text AS id, revision, state, refunded FROM tillstream.sales"
_FULFILLMENTS = "SELECT fulfillment_id::text AS id, revision, state FROM tillstream.fulfillments"
_REFUNDS = "SELECT refund_id::text AS id, revision, state, amount FROM tillstream.refunds"
_RETURNS = """
SELECT sale_id::text || ' ' || return_id AS id, state, sum(quantity) AS pieces
FROM tillstream.sale_returns GROUP BY sale_id, return_id, state
"""
_EXCEPTIONS = "SELECT exception_id::text AS id, revision, open FROM tillstream.exceptions"
_LEVELS = """
SELECT store_id || ' ' || product_id || ' ' || outlet_id AS id, on_hand, allocated, awaiting
FROM tillstream.stock_levels
"""
_UNEQUAL_LEVELS = """
SELECT store_id, product_id, outlet_id
FROM tillstream.stock_levels AS level
JOIN (SELECT store_id, product_id, outlet_id,
             sum(on_hand) AS on_hand, sum(allocated) AS allocated, sum(awaiting) AS awaiting
      FROM tillstream.stock_movements GROUP BY store_id, product_id, outlet_id) AS ledger
     USING (store_id, product_id, outlet_id)
WHERE (level.on_hand, level.allocated, level.awaiting)
      IS DISTINCT FROM (ledger.on_hand, ledger.allocated, ledger.awaiting)
"""
_COUNTS = """
SELECT (SELECT count(*) FROM tillstream.sales) AS sales,
       (SELECT count(*) FROM tillstream.fulfillments) AS fulfillments,
       (SELECT count(DISTINCT (sale_id, return_id)) FROM tillstream.sale_returns) AS returns,
       (SELECT count(*) FROM tillstream.refunds) AS refunds,
       (SELECT count(*) FROM tillstream.stock_movements) AS movements,
       (SELECT count(*) FROM tillstream.dead_letters) AS dead_letters
"""


class Counts(msgspec.Struct, frozen=True):
    """How many rows Postgres holds of each."""

    sales: int
    fulfillments: int
    returns: int
    refunds: int
    movements: int
    dead_letters: int


async def check(
    published: Collection[OrderKey], ledger: Ledger, connection: Any, findings: Findings
) -> Counts:
    """Compare, and return the counts; `connection` may read the schema `tillstream`."""
    counts = Counts(**await connection.fetchrow(_COUNTS))
    per_order = {(row["store_id"], row["order_id"]): row["rows"] for row in await connection.fetch(_ORDERS)}
    for store_id, order_id in set(published) - per_order.keys():
        findings.add("postgres_unlike_topics", f"{store_id}/{order_id} has no row")
    for (store_id, order_id), rows in per_order.items():
        findings.add("postgres_unlike_topics", f"{store_id}/{order_id} has {rows} rows", rows - 1)
    for table, query, due in _due(ledger):
        _compare(table, due, {row["id"]: tuple(row)[1:] for row in await connection.fetch(query)}, findings)
    late = ledger.movements - counts.movements
    findings.add(
        "postgres_unlike_topics",
        f"{counts.movements} movements in Postgres, {ledger.movements} on the topic",
        abs(late),
    )
    for row in await connection.fetch(_UNEQUAL_LEVELS):
        findings.add(
            "postgres_unlike_topics", f"{'/'.join(row)}: its row is not the sum of the rows of its movements"
        )
    return counts


def _due(ledger: Ledger) -> list[tuple[str, str, Mapping[str, Row]]]:
    sales = ledger.sales.values()
    return [
        ("sales", _SALES, {sale.sale_id: (sale.revision, sale.state, sale.refunded) for sale in sales}),
        (
            "fulfillments",
            _FULFILLMENTS,
            {key: (event.revision, event.state) for key, event in ledger.fulfillments.items()},
        ),
        (
            "refunds",
            _REFUNDS,
            {key: (event.revision, event.state, event.amount) for key, event in ledger.refunds.items()},
        ),
        (
            "sale_returns",
            _RETURNS,
            {
                f"{sale.sale_id} {seen.return_id}": (seen.state, seen.pieces)
                for sale in sales
                for seen in sale.returns
            },
        ),
        (
            "exceptions",
            _EXCEPTIONS,
            {key: (event.revision, event.open) for key, event in ledger.exceptions.items()},
        ),
        (
            "stock_levels",
            _LEVELS,
            {
                " ".join(key): (level.on_hand, level.allocated, level.awaiting)
                for key, level in ledger.levels.items()
                if level.revision
            },
        ),
    ]


def _compare(table: str, due: Mapping[str, Row], rows: Mapping[str, Row], findings: Findings) -> None:
    for key in due.keys() - rows.keys():
        findings.add("postgres_unlike_topics", f"{table} has no row {key}")
    for key in rows.keys() - due.keys():
        findings.add("postgres_unlike_topics", f"{table} has a row {key} that no event made")
    for key in due.keys() & rows.keys():
        if due[key] != rows[key]:
            findings.add(
                "postgres_unlike_topics",
                f"{table} {key}: {_shown(rows[key])}, its event says {_shown(due[key])}",
            )


def _shown(row: Row) -> str:
    return ", ".join(map(str, row))
