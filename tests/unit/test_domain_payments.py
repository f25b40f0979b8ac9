"""What an order comes to, and who has paid it (DOMAIN S5, S6, 2)."""

from decimal import Decimal
from typing import Any

import pytest

from tests.pure_store import PureStore, count, item, link, order, shop
from topics.links import Processor
from topics.sales import Sale

CUP = item("CUP", 1, price=Decimal(95))


def sold(store: PureStore | None = None, **changes: Any) -> Sale:
    store = store or shop(count("cup", "o1", 9))
    store.tell(order("A", CUP, **changes))
    store.check()
    return store.sale("A")


def tenders(sale: Sale) -> list[tuple[str, str]]:
    return [(payment.name, str(payment.amount)) for payment in sale.payments]


def test_an_integrated_payment_shows_its_processor() -> None:
    sale = sold(processor="stripe", transaction_id="tx-1")
    assert tenders(sale) == [("Stripe", "95.00")]
    assert (sale.paid, sale.payments[0].kind, sale.payments[0].transaction_id) == (True, "integrated", "tx-1")


@pytest.mark.parametrize("spelling", ["Lightspeed Payments", "LightspeedPayments", "LIGHTSPEED_PAYMENTS"])
def test_a_processor_is_known_in_any_spelling(spelling: str) -> None:
    assert tenders(sold(processor=spelling)) == [("Lightspeed Payments", "95.00")]


def test_a_payment_outside_any_processor_arrives_unpaid() -> None:
    sale = sold(processor=None, payment_method="Bank deposit")
    assert (sale.paid, sale.payments, sale.payment_method) == (False, (), "Bank deposit")


def test_a_processor_that_the_link_does_not_name_is_not_integrated() -> None:
    assert not sold(processor="Mollie").paid


def test_without_a_list_every_processor_that_an_order_names_is_integrated() -> None:
    store = shop(count("cup", "o1", 9), processors=None)
    assert tenders(sold(store, processor="Mollie")) == [("Mollie", "95.00")]


def test_an_offline_payment_is_taken_as_recorded_when_the_link_says_so() -> None:
    store = shop(count("cup", "o1", 9), offline_payment="as_recorded")
    sale = sold(store, processor=None, payment_method="Bank deposit")
    assert (tenders(sale), sale.payments[0].kind) == ([("Bank deposit", "95.00")], "recorded")


def test_an_order_awaiting_payment_is_paid_later() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP, payment_status="AWAITING_PAYMENT"))
    assert not store.sale("A").paid
    store.tell(order("A", CUP, version=2))
    sale = store.sale("A")
    assert (sale.cause, sale.revision, tenders(sale)) == ("paid", 2, [("Stripe", "95.00")])


def test_a_gift_card_is_a_payment_of_its_own_and_no_rounding() -> None:
    sale = sold(total=Decimal("62.5"), gift_card=Decimal(40), shipping=Decimal("7.5"))
    assert tenders(sale) == [("gift card", "40.00"), ("Stripe", "62.50")]
    assert (str(sale.total), str(sale.amount_paid), str(sale.rounding)) == ("102.50", "102.50", "0.00")
    assert (sale.paid, sale.flags) == (True, ())


def test_a_gift_card_pays_its_part_of_an_unpaid_order() -> None:
    sale = sold(total=Decimal(55), gift_card=Decimal(40), payment_status="AWAITING_PAYMENT")
    assert (sale.paid, str(sale.amount_paid), str(sale.total)) == (False, "40.00", "95.00")


def test_store_credit_and_loyalty_pay_too_and_nothing_is_left() -> None:
    sale = sold(total=Decimal(0), store_credit=Decimal(90), loyalty=Decimal(5), processor=None)
    assert tenders(sale) == [("store credit", "90.00"), ("loyalty", "5.00")]
    assert sale.paid


