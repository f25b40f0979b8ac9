"""The ordinary life of a store: orders in, rows out."""

from decimal import Decimal

import pytest

from tests.system.cases import LINK
from tests.system.installation import PARTITIONS, Installation
from tests.system.payloads import Payload, count, order, profile
from tests.system.store import Store
from topics.dead_letters import DeadLetter
from topics.exceptions import ExceptionChanged
from topics.partitions import partition_of
from topics.sales import Sale


async def opened(shop: Installation, store_id: str, **levels: int) -> Store:
    """Open a store with a link and so many pieces of each SKU at its first outlet."""
    await shop.publish("store.links", store_id, LINK)
    await shop.decided()
    if levels:
        await shop.publish(
            "pos.inventory", store_id, *(count(sku, "o1", level) for sku, level in levels.items())
        )
        await shop.decided()
    return Store(shop, store_id)


async def test_an_order_becomes_rows_in_every_table(shop: Installation) -> None:
    store = await opened(shop, "life-rows", SHIRT=5)
    await shop.publish("pos.inventory", store.store_id, count("HAT", "o2", 3))
    await shop.decided()
    await shop.publish("ecom.orders", store.store_id, order("R1", ("SHIRT", 2), ("HAT", 1)))
    await shop.settled()
    await store.assert_history_agrees()

    (sale,) = await store.rows("sales")
    assert (sale["order_id"], sale["state"], sale["total"], sale["currency"]) == ("R1", "pending", 30, "USD")
    assert {(row["sku"], row["quantity"]) for row in await store.rows("sale_lines")} == {
        ("SHIRT", 2),
        ("HAT", 1),
    }
    fulfillments = await store.rows("fulfillments")
    assert {(row["outlet_id"], row["type"], row["state"]) for row in fulfillments} == {
        ("o1", "DISPATCH", "new"),
        ("o2", "DISPATCH", "new"),
    }
    lines = await shop.rows(
        "SELECT outlet_id, sku, quantity FROM fulfillment_lines JOIN fulfillments USING (fulfillment_id)"
        " WHERE store_id = $1",
        store.store_id,
    )
    assert {tuple(row.values()) for row in lines} == {("o1", "SHIRT", 2), ("o2", "HAT", 1)}
    moves = await store.rows("stock_movements")
    assert sorted((row["kind"], row["sku"], row["allocated"]) for row in moves if row["order_id"]) == [
        ("allocated", "HAT", 1),
        ("allocated", "SHIRT", 2),
    ]
    levels = {(row["sku"], row["on_hand"], row["allocated"]) for row in await store.rows("stock_levels")}
    assert levels == {("SHIRT", 5, 2), ("HAT", 3, 1)}
    (customer,) = await store.rows("customers")
    assert (customer["email"], customer["name"], customer["origin"]) == (
        "r1@example.com",
        "Ada Quill",
        "ecom",
    )
    assert (store.online("SHIRT")[-1], store.online("HAT")[-1]) == (3, 2)


async def test_a_sale_on_its_topic_is_a_cloud_event_under_its_stores_key(shop: Installation) -> None:
    store = await opened(shop, "life-event", SHIRT=5)
    await shop.publish("ecom.orders", store.store_id, order("E1", ("SHIRT", 1)))
    await shop.settled()
    (record,) = shop.journal.records(Sale, store.store_id)
    assert record.key == store.store_id.encode()
    assert record.partition == partition_of(record.key, PARTITIONS)
    headers = {name: value.decode() for name, value in record.headers}
    sale = store.sale("E1")
    assert headers | {"ce_time": ""} == {
        "ce_specversion": "1.0",
        "ce_type": "tillstream.sale.changed.v1",
        "ce_id": sale.event_id,
        "ce_source": "/tillstream/stores/life-event",
        "ce_subject": sale.sale_id,
        "ce_time": "",
        "content-type": "application/json",
    }


async def test_a_customer_is_found_by_email_and_keeps_the_name_they_have(shop: Installation) -> None:
    store = await opened(shop, "life-customer")
    await shop.publish("pos.customers", store.store_id, profile("c-1", "Bo@example.com", "Bo"))
    await shop.decided()
    await shop.publish(
        "ecom.orders",
        store.store_id,
        order("C1", ("SHIRT", 1), email=" bo@EXAMPLE.com", billingPerson={"name": "Robert"}),
        order("C2", ("SHIRT", 1), email="new@example.com", billingPerson=None),
    )
    await shop.settled()
    assert store.sale("C1").customer.customer_id == "c-1"
    names = {row["email"]: row["name"] for row in await store.rows("customers")}
    assert names == {"bo@example.com": "Bo", "new@example.com": "new@example.com"}
    await store.assert_history_agrees()


