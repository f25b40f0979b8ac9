"""Stock, what it is called, and who waits for it (DOMAIN 4)."""

from decimal import Decimal

from streams.domain.outcomes import Outcome
from tests.pure_store import PureStore, bundle, count, item, link, order, outlet, product, shop
from topics.ids import OutletId
from topics.inventory import InventoryLevel
from topics.movements import StockMoved
from topics.online_stock import OnlineStock


def told(store: PureStore, sku: str) -> list[tuple[Decimal, str | None]]:
    return [(event.level, event.product_id) for event in store.of(OnlineStock) if event.sku == sku]


def test_the_online_level_is_the_sum_over_connected_outlets() -> None:
    store = shop(
        count("cup", "o1", 3),
        count("cup", "o2", 4),
        count("cup", "o3", 9),
        outlets=(outlet("o1"), outlet("o2", safety=1), outlet("o3", connected=False)),
    )
    assert store.online("CUP") == 6
    store.check()


def test_a_level_is_told_only_when_it_changes() -> None:
    store = shop(count("cup", "o1", 5, 1))
    store.tell(count("cup", "o1", 5, 2))
    store.tell(count("cup", "o3", 7, 1))
    assert told(store, "CUP") == [(5, "cup")]


def test_below_zero_the_online_store_is_told_zero_and_the_raw_sum_is_kept() -> None:
    store = shop(count("cup", "o1", -4))
    event = store.of(OnlineStock)[-1]
    assert (event.level, event.raw) == (0, -4)


def test_a_count_with_an_older_or_the_same_version_changes_nothing() -> None:
    store = shop(count("cup", "o1", 5, 7))
    assert store.tell(count("cup", "o1", 9, 7)) == Outcome.UNCHANGED
    assert store.tell(count("cup", "o1", 9, 6)) == Outcome.LATE
    assert store.level("cup", "o1") == (5, 0)


def test_a_count_without_a_version_always_counts() -> None:
    store = shop(count("cup", "o1", 5, 7))
    store.tell(count("cup", "o1", 9))
    assert store.level("cup", "o1") == (9, 0)
    assert store.tell(count("cup", "o1", 8, 7)) == Outcome.UNCHANGED


def test_counts_and_orders_are_movements_that_add_up() -> None:
    store = shop(count("bowl", "o1", 5, 1))
    store.tell(order("A", item("BOWL")))
    store.tell(count("bowl", "o1", 4, 3))
    kinds = [(moved.cause, m.kind, m.revision) for moved in store.of(StockMoved) for m in moved.movements]
    assert kinds == [("counted", "counted", 1), ("placed", "allocated", 2), ("counted", "counted", 3)]
    assert store.level("bowl", "o1") == (4, 1)
    assert store.online("BOWL") == 3
    store.check()


def test_a_backorder_ends_when_the_stock_is_there_oldest_first() -> None:
    store = shop(count("cup", "o1", 0, 1))
    for name in "ABC":
        store.tell(order(name, item("CUP", 2)))
    store.tell(count("cup", "o1", 3, 2))
    assert [store.sale(name).lines[0].backordered for name in "ABC"] == [0, 1, 2]
    assert (store.sale("A").cause, store.flags("A")) == ("stock_arrived", [])
    assert store.open_exceptions() == {("backordered", "B/line-CUP"), ("backordered", "C/line-CUP")}
    store.check()
    store.tell(count("cup", "o1", 9, 3))
    assert store.open_exceptions() == set()
    assert store.online("CUP") == 3
    store.check()


def test_a_cancelled_order_gives_its_pieces_to_who_is_backordered() -> None:
    store = shop(count("cup", "o1", 1))
    store.tell(order("A", item("CUP")))
    store.tell(order("B", item("CUP")))
    assert store.flags("B") == ["backordered"]
    store.tell(order("A", item("CUP"), version=2, payment_status="CANCELLED"))
    assert store.flags("B") == []
    store.check()


def test_restricted_orders_are_taken_up_oldest_first_as_stock_arrives() -> None:
    store = shop(count("cup", "o1", 0, 1), oversell="restrict")
    for name in "ABC":
        store.tell(order(name, item("CUP", 2)))
    store.tell(count("cup", "o2", 3, 1))
    assert [store.where(name) for name in "ABC"] == [{"o2": {"CUP": 2}}, {"o2": {"CUP": 1}}, {}]
    assert store.sale("A").cause == "stock_arrived"
    store.check()
    store.tell(count("cup", "o1", 5, 2))
    assert [store.where(name) for name in "BC"] == [{"o2": {"CUP": 1}, "o1": {"CUP": 1}}, {"o1": {"CUP": 2}}]
    assert store.online("CUP") == 2
    assert store.open_exceptions() == set()
    store.check()


