"""Whatever arrives, a decoder answers with a message or a refusal, and never with a number that is none."""

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.payloads import RECEIVED, fixture, order, raw
from topics.decoders import (
    corrections,
    decode_correction,
    decode_inventory,
    decode_link,
    decode_orders,
    decode_pos_fulfillment,
    decode_pos_sale,
    decode_product,
    decode_profile,
    inventory,
    pos_fulfillments,
    pos_sales,
    products,
    profiles,
    record,
    wire,
)
from topics.decoders import orders as order_decoder
from topics.errors import REASONS, ContractError

LINK = {
    "currency": "NZD",
    "currency_precision": 2,
    "time_zone": "Pacific/Auckland",
    "register": "online",
    "outlets": [{"id": "o1", "name": "Harbour", "connected": True, "priority": 1, "safety_stock": 0}],
    "shipping_methods": {"post-7": "o1"},
    "locations": {},
    "processors": [{"name": "Stripe", "reversal": False}],
    "offline_payment": "unpaid",
    "oversell": "allow",
    "payment_statuses": {"CUSTOM_PAYMENT_STATUS_1": "PAID"},
    "levels_include_open_orders": False,
}

CORRECTION = {
    "correction_id": "c-1",
    "product_id": "p-1",
    "outlet_id": "o1",
    "revision": 12,
    "on_hand": "-3",
    "allocated": 0,
    "awaiting": "1.5",
    "ledger": {"revision": 14, "on_hand": "7", "allocated": "2", "awaiting": "0"},
    "reason": "a delivery was counted twice",
    "operator": "night shift",
}


def _orders(value: bytes | None) -> Any:
    return decode_orders(value, RECEIVED)


TOPICS: dict[str, tuple[Callable[[bytes | None], Any], Any]] = {
    "ecom.orders": (_orders, order()),
    "search answer": (_orders, fixture("orders/search-answer.json")),
    "pos.inventory": (decode_inventory, fixture("pos/inventory-webhook.json")),
    "pos.sales": (decode_pos_sale, fixture("pos/sale-api-2.0.json")),
    "pos.sales webhook": (decode_pos_sale, fixture("pos/sale-webhook.json")),
    "pos.sales 2026-07": (decode_pos_sale, fixture("pos/sale-return-2026-07.json")),
    "pos.fulfillments": (decode_pos_fulfillment, fixture("pos/fulfillment.json")),
    "pos.products": (decode_product, fixture("pos/product-webhook.json")),
    "pos.customers": (decode_profile, fixture("pos/customer.json")),
    "store.links": (decode_link, LINK),
    "stock.corrections": (decode_correction, CORRECTION),
}