def test_an_order_of_nothing_is_paid() -> None:
    assert sold(total=Decimal(0), subtotal=Decimal(0), processor=None, payment_status="AWAITING_PAYMENT").paid


def test_a_total_that_is_cents_away_from_its_parts_has_a_rounding_line() -> None:
    sale = sold(total=Decimal("95.05"))
    assert (str(sale.rounding), sale.flags) == ("0.05", ())


def test_a_total_that_is_far_from_its_parts_is_kept_and_flagged() -> None:
    sale = sold(total=Decimal("95.06"))
    assert (str(sale.total), [flag.kind for flag in sale.flags]) == ("95.06", ["total_differs"])


def test_tax_is_added_only_where_prices_do_not_include_it() -> None:
    assert sold(tax=Decimal(10), prices_include_tax=True).rounding == 0
    assert sold(tax=Decimal(10), prices_include_tax=False, total=Decimal(105)).rounding == 0


def test_discounts_fees_and_surcharges_are_parts_of_the_total() -> None:
    sale = sold(
        discount=Decimal(5),
        coupon_discount=Decimal(10),
        shipping=Decimal(4),
        handling=Decimal(2),
        surcharges=Decimal(1),
        total=Decimal(87),
    )
    assert (sale.discount, sale.shipping, sale.rounding) == (15, 7, 0)


def test_amounts_are_rounded_to_the_currency_halves_up() -> None:
    store = shop(count("cup", "o1", 9), currency="JPY", currency_precision=0)
    sale = sold(store, total=Decimal("95.5"), subtotal=Decimal("95.5"))
    assert (str(sale.total), str(sale.payments[0].amount)) == ("96", "96")


def test_an_edit_that_makes_a_paid_order_dearer_is_paid_by_a_further_payment() -> None:
    store = shop(count("cup", "o1", 9))
    sold(store)
    store.tell(order("A", CUP, item("CUP", 1, "more"), version=2))
    sale = store.sale("A")
    assert tenders(sale) == [("Stripe", "95.00"), ("Stripe", "10.00")]
    assert len({payment.payment_id for payment in sale.payments}) == 2


def test_an_edit_that_makes_a_paid_order_cheaper_shows_what_is_owed_back() -> None:
    store = shop(count("cup", "o1", 9))
    store.tell(order("A", CUP, item("CUP", 1, "more")))
    store.tell(order("A", CUP, version=2))
    sale = store.sale("A")
    assert (str(sale.total), str(sale.amount_paid), store.flags("A")) == ("95.00", "105.00", ["overpaid"])


def test_a_processors_payment_does_not_go_away_by_a_status() -> None:
    store = shop(count("cup", "o1", 9))
    sold(store)
    store.tell(order("A", CUP, version=2, payment_status="AWAITING_PAYMENT"))
    assert store.sale("A").paid


def test_a_payment_recorded_by_hand_goes_when_it_is_taken_back() -> None:
    store = shop(count("cup", "o1", 9), offline_payment="as_recorded")
    sold(store, processor=None)
    store.tell(order("A", CUP, version=2, processor=None, payment_status="AWAITING_PAYMENT"))
    assert (store.sale("A").paid, store.sale("A").payments) == (False, ())


def test_what_was_paid_stays_paid_when_the_order_is_cancelled() -> None:
    store = shop(count("cup", "o1", 9), offline_payment="as_recorded")
    sold(store, processor=None, payment_method="Bank deposit")
    store.tell(order("A", CUP, version=2, processor=None, payment_status="CANCELLED"))
    assert (store.sale("A").state, tenders(store.sale("A"))) == ("voided", [("Bank deposit", "95.00")])


def test_the_processors_list_may_change_without_touching_what_was_paid() -> None:
    store = shop(count("cup", "o1", 9))
    sold(store)
    store.link(link(processors=(Processor(name="Mollie"),)))
    store.tell(order("A", CUP, version=2, payment_method="Card"))
    assert tenders(store.sale("A")) == [("Stripe", "95.00")]
