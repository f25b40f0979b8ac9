"""Payments of the point of sale, beside those that the online store told of (DOMAIN 5)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from streams.domain.payments import amount_paid
from streams.domain.shop import Shop, plain_name
from topics.pos_sales import PosPayment
from topics.sales import Payment, PaymentKind

TAKEN_IN_SHOP = frozenset({"pos", "rounding"})


def merge(
    before: Iterable[Payment], told: Sequence[PosPayment], total: Decimal, shop: Shop
) -> tuple[Payment, ...]:
    """Return the sale's payments when the point of sale has these for it.

    It repeats what the online store was paid: a row of the same name and amount is that payment, and so is
    one of the same amount that would make the sale overpaid. Every other row was taken in the shop.
    """
    kept = [payment for payment in before if payment.kind not in TAKEN_IN_SHOP]
    unmatched = list(kept)
    fresh: list[PosPayment] = []
    for row in told:
        amount = shop.money(row.amount)
        echo = next((p for p in unmatched if p.amount == amount and _same_name(p, row)), None)
        if echo is None:
            fresh.append(row)
        else:
            unmatched.remove(echo)
    taken: list[Payment] = []
    received = amount_paid(kept, shop)
    for row in fresh:
        amount = shop.money(row.amount)
        echo = next((p for p in unmatched if p.amount == amount), None)
        if echo is not None and received + amount > total:
            unmatched.remove(echo)
        elif amount:
            received += amount
            kind: PaymentKind = "rounding" if row.rounding else "pos"
            taken.append(
                Payment(
                    payment_id=row.payment_id,
                    kind=kind,
                    name=row.name,
                    amount=amount,
                    processor=shop.processor_of(row.name),
                    paid_at=row.paid_at,
                )
            )
    return (*kept, *taken)


def _same_name(payment: Payment, row: PosPayment) -> bool:
    name = plain_name(row.name)
    return name == plain_name(payment.name) or (
        payment.processor is not None and name == plain_name(payment.processor)
    )
