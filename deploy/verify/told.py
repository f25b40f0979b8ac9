"""What a point of sale told about sales and stock: the other half of what was published."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from deploy.verify.findings import Findings
from deploy.verify.ledger import Ledger, LevelKey
from deploy.verify.seen import NONE, SeenSale
from topics.ids import OrderId, SaleId, StoreId


class ToldReturn(msgspec.Struct, frozen=True):
    """A return that was told: how many pieces came back, and what was given back for them."""

    return_id: str
    pieces: Decimal
    amount: Decimal


class ToldSale(msgspec.Struct, gc=False):
    """What was told of one sale so far. `voided`: by the shop or in the online store."""

    store_id: StoreId
    order_id: OrderId
    fulfilled: Decimal = NONE
    taken: Decimal = NONE
    voided: bool = False
    returns: tuple[ToldReturn, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """`counts` is the level that was counted last of each product at each outlet.

    `unfinished` says of which sales something was told that they never showed.
    """

    sales: Mapping[SaleId, ToldSale] = {}
    counts: Mapping[LevelKey, Decimal] = {}
    unfinished: tuple[str, ...] = ()


def counted(told: Told, ledger: Ledger) -> bool:
    """Tell whether every count has come out, and nothing awaits one any more."""
    return all(
        (level := ledger.levels.get(key)) is not None and level.on_hand == count and not level.awaiting
        for key, count in told.counts.items()
    )


def check(told: Told, ledger: Ledger, findings: Findings) -> None:
    """Hold what came out against what was told."""
    for key, count in told.counts.items():
        level = ledger.levels.get(key)
        if level is None or level.on_hand != count:
            found = "no level" if level is None else f"{level.on_hand} on hand"
            findings.add("unequal", f"{'/'.join(key)}: {found}, {count} was counted last")
        elif level.awaiting:
            findings.add("unequal", f"{'/'.join(key)}: {level.awaiting} still await a count that came")
    for text in told.unfinished:
        findings.add("lives_wrong", text)
    for sale_id, due in told.sales.items():
        sale = ledger.sales.get(sale_id)
        if sale is None:
            findings.add("lives_wrong", f"{due.store_id}/{due.order_id}: it has no sale")
            continue
        _check_returns(due, sale, findings)
        for text in _differences(due, sale):
            findings.add("lives_wrong", f"{due.store_id}/{due.order_id}: {text}")


def _check_returns(due: ToldSale, sale: SeenSale, findings: Findings) -> None:
    for told in due.returns:
        found = [seen for seen in sale.returns if seen.return_id == told.return_id]
        where = f"{due.store_id}/{due.order_id}: the return {told.return_id}"
        if not found:
            findings.add("missing", f"{where} is not in the sale")
        else:
            findings.add("duplicates", f"{where} is there {len(found)} times", len(found) - 1)


def _differences(due: ToldSale, sale: SeenSale) -> Iterator[str]:
    if (sale.state == "voided") != due.voided:
        yield f"it is {sale.state}, and was {'' if due.voided else 'not '}voided"
    gone = sum((part.fulfilled for part in sale.parts), NONE)
    if gone != due.fulfilled:
        yield f"{gone} fulfilled, {due.fulfilled} were handed over"
    back = sum((seen.pieces for seen in sale.returns if seen.state == "returned"), NONE)
    if back != (wanted := sum((told.pieces for told in due.returns), NONE)):
        yield f"{back} returned, {wanted} came back"
    given = sum((refund.amount for refund in sale.refunds if not refund.voided), NONE)
    if given != (owed := sum((told.amount for told in due.returns), NONE)):
        yield f"{given} refunded, {owed} was given back"
    if due.taken and sale.amount_paid != due.taken:
        yield f"{sale.amount_paid} paid, {due.taken} was taken"
