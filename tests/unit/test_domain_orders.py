"""An online order becomes a sale, and what becomes of the sale (DOMAIN 5)."""

from decimal import Decimal

import msgspec
import pytest

from streams.domain.outcomes import Outcome
from tests.pure_store import START, PureStore, count, item, link, order, sale_id_of, shop
from topics.fulfillments import Fulfillment
from topics.ids import OutletId
from topics.movements import StockMoved
from topics.sales import Sale

CUP = item("CUP", 2)


def cup_shop(level: int = 9, **changes: object) -> PureStore:
    return shop(count("cup", "o1", level), count("cup", "o2", level), **changes)


def test_a_placed_order_is_a_pending_sale_with_a_new_fulfillment() -> None:
    store = cup_shop()
    assert store.tell(order("A", CUP)) == Outcome.DECIDED
    sale = store.sale("A")
    assert (sale.revision, sale.cause, sale.state, sale.attributes) == (1, "placed", "pending", ("delivery",))
    assert [(f.outlet_id, f.state, f.revision) for f in store.of(Fulfillment)] == [("o1", "new", 1)]
    assert sale.fulfillments[0].lines[0].quantity == 2
    assert sale.register_id == "r1"
    store.check()


def test_a_sale_exists_at_once_whatever_is_wrong_with_it() -> None:
    store = shop(oversell="restrict")
    store.tell(order("A", item("NOBODY-KNOWS", 3), payment_status="AWAITING_PAYMENT", email=None))
    assert store.sale("A").state == "pending"


def test_the_same_snapshot_many_times_is_one_sale() -> None:
    store = cup_shop()
    first = order("A", CUP)
    outcomes = [store.tell(first) for _ in range(15)]
    assert outcomes == [Outcome.DECIDED] + [Outcome.UNCHANGED] * 14
    assert len(store.of(Sale)) == 1
    assert store.level("cup", "o1") == (9, 2)


def test_the_same_snapshot_again_changes_nothing_though_the_link_says_otherwise_now() -> None:
    store = cup_shop()
    first = order("A", CUP, processor=None, payment_method="Bank deposit")
    store.tell(first)
    store.link(link(offline_payment="as_recorded"))
    assert store.tell(first) == Outcome.UNCHANGED
    assert not store.sale("A").paid


def test_an_older_snapshot_changes_nothing() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, version=5))
    assert store.tell(order("A", item("CUP", 7), version=4)) == Outcome.LATE
    assert store.sale("A").lines[0].quantity == 2
    assert len(store.of(Sale)) == 1


def test_a_newer_snapshot_that_says_the_same_emits_nothing_and_bars_the_older_ones() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, version=1))
    seen = len(store.events)
    assert store.tell(order("A", CUP, version=9)) == Outcome.UNCHANGED
    assert len(store.events) == seen
    assert store.tell(order("A", item("CUP", 1), version=5)) == Outcome.LATE


def test_of_two_snapshots_of_one_version_the_later_in_the_log_wins() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, version=1))
    store.tell(order("A", item("CUP", 3), version=1))
    assert store.where("A") == {"o1": {"CUP": 3}}


def test_more_of_a_line_is_allocated_and_what_is_there_stays() -> None:
    store = cup_shop(3)
    store.tell(order("A", CUP))
    store.tell(order("A", item("CUP", 5), version=2))
    sale = store.sale("A")
    assert sale.cause == "edited"
    assert store.where("A") == {"o1": {"CUP": 2}, "o2": {"CUP": 3}}
    assert [m.kind for moved in store.of(StockMoved)[-1:] for m in moved.movements] == ["allocated"]
    store.check()


def test_less_of_a_line_is_released() -> None:
    store = cup_shop(3)
    store.tell(order("A", item("CUP", 5)))
    store.tell(order("A", item("CUP", 1), version=2))
    assert store.where("A") == {"o1": {"CUP": 1}}
    fulfillments = {f.outlet_id: (f.state, f.revision, f.lines) for f in store.of(Fulfillment)}
    assert fulfillments["o2"] == ("cancelled", 2, ())
    assert fulfillments["o1"][:2] == ("new", 2)
    store.check()


def test_what_is_not_there_is_let_go_first() -> None:
    store = shop(count("cup", "o1", 1))
    store.tell(order("A", item("CUP", 3)))
    store.tell(order("A", item("CUP", 1), version=2))
    assert store.where("A") == {"o1": {"CUP": 1}}
    assert store.flags("A") == ["overpaid"]
    store.check()


