"""Which outlet fulfils what (DOMAIN 3)."""

from decimal import Decimal

import pytest

from streams.domain.policies import POLICIES, Counter, Want, lightspeed
from tests.pure_store import PureStore, bundle, count, item, link, order, outlet, shop
from topics.fulfillments import Fulfillment
from topics.ids import OutletId, ProductId

CASE_STOCK = {"shirt": (10, 0, 15), "hat": (3, 10, 10), "shoes": (5, 10, 10)}


def case_shop(*, nelson: bool = False, **changes: object) -> PureStore:
    counts = [
        count(product, name, level)
        for product, levels in CASE_STOCK.items()
        for name, level in zip(("auckland", "wellington", "nelson"), levels, strict=True)
    ]
    outlets = (outlet("auckland", 1), outlet("wellington", 2), outlet("nelson", 3, connected=nelson))
    return shop(*counts, outlets=outlets, **changes)


def test_two_shirts_a_hat_and_shoes_all_come_from_auckland() -> None:
    store = case_shop()
    store.tell(order("A", item("SHIRT", 2), item("HAT", 1), item("SHOES", 1)))
    assert store.where("A") == {"auckland": {"SHIRT": 2, "HAT": 1, "SHOES": 1}}
    store.check()


def test_a_shirt_from_auckland_and_five_hats_from_wellington() -> None:
    store = case_shop()
    store.tell(order("A", item("SHIRT", 1), item("HAT", 5)))
    assert store.where("A") == {"auckland": {"SHIRT": 1}, "wellington": {"HAT": 5}}
    assert sorted(f.outlet_id for f in store.of(Fulfillment)) == ["auckland", "wellington"]
    store.check()


def test_five_hats_and_two_shoes_come_from_wellington_though_auckland_has_shoes() -> None:
    store = case_shop()
    store.tell(order("A", item("HAT", 5), item("SHOES", 2)))
    assert store.where("A") == {"wellington": {"HAT": 5, "SHOES": 2}}


def test_an_outlet_that_is_not_connected_sells_nothing_online() -> None:
    store = case_shop()
    store.tell(order("A", item("SHIRT", 12)))
    assert "nelson" not in store.where("A")
    assert store.online("SHIRT") == 0
    store.check()


def test_nelson_does_the_whole_order_once_it_is_connected() -> None:
    store = case_shop(nelson=True)
    store.tell(order("A", item("SHIRT", 12), item("HAT", 5)))
    assert store.where("A") == {"nelson": {"SHIRT": 12, "HAT": 5}}


def test_a_line_is_split_only_when_no_outlet_has_all_of_it() -> None:
    store = shop(count("cup", "o1", 3), count("cup", "o2", 2))
    store.tell(order("A", item("CUP", 5)))
    assert store.where("A") == {"o1": {"CUP": 3}, "o2": {"CUP": 2}}
    assert store.flags("A") == []
    store.check()


def test_the_same_sku_on_two_lines_shares_the_stock() -> None:
    store = shop(count("cap", "o1", 1), count("cap", "o2", 1))
    store.tell(order("TWO14", item("CAP", 1, 1401), item("CAP", 1, 1402)))
    lines = store.sale("TWO14").lines
    assert [[(a.outlet_id, a.quantity) for a in line.allocations] for line in lines] == [
        [("o1", 1)],
        [("o2", 1)],
    ]
    assert store.online("CAP") == 0
    store.tell(order("TWO14", item("CAP", 1, 1401), version=2))
    assert store.where("TWO14") == {"o1": {"CAP": 1}}
    assert store.online("CAP") == 1
    store.check()


def test_two_lines_of_one_sku_go_where_both_fit() -> None:
    store = shop(count("cap", "o1", 1), count("cap", "o2", 2))
    store.tell(order("A", item("CAP", 1, 1), item("CAP", 1, 2)))
    assert store.where("A") == {"o2": {"CAP": 2}}


