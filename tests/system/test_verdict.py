"""The checks from the outside find what is wrong: in the topics, in Postgres, against what was told."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from deploy.verify import offsets, tables
from deploy.verify.ledger import Ledger
from deploy.verify.tables import Tables
from deploy.verify.told import Told, ToldReturn, ToldSale
from deploy.verify.verdict import NOTHING_TOLD, Verdict, judge
from tests.system.installation import PARTITIONS, Installation
from tests.system.whole_life import ORDERS, STORE
from topics.codec import EVENTS
from topics.ids import OrderId, OutletId, ProductId, StoreId, sale_id

Record = tuple[str, dict[str, Any]]
"""Topic and event."""
POSTED = sale_id(StoreId(STORE), OrderId("POSTED"))
HAT = (StoreId(STORE), ProductId("p-hat"), OutletId("o2"))
SHIRT = (StoreId(STORE), ProductId("p-shirt"), OutletId("o1"))


@pytest.fixture(scope="module")
async def standing(lived: Installation) -> Tables:
    return await tables.read(lived.settings)


def records(shop: Installation) -> Iterator[Record]:
    for topic in Ledger.TOPICS:
        for record in shop.journal.records(EVENTS[topic], STORE):
            yield topic, json.loads(record.value)


async def judged(
    shop: Installation,
    standing: Tables,
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
        return await judge(published, ledger, standing, connection, told)
    async with shop.connected() as own:
        return await judge(published, ledger, standing, own, told)


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


def swapped(read: list[Record]) -> list[Record]:
    """Have the first revision of one order come before that of an order that was published earlier."""
    first = [
        place
        for place, (topic, event) in enumerate(read)
        if topic == "sales" and event["order_id"] in {"COUNTER", "POSTED"} and event["revision"] == 1
    ]
    early, late = first
    return [*read[:early], read[late], *read[early:late], *read[late + 1 :]]


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
        (lost("fulfillments", lambda event: is_posted(event) and event["state"] == "fulfilled"), "torn"),
        (lost("refunds", is_posted), "torn"),
        (lost("stock.movements", moved("fulfilled")), "torn"),
        (lost("stock.movements", moved("returned")), "torn"),
        (lost("stock.movements", moved("counted")), "tables_unlike_movements"),
        (lost("sales", lambda event: event["order_id"] == "VOID"), "torn"),
        (lost("sales", lambda event: event["order_id"] == "VOID"), "tables_unlike_movements"),
        (changed("refunds", is_posted, amount="9.00"), "torn"),
        (swapped, "out_of_order"),
        (changed("sales", is_posted, refunded="30.00"), "unequal"),
        (twice, "duplicates"),
    ],
)
async def test_topics_that_do_not_agree_are_found(
    lived: Installation, standing: Tables, change: Callable[[list[Record]], list[Record]], found: str
) -> None:
    verdict = await judged(lived, standing, change(list(records(lived))))
    assert getattr(verdict, found) > 0
    assert not verdict.kept
    assert verdict.findings


async def test_pieces_promised_beyond_what_is_there_are_oversold(
    lived: Installation, standing: Tables
) -> None:
    read = list(records(lived))
    placed = next(
        event
        for topic, event in read
        if topic == "sales" and event["order_id"] == "POSTED" and event["revision"] == 1
    )
    only = [(topic, event) for topic, event in read if topic != "sales"] + [("sales", placed)]
    assert (await judged(lived, standing, only)).oversold == 0
    for line in placed["lines"]:
        for allocation in line["allocations"]:
            allocation["quantity"] = "100"
    assert (await judged(lived, standing, only)).oversold > 0


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
    "statement",
    [
        "DELETE FROM sales WHERE order_id = 'VOID'",
        "DELETE FROM fulfillments WHERE order_id = 'POSTED'",
        "DELETE FROM refunds WHERE order_id = 'POSTED'",
        "DELETE FROM sale_returns WHERE return_id = 'ret-2'",
        "DELETE FROM stock_movements WHERE kind = 'returned'",
        "DELETE FROM exceptions WHERE kind = 'manual_refund'",
        "UPDATE sales SET refunded = 0 WHERE order_id = 'POSTED'",
        "UPDATE fulfillments SET state = 'new' WHERE order_id = 'POSTED'",
        "UPDATE refunds SET amount = amount + 1 WHERE order_id = 'POSTED'",
        "UPDATE stock_levels SET awaiting = 1 WHERE sku = 'HAT'",
        "INSERT INTO sale_returns SELECT sale_id, 99, store_id, 'ret-9', state, outlet_id, returned_at,"
        " line_id, sku, product_id, quantity, unfulfilled, detail FROM sale_returns"
        " WHERE return_id = 'ret-2'",
    ],
)
async def test_rows_that_are_not_what_the_topics_say_are_found(
    lived: Installation, standing: Tables, statement: str
) -> None:
    async with tampered(lived, statement) as connection:
        verdict = await judged(lived, standing, list(records(lived)), connection)
    assert verdict.postgres_unlike_topics > 0
    assert not verdict.kept


async def test_tables_that_are_not_what_the_events_say_are_found(
    lived: Installation, standing: Tables
) -> None:
    read = list(records(lived))
    assert (await judged(lived, standing, read)).tables_unlike_movements == 0
    on_hand, *others = standing.levels[HAT]
    changed_level = Tables(standing.levels | {HAT: (on_hand + 1, *others)}, standing.sales)
    assert (await judged(lived, changed_level, read)).tables_unlike_movements == 1
    no_sale = Tables(standing.levels, {key: row for key, row in standing.sales.items() if key != POSTED})
    assert (await judged(lived, no_sale, read)).tables_unlike_movements == 1


async def test_decisions_whose_offsets_were_not_committed_with_them_are_found(lived: Installation) -> None:
    group = lived.settings.worker.app_id("stock")
    assert await offsets.ahead(lived.settings, group, range(PARTITIONS)) == []
    assert await offsets.ahead(lived.settings, f"{group}-of-others", range(PARTITIONS)) != []


async def test_an_order_that_was_published_and_has_no_sale_is_missing(
    lived: Installation, standing: Tables
) -> None:
    published = [*ORDERS, (StoreId(STORE), OrderId("GONE"))]
    verdict = await judged(lived, standing, list(records(lived)), published=published)
    assert (verdict.missing, verdict.postgres_unlike_topics) == (1, 1)


def sold(**told: Any) -> Told:
    due = {
        "fulfilled": Decimal(3),
        "returns": (ToldReturn("ret-2", Decimal(1), Decimal(10)),),
    } | told
    return Told(sales={POSTED: ToldSale(StoreId(STORE), OrderId("POSTED"), **due)})


async def test_what_the_shop_told_and_what_came_out_are_the_same(
    lived: Installation, standing: Tables
) -> None:
    told = Told(sales=sold().sales, counts={SHIRT: Decimal(8), HAT: Decimal(9)})
    verdict = await judged(lived, standing, list(records(lived)), told=told)
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
    lived: Installation, standing: Tables, told: Told, found: str
) -> None:
    verdict = await judged(lived, standing, list(records(lived)), told=told)
    assert getattr(verdict, found) > 0
    assert not verdict.kept
