"""The point of sale takes our sale: acknowledged, paid in the shop, handed over, voided (DOMAIN 2, 5)."""

from decimal import Decimal

import pytest

from streams.domain.outcomes import Outcome
from tests.pure_pos import acknowledged, handed_over, pos_line, pos_sale, pos_sale_id, returned, sold, tender
from tests.pure_store import PureStore, at, count, item, link, order, sale_id_of, shop
from topics.fulfillments import Fulfillment
from topics.sales import Sale

CUP = item("CUP", 2)
TWO = pos_line("cup", 2)
UNPAID = {"payment_status": "AWAITING_PAYMENT", "processor": None, "payment_method": "Pay at the counter"}


def tenders(store: PureStore) -> list[tuple[str, str, str]]:
    return [(p.kind, p.name, str(p.amount)) for p in store.sale("A").payments]


def test_an_acknowledged_sale_knows_its_id_in_the_point_of_sale() -> None:
    store = sold(2)
    sale = store.sale("A")
    assert (sale.pos_sale_id, sale.cause, sale.revision) == (pos_sale_id("A"), "acknowledged", 2)
    store.check()


def test_it_may_be_named_by_our_own_id_of_the_sale() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP))
    store.tell(acknowledged("A", TWO, source_id=sale_id_of(store, "A")))
    assert store.sale("A").pos_sale_id == pos_sale_id("A")


def test_acknowledged_again_and_again_it_is_one_revision() -> None:
    store = sold(2)
    seen = len(store.events)
    assert store.tell(acknowledged("A", TWO)) == Outcome.UNCHANGED
    store.tell(acknowledged("A", TWO, version=2))
    assert len(store.events) == seen


def test_an_older_version_changes_nothing() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP, **UNPAID))
    store.tell(acknowledged("A", TWO, version=5))
    assert store.tell(acknowledged("A", TWO, version=4, payments=(tender("Cash", 20),))) == Outcome.LATE
    assert not store.sale("A").paid


def test_a_record_without_a_version_always_applies() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP, **UNPAID))
    store.tell(acknowledged("A", TWO, version=5))
    store.tell(acknowledged("A", TWO, version=None, payments=(tender("Cash", 20),)))
    assert store.sale("A").paid


@pytest.mark.parametrize("name", ["Stripe", "stripe"])
def test_what_the_online_store_was_paid_is_not_paid_once_more_by_its_echo(name: str) -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP))
    store.tell(acknowledged("A", TWO, payments=(tender(name, 20),)))
    assert tenders(store) == [("integrated", "Stripe", "20.00")]
    store.check()


def test_gift_card_and_card_are_echoed_each() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP, total=Decimal(5), gift_card=Decimal(15)))
    store.tell(acknowledged("A", TWO, payments=(tender("Gift Card", 15), tender("Stripe", 5))))
    assert tenders(store) == [("gift_card", "gift card", "15.00"), ("integrated", "Stripe", "5.00")]
    assert store.flags("A") == []


def test_a_payment_taken_in_the_shop_pays_the_sale() -> None:
    store = sold(2, **UNPAID)
    store.tell(acknowledged("A", TWO, version=2, payments=(tender("EFTPOS", 20),)))
    sale = store.sale("A")
    assert (sale.cause, sale.paid, tenders(store)) == ("payment_taken", True, [("pos", "EFTPOS", "20.00")])
    store.check()


def test_a_deposit_in_the_shop_leaves_the_rest_due() -> None:
    store = sold(2, **UNPAID)
    store.tell(acknowledged("A", TWO, version=2, payments=(tender("Cash", 5),)))
    assert (store.sale("A").paid, str(store.sale("A").amount_paid)) == (False, "5.00")
    store.tell(acknowledged("A", TWO, version=3, payments=(tender("Cash", 5), tender("EFTPOS", 15))))
    assert (store.sale("A").paid, str(store.sale("A").amount_paid)) == (True, "20.00")
    store.check()


