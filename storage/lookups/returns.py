"""What came back of a sale and what was given back for it, as the sale shows it."""

from datetime import datetime
from decimal import Decimal

from storage.lookups.answer import Answer, money, quantity
from topics.sales import SaleRefund, SaleReturn


class ReturnLineShown(Answer, frozen=True, kw_only=True):
    """Pieces of a line that came back; `unfulfilled` of them had not gone out yet."""

    line_id: str
    sku: str
    product_id: str | None
    quantity: Decimal
    unfulfilled: Decimal


class ReturnShown(Answer, frozen=True, kw_only=True):
    """A return of the point of sale; without lines only money went back.

    `excess` is what was given back beyond what was paid, and does not count.
    """

    return_id: str
    state: str
    outlet_id: str | None
    returned_at: datetime
    lines: list[ReturnLineShown]
    excess: str
    detail: str | None


class RefundShown(Answer, frozen=True, kw_only=True):
    """One tender of a return; a voided one does not count."""

    refund_id: str
    return_id: str
    state: str
    method: str
    kind: str
    amount: str
    reversal: str
    processor: str | None


def shown_return(back: SaleReturn) -> ReturnShown:
    return ReturnShown(
        return_id=back.return_id,
        state=back.state,
        outlet_id=back.outlet_id,
        returned_at=back.returned_at,
        lines=[
            ReturnLineShown(
                line_id=line.line_id,
                sku=line.sku,
                product_id=line.product_id,
                quantity=quantity(line.quantity),
                unfulfilled=quantity(line.unfulfilled),
            )
            for line in back.lines
        ],
        excess=money(back.excess),
        detail=back.detail,
    )


def shown_refund(refund: SaleRefund) -> RefundShown:
    return RefundShown(
        refund_id=refund.refund_id,
        return_id=refund.return_id,
        state="voided" if refund.voided else "made",
        method=refund.method,
        kind=refund.kind,
        amount=money(refund.amount),
        reversal=refund.reversal,
        processor=refund.processor,
    )
