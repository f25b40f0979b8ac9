"""When the point of sale takes an online sale off its own level, and when we see that (DOMAIN 4).

In the moment between we may count a piece twice and sell too little, never too much; it heals with the count.
"""

import pytest

from tests.pure_pos import acknowledged, handed_over, pos_line, returned, sold
from tests.pure_store import PureStore, at, count, item, link, order, shop
from topics.movements import StockMoved

THREE = pos_line("cup", 3)


def placed(*, included: bool) -> PureStore:
    store = shop(count("cup", "o1", 10), levels_include_open_orders=included)
    store.tell(order("A", item("CUP", 3)))
    return store


def moved(store: PureStore) -> list[tuple[str, int, int, int, int]]:
    return [
        (m.kind, int(m.quantity), int(m.on_hand), int(m.allocated), int(m.awaiting))
        for event in store.of(StockMoved)
        for m in event.movements
    ]


def test_levels_that_exclude_open_orders_fulfilled_then_counted() -> None:
    store = placed(included=False)
    store.tell(acknowledged("A", THREE))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 3, 0), 7)
    store.tell(handed_over("A", ("cup", 3)))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 3), 7)
    store.tell(count("cup", "o1", 7))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    assert moved(store) == [
        ("counted", 0, 10, 0, 0),
        ("allocated", 3, 0, 3, 0),
        ("fulfilled", 3, 0, -3, 3),
        ("counted", 0, -3, 0, -3),
    ]
    store.check()


def test_levels_that_exclude_open_orders_counted_then_fulfilled() -> None:
    store = placed(included=False)
    store.tell(acknowledged("A", THREE))
    store.tell(count("cup", "o1", 7), at(60))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 3, 0), 4)
    store.tell(handed_over("A", ("cup", 3), updated_at=at(59)), at(61))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    assert moved(store)[-1] == ("fulfilled", 3, 0, -3, 0)
    store.check()


def test_levels_that_include_open_orders_acknowledged_then_counted() -> None:
    store = placed(included=True)
    store.tell(acknowledged("A", THREE))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 3), 7)
    store.tell(count("cup", "o1", 7))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    store.tell(handed_over("A", ("cup", 3)))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    assert moved(store) == [
        ("counted", 0, 10, 0, 0),
        ("allocated", 3, 0, 3, 0),
        ("acknowledged", 3, 0, -3, 3),
        ("counted", 0, -3, 0, -3),
        ("fulfilled", 3, 0, 0, 0),
    ]
    store.check()


def test_levels_that_include_open_orders_counted_then_acknowledged() -> None:
    store = placed(included=True)
    store.tell(count("cup", "o1", 7), at(60))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 3, 0), 4)
    store.tell(acknowledged("A", THREE, updated_at=at(59)), at(61))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    assert moved(store)[-1] == ("acknowledged", 3, 0, -3, 0)
    store.check()


@pytest.mark.parametrize("included", [False, True])
def test_a_count_from_before_does_not_show_what_was_taken_over_since(*, included: bool) -> None:
    store = placed(included=included)
    if included:
        store.tell(acknowledged("A", THREE, updated_at=at(60)), at(61))
    else:
        store.tell(acknowledged("A", THREE), at(50))
        store.tell(handed_over("A", ("cup", 3), updated_at=at(60)), at(61))
    store.tell(count("cup", "o1", 9, 1), at(59))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((9, 0, 3), 6)
    store.tell(count("cup", "o1", 7, 2), at(60))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    store.check()


def test_a_count_ends_the_waiting_of_what_is_older_and_of_nothing_younger() -> None:
    store = sold(3)
    store.tell(handed_over("A", ("cup", 1), version=1, updated_at=at(100)), at(103))
    store.tell(handed_over("A", ("cup", 3), version=2, updated_at=at(102)), at(104))
    store.tell(count("cup", "o1", 9), at(101))
    assert store.stand("cup", "o1") == (9, 0, 2)
    store.tell(count("cup", "o1", 7), at(105))
    assert store.stand("cup", "o1") == (7, 0, 0)
    store.check()


def test_a_count_that_finds_the_same_level_is_a_count_too() -> None:
    store = sold(3)
    store.tell(handed_over("A", ("cup", 3)))
    store.tell(count("cup", "o1", 10))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 0), 10)
    store.check()


def test_a_count_of_an_older_version_shows_nothing() -> None:
    store = sold(3)
    store.tell(count("cup", "o1", 10, 5))
    store.tell(handed_over("A", ("cup", 3)))
    store.tell(count("cup", "o1", 10, 4))
    store.tell(count("cup", "o1", 10, 5))
    assert store.stand("cup", "o1") == (10, 0, 3)
    store.check()


def test_a_count_elsewhere_shows_nothing_here() -> None:
    store = sold(3)
    store.tell(handed_over("A", ("cup", 3)))
    store.tell(count("cup", "o2", 4))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 3), 11)


def test_without_a_time_of_its_own_a_fulfilment_is_as_old_as_its_record() -> None:
    store = sold(3)
    store.tell(count("cup", "o1", 7), at(60))
    store.tell(handed_over("A", ("cup", 3)), at(61))
    assert store.stand("cup", "o1") == (7, 0, 3)
    store.tell(count("cup", "o1", 7), at(61))
    assert store.stand("cup", "o1") == (7, 0, 0)


def test_what_awaits_the_count_is_not_sold_again() -> None:
    store = sold(3, level=3, link={"oversell": "restrict"})
    store.tell(handed_over("A", ("cup", 3)))
    store.tell(order("B", item("CUP", 1)))
    assert (store.where("B"), store.flags("B")) == ({}, ["unallocated"])
    store.tell(count("cup", "o1", 1))
    assert store.where("B") == {"o1": {"CUP": 1}}
    store.check()


@pytest.mark.parametrize("included", [False, True])
def test_a_cancelled_order_frees_its_pieces_at_once(*, included: bool) -> None:
    store = placed(included=included)
    store.tell(order("A", item("CUP", 3), version=2, payment_status="CANCELLED"))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 0), 10)
    store.check()


def test_a_cancelled_order_that_the_point_of_sale_had_taken_over_and_counted_waits_for_the_next_count() -> (
    None
):
    store = placed(included=True)
    store.tell(acknowledged("A", THREE))
    store.tell(count("cup", "o1", 7))
    store.tell(order("A", item("CUP", 3), version=2, payment_status="CANCELLED"))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    store.tell(acknowledged("A", THREE, version=2, state="voided"))
    store.tell(count("cup", "o1", 10))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 0), 10)
    store.check()


@pytest.mark.parametrize("included", [False, True])
def test_a_return_moves_no_level_until_it_is_counted(*, included: bool) -> None:
    store = placed(included=included)
    store.tell(acknowledged("A", THREE))
    store.tell(handed_over("A", ("cup", 3)))
    store.tell(count("cup", "o1", 7))
    store.tell(returned("A", pos_line("cup", -2)))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    store.tell(count("cup", "o1", 9))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((9, 0, 0), 9)
    store.check()


def test_the_setting_may_change_while_orders_are_open() -> None:
    store = sold(3)
    store.link(link(levels_include_open_orders=True))
    store.tell(handed_over("A", ("cup", 3)))
    assert store.stand("cup", "o1")[1] == 0
    store.tell(count("cup", "o1", 7))
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((7, 0, 0), 7)
    store.check()
