"""The named cases that others have met (tests/fixtures/cases), through Kafka and Postgres."""

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from tests.system.cases import Case, printable
from tests.system.installation import Installation
from tests.system.store import Store
from topics.ids import WALK_IN


async def told(shop: Installation, number: str) -> Store:
    """Tell a whole case; return its store, whose history must agree with the topics."""
    case = Case(number)
    await case.tell(shop)
    store = Store(shop, case.store_id)
    await store.assert_history_agrees()
    return store


async def test_01_nul_in_a_name_costs_neither_the_order_nor_the_history(shop: Installation) -> None:
    store = await told(shop, "01")
    assert sorted(sale.order_id for sale in store.all_sales) == ["NUL01A", "NUL01B", "NUL01C"]
    b, c = store.sale("NUL01B").customer, store.sale("NUL01C").customer
    assert (b.name, b.email) == ("Ada Quill", "nul01b@example.com")
    assert (c.customer_id, c.name) == ("c-01", "Bo")
    assert [customer.first_name for customer in store.customers if customer.customer_id == "c-01"] == ["Bo"]
    assert store.letters == []
    assert not any(
        b"\\u0000" in record.value
        for record in shop.journal.records(type(store.sale("NUL01B")), store.store_id)
    )


async def test_02_a_level_that_is_no_number_is_refused_and_its_neighbours_count(shop: Installation) -> None:
    case = Case("02")
    store = Store(shop, case.store_id)
    await case.tell(shop, 2)
    assert store.level("p-02", "o1") == (5, 0)
    (letter,) = store.letters
    assert (letter.reason, letter.detail.partition(":")[0]) == ("bad_number", "count")

    await case.tell(shop)
    assert store.where("NAN02") == {"o1": {"201": 1}}
    assert store.level("p-02", "o1") == (4, 1)
    assert store.online("BOWL")[-1] == 3
    assert len(store.letters) == 1
    await store.assert_history_agrees()
    (level,) = await store.rows("stock_levels")
    assert level["on_hand"] - level["allocated"] - level["awaiting"] == 3


NO_NUMBERS = ("NaN", "sNaN", "Infinity", "-Infinity", "1E+999999")


async def test_02_no_topic_takes_a_number_that_is_none(shop: Installation) -> None:
    store = Store(shop, "case-02-kind")
    order = Case("02").records[2][1]
    count = Case("02").records[0][1]
    await shop.publish("store.links", store.store_id, Case("02").link[1])
    await shop.publish("store.links", store.store_id, *(_with_safety(n) for n in NO_NUMBERS))
    await shop.decided()
    await shop.publish("pos.inventory", store.store_id, *(count | {"count": n} for n in NO_NUMBERS), count)
    await shop.decided()
    await shop.publish("ecom.orders", store.store_id, *(order | {"total": n} for n in NO_NUMBERS), order)
    await shop.settled()
    assert [letter.reason for letter in store.letters] == ["bad_number"] * 3 * len(NO_NUMBERS)
    assert store.level("p-02", "o1") == (5, 1)
    await store.assert_history_agrees()


def _with_safety(stock: str) -> dict[str, Any]:
    link: dict[str, Any] = Case("02").link[1]
    return link | {"outlets": [outlet | {"safety_stock": stock} for outlet in link["outlets"]]}


async def test_03_a_broken_record_of_the_largest_size_becomes_a_letter_that_fits(shop: Installation) -> None:
    store = await told(shop, "03")
    assert [sale.order_id for sale in store.all_sales] == ["BIG03A", "BIG03B"]
    (letter,) = store.letters
    (_, broken) = Case("03").records[1]
    assert letter.reason == "not_json"
    assert (letter.source.topic, letter.source.partition >= 0, letter.source.offset >= 0) == (
        "ecom.orders",
        True,
        True,
    )
    assert (letter.length, letter.sha256) == (len(broken), hashlib.sha256(broken).hexdigest())
    assert (letter.complete, broken.startswith(letter.head)) == (False, True)
    (row,) = await store.rows("dead_letters")
    assert (row["length"], row["sha256"], row["head"]) == (letter.length, letter.sha256, letter.head)


