"""Sales from the order to their end in the shop, with the stock worker killed on the way."""

from decimal import Decimal

import pytest

from deploy.verify import tables
from deploy.verify.ledger import Ledger
from deploy.verify.verdict import judge
from tests.system.installation import Installation
from tests.system.rebuilt import Rebuilt
from tests.system.store import Store
from tests.system.whole_life import ORDERS, STORE


@pytest.fixture
def shop(lived: Installation) -> Installation:
    return lived


@pytest.fixture
def store(shop: Installation) -> Store:
    return Store(shop, STORE)


async def test_the_topics_and_the_history_tell_the_same(shop: Installation, store: Store) -> None:
    await store.assert_history_agrees()
    assert store.letters == []
    ledger = Ledger(shop.settings)
    await ledger.start()
    try:
        await ledger.read_to_end()
    finally:
        await ledger.stop()
    async with shop.connected() as connection:
        verdict = await judge(ORDERS, ledger, await tables.read(shop.settings), connection)
    assert verdict.findings == ()
    assert (verdict.kept, verdict.sales, verdict.returns, verdict.refunds) == (True, 4, 4, 4)


async def test_an_unpaid_order_is_paid_in_cash_picked_up_and_given_back_in_part(
    shop: Installation, store: Store
) -> None:
    sale = await shop.ask("sales", "show", "COUNTER", "--store", STORE)
    assert (sale["state"], sale["paid"], sale["pos_sale_id"]) == ("closed", True, "pos-1")
    payments = [(payment["name"], Decimal(payment["amount"])) for payment in sale["payments"]]
    assert payments == [("Cash", Decimal(10)), ("Cash rounding", Decimal("-0.02"))]
    assert (Decimal(sale["amount_paid"]), Decimal(sale["refunded"])) == (Decimal("9.98"), Decimal("4.99"))
    (line,) = sale["lines"]
    assert [int(Decimal(line[pieces])) for pieces in ("fulfilled", "returned")] == [2, 1]
    assert store.movements("COUNTER") == [
        ("allocated", "SHIRT", "o1", 2),
        ("fulfilled", "SHIRT", "o1", 2),
        ("returned", "SHIRT", "o1", 1),
    ]


async def test_a_split_order_is_picked_packed_and_shipped_by_each_outlet(
    shop: Installation, store: Store
) -> None:
    found = await shop.ask("fulfillments", "list", "--store", STORE)
    mine = [row for row in found if row["order_id"] == "POSTED"]
    assert {(row["outlet_id"], row["state"]) for row in mine} == {("o1", "fulfilled"), ("o2", "fulfilled")}
    states = [[one.state for one in sale.fulfillments] for sale in store.revisions("POSTED")]
    assert states[0] == ["new", "new"]
    assert ["in_progress", "in_progress"] in states
    assert ["packed", "packed"] in states
    assert store.sale("POSTED").state == "closed"
    assert [line.fulfilled for line in store.sale("POSTED").lines] == [1, 2]


async def test_a_refund_is_processed_where_the_processor_does_it_and_else_is_for_a_person(
    shop: Installation, store: Store
) -> None:
    found = await shop.ask("refunds", "list", "--store", STORE)
    refunds = {
        (row["order_id"], row["method"]): (Decimal(row["amount"]), row["reversal"], row["state"])
        for row in found
    }
    assert refunds == {
        ("COUNTER", "Cash"): (Decimal(5), "processed", "made"),
        ("COUNTER", "Cash rounding"): (Decimal("-0.01"), "processed", "made"),
        ("POSTED", "Stripe"): (Decimal(10), "manual", "made"),
        ("BACK", "Lightspeed Payments"): (Decimal(10), "processed", "made"),
    }
    assert store.open_exceptions == {("manual_refund", "POSTED"), ("over_returned", "POSTED")}
    kinds = await shop.ask("exceptions", "list", "--store", STORE)
    assert {row["kind"] for row in kinds} == {"manual_refund", "over_returned"}


async def test_more_than_went_out_is_refused_and_nothing_of_it_counts(store: Store) -> None:
    sale = store.sale("POSTED")
    assert [(back.return_id, back.state) for back in sale.returns] == [
        ("ret-2", "returned"),
        ("ret-4", "refused"),
    ]
    assert [int(line.returned) for line in sale.lines] == [0, 1]
    assert sale.refunded == 10


async def test_a_void_in_the_shop_releases_what_was_open_and_is_no_refund(
    shop: Installation, store: Store
) -> None:
    sale = await shop.ask("sales", "show", "VOID", "--store", STORE)
    assert (sale["state"], sale["attributes"]) == ("voided", ["delivery", "voided_in_pos"])
    assert Decimal(sale["refunded"]) == 0
    assert store.movements("VOID") == [("allocated", "HAT", "o2", 1), ("released", "HAT", "o2", 1)]


async def test_stock_ends_as_the_shop_counted_it_and_nothing_is_owed_of_it(
    shop: Installation, store: Store
) -> None:
    rows = await shop.ask("stock", "show", "--store", STORE)
    levels = {
        (row["sku"], row["outlet_id"]): [Decimal(row[kind]) for kind in ("on_hand", "allocated", "awaiting")]
        for row in rows
    }
    assert levels == {("SHIRT", "o1"): [8, 0, 0], ("HAT", "o2"): [9, 0, 0]}
    assert (store.online("SHIRT")[-1], store.online("HAT")[-1]) == (8, 9)
    assert max(store.online("SHIRT")) == 10, "no piece was ever sold online that was not there"


async def test_the_payments_of_the_day_are_reported_by_tender(shop: Installation) -> None:
    report = await shop.ask(
        "payments", "report", "--store", STORE, "--from", "2026-02-01", "--to", "2099-12-31"
    )
    assert {row["name"]: Decimal(row["net"]) for row in report["totals"]} == {
        "Cash": Decimal(5),
        "Cash rounding": Decimal("-0.01"),
        "Stripe": Decimal(30),
        "Lightspeed Payments": Decimal(0),
    }


async def test_a_consumer_that_begins_at_the_end_of_the_day_has_what_the_history_has(
    shop: Installation,
) -> None:
    rebuilt = await Rebuilt.of(shop.settings, STORE)
    async with shop.connected() as connection:
        await rebuilt.assert_equals(connection)