def test_a_line_that_is_gone_goes_and_a_new_one_comes() -> None:
    store = shop(count("cup", "o1", 1), count("mug", "o1", 1))
    store.tell(order("A", item("CUP")))
    store.tell(order("A", item("MUG"), version=2))
    assert [line.sku for line in store.sale("A").lines] == ["MUG"]
    assert (store.online("CUP"), store.online("MUG")) == (1, 0)
    store.check()


def test_a_line_that_gets_another_sku_is_another_line() -> None:
    store = shop(count("cup", "o1", 1), count("mug", "o1", 1))
    store.tell(order("A", item("CUP", 1, 7)))
    store.tell(order("A", item("MUG", 1, 7), version=2))
    assert store.where("A") == {"o1": {"MUG": 1}}
    assert store.level("cup", "o1") == (1, 0)
    store.check()


def test_two_items_with_one_id_are_two_lines() -> None:
    store = shop(count("cup", "o1", 9), count("mug", "o1", 9))
    store.tell(order("A", item("CUP", 1, 7), item("MUG", 1, 7)))
    assert [line.line_id for line in store.sale("A").lines] == ["7", "7#2"]
    store.check()


def test_a_cancelled_order_is_voided_and_everything_released() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, payment_status="CANCELLED"))
    sale = store.sale("A")
    assert (sale.state, sale.cause) == ("voided", "cancelled")
    assert (sale.lines[0].cancelled, sale.lines[0].allocations) == (2, ())
    assert [f.state for f in store.of(Fulfillment)] == ["new", "cancelled"]
    assert store.online("CUP") == 18
    store.check()


def test_back_from_cancelled_is_the_same_sale_allocated_anew() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, payment_status="CANCELLED"))
    store.tell(order("A", CUP, version=3))
    sale = store.sale("A")
    assert (sale.state, sale.cause, sale.revision) == ("pending", "reinstated", 3)
    assert store.where("A") == {"o1": {"CUP": 2}}
    assert [(f.state, f.revision) for f in store.of(Fulfillment)] == [
        ("new", 1),
        ("cancelled", 2),
        ("new", 3),
    ]
    store.check()


def test_an_order_first_seen_cancelled_is_a_voided_sale_that_took_nothing() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, payment_status="CANCELLED"))
    sale = store.sale("A")
    assert (sale.state, sale.fulfillments, sale.payments) == ("voided", (), ())
    assert store.online("CUP") == 18
    store.check()


def test_a_deleted_order_is_voided() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, deleted=True))
    sale = store.sale("A")
    assert (sale.state, sale.cause, sale.attributes) == ("voided", "deleted", ("delivery", "deleted"))
    store.check()


@pytest.mark.parametrize("status", ["SHIPPED", "DELIVERED", "RETURNED"])
def test_an_order_that_had_gone_out_before_it_was_seen_is_recorded_and_takes_nothing(status: str) -> None:
    store = cup_shop()
    store.tell(order("A", CUP, fulfillment_status=status))
    sale = store.sale("A")
    assert (sale.state, sale.fulfillments) == ("closed", ())
    assert sale.attributes == ("delivery", "backfilled")
    assert (sale.lines[0].fulfilled, sale.lines[0].product_id) == (2, "cup")
    assert store.online("CUP") == 18
    store.check()


def test_an_order_that_ships_later_stays_allocated_until_the_shop_says_so() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, fulfillment_status="SHIPPED"))
    assert store.sale("A").fulfillment_status == "SHIPPED"
    assert store.level("cup", "o1") == (9, 2)
    store.check()


def test_a_cancelled_order_that_had_gone_out_needs_a_return() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, fulfillment_status="SHIPPED"))
    store.tell(order("A", CUP, version=2, fulfillment_status="SHIPPED", payment_status="CANCELLED"))
    sale = store.sale("A")
    assert sale.state == "closed"
    assert store.flags("A") == ["return_needed"]
    store.check()


def test_an_abandoned_cart_is_never_a_sale() -> None:
    store = cup_shop()
    assert store.tell(order("A", CUP, payment_status="INCOMPLETE")) == Outcome.INCOMPLETE
    assert not store.has_sale("A")


@pytest.mark.parametrize(
    "status",
    [{"payment_status": "CUSTOM_PAYMENT_STATUS_1"}, {"fulfillment_status": "ENGRAVING"}],
)
def test_an_unknown_status_parks_the_order_until_a_known_one_comes(status: dict[str, str]) -> None:
    store = cup_shop()
    assert store.tell(order("A", CUP, **status)) == Outcome.PARKED
    sale = store.sale("A")
    assert (sale.state, sale.cause, sale.payments) == ("parked", "parked", ())
    assert store.open_exceptions() == {("unknown_status", "A")}
    assert store.online("CUP") == 18
    store.check()
    store.tell(order("A", CUP, version=2))
    sale = store.sale("A")
    assert (sale.state, sale.cause, sale.revision, sale.paid) == ("pending", "placed", 2, True)
    assert store.open_exceptions() == set()
    store.check()