async def test_an_order_to_be_paid_offline_arrives_unpaid_and_a_card_shows_its_processor(
    shop: Installation,
) -> None:
    store = await opened(shop, "life-paid")
    deposit: Payload = {
        "paymentMethod": "Bank deposit",
        "paymentModule": None,
        "paymentStatus": "AWAITING_PAYMENT",
    }
    await shop.publish(
        "ecom.orders",
        store.store_id,
        order("CARD", ("SHIRT", 1)),
        order("DEPOSIT", ("SHIRT", 1), **deposit),
        order("CONFIRMED", ("SHIRT", 1), **deposit | {"paymentStatus": "PAID"}),
    )
    await shop.settled()
    paid = {row["order_id"]: (row["paid"], row["amount_paid"]) for row in await store.rows("sales")}
    assert paid == {"CARD": (True, 10), "DEPOSIT": (False, 0), "CONFIRMED": (False, 0)}
    assert [(row["name"], row["amount"]) for row in await store.rows("sale_payments")] == [
        ("Stripe", Decimal(10))
    ]


async def test_a_payment_that_comes_later_is_a_new_revision_of_the_same_sale(shop: Installation) -> None:
    store = await opened(shop, "life-later", SHIRT=5)
    waiting = order("L1", ("SHIRT", 1), paymentStatus="AWAITING_PAYMENT")
    await shop.publish("ecom.orders", store.store_id, waiting, order("L1", ("SHIRT", 1), minute=1))
    await shop.settled()
    assert [(sale.revision, sale.paid) for sale in store.revisions("L1")] == [(1, False), (2, True)]
    (row,) = await store.rows("sales")
    assert (row["revision"], row["paid"]) == (2, True)
    assert store.level("p-shirt", "o1") == (5, 1)


async def test_a_snapshot_that_comes_again_or_late_changes_nothing(shop: Installation) -> None:
    store = await opened(shop, "life-again", SHIRT=5)
    newest, older = order("A1", ("SHIRT", 2), minute=5), order("A1", ("SHIRT", 4))
    await shop.publish("ecom.orders", store.store_id, newest, *[newest] * 15, older, newest)
    await shop.settled()
    assert [sale.revision for sale in store.revisions("A1")] == [1]
    assert store.level("p-shirt", "o1") == (5, 2)
    await store.assert_history_agrees()


async def test_an_order_before_its_link_waits_for_all_to_see_and_is_decided_when_it_comes(
    shop: Installation,
) -> None:
    store = Store(shop, "life-waiting")
    await shop.publish("pos.inventory", store.store_id, count("SHIRT", "o1", 5))
    await shop.decided()
    await shop.publish("ecom.orders", store.store_id, order("W1", ("SHIRT", 1)), order("W2", ("SHIRT", 1)))
    await shop.settled()
    assert store.all_sales == []
    waiting = [row for row in await store.rows("exceptions") if row["open"]]
    assert {row["order_id"] for row in waiting if row["order_id"]} == {"W1", "W2"}
    assert {row["kind"] for row in waiting} == {"waiting_for_link"}

    await shop.publish("store.links", store.store_id, LINK)

    async def decided() -> bool:
        await shop.journal.read()
        return len(store.all_sales) == 2 and not store.open_exceptions

    await shop.until("both orders are decided", decided)
    await shop.settled()
    assert [sale.order_id for sale in store.all_sales] == ["W1", "W2"]
    assert store.where("W1") == {"o1": {"1": 1}}
    assert not any(row["open"] for row in await store.rows("exceptions"))
    await store.assert_history_agrees()


async def test_a_backordered_line_is_covered_when_its_stock_arrives(shop: Installation) -> None:
    store = await opened(shop, "life-short", SHIRT=1)
    await shop.publish("ecom.orders", store.store_id, order("S1", ("SHIRT", 3)))
    await shop.settled()
    assert store.sale("S1").lines[0].backordered == 2
    assert store.open_exceptions == {("backordered", "S1/1")}

    await shop.publish("pos.inventory", store.store_id, count("SHIRT", "o1", 5, version=2))

    async def covered() -> bool:
        await shop.journal.read()
        return store.sale("S1").lines[0].backordered == 0 and not store.open_exceptions

    await shop.until("the line is covered", covered)
    await shop.settled()
    assert [event.open for event in shop.journal.of(ExceptionChanged, store.store_id)] == [True, False]
    await store.assert_history_agrees()