def test_of_two_outlets_that_can_do_it_the_lower_priority_number_does() -> None:
    store = shop(count("cup", "a", 9), count("cup", "b", 1), outlets=(outlet("a", 2), outlet("b", 1)))
    store.tell(order("A", item("CUP", 1)))
    assert store.where("A") == {"b": {"CUP": 1}}


def test_of_equal_priorities_the_outlet_with_most_stock_left_does() -> None:
    store = shop(count("cup", "a", 4), count("cup", "b", 5), outlets=(outlet("a", 1), outlet("b", 1)))
    store.tell(order("A", item("CUP", 1)))
    assert store.where("A") == {"b": {"CUP": 1}}


def test_of_outlets_alike_in_all_the_lower_id_does() -> None:
    store = shop(count("cup", "b", 5), count("cup", "a", 5), outlets=(outlet("b", 1), outlet("a", 1)))
    store.tell(order("A", item("CUP", 1)))
    assert store.where("A") == {"a": {"CUP": 1}}


def test_what_nobody_has_goes_backordered_to_the_first_outlet_of_the_order() -> None:
    store = shop(count("cup", "o2", 5), count("mug", "o1", 0), count("mug", "o2", 0))
    store.tell(order("A", item("CUP", 1), item("MUG", 2)))
    assert store.where("A") == {"o2": {"CUP": 1, "MUG": 2}}
    line = store.sale("A").lines[1]
    assert (line.backordered, line.unallocated) == (2, 0)
    assert store.flags("A") == ["backordered"]
    store.check()


def test_when_there_is_nothing_of_the_order_the_first_outlet_gets_it() -> None:
    store = shop(count("mug", "o2", -3))
    store.tell(order("A", item("MUG", 2)))
    assert store.where("A") == {"o1": {"MUG": 2}}
    assert store.online("MUG") == 0


def test_with_oversell_restricted_the_rest_stays_unallocated_and_the_sale_exists() -> None:
    store = shop(count("cup", "o1", 1), oversell="restrict")
    store.tell(order("A", item("CUP", 3)))
    assert store.where("A") == {"o1": {"CUP": 1}}
    assert store.sale("A").lines[0].unallocated == 2
    assert store.flags("A") == ["unallocated"]
    assert store.open_exceptions() == {("unallocated", "A/line-CUP")}
    store.check()


def test_safety_stock_is_not_sold() -> None:
    store = shop(
        count("cup", "o1", 3), count("cup", "o2", 1), outlets=(outlet("o1", 1, safety=3), outlet("o2", 2))
    )
    assert store.online("CUP") == 1
    store.tell(order("A", item("CUP", 1)))
    assert store.where("A") == {"o2": {"CUP": 1}}


def test_a_pickup_goes_to_the_outlet_of_its_location_though_it_is_short_there() -> None:
    store = case_shop(locations={"L": OutletId("wellington")})
    store.tell(order("A", item("SHIRT", 1), item("HAT", 1), fulfillment_type="PICKUP", location_id="L"))
    assert store.where("A") == {"wellington": {"SHIRT": 1, "HAT": 1}}
    assert store.flags("A") == ["backordered"]
    assert store.sale("A").pinned_outlet_id == "wellington"
    assert store.sale("A").attributes == ("pickup",)
    assert [f.type for f in store.of(Fulfillment)] == ["PICKUP"]
    store.check()


def test_a_shipping_method_pins_the_whole_order_too() -> None:
    store = case_shop(shipping_methods={"bike": OutletId("wellington")})
    store.tell(order("A", item("HAT", 1), shipping_method_id="bike"))
    assert store.where("A") == {"wellington": {"HAT": 1}}


def test_a_pickup_at_a_disconnected_outlet_stays_there_flagged() -> None:
    store = case_shop(locations={"L": OutletId("nelson")})
    store.tell(order("A", item("SHIRT", 1), fulfillment_type="PICKUP", location_id="L"))
    assert store.where("A") == {"nelson": {"SHIRT": 1}}
    assert store.flags("A") == ["outlet_disconnected"]


