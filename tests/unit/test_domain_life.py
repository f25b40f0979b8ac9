"""A sale's life where the shop and the online store meet: rows of DOMAIN 5 that need both."""

from decimal import Decimal

import pytest

from tests.pure_pos import acknowledged, handed_over, pos_line, returned, tender
from tests.pure_store import PureStore, count, item, order, shop
from topics.ids import OutletId, ProductId
from topics.movements import StockMoved
from topics.online_stock import OnlineStock
from topics.refunds import Refund


@pytest.fixture
def store() -> PureStore:
    """Three cups sold online, of which the shop has handed over two."""
    store = shop(count("cup", "o1", 10), count("cup", "o2", 10))
    store.tell(order("A", item("CUP", 3)))
    store.tell(acknowledged("A", pos_line("cup", 3)))
    store.tell(handed_over("A", ("cup", 2), version=1))
    return store


def test_cancelled_when_part_is_fulfilled_the_open_part_is_released_and_the_rest_must_come_back(
    store: PureStore,
) -> None:
    store.tell(order("A", item("CUP", 3), version=2, payment_status="CANCELLED"))
    store.check()
    assert store.pieces("A") == {"fulfilled": 2, "cancelled": 1, "recalled": 2}
    assert (store.sale("A").state != "voided", store.flags("A")) == (True, ["return_needed"])
    assert store.stand("cup", "o1") == (10, 0, 2)
    store.tell(returned("A", pos_line("cup", -2)))
    store.check()
    assert (store.sale("A").state, "return_needed" in store.flags("A")) == ("voided", False)


def test_back_from_cancelled_what_went_out_stays_and_the_rest_is_allocated_anew(store: PureStore) -> None:
    store.tell(order("A", item("CUP", 3), version=2, payment_status="CANCELLED"))
    store.tell(order("A", item("CUP", 3), version=3))
    store.check()
    assert (store.pieces("A"), store.flags("A")) == ({"open": 1, "fulfilled": 2}, [])
    assert store.sale("A").cause == "reinstated"


def test_fewer_than_went_out_are_not_taken_back_by_an_edit(store: PureStore) -> None:
    store.tell(order("A", item("CUP", 1), version=2))
    store.check()
    assert store.pieces("A") == {"fulfilled": 2, "recalled": 1}
    assert store.flags("A") == ["overpaid", "return_needed"]


def test_a_return_at_another_outlet_is_back_there(store: PureStore) -> None:
    store.tell(returned("A", pos_line("cup", -1), outlet_id=OutletId("o2")))
    store.check()
    move = store.of(StockMoved)[-1].movements[0]
    assert (move.kind, move.outlet_id, move.quantity) == ("returned", "o2", 1)
    assert store.sale("A").returns[0].outlet_id == "o2"
    store.tell(count("cup", "o2", 11))
    assert store.stand("cup", "o2") == (11, 0, 0)


def test_several_returns_of_one_sale_add_up_to_what_went_out(store: PureStore) -> None:
    store.tell(handed_over("A", ("cup", 3), version=2))
    for number in (1, 2, 3):
        store.tell(returned("A", pos_line("cup", -1), name=f"r{number}"))
        store.check()
        assert (store.pieces("A")["returned"], store.sale("A").refunded) == (number, 10 * number)
    store.tell(returned("A", pos_line("cup", -1), name="r4"))
    assert (store.pieces("A")["returned"], store.sale("A").returns[-1].state) == (3, "refused")
    assert len(store.of(Refund)) == 3


def test_money_given_back_in_the_online_store_restocks_nothing(store: PureStore) -> None:
    before = store.stand("cup", "o1")
    store.tell(order("A", item("CUP", 3), version=2, payment_status="REFUNDED"))
    store.check()
    sale = store.sale("A")
    assert (sale.refunded, sale.lines[0].returned, store.stand("cup", "o1")) == (30, 0, before)
    assert "refunded_in_ecom" in store.flags("A")


def test_what_the_shop_gives_back_for_the_same_is_the_same_money(store: PureStore) -> None:
    store.tell(
        order("A", item("CUP", 3), version=2, payment_status="PARTIALLY_REFUNDED", refunded=Decimal(10))
    )
    store.tell(returned("A", pos_line("cup", -1)))
    store.check()
    assert (store.sale("A").refunded, store.flags("A")) == (10, [])


def test_a_sale_paid_by_three_tenders_gives_back_by_each_no_more_than_it_had() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 3), total=Decimal(15), gift_card=Decimal(10), store_credit=Decimal(5)))
    store.tell(acknowledged("A", pos_line("cup", 3)))
    store.tell(handed_over("A", ("cup", 3)))
    rows = (tender("gift card", -12, "g"), tender("store credit", -5, "s"), tender("Stripe", -13, "c"))
    store.tell(returned("A", pos_line("cup", -3), payments=rows))
    store.check()
    assert [(r.kind, r.amount, r.reversal) for r in store.of(Refund)] == [
        ("gift_card", 10, "processed"),
        ("store_credit", 5, "processed"),
        ("integrated", 13, "manual"),
    ]
    assert store.sale("A").returns[0].excess == 2


def test_a_pos_payment_of_another_sale_on_the_same_day_is_not_ours() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 1), payment_status="AWAITING_PAYMENT"))
    store.tell(acknowledged("B", pos_line("cup", 1), payments=(tender("Cash", 10),), source_id=None))
    assert (store.sale("A").paid, store.sale("A").payments) == (False, ())


def test_digital_and_untracked_lines_tell_the_online_store_no_level() -> None:
    store = shop(count("cup", "o1", 10))
    told = len(store.of(OnlineStock))
    store.tell(order("A", item("E-BOOK", 1, tracked=False), item("CUP", 2, tracked=False)))
    store.check()
    assert (len(store.of(OnlineStock)), store.level("cup", "o1")) == (told, (10, 0))
    assert ProductId("e-book") not in {event.product_id for event in store.of(OnlineStock)}
