"""The checks from the outside find what is wrong: in the topics, in Postgres, against what was told."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from deploy.verify.ledger import Ledger
from deploy.verify.told import Told, ToldReturn, ToldSale
from deploy.verify.verdict import NOTHING_TOLD, Verdict, judge
from tests.system.installation import Installation
from tests.system.whole_life import ORDERS, STORE
from topics.codec import EVENTS
from topics.ids import OrderId, OutletId, ProductId, StoreId, sale_id

Record = tuple[str, dict[str, Any]]
"""Topic and event."""
POSTED = sale_id(StoreId(STORE), OrderId("POSTED"))
HAT = (StoreId(STORE), ProductId("p-hat"), OutletId("o2"))
SHIRT = (StoreId(STORE), ProductId("p-shirt"), OutletId("o1"))


def records(shop: Installation) -> Iterator[Record]:
    for topic in Ledger.TOPICS:
        for record in shop.journal.records(EVENTS[topic], STORE):
            yield topic, json.loads(record.value)


async def judged(
    shop: Installation,
    read: list[Record],
    connection: asyncpg.Connection | None = None,
    told: Told = NOTHING_TOLD,
    published: list[Any] = ORDERS,
) -> Verdict:
    """Judge what a reader of these records would; Postgres is as it is, or as that connection sees it."""
    ledger = Ledger(shop.settings)
    try:
        for topic, event in read:
            ledger.take(topic, json.dumps(event).encode())
    finally:
        await ledger.stop()
    if connection is not None:
        return await judge(published, ledger, connection, told)
    async with shop.connected() as own:
        return await judge(published, ledger, own, told)


def lost(topic: str, which: Callable[[dict[str, Any]], bool]) -> Callable[[list[Record]], list[Record]]:
    def change(read: list[Record]) -> list[Record]:
        place = max(place for place, (name, event) in enumerate(read) if name == topic and which(event))
        return read[:place] + read[place + 1 :]

    return change


def changed(
    topic: str, which: Callable[[dict[str, Any]], bool], **values: Any
) -> Callable[[list[Record]], list[Record]]:
    def change(read: list[Record]) -> list[Record]:
        place = max(place for place, (name, event) in enumerate(read) if name == topic and which(event))
        return [*read[:place], (topic, read[place][1] | values), *read[place + 1 :]]

    return change


def twice(read: list[Record]) -> list[Record]:
    return [*read, read[-1]]


def is_posted(event: dict[str, Any]) -> bool:
    return event["order_id"] == "POSTED"


def moved(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["movements"][0]["kind"] == kind


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lost("sales", lambda event: is_posted(event) and event["revision"] == 2), "gaps"),
        (lost("fulfillments", lambda event: is_posted(event) and event["revision"] == 2), "gaps"),
        (lost("fulfillments", lambda event: is_posted(event) and event["state"] == "fulfilled"), "unequal"),
        (lost("refunds", is_posted), "missing"),
        (lost("stock.movements", moved("fulfilled")), "unequal"),
        (lost("stock.movements", moved("returned")), "unequal"),
        (lost("stock.movements", moved("counted")), "unequal"),
        (lost("sales", lambda event: event["order_id"] == "VOID"), "unequal"),
        (changed("refunds", is_posted, amount="9.00"), "unequal"),
        (changed("sales", is_posted, refunded="30.00"), "unequal"),
        (twice, "duplicates"),
    ],
)
async def test_topics_that_do_not_agree_are_found(
    lived: Installation, change: Callable[[list[Record]], list[Record]], found: str
) -> None:
    verdict = await judged(lived, change(list(records(lived))))
    assert getattr(verdict, found) > 0
    assert not verdict.kept
    assert verdict.findings


async def test_pieces_promised_beyond_what_is_there_are_oversold(lived: Installation) -> None:
    read = list(records(lived))
    placed = next(
        event
        for topic, event in read
        if topic == "sales" and event["order_id"] == "POSTED" and event["revision"] == 1
    )
    only = [(topic, event) for topic, event in read if topic != "sales"] + [("sales", placed)]
    assert (await judged(lived, only)).oversold == 0
    for line in placed["lines"]:
        for allocation in line["allocations"]:
            allocation["quantity"] = "100"
    assert (await judged(lived, only)).oversold > 0


@asynccontextmanager
async def tampered(shop: Installation, statement: str) -> AsyncIterator[asyncpg.Connection]:
    """Change the history as one connection sees it; all is as before in the end."""
    async with shop.connected() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            assert not (await connection.execute(statement)).endswith(" 0"), "nothing was changed"
            yield connection
        finally:
            await transaction.rollback()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM sales WHERE order_id = 'VOID'", "missing"),
        ("DELETE FROM fulfillments WHERE order_id = 'POSTED'", "missing"),
        ("DELETE FROM refunds WHERE order_id = 'POSTED'", "missing"),
        ("DELETE FROM sale_returns WHERE return_id = 'ret-2'", "missing"),
        ("DELETE FROM stock_movements WHERE kind = 'returned'", "missing"),
        ("DELETE FROM exceptions WHERE kind = 'manual_refund'", "missing"),
        ("UPDATE sales SET refunded = 0 WHERE order_id = 'POSTED'", "unequal"),
        ("UPDATE fulfillments SET state = 'new' WHERE order_id = 'POSTED'", "unequal"),
        ("UPDATE refunds SET amount = amount + 1 WHERE order_id = 'POSTED'", "unequal"),
        ("UPDATE stock_levels SET awaiting = 1 WHERE sku = 'HAT'", "unequal"),
        (
            "INSERT INTO sale_returns SELECT sale_id, 99, store_id, 'ret-9', state, outlet_id, returned_at,"
            " line_id, sku, product_id, quantity, unfulfilled, detail FROM sale_returns"
            " WHERE return_id = 'ret-2'",
            "duplicates",
        ),
    ],
)
async def test_rows_that_are_not_what_the_topics_say_are_found(
    lived: Installation, statement: str, found: str
) -> None:
    async with tampered(lived, statement) as connection:
        verdict = await judged(lived, list(records(lived)), connection)
    assert getattr(verdict, found) > 0
    assert not verdict.kept


async def test_an_order_that_was_published_and_has_no_sale_is_missing(lived: Installation) -> None:
    published = [*ORDERS, (StoreId(STORE), OrderId("GONE"))]
    verdict = await judged(lived, list(records(lived)), published=published)
    assert verdict.missing == 2, "in the topic, and in Postgres"


def sold(**told: Any) -> Told:
    due = {
        "fulfilled": Decimal(3),
        "returns": (ToldReturn("ret-2", Decimal(1), Decimal(10)),),
    } | told
    return Told(sales={POSTED: ToldSale(StoreId(STORE), OrderId("POSTED"), **due)})


async def test_what_the_shop_told_and_what_came_out_are_the_same(lived: Installation) -> None:
    told = Told(sales=sold().sales, counts={SHIRT: Decimal(8), HAT: Decimal(9)})
    verdict = await judged(lived, list(records(lived)), told=told)
    assert (verdict.kept, verdict.findings) == (True, ())


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (sold(fulfilled=Decimal(2)), "lives_wrong"),
        (sold(taken=Decimal(31)), "lives_wrong"),
        (sold(voided=True), "lives_wrong"),
        (sold(returns=()), "lives_wrong"),
        (sold(returns=(ToldReturn("ret-7", Decimal(1), Decimal(10)),)), "missing"),
        (Told(counts={HAT: Decimal(10)}), "unequal"),
        (Told(unfinished=("a sale does not show pick",)), "lives_wrong"),
    ],
)
async def test_what_the_shop_told_and_did_not_come_out_is_found(
    lived: Installation, told: Told, found: str
) -> None:
    verdict = await judged(lived, list(records(lived)), told=told)
    assert getattr(verdict, found) > 0
    assert not verdict.kept
