"""`pos.inventory`, `pos.products`, `pos.customers`: every generation of the point of sale (DOMAIN 2)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.payloads import changed, fixture, raw
from topics.decoders import decode_inventory, decode_product, decode_profile
from topics.errors import ContractError

SCARF, HARBOUR = "11111111-aaaa-11e6-e986-000000000001", "33333333-cccc-11e9-e989-000000000001"


@pytest.mark.parametrize(
    ("generation", "level", "version", "sku"),
    [
        ("webhook", "12.00000", 5105100900, "SCARF-RED"),
        ("api-2.0", "-2.5", 5105100901, None),
        ("2026-07", "7", 5105100902, None),
    ],
)
def test_a_count_of_each_generation(generation: str, level: str, version: int, sku: str | None) -> None:
    found = decode_inventory(raw(fixture(f"pos/inventory-{generation}.json")))
    assert (found.product_id, found.outlet_id) == (SCARF, HARBOUR)
    assert (str(found.level), found.version, found.sku) == (level, version, sku)


@pytest.mark.parametrize(
    ("payload", "level"),
    [
        ({"product_id": "p", "outlet_id": "o", "count": 0}, "0"),
        ({"product_id": "p", "outlet_id": "o", "count": " 5 "}, "5"),
        ({"product": {"id": 7}, "outlet": {"id": 8}, "inventory_level": "-0.25"}, "-0.25"),
        (
            {"product_id": "", "product": {"id": "p"}, "outlet_id": None, "outlet": {"id": "o"}, "count": 1},
            "1",
        ),
        ({"product_id": "p", "product": [], "outlet_id": "o", "outlet": [], "count": 1}, "1"),
        ({"product_id": "p", "outlet_id": "o", "count": 1, "current_inventory_level": 3}, "3"),
        ({"product_id": "p", "outlet_id": "o", "count": None, "inventory_level": 2}, "2"),
        ({"data": {"product_id": "p", "outlet_id": "o", "count": 1}}, "1"),
    ],
)
def test_a_level_in_any_spelling(payload: Any, level: str) -> None:
    assert str(decode_inventory(raw(payload)).level) == level


@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        ({"outlet_id": "o", "count": 1}, "missing_field", "product_id"),
        ({"product_id": "p", "count": 1}, "missing_field", "outlet_id"),
        ({"product_id": "p", "outlet_id": "o"}, "missing_field", "count"),
        ({"product_id": "p", "outlet_id": "o", "count": ""}, "missing_field", "count"),
        ({"product_id": "p", "outlet_id": "o", "count": "many"}, "bad_number", "count"),
        ({"product_id": "p", "outlet_id": "o", "count": True}, "wrong_type", "count"),
        ({"product_id": "p", "outlet_id": "o", "count": 1, "version": 2**63}, "bad_number", "version"),
        ({"product_id": "p", "outlet_id": "o", "count": 1, "version": 1.5}, "bad_number", "version"),
        ({"product_id": "p", "outlet_id": "o", "count": 1, "product": ["x"]}, "wrong_type", "product"),
        ({"product_id": "p" * 256, "outlet_id": "o", "count": 1}, "too_long", "product_id"),
        ({"product_id": "p", "outlet_id": "o" * 256, "count": 1}, "too_long", "outlet_id"),
        (
            {"product_id": "p", "outlet_id": "o", "count": 1, "product": {"sku": "s" * 256}},
            "too_long",
            "product.sku",
        ),
        ({"data": {"product_id": "p", "outlet_id": "o", "count": "NaN"}}, "bad_number", "data.count"),
    ],
)
def test_a_count_that_cannot_be_used_is_refused_by_its_field(payload: Any, reason: str, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode_inventory(raw(payload))
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_a_count_without_version_always_applies() -> None:
    assert decode_inventory(raw({"product_id": "p", "outlet_id": "o", "count": 1})).version is None


def test_a_product_of_each_generation() -> None:
    webhook = decode_product(raw(fixture("pos/product-webhook.json")))
    assert (webhook.product_id, webhook.sku, webhook.name) == (SCARF, "SCARF-RED", "Scarf / Red")
    assert (webhook.active, webhook.version) == (True, 5303657200)
    api = decode_product(raw(fixture("pos/product-api-2.0.json")))
    assert (api.product_id, api.sku, api.active, api.version) == (SCARF, "SCARF-RED", False, 5303657201)


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"active": "false"}, False),
        ({"active": 0}, False),
        ({"active": None}, True),
        ({"is_active": False}, False),
        ({"deleted_at": "2026-01-05 08:00:00"}, False),
        ({"deleted_at": "0000-00-00 00:00:00"}, True),
        ({"deleted_at": ""}, True),
    ],
)
def test_whether_a_product_is_sold(changes: Any, active: bool) -> None:
    assert decode_product(raw({"id": "p", "sku": "S", "name": "N"} | changes)).active is active


@pytest.mark.parametrize("sku", [None, "", " ", ...])
def test_a_product_may_have_no_sku(sku: Any) -> None:
    assert decode_product(raw(changed({"id": "p"}, {"sku": sku}))).sku == ""


def test_a_product_s_sku_must_fit_an_index() -> None:
    with pytest.raises(ContractError) as caught:
        decode_product(raw({"id": "p", "sku": "S" * 256}))
    assert (caught.value.reason, caught.value.field) == ("too_long", "sku")


def test_a_customer() -> None:
    found = decode_profile(raw(fixture("pos/customer.json")))
    assert (found.email, found.first_name, found.last_name) == ("rosa.field@example.com", "Rosa", "Field")
    assert found.created_at == datetime(2014, 10, 9, 5, 20, 9, tzinfo=UTC)
    assert not found.deleted


def test_a_customer_without_name_or_e_mail() -> None:
    found = decode_profile(raw(fixture("pos/customer-unnamed.json")))
    assert (found.email, found.first_name, found.last_name) == (None, None, None)
    assert found.created_at == datetime(2017, 2, 7, 1, 35, 4, tzinfo=UTC)


def test_the_whole_name_stands_in_where_its_parts_are_absent() -> None:
    found = decode_profile(raw({"id": "c", "name": "Rosa Field", "first_name": None}))
    assert (found.first_name, found.last_name) == ("Rosa Field", None)


def test_a_deleted_customer() -> None:
    assert decode_profile(raw({"id": "c", "deleted_at": "2026-01-05T08:00:00Z"})).deleted


@pytest.mark.parametrize("decode", [decode_product, decode_profile])
def test_a_record_without_id_is_refused(decode: Any) -> None:
    with pytest.raises(ContractError) as caught:
        decode(raw({"name": "N"}))
    assert (caught.value.reason, caught.value.field) == ("missing_field", "id")


@pytest.mark.parametrize("decode", [decode_inventory, decode_product, decode_profile])
def test_a_list_in_the_wrapper_is_refused_by_its_name(decode: Any) -> None:
    with pytest.raises(ContractError) as caught:
        decode(raw({"data": [{"id": "x"}]}))
    assert (caught.value.reason, caught.value.field) == ("wrong_type", "data")


def test_an_exact_level_stays_exact() -> None:
    found = decode_inventory(b'{"product_id": "p", "outlet_id": "o", "count": 0.1}')
    assert found.level == Decimal("0.1")


@pytest.mark.parametrize(
    "wrapped",
    [
        b'{"data": %s}',
        b' {\n "data" : %s, "version": {"max": 7}}',
        b'{"version": 7, "data": %s}',
        b'{"data": null, "data": %s}',
    ],
)
def test_the_wrapper_changes_nothing(wrapped: bytes) -> None:
    bare = raw({"product_id": "p", "outlet_id": "o", "count": "5.00", "version": 3})
    assert decode_inventory(wrapped % bare) == decode_inventory(bare)


@pytest.mark.parametrize("wrapper", [{"data": None}, {"data": []}, {"data": {"id": "q"}}])
def test_what_has_an_id_of_its_own_is_no_wrapper(wrapper: Any) -> None:
    assert decode_product(raw(wrapper | {"id": "p"})).product_id == "p"
