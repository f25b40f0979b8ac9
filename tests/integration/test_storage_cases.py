"""Reported faults (tests/fixtures/cases) from the records' bytes to the rows and the report of payments."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from storage.history import History
from tests.integration.storage_log import Log, contents, write_all
from tests.pure_store import START, PureStore, link
from topics.codec import EVENTS
from topics.decoders import (
    decode_inventory,
    decode_link,
    decode_orders,
    decode_pos_fulfillment,
    decode_pos_sale,
    decode_product,
)
from topics.ids import StoreId

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
DECODE: dict[str, Callable[[bytes], Sequence[Any]]] = {
    "ecom.orders": lambda value: decode_orders(value, START),
    "pos.inventory": lambda value: [decode_inventory(value)],
    "pos.products": lambda value: [decode_product(value)],
    "pos.sales": lambda value: [decode_pos_sale(value)],
    "pos.fulfillments": lambda value: [decode_pos_fulfillment(value)],
}
TOPICS = {kind: topic for topic, kind in EVENTS.items()}


def decided(name: str) -> Log:
    """The topics as they are once the rules have decided a case's records."""
    (path,) = CASES.glob(f"{name}-*.json")
    case = json.loads(path.read_text(encoding="utf-8"))
    store = PureStore(StoreId(f"case-{name}"))
    given = case.get("store_link")
    store.link(decode_link(json.dumps(given).encode()) if given else link())
    for record in case["records"]:
        for message in DECODE[record["topic"]](json.dumps(record["value"]).encode()):
            store.tell(message)
    log = Log()
    for event in store.events:
        if TOPICS[type(event)] != "ecom.stock":
            log.add(TOPICS[type(event)], event, store.store_id.encode())
    return log


async def test_11_cash_that_was_rounded_and_given_back_is_nothing_net(
    history: History, connection: Any
) -> None:
    await write_all(history, decided("11"))

    report = await connection.fetch(
        """
        SELECT name, sum(amount_in)::text, sum(amount_out)::text, sum(net)::text
        FROM payment_report
        WHERE store_id = 'case-11'
        GROUP BY name
        ORDER BY name
        """
    )
    assert [tuple(row) for row in report] == [
        ("Cash", "10.00", "10.00", "0.00"),
        ("Cash rounding", "-0.02", "-0.02", "0.00"),
    ]
    sale = await connection.fetchrow("SELECT pos_sale_id, paid, amount_paid::text, refunded::text FROM sales")
    assert tuple(sale) == ("s-11", True, "9.98", "9.98")


async def test_05_a_line_that_came_back_in_two_rows_is_back_twice_and_its_money_is_to_be_given_back(
    history: History, connection: Any
) -> None:
    await write_all(history, decided("05"))

    assert await connection.fetchval("SELECT sum(quantity) FROM sale_returns WHERE state = 'returned'") == 2
    line = await connection.fetchrow("SELECT quantity, fulfilled, returned FROM sale_lines")
    assert tuple(line) == (3, 3, 2)
    refund = await connection.fetchrow("SELECT method, amount::text, reversal FROM refunds")
    assert tuple(refund) == ("Stripe", "20.00", "manual")
    report = await connection.fetchrow(
        "SELECT name, sum(amount_in)::text, sum(amount_out)::text, sum(manual)::text"
        " FROM payment_report GROUP BY name"
    )
    assert tuple(report) == ("Stripe", "30.00", "20.00", "20.00")


async def test_06_the_movements_of_a_return_and_a_cancellation_add_up_to_the_level(
    history: History, connection: Any
) -> None:
    log = decided("06")
    await write_all(history, log)
    before = await contents(connection)
    await connection.execute("TRUNCATE progress")
    await write_all(history, log)

    level = await connection.fetchrow("SELECT on_hand, allocated, awaiting FROM stock_levels")
    sums = await connection.fetchrow(
        "SELECT sum(on_hand), sum(allocated), sum(awaiting) FROM stock_movements"
    )
    assert tuple(level) == tuple(sums) == (99, 0, 0)
    kinds = dict(
        await connection.fetch(
            "SELECT kind, sum(quantity)::int FROM stock_movements WHERE kind <> 'counted' GROUP BY kind"
        )
    )
    assert kinds == {"allocated": 2, "fulfilled": 2, "returned": 1}
    assert await contents(connection) == before
    assert before["dead_letters"] == []
