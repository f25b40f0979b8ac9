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
