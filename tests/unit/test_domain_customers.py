"""Who bought (DOMAIN 6, S7, S8)."""

from datetime import timedelta
from typing import Any

import pytest

from streams.domain.customers import normal_email
from streams.domain.outcomes import Outcome
from tests.pure_store import START, PureStore, count, item, order, shop
from topics.customers import Customer
from topics.ids import WALK_IN, CustomerId
from topics.profiles import Profile

CUP = item("CUP")


def profile(customer_id: str, email: str | None, **changes: Any) -> Profile:
    return Profile(customer_id=CustomerId(customer_id), email=email, **changes)


def buyer(store: PureStore, order_id: str) -> tuple[str, str | None, str]:
    customer = store.sale(order_id).customer
    return customer.customer_id, customer.email, customer.name


def made(store: PureStore) -> list[Customer]:
    return [event for event in store.of(Customer) if event.origin == "ecom" and event.revision == 1]


def cups() -> PureStore:
    return shop(count("cup", "o1", 99))


def test_a_profile_with_the_orders_email_is_used_and_never_overwritten() -> None:
    store = cups()
    store.tell(profile("c-1", "ada@example.com", first_name="Augusta", last_name="King"))
    store.tell(order("A", CUP, email=" Ada@Example.COM", billing_name="Ada Quill"))
    assert buyer(store, "A") == ("c-1", "ada@example.com", "Augusta King")
    assert [c.name for c in store.of(Customer)] == ["Augusta King"]


def test_a_new_email_makes_a_customer_by_the_billing_name() -> None:
    store = cups()
    store.tell(order("A", CUP, billing_name=" Kim ", shipping_name="Other"))
    assert [(c.email, c.name, c.origin) for c in made(store)] == [("ada@example.com", "Kim", "ecom")]


def test_else_by_the_shipping_name_else_by_the_email() -> None:
    store = cups()
    store.tell(order("A", CUP, email="a@example.com", billing_name=None, shipping_name="Kim"))
    store.tell(order("B", CUP, email="b@example.com", billing_name=" ", shipping_name=None))
    assert [c.name for c in made(store)] == ["Kim", "b@example.com"]


def test_the_next_order_of_the_same_email_is_the_same_customer() -> None:
    store = cups()
    store.tell(order("A", CUP, email="ada@example.com"))
    store.tell(order("B", CUP, email="ADA@example.com ", billing_name="Someone Else"))
    assert buyer(store, "A") == buyer(store, "B")
    assert len(made(store)) == 1


@pytest.mark.parametrize("email", ["", None, "   "])
def test_a_guest_without_an_email_is_the_walk_in_customer(email: str | None) -> None:
    store = cups()
    store.tell(order("A", CUP, email=email, billing_name="Kim One"))
    assert store.sale("A").customer.customer_id == WALK_IN
    assert store.of(Customer) == []


def test_a_guest_who_gives_an_email_later_moves_to_a_customer_by_a_new_revision() -> None:
    store = cups()
    for name in "ABCD":
        store.tell(order(name, CUP, email=None, billing_name=f"Kim {name}"))
    store.tell(order("A", CUP, version=2, email="", billing_name="Kim A"))
    store.tell(order("B", CUP, version=3, email="Kim.Two@Example.com ", billing_name="Kim Two"))
    sale = store.sale("B")
    assert (sale.revision, sale.cause) == (2, "customer_changed")
    assert (sale.customer.email, sale.customer.name) == ("kim.two@example.com", "Kim Two")
    assert len(made(store)) == 1
    assert [store.sale(name).customer.customer_id for name in "ACD"] == [WALK_IN] * 3
    store.check()


def test_an_email_that_a_later_snapshot_leaves_out_does_not_take_the_customer_away() -> None:
    store = cups()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, email=None))
    assert store.sale("A").customer.email == "ada@example.com"


