"""Events into rows on a real Postgres: each once and at its newest revision, whatever comes twice or late."""

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from storage import schema
from storage.history import History
from tests.integration.storage_log import (
    NOON,
    STORE,
    Log,
    attention,
    contents,
    customer,
    everything,
    fulfillment,
    line,
    moved,
    sale,
    write_all,
)
from topics.codec import encode
from topics.sales import Payment


async def test_a_sale_is_a_row_with_its_lines_payments_and_exact_amounts(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add(
        "sales", sale(total=Decimal("0.10"), lines=[line(quantity=Decimal("1.250"), price=Decimal("1E+3"))])
    )

    await write_all(history, log)

    row = await connection.fetchrow("SELECT * FROM sales")
    assert (row["store_id"], row["order_id"], row["revision"], row["state"]) == (STORE, "1001", 1, "pending")
    assert str(row["total"]) == "0.10"
    assert row["attributes"] == ["delivery"]
    assert row["placed_at"] == NOON
    assert row["recorded_at"] > row["received_at"]
    the_line = await connection.fetchrow("SELECT * FROM sale_lines")
    assert str(the_line["quantity"]) == "1.250"
    assert the_line["price"] == 1000
    payment = await connection.fetchrow("SELECT * FROM sale_payments")
    assert (payment["name"], payment["amount"], payment["taken_at"]) == ("Stripe", Decimal("24.90"), NOON)


async def test_the_document_is_the_event_as_it_stands_on_the_topic(history: History, connection: Any) -> None:
    log = Log()
    log.add("sales", sale())

    await write_all(history, log)

    assert (await connection.fetchval("SELECT document FROM sales")).encode() == encode(sale())


async def test_a_newer_revision_replaces_the_sale_and_the_lines_that_are_gone(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add("sales", sale(lines=[line(1), line(2), line(3)]))
    await write_all(history, log)
    log.add("sales", sale(revision=2, lines=[line(3)], payments=()))
    await write_all(history, log)

    assert await connection.fetchval("SELECT revision FROM sales") == 2
    assert [row[0] for row in await connection.fetch("SELECT line_id FROM sale_lines")] == ["3"]
    assert await connection.fetchval("SELECT count(*) FROM sale_payments") == 0


async def test_of_several_revisions_in_one_unit_the_newest_is_the_row(
    history: History, connection: Any
) -> None:
    log = Log()
    for revision in (1, 2, 3):
        log.add("sales", sale(revision=revision))
        log.add("fulfillments", fulfillment(revision=revision, state="new" if revision < 3 else "packed"))

    await write_all(history, log)

    assert await connection.fetchval("SELECT revision FROM sales") == 3
    assert await connection.fetchval("SELECT state FROM fulfillments") == "packed"
    assert await connection.fetchval("SELECT count(*) FROM fulfillment_lines") == 1


@pytest.mark.parametrize("late", [1, 2])
async def test_an_older_revision_that_comes_later_changes_nothing(
    history: History, connection: Any, late: int
) -> None:
    log = Log()
    log.add("sales", sale(revision=3, state="closed"))
    log.add("customers", customer(revision=3, name="Ada Q"))
    await write_all(history, log)
    before = await contents(connection)
    log.add("sales", sale(revision=late))
    log.add("customers", customer(revision=late))
    log.add("sales", sale("1002"))
    await write_all(history, log)

    after = await contents(connection)
    assert after["customers"] == before["customers"]
    assert after["dead_letters"] == []
    states = {row[0]: row[1] for row in await connection.fetch("SELECT order_id, state FROM sales")}
    assert states == {"1001": "closed", "1002": "pending"}


async def test_a_log_that_is_written_twice_gives_the_same_rows(history: History, connection: Any) -> None:
    log = everything()
    await write_all(history, log)
    before = await contents(connection)
    await connection.execute("TRUNCATE progress")
    await write_all(history, log)

    assert await contents(connection) == before
    assert all(before.values()), "every table has something to compare"


async def test_an_older_copy_of_the_database_goes_on_from_its_own_positions_and_heals(
    history: History, connection: Any, database: str
) -> None:
    place = urlsplit(database)
    name = place.path.removeprefix("/")
    older = place._replace(path=f"/{name}_old").geturl()
    log = everything()
    await write_all(history, log)
    # A database can be copied when nobody is in it.
    await history.close()
    await connection.close()
    server = await asyncpg.connect(place._replace(path="/postgres").geturl())
    await server.execute(f"CREATE DATABASE {name}_old TEMPLATE {name}")
    try:
        for revision in (2, 3):
            log.add("sales", sale(revision=revision, lines=[line(revision)]))
            log.add("stock.movements", moved(revision + 1))
        log.add("customers", customer(2))
        await write_all(history, log)
        healed = History({"dsn": older}, consumer="history")
        assert await healed.positions([("sales", 0)]) == {("sales", 0): 1}
        await write_all(healed, log)
        await healed.close()
        rows = []
        for dsn in (database, older):
            reader = await asyncpg.connect(dsn, server_settings={"search_path": schema.SCHEMA})
            rows.append(await contents(reader))
            await reader.close()
        assert rows[0] == rows[1]
    finally:
        await server.execute(f"DROP DATABASE {name}_old WITH (FORCE)")
        await server.close()


async def test_a_level_is_what_its_latest_movement_left(history: History, connection: Any) -> None:
    log = Log()
    for revision in (1, 2, 3):
        log.add("stock.movements", moved(revision))
    await write_all(history, log)
    log.add("stock.movements", moved(4))
    log.add("stock.movements", moved(1, product="p-2", outlet="nelson"))
    await write_all(history, log)

    levels = await connection.fetch(
        "SELECT product_id, revision, on_hand, allocated FROM stock_levels ORDER BY product_id"
    )
    assert [tuple(row) for row in levels] == [("p-1", 4, 10, 4), ("p-2", 1, 10, 1)]
    sums = await connection.fetch(
        "SELECT product_id, sum(allocated) FROM stock_movements GROUP BY product_id ORDER BY product_id"
    )
    assert [tuple(row) for row in sums] == [("p-1", 4), ("p-2", 1)]


async def test_an_exception_closes_and_opens_again(history: History, connection: Any) -> None:
    log = Log()
    log.add("exceptions", attention())
    await write_all(history, log)
    log.add("exceptions", attention(revision=2, is_open=False))
    await write_all(history, log)
    assert await connection.fetchval("SELECT open FROM exceptions") is False
    log.add("exceptions", attention(revision=3))
    await write_all(history, log)
    assert await connection.fetchval("SELECT open FROM exceptions") is True


async def test_a_payment_without_a_time_counts_from_the_order(history: History, connection: Any) -> None:
    log = Log()
    cash = Payment(payment_id="pay-1", kind="rounding", name="Rounding", amount=Decimal("-0.05"))
    log.add("sales", sale(payments=(cash,)))

    await write_all(history, log)

    report = await connection.fetchrow("SELECT day::text, name, payments, amount FROM payments_by_day")
    assert tuple(report) == ("2026-03-02", "Rounding", 1, Decimal("-0.05"))


async def test_the_views_answer_the_daily_questions(history: History, connection: Any) -> None:
    log = everything()
    log.add("sales", sale("1002", state="voided", total=Decimal("5.00")))
    await write_all(history, log)

    days = await connection.fetch("SELECT sales, voided, total FROM sales_by_day")
    assert [tuple(row) for row in days] == [(1, 1, Decimal("24.90"))]
    (open_order,) = await connection.fetch("SELECT order_id, outlets, open_fulfillments FROM open_orders")
    assert tuple(open_order) == ("1001", ["auckland"], 1)
    (stock,) = await connection.fetch("SELECT sku, on_hand, allocated, available FROM stock_by_sku")
    assert tuple(stock) == ("SHOE-1", 10, 2, 8)