def test_a_pickup_location_that_leads_nowhere_is_flagged_when_others_are_linked() -> None:
    store = case_shop(locations={"L": OutletId("nelson")})
    store.tell(order("A", item("SHIRT", 1), fulfillment_type="PICKUP", location_id="M"))
    assert store.where("A") == {"auckland": {"SHIRT": 1}}
    assert store.flags("A") == ["unknown_outlet"]


def test_with_restricted_overselling_a_pinned_order_takes_what_its_outlet_gets() -> None:
    store = shop(
        count("cup", "o1", 1), count("cup", "o2", 0, 1), oversell="restrict", locations={"L": OutletId("o2")}
    )
    store.tell(order("A", item("CUP", 2), fulfillment_type="PICKUP", location_id="L"))
    assert store.where("A") == {}
    store.tell(count("cup", "o1", 9))
    assert store.where("A") == {}
    store.tell(count("cup", "o2", 1, 2))
    assert store.where("A") == {"o2": {"CUP": 1}}
    store.check()


def test_a_bundle_is_allocated_by_its_parts_and_stays_one_line() -> None:
    store = shop(count("pen", "o1", 10), count("ink", "o1", 4), count("ink", "o2", 9), count("pen", "o2", 3))
    store.tell(order("A", bundle("SET", 2, ("PEN", 1), ("INK", 3))))
    line = store.sale("A").lines[0]
    assert [(part.sku, part.quantity, part.product_id) for part in line.components] == [
        ("PEN", 2, "pen"),
        ("INK", 6, "ink"),
    ]
    assert store.where("A") == {"o2": {"PEN": 2, "INK": 6}}
    assert line.allocations == ()
    assert [(one.line_id, one.sku, one.quantity) for one in store.of(Fulfillment)[-1].lines] == [
        ("line-SET", "PEN", 2),
        ("line-SET", "INK", 6),
    ]
    store.check()


def test_a_bundle_that_lacks_a_part_counts_the_bundles_that_wait() -> None:
    store = shop(count("pen", "o1", 10), count("ink", "o1", 4))
    store.tell(order("A", bundle("SET", 2, ("PEN", 1), ("INK", 3))))
    assert store.sale("A").lines[0].backordered == 1
    store.check()


def test_digital_goods_and_gift_cards_need_no_outlet() -> None:
    store = shop()
    store.tell(order("A", item("E-BOOK", 1, tracked=False), fulfillment_type=None))
    sale = store.sale("A")
    assert (sale.state, sale.fulfillments, sale.flags, sale.attributes) == ("closed", (), (), ())
    assert store.online("E-BOOK") is None
    store.check()


def test_goods_without_a_shipping_option_still_take_stock() -> None:
    store = shop(count("cup", "o1", 1))
    store.tell(order("A", item("CUP", 1), fulfillment_type=None))
    assert store.level("cup", "o1") == (1, 1)
    assert [f.type for f in store.of(Fulfillment)] == ["DISPATCH"]


def test_without_a_connected_outlet_the_sale_exists_and_waits() -> None:
    store = shop(count("cup", "o1", 5), outlets=(outlet("o1", connected=False),))
    store.tell(order("A", item("CUP", 1)))
    assert store.where("A") == {}
    assert store.flags("A") == ["unallocated"]
    store.link(link(outlet("o1")))
    assert store.where("A") == {"o1": {"CUP": 1}}
    assert store.sale("A").cause == "link_changed"
    store.check()


def test_a_store_may_name_another_policy() -> None:
    store = shop(count("cup", "o1", 1), count("cup", "o2", 5), policy="priority")
    store.tell(order("A", item("CUP", 2)))
    assert store.where("A") == {"o1": {"CUP": 1}, "o2": {"CUP": 1}}


def test_an_unknown_policy_is_flagged_and_the_default_applies() -> None:
    store = shop(count("cup", "o1", 1), count("cup", "o2", 5), policy="astrology")
    store.tell(order("A", item("CUP", 2)))
    assert store.where("A") == {"o2": {"CUP": 2}}
    assert store.open_exceptions() == {("unknown_policy", "link")}
    store.link(link())
    assert store.open_exceptions() == set()


