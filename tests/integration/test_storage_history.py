"""Events into rows on a real Postgres: each once and at its newest revision, whatever comes twice or late."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from storage import schema
from storage.encoding import INDEXED_CHARS
from storage.errors import FencedError, OutOfPlaceError
from storage.history import History
from tests.integration.storage_log import (
    NOON,
    STORE,
    Log,
    attention,
    customer,
    fulfillment,
    line,
    moved,
    sale,
    write_all,
)
from topics.codec import encode
from topics.sales import Payment

TABLES = (
    "sales", "sale_lines", "sale_payments", "fulfillments", "fulfillment_lines",
    "stock_movements", "stock_levels", "customers", "exceptions", "dead_letters",
)  # fmt: skip


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    """An analyst's session on an empty history."""
    connection = await asyncpg.connect(database, server_settings={"search_path": schema.SCHEMA})
    await schema.migrate(connection)
    await connection.execute(f"TRUNCATE progress, {', '.join(TABLES)}")
    yield connection
    await connection.close()


@pytest.fixture
async def history(connection: Any, database: str) -> AsyncIterator[History]:
    history = History({"dsn": database}, consumer="history")
    yield history
    await history.close()


async def contents(connection: Any) -> dict[str, list[str]]:
    """All rows as text, but for the clock of the write."""
    return {
        table: sorted(
            row[0]
            for row in await connection.fetch(f"SELECT (to_jsonb(t) - 'recorded_at')::text FROM {table} AS t")
        )
        for table in TABLES
    }


def everything() -> Log:
    log = Log()
    log.add("fulfillments", fulfillment())
    log.add("sales", sale(lines=[line(1), line(2)]))
    log.add("stock.movements", moved(1))
    log.add("stock.movements", moved(2))
    log.add("customers", customer())
    log.add("exceptions", attention())
    log.add("dead.letters", _letter())
    return log


def _letter(reason: str = "bad_number") -> bytes:
    return msgspec.json.encode(
        {
            "dead_letter_id": "letter-1",
            "reason": reason,
            "detail": "items[0].quantity: not finite: NaN",
            "source": {"topic": "ecom.orders", "partition": 0, "offset": 7},
            "record_time": NOON,
            "processed_at": NOON,
            "store_id": STORE,
            "head": b'{"id":1}',
            "length": 8,
            "sha256": "00",
        }
    )


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