def test_cash_rounding_is_a_payment_of_its_own_of_either_sign() -> None:
    for cash, rounding in (("20.02", "-0.02"), ("19.98", "0.02")):
        store = sold(2, **UNPAID)
        rows = (tender("Cash", cash), tender("Cash rounding", rounding, rounding=True))
        store.tell(acknowledged("A", TWO, version=2, payments=rows))
        assert (store.sale("A").paid, str(store.sale("A").amount_paid)) == (True, "20.00")
        assert [kind for kind, _, _ in tenders(store)] == ["pos", "rounding"]
        assert store.flags("A") == []
        store.check()


def test_a_payment_in_the_shop_survives_the_next_snapshot_of_the_order() -> None:
    store = sold(2, **UNPAID)
    store.tell(acknowledged("A", TWO, version=2, payments=(tender("Cash", 20),)))
    store.tell(order("A", CUP, version=2, fulfillment_status="PROCESSING", **UNPAID))
    assert tenders(store) == [("pos", "Cash", "20.00")]
    store.tell(order("A", CUP, version=3, fulfillment_status="PROCESSING", processor=None))
    assert tenders(store) == [("pos", "Cash", "20.00")]
    assert store.flags("A") == []
    store.check()


def test_paid_in_both_places_by_mistake_is_flagged_as_owed_back() -> None:
    store = sold(2, **UNPAID)
    store.tell(acknowledged("A", TWO, version=2, payments=(tender("Cash", 20),)))
    store.tell(order("A", CUP, version=2))
    assert str(store.sale("A").amount_paid) == "20.00"
    store.check()


def test_a_sale_closed_with_everything_picked_up_is_fulfilled() -> None:
    store = sold(2)
    store.tell(acknowledged("A", TWO, version=2, state="closed", handed_over=True))
    assert (store.pieces("A"), store.sale("A").state) == ({"fulfilled": 2}, "closed")
    assert store.of(Fulfillment)[-1].state == "fulfilled"
    assert store.stand("cup", "o1") == (10, 0, 2)
    store.check()


def test_the_fulfilment_that_follows_a_sale_handed_over_fulfils_nothing_twice() -> None:
    store = sold(2)
    store.tell(acknowledged("A", TWO, version=2, state="closed", handed_over=True))
    store.tell(handed_over("A", ("cup", 2)))
    assert (store.pieces("A"), store.flags("A")) == ({"fulfilled": 2}, [])
    store.check()


def test_and_the_other_way_round() -> None:
    store = sold(2)
    store.tell(handed_over("A", ("cup", 2)))
    store.tell(acknowledged("A", TWO, version=2, state="closed", handed_over=True))
    assert (store.pieces("A"), store.flags("A")) == ({"fulfilled": 2}, [])
    store.check()


def test_closed_as_paid_alone_hands_nothing_over() -> None:
    store = sold(2)
    store.tell(acknowledged("A", TWO, version=2, state="closed"))
    assert store.pieces("A") == {"open": 2}


def test_a_sale_voided_in_the_shop_is_released_and_no_refund() -> None:
    store = sold(2)
    store.tell(acknowledged("A", TWO, version=2, state="voided"))
    sale = store.sale("A")
    assert (sale.state, sale.cause, "voided_in_pos" in sale.attributes) == ("voided", "voided", True)
    assert (store.pieces("A"), sale.refunds, str(sale.refunded)) == ({"cancelled": 2}, (), "0.00")
    assert (store.stand("cup", "o1"), store.online("CUP")) == ((10, 0, 0), 10)
    assert store.of(Fulfillment)[-1].state == "cancelled"
    store.check()


def test_what_the_shop_voided_no_later_snapshot_brings_back() -> None:
    store = sold(2)
    store.tell(acknowledged("A", TWO, version=2, state="voided"))
    store.tell(order("A", item("CUP", 3), version=2))
    assert (store.sale("A").state, store.stand("cup", "o1")[1]) == ("voided", 0)
    store.check()


def test_a_void_after_part_went_out_releases_the_rest_and_asks_for_a_return() -> None:
    store = sold(3)
    store.tell(handed_over("A", ("cup", 1)))
    store.tell(acknowledged("A", pos_line("cup", 3), version=2, state="voided"))
    assert store.pieces("A") == {"fulfilled": 1, "cancelled": 2, "recalled": 1}
    assert store.flags("A") == ["return_needed"]
    assert store.stand("cup", "o1") == (10, 0, 1)
    store.check()


