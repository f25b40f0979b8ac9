"""Returns and refunds into rows on a real Postgres, and the report of payments that they end up in."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from storage.encoding import INDEXED_CHARS
from storage.history import History
from tests.integration.storage_log import (
    NOON,
    STORE,
    Log,
    came_back,
    contents,
    line,
    moved,
    refund,
    sale,
    write_all,
)
from topics.ids import LineId, PosSaleId
from topics.sales import Payment, SaleReturnLine


async def test_each_returned_line_is_a_row_and_so_is_a_return_of_money_only(
    history: History, connection: Any
) -> None:
    two_lines = (
        SaleReturnLine(line_id=LineId("1"), sku="SHOE-1", product_id=None, quantity=Decimal(2)),
        SaleReturnLine(
            line_id=LineId("2"), sku="SHOE-2", product_id=None, quantity=Decimal(3), unfulfilled=Decimal(1)
        ),
    )
    log = Log()
    log.add("sales", sale("1001", returns=(came_back(1, lines=two_lines), came_back(2, None))))
    log.add("sales", sale("1002", returns=(came_back(3, state="refused", detail="one too many"),)))

    await write_all(history, log)

    rows = await connection.fetch(
        """
        SELECT s.order_id, r.position, r.return_id, r.state, r.line_id, r.quantity, r.unfulfilled, r.detail
        FROM sale_returns AS r
        JOIN sales AS s USING (sale_id)
        ORDER BY 1, 2
        """
    )
    assert [tuple(row) for row in rows] == [
        ("1001", 0, "r-1", "returned", "1", 2, 0, None),
        ("1001", 1, "r-1", "returned", "2", 3, 1, None),
        ("1001", 2, "r-2", "returned", None, 0, 0, None),
        ("1002", 0, "r-3", "refused", "1", 1, 0, "one too many"),
    ]
    place = await connection.fetchrow("SELECT DISTINCT store_id, outlet_id, returned_at FROM sale_returns")
    assert tuple(place) == (STORE, "nelson", NOON)


async def test_a_sale_knows_its_id_in_the_point_of_sale_and_what_went_back_online(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add("sales", sale("1001"))
    log.add(
        "sales",
        sale(
            "1002",
            pos_sale_id=PosSaleId("s-" + "x" * 500),
            refunded=Decimal("5.00"),
            refunded_in_ecom=Decimal("5.00"),
            lines=[line(fulfilled=Decimal(1), recalled=Decimal(1)), line(2, withdrawn=Decimal("0.5"))],
        ),
    )

    await write_all(history, log)

    sales = await connection.fetch("SELECT pos_sale_id, refunded_in_ecom FROM sales ORDER BY order_id")
    assert tuple(sales[0]) == (None, 0)
    assert tuple(sales[1]) == (("s-" + "x" * 500)[:INDEXED_CHARS], Decimal("5.00"))
    lines = await connection.fetch(
        "SELECT withdrawn, recalled FROM sale_lines JOIN sales USING (sale_id) ORDER BY order_id, position"
    )
    assert [tuple(row) for row in lines] == [(0, 0), (0, 1), (Decimal("0.5"), 0)]


async def test_a_newer_revision_replaces_what_came_back(history: History, connection: Any) -> None:
    log = Log()
    log.add("sales", sale(returns=(came_back(1), came_back(2))))
    await write_all(history, log)
    log.add("sales", sale(revision=2, returns=(came_back(1, state="voided"),)))
    log.add("sales", sale(revision=1, returns=(came_back(3),)))
    await write_all(history, log)

    rows = await connection.fetch("SELECT return_id, state FROM sale_returns")
    assert [tuple(row) for row in rows] == [("r-1", "voided")]


async def test_a_refund_is_a_row_at_its_newest_revision_whatever_comes_twice_or_late(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add("refunds", refund())
    await write_all(history, log)
    made = await connection.fetchrow("SELECT * FROM refunds")
    log.add("refunds", refund(revision=2, state="voided"))
    log.add("refunds", refund(revision=1))
    log.add("refunds", refund("1002", reversal="processed", processor=None, method="Cash", kind="pos"))
    await write_all(history, log)
    before = await contents(connection)
    await connection.execute("TRUNCATE progress")
    await write_all(history, log)

    assert (made["order_id"], made["method"], made["reversal"], made["state"]) == (
        "1001", "Stripe", "manual", "made",
    )  # fmt: skip
    assert str(made["amount"]) == "24.90"
    assert (made["event_time"], made["outlet_id"], made["return_id"]) == (NOON, "nelson", "r-1")
    rows = await connection.fetch("SELECT order_id, revision, state, processor FROM refunds ORDER BY 1")
    assert [tuple(row) for row in rows] == [("1001", 2, "voided", "Stripe"), ("1002", 1, "made", None)]
    assert await contents(connection) == before
    assert before["dead_letters"] == []


async def test_a_refund_that_cannot_be_a_row_is_a_dead_letter_and_its_neighbours_are_written(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add("refunds", refund("1001"))
    broken = log.add("refunds", refund("1002", refund_id="not-an-id"))
    log.add("refunds", refund("1003"))

    await write_all(history, log)

    assert [row[0] for row in await connection.fetch("SELECT order_id FROM refunds ORDER BY 1")] == [
        "1001",
        "1003",
    ]
    letter = await connection.fetchrow("SELECT source_topic, source_offset, reason FROM dead_letters")
    assert tuple(letter) == ("refunds", broken, "not_a_row")


async def test_a_movement_says_how_many_pieces_it_is_about_when_no_level_moves(
    history: History, connection: Any
) -> None:
    log = Log()
    log.add("stock.movements", moved(1))
    log.add("stock.movements", moved(2, kind="returned", quantity=Decimal(3), allocated=Decimal(0)))

    await write_all(history, log)

    rows = await connection.fetch("SELECT kind, quantity, allocated FROM stock_movements ORDER BY revision")
    assert [tuple(row) for row in rows] == [("allocated", 1, 1), ("returned", 3, 0)]


def _cash_paid_and_given_back() -> Log:
    """9.98 paid with 10.00 in cash, and given back with as much two days later; 24.90 by card."""
    cash = Payment(payment_id="a", kind="pos", name="Cash", amount=Decimal("10.00"), paid_at=NOON)
    rounding = Payment(
        payment_id="b", kind="rounding", name="Cash rounding", amount=Decimal("-0.02"), paid_at=NOON
    )
    tender: dict[str, Any] = {
        "processor": None,
        "reversal": "processed",
        "event_time": NOON + timedelta(days=2),
    }
    log = Log()
    log.add("sales", sale("1001", payments=(cash, rounding)))
    log.add("sales", sale("1002"))
    log.add(
        "refunds", refund("1001", payment="c", method="Cash", kind="pos", amount=Decimal("10.00"), **tender)
    )
    log.add(
        "refunds",
        refund(
            "1001",
            payment="d",
            method="Cash rounding",
            kind="rounding",
            amount=Decimal("-0.02"),
            **tender,
        ),
    )
    return log


async def test_cash_that_was_paid_and_given_back_is_nothing_net_and_so_is_its_rounding(
    history: History, connection: Any
) -> None:
    await write_all(history, _cash_paid_and_given_back())

    rows = await connection.fetch(
        """
        SELECT name, sum(amount_in)::text, sum(amount_out)::text, sum(net)::text, sum(count)::int
        FROM payment_report
        WHERE store_id = $1
        GROUP BY name
        ORDER BY name
        """,
        STORE,
    )
    assert [tuple(row) for row in rows] == [
        ("Cash", "10.00", "10.00", "0.00", 2),
        ("Cash rounding", "-0.02", "-0.02", "0.00", 2),
        ("Stripe", "24.90", "0.00", "24.90", 1),
    ]
    days = await connection.fetch(
        "SELECT day::text, amount_in, amount_out FROM payment_report WHERE name = 'Cash' ORDER BY day"
    )
    assert [tuple(row) for row in days] == [("2026-03-02", 10, 0), ("2026-03-04", 0, 10)]


@pytest.mark.parametrize(
    ("changes", "out", "manual"),
    [
        ({}, "24.90", "24.90"),
        ({"reversal": "processed"}, "24.90", "0.00"),
        ({"revision": 2, "state": "voided"}, "0.00", "0.00"),
    ],
)
async def test_the_report_counts_what_the_merchant_must_give_back_and_leaves_voided_refunds_out(
    history: History, connection: Any, changes: dict[str, Any], out: str, manual: str
) -> None:
    log = Log()
    log.add("sales", sale())
    log.add("refunds", refund(**changes))

    await write_all(history, log)

    row = await connection.fetchrow(
        "SELECT name, kind, amount_in::text, amount_out::text, manual::text FROM payment_report"
    )
    assert tuple(row) == ("Stripe", "integrated", "24.90", out, manual)