DEEP = b'{"id":"P","items":[],"extraFields":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
WEBHOOK = {"eventId": "e-1", "storeId": 1003, "entityId": 7, "eventType": "order.created", "data": {}}
POISON = {
    "not_json": b'{"id": "P1", ',
    "not_utf8": b'{"id": "\xff\xfe"}',
    "too_deep": DEEP,
    "webhook_body": WEBHOOK,
    "empty_record": None,
    "wrong_type": b'{"id": "P1", "items": "none", "total": 1}',
}


@pytest.mark.parametrize("reason", POISON)
async def test_a_record_that_cannot_be_understood_is_a_letter_and_its_neighbours_are_decided(
    shop: Installation, reason: str
) -> None:
    store = await opened(shop, f"poison-{reason}")
    before, after = order("BEFORE", ("SHIRT", 1)), order("AFTER", ("SHIRT", 1))
    await shop.publish("ecom.orders", store.store_id, before, POISON[reason], after)
    await shop.settled()
    assert [sale.order_id for sale in store.all_sales] == ["BEFORE", "AFTER"]
    assert [letter.reason for letter in store.letters] == [reason]
    (row,) = await store.rows("dead_letters")
    assert (row["reason"], row["source_topic"], row["found_by"]) == (reason, "ecom.orders", "stock")
    await store.assert_history_agrees()


async def test_one_bad_order_of_a_search_answer_does_not_keep_the_others(shop: Installation) -> None:
    store = await opened(shop, "poison-search")
    found = [order("F1", ("SHIRT", 1)), order("F2", ("SHIRT", 1), total="NaN"), order("F3", ("SHIRT", 1))]
    answer = {"total": 3, "count": 3, "offset": 0, "limit": 100, "items": found}
    await shop.publish("ecom.orders", store.store_id, answer)
    await shop.settled()
    assert [sale.order_id for sale in store.all_sales] == ["F1", "F3"]
    assert [(letter.reason, letter.part, letter.order_id) for letter in store.letters] == [
        ("bad_number", 1, "F2")
    ]
    await store.assert_history_agrees()


@pytest.mark.parametrize("key", [None, b" ", b"\xff\xfe"], ids=["none", "blank", "not UTF-8"])
async def test_a_record_without_a_usable_key_is_a_letter_of_no_store(
    shop: Installation, key: bytes | None
) -> None:
    store = await opened(shop, "poison-key")
    partition = partition_of(store.store_id.encode(), PARTITIONS)
    offset = await shop.put("ecom.orders", key, b'{"id": "K1"}', partition)
    await shop.publish("ecom.orders", store.store_id, order(f"NEXT-{offset}", ("SHIRT", 1)))
    await shop.settled()
    (letter,) = [
        letter
        for letter in shop.journal.of(DeadLetter, None)
        if (letter.source.partition, letter.source.offset) == (partition, offset)
    ]
    assert letter.reason == ("bad_key" if key == b"\xff\xfe" else "no_key")
    (row,) = await shop.rows("SELECT * FROM dead_letters WHERE dead_letter_id = $1", letter.dead_letter_id)
    assert (row["reason"], row["store_id"], row["head"]) == (letter.reason, None, b'{"id": "K1"}')
    assert store.revisions(f"NEXT-{offset}")


async def test_a_record_on_anothers_partition_is_a_letter_and_sent_again_rightly_it_is_decided(
    shop: Installation,
) -> None:
    store = await opened(shop, "poison-partition")
    misplaced = order("M1", ("SHIRT", 1))
    wrong = (partition_of(store.store_id.encode(), PARTITIONS) + 1) % PARTITIONS
    await shop.misplace("ecom.orders", store.store_id, misplaced, wrong)
    await shop.settled()
    assert store.all_sales == []
    (letter,) = store.letters
    assert (letter.reason, letter.source.partition) == ("wrong_partition", wrong)
    assert "murmur2" in letter.detail

    await shop.publish("ecom.orders", store.store_id, misplaced)
    await shop.settled()
    assert [sale.order_id for sale in store.all_sales] == ["M1"]
    await store.assert_history_agrees()