async def test_a_movement_whose_place_another_event_holds_is_a_dead_letter_and_changes_no_level(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add("stock.movements", moved(1))
    await write_all(history, log)
    log.add("stock.movements", moved(1, event_id="another"))
    log.add("stock.movements", moved(2))
    await write_all(history, log)

    assert await connection.fetchval("SELECT count(*) FROM stock_movements") == 2
    letter = await connection.fetchrow("SELECT reason, source_offset, detail FROM dead_letters")
    assert (letter["reason"], letter["source_offset"]) == ("not_a_row", 1)
    assert "another" in letter["detail"]


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


BROKEN = {
    "bytes that are not JSON": b"\xff\x00 nothing",
    "JSON of another shape": b'{"sale_id": 5}',
    "no value": None,
    "nested without end": b"[" * 100_000,
    "a total that is not a number": encode(sale("9")).replace(b'"24.90"', b'"NaN"'),
    "a total that is infinite": encode(sale("9")).replace(b'"24.90"', b'"Infinity"'),
    "a total beyond all bounds": encode(sale("9")).replace(b'"24.90"', b'"1E+999999"'),
    "a revision beyond the column": encode(sale("9", revision=3_000_000_000)),
    "an id that is not one": encode(sale("9", sale_id="not-a-uuid")),
    "a time that is none": encode(sale("9")).replace(b"2026-03-02T12:00:00Z", b"yesterday"),
    "an order id that no index can hold": encode(
        sale("".join(random.Random(4).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000)))
    ),
    "the order of another sale": encode(sale("1000", sale_id="5f0c1c1e-7d3a-5b0e-9a53-0d7d5a1f4c11")),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_record_that_cannot_be_a_row_is_a_dead_letter_and_its_neighbours_are_written(
    history: History, connection: Any, kind: str
) -> None:
    log = Log()
    log.add("sales", sale("1000"))
    offset = log.add("sales", BROKEN[kind])
    for order in ("1001", "1002", "1003"):
        log.add("sales", sale(order))
        log.add("fulfillments", fulfillment(order))

    await write_all(history, log)
    await write_all(history, log)

    orders = [row[0] for row in await connection.fetch("SELECT order_id FROM sales ORDER BY order_id")]
    assert orders == ["1000", "1001", "1002", "1003"]
    assert await connection.fetchval("SELECT count(*) FROM fulfillments") == 3
    letters = await connection.fetch("SELECT * FROM dead_letters")
    assert [(row["source_topic"], row["source_offset"], row["found_by"]) for row in letters] == [
        ("sales", offset, "history")
    ]
    value = BROKEN[kind] or b""
    assert letters[0]["length"] == len(value)
    assert value.startswith(letters[0]["head"])
    assert letters[0]["store_id"] == STORE
    assert await history.positions([("sales", 0)]) == {("sales", 0): 5}


async def test_a_broken_first_record_of_a_unit_of_one_is_passed(history: History, connection: Any) -> None:
    log = Log()
    log.add("sales", b"{}", key=None)

    await write_all(history, log)

    assert await connection.fetchval("SELECT count(*) FROM dead_letters") == 1
    assert await history.positions([("sales", 0)]) == {("sales", 0): 1}


async def test_text_too_long_for_an_index_is_cut_in_the_column_and_whole_in_the_document(
    history: History, connection: Any
) -> None:
    sku = "".join(random.Random(6).choices("".join(map(chr, range(33, 127))), k=6_000))
    email = "é" * 5_000 + "@example.com"
    event = sale(lines=[line(sku=sku)])
    event = msgspec.structs.replace(event, customer=msgspec.structs.replace(event.customer, email=email))
    log = Log()
    log.add("sales", event)
    log.add("customers", customer(email=email))

    await write_all(history, log)

    assert await connection.fetchval("SELECT sku FROM sale_lines") == sku[:INDEXED_CHARS]
    assert await connection.fetchval("SELECT document->'lines'->0->>'sku' FROM sales") == sku
    assert await connection.fetchval("SELECT email FROM customers") == email[:INDEXED_CHARS]
    assert await connection.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_a_stray_nul_is_taken_out_of_columns_and_document(history: History, connection: Any) -> None:
    log = Log()
    # The second backslash is text: this name ends in "\u0000", spelled out, and has no NUL there.
    log.add("sales", encode(sale()).replace(b"Ada Quill", b"Ada\\u0000 Quill\\\\u0000"))

    await write_all(history, log)

    assert await connection.fetchval("SELECT customer_name FROM sales") == "Ada Quill\\u0000"
    assert (
        await connection.fetchval("SELECT document::jsonb->'customer'->>'name' FROM sales")
        == "Ada Quill\\u0000"
    )


async def test_a_payment_without_a_time_counts_from_the_order(history: History, connection: Any) -> None:
    log = Log()
    cash = Payment(payment_id="pay-1", kind="rounding", name="Rounding", amount=Decimal("-0.05"))
    log.add("sales", sale(payments=(cash,)))

    await write_all(history, log)

    report = await connection.fetchrow("SELECT day::text, name, payments, amount FROM payments_by_day")
    assert tuple(report) == ("2026-03-02", "Rounding", 1, Decimal("-0.05"))


async def test_a_worker_whose_partition_was_taken_over_writes_nothing(
    history: History, connection: Any, database: str
) -> None:
    log = Log()
    log.add("sales", sale("1001"))
    zombie = History({"dsn": database}, consumer="history")
    stale = log.after(await zombie.positions(log.places()))
    await write_all(history, log)
    log.add("sales", sale("1002"))
    late = log.after({("sales", 0): 1})

    with pytest.raises(FencedError, match="sales/0"):
        await zombie.write(0, stale)
    await history.write(0, late)
    with pytest.raises(OutOfPlaceError):
        await zombie.write(0, late)
    await zombie.close()

    assert await connection.fetchval("SELECT count(*) FROM sales") == 2


async def test_a_worker_that_was_overtaken_in_mid_log_writes_nothing(
    history: History, connection: Any, database: str
) -> None:
    log = Log()
    log.add("sales", sale("1001"))
    await write_all(history, log)
    log.add("sales", sale("1002"))
    zombie = History({"dsn": database}, consumer="history")
    stale = log.after(await zombie.positions(log.places()))
    await history.write(0, stale)

    with pytest.raises(FencedError):
        await zombie.write(0, stale)
    await zombie.close()

    assert await connection.fetchval("SELECT count(*) FROM sales") == 2


async def test_of_two_workers_that_write_the_same_at_once_one_succeeds(
    history: History, connection: Any, database: str
) -> None:
    log = everything()
    other = History({"dsn": database}, consumer="history")
    batches = log.after(await history.positions(log.places()))
    await other.positions(log.places())

    results = await asyncio.gather(history.write(0, batches), other.write(0, batches), return_exceptions=True)
    await other.close()

    assert sorted(type(result).__name__ for result in results) == ["FencedError", "NoneType"]
    assert await connection.fetchval("SELECT count(*) FROM sales") == 1


async def test_batches_that_do_not_begin_where_the_history_ends_are_refused(
    history: History, connection: Any
) -> None:
    log = Log()
    for order in ("1001", "1002"):
        log.add("sales", sale(order))
    await history.positions(log.places())
    await history.write(0, log.after({("sales", 0): 0}))

    for wrong in (0, 1):
        with pytest.raises(OutOfPlaceError, match="goes on at offset 2"):
            await history.write(0, log.after({("sales", 0): wrong}))
    assert await connection.fetchval("SELECT count(*) FROM sales") == 2


async def test_offsets_without_records_are_passed(history: History, connection: Any) -> None:
    log = Log()
    await history.positions([("sales", 0)])
    log.add("sales", sale())
    (batch,) = log.after({("sales", 0): None})
    marker = type(batch)("sales", [], 1, 2)

    await history.write(0, [batch, marker])

    assert await history.positions([("sales", 0)]) == {("sales", 0): 2}


async def test_partitions_and_prefixes_are_kept_apart(
    history: History, connection: Any, database: str
) -> None:
    other = History({"dsn": database}, consumer="test.history", prefix="test.")
    log, prefixed = Log(partition=3), Log(partition=3, prefix="test.")
    log.add("sales", sale("1001"))
    prefixed.add("sales", sale("1002"))

    await write_all(history, log)
    await write_all(other, prefixed)
    await other.close()

    places = await connection.fetch("SELECT consumer, topic, partition, next_offset FROM progress ORDER BY 1")
    assert [tuple(row) for row in places] == [
        ("history", "sales", 3, 1),
        ("test.history", "test.sales", 3, 1),
    ]


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
