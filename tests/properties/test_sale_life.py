"""Random lives of a store's online side: whatever happens, in any order, the books stay right (DOMAIN 5)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.pure_store import START, PureStore, count, item, link, order, outlet, product
from topics.event import Event
from topics.ids import CustomerId, OutletId
from topics.orders import Component, Order, OrderItem
from topics.profiles import Profile

SKUS = ("CUP", "MUG", "PEN")
PRODUCTS = ("p1", "p2", "p3")
OUTLETS = ("o1", "o2", "o3")
EMAILS = ("ada@example.com", "Bo@Example.com", None)

LINES = st.lists(
    st.tuples(st.sampled_from(SKUS), st.integers(0, 4), st.integers(1, 4)),
    min_size=1,
    max_size=4,
    unique_by=lambda x: x[2],
)
STATUSES = st.sampled_from(
    ["AWAITING_PAYMENT", "PAID", "PAID", "PARTIALLY_REFUNDED", "REFUNDED", "CUSTOM_PAYMENT_STATUS_1"]
)
FULFILLMENTS = st.sampled_from(["AWAITING_PROCESSING"] * 6 + ["SHIPPED", "ENGRAVING"])


def as_item(sku: str, quantity: int, place: int) -> OrderItem:
    if place == 4:
        parts = (Component(sku="CUP", quantity=Decimal(1)), Component(sku="PEN", quantity=Decimal(2)))
        return item("SET", quantity, place, components=parts)
    return item(sku, quantity, place, tracked=place != 3)


class OnlineStore(RuleBasedStateMachine):
    """Places, edits, pays, cancels and repeats orders while stock, names, customers and the link change."""

    def __init__(self) -> None:
        super().__init__()
        self.store = PureStore()
        self.told: list[Order] = []
        self.version = 0
        self.link: dict[str, Any] = {}

    @initialize(linked=st.booleans())
    def begin(self, linked: bool) -> None:
        if linked:
            self.set_link(
                connected=frozenset(OUTLETS),
                safety=0,
                oversell="allow",
                equal=False,
                included=False,
                offline="unpaid",
            )

    def tell_order(self, snapshot: Order, *, drain: bool = True) -> None:
        self.told.append(snapshot)
        self.store.tell(snapshot, drain=drain)

    def snapshot(self, number: int, lines: list[tuple[str, int, int]], **changes: Any) -> Order:
        self.version += 1
        return order(f"order-{number}", *(as_item(*line) for line in lines), version=self.version, **changes)

    @rule(
        number=st.integers(1, 4),
        lines=LINES,
        status=STATUSES,
        processor=st.sampled_from(["Stripe", "Stripe", None]),
        gift_card=st.sampled_from([0, 0, 5]),
        fulfillment=FULFILLMENTS,
        email=st.sampled_from(EMAILS),
        location=st.sampled_from([None, None, "L1", "L3", "nowhere"]),
        refunded=st.sampled_from([0, 0, 5, 500]),
        drain=st.booleans(),
    )
    def order_arrives(
        self,
        number: int,
        lines: list[tuple[str, int, int]],
        status: str,
        processor: str | None,
        gift_card: int,
        fulfillment: str,
        email: str | None,
        location: str | None,
        refunded: int,
        drain: bool,
    ) -> None:
        self.tell_order(
            self.snapshot(
                number,
                lines,
                payment_status=status,
                processor=processor,
                gift_card=Decimal(gift_card),
                fulfillment_status=fulfillment,
                email=email,
                location_id=location,
                fulfillment_type="PICKUP" if location else "DISPATCH",
                refunded=Decimal(refunded),
            ),
            drain=drain,
        )

    @rule(number=st.integers(1, 4), lines=LINES, deleted=st.booleans())
    def order_is_cancelled(self, number: int, lines: list[tuple[str, int, int]], deleted: bool) -> None:
        self.tell_order(
            self.snapshot(number, lines, payment_status="PAID" if deleted else "CANCELLED", deleted=deleted)
        )

    @rule(data=st.data())
    def snapshot_arrives_again(self, data: st.DataObject) -> None:
        if self.told:
            self.store.tell(data.draw(st.sampled_from(self.told)))

    @rule(
        name=st.sampled_from(PRODUCTS),
        place=st.sampled_from(OUTLETS),
        level=st.integers(-2, 9),
        version=st.one_of(st.none(), st.integers(1, 20)),
        sku=st.sampled_from((*SKUS, "")),
        drain=st.booleans(),
    )
    def stock_is_counted(
        self, name: str, place: str, level: int, version: int | None, sku: str, drain: bool
    ) -> None:
        self.store.tell(count(name, place, level, version, sku), drain=drain)

    @rule(name=st.sampled_from(PRODUCTS), sku=st.sampled_from((*SKUS, "")), active=st.booleans())
    def product_is_renamed(self, name: str, sku: str, active: bool) -> None:
        self.store.tell(product(name, sku, active=active))

    @rule(
        name=st.sampled_from(["c1", "c2"]),
        email=st.sampled_from(EMAILS),
        deleted=st.booleans(),
        day=st.one_of(st.none(), st.integers(0, 3)),
    )
    def profile_arrives(self, name: str, email: str | None, deleted: bool, day: int | None) -> None:
        created = None if day is None else START + timedelta(days=day)
        self.store.tell(
            Profile(
                customer_id=CustomerId(name),
                email=email,
                deleted=deleted,
                created_at=created,
                first_name=name,
            )
        )

    @rule(
        connected=st.frozensets(st.sampled_from(OUTLETS)),
        safety=st.integers(0, 2),
        oversell=st.sampled_from(["allow", "restrict"]),
        equal=st.booleans(),
        included=st.booleans(),
        offline=st.sampled_from(["unpaid", "as_recorded"]),
    )
    def set_link(
        self,
        connected: frozenset[str],
        safety: int,
        oversell: str,
        equal: bool,
        included: bool,
        offline: str,
    ) -> None:
        outlets = [
            outlet(name, 1 if equal else place, connected=name in connected, safety=safety)
            for place, name in enumerate(OUTLETS)
        ]
        locations = {"L1": OutletId("o1"), "L3": OutletId("o3")}
        self.store.link(
            link(
                *outlets,
                oversell=oversell,
                locations=locations,
                levels_include_open_orders=included,
                offline_payment=offline,
            )
        )

    @rule()
    def link_is_removed(self) -> None:
        self.store.link(None)

    @invariant()
    def books_are_right(self) -> None:
        self.store.check()

    def teardown(self) -> None:
        self.store.drain()
        self.store.check()
        told, again = (
            [told_by(event) for event in store.events] for store in (self.store, self.store.replayed())
        )
        assert told == again, "a replay decides otherwise"


def told_by(event: Event) -> Event:
    """Return what an event says, whenever it was decided."""
    return msgspec.structs.replace(event, processed_at=START)


OnlineStore.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestOnlineStore = OnlineStore.TestCase
