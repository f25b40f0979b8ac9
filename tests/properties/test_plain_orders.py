"""The quick way to place a plain order is only quick: it never decides otherwise than the general way."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.domain import plain, snapshots
from tests.pure_store import PureStore, bundle, count, item, link, order, outlet
from topics.codec import encode
from topics.ids import OutletId
from topics.links import StoreLink
from topics.orders import Order, OrderItem

PRODUCTS = ("cup", "mug", "pen")
OUTLETS = ("o1", "o2", "o3")
LOCATIONS = {"L1": OutletId("o1"), "L3": OutletId("o3"), "L9": OutletId("closed down")}


@st.composite
def links(draw: st.DrawFn) -> StoreLink:
    """A link of some outlets, connected or not, with priorities of their own or shared ones."""
    outlets = [
        outlet(
            name,
            draw(st.integers(1, 3)),
            connected=draw(st.sampled_from([True, True, True, False])),
            safety=draw(st.sampled_from([0, 0, 2])),
        )
        for name in OUTLETS
    ]
    return link(
        *outlets,
        locations=LOCATIONS,
        policy=draw(st.sampled_from(["lightspeed", "priority"])),
        oversell=draw(st.sampled_from(["allow", "restrict"])),
    )


@st.composite
def items(draw: st.DrawFn) -> tuple[OrderItem, ...]:
    """Mostly plain lines; now and then one shares a SKU or an id, wants nothing, or is a bundle."""
    if draw(st.sampled_from([True, True, False])):
        skus = draw(st.lists(st.sampled_from(["CUP", "MUG", "PEN"]), min_size=1, unique=True))
        return tuple(item(sku, draw(st.integers(1, 3))) for sku in skus)
    lines: list[OrderItem] = []
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 5)) == 0:
            lines.append(bundle("SET", 1, ("CUP", 1), ("PEN", 2)))
        else:
            sku = draw(st.sampled_from(["CUP", "MUG", "PEN", "UNKNOWN", ""]))
            line = draw(st.sampled_from([1, 2, 3]))
            lines.append(item(sku, draw(st.integers(0, 4)), line, tracked=draw(st.integers(0, 3)) > 0))
    return tuple(lines)


@st.composite
def several_orders(draw: st.DrawFn) -> list[Order]:
    """Snapshots of a few orders, each of which may come again with other lines."""
    return [
        order(
            draw(st.sampled_from(["A", "B", "C", "D"])),
            *draw(items()),
            version=version,
            payment_status=draw(
                st.sampled_from(["PAID"] * 5 + ["AWAITING_PAYMENT", "CANCELLED", "CUSTOM_1"])
            ),
            fulfillment_status=draw(st.sampled_from(["AWAITING_PROCESSING"] * 5 + ["SHIPPED"])),
            location_id=draw(st.sampled_from([None, None, None, None, "L1", "L3", "L9"])),
        )
        for version in range(1, draw(st.integers(1, 5)) + 1)
    ]


COUNTS = st.fixed_dictionaries(
    {(product, name): st.integers(-1, 9) for product in PRODUCTS for name in OUTLETS}
).map(lambda levels: [(*where, level) for where, level in levels.items()])


@settings(max_examples=300)
@given(links(), COUNTS, several_orders())
def test_a_plain_order_ends_as_the_general_way_ends_for_it(
    its_link: StoreLink, counts: list[tuple[str, str, int]], told: list[Order]
) -> None:
    quick = _life(its_link, counts, told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "place", lambda *_: None)
        general = _life(its_link, counts, told)
    assert quick.events == general.events
    assert [encode(event) for event in quick.events] == [encode(event) for event in general.events]
    assert quick.tables.rows == general.tables.rows


def test_an_order_that_one_outlet_can_do_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[plain.Placed | None] = []

    def noted(*given: Any) -> plain.Placed | None:
        placed.append(plain.place(*given))
        return placed[-1]

    monkeypatch.setattr(snapshots, "place", noted)
    store = _life(link(), [("cup", "o1", 0), ("cup", "o2", 5)], [order("A", item("CUP", 2))])
    assert [found.outlet for found in placed if found is not None] == ["o2"]
    assert store.sale("A").lines[0].allocations[0].quantity == Decimal(2)


def _life(its_link: StoreLink, counts: list[tuple[str, str, int]], told: list[Order]) -> PureStore:
    store = PureStore()
    store.link(its_link)
    for product_id, outlet_id, level in counts:
        store.tell(count(product_id, outlet_id, level))
    for snapshot in told:
        store.tell(snapshot)
    return store
