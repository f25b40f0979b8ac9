"""Messages that come before their store's link (DOMAIN 2)."""

from streams.domain import backlog
from streams.domain.books import Books
from streams.domain.outcomes import Outcome
from tests.pure_store import PureStore, count, item, link, order, product
from topics.exceptions import ExceptionChanged
from topics.ids import CustomerId
from topics.movements import StockMoved
from topics.profiles import Profile
from topics.sales import Sale

RING = item("RING")


def test_an_order_before_its_link_waits_visibly_and_is_decided_once_when_it_comes() -> None:
    store = PureStore()
    store.tell(count("ring", "o1", 6))
    assert store.tell(order("A", RING)) == Outcome.WAITING
    assert not store.has_sale("A")
    assert store.open_exceptions() == {("waiting_for_link", "A"), ("waiting_for_link", "pos")}
    store.link(link())
    assert len(store.of(Sale)) == 1
    assert store.online("RING") == 5
    assert store.open_exceptions() == set()
    store.check()


def test_what_waits_is_decided_in_the_order_in_which_it_came() -> None:
    store = PureStore()
    store.tell(order("A", RING))
    store.tell(count("ring", "o1", 1))
    store.tell(order("B", RING))
    store.tell(order("B", item("RING", 2), version=2))
    store.link(link())
    assert [(sale.order_id, sale.revision, sale.cause) for sale in store.of(Sale)] == [
        ("A", 1, "placed"),
        ("A", 2, "product_arrived"),
        ("B", 1, "placed"),
        ("B", 2, "edited"),
    ]
    store.check()


def test_a_decision_that_waited_has_the_time_and_the_place_of_its_record() -> None:
    store = PureStore()
    store.tell(count("ring", "o1", 1))
    store.link(link())
    moved = store.of(StockMoved)[0]
    assert moved.source.topic == "pos.inventory"
    assert moved.source.offset == 1
    assert moved.received_at < moved.processed_at


def test_what_comes_while_others_wait_stands_behind_them() -> None:
    store = PureStore()
    store.tell(count("ring", "o1", 1))
    store.tell(order("A", RING))
    store.link(link(), drain=False)
    assert store.tell(order("B", RING), drain=False) == Outcome.WAITING
    store.drain()
    assert (store.flags("A"), store.flags("B")) == ([], ["backordered"])


def test_every_kind_of_record_waits() -> None:
    store = PureStore()
    store.tell(product("p", "RING"))
    store.tell(Profile(customer_id=CustomerId("c"), email="ada@example.com"))
    store.tell(order("A", RING))
    store.link(link())
    assert store.sale("A").customer.customer_id == "c"
    assert store.sale("A").lines[0].product_id == "p"
    store.check()


def test_an_abandoned_cart_does_not_wait() -> None:
    store = PureStore()
    assert store.tell(order("A", RING, payment_status="INCOMPLETE")) == Outcome.INCOMPLETE
    assert store.open_exceptions() == set()


def test_a_link_that_goes_leaves_the_sales_and_holds_new_orders_until_it_is_back() -> None:
    store = PureStore()
    store.link(link())
    store.tell(count("ring", "o1", 6))
    store.tell(order("A", RING))
    store.link(None)
    assert store.tell(order("B", RING)) == Outcome.WAITING
    assert len(store.of(Sale)) == 1
    store.link(link())
    assert [sale.order_id for sale in store.of(Sale)] == ["A", "B"]
    assert store.online("RING") == 4
    store.check()


def test_an_exception_that_opens_again_goes_on_with_its_revisions() -> None:
    store = PureStore()
    store.tell(count("ring", "o1", 1))
    store.link(link())
    store.link(None)
    store.tell(count("ring", "o1", 2))
    assert [(event.revision, event.open) for event in store.of(ExceptionChanged)] == [
        (1, True),
        (2, False),
        (3, True),
    ]


def test_the_same_link_again_changes_nothing() -> None:
    store = PureStore()
    store.link(link())
    assert store.link(link()) == Outcome.UNCHANGED


def test_a_worker_that_starts_finds_the_stores_with_something_left_to_do() -> None:
    store = PureStore()
    store.tell(order("A", RING))
    assert list(backlog.stores(store.tables)) == []
    store.link(link(), drain=False)
    assert list(backlog.stores(store.tables)) == ["shop-1"]
    store.drain()
    assert list(backlog.stores(store.tables)) == []


def test_a_held_message_that_cannot_be_decided_is_given_back_and_the_rest_goes_on() -> None:
    store = PureStore()
    store.tell(order("BAD", RING))
    store.tell(order("GOOD", RING))
    store.link(link(), drain=False)
    books = Books(store.store_id, store.tables, store.moment(""))
    skipped = backlog.skip(books)
    assert skipped is not None
    assert (skipped.held.topic, skipped.held.offset, skipped.order_id) == ("ecom.orders", 1, "BAD")
    closed = [event for event in books.events if isinstance(event, ExceptionChanged)]
    assert [(event.kind, event.subject, event.open) for event in closed] == [
        ("waiting_for_link", "BAD", False)
    ]
    store.tables.apply(books)
    store.drain()
    assert (store.has_sale("BAD"), store.has_sale("GOOD")) == (False, True)