async def test_04_a_very_long_sku_is_an_unknown_one_and_the_history_goes_on(shop: Installation) -> None:
    store = await told(shop, "04")
    assert [sale.order_id for sale in store.all_sales] == ["LONG04A", "LONG04B", "LONG04C"]
    sku = Case("04").records[1][1]["items"][0]["sku"]
    assert store.sale("LONG04B").lines[0].sku == sku
    assert ("unknown_sku", "LONG04B/402") in store.open_exceptions
    assert store.letters == []
    (cut,) = [row["sku"] for row in await store.rows("sale_lines") if row["line_id"] == "402"]
    assert sku.startswith(cut)


LONG = printable(6_000)


@pytest.mark.parametrize(
    ("topic", "place", "change"),
    [
        ("ecom.orders", "id", {"id": LONG, "vendorOrderNumber": LONG}),
        ("ecom.orders", "email", {"email": f"{LONG}@example.com"}),
        ("ecom.orders", "shippingMethodId", {"shippingOption": {"shippingMethodId": LONG}}),
        ("pos.inventory", "outlet_id", {"outlet_id": LONG}),
        ("pos.inventory", "product_id", {"product_id": LONG}),
        ("pos.customers", "id", {"id": LONG}),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
async def test_04_no_key_and_nothing_indexed_may_be_so_long(
    shop: Installation, topic: str, place: str, change: dict[str, Any]
) -> None:
    store = Store(shop, f"case-04-{place}-{topic}")
    good = {
        "ecom.orders": Case("04").records[0][1],
        "pos.inventory": Case("02").records[0][1],
        "pos.customers": Case("01").records[2][1],
    }[topic]
    await shop.publish("store.links", store.store_id, Case("04").link[1])
    await shop.decided()
    await shop.publish(topic, store.store_id, good | change, good)
    await shop.settled()
    assert [letter.reason for letter in store.letters] == ["too_long"]
    assert place in store.letters[0].detail
    if topic == "pos.inventory":
        assert store.level("p-02", "o1") == (5, 0)
    else:
        assert len(store.all_sales) + len(store.customers) == (2 if topic == "ecom.orders" else 1)
    await store.assert_history_agrees()


async def test_07_guests_without_an_email_are_nobody_in_particular(shop: Installation) -> None:
    case = Case("07")
    store = Store(shop, case.store_id)
    await case.tell(shop, 4)
    guests = [f"GUEST07{letter}" for letter in "ABCD"]
    assert [store.sale(guest).customer.customer_id for guest in guests] == [WALK_IN] * 4
    assert await _people(store) == []

    await case.tell(shop, 1)
    assert (len(store.all_sales), store.sale("GUEST07A").customer.customer_id) == (4, WALK_IN)

    await case.tell(shop)
    moved = store.sale("GUEST07B")
    assert (moved.customer.email, moved.customer.name, moved.revision) == (
        "kim.two@example.com",
        "Kim Two",
        2,
    )
    assert [store.sale(f"GUEST07{letter}").customer.customer_id for letter in "ACD"] == [WALK_IN] * 3
    assert await _people(store) == [("kim.two@example.com", "Kim Two")]
    await store.assert_history_agrees()


async def _people(store: Store) -> list[tuple[str, str]]:
    """The customers of the history that are someone: (e-mail, name)."""
    rows = await store.rows("customers")
    assert not any(row["email"] == "" for row in rows)
    return [(row["email"], row["name"]) for row in rows if row["customer_id"] != WALK_IN]


async def test_08_gift_card_and_card_pay_the_whole_together(shop: Installation) -> None:
    store = await told(shop, "08")
    sale = store.sale("GIFT08")
    assert [(p.name, str(p.amount)) for p in sale.payments] == [("gift card", "40.00"), ("Stripe", "62.50")]
    assert (sale.paid, str(sale.total - sale.amount_paid), str(sale.amount_paid)) == (True, "0.00", "102.50")
    assert sale.rounding == 0
    assert not sale.flags
    assert not store.open_exceptions
    payments = {(row["name"], row["amount"]) for row in await store.rows("sale_payments")}
    assert payments == {("gift card", Decimal("40.00")), ("Stripe", Decimal("62.50"))}


async def test_09_a_renamed_sku_takes_its_stock_along(shop: Installation) -> None:
    case = Case("09")
    store = Store(shop, case.store_id)
    await case.tell(shop, 3)
    assert store.online("OLD-9")[-1] == 7
    await case.tell(shop, 1)
    assert (store.online("OLD-9")[-1], store.online("NEW-9")) == (0, [7])
    await case.tell(shop)
    assert_renamed(store)
    await store.assert_history_agrees()


def assert_renamed(store: Store) -> None:
    """How case 09 ends."""
    assert store.online("OLD-9")[-2:] == [7, 0]
    assert store.online("NEW-9") == [7, 5]
    assert store.level("p-09", "o1") == (8, 3)
    (line,) = store.sale("REN09A").lines
    assert (line.sku, line.product_id) == ("OLD-9", "p-09")
    assert store.where("REN09A") == {"o1": {"901": 1}}
    assert store.where("REN09B") == {"o1": {"902": 2}}


async def test_10_milliseconds_do_not_make_an_order_newer_than_its_payment(shop: Installation) -> None:
    store = await told(shop, "10")
    first, second = store.revisions("MS10")
    assert first.event_time.isoformat() == "2026-02-25T09:00:00+00:00"
    assert (second.revision, second.paid, store.letters) == (2, True, [])
    (row,) = await store.rows("sales")
    assert (row["revision"], row["paid"], row["placed_at"].year) == (2, True, 2026)


async def test_12_an_empty_list_for_an_object_is_nothing(shop: Installation) -> None:
    store = await told(shop, "12")
    sale = store.sale("LIST12")
    assert (sale.paid, sale.payments[0].name, sale.customer.name) == (True, "Stripe", "Pat Example")
    assert store.where("LIST12") == {"o1": {"1201": 1}}
    assert store.letters == []


async def test_12_a_list_with_something_in_it_for_an_object_is_refused(shop: Installation) -> None:
    case = Case("12", "case-12-filled")
    order = case.records[1][1]
    case.records[1:] = [("ecom.orders", order | {"id": "LIST12B", "shippingPerson": ["x"]}), case.records[1]]
    await case.tell(shop)
    store = Store(shop, case.store_id)
    (letter,) = store.letters
    assert (letter.reason, letter.detail.partition(":")[0]) == ("wrong_type", "shippingPerson")
    assert [sale.order_id for sale in store.all_sales] == ["LIST12"]
    await store.assert_history_agrees()


async def test_13_records_without_a_value_delete_no_order_and_a_link_only_for_a_while(
    shop: Installation,
) -> None:
    case = Case("13")
    store = Store(shop, case.store_id)
    await case.tell(shop, 7)
    assert ("waiting_for_link", "TOMB13B") in store.open_exceptions
    assert store.revisions("TOMB13B") == []
    await store.assert_history_agrees()

    await case.tell(shop)
    await linked_again(shop, store)
    assert_linked_again(store)
    await store.assert_history_agrees()


async def linked_again(shop: Installation, store: Store) -> None:
    """Wait until what was held is decided: its link's record is committed a moment before."""

    async def decided() -> bool:
        await shop.journal.read()
        return bool(store.revisions("TOMB13B"))

    await shop.until("the held order is decided", decided)
    await shop.settled()


def assert_linked_again(store: Store) -> None:
    """How case 13 ends."""
    assert [(letter.reason, letter.source.topic) for letter in store.letters] == [
        ("empty_record", "ecom.orders"),
        ("empty_record", "pos.inventory"),
    ]
    assert all("empty value" in letter.detail for letter in store.letters)
    assert [(sale.order_id, sale.revision) for sale in store.all_sales] == [("TOMB13A", 1), ("TOMB13B", 1)]
    assert store.online("RING")[-1] == 4
    assert ("waiting_for_link", "TOMB13B") not in store.open_exceptions


async def test_14_two_lines_of_one_sku_share_its_stock(shop: Installation) -> None:
    case = Case("14")
    store = Store(shop, case.store_id)
    await case.tell(shop, 3)
    assert store.where("TWO14") == {"o1": {"1401": 1}, "o2": {"1402": 1}}
    assert [line.backordered for line in store.sale("TWO14").lines] == [0, 0]
    assert (store.level("p-14", "o1"), store.level("p-14", "o2")) == ((1, 1), (1, 1))
    assert store.online("CAP")[-1] == 0

    await case.tell(shop)
    assert store.where("TWO14") == {"o1": {"1401": 1}}
    assert store.level("p-14", "o2") == (1, 0)
    assert store.online("CAP")[-1] == 1
    await store.assert_history_agrees()


async def test_14_one_outlet_that_has_enough_for_both_lines_gets_both(shop: Installation) -> None:
    case = Case("14", "case-14-variant")
    case.records[1][1]["count"] = 2
    await case.tell(shop, 3)
    store = Store(shop, case.store_id)
    assert store.where("TWO14") == {"o2": {"1401": 1, "1402": 1}}
