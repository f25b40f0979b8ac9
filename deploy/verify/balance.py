"""Whether the outgoing topics agree with each other: levels, movements, sales, fulfilments, refunds."""

from collections import defaultdict
from decimal import Decimal

import msgspec

from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger, LevelKey, Pieces
from deploy.verify.seen import NONE, SeenPart, SeenSale
from topics.ids import ProductId, SaleId


class Held(msgspec.Struct, gc=False):
    """What all sales together hold at one level, in pieces; `short` of them it never had."""

    quantity: Decimal = NONE
    short: Decimal = NONE


def check(ledger: Ledger, findings: Findings) -> None:
    """Hold every event against the others; the ledger must have been read to the end.

    A sale and the fulfilments, refunds and movements of the same decision are written together: where one
    of them is not as the other has it, the decision is torn.
    """
    findings.add("gaps", "revisions that do not follow the one before", ledger.gaps)
    findings.add("duplicates", "events whose id was there before", ledger.doubled)
    for (store_id, order_id), count in ledger.orders.items():
        findings.add("duplicates", f"{store_id}/{order_id} has {count} sales", count - 1)
    for sale in ledger.sales.values():
        _check_lines(sale, findings)
        _check_money(sale, ledger, findings)
        _check_fulfillments(sale, ledger, findings)
    _check_levels(ledger, findings)
    _check_pieces(ledger, findings)


def held(ledger: Ledger) -> dict[LevelKey, Held]:
    """Return what the sales hold at each level. What the point of sale has taken off itself is not held."""
    sums: defaultdict[LevelKey, Held] = defaultdict(Held)
    for sale in ledger.sales.values():
        for part in sale.parts:
            if part.product_id is None:
                continue
            for allocation in part.allocations:
                here = sums[sale.store_id, part.product_id, allocation.outlet_id]
                untaken = allocation.quantity - allocation.taken
                here.quantity += untaken
                here.short += min(untaken, allocation.backordered)
    return sums


def _check_levels(ledger: Ledger, findings: Findings) -> None:
    holding = held(ledger)
    for key in holding.keys() | ledger.levels.keys():
        level, here = ledger.levels[key], holding.get(key) or Held()
        if level.allocated != here.quantity:
            findings.add(
                "unequal", f"{'/'.join(key)}: {level.allocated} allocated, its sales hold {here.quantity}"
            )
        # What awaits a count is still on hand, and no longer held.
        there = max(NONE, level.on_hand - level.awaiting)
        excess = here.quantity - here.short - there
        if excess > 0:
            findings.add(
                "oversold", f"{'/'.join(key)}: {excess} promised beyond {there} on hand", int(excess) or 1
            )


def _check_pieces(ledger: Ledger, findings: Findings) -> None:
    wanted: defaultdict[tuple[SaleId, ProductId], Pieces] = defaultdict(Pieces)
    backfilled: set[SaleId] = set()
    for sale in ledger.sales.values():
        if "backfilled" in sale.attributes:
            backfilled.add(sale.sale_id)  # recorded as it was: its goods never moved stock here
        for part in sale.parts:
            if part.product_id is not None:
                pieces = wanted[sale.sale_id, part.product_id]
                pieces.open += part.open - part.unallocated
                pieces.fulfilled += part.fulfilled
                pieces.returned += part.returned
    for key in wanted.keys() | ledger.pieces.keys():
        said, due = ledger.pieces.get(key) or Pieces(), wanted.get(key) or Pieces()
        if said != due and key[0] not in backfilled:
            seen = ledger.sales.get(key[0])
            of = f"sale {key[0]}, which is not on its topic" if seen is None else _name(seen)
            findings.add("torn", f"{of}, {key[1]}: {due}; its movements: {said}")


def _check_lines(sale: SeenSale, findings: Findings) -> None:
    for line in sale.lines:
        if line.tracked:
            for part in line.components or (line,):
                if part.quantity != part.fulfilled + part.open + part.cancelled:
                    findings.add("unequal", f"{_name(sale)}: {_told(part)}")
                if part.returned > part.fulfilled:
                    findings.add("unequal", f"{_name(sale)}: more of {part.sku} came back than went out")


def _told(part: SeenPart) -> str:
    return (
        f"{part.quantity} {part.sku} ordered, not {part.fulfilled} fulfilled + {part.open} open"
        f" + {part.cancelled} cancelled"
    )


def _check_money(sale: SeenSale, ledger: Ledger, findings: Findings) -> None:
    given = sum((refund.amount for refund in sale.refunds if not refund.voided), NONE)
    if sale.refunded != max(given, sale.refunded_in_ecom):
        findings.add(
            "unequal",
            f"{_name(sale)}: {sale.refunded} refunded, {given} in the shop, {sale.refunded_in_ecom} online",
        )
    if sale.refunded > sale.amount_paid:
        findings.add("unequal", f"{_name(sale)}: {sale.refunded} of {sale.amount_paid} paid went back")
    for refund in sale.refunds:
        event = ledger.refunds.get(refund.refund_id)
        if event is None:
            findings.add("torn", f"{_name(sale)}: refund {refund.refund_id} has no event")
        elif (event.amount, event.state == "voided") != (refund.amount, refund.voided):
            findings.add("torn", f"{_name(sale)}: refund {refund.refund_id} is not what its event says")


def _check_fulfillments(sale: SeenSale, ledger: Ledger, findings: Findings) -> None:
    for shown in sale.fulfillments:
        event = ledger.fulfillments.get(shown.fulfillment_id)
        if event is None:
            findings.add("torn", f"{_name(sale)}: fulfilment {shown.fulfillment_id} has no event")
        elif (event.revision, event.state) != (shown.revision, shown.state):
            findings.add(
                "torn",
                f"{_name(sale)}: its fulfilment at {shown.outlet_id} is {shown.state}, revision"
                f" {shown.revision}, and {event.state}, revision {event.revision}, on its own topic",
            )


def _name(sale: SeenSale) -> str:
    return f"{sale.store_id}/{sale.order_id}"