def row(*levels: int) -> list[Decimal]:
    return [Decimal(level) for level in levels]


def places(
    wants: list[tuple[str, int]], stock: dict[str, list[Decimal]], used: frozenset[int] = frozenset()
) -> set[int]:
    size = len(next(iter(stock.values())))
    outlets = [OutletId(f"o{place:02}") for place in range(size)]
    available = {ProductId(product): levels for product, levels in stock.items()}
    takes = lightspeed(
        [Want(ProductId(product), Decimal(quantity)) for product, quantity in wants],
        Counter(outlets, tuple(range(size)), available, used),
    )
    return {take.place for take in takes}


def test_the_fewest_outlets_are_found_where_the_greedy_choice_is_not() -> None:
    # The outlet that has most lines (0) leaves three lines that no one outlet has; 1 and 2 have all six.
    stock = {
        "a": row(1, 1, 0, 0),
        "b": row(1, 1, 0, 0),
        "c": row(1, 0, 1, 0),
        "d": row(1, 0, 1, 0),
        "e": row(0, 1, 0, 1),
        "f": row(0, 0, 1, 0),
    }
    assert places([(name, 1) for name in stock], stock) == {1, 2}


def test_of_two_smallest_sets_the_one_with_the_better_outlets_is_taken() -> None:
    stock = {"a": row(1, 0, 1, 0), "b": row(0, 1, 0, 1)}
    assert places([("a", 1), ("b", 1)], stock) == {0, 1}


def test_a_split_line_uses_the_fewest_outlets_too() -> None:
    assert places([("a", 10)], {"a": row(1, 4, 6, 2)}) == {1, 2}


def test_an_outlet_that_the_order_already_uses_is_preferred() -> None:
    assert places([("a", 1)], {"a": row(5, 5)}, frozenset({1})) == {1}
    stock = {"a": row(0, 1, 5, 0), "b": row(0, 0, 5, 1)}
    assert places([("a", 1), ("b", 1)], stock, frozenset({1, 3})) == {1, 3}
    # Not within a line, though: a new outlet that has it whole comes first.
    assert places([("a", 2)], {"a": row(0, 1, 5, 1)}, frozenset({1, 3})) == {2}


def test_lines_of_one_product_are_packed_not_just_counted() -> None:
    # 3+3 fit in the first, 4+2 in the second; taking the largest first alone would not find it.
    assert places([("a", 4), ("a", 3), ("a", 3), ("a", 2)], {"a": row(6, 6)}) == {0, 1}


@pytest.mark.parametrize("lines", [(3, 4, 2), (4, 3, 2), (2, 3, 4)])
def test_how_lines_of_one_product_are_sorted_does_not_matter_to_the_outlets(lines: tuple[int, ...]) -> None:
    wants = [Want(ProductId("a"), Decimal(quantity)) for quantity in lines]
    outlets = [OutletId("o1"), OutletId("o2")]
    pieces = {0: Decimal(0), 1: Decimal(0)}
    for take in lightspeed(wants, Counter(outlets, (1, 2), {ProductId("a"): row(5, 5)})):
        pieces[take.place] += take.quantity
    assert pieces == {0: 4, 1: 5}


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_policy_answers_nothing_when_there_is_nothing(policy: str) -> None:
    wants = [Want(ProductId("a"), Decimal(1))]
    counter = Counter([OutletId("o")], (0,), {ProductId("a"): row(0)})
    assert POLICIES[policy](wants, counter) == []


def test_an_order_of_500_lines_over_50_outlets_is_decided() -> None:
    stock = {f"p{line}": row(*((line * 7 + place * 13) % 11 for place in range(50))) for line in range(500)}
    wants = [(product, 5) for product in stock]
    chosen = places(wants, stock)
    assert 2 <= len(chosen) <= 12
