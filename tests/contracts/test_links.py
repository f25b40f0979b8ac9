"""`store.links`: the document that a store's owner writes, in the spellings that people write (DOMAIN 2)."""

from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.payloads import changed, raw
from topics.decoders import decode_link
from topics.errors import ContractError
from topics.links import Outlet, Processor, StoreLink

LINK = {
    "currency": "NZD",
    "currency_precision": 2,
    "time_zone": "Pacific/Auckland",
    "register": "r1",
    "outlets": [
        {"id": "o1", "name": "Harbour", "connected": True, "priority": 1, "safety_stock": 0},
        {"id": "o2", "name": "Hill", "connected": False, "priority": 2, "safety_stock": "1.5"},
    ],
    "shipping_methods": {"post-7": "o1"},
    "locations": {"shop-1": "o2"},
    "processors": [{"name": "Stripe", "reversal": False}],
    "offline_payment": "as_recorded",
    "oversell": "restrict",
    "levels_include_open_orders": True,
}


def decoded(**changes: Any) -> StoreLink:
    return decode_link(raw(changed(LINK, changes)))


def refused(**changes: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        decoded(**changes)
    return caught.value


def test_a_link_is_read_whole() -> None:
    assert decoded() == StoreLink(
        currency="NZD",
        currency_precision=2,
        time_zone="Pacific/Auckland",
        register="r1",
        outlets=(
            Outlet(id="o1", name="Harbour", connected=True, priority=1, safety_stock=Decimal(0)),
            Outlet(id="o2", name="Hill", connected=False, priority=2, safety_stock=Decimal("1.5")),
        ),
        shipping_methods={"post-7": "o1"},
        locations={"shop-1": "o2"},
        processors=(Processor(name="Stripe", reversal=False),),
        offline_payment="as_recorded",
        oversell="restrict",
        levels_include_open_orders=True,
    )


def test_a_link_needs_no_more_than_a_currency() -> None:
    assert decode_link(b'{"currency": "usd"}') == StoreLink(currency="USD")


@pytest.mark.parametrize(
    ("currency", "precision"), [("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("EUR", 2)]
)
def test_the_precision_is_the_currency_s_own_if_not_given(currency: str, precision: int) -> None:
    assert decoded(currency=currency, currency_precision=...).currency_precision == precision


@pytest.mark.parametrize("precision", ["3", 3, 3.0])
def test_numbers_may_be_text(precision: Any) -> None:
    assert decoded(currency_precision=precision).currency_precision == 3


@pytest.mark.parametrize(
    ("processors", "expected"),
    [
        (..., None),
        (None, None),
        ([], ()),
        ({}, ()),
        (["Stripe"], (Processor(name="Stripe"),)),
        (["Lightspeed Payments"], (Processor(name="Lightspeed Payments", reversal=True),)),
        ([{"name": "Stripe", "reversal": "true"}], (Processor(name="Stripe", reversal=True),)),
        (
            [{"name": "Lightspeed Payments", "reversal": False}],
            (Processor(name="Lightspeed Payments", reversal=False),),
        ),
        (
            {"Stripe": False, "Adyen": True},
            (Processor(name="Stripe"), Processor(name="Adyen", reversal=True)),
        ),
        ({"Stripe": {"reversal": True}}, (Processor(name="Stripe", reversal=True),)),
        (
            {"Stripe": {}, "PayPal": None, "Adyen": []},
            tuple(Processor(name=n) for n in ("Stripe", "PayPal", "Adyen")),
        ),
    ],
)
def test_processors_in_any_spelling(processors: Any, expected: Any) -> None:
    assert decoded(processors=processors).processors == expected


@pytest.mark.parametrize("empty", [..., None, [], {}])
def test_maps_may_be_absent(empty: Any) -> None:
    found = decoded(shipping_methods=empty, locations=empty, outlets=empty)
    assert (found.shipping_methods, found.locations, found.outlets) == ({}, {}, ())


def test_words_are_compared_without_regard_to_case() -> None:
    found = decoded(oversell="ALLOW", offline_payment=" Unpaid ", policy="Lightspeed")
    assert (found.oversell, found.offline_payment, found.policy) == ("allow", "unpaid", "lightspeed")


def test_text_in_the_keys_of_a_map_is_mended_and_noted() -> None:
    found = decoded(shipping_methods={"post\0-7": "o\0001"})
    assert found.shipping_methods == {"post-7": "o1"}
    assert "shipping_methods" in found.repaired


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"currency": ...}, "missing_field", "currency"),
        ({"currency": "dollars"}, "bad_value", "currency"),
        ({"currency_precision": 9}, "bad_number", "currency_precision"),
        ({"time_zone": "../etc/passwd"}, "bad_value", "time_zone"),
        ({"oversell": "sometimes"}, "bad_value", "oversell"),
        ({"offline_payment": "later"}, "bad_value", "offline_payment"),
        ({"outlets": [{"id": "o1"}, {"id": "o1"}]}, "bad_value", "outlets[1].id"),
        ({"outlets": [{"name": "Harbour"}]}, "missing_field", "outlets[0].id"),
        ({"outlets": ["o1"]}, "wrong_type", "outlets[0]"),
        ({"outlets": "o1"}, "wrong_type", "outlets"),
        ({"outlets": [{"id": "o1", "safety_stock": -1}]}, "bad_number", "outlets[0].safety_stock"),
        ({"outlets": [{"id": "o1", "safety_stock": "Infinity"}]}, "bad_number", "outlets[0].safety_stock"),
        ({"outlets": [{"id": "o1", "priority": "first"}]}, "bad_number", "outlets[0].priority"),
        ({"outlets": [{"id": "o1", "connected": "perhaps"}]}, "wrong_type", "outlets[0].connected"),
        ({"shipping_methods": ["post-7"]}, "wrong_type", "shipping_methods"),
        ({"processors": "Stripe"}, "wrong_type", "processors"),
        ({"processors": [{"reversal": True}]}, "missing_field", "processors[0].name"),
        ({"register": "r" * 256}, "too_long", "register"),
    ],
)
def test_a_link_that_cannot_be_used_is_refused_by_its_field(changes: Any, reason: str, field: str) -> None:
    refusal = refused(**changes)
    assert (refusal.reason, refusal.field) == (reason, field)


