"""`ecom.orders`: every spelling that E-Series has had (DOMAIN 2)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.payloads import RECEIVED, fixture, item, order, raw
from topics.decoders import decode_orders
from topics.errors import ContractError
from topics.orders import Component, Order


def decoded(payload: Any) -> Order:
    (found,) = decode_orders(raw(payload), RECEIVED)
    assert isinstance(found, Order)
    return found


def refused(payload: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        decode_orders(raw(payload), RECEIVED)
    return caught.value


def test_an_order_shipped_by_post_is_read_whole() -> None:
    found = decoded(order())
    assert (found.order_id, found.payment_status, found.fulfillment_status) == (
        "TS-1001",
        "PAID",
        "AWAITING_PROCESSING",
    )
    assert found.placed_at == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert found.updated_at == datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    assert found.version == 1772442300000
    assert (found.subtotal, found.shipping, found.tax, found.total) == (
        Decimal("59.7"),
        Decimal(5),
        Decimal("7.79"),
        Decimal("64.7"),
    )
    assert (found.payment_method, found.processor, found.transaction_id) == (
        "Credit or debit card",
        "Stripe",
        "ch_3TestAbc",
    )
    assert (found.email, found.billing_name, found.shipping_name) == (
        "rosa.field@example.com",
        "Rosa Field",
        "Sam Field",
    )
    assert (found.fulfillment_type, found.shipping_method_id, found.location_id) == (
        "DISPATCH",
        "post-7",
        None,
    )
    assert [(line.line_id, line.sku, line.quantity, line.price) for line in found.items] == [
        ("910001", "SCARF-RED", 2, Decimal("19.9")),
        ("910002", "HAT-L", 1, Decimal("19.9")),
    ]
    assert found.prices_include_tax
    assert found.repaired == ()


def test_an_order_in_old_spellings_is_read_alike() -> None:
    found = decoded(fixture("orders/old-spellings.json"))
    assert found.order_id == "271"
    assert found.payment_status == "AWAITING_PAYMENT"
    assert found.placed_at == datetime(2014, 11, 5, 20, 53, 30, tzinfo=UTC)
    assert found.transaction_id == "pp-77"
    assert (found.fulfillment_type, found.location_id) == ("PICKUP", "shop-1")
    assert found.handling == 0
    assert not found.prices_include_tax, "its taxes say that they are not included"
    assert [line.tracked for line in found.items] == [True]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "A-1", "vendorOrderNumber": "B-2", "orderNumber": 3}, "A-1"),
        ({"id": 103878161}, "103878161"),
        ({"id": 12345678901234567890123456789}, "12345678901234567890123456789"),
        ({"id": "  A-1\t"}, "A-1"),
        ({"id": ..., "vendorOrderNumber": "B-2"}, "B-2"),
        ({"id": "", "vendorOrderNumber": "B-2"}, "B-2"),
        ({"id": None, "vendorOrderNumber": " ", "orderNumber": 3}, "3"),
        ({"id": ..., "vendorOrderNumber": ..., "orderNumber": "3"}, "3"),
    ],
)
def test_the_order_is_known_by_id_else_vendor_number_else_number(changes: Any, expected: str) -> None:
    assert decoded(order(**changes)).order_id == expected


@pytest.mark.parametrize("number", [..., None, "", 0])
def test_an_order_without_any_id_is_refused(number: Any) -> None:
    refusal = refused(order(id=..., vendorOrderNumber=..., orderNumber=number))
    assert (refusal.reason, refusal.field) == ("missing_field", "id")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"updateTimestamp": 1772442300}, 1772442300000),
        ({"updateTimestamp": "1772442300"}, 1772442300000),
        ({"updateTimestamp": 1772442300.5}, 1772442300500),
        ({"updateTimestamp": 1772442300000}, 1772442300000),
        ({"updateTimestamp": "1772442300000"}, 1772442300000),
        ({"updateTimestamp": ...}, 1772442300000),
        ({"updateTimestamp": 0}, 1772442300000),
        ({"updateTimestamp": None, "updateDate": "2026-03-02T09:05:00Z"}, 1772442300000),
        ({"updateTimestamp": ..., "updateDate": "2026-03-02 04:05:00 -0500"}, 1772442300000),
        ({"updateTimestamp": ..., "updateDate": ...}, 1772445600000),
    ],
)
def test_the_version_is_the_update_time_else_the_record_s_own(changes: Any, expected: int) -> None:
    found = decoded(order(**changes))
    assert found.version == expected
    assert found.updated_at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=expected)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-25 10:00:00 +0000",
        "2026-02-25 02:00:00 -0800",
        "2026-02-25 15:45:00 +0545",
        "2026-02-25T10:00:00Z",
        "2026-02-25T10:00:00+00:00",
        "2026-02-25T10:00:00.000Z",
        "2026-02-25 10:00:00Z",
        "2026-02-25 10:00:00 UTC",
        "2026-02-25 10:00:00",
        "2026-02-25 11:00:00+0100",
        " 2026-02-25T11:00:00+01:00 ",
        "1772013600",
    ],
)
def test_a_date_may_have_any_offset_and_either_form(text: str) -> None:
    found = decoded(order(createTimestamp=..., createDate=text))
    assert found.placed_at == datetime(2026, 2, 25, 10, tzinfo=UTC)


def test_an_order_that_does_not_say_when_it_was_placed_was_placed_when_updated() -> None:
    found = decoded(order(createTimestamp=..., createDate=...))
    assert found.placed_at == found.updated_at


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"updateTimestamp": 58123000000000000}, "updateTimestamp"),
        ({"updateTimestamp": 5}, "updateTimestamp"),
        ({"updateTimestamp": -1772442300}, "updateTimestamp"),
        ({"updateTimestamp": 1e300}, "updateTimestamp"),
        ({"createTimestamp": 10**400}, "createTimestamp"),
        ({"updateTimestamp": ..., "updateDate": "yesterday"}, "updateDate"),
        ({"updateTimestamp": ..., "updateDate": "2026-13-01 00:00:00 +0000"}, "updateDate"),
        ({"createTimestamp": ..., "createDate": "0001-01-01 00:00:00 +2300"}, "createDate"),
        ({"createTimestamp": ..., "createDate": "9999-12-31 23:59:59 -2300"}, "createDate"),
    ],
)
def test_a_time_that_cannot_be_is_refused_by_its_field(changes: Any, field: str) -> None:
    refusal = refused(order(**changes))
    assert (refusal.reason, refusal.field) == ("bad_date", field)


def test_a_search_answer_gives_each_order_alone() -> None:
    first, bad, last = decode_orders(raw(fixture("orders/search-answer.json")), RECEIVED)
    assert isinstance(first, Order)
    assert isinstance(last, Order)
    assert (first.order_id, last.order_id) == ("TS-1001", "TS-1003")
    assert isinstance(bad, ContractError)
    assert (bad.reason, bad.field, bad.part, bad.order_id) == ("bad_number", "total", 1, "TS-1002")


@pytest.mark.parametrize("bad", [None, "text", 5, [], {}, {"items": [], "count": 0}, {"eventType": "x"}])
def test_a_part_that_is_no_order_harms_none_of_its_neighbours(bad: Any) -> None:
    first, refusal, last = decode_orders(
        raw({"total": 3, "count": 3, "items": [order(id="A"), bad, order(id="B")]}), RECEIVED
    )
    assert isinstance(refusal, ContractError)
    assert refusal.part == 1
    assert [part.order_id for part in (first, last) if isinstance(part, Order)] == ["A", "B"]


def test_text_to_mend_in_one_part_is_noted_on_that_part_only() -> None:
    parts = decode_orders(
        raw({"count": 2, "items": [order(email="a\0@example.com"), order(id="B")]}), RECEIVED
    )
    assert [part.repaired for part in parts if isinstance(part, Order)] == [("email",), ()]


def test_an_empty_search_answer_holds_nothing() -> None:
    assert (
        list(decode_orders(raw({"total": 0, "count": 0, "offset": 0, "limit": 100, "items": []}), RECEIVED))
        == []
    )


def test_a_webhook_body_is_not_an_order() -> None:
    refusal = refused(fixture("orders/webhook.json"))
    assert (refusal.reason, refusal.detail) == ("webhook_body", "webhook body, fetch the order first")


def test_an_order_without_items_is_refused_but_one_with_none_is_not() -> None:
    assert refused(order(items=...)).field == "items"
    assert refused(order(items=None)).field == "items"
    assert decoded(order(items=[])).items == ()


def test_an_order_without_total_is_refused() -> None:
    refusal = refused(order(total=...))
    assert (refusal.reason, refusal.field, refusal.order_id) == ("missing_field", "total", "TS-1001")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("paid", "PAID"), (" Paid ", "PAID"), (None, ""), (..., ""), ("something_new", "SOMETHING_NEW")],
)
def test_a_status_is_compared_in_upper_case_and_may_be_any(status: Any, expected: str) -> None:
    found = decoded(order(paymentStatus=status, fulfillmentStatus=status))
    assert (found.payment_status, found.fulfillment_status) == (expected, expected)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (..., None),
        (None, None),
        ([], None),
        ({}, None),
        ({"fulfillmentType": "SHIPPING"}, "DISPATCH"),
        ({"fulfillmentType": "delivery"}, "DISPATCH"),
        ({"fulfillmentType": "Pickup"}, "PICKUP"),
        ({"fulfilmentType": "PICKUP"}, "PICKUP"),
        ({"fulfillmentType": "SHIPPING", "isPickup": True}, "DISPATCH"),
        ({"isPickup": True}, "PICKUP"),
        ({"isPickup": "true"}, "PICKUP"),
        ({"isPickup": False, "shippingRate": 0}, "DISPATCH"),
        ({"shippingMethodName": "Post"}, "DISPATCH"),
        ({"fulfillmentType": "", "isPickup": True}, "PICKUP"),
        ({"fulfillmentType": "TELEPORT", "isPickup": True}, "PICKUP"),
    ],
)
def test_how_an_order_is_handed_over(option: Any, expected: str | None) -> None:
    assert decoded(order(shippingOption=option)).fulfillment_type == expected


@pytest.mark.parametrize(
    ("line", "tracked"),
    [
        ({"digital": True}, False),
        ({"giftCard": True}, False),
        ({"giftCard": ..., "isGiftCard": True}, False),
        ({"digital": "true"}, False),
        ({"digital": 1}, False),
        ({"trackQuantity": False}, True),
        ({"isShippingRequired": False}, True),
        ({"digital": None, "giftCard": None}, True),
    ],
)
def test_digital_and_gift_card_lines_move_no_stock(line: Any, tracked: bool) -> None:
    assert [found.tracked for found in decoded(order(items=[item(**line)])).items] == [tracked]


@pytest.mark.parametrize(
    ("sku", "expected"),
    [("", ""), (None, ""), (..., ""), (50, "50"), (50.0, "50"), ("00050", "00050"), (" A ", "A")],
)
def test_a_sku_may_be_empty_or_a_number(sku: Any, expected: str) -> None:
    assert decoded(order(items=[item(sku=sku)])).items[0].sku == expected


def test_a_very_long_sku_is_kept_whole() -> None:
    sku = "S" * 6000
    assert decoded(order(items=[item(sku=sku)])).items[0].sku == sku


def test_the_parts_of_a_bundle_stand_with_their_quantity() -> None:
    found = decoded(
        order(
            items=[item(compositeComponents=[{"sku": "CUP", "quantity": "2"}, {"sku": 7, "quantity": 0.5}])]
        )
    )
    assert found.items[0].components == (
        Component(sku="CUP", quantity=Decimal(2)),
        Component(sku="7", quantity=Decimal("0.5")),
    )


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ({"quantity": -1}, "bad_number", "items[1].quantity"),
        ({"quantity": "NaN"}, "bad_number", "items[1].quantity"),
        ({"quantity": ...}, "missing_field", "items[1].quantity"),
        ({"quantity": ""}, "missing_field", "items[1].quantity"),
        ({"id": ...}, "missing_field", "items[1].id"),
        ({"id": " "}, "missing_field", "items[1].id"),
        ({"id": "7" * 256}, "too_long", "items[1].id"),
        ({"id": 10**300}, "too_long", "items[1].id"),
        (
            {"compositeComponents": [{"sku": "A", "quantity": -1}]},
            "bad_number",
            "items[1].compositeComponents[0].quantity",
        ),
        (
            {"compositeComponents": [{"sku": "A"}]},
            "missing_field",
            "items[1].compositeComponents[0].quantity",
        ),
        ({"compositeComponents": {"sku": "A"}}, "wrong_type", "items[1].compositeComponents"),
    ],
)
def test_a_bad_line_is_refused_by_its_field(line: Any, reason: str, field: str) -> None:
    refusal = refused(order(items=[item(id=1), item(**line)]))
    assert (refusal.reason, refusal.field) == (reason, field)


def test_a_line_of_quantity_zero_is_a_line() -> None:
    assert decoded(order(items=[item(quantity=0)])).items[0].quantity == 0


def test_lines_that_share_an_id_get_one_each() -> None:
    found = decoded(order(items=[item(id=7), item(id="7~2"), item(id=7), item(id=8)]))
    assert [line.line_id for line in found.items] == ["7", "7~2", "7~3", "8"]


def test_a_null_in_the_list_of_lines_is_no_line() -> None:
    assert [line.line_id for line in decoded(order(items=[None, item(id=7), []])).items] == ["7"]


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"handlingFee": {"value": 2.5}}, "handling", "2.5"),
        ({"handlingFee": {"value": "2.50"}}, "handling", "2.50"),
        ({"handlingFee": {}}, "handling", "0"),
        ({"handlingFee": None}, "handling", "0"),
        ({"handlingFee": []}, "handling", "0"),
        ({"customSurcharges": [{"total": 3}, {"value": 1.5}, {"total": 2, "value": 9}]}, "surcharges", "6.5"),
        ({"customSurcharges": [{"value": 10, "type": "PERCENT", "total": 4}]}, "surcharges", "4"),
        ({"customSurcharges": [{"value": 10, "type": "percent"}]}, "surcharges", "0"),
        ({"customSurcharges": None}, "surcharges", "0"),
        ({"giftCardRedemption": 40}, "gift_card", "40"),
        ({"loyalty": {"earned": 3, "balance": 90, "redemption": {"id": "r", "amount": 5}}}, "loyalty", "5"),
        ({"loyalty": {"redemption": {"amount": 5, "cancelled": True}}}, "loyalty", "0"),
        ({"loyalty": {"earned": 3, "balance": 90}}, "loyalty", "0"),
        ({"loyalty": {"redeemed": "4.5"}}, "loyalty", "4.5"),
        ({"loyalty": []}, "loyalty", "0"),
        ({"storeCredit": 12.5}, "store_credit", "12.5"),
        ({"storeCredit": {"amount": 12.5}}, "store_credit", "12.5"),
        ({"storeCredit": {"redemption": {"amount": 12.5}, "balance": 80}}, "store_credit", "12.5"),
        ({"storeCredit": []}, "store_credit", "0"),
        ({"refundedAmount": 7}, "refunded", "7"),
        ({"refundedAmount": ..., "refunds": [{"amount": 3}, {"amount": 4.5}]}, "refunded", "7.5"),
        ({"discount": 4, "volumeDiscount": 4}, "discount", "4"),
        ({"couponDiscount": "10"}, "coupon_discount", "10"),
        ({"total": "64.70"}, "total", "64.70"),
        ({"subtotal": 0.1}, "subtotal", "0.1"),
    ],
)
def test_amounts(changes: Any, field: str, expected: str) -> None:
    assert str(getattr(decoded(order(**changes)), field)) == expected


@pytest.mark.parametrize(
    ("said", "taxes", "expected"),
    [
        (True, [{"includeInPrice": False}], True),
        (False, [{"includeInPrice": True}], False),
        (..., [{"includeInPrice": True}], True),
        (None, [{"includeInPrice": False}], False),
        (..., [], False),
        (..., None, False),
    ],
)
def test_whether_prices_include_tax_is_read_from_the_lines_if_not_said(
    said: Any, taxes: Any, expected: bool
) -> None:
    found = decoded(order(pricesIncludeTax=said, items=[item(taxes=taxes)]))
    assert found.prices_include_tax is expected


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"name": " Rosa Field "}, "Rosa Field"),
        ({"name": "", "firstName": "Rosa", "lastName": "Field"}, "Rosa Field"),
        ({"firstName": "Rosa"}, "Rosa"),
        ({"name": None}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_person_s_name(person: Any, expected: str | None) -> None:
    found = decoded(order(billingPerson=person, shippingPerson=person))
    assert (found.billing_name, found.shipping_name) == (expected, expected)


@pytest.mark.parametrize("email", ["", "  ", None, ...])
def test_no_e_mail_in_four_spellings(email: Any) -> None:
    assert decoded(order(email=email)).email is None


@pytest.mark.parametrize(
    "changes", [{"externalOrderId": "sale-7"}, {"externalOrderData": {"externalOrderId": "sale-7"}}]
)
def test_the_order_says_which_of_ours_it_echoes(changes: Any) -> None:
    assert decoded(order(**changes)).external_order_id == "sale-7"


def test_a_transaction_id_may_be_of_any_length() -> None:
    assert decoded(order(externalTransactionId=10**400)).transaction_id == str(10**400)
    assert decoded(order(externalTransactionId="t" * 900)).transaction_id == "t" * 900


@pytest.mark.parametrize(
    ("mark", "deleted"),
    [
        ({"deleted": True}, True),
        ({"deleted": "true"}, True),
        ({"deletedAt": "2026-03-02 10:00:00 +0000"}, True),
        ({"deleted_at": 1772442300}, True),
        ({"deleted": False, "deletedAt": "2026-03-02"}, True),
        ({"deleted": False}, False),
        ({"deleted": "false"}, False),
        ({"deletedAt": None, "deleted_at": ""}, False),
        ({"deletedAt": "0000-00-00 00:00:00"}, False),
        ({}, False),
    ],
)
def test_an_order_may_say_that_it_was_deleted(mark: Any, deleted: bool) -> None:
    found = decoded(order(**mark))
    assert found.deleted is deleted
    assert len(found.items) == 2


def test_of_a_deleted_order_its_id_and_the_time_will_do() -> None:
    found = decoded({"id": "TS-1001", "deleted": True, "updateTimestamp": 1772442300})
    assert (found.order_id, found.deleted, found.version) == ("TS-1001", True, 1772442300000)
    assert (found.items, found.total) == ((), 0)


def test_a_deleted_order_without_a_time_is_as_old_as_its_record() -> None:
    assert decoded({"orderNumber": 7, "deletedAt": "2026-03-02"}).updated_at == RECEIVED


def test_an_order_that_is_not_deleted_must_be_whole() -> None:
    assert refused({"id": "TS-1001", "deleted": False, "updateTimestamp": 1772442300}).field == "items"


def test_the_webhook_of_a_deletion_is_still_no_order() -> None:
    webhook = {"eventType": "order.deleted", "entityId": 102, "eventCreated": 1234567, "deleted": True}
    assert refused(webhook).reason == "webhook_body"


def test_a_deletion_may_stand_among_the_orders_of_a_search() -> None:
    gone = {"id": "TS-1002", "deleted": True, "updateTimestamp": 1772442300}
    first, second = decode_orders(raw({"count": 2, "items": [order(), gone]}), RECEIVED)
    assert isinstance(first, Order)
    assert isinstance(second, Order)
    assert (first.deleted, second.deleted) == (False, True)
