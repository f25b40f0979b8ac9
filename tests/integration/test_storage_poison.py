"""Records that cannot be rows as they are: mended, cut, or a dead letter; their neighbours are written."""

import random
from typing import Any

import msgspec
import pytest

from storage.encoding import INDEXED_CHARS
from storage.history import History
from tests.integration.storage_log import (
    STORE,
    Log,
    customer,
    fulfillment,
    line,
    moved,
    sale,
    write_all,
)
from topics.codec import encode

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