def test_a_cancelled_order_waits_for_nothing_any_more() -> None:
    store = shop(count("cup", "o1", 0, 1), oversell="restrict")
    store.tell(order("A", item("CUP")))
    store.tell(order("A", item("CUP"), version=2, payment_status="CANCELLED"))
    store.tell(count("cup", "o1", 1, 2))
    assert store.online("CUP") == 1
    assert store.open_exceptions() == set()
    store.check()


def test_a_thousand_waiting_orders_are_served_in_portions_and_a_new_one_does_not_jump_the_queue() -> None:
    store = shop(count("cup", "o1", 0, 1), oversell="restrict")
    for number in range(150):
        store.tell(order(f"W{number:03}", item("CUP")))
    store.tell(count("cup", "o1", 120, 2), drain=False)
    assert store.tell(order("LATE", item("CUP")), drain=False) == Outcome.WAITING
    assert store.open_exceptions().isdisjoint({("waiting_for_link", "LATE")})
    store.drain()
    assert [number for number in range(150) if not store.where(f"W{number:03}")] == list(range(120, 150))
    assert store.where("LATE") == {}
    store.check()


def test_a_pickup_and_a_parcel_that_wait_for_one_product_are_served_by_age() -> None:
    for first, second in (("PICKUP", "PARCEL"), ("PARCEL", "PICKUP")):
        store = shop(count("cup", "o1", 0, 1), oversell="restrict", locations={"L": OutletId("o1")})
        for name in (first, second):
            store.tell(order(name, item("CUP"), location_id="L" if name == "PICKUP" else None))
        store.tell(count("cup", "o1", 1, 2))
        assert (store.where(first), store.where(second)) == ({"o1": {"CUP": 1}}, {})
        store.check()


def test_a_count_that_waited_for_its_link_serves_all_it_can_before_what_came_after_it() -> None:
    store = shop(count("cup", "o1", 0, 1), oversell="restrict")
    for number in range(120):
        store.tell(order(f"W{number:03}", item("CUP")))
    store.link(None)
    store.tell(count("cup", "o1", 110, 2))
    store.tell(order("LATE", item("CUP")))
    store.link(link(oversell="restrict"))
    assert [number for number in range(120) if not store.where(f"W{number:03}")] == list(range(110, 120))
    assert store.where("LATE") == {}
    store.check()


def test_a_renamed_product_keeps_its_stock_and_its_orders() -> None:
    store = shop()
    store.tell(product("p-09", "OLD-9", 1))
    store.tell(count("p-09", "o1", 8, 1, sku=""))
    store.tell(order("REN09A", item("OLD-9")))
    assert store.online("OLD-9") == 7
    store.tell(product("p-09", "NEW-9", 2))
    assert (store.online("OLD-9"), store.online("NEW-9")) == (0, 7)
    assert told(store, "OLD-9")[-1] == (0, None)
    store.tell(order("REN09B", item("NEW-9", 2)))
    assert store.online("NEW-9") == 5
    assert store.level("p-09", "o1") == (8, 3)
    line = store.sale("REN09A").lines[0]
    assert (line.sku, line.product_id, store.where("REN09A")) == ("OLD-9", "p-09", {"o1": {"OLD-9": 1}})
    store.check()


def test_two_products_that_swap_their_skus_swap_no_stock() -> None:
    store = shop()
    for name, sku, level in (("a", "ONE", 3), ("b", "TWO", 7)):
        store.tell(product(name, sku, 1))
        store.tell(count(name, "o1", level))
    store.tell(product("a", "TWO", 2))
    assert (store.online("ONE"), store.online("TWO")) == (0, 0)
    assert store.open_exceptions() == {("ambiguous_sku", "sku/TWO")}
    store.tell(product("b", "ONE", 2))
    assert (store.online("ONE"), store.online("TWO")) == (7, 3)
    assert store.open_exceptions() == set()
    store.check()


def test_a_product_record_names_a_product_and_a_count_no_longer_does() -> None:
    store = shop(count("p", "o1", 5, 1, sku="FROM-COUNT"))
    store.tell(product("p", "FROM-PRODUCT", 1))
    store.tell(count("p", "o1", 6, 2, sku="FROM-COUNT"))
    assert (store.online("FROM-COUNT"), store.online("FROM-PRODUCT")) == (0, 6)
    store.check()


def test_before_that_the_latest_count_names_it() -> None:
    store = shop(count("p", "o1", 5, 1, sku="FIRST"), count("p", "o1", 6, 2, sku="SECOND"))
    assert (store.online("FIRST"), store.online("SECOND")) == (0, 6)


def test_an_older_product_record_changes_nothing() -> None:
    store = shop()
    store.tell(product("p", "NEW", 5))
    assert store.tell(product("p", "OLD", 4)) == Outcome.LATE
    assert store.tell(product("p", "NEW", 5)) == Outcome.UNCHANGED
    assert store.tell(product("p", "NEW")) == Outcome.UNCHANGED
    assert store.online("OLD") is None