def test_a_sale_that_gets_an_unknown_status_keeps_what_it_has_flagged() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, payment_status="CUSTOM_PAYMENT_STATUS_2"))
    sale = store.sale("A")
    assert (sale.state, sale.paid, store.where("A")) == ("pending", True, {"o1": {"CUP": 2}})
    assert store.flags("A") == ["unknown_status"]
    store.check()


def test_an_order_that_the_online_store_has_from_us_is_ignored() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    outcome = store.tell(order("B", CUP, external_order_id=sale_id_of(store, "A")))
    assert outcome == Outcome.ECHO
    assert not store.has_sale("B")


def test_our_id_written_on_the_order_it_belongs_to_does_not_hide_that_order() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, payment_status="AWAITING_PAYMENT"))
    own = sale_id_of(store, "A")
    assert store.tell(
        order("A", CUP, version=2, payment_status="AWAITING_PAYMENT", external_order_id=own)
    ) == (Outcome.ECHO)
    store.tell(order("A", CUP, version=3, external_order_id=own))
    assert store.sale("A").paid


def test_money_that_the_online_store_gave_back_is_recorded_and_flagged_and_restocks_nothing() -> None:
    store = cup_shop()
    store.tell(order("A", CUP))
    store.tell(order("A", CUP, version=2, payment_status="PARTIALLY_REFUNDED", refunded=Decimal("7.5")))
    sale = store.sale("A")
    assert (sale.cause, str(sale.refunded), sale.paid) == ("refunded_in_ecom", "7.50", True)
    assert store.flags("A") == ["refunded_in_ecom"]
    assert store.level("cup", "o1") == (9, 2)
    store.tell(order("A", CUP, version=3, payment_status="REFUNDED", refunded=Decimal(99)))
    assert store.sale("A").refunded == 20
    store.check()


def test_a_pickup_moved_to_another_location_moves_what_is_open() -> None:
    store = cup_shop(locations={"L1": OutletId("o1"), "L2": OutletId("o2")})
    store.tell(order("A", CUP, fulfillment_type="PICKUP", location_id="L1"))
    store.tell(order("A", CUP, version=2, fulfillment_type="PICKUP", location_id="L2"))
    assert store.where("A") == {"o2": {"CUP": 2}}
    assert {f.outlet_id: f.state for f in store.of(Fulfillment)} == {"o1": "cancelled", "o2": "new"}
    store.check()


def test_a_pickup_that_is_to_be_sent_after_all_gets_another_fulfillment() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, fulfillment_type="PICKUP"))
    store.tell(order("A", CUP, version=2, fulfillment_type="DISPATCH"))
    states = {f.type: f.state for f in store.of(Fulfillment)}
    assert states == {"PICKUP": "cancelled", "DISPATCH": "new"}
    assert store.level("cup", "o1") == (9, 2)
    store.check()


def test_text_that_was_mended_is_flagged_by_the_fields_names() -> None:
    store = cup_shop()
    store.tell(order("A", CUP, repaired=("billingPerson.name",)))
    assert [(f.kind, f.detail) for f in store.sale("A").flags] == [("text_repaired", "billingPerson.name")]


def test_the_time_of_an_event_is_the_snapshots() -> None:
    store = cup_shop()
    snapshot = msgspec.structs.replace(order("A", CUP), updated_at=START)
    store.tell(snapshot)
    sale = store.sale("A")
    assert sale.event_time == START
    assert sale.received_at > START


def test_an_order_without_lines_is_a_sale() -> None:
    store = cup_shop()
    store.tell(order("A"))
    assert store.sale("A").state == "closed"


def test_a_line_of_nothing_moves_nothing() -> None:
    store = cup_shop()
    store.tell(order("A", item("CUP", 0)))
    assert store.where("A") == {}
    assert store.flags("A") == []
    store.check()


def test_fractions_of_a_piece_are_sold_too() -> None:
    store = shop(count("rope", "o1", "2.5"))
    store.tell(order("A", item("ROPE", "1.25")))
    assert store.sale("A").lines[0].allocations[0].quantity == Decimal("1.25")
    assert store.sale("A").flags == ()
    store.check()


def test_an_order_of_500_lines_is_one_decision() -> None:
    store = shop(*(count(f"p{n}", "o1", 1) for n in range(500)))
    store.tell(order("A", *(item(f"P{n}") for n in range(500))))
    assert len(store.of(StockMoved)[-1].movements) == 500
    assert len(store.sale("A").fulfillments) == 1
    store.check()