def test_two_spellings_of_an_email_are_one_and_sharp_s_is_not_double_s() -> None:
    assert normal_email(" Zoe\u0308@Example.com") == normal_email("ZO\u00cb@example.com")
    assert normal_email("stra\u00dfe@example.com") != normal_email("strasse@example.com")
    assert normal_email("\u00c5NGSTR\u00d6M@x.org") == "\u00e5ngstr\u00f6m@x.org"


def test_a_profile_that_comes_later_takes_over_the_made_customer_and_the_link_is_kept() -> None:
    store = cups()
    store.tell(order("A", CUP))
    maid = made(store)[0].customer_id
    store.tell(profile("c-1", "ada@example.com", first_name="Ada"))
    assert [(c.customer_id, c.replaced_by) for c in store.of(Customer)][-1] == (maid, "c-1")
    store.tell(order("B", CUP))
    assert buyer(store, "B")[0] == "c-1"
    assert buyer(store, "A")[0] == maid
    store.check()


def test_of_two_profiles_with_one_email_the_oldest_is_used_and_the_newer_flagged() -> None:
    store = cups()
    store.tell(profile("new", "ada@example.com", created_at=START))
    store.tell(profile("old", "ADA@example.com", created_at=START - timedelta(days=9)))
    store.tell(order("A", CUP))
    assert buyer(store, "A")[0] == "old"
    assert store.open_exceptions() == {("customer_duplicate", "customer/new")}
    store.check()
    store.tell(profile("new", "new@example.com", created_at=START))
    assert store.open_exceptions() == set()
    store.check()


def test_a_duplicate_that_changes_its_name_stays_flagged_by_one_revision() -> None:
    store = cups()
    store.tell(profile("first", "ada@example.com"))
    store.tell(profile("second", "ada@example.com", first_name="Ada"))
    seen = len(store.events)
    store.tell(profile("second", "ada@example.com", first_name="Adah"))
    (event,) = store.events[seen:]
    assert isinstance(event, Customer)
    assert (event.name, event.duplicate_of) == ("Adah", "first")


def test_of_profiles_without_a_date_the_one_seen_first_is_the_oldest() -> None:
    store = cups()
    store.tell(profile("first", "ada@example.com"))
    store.tell(profile("second", "ada@example.com"))
    assert store.open_exceptions() == {("customer_duplicate", "customer/second")}


def test_when_the_used_profile_is_deleted_the_next_one_is_used() -> None:
    store = cups()
    store.tell(profile("first", "ada@example.com", version=1))
    store.tell(profile("second", "ada@example.com", version=2))
    store.tell(profile("first", "ada@example.com", version=3, deleted=True))
    store.tell(order("A", CUP))
    assert buyer(store, "A")[0] == "second"
    assert store.open_exceptions() == set()
    store.check()


def test_when_no_profile_is_left_the_made_customer_comes_back() -> None:
    store = cups()
    store.tell(order("A", CUP, billing_name="Ada"))
    store.tell(profile("c-1", "ada@example.com", version=1))
    store.tell(profile("c-1", "ada@example.com", version=2, deleted=True))
    store.tell(order("B", CUP, billing_name="Not Ada"))
    assert buyer(store, "B") == buyer(store, "A")
    assert store.of(Customer)[-1].replaced_by is None
    store.check()


def test_an_older_profile_record_changes_nothing() -> None:
    store = cups()
    store.tell(profile("c-1", "ada@example.com", first_name="New", version=5))
    assert store.tell(profile("c-1", "old@example.com", first_name="Old", version=4)) == Outcome.LATE
    assert store.tell(profile("c-1", "ada@example.com", first_name="New", version=5)) == Outcome.UNCHANGED
    assert store.tell(profile("c-1", "ada@example.com", first_name="New")) == Outcome.UNCHANGED
    assert len(store.of(Customer)) == 1


def test_a_profile_without_any_name_is_called_by_its_email() -> None:
    store = cups()
    store.tell(profile("c-1", "Bo@example.com"))
    assert store.of(Customer)[0].name == "bo@example.com"