HOSTILE_NUMBERS = ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "-1e999999999", "0E-999999", "١٢"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.integers(10**300, 10**301)
    | st.sampled_from([10**400, -(10**400), 2**63, 2**64])
    | st.floats()
    | st.sampled_from([*HOSTILE_NUMBERS, "", " ", "5", "-2.50", "[]", "\0", "a\0b", "x" * 300, "2026-02-25"])
    | st.text(max_size=12)
    | st.text(alphabet=st.characters(categories=["Cs", "Lu", "Cc"]), max_size=5)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def paths(tree: Any, so_far: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of everything in the JSON, below the top."""
    entries: list[tuple[str | int, Any]] = []
    if isinstance(tree, dict):
        entries = list(tree.items())
    elif isinstance(tree, list):
        entries = list(enumerate(tree))
    for place, inner in entries:
        yield (*so_far, place)
        yield from paths(inner, (*so_far, place))


def put(tree: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = put(copy[path[0]], path[1:], value)
    return copy


@st.composite
def nearly(draw: st.DrawFn, payload: Any) -> bytes:
    """A payload with one to three of its values replaced by anything at all."""
    places = list(paths(payload))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places))
        value = draw(JSON)
        try:
            payload = put(payload, place, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    return json.dumps(payload, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


def numbers(message: Any) -> Iterator[Decimal]:
    if isinstance(message, Decimal):
        yield message
    elif isinstance(message, msgspec.Struct):
        for field in message.__struct_fields__:
            yield from numbers(getattr(message, field))
    elif isinstance(message, list | tuple):
        for inner in message:
            yield from numbers(inner)


def texts(message: Any) -> Iterator[str]:
    if isinstance(message, str):
        yield message
    elif isinstance(message, msgspec.Struct):
        for field in message.__struct_fields__:
            yield from texts(getattr(message, field))
    elif isinstance(message, dict):
        for key, value in message.items():
            yield key
            yield from texts(value)
    elif isinstance(message, list | tuple):
        for inner in message:
            yield from texts(inner)


def answer(decode: Callable[[bytes | None], Any], value: bytes) -> Any:
    """Return the message or the refusal; anything else that is raised fails the test."""
    try:
        message = decode(value)
    except ContractError as refusal:
        message = refusal
    refusals = [message] if isinstance(message, ContractError) else message
    for refusal in refusals if isinstance(refusals, list | tuple) else ():
        if isinstance(refusal, ContractError):
            assert refusal.reason in REASONS
            assert 0 < len(refusal.detail) < 400
            for text in (refusal.detail, refusal.order_id or ""):
                assert "\0" not in text
                text.encode()
    for number in numbers(message):
        assert math.isfinite(number)
        assert abs(number) < 10**12
        exponent = number.as_tuple().exponent
        assert isinstance(exponent, int)
        assert -12 <= exponent <= 0
    for text in texts(message):
        assert "\0" not in text
        text.encode()
    return message


def comparable(message: Any) -> Any:
    if isinstance(message, ContractError):
        return (message.reason, message.detail, message.part, message.order_id)
    if isinstance(message, list | tuple):
        return [comparable(part) for part in message]
    return message


@pytest.mark.parametrize("topic", TOPICS)
def test_any_bytes_are_a_message_or_a_refusal(topic: str) -> None:
    decode, _ = TOPICS[topic]

    @FUZZ
    @given(st.binary(max_size=200))
    def check(value: bytes) -> None:
        answer(decode, value)

    check()


@pytest.mark.parametrize("topic", TOPICS)
def test_any_json_is_a_message_or_a_refusal(topic: str) -> None:
    decode, _ = TOPICS[topic]

    @FUZZ
    @given(JSON)
    def check(tree: Any) -> None:
        answer(decode, json.dumps(tree).encode())

    check()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_payload_with_a_few_values_replaced_is_a_message_or_a_refusal(topic: str) -> None:
    decode, payload = TOPICS[topic]

    @FUZZ
    @given(nearly(payload))
    def check(value: bytes) -> None:
        answer(decode, value)

    check()


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(nearly(order(deleted=False, deletedAt=None)))
def test_the_quick_and_the_lenient_way_read_an_order_alike(value: bytes) -> None:
    def lenient(value: bytes | None) -> Any:
        return order_decoder._thorough(wire.parse(wire.body(value)), RECEIVED)

    quick = answer(_orders, value)
    slow = answer(lenient, value)
    assert comparable(quick) == comparable(slow if isinstance(slow, ContractError) else [slow])


READERS = {
    "pos.inventory": (inventory.LEVEL, inventory._build),
    "pos.sales": (pos_sales.SALE, pos_sales._build),
    "pos.sales webhook": (pos_sales.SALE, pos_sales._build),
    "pos.sales 2026-07": (pos_sales.SALE, pos_sales._build),
    "pos.fulfillments": (pos_fulfillments.FULFILLMENT, pos_fulfillments._build),
    "pos.products": (products.PRODUCT, products._build),
    "pos.customers": (profiles.PROFILE, profiles._build),
    "stock.corrections": (corrections.CORRECTION, corrections._build),
}


@pytest.mark.parametrize("topic", READERS)
def test_the_quick_and_the_lenient_way_read_any_other_record_alike(topic: str) -> None:
    decode, payload = TOPICS[topic]
    shape, build = READERS[topic]

    def lenient(value: bytes | None) -> Any:
        tree, path = record.unwrapped(wire.parse(wire.body(value)))
        record.refuse_webhook(tree)
        return record.thorough(tree, path, shape, build)

    @FUZZ
    @given(nearly(payload.get("data", payload)))
    def check(value: bytes) -> None:
        assert comparable(answer(decode, value)) == comparable(answer(lenient, value))

    check()


def test_the_fixture_takes_the_quick_way() -> None:
    assert order_decoder._quick(raw(order()), RECEIVED) is not None


@pytest.mark.parametrize("name", ["sale-api-2.0", "sale-return-api-2.0", "sale-webhook", "sale-2026-07"])
def test_a_sale_of_the_point_of_sale_takes_the_quick_way(name: str) -> None:
    payload = fixture(f"pos/{name}.json")
    assert record.quick(raw(payload.get("data", payload)), pos_sales.SALE, pos_sales._build) is not None


def test_a_fulfilment_takes_the_quick_way() -> None:
    value = raw(fixture("pos/fulfillment.json")["data"])
    assert record.quick(value, pos_fulfillments.FULFILLMENT, pos_fulfillments._build) is not None


@pytest.mark.parametrize("size", ["1e1000000", "-1e999999999", "1e-999999999"])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_timestamp_with_an_exponent_beyond_all_bounds_is_a_message_or_a_refusal(
    size: str, quoted: bool
) -> None:
    value = raw(order(updateTimestamp="HERE"))
    found = answer(_orders, value.replace(b'"HERE"', f'"{size}"'.encode() if quoted else size.encode()))
    if not size.endswith("-999999999"):
        assert isinstance(found, ContractError)
        assert (found.reason, found.field) == ("bad_date", "updateTimestamp")
