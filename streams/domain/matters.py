"""What was paid, given back and brought back, and what of it a person has to settle (DOMAIN 5, S10, S11)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from streams.domain.lines import Line
from streams.domain.shop import Shop
from topics.sales import SaleFlag, SaleRefund, SaleReturn


def given_back(refunds: Iterable[SaleRefund], shop: Shop) -> Decimal:
    """Return what the point of sale gave back."""
    return sum((refund.amount for refund in refunds if not refund.voided), shop.zero)


def refunded(in_ecom: Decimal, refunds: Iterable[SaleRefund], received: Decimal, shop: Shop) -> Decimal:
    """Return what went back in all, never more than was paid: one record of it is the other's, too."""
    return min(max(in_ecom, given_back(refunds, shop)), max(received, shop.zero))


def flags(
    lines: Iterable[Line],
    shop: Shop,
    *,
    received: Decimal,
    total: Decimal,
    parked_or_void: bool,
    refunded_in_ecom: Decimal,
    payment_status: str,
    returns: Sequence[SaleReturn] = (),
    refunds: Sequence[SaleRefund] = (),
) -> list[SaleFlag]:
    """Return the flags of money and goods that went one way and not the other; most sales have none."""
    found: list[SaleFlag] = []
    currency = shop.link.currency
    given = given_back(refunds, shop)
    owed_back = received - max(refunded_in_ecom, given) - total
    if owed_back > 0 and not parked_or_void:
        found.append(
            SaleFlag(
                kind="overpaid",
                detail=f"{owed_back} {currency} more was paid than the order comes to: refund it",
            )
        )
    unrecorded = payment_status in {"REFUNDED", "PARTIALLY_REFUNDED"} and not given
    if refunded_in_ecom > given or unrecorded:
        found.append(
            SaleFlag(
                kind="refunded_in_ecom",
                detail=f"{refunded_in_ecom - given} {currency} refunded in the online store: "
                "record the refund in the point of sale; nothing was restocked",
            )
        )
    if refunds:
        found += _manual(refunds, refunded_in_ecom, currency)
    found += [
        SaleFlag(
            kind="return_needed",
            detail=f"{line.owed:f} of {line.sku!r} went out and must come back as a return",
            line_id=line.line_id,
        )
        for line in lines
        if line.recalled and line.owed
    ]
    if returns:
        found += _refused(returns, currency)
    return found


def _manual(refunds: Sequence[SaleRefund], refunded_in_ecom: Decimal, currency: str) -> list[SaleFlag]:
    manual = [refund for refund in refunds if refund.reversal == "manual" and not refund.voided]
    owed = sum((refund.amount for refund in manual), Decimal(0)) - refunded_in_ecom
    if owed <= 0:
        return []
    where = ", ".join(sorted({refund.processor or refund.method for refund in manual}))
    return [
        SaleFlag(
            kind="manual_refund",
            detail=f"{owed} {currency} is not given back by the point of sale: refund it at {where}",
        )
    ]


def _refused(returns: Sequence[SaleReturn], currency: str) -> list[SaleFlag]:
    found = []
    refused = [one for one in returns if one.state == "refused"]
    if refused:
        text = "; ".join(f"return {one.return_id}: {one.detail}" for one in refused)
        found.append(SaleFlag(kind="over_returned", detail=text))
    beyond = [one for one in returns if one.state == "returned" and one.excess]
    if beyond:
        text = "; ".join(
            f"return {one.return_id}: {one.excess} {currency} more than was paid" for one in beyond
        )
        found.append(SaleFlag(kind="over_refunded", detail=text))
    return found