def test_an_acknowledgement_before_its_order_waits_and_is_then_applied() -> None:
    store = shop(count("cup", "o1", 9))
    assert store.tell(acknowledged("A", TWO, payments=(tender("Cash", 20),))) == Outcome.WAITING
    assert store.of(Sale) == []
    store.tell(order("A", CUP, **UNPAID))
    sale = store.sale("A")
    assert (sale.pos_sale_id, sale.paid, tenders(store)) == (
        pos_sale_id("A"),
        True,
        [("pos", "Cash", "20.00")],
    )
    store.check()


def test_the_newest_of_several_early_acknowledgements_counts() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(acknowledged("A", TWO, version=2, payments=(tender("Cash", 20),)))
    store.tell(acknowledged("A", TWO, version=1))
    store.tell(order("A", CUP, **UNPAID))
    assert store.sale("A").paid
    store.check()


def test_a_version_that_no_longer_names_the_order_is_still_its_acknowledgement() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(acknowledged("A", TWO))
    store.tell(acknowledged("A", TWO, version=2, source_id=None, payments=(tender("Cash", 20),)))
    store.tell(order("A", CUP, **UNPAID))
    assert store.sale("A").paid
    store.check()


def test_a_void_before_the_order_has_come_voids_it_when_it_comes() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(acknowledged("A", TWO))
    store.tell(acknowledged("A", TWO, version=2, state="voided"))
    store.tell(order("A", CUP))
    assert store.sale("A").state == "voided"
    store.check()


def test_a_return_before_the_order_has_come_is_taken_when_it_comes() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(acknowledged("A", TWO))
    assert store.tell(returned("A", pos_line("cup", -2))) == Outcome.WAITING
    assert store.tell(returned("A", pos_line("cup", -1), version=2)) == Outcome.WAITING
    assert store.tell(returned("A", pos_line("cup", -2))) == Outcome.LATE
    store.tell(order("A", CUP))
    assert store.pieces("A") == {"open": 1, "cancelled": 1, "withdrawn": 1}
    assert str(store.sale("A").refunded) == "10.00"
    assert store.tell(returned("A", pos_line("cup", -1), version=2)) == Outcome.UNCHANGED
    store.check()


def test_what_waits_for_an_order_that_never_comes_is_given_up_after_a_week() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(acknowledged("A", TWO), at(10))
    store.tell(handed_over("A", ("cup", 2)), at(11))
    store.tell(returned("A", pos_line("cup", -1)), at(12))
    store.tell(acknowledged("B", TWO), at(10, days=6.9))
    assert len(store.books().scan("pos_sales")) == 3
    store.tell(acknowledged("C", TWO), at(10, days=7.1))
    assert [name for name, _ in store.books().scan("pos_sales")] == ["s-B", "s-C"]
    store.check()
    store.tell(order("A", CUP))
    store.tell(order("B", CUP))
    assert (store.sale("A").pos_sale_id, store.sale("B").pos_sale_id) == (None, pos_sale_id("B"))


def test_a_sale_of_the_shop_itself_is_none_of_ours() -> None:
    store = shop(count("cup", "o1", 9))
    seen = len(store.events)
    store.tell(pos_sale("their-own", pos_line("cup", 1), payments=(tender("Cash", 10),)))
    store.tell(pos_sale("their-return", pos_line("cup", -1), return_for="their-own"))
    assert len(store.events) == seen
    store.check()


def test_an_acknowledgement_waits_for_its_stores_link_like_all_else() -> None:
    store = PureStore()
    store.tell(count("cup", "o1", 9))
    store.tell(order("A", CUP))
    assert store.tell(acknowledged("A", TWO)) == Outcome.WAITING
    store.tell(handed_over("A", ("cup", 2)))
    assert ("waiting_for_link", "pos") in store.open_exceptions()
    store.link(link())
    assert (store.sale("A").pos_sale_id, store.pieces("A")) == (pos_sale_id("A"), {"fulfilled": 2})
    assert store.open_exceptions() == set()
    store.check()
