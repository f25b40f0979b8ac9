"""Money: what an order comes to, what has been paid of it, and what was given back in the online store."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from streams.domain.shop import Shop
from topics.ids import SaleId
from topics.orders import Order
from topics.sales import Payment

PAID: Final = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
"""Payment statuses that say the rest was paid (and, for two of them, what came later)."""
REFUNDED: Final = frozenset({"PARTIALLY_REFUNDED", "REFUNDED"})

FEW_CENTS: Final = 5
"""A difference of more smallest units than this between total and parts is flagged (DOMAIN 2)."""


class Amounts(msgspec.Struct, frozen=True, gc=False):
    """An order's money in the currency's precision.

    `total` is what the customer owes in all: eCom's total, which is what was left to pay, and what gift card,
    store credit and loyalty paid. `rounding` is what it differs by from the sum of its parts. `shipping`
    holds handling and surcharges too, `discount` the coupon.
    """

    subtotal: Decimal
    discount: Decimal
    shipping: Decimal
    tax: Decimal
    rounding: Decimal
    left: Decimal
    gift_card: Decimal
    store_credit: Decimal
    loyalty: Decimal
    total: Decimal


def amounts(order: Order, shop: Shop) -> Amounts:
    """Round the order's amounts; its total is the truth and is never recomputed (DOMAIN 2)."""
    money = shop.money
    subtotal = money(order.subtotal)
    discount = money(order.discount + order.coupon_discount)
    shipping = money(order.shipping + order.handling + order.surcharges)
    tax = money(order.tax)
    left = money(order.total)
    gift_card = store_credit = loyalty = shop.zero
    total = left
    if order.gift_card or order.store_credit or order.loyalty:
        gift_card, store_credit = money(order.gift_card), money(order.store_credit)
        loyalty = money(order.loyalty)
        total += gift_card + store_credit + loyalty
    expected = subtotal - discount + shipping
    if not order.prices_include_tax:
        expected += tax
    return Amounts(
        subtotal,
        discount,
        shipping,
        tax,
        total - expected,
        left,
        gift_card,
        store_credit,
        loyalty,
        total,
    )


def settle(
    order: Order, sale_id: SaleId, money: Amounts, shop: Shop, before: tuple[Payment, ...] = ()
) -> tuple[Payment, ...]:
    """Return the payments of the sale as of this order (DOMAIN S5, S6).

    Gift card, store credit and loyalty are payments of their own. What is left is paid by the processor when
    that is an integrated one; else the sale is unpaid, or paid as recorded if the link says so. A payment
    that a processor or the shop has taken stays what it was; when an edit made the order dearer and eCom says
    that it is paid, the difference is a further payment.
    """
    payments = []
    if money.total != money.left:
        for kind, name, amount in (
            ("gift_card", "gift card", money.gift_card),
            ("store_credit", "store credit", money.store_credit),
            ("loyalty", "loyalty", money.loyalty),
        ):
            if amount > 0:
                payments.append(
                    Payment(
                        payment_id=f"{sale_id}/{kind}",
                        kind=kind,  # type: ignore[arg-type]  # the three literals above
                        name=name,
                        amount=amount,
                        paid_at=order.placed_at,
                    )
                )
    is_paid = order.payment_status in PAID
    taken = (
        [
            payment
            for payment in before
            if payment.kind in {"integrated", "pos", "rounding"} or (payment.kind == "recorded" and is_paid)
        ]
        if before
        else []
    )
    payments += taken
    if is_paid:
        rest = money.left - amount_paid(taken, shop)
        processor = shop.integrated_processor(order.processor)
        if rest > 0 and (processor is not None or shop.link.offline_payment == "as_recorded"):
            number = 1 + len([payment for payment in taken if payment.kind in {"integrated", "recorded"}])
            payments.append(
                Payment(
                    payment_id=f"{sale_id}/ecom-{number}",
                    kind="recorded" if processor is None else "integrated",
                    name=processor or order.payment_method or "offline payment",
                    amount=rest,
                    processor=processor,
                    transaction_id=order.transaction_id,
                    paid_at=order.updated_at,
                )
            )
    return tuple(payments)


def amount_paid(payments: Iterable[Payment], shop: Shop) -> Decimal:
    total = shop.zero
    for payment in payments:
        total += payment.amount
    return total


def refunded_in_ecom(order: Order, paid: Decimal, shop: Shop) -> Decimal:
    """Return what the online store gave back; no more than was paid (DOMAIN 5)."""
    amount = shop.money(order.refunded)
    if not amount and order.payment_status == "REFUNDED":
        return paid
    return min(amount, paid) if amount > 0 else shop.zero