def test_an_order_for_an_unknown_sku_waits_and_is_taken_up_when_the_product_arrives() -> None:
    store = shop()
    store.tell(order("A", item("VASE", 2)))
    assert store.flags("A") == ["unknown_sku"]
    assert store.sale("A").lines[0].unallocated == 2
    store.tell(count("p-1", "o1", 2, sku="VASE"))
    sale = store.sale("A")
    assert (sale.cause, sale.revision, sale.lines[0].product_id) == ("product_arrived", 2, "p-1")
    assert store.open_exceptions() == set()
    store.check()


def test_orders_for_an_unknown_sku_are_taken_up_oldest_first() -> None:
    store = shop(oversell="restrict")
    store.tell(order("A", item("VASE")))
    store.tell(order("B", item("VASE")))
    store.tell(product("p-1", "VASE"))
    assert (store.flags("A"), store.flags("B")) == (["unallocated"], ["unallocated"])
    store.tell(count("p-1", "o1", 1))
    assert (store.where("A"), store.where("B")) == ({"o1": {"VASE": 1}}, {})
    store.check()


def test_a_sku_that_two_products_have_waits_until_that_ends() -> None:
    store = shop(count("p", "o1", 5, sku="CUP"), count("q", "o1", 5, sku="CUP"))
    assert store.online("CUP") == 0
    store.tell(order("A", item("CUP")))
    assert store.flags("A") == ["ambiguous_sku"]
    store.tell(product("p", "CUP", active=False))
    assert store.sale("A").lines[0].product_id == "q"
    assert store.online("CUP") == 4
    assert store.open_exceptions() == set()
    store.check()


def test_a_product_that_is_no_longer_active_is_withdrawn_and_comes_back() -> None:
    store = shop(count("p", "o1", 5, sku="CUP"))
    store.tell(product("p", "CUP", 1, active=False))
    assert told(store, "CUP")[-1] == (0, None)
    store.tell(product("p", "CUP", 2))
    assert told(store, "CUP")[-1] == (5, "p")
    store.check()


def test_a_line_without_a_sku_is_flagged() -> None:
    store = shop()
    store.tell(order("A", item("", 1, "custom")))
    assert store.flags("A") == ["unknown_sku"]
    store.check()


def test_a_bundle_waits_for_its_unknown_part_only() -> None:
    store = shop(count("pen", "o1", 5))
    store.tell(order("A", bundle("SET", 1, ("PEN", 1), ("INK", 1))))
    assert store.where("A") == {"o1": {"PEN": 1}}
    assert store.sale("A").lines[0].unallocated == 1
    store.tell(count("ink", "o1", 5))
    assert store.where("A") == {"o1": {"PEN": 1, "INK": 1}}
    store.check()


def test_an_outlet_that_is_connected_or_not_moves_the_online_level_and_no_stock() -> None:
    store = shop(count("cup", "o1", 3), count("cup", "o2", 4))
    store.tell(order("A", item("CUP", 4)))
    store.link(link(outlet("o1", 1), outlet("o2", 2, connected=False)))
    assert store.online("CUP") == 3
    assert store.where("A") == {"o2": {"CUP": 4}}
    store.link(link(outlet("o1", 1, safety=2), outlet("o2", 2)))
    assert store.online("CUP") == 1
    store.check()


def test_overselling_that_is_allowed_again_takes_up_what_waits() -> None:
    store = shop(count("cup", "o1", 0), oversell="restrict")
    store.tell(order("A", item("CUP")))
    store.link(link())
    assert (store.flags("A"), store.where("A"), store.sale("A").cause) == (
        ["backordered"],
        {"o1": {"CUP": 1}},
        "link_changed",
    )
    store.check()


def test_text_that_was_mended_in_a_count_is_an_exception_until_a_clean_one_comes() -> None:
    store = shop()
    level = count("cup", "o1", 5)
    store.tell(
        InventoryLevel(
            product_id=level.product_id,
            outlet_id=level.outlet_id,
            level=level.level,
            sku="CUP",
            repaired=("product.name",),
        )
    )
    assert store.open_exceptions() == {("text_repaired", "product/cup")}
    store.tell(level)
    assert store.open_exceptions() == set()


def test_both_readings_of_the_level_hold_what_nothing_has_acknowledged() -> None:
    levels = []
    for included in (False, True):
        store = shop(count("cup", "o1", 5), levels_include_open_orders=included)
        store.tell(order("A", item("CUP", 2)))
        levels.append((store.level("cup", "o1"), store.online("CUP")))
    assert levels == [((5, 2), 3), ((5, 2), 3)]
