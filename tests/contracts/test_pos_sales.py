"""`pos.sales`: every generation of the point of sale's own sale (DOMAIN 2)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.contracts.payloads import changed, fixture, raw
from topics.decoders import decode_pos_sale
from topics.errors import ContractError
from topics.pos_sales import PosPayment, PosSale, PosSaleLine

SCARF, HAT = "11111111-aaaa-11e6-e986-000000000001", "11111111-aaaa-11e6-e986-000000000002"
HARBOUR = "33333333-cccc-11e9-e989-000000000001"
SALE, RETURN = "66666666-0000-11f0-a001-000000000001", "66666666-0000-11f0-a001-000000000009"

OURS = PosSale(
    pos_sale_id=SALE,
    state="closed",
    handed_over=True,
    outlet_id=HARBOUR,
    source_id="TS-1001",
    version=9000000103,
    updated_at=datetime(2026, 3, 2, 9, 20, tzinfo=UTC),
    lines=(
        PosSaleLine(line_id="l-1", product_id=SCARF, quantity=Decimal(2), amount=Decimal("41.4")),
        PosSaleLine(line_id="l-2", product_id=HAT, quantity=Decimal(1), amount=Decimal("20.7")),
    ),
    payments=(
        PosPayment(
            payment_id="pay-1",
            name="Stripe",
            amount=Decimal("62.1"),
            paid_at=datetime(2026, 3, 2, 9, 5, 30, tzinfo=UTC),
        ),
    ),
)
BACK = PosSale(
    pos_sale_id=RETURN,
    state="closed",
    outlet_id=HARBOUR,
    return_for=SALE,
    version=9000000302,
    updated_at=datetime(2026, 3, 5, 1, 2, tzinfo=UTC),
    lines=(PosSaleLine(line_id="l-9", product_id=SCARF, quantity=Decimal(-1), amount=Decimal("-20.7")),),
    payments=(
        PosPayment(
            payment_id="pay-9",
            name="Stripe",
            amount=Decimal("-20.7"),
            paid_at=datetime(2026, 3, 5, 1, 1, 50, tzinfo=UTC),
        ),
    ),
)


def decoded(payload: Any) -> PosSale:
    return decode_pos_sale(raw(payload))


def sale(**changes: Any) -> Any:
    plain = {"id": "s", "status": "CLOSED", "line_items": [line()], "payments": [payment()]}
    return changed(plain, changes)


def line(**changes: Any) -> Any:
    plain = {"id": "l", "product_id": "p", "quantity": 2, "price": 10, "tax": 1.5}
    return changed(plain, changes)


def payment(**changes: Any) -> Any:
    return changed({"id": "pay", "name": "Cash", "payment_type_id": "1", "amount": 23}, changes)


def refused(payload: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        decoded(payload)
    return caught.value


def test_our_sale_as_the_dated_api_has_it() -> None:
    assert decoded(fixture("pos/sale-2026-07.json")) == OURS


def test_our_sale_as_api_2_0_has_it_still_to_be_dispatched() -> None:
    assert decoded(fixture("pos/sale-api-2.0.json")) == msgspec.structs.replace(
        OURS,
        state="pending",
        handed_over=False,
        version=9000000101,
        updated_at=datetime(2026, 3, 2, 9, 6, 10, tzinfo=UTC),
    )


def test_our_sale_as_a_webhook_brings_it_with_numbers_as_text_and_no_outlet() -> None:
    assert decoded(fixture("pos/sale-webhook.json")) == msgspec.structs.replace(
        OURS, outlet_id=None, version=9000000102
    )


def test_a_return_as_the_dated_api_has_it() -> None:
    assert decoded(fixture("pos/sale-return-2026-07.json")) == BACK


def test_a_return_as_api_2_0_has_it_even_if_its_lines_say_that_they_are_none() -> None:
    found = decoded(fixture("pos/sale-return-api-2.0.json"))
    assert found == msgspec.structs.replace(BACK, version=9000000301)


@pytest.mark.parametrize(
    ("status", "state", "handed_over"),
    [
        ("SAVED", "parked", False),
        ("OPEN", "pending", False),
        ("LAYBY", "pending", False),
        ("ONACCOUNT", "pending", False),
        ("AWAITING_PICKUP", "pending", False),
        ("AWAITING_DISPATCH", "pending", False),
        ("SERVICE", "pending", False),
        ("CLOSED", "closed", False),
        ("LAYBY_CLOSED", "closed", False),
        ("ONACCOUNT_CLOSED", "closed", False),
        ("SERVICE_CLOSED", "closed", False),
        ("PICKED_UP_CLOSED", "closed", True),
        ("DISPATCHED_CLOSED", "closed", True),
        ("VOIDED", "voided", False),
        (" picked_up_closed ", "closed", True),
    ],
)
def test_a_status_says_the_state_and_whether_the_goods_are_handed_over(
    status: str, state: str, handed_over: bool
) -> None:
    found = decoded(sale(status=status))
    assert (found.state, found.handed_over) == (state, handed_over)


@pytest.mark.parametrize(
    ("state", "attributes", "handed_over"),
    [
        ("closed", ["pickup"], True),
        ("Closed", ["onaccount", " DELIVERY"], True),
        ("closed", ["onaccount"], False),
        ("closed", [], False),
        ("closed", {}, False),
        ("closed", None, False),
        ("closed", [None, "pickup"], True),
        ("pending", ["pickup"], False),
        ("parked", ["delivery"], False),
        ("voided", ["delivery"], False),
    ],
)
def test_a_state_with_its_attributes_says_the_same(state: str, attributes: Any, handed_over: bool) -> None:
    found = decoded(sale(status=..., state=state, attributes=attributes))
    assert (found.state, found.handed_over) == (state.lower(), handed_over)


def test_the_attributes_of_the_oldest_api_have_another_name() -> None:
    assert decoded(sale(register_sale_attributes=["pickup"])).handed_over


def test_a_state_counts_more_than_the_status_that_it_replaces() -> None:
    assert decoded(sale(status="SAVED", state="closed")).state == "closed"


def test_what_is_deleted_is_voided() -> None:
    found = decoded(sale(status="PICKED_UP_CLOSED", deleted_at="2026-03-02 10:00:00"))
    assert (found.state, found.handed_over) == ("voided", False)
    assert decoded({"id": "s", "deleted_at": "2026-03-02 10:00:00"}).state == "voided"
    assert decoded(sale(deleted_at="0000-00-00 00:00:00")).state == "closed"


@pytest.mark.parametrize("field", ["status", "state"])
def test_a_word_that_is_not_known_is_refused_with_those_that_are(field: str) -> None:
    refusal = refused(sale(**{field: "TELEPORTED"}))
    assert (refusal.reason, refusal.field, refusal.value) == ("bad_value", field, '"TELEPORTED"')
    assert "PICKED_UP_CLOSED" in refusal.detail


def test_text_that_is_no_word_is_not_quoted() -> None:
    assert "rosa" not in refused(sale(status="rosa.field@example.com")).detail


@pytest.mark.parametrize(
    ("prices", "amount"),
    [
        ({}, "23"),
        ({"tax": None}, "20"),
        ({"price": ..., "tax": ..., "unit_price": "10", "unit_tax": "1.5"}, "23"),
        ({"price_total": 19.5}, "22.5"),
        ({"total_price": 19.5, "total_tax": 0}, "19.5"),
        ({"price_total": "20.00000", "tax_total": "3.00000"}, "23"),
        ({"price": ..., "tax": {"amount": 1.5}, "pricing": {"price": 10}}, "23"),
        ({"price": ..., "tax": {"total": 3}, "pricing": {"total": 18}}, "21"),
        ({"price": ..., "tax": [], "pricing": []}, "0"),
        ({"price": "0.333333333333", "quantity": "0.333", "tax": 0}, "0.111"),
        ({"quantity": -2}, "-23"),
        ({"quantity": -2, "price_total": -20, "tax_total": -3}, "-23"),
        ({"quantity": -2, "price_total": 20, "tax_total": 3}, "-23"),
        ({"quantity": -1, "price": -5, "tax": 0}, "5"),
        ({"quantity": 1, "price": -5, "tax": 0}, "-5"),
        ({"quantity": 0}, "0"),
    ],
)
def test_what_a_line_comes_to_with_tax(prices: Any, amount: str) -> None:
    (found,) = decoded(sale(line_items=[line(**prices)])).lines
    assert found.amount == Decimal(amount)


def test_what_a_line_comes_to_has_limits_too() -> None:
    refusal = refused(sale(line_items=[line(price=10**11, quantity=10**3)]))
    assert (refusal.reason, refusal.field) == ("bad_number", "line_items[0]")


def test_a_line_may_have_no_product() -> None:
    assert decoded(sale(line_items=[line(product_id=None, product=[])])).lines[0].product_id is None


def test_rows_that_share_an_id_keep_one_each() -> None:
    found = decoded(sale(line_items=[line(), line(), None], payments=[payment(), payment()]))
    assert [row.line_id for row in found.lines] == ["l", "l~2"]
    assert [row.payment_id for row in found.payments] == ["pay", "pay~2"]


@pytest.mark.parametrize(
    ("changes", "name", "rounding"),
    [
        ({}, "Cash", False),
        ({"payment_type_id": 122}, "Cash", True),
        ({"payment_type_id": "122", "name": None}, "payment type 122", True),
        ({"name": "Cash rounding"}, "Cash rounding", True),
        ({"name": "ROUNDING"}, "ROUNDING", True),
        (
            {"payment_type_id": ..., "type": {"id": "122", "name": "Adjustment"}, "name": ...},
            "Adjustment",
            True,
        ),
        ({"payment_type_id": ..., "retailer_payment_type": {"payment_type_id": "122"}}, "Cash", True),
        ({"retailer_payment_type": {"id": "122", "name": "EFTPOS"}, "name": ...}, "EFTPOS", False),
        ({"payment_type": {"id": "3", "name": "Credit Card"}, "name": ""}, "Credit Card", False),
        ({"payment_type_id": None, "name": None}, "payment", False),
    ],
)
def test_a_tender_s_name_and_whether_it_is_the_cash_rounding(changes: Any, name: str, rounding: bool) -> None:
    (found,) = decoded(sale(payments=[payment(**changes)])).payments
    assert (found.name, found.rounding) == (name, rounding)


def test_a_tender_that_was_taken_out_is_none() -> None:
    found = decoded(sale(payments=[payment(deleted_at="2026-03-02T10:00:00Z"), payment(id="pay-2")]))
    assert [row.payment_id for row in found.payments] == ["pay-2"]


@pytest.mark.parametrize("absent", [..., None, [], {}])
def test_a_sale_may_have_neither_lines_nor_payments(absent: Any) -> None:
    found = decoded(sale(line_items=absent, payments=absent))
    assert (found.lines, found.payments) == ((), ())


def test_a_sale_needs_no_version_and_no_time() -> None:
    found = decoded(sale())
    assert (found.version, found.updated_at, found.source_id, found.return_for) == (None, None, None, None)


@pytest.mark.parametrize("source", ["USER", None, [], {}, {"id": None}])
def test_what_a_sale_was_made_from_may_be_said_in_words_only(source: Any) -> None:
    assert decoded(sale(source=source)).source_id is None


def test_ids_may_be_numbers() -> None:
    found = decoded(
        sale(id=7, source_id=1001, return_for=6, outlet_id=5, line_items=[line(id=1, product_id=2)])
    )
    assert (found.pos_sale_id, found.source_id, found.return_for, found.outlet_id) == ("7", "1001", "6", "5")
    assert (found.lines[0].line_id, found.lines[0].product_id) == ("1", "2")


@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        (sale(id=...), "missing_field", "id"),
        (sale(status=None), "missing_field", "state"),
        (sale(status=5), "bad_value", "status"),
        (sale(line_items=[line(id=...)]), "missing_field", "line_items[0].id"),
        (sale(line_items=[line(), line(quantity=None)]), "missing_field", "line_items[1].quantity"),
        (sale(line_items=[line(quantity="NaN")]), "bad_number", "line_items[0].quantity"),
        (sale(line_items=[line(tax=True)]), "wrong_type", "line_items[0].tax"),
        (sale(line_items=[line(tax=["x"])]), "wrong_type", "line_items[0].tax"),
        (sale(line_items=["l"]), "wrong_type", "line_items[0]"),
        (sale(line_items="l"), "wrong_type", "line_items"),
        (sale(line_items=[line(product_id="p" * 256)]), "too_long", "line_items[0].product_id"),
        (sale(payments=[payment(id=None)]), "missing_field", "payments[0].id"),
        (sale(payments=[payment(amount=None)]), "missing_field", "payments[0].amount"),
        (sale(payments=[payment(payment_date="soon")]), "bad_date", "payments[0].payment_date"),
        (sale(payments=[payment(date="soon")]), "bad_date", "payments[0].date"),
        (sale(updated_at="soon"), "bad_date", "updated_at"),
        (sale(version=2**63), "bad_number", "version"),
        (sale(_metadata={"version": 1.5}), "bad_number", "_metadata.version"),
        (sale(source={"id": "o" * 256}), "too_long", "source.id"),
        (sale(source=["x"]), "wrong_type", "source"),
        (sale(source=True), "wrong_type", "source"),
        (sale(attributes="pickup"), "wrong_type", "attributes"),
        (sale(**{"return": {"original_sale_id": "s" * 256}}), "too_long", "return.original_sale_id"),
        (
            sale(line_items=..., register_sale_products=[{"id": "l"}]),
            "missing_field",
            "register_sale_products[0].quantity",
        ),
        (
            sale(payments=..., register_sale_payments=[{"id": "x"}]),
            "missing_field",
            "register_sale_payments[0].amount",
        ),
        ({"data": sale(id=...)}, "missing_field", "data.id"),
        ({"data": [sale()]}, "wrong_type", "data"),
        ({"eventType": "sale.update", "entityId": 1}, "webhook_body", None),
    ],
)
def test_a_sale_that_cannot_be_used_is_refused_by_its_field(
    payload: Any, reason: str, field: str | None
) -> None:
    refusal = refused(payload)
    assert (refusal.reason, refusal.field) == (reason, field)


@pytest.mark.parametrize(
    "field",
    ["price", "unit_price", "price_total", "total_price", "tax", "unit_tax", "tax_total", "total_tax"],
)
def test_a_number_that_is_none_is_refused_even_where_another_one_counts(field: str) -> None:
    plain = line(price_total=20, tax_total=3, unit_price=10, unit_tax=1.5, total_price=20, total_tax=3)
    refusal = refused(sale(line_items=[plain | {field: "NaN"}]))
    assert (refusal.reason, refusal.field) == ("bad_number", f"line_items[0].{field}")
