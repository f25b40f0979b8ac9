"""Money that goes back for a return (DOMAIN S10, S11)."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from streams.domain import matters
from streams.domain.books import Books
from streams.domain.life import Life
from streams.domain.shop import Shop, plain_name
from topics.ids import PosSaleId, refund_id
from topics.numbers import ZERO
from topics.pos_sales import PosSale
from topics.refunds import Refund
from topics.sales import Payment, PaymentKind, Reversal, SaleRefund

EXCHANGE = "exchange"


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One tender that goes back, as the point of sale says."""

    payment_id: str
    method: str
    amount: Decimal
    rounding: bool


def wanted(told: PosSale, shop: Shop) -> list[Wanted]:
    """Return the tenders that go back to the customer for the return; a rounding may be negative.

    In an exchange what the negative lines come to goes back: by the tenders that were paid out, and for the
    rest as goods. What was paid in belongs to the shop's own sale.
    """
    rows = [
        Wanted(payment.payment_id, payment.name, -shop.money(payment.amount), payment.rounding)
        for payment in told.payments
        if payment.amount
    ]
    if not any(line.quantity > 0 for line in told.lines):
        return rows
    left = shop.money(-sum((line.amount for line in told.lines if line.quantity < 0), ZERO))
    paid_out = []
    for row in rows:
        amount = min(row.amount, left)
        if amount > 0:
            left -= amount
            paid_out.append(msgspec.structs.replace(row, amount=amount))
    if left > 0:
        paid_out.append(Wanted(EXCHANGE, EXCHANGE, left, False))
    return paid_out


def give_back(life: Life, told: PosSale) -> Decimal:
    """Put the return's refunds into the sale, as far as they were paid, and return what is beyond that.

    What was paid by a tender is the limit of its own refund, what was paid in all that of all (DOMAIN 2).
    """
    shop = life.shop
    before = {one.refund_id: one for one in life.refunds if one.return_id == told.pos_sale_id}
    others = [one for one in life.refunds if one.return_id != told.pos_sale_id]
    made: list[SaleRefund] = []
    excess = shop.zero
    # Roundings first: a negative one makes room for the tender that it belongs to.
    for row in sorted(wanted(told, shop), key=lambda row: not row.rounding):
        given = [*others, *made]
        room = life.received - matters.given_back(given, shop)
        tender = _paid_by(life.payments, row.method)
        if tender is not None and not row.rounding:
            room = min(room, tender - _given_by(given, row.method))
        amount = row.amount if row.rounding else min(row.amount, max(room, shop.zero))
        excess += row.amount - amount
        if amount:
            made.append(_refund(life, told.pos_sale_id, row, amount))
    kept = {one.refund_id for one in made}
    gone = [
        one if one.voided else msgspec.structs.replace(one, voided=True, revision=one.revision + 1)
        for one in before.values()
        if one.refund_id not in kept
    ]
    life.refunds = [*others, *[_next(before.get(one.refund_id), one) for one in made], *gone]
    return excess


def take_back(life: Life, return_id: PosSaleId) -> None:
    """Void the refunds of a return that was itself taken back."""
    life.refunds = [
        msgspec.structs.replace(one, voided=True, revision=one.revision + 1)
        if one.return_id == return_id and not one.voided
        else one
        for one in life.refunds
    ]


def tell(books: Books, life: Life, told: PosSale) -> None:
    """Emit the refunds that are new or other than before."""
    before = {one.refund_id: one for one in life.before.refunds}
    for one in life.refunds:
        known = before.get(one.refund_id)
        if known is not None and known.revision == one.revision:
            continue
        books.emit(
            Refund(
                event_id=f"{one.refund_id}:{one.revision}",
                store_id=books.store_id,
                event_time=books.event_time,
                received_at=books.moment.received_at,
                processed_at=books.moment.processed_at,
                refund_id=one.refund_id,
                revision=one.revision,
                state="voided" if one.voided else "made",
                sale_id=life.before.sale_id,
                order_id=life.before.order_id,
                return_id=one.return_id,
                method=one.method,
                kind=one.kind,
                amount=one.amount,
                currency=life.before.currency,
                reversal=one.reversal,
                processor=one.processor,
                outlet_id=told.outlet_id,
            )
        )


def _refund(life: Life, return_id: PosSaleId, row: Wanted, amount: Decimal) -> SaleRefund:
    name = plain_name(row.method)
    paid = next((p for p in life.payments if name in _names(p) and p.kind != "rounding"), None)
    processor = (paid.processor if paid is not None else None) or life.shop.processor_of(row.method)
    kind: PaymentKind = "pos"
    if row.rounding:
        kind, processor = "rounding", None
    elif row.method == EXCHANGE:
        kind, processor = "exchange", None
    elif paid is not None:
        kind = paid.kind
    reversal: Reversal = "processed" if processor is None or life.shop.reverses(processor) else "manual"
    return SaleRefund(
        refund_id=refund_id(life.before.sale_id, return_id, row.payment_id),
        return_id=return_id,
        method=row.method,
        kind=kind,
        amount=amount,
        reversal=reversal,
        processor=processor,
    )


def _next(before: SaleRefund | None, now: SaleRefund) -> SaleRefund:
    if before is None:
        return now
    same = msgspec.structs.replace(now, revision=before.revision)
    return before if same == before else msgspec.structs.replace(now, revision=before.revision + 1)


def _names(payment: Payment) -> set[str]:
    names = {plain_name(payment.name)}
    if payment.processor is not None:
        names.add(plain_name(payment.processor))
    return names


def _paid_by(payments: Iterable[Payment], method: str) -> Decimal | None:
    """Return what was paid by a tender of that name; None when nothing was."""
    name = plain_name(method)
    amounts = [payment.amount for payment in payments if name in _names(payment)]
    return sum(amounts, ZERO) if amounts else None


def _given_by(refunds: Iterable[SaleRefund], method: str) -> Decimal:
    name = plain_name(method)
    return sum((one.amount for one in refunds if not one.voided and plain_name(one.method) == name), ZERO)
