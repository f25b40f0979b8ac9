"""What the shop does with a sale, row by row of DOMAIN 4 and 5."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest

from streams.domain.outcomes import Outcome
from tests.pure_pos import acknowledged, handed_over, pos_line, pos_row, progress, returned, tender
from tests.pure_store import PureStore, bundle, count, item, link, order, outlet, shop
from topics.exceptions import ExceptionChanged
from topics.ids import OutletId
from topics.movements import StockMoved
from topics.pos_fulfillments import PosFulfillment
from topics.pos_sales import PosSale
from topics.refunds import Refund

CUP = (("cup", 2),)


def sold(store: PureStore, quantity: int = 2, **changes: object) -> None:
    """Sell cups online, and have the point of sale acknowledge it."""
    store.tell(order("A", item("CUP", quantity), **changes))
    store.tell(acknowledged("A", pos_line("cup", quantity)))


def kinds(store: PureStore) -> list[str]:
    return [move.kind for event in store.of(StockMoved) for move in event.movements]


def awaiting(store: PureStore) -> Decimal:
    moves = [move for event in store.of(StockMoved) for move in event.movements]
    return sum((move.awaiting for move in moves), Decimal(0))


@pytest.mark.parametrize("first", ["count", "fulfilment"])
def test_pieces_handed_over_await_the_count_that_shows_them(first: str) -> None:
    store = shop(count("cup", "o1", 10, 1))
    sold(store)
    told = [count("cup", "o1", 8, 2), handed_over("A", *CUP)]
    for message in told if first == "count" else reversed(told):
        store.tell(message)
        store.check()
    if first == "count":  # older than the fulfilment's report: the next count shows that it had them
        assert store.online("CUP") == 6
        store.tell(count("cup", "o1", 8, 3))
    assert (store.online("CUP"), awaiting(store)) == (8, 0)
    assert store.sale("A").state == "closed"


def test_where_levels_include_open_orders_the_acknowledgement_ends_the_allocation() -> None:
    store = shop(count("cup", "o1", 10, 1), levels_include_open_orders=True)
    sold(store)
    assert store.level("cup", "o1")[1] == 0
    assert (store.online("CUP"), awaiting(store)) == (8, 2)
    store.tell(count("cup", "o1", 8, 2))
    store.tell(handed_over("A", *CUP))
    store.check()
    assert (store.online("CUP"), awaiting(store)) == (8, 0)
    assert kinds(store) == ["counted", "allocated", "acknowledged", "counted", "fulfilled"]


@pytest.mark.parametrize("counted", [False, True])
def test_pieces_taken_over_and_then_called_off_are_free_unless_the_level_lacks_them(counted: bool) -> None:
    store = shop(count("cup", "o1", 10, 1), levels_include_open_orders=True)
    sold(store)
    if counted:
        store.tell(count("cup", "o1", 8, 2))
    store.tell(order("A", item("CUP", 2), version=2, payment_status="CANCELLED"))
    store.check()
    assert store.online("CUP") == (8 if counted else 10)
    store.tell(count("cup", "o1", 10, 3))
    assert store.online("CUP") == 10


def test_picking_and_packing_show_on_the_fulfilment() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(progress("A", pos_row("cup", 2, picked=1), state="in_progress", version=1))
    store.tell(progress("A", pos_row("cup", 2, picked=2, packed=2), state="packed", version=2))
    assert store.tell(progress("A", pos_row("cup", 2), state="new", version=1)) is Outcome.LATE
    (shown,) = store.sale("A").fulfillments
    assert (shown.state, shown.lines[0].picked, shown.lines[0].packed) == ("packed", 2, 2)


def test_a_part_is_handed_over_and_the_rest_stays_open() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, 3)
    store.tell(progress("A", pos_row("cup", 3, 1), state="packed"))
    store.check()
    line = store.line("A")
    assert (line.fulfilled, sum(a.quantity for a in line.allocations)) == (1, 2)
    assert (store.sale("A").state, store.sale("A").fulfillments[0].state) == ("pending", "packed")


def test_what_another_outlet_hands_over_moves_there() -> None:
    store = shop(count("cup", "o1", 10), count("cup", "o2", 10))
    sold(store)
    store.tell(handed_over("A", *CUP, outlet_id=OutletId("o2")))
    store.check()
    assert {f.outlet_id: f.state for f in store.sale("A").fulfillments} == {
        "o1": "cancelled",
        "o2": "fulfilled",
    }
    assert store.level("cup", "o1")[1] == 0


def test_an_unpaid_sale_is_fulfilled_when_it_is_paid() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, payment_status="AWAITING_PAYMENT")
    store.tell(handed_over("A", *CUP))
    assert store.flags("A") == ["unpaid_fulfilled"]
    assert store.line("A").fulfilled == 0
    store.tell(order("A", item("CUP", 2), version=2))
    store.check()
    assert (store.flags("A"), store.line("A").fulfilled, store.sale("A").state) == ([], 2, "closed")


def test_a_payment_that_repeats_the_online_one_is_no_second_payment() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2)))
    store.tell(acknowledged("A", pos_line("cup", 2), payments=(tender("Online card", 20),)))
    assert [(p.name, p.amount) for p in store.sale("A").payments] == [("Stripe", Decimal("20.00"))]


def test_cash_with_its_rounding_pays_a_sale_in_the_shop() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, payment_status="AWAITING_PAYMENT")
    cash = (tender("Cash", "20.05"), tender("Cash rounding", "-0.05", rounding=True))
    store.tell(acknowledged("A", pos_line("cup", 2), version=2, payments=cash))
    sale = store.sale("A")
    assert (sale.paid, sale.amount_paid, sale.cause, store.flags("A")) == (True, 20, "payment_taken", [])


def test_a_void_in_the_shop_releases_all_and_lasts() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(acknowledged("A", pos_line("cup", 2), version=2, state="voided"))
    store.tell(order("A", item("CUP", 2), version=2))
    store.check()
    assert (store.sale("A").state, store.online("CUP"), store.of(Refund)) == ("voided", 10, [])


def test_a_return_of_what_had_not_gone_out_releases_it_for_good() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, 3)
    store.tell(returned("A", pos_line("cup", -1)))
    store.tell(order("A", item("CUP", 3), version=2, fulfillment_status="PROCESSING"))
    store.check()
    line = store.line("A")
    assert (line.cancelled, line.withdrawn, line.returned, store.online("CUP")) == (1, 1, 0, 8)


def test_a_return_that_came_before_the_news_of_its_fulfilment_ends_the_same() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, 3)
    store.tell(returned("A", pos_line("cup", -1)))
    store.tell(handed_over("A", ("cup", 3)))
    store.check()
    line = store.line("A")
    assert (line.fulfilled, line.returned, line.cancelled) == (3, 1, 0)


def test_more_than_went_out_is_refused_whole_and_flagged() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, 3)
    store.tell(handed_over("A", ("cup", 3)))
    store.tell(returned("A", pos_line("cup", -2)))
    store.tell(returned("A", pos_line("cup", -2), name="r2"))
    store.check()
    sale = store.sale("A")
    assert (sale.lines[0].returned, sale.refunded, [r.state for r in sale.returns]) == (
        2, 20, ["returned", "refused"],
    )  # fmt: skip
    assert "over_returned" in store.flags("A")
    store.tell(returned("A", pos_line("cup", -2), name="r2", version=2, state="voided"))
    assert "over_returned" not in store.flags("A")


def test_a_return_taken_back_takes_its_refund_back() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(handed_over("A", *CUP))
    store.tell(returned("A", pos_line("cup", -1)))
    store.tell(returned("A", pos_line("cup", -1), version=2, state="voided"))
    store.check()
    assert (store.line("A").returned, store.sale("A").refunded) == (0, 0)
    assert [(one.revision, one.state) for one in store.of(Refund)] == [(1, "made"), (2, "voided")]


@pytest.mark.parametrize(
    ("processor", "reversal", "flags"),
    [("Stripe", "manual", ["manual_refund"]), ("Lightspeed Payments", "processed", [])],
)
def test_only_some_processors_give_the_money_back_themselves(
    processor: str, reversal: str, flags: list[str]
) -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, processor=processor)
    store.tell(handed_over("A", *CUP))
    store.tell(returned("A", pos_line("cup", -1), method=processor))
    (refund,) = store.of(Refund)
    assert (refund.reversal, refund.processor, store.flags("A")) == (reversal, processor, flags)
    store.tell(
        order("A", item("CUP", 2), version=2, processor=processor, refunded=Decimal(10),
              payment_status="PARTIALLY_REFUNDED")
    )  # fmt: skip
    assert (store.flags("A"), store.sale("A").refunded) == ([], 10)


def test_no_more_goes_back_than_was_paid_by_each_tender() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2), gift_card=Decimal(5), total=Decimal(15)))
    store.tell(acknowledged("A", pos_line("cup", 2)))
    store.tell(handed_over("A", *CUP))
    tenders = (tender("Stripe", -20, "x"),)
    store.tell(returned("A", pos_line("cup", -2), payments=tenders))
    assert (store.sale("A").refunded, "over_refunded" in store.flags("A")) == (15, True)
    tenders = (tender("Stripe", -15, "x"), tender("gift card", -5, "y"))
    store.tell(returned("A", pos_line("cup", -2), version=2, payments=tenders))
    store.check()
    assert (store.sale("A").refunded, "over_refunded" in store.flags("A")) == (20, False)


def test_a_snapshot_that_follows_keeps_a_return_of_a_sale_that_was_never_acknowledged() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2)))
    store.tell(returned("A", pos_line("cup", -1), return_for=store.sale("A").sale_id))
    store.tell(order("A", item("CUP", 2), version=2, fulfillment_status="PROCESSING"))
    store.check()
    sale = store.sale("A")
    assert (sale.refunded, len(sale.returns), sale.lines[0].withdrawn) == (10, 1, 1)


def test_money_alone_goes_back_and_nothing_is_restocked() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(returned("A", payments=(tender("Cash", -5),)))
    assert (store.sale("A").cause, store.sale("A").refunded, store.line("A").returned) == ("refunded", 5, 0)


def test_in_an_exchange_the_goods_that_go_out_are_the_shops_own() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(handed_over("A", *CUP))
    store.tell(returned("A", pos_line("cup", -1), pos_line("mug", 1), payments=()))
    (refund,) = store.of(Refund)
    assert (refund.kind, refund.amount, len(store.sale("A").lines)) == ("exchange", 10, 1)


def test_what_the_shop_tells_too_early_waits_in_any_order() -> None:
    messages = [order("A", item("CUP", 2)), acknowledged("A", pos_line("cup", 2)), handed_over("A", *CUP)]
    ends = set()
    for told in permutations(messages):
        store = shop(count("cup", "o1", 10))
        for message in told:
            store.tell(message)
            store.check()
        sale = store.sale("A")
        ends.add((sale.state, sale.lines[0].fulfilled, sale.pos_sale_id, store.online("CUP")))
    assert ends == {("closed", Decimal(2), "s-A", Decimal(8))}


def test_a_sale_of_the_shops_own_changes_nothing() -> None:
    store = shop(count("cup", "o1", 10))
    assert store.tell(acknowledged("B", pos_line("cup", 2), source_id=None)) is Outcome.OWN
    assert store.online("CUP") == 10


def test_a_deletion_without_the_order_voids_the_sale_and_keeps_what_it_was() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(order("A", version=2, deleted=True))
    store.check()
    sale = store.sale("A")
    assert (sale.state, sale.total, sale.lines[0].cancelled, store.online("CUP")) == ("voided", 20, 2, 10)
    assert store.tell(order("A", item("CUP", 2), version=1)) is Outcome.LATE


def test_a_custom_status_is_understood_as_soon_as_the_link_says_what_it_means() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2), fulfillment_status="CUSTOM_FULFILLMENT_STATUS_1"))
    assert store.sale("A").state == "parked"
    store.link(link(fulfillment_statuses={"CUSTOM_FULFILLMENT_STATUS_1": "PROCESSING"}))
    store.check()
    assert (store.sale("A").state, store.flags("A"), store.online("CUP")) == ("pending", [], 8)


def test_a_custom_status_is_understood_too_when_the_link_was_removed_in_between() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2), fulfillment_status="CUSTOM_FULFILLMENT_STATUS_1"))
    store.link(None)
    store.link(link(fulfillment_statuses={"CUSTOM_FULFILLMENT_STATUS_1": "PROCESSING"}))
    store.check()
    assert (store.sale("A").state, store.flags("A")) == ("pending", [])


def test_an_outlet_that_is_disconnected_with_something_promised_is_an_exception_until_that_ends() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store)
    store.link(link(outlet("o1", 1, connected=False), outlet("o2", 2)))
    assert ("outlet_disconnected", "outlet/o1") in store.open_exceptions()
    store.tell(handed_over("A", *CUP))
    store.check()
    assert ("outlet_disconnected", "outlet/o1") not in store.open_exceptions()


def test_a_bundle_that_names_a_part_twice_has_that_part_once_with_all_its_pieces() -> None:
    store = shop(count("cup", "o1", 10))
    for version in (1, 2):
        store.tell(order("A", bundle("SET", 2, ("CUP", 1), ("CUP", 2)), version=version))
    store.tell(acknowledged("A", pos_line("set", 2)))
    store.check()
    assert (store.where("A"), store.sale("A").revision) == ({"o1": {"CUP": 6}}, 2)
    store.tell(handed_over("A", ("cup", 3)))
    store.check()
    assert [(row.quantity, row.fulfilled) for row in store.sale("A").fulfillments[0].lines] == [(6, 3)]


def test_two_rows_of_one_product_without_ids_are_two_rows() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, 3)
    rows = [msgspec.structs.replace(pos_row("cup", n, n), line_id=None) for n in (2, 1)]
    store.tell(progress("A", *rows, state="fulfilled"))
    store.check()
    assert (store.line("A").fulfilled, store.flags("A")) == (3, [])
    store.tell(progress("A", *rows, state="fulfilled", version=2))
    assert store.flags("A") == []


def test_what_went_out_before_it_was_seen_is_not_missed_when_the_shop_tells_it() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, fulfillment_status="SHIPPED")
    store.tell(handed_over("A", *CUP))
    store.check()
    assert (store.flags("A"), store.line("A").fulfilled, store.online("CUP")) == ([], 2, 10)
    store.tell(handed_over("A", ("cup", 3), version=10))
    assert store.flags("A") == ["pos_differs"]


def test_a_pickup_that_the_shop_sends_after_all_is_fulfilled_as_a_parcel() -> None:
    store = shop(count("cup", "o1", 10))
    sold(store, 3, fulfillment_type="PICKUP")
    store.tell(progress("A", pos_row("cup", 3, 2), state="packed"))
    store.check()
    shown = {(f.type, f.state): [row.fulfilled for row in f.lines] for f in store.sale("A").fulfillments}
    assert shown == {("PICKUP", "packed"): [0], ("DISPATCH", "fulfilled"): [2]}
    store.tell(handed_over("A", ("cup", 3)))
    store.check()
    assert {f.type: f.state for f in store.sale("A").fulfillments} == {
        "PICKUP": "cancelled",
        "DISPATCH": "fulfilled",
    }
    assert store.sale("A").state == "closed"


@pytest.mark.parametrize("which", ["sale", "fulfilment"])
def test_text_of_the_point_of_sale_that_was_mended_is_an_exception_of_the_order(which: str) -> None:
    def told(version: int, **repaired: Any) -> PosSale | PosFulfillment:
        if which == "sale":
            return acknowledged("A", pos_line("cup", 2), version=version, **repaired)
        return progress("A", pos_row("cup", 2), state="new", version=version, **repaired)

    store = shop(count("cup", "o1", 10))
    sold(store)
    store.tell(told(2, repaired=("payments[0].name",)))
    store.check()
    (event,) = store.of(ExceptionChanged)
    assert (event.kind, event.order_id, event.sale_id) == ("text_repaired", "A", store.sale("A").sale_id)
    store.tell(told(3))
    assert store.open_exceptions() == set()
