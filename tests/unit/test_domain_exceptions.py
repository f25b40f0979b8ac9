"""What needs a person is on one list, and leaves it by itself when its cause goes (DOMAIN 5, 7)."""

from collections.abc import Callable
from decimal import Decimal
from typing import get_args

import pytest

from tests.pure_pos import acknowledged, handed_over, pos_line, returned, tender
from tests.pure_store import PureStore, count, item, link, order, outlet, product, shop
from topics.exceptions import ExceptionChanged, ExceptionKind
from topics.ids import CustomerId, OutletId
from topics.profiles import Profile

Step = Callable[[PureStore], object]
TWO = item("CUP", 2)
CUSTOM = "CUSTOM_PAYMENT_STATUS_1"


def told(*messages: object) -> Step:
    def tell(store: PureStore) -> None:
        for message in messages:
            store.tell(message)

    return tell


def linked(*outlets: object, **changes: object) -> Step:
    return lambda store: store.link(link(*outlets, **changes))  # type: ignore[arg-type]


def after(*messages: object) -> Step:
    """Sell two cups online first, and have them handed over."""
    return told(
        order("A", TWO), acknowledged("A", pos_line("cup", 2)), handed_over("A", ("cup", 2)), *messages
    )


def profile(name: str, email: str, **changes: object) -> Profile:
    return Profile(customer_id=CustomerId(name), email=email, first_name=name, **changes)  # type: ignore[arg-type]


UNPAID = {"payment_status": "AWAITING_PAYMENT", "processor": None}
L1 = {"L1": OutletId("o1")}
PICKUP = {"fulfillment_type": "PICKUP", "location_id": "L9"}
DISCONNECTED = (outlet("o1", 1, connected=False), outlet("o2", 2))
IN_ECOM = order("A", TWO, version=2, payment_status="PARTIALLY_REFUNDED", refunded=Decimal(5))

STORIES: dict[str, tuple[Step, Step]] = {
    "waiting_for_link": (lambda store: (store.link(None), store.tell(order("A", TWO))), linked()),
    "unknown_status": (
        told(order("A", TWO, payment_status=CUSTOM)),
        linked(payment_statuses={CUSTOM: "PAID"}),
    ),
    "unknown_sku": (
        told(order("A", item("PEN"))),
        told(product("pen", "PEN"), count("pen", "o1", 1, sku="PEN")),
    ),
    "ambiguous_sku": (
        told(count("mug", "o1", 5, sku="CUP"), order("A", TWO)),
        told(product("mug", "MUG")),
    ),
    "backordered": (told(order("A", item("CUP", 12))), told(count("cup", "o1", 12))),
    "unallocated": (
        lambda store: (linked(oversell="restrict")(store), store.tell(order("A", item("CUP", 12)))),
        told(count("cup", "o1", 12)),
    ),
    "total_differs": (
        told(order("A", TWO, total=Decimal(27))),
        told(order("A", TWO, total=Decimal(27), handling=Decimal(7), version=2)),
    ),
    "outlet_disconnected": (
        lambda store: (store.tell(order("A", TWO)), linked(*DISCONNECTED)(store)),
        told(order("A", TWO, version=2, payment_status="CANCELLED")),
    ),
    "unknown_outlet": (
        lambda store: (
            linked(locations={"L1": OutletId("o1")})(store),
            store.tell(order("A", TWO, **PICKUP)),
        ),
        told(order("A", TWO, version=2, fulfillment_type="PICKUP", location_id="L1")),
    ),
    "text_repaired": (
        told(order("A", TWO, repaired=("billingPerson.name",))),
        told(order("A", TWO, version=2)),
    ),
    "refunded_in_ecom": (
        after(IN_ECOM),
        told(returned("A", payments=(tender("Stripe", -5),))),
    ),
    "return_needed": (
        after(order("A", TWO, version=2, payment_status="CANCELLED")),
        told(returned("A", pos_line("cup", -2))),
    ),
    "customer_duplicate": (
        told(profile("c1", "ada@example.com"), profile("c2", "ADA@example.com")),
        told(profile("c2", "bo@example.com")),
    ),
    "overpaid": (
        told(order("A", TWO), acknowledged("A", pos_line("cup", 2)), order("A", item("CUP", 1), version=2)),
        told(returned("A", payments=(tender("Stripe", -10),))),
    ),
    "unpaid_fulfilled": (
        told(order("A", TWO, **UNPAID), acknowledged("A", pos_line("cup", 2)), handed_over("A", ("cup", 2))),
        told(acknowledged("A", pos_line("cup", 2), version=2, payments=(tender("Cash", 20),))),
    ),
    "pos_differs": (
        after(handed_over("A", ("cup", 3), version=10)),
        told(handed_over("A", ("cup", 2), version=11)),
    ),
    "over_returned": (
        after(returned("A", pos_line("cup", -3))),
        told(returned("A", pos_line("cup", -3), version=2, state="voided")),
    ),
    "over_refunded": (
        after(returned("A", payments=(tender("Stripe", -25),))),
        told(returned("A", version=2, payments=(tender("Stripe", -20),))),
    ),
    "manual_refund": (
        after(returned("A", pos_line("cup", -1))),
        told(order("A", TWO, version=2, payment_status="PARTIALLY_REFUNDED", refunded=Decimal(10))),
    ),
    "unknown_policy": (linked(policy="magic"), linked()),
}
"""What opens each kind of exception, and what then closes it."""


def test_there_is_a_story_of_each_kind() -> None:
    # A correction that was refused is an operator's own: tests/unit/test_domain_corrections.py
    assert set(STORIES) == set(get_args(ExceptionKind)) - {"correction_refused"}


@pytest.mark.parametrize("kind", STORIES)
def test_an_exception_closes_by_itself_when_its_cause_goes(kind: str) -> None:
    cause, cure = STORIES[kind]
    store = shop(count("cup", "o1", 10))
    cause(store)
    store.check()
    assert kind in {name for name, _ in store.open_exceptions()}
    cure(store)
    store.check()
    assert kind not in {name for name, _ in store.open_exceptions()}
    last = [event for event in store.of(ExceptionChanged) if event.kind == kind][-1]
    assert (last.open, last.closed_at) == (False, last.event_time)
    assert last.revision > 1


@pytest.mark.parametrize("kind", STORIES)
def test_an_exception_names_no_person(kind: str) -> None:
    store = shop(count("cup", "o1", 10))
    for step in STORIES[kind]:
        step(store)
    for event in store.of(ExceptionChanged):
        said = f"{event.subject} {event.detail}".lower()
        assert "@" not in said, event
        assert "ada" not in said, event