def test_a_key_of_a_map_is_named_bounded_and_mended() -> None:
    refusal = refused(processors={"\0" + "p" * 900: "perhaps"})
    assert refusal.field == "processors." + "p" * 40


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    assert "allow, restrict" in refused(oversell="sometimes").detail


def test_a_custom_status_stands_for_a_known_one_in_any_case() -> None:
    found = decoded(
        payment_statuses={"custom_payment_status_1": "Paid", "CUSTOM_PAYMENT_STATUS_2": None, " ": "PAID"},
        fulfillment_statuses={" CUSTOM_FULFILLMENT_STATUS_1 ": "shipped"},
    )
    assert found.payment_statuses == {"CUSTOM_PAYMENT_STATUS_1": "PAID"}
    assert found.fulfillment_statuses == {"CUSTOM_FULFILLMENT_STATUS_1": "SHIPPED"}


@pytest.mark.parametrize("empty", [..., None, [], {}])
def test_a_link_need_not_say_what_custom_statuses_stand_for(empty: Any) -> None:
    found = decoded(payment_statuses=empty, fulfillment_statuses=empty)
    assert (found.payment_statuses, found.fulfillment_statuses) == ({}, {})


@pytest.mark.parametrize(
    ("field", "statuses", "said"),
    [
        ("payment_statuses", {"CUSTOM_1": "SHIPPED"}, 'REFUNDED, PARTIALLY_REFUNDED: "SHIPPED"'),
        ("fulfillment_statuses", {"CUSTOM_1": "PAID"}, 'OUT_FOR_DELIVERY: "PAID"'),
        ("payment_statuses", {"CUSTOM_1": "INCOMPLETE"}, '"INCOMPLETE"'),
        ("payment_statuses", {"CUSTOM_1": "CUSTOM_2"}, '"CUSTOM_2"'),
        ("payment_statuses", {"CUSTOM_1": "rosa@example.com"}, "text of 16 characters"),
        ("payment_statuses", {"paid": "CANCELLED"}, "has a meaning of its own"),
        ("payment_statuses", {"INCOMPLETE": "PAID"}, "has a meaning of its own"),
        ("payment_statuses", {"CUSTOM_1": "PAID", "custom_1": "CANCELLED"}, "is there already"),
    ],
)
def test_a_status_that_stands_for_nothing_known_is_refused(field: str, statuses: Any, said: str) -> None:
    refusal = refused(**{field: statuses})
    assert refusal.reason == "bad_value"
    assert refusal.field == f"{field}.{list(statuses)[-1]}"
    assert said in refusal.detail


@pytest.mark.parametrize(
    ("statuses", "reason", "field"),
    [
        (["CUSTOM_1"], "wrong_type", "payment_statuses"),
        ({"CUSTOM_1": ["PAID"]}, "wrong_type", "payment_statuses.CUSTOM_1"),
        ({"C" * 256: "PAID"}, "too_long", "payment_statuses"),
    ],
)
def test_statuses_that_are_no_map_of_words_are_refused(statuses: Any, reason: str, field: str) -> None:
    refusal = refused(payment_statuses=statuses)
    assert (refusal.reason, refusal.field) == (reason, field)
