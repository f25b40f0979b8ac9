"""The limits and the tolerance that hold for every inbound topic: kinds of fault, not examples (DOMAIN 2)."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.payloads import RECEIVED, order, raw
from topics.decoders import (
    decode_correction,
    decode_inventory,
    decode_link,
    decode_orders,
    decode_pos_fulfillment,
    decode_pos_sale,
    decode_product,
    decode_profile,
)
from topics.errors import ContractError


def first_order(value: bytes | None) -> Any:
    (found,) = decode_orders(value, RECEIVED)
    return found


LEVEL = {"product_id": "p", "outlet_id": "o", "count": 5, "version": 1, "product": {"sku": "S", "name": "N"}}
POS_SALE = {
    "id": "s",
    "status": "CLOSED",
    "source_id": "n",
    "version": 1,
    "line_items": [
        {"id": "l", "product_id": "p", "quantity": 2, "price": 5, "price_total": 10, "tax_total": 1}
    ],
    "payments": [{"id": "y", "name": "Cash", "amount": 11}],
}
POS_FULFILLMENT = {
    "id": "f",
    "sale_id": "s",
    "outlet_id": "o",
    "type": "PICKUP",
    "state": "PICKED",
    "version": 1,
    "line_items": [{"sale_line_item_id": "l", "product_id": "p", "quantity": "2", "picked_quantity": "1"}],
}
PRODUCT = {"id": "p", "sku": "S", "name": "N", "version": 1}
PROFILE = {"id": "c", "email": "c@example.com", "first_name": "Cy", "last_name": "Doe", "version": 1}
CORRECTION = {
    "correction_id": "c",
    "product_id": "p",
    "outlet_id": "o",
    "revision": 3,
    "on_hand": "1.5",
    "allocated": -1,
    "ledger": {"revision": 4, "on_hand": 2},
    "reason": "R",
    "operator": "O",
}
LINK = {"currency": "NZD", "register": "r", "outlets": [{"id": "o", "name": "N", "safety_stock": 1}]}

Decode = Callable[[bytes | None], Any]
TOPICS: dict[str, tuple[Decode, Any]] = {
    "ecom.orders": (first_order, order()),
    "pos.inventory": (decode_inventory, LEVEL),
    "pos.sales": (decode_pos_sale, POS_SALE),
    "pos.fulfillments": (decode_pos_fulfillment, POS_FULFILLMENT),
    "pos.products": (decode_product, PRODUCT),
    "pos.customers": (decode_profile, PROFILE),
    "store.links": (decode_link, LINK),
    "stock.corrections": (decode_correction, CORRECTION),
}
every_topic = pytest.mark.parametrize(("decode", "payload"), TOPICS.values(), ids=TOPICS)


def put(payload: Any, path: str, value: Any) -> Any:
    """Return a copy of the payload with the value at the path, as error texts spell it."""
    copy: Any = json.loads(json.dumps(payload))
    *way, last = path.replace("[", ".[").split(".")
    inner = copy
    for step in way:
        inner = inner[int(step[1:-1])] if step.startswith("[") else inner[step]
    inner[int(last[1:-1]) if last.startswith("[") else last] = value
    return copy


NUMBERS = [
    ("ecom.orders", path)
    for path in (
        "total",
        "subtotal",
        "discount",
        "couponDiscount",
        "tax",
        "giftCardRedemption",
        "refundedAmount",
        "shippingOption.shippingRate",
        "handlingFee.value",
        "items[0].quantity",
        "items[1].price",
        "storeCredit",
    )
] + [("pos.inventory", "count"), ("pos.inventory", "version"), ("pos.products", "version")]
NUMBERS += [
    ("pos.sales", "line_items[0].quantity"),
    ("pos.sales", "line_items[0].price"),
    ("pos.sales", "line_items[0].price_total"),
    ("pos.sales", "line_items[0].tax_total"),
    ("pos.sales", "payments[0].amount"),
    ("pos.sales", "version"),
    ("pos.fulfillments", "line_items[0].quantity"),
    ("pos.fulfillments", "line_items[0].picked_quantity"),
    ("pos.fulfillments", "version"),
]
NUMBERS += [("pos.customers", "version"), ("store.links", "outlets[0].safety_stock")]
NUMBERS += [("stock.corrections", field) for field in ("on_hand", "allocated", "ledger.on_hand")]
NOT_NUMBERS = [
    "NaN",
    "nan",
    "sNaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "1E+999999",
    "1e-13",
    "1e12",
    "-1e12",
]


@pytest.mark.parametrize(
    ("topic", "field", "text"),
    [
        (topic, field, text)
        for topic, field in NUMBERS
        for text in NOT_NUMBERS
        if field != "version" or text not in ("1e12", "-1e12")  # a version may have 64 bits
    ],
)
def test_no_number_of_any_topic_may_be_none(topic: str, field: str, text: str) -> None:
    decode, payload = TOPICS[topic]
    with pytest.raises(ContractError) as caught:
        decode(raw(put(payload, field, text)))
    assert (caught.value.reason, caught.value.field) == ("bad_number", field)
    assert text in caught.value.detail


@pytest.mark.parametrize(
    "literal", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1" * 5000, b"1e99999999999999999999"]
)
@pytest.mark.parametrize(("topic", "field"), NUMBERS)
def test_nor_may_a_number_without_quotes(topic: str, field: str, literal: bytes) -> None:
    decode, payload = TOPICS[topic]
    value = raw(put(payload, field, "@")).replace(b'"@"', literal)
    with pytest.raises(ContractError) as caught:
        decode(value)
    assert (caught.value.reason, caught.value.field) == ("bad_number", field)
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize("value", [True, False, ["5"], {"a": 5}])
@pytest.mark.parametrize(("topic", "field"), [pair for pair in NUMBERS if pair[1] != "storeCredit"])
def test_nothing_but_a_number_is_one(topic: str, field: str, value: Any) -> None:
    decode, payload = TOPICS[topic]
    with pytest.raises(ContractError) as caught:
        decode(raw(put(payload, field, value)))
    assert (caught.value.reason, caught.value.field) == ("wrong_type", field)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("999999999999.999999999999", "999999999999.999999999999"),
        ("-999999999999", "-999999999999"),
        ("0.000000000001", "1E-12"),
        ("1.0000000000000000", "1.000000000000"),
        ("1E+3", "1000"),
        ("0E-999999", "0"),
        ("-0.0", "0"),
        ("12345678.12345678", "12345678.12345678"),
    ],
)
def test_what_is_within_the_limits_is_kept_exactly(text: str, exact: str) -> None:
    assert str(decode_inventory(raw(LEVEL | {"count": text})).level) == exact
    assert str(decode_inventory(raw(LEVEL | {"count": "@"}).replace(b'"@"', text.encode())).level) == exact


@every_topic
@pytest.mark.parametrize("value", [None, b"", b"  \n", b"null", b"\xef\xbb\xbf", b"\xef\xbb\xbfnull"])
def test_a_record_without_value_is_empty(decode: Decode, payload: Any, value: bytes | None) -> None:
    with pytest.raises(ContractError) as caught:
        decode(value)
    assert (caught.value.reason, caught.value.detail) == ("empty_record", "empty value")


@every_topic
def test_a_byte_order_mark_and_space_around_are_no_fault(decode: Decode, payload: Any) -> None:
    assert decode(b"\xef\xbb\xbf \n" + raw(payload) + b"\n") == decode(raw(payload))


@every_topic
@pytest.mark.parametrize(
    "value", [b"\xff\xfe{\x00}\x00", b'{"id": "\xe9"}', b'{"id": "\xed\xa0\xbd"}', b"\x80"]
)
def test_bytes_that_are_not_utf_8_are_refused(decode: Decode, payload: Any, value: bytes) -> None:
    with pytest.raises(ContractError) as caught:
        decode(value)
    assert caught.value.reason == "not_utf8"


@every_topic
def test_not_even_in_a_field_that_is_not_used(decode: Decode, payload: Any) -> None:
    with pytest.raises(ContractError) as caught:
        decode(raw(payload)[:-1] + b', "comment": "\xe9"}')
    assert caught.value.reason == "not_utf8"


@every_topic
@pytest.mark.parametrize(
    "value", [b"{", b"hello", b'{"id": 1,}', b"{'id': 1}", b'{"id": 01}', b'{"id": 1} x']
)
def test_text_that_is_not_json_is_refused(decode: Decode, payload: Any, value: bytes) -> None:
    with pytest.raises(ContractError) as caught:
        decode(value)
    assert caught.value.reason == "not_json"


@every_topic
@pytest.mark.parametrize("value", [b"5", b'"text"', b"[]", b"[1, 2]", b"true"])
def test_json_that_is_not_an_object_is_refused(decode: Decode, payload: Any, value: bytes) -> None:
    with pytest.raises(ContractError) as caught:
        decode(value)
    assert caught.value.reason == "wrong_type"


@every_topic
@pytest.mark.parametrize(
    "deep", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000]
)
def test_nesting_is_bounded(decode: Decode, payload: Any, deep: bytes) -> None:
    for value in (deep, raw(payload)[:-1] + b', "extra": ' + deep + b"}"):
        with pytest.raises(ContractError) as caught:
            decode(value)
        assert caught.value.reason == "too_deep"


@every_topic
def test_fields_that_are_not_known_are_ignored(decode: Decode, payload: Any) -> None:
    extra = {"extra": {"deep": [1, {"er": None}]}, "usd": "NaN", "flag": True}
    assert decode(raw(payload | extra)) == decode(raw(payload))


@every_topic
def test_a_key_that_stands_twice_is_harmless(decode: Decode, payload: Any) -> None:
    once = raw(payload)
    for field in payload:
        twice = b"{" + json.dumps(field).encode() + b': {"not": ["this"]}, ' + once[1:]
        assert decode(twice) == decode(once)


@every_topic
def test_control_characters_within_text_are_no_fault(decode: Decode, payload: Any) -> None:
    assert decode(raw(payload)[:-1] + b', "comment": "two\nlines\tand a tab"}') == decode(raw(payload))


TEXTS = [
    ("ecom.orders", "id", "order_id"),
    ("ecom.orders", "email", "email"),
    ("ecom.orders", "paymentMethod", "payment_method"),
    ("ecom.orders", "paymentModule", "processor"),
    ("ecom.orders", "billingPerson.name", "billing_name"),
    ("ecom.orders", "shippingOption.shippingMethodId", "shipping_method_id"),
    ("pos.inventory", "product_id", "product_id"),
    ("pos.inventory", "product.sku", "sku"),
    ("pos.sales", "id", "pos_sale_id"),
    ("pos.sales", "source_id", "source_id"),
    ("pos.fulfillments", "sale_id", "pos_sale_id"),
    ("pos.products", "sku", "sku"),
    ("pos.products", "name", "name"),
    ("pos.customers", "email", "email"),
    ("pos.customers", "first_name", "first_name"),
    ("store.links", "register", "register"),
]
BROKEN = [
    (b"a\\u0000b", "ab"),
    (b"a\x00b", "ab"),
    (b"a\\ud83db", "a\ufffdb"),
    (b"a\\uDE00b", "a\ufffdb"),
    (b"a\\ude00\\ud83db", "a\ufffd\ufffdb"),
]


@pytest.mark.parametrize(("escaped", "mended"), BROKEN)
@pytest.mark.parametrize(("topic", "field", "attribute"), TEXTS)
def test_text_is_mended_and_the_field_noted(
    topic: str, field: str, attribute: str, escaped: bytes, mended: str
) -> None:
    decode, payload = TOPICS[topic]
    found = decode(raw(put(payload, field, "@")).replace(b'"@"', b'"' + escaped + b'"'))
    assert getattr(found, attribute) == mended
    assert found.repaired == (field,)


def test_the_name_of_a_line_is_mended_too() -> None:
    value = raw(put(order(), "items[1].name", "@")).replace(b'"@"', b'"Hat\\u0000 \\ud83d\\ude00"')
    found = first_order(value)
    assert (found.items[1].name, found.repaired) == ("Hat 😀", ("items[1].name",))


def test_a_whole_emoji_is_not_broken_text() -> None:
    found = first_order(raw(order()).replace(b"Rosa Field", b"Rosa \\ud83c\\udf39"))
    assert (found.billing_name, found.repaired) == ("Rosa 🌹", ())


def test_text_that_only_looks_like_an_escape_stays() -> None:
    found = first_order(raw(order(paymentMethod="a\\u0000b")))
    assert (found.payment_method, found.repaired) == ("a\\u0000b", ())


IDS = [
    ("ecom.orders", "id", 255),
    ("ecom.orders", "email", 320),
    ("ecom.orders", "items[0].id", 255),
    ("ecom.orders", "shippingOption.shippingMethodId", 255),
    ("ecom.orders", "shippingOption.locationId", 255),
    ("pos.inventory", "product_id", 255),
    ("pos.inventory", "outlet_id", 255),
    ("pos.inventory", "product.sku", 255),
    ("pos.sales", "id", 255),
    ("pos.sales", "source_id", 255),
    ("pos.sales", "line_items[0].id", 255),
    ("pos.sales", "line_items[0].product_id", 255),
    ("pos.sales", "payments[0].id", 255),
    ("pos.fulfillments", "id", 255),
    ("pos.fulfillments", "sale_id", 255),
    ("pos.fulfillments", "outlet_id", 255),
    ("pos.fulfillments", "line_items[0].sale_line_item_id", 255),
    ("pos.products", "id", 255),
    ("pos.products", "sku", 255),
    ("pos.customers", "id", 255),
    ("pos.customers", "email", 320),
    ("store.links", "outlets[0].id", 255),
    ("store.links", "register", 255),
    ("stock.corrections", "correction_id", 255),
    ("stock.corrections", "product_id", 255),
    ("stock.corrections", "outlet_id", 255),
]


@pytest.mark.parametrize(("topic", "field", "limit"), IDS)
def test_what_is_a_key_or_indexed_has_a_length(topic: str, field: str, limit: int) -> None:
    decode, payload = TOPICS[topic]
    decode(raw(put(payload, field, "é" * limit)))
    with pytest.raises(ContractError) as caught:
        decode(raw(put(payload, field, "é" * (limit + 1))))
    assert (caught.value.reason, caught.value.field) == ("too_long", field)
    assert caught.value.detail == f"{field}: longer than {limit} characters: {limit + 1} characters"


OBJECTS = ["billingPerson", "shippingPerson", "shippingOption", "handlingFee", "loyalty", "storeCredit"]


@pytest.mark.parametrize("field", OBJECTS)
def test_an_empty_list_for_an_object_is_absent_and_a_full_one_a_fault(field: str) -> None:
    absent = first_order(raw({name: value for name, value in order().items() if name != field}))
    assert first_order(raw(order(**{field: []}))) == absent
    assert first_order(raw(order(**{field: None}))) == absent
    for full in (["x"], [{}], [[]], [0]):
        with pytest.raises(ContractError) as caught:
            first_order(raw(order(**{field: full})))
        assert (caught.value.reason, caught.value.field) == ("wrong_type", field)


@pytest.mark.parametrize(
    "field",
    [
        "discount",
        "couponDiscount",
        "subtotal",
        "tax",
        "refundedAmount",
        "paymentStatus",
        "email",
        "paymentModule",
    ],
)
def test_null_is_absent(field: str) -> None:
    absent = first_order(raw(order(**{field: ...})))
    assert first_order(raw(order(**{field: None}))) == absent
    assert first_order(raw(order(**{field: ""}))) == absent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total", "rosa.field@example.com"),
        ("email", {"address": "rosa.field@example.com"}),
        ("items", "rosa.field@example.com"),
        ("updateDate", "rosa.field@example.com"),
        ("billingPerson", "Rosa Field"),
        ("email", "rosa.field@example.com" * 20),
        ("id", ["rosa.field@example.com"]),
        ("pricesIncludeTax", "rosa.field@example.com"),
    ],
)
def test_a_refusal_says_nothing_about_a_person(field: str, value: Any) -> None:
    with pytest.raises(ContractError) as caught:
        first_order(raw(order(updateTimestamp=...) | {field: value}))
    assert field in caught.value.detail
    assert "rosa" not in caught.value.detail.lower()


def test_a_refusal_names_the_field_the_fault_and_the_value() -> None:
    with pytest.raises(ContractError) as caught:
        first_order(raw(put(order(), "items[0].quantity", "NaN")))
    assert caught.value.detail == 'items[0].quantity: not a finite number: "NaN"'


def test_numbers_may_be_text() -> None:
    found = first_order(raw(put(order(total="64.70", tax=" 7.79 "), "items[0].quantity", "2")))
    assert (found.total, found.tax, found.items[0].quantity) == (Decimal("64.70"), Decimal("7.79"), 2)
