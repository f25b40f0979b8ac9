"""The named cases of what happens in the shop (tests/fixtures/cases), through Kafka and Postgres."""

from decimal import Decimal
from typing import Any

import pytest

from tests.system.cases import Case
from tests.system.installation import Installation
from tests.system.store import Store


def refunds(store: Store, order_id: str) -> list[tuple[str, Decimal, str]]:
    return [(refund.method, refund.amount, refund.reversal) for refund in store.refunds(order_id)]


async def test_05_a_line_that_comes_back_in_two_rows_is_back_twice_and_no_more_than_that(
    shop: Installation,
) -> None:
    case = Case("05")
    store = Store(shop, case.store_id)
    await case.tell(shop)
    sale = store.sale("RET05")
    (line,) = sale.lines
    assert [int(q) for q in (line.quantity, line.fulfilled, line.returned)] == [3, 3, 2]
    assert refunds(store, "RET05") == [("Stripe", Decimal(20), "manual")]
    assert (store.online("TEE")[-1], store.level("p-05", "o1")) == (9, (9, 0))
    assert store.open_exceptions == {("manual_refund", "RET05")}
    await store.assert_history_agrees()

    returned: dict[str, Any] = case.records[6][1]
    await shop.publish("pos.sales", store.store_id, returned | {"id": "s-05-again"})
    await shop.settled()
    sale = store.sale("RET05")
    assert [back.state for back in sale.returns] == ["returned", "refused"]
    assert [int(amount) for amount in (sale.lines[0].returned, sale.refunded)] == [2, 20]
    assert ("over_returned", "RET05") in store.open_exceptions
    assert store.online("TEE")[-1] == 9
    await store.assert_history_agrees()


@pytest.mark.parametrize("place", [6, 7, 8], ids=["before the return", "after it", "after the cancellation"])
async def test_06_what_is_counted_returned_and_cancelled_is_back_once_in_whatever_order(
    shop: Installation, place: int
) -> None:
    case = Case("06", f"case-06-{place}")
    case.records.insert(place, case.records.pop(6))
    await case.tell(shop)
    store = Store(shop, case.store_id)
    sale = store.sale("RC06")
    assert sale.state != "voided"
    assert sale.refunded == 15
    (line,) = sale.lines
    assert [int(pieces) for pieces in (line.fulfilled, line.returned)] == [2, 1]
    assert {kind for kind, _ in store.open_exceptions} == {"return_needed", "manual_refund"}
    unknown, counted, *later = store.online("PAN")
    assert (unknown, counted) == (0, 100), "the product comes before its first count"
    assert (later[-1], max(later)) == (99, 99)
    assert (store.level("p-06", "o1"), store.awaiting("p-06", "o1")) == ((99, 0), 0)
    await store.assert_history_agrees()


async def test_11_cash_is_rounded_by_a_payment_of_its_own_when_it_comes_and_when_it_goes(
    shop: Installation,
) -> None:
    case = Case("11")
    store = Store(shop, case.store_id)
    await case.tell(shop, 5)
    sale = store.sale("CASH11")
    assert (sale.paid, sale.amount_paid, sale.state) == (True, Decimal("9.98"), "closed")
    payments = [(payment.name, payment.amount) for payment in sale.payments]
    assert payments == [("Cash", Decimal(10)), ("Cash rounding", Decimal("-0.02"))]
    assert store.open_exceptions == set()

    await case.tell(shop)
    sale = store.sale("CASH11")
    assert (sale.refunded, int(sale.lines[0].returned)) == (Decimal("9.98"), 2)
    assert sorted(refunds(store, "CASH11")) == [
        ("Cash", Decimal(10), "processed"),
        ("Cash rounding", Decimal("-0.02"), "processed"),
    ]
    assert store.open_exceptions == set()
    await store.assert_history_agrees()
    report = await shop.ask(
        "payments", "report", "--store", store.store_id, "--from", "2026-02-01", "--to", "2099-12-31"
    )
    assert {row["name"]: [Decimal(row["amount_in"]), Decimal(row["net"])] for row in report["totals"]} == {
        "Cash": [Decimal(10), Decimal(0)],
        "Cash rounding": [Decimal("-0.02"), Decimal(0)],
    }
