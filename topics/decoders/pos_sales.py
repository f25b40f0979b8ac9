"""`pos.sales`: from the point of sale's own sale, in any generation's spelling, to a `PosSale` (DOMAIN 2)."""

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Final

from topics.decoders import record
from topics.decoders.pos_sale_wire import (
    WireLine,
    WirePayment,
    WirePaymentType,
    WireSale,
    WireSource,
    WireTaxOf,
)
from topics.errors import ContractError
from topics.ids import OutletId, PosSaleId, ProductId
from topics.numbers import DECIMALS, ZERO, exact
from topics.pos_sales import PosPayment, PosSale, PosSaleLine, PosSaleState

SALE = record.Shape(WireSale)

ROUNDING_TYPE: Final = "122"
"""The payment type under which the point of sale books what cash was rounded by."""
_ROUNDING = "rounding"

STATES: Final[dict[str, PosSaleState]] = {
    "PARKED": "parked",
    "PENDING": "pending",
    "CLOSED": "closed",
    "VOIDED": "voided",
    "SAVED": "parked",
    "OPEN": "pending",
    "LAYBY": "pending",
    "ONACCOUNT": "pending",
    "AWAITING_PICKUP": "pending",
    "AWAITING_DISPATCH": "pending",
    "SERVICE": "pending",
    "LAYBY_CLOSED": "closed",
    "ONACCOUNT_CLOSED": "closed",
    "PICKED_UP_CLOSED": "closed",
    "DISPATCHED_CLOSED": "closed",
    "SERVICE_CLOSED": "closed",
}
"""The states of the dated API, and the statuses before them."""
_HANDED_OVER = frozenset({"PICKED_UP_CLOSED", "DISPATCHED_CLOSED"})
_TO_HAND_OVER = frozenset({"pickup", "delivery"})
_FINEST = Decimal(1).scaleb(-DECIMALS)
_WIDE = Context(prec=52)  # twice what a number may have: nothing is lost before it is rounded


def decode_pos_sale(value: bytes | None) -> PosSale:
    """Return the record's sale; ContractError when it has no id or state, or a word that is not known."""
    return record.read(value, SALE, _build)


def _build(raw: WireSale, mended: tuple[str, ...]) -> PosSale:
    state, handed_over = _state(raw)
    source = raw.source if isinstance(raw.source, WireSource) else None
    source_id = record.identifier(raw.source_id, "source_id")
    if source_id is None and source is not None:
        source_id = record.identifier(source.id, "source.id")
    outlet_id = record.identifier(raw.outlet_id, "outlet_id")
    if outlet_id is None and source is not None:
        outlet_id = record.identifier(source.outlet_id, "source.outlet_id")
    return_for = record.identifier(raw.return_for, "return_for")
    if return_for is None and raw.returns is not None:
        return_for = record.identifier(raw.returns.original_sale_id, "return.original_sale_id")
    version = record.counted(raw.version)
    if raw.metadata is not None:
        own = record.counted(raw.metadata.version)
        version = own if version is None else version
    lines, payments = raw.line_items, raw.payments
    return PosSale(
        pos_sale_id=PosSaleId(record.required(raw.id, "id")),
        state=state,
        handed_over=handed_over,
        outlet_id=None if outlet_id is None else OutletId(outlet_id),
        source_id=source_id,
        return_for=None if return_for is None else PosSaleId(return_for),
        version=version,
        updated_at=record.moment(raw.updated_at, "updated_at"),
        lines=_lines(raw.register_sale_products or (), "register_sale_products")
        if lines is None
        else _lines(lines, "line_items"),
        payments=_payments(raw.register_sale_payments or (), "register_sale_payments")
        if payments is None
        else _payments(payments, "payments"),
        repaired=mended,
    )


def _state(raw: WireSale) -> tuple[PosSaleState, bool]:
    """Return the state, and whether the goods were handed over."""
    state, status = record.plain(raw.state), record.plain(raw.status)
    if record.is_set(raw.deleted_at):
        return "voided", False
    if state is not None:
        found = record.meaning(state, "state", STATES)
    elif status is not None:
        found = record.meaning(status, "status", STATES)
    else:
        raise record.missing("state")
    if found != "closed":
        return found, False
    if status is not None and status.upper() in _HANDED_OVER:
        return found, True
    attributes = raw.register_sale_attributes if raw.attributes is None else raw.attributes
    return found, any(word.strip().lower() in _TO_HAND_OVER for word in attributes or () if word)


def _lines(raws: Sequence[WireLine | None], field: str) -> tuple[PosSaleLine, ...]:
    present = [(raw, f"{field}[{place}]") for place, raw in enumerate(raws) if raw is not None]
    line_ids = record.apart([record.required(raw.id, f"{path}.id") for raw, path in present])
    return tuple(_line(raw, line_id, path) for (raw, path), line_id in zip(present, line_ids, strict=True))


def _line(raw: WireLine, line_id: str, path: str) -> PosSaleLine:
    if raw.quantity is None:
        raise record.missing(f"{path}.quantity")
    quantity = exact(raw.quantity)
    product_id = record.identifier(raw.product_id, f"{path}.product_id")
    if product_id is None and raw.product is not None:
        product_id = record.identifier(raw.product.id, f"{path}.product.id")
    return PosSaleLine(
        line_id=line_id,
        product_id=None if product_id is None else ProductId(product_id),
        quantity=quantity,
        amount=_amount(raw, quantity, path),
    )


def _amount(raw: WireLine, quantity: Decimal, path: str) -> Decimal:
    """Return what the line comes to, with tax; where a total is not given, from the price of one piece."""
    pricing, tax = raw.pricing, raw.tax if isinstance(raw.tax, WireTaxOf) else None
    one = _first(raw.price, raw.unit_price, pricing.price if pricing else None)
    tax_of_one = _first(
        raw.tax if isinstance(raw.tax, int | Decimal) else None, raw.unit_tax, tax.amount if tax else None
    )
    total = _first(raw.price_total, raw.total_price, pricing.total if pricing else None)
    tax_total = _first(raw.tax_total, raw.total_tax, tax.total if tax else None)
    try:
        if total is None:
            total = _times(one, quantity)
        if tax_total is None:
            tax_total = _times(tax_of_one, quantity)
        amount = exact(total + tax_total)
    except ContractError as error:
        error.field = path
        raise
    # Some send the totals of what came back without a sign. A discount, as a line of its own that is taken
    # back, has a price below zero: its total is rightly above.
    if quantity < ZERO < amount and not (one is not None and one < ZERO):
        return -amount
    return amount


def _times(one: Decimal | None, quantity: Decimal) -> Decimal:
    """Return a price times a quantity, to the decimals that a number may have."""
    return exact(_WIDE.quantize(_WIDE.multiply(one, quantity), _FINEST)) if one else ZERO


def _first(*numbers: int | Decimal | None) -> Decimal | None:
    """Return the first that is given; those after it have limits all the same."""
    found = None
    for number in numbers:
        if number is not None:
            value = exact(number)
            found = value if found is None else found
    return found


def _payments(raws: Sequence[WirePayment | None], field: str) -> tuple[PosPayment, ...]:
    present = [(raw, f"{field}[{place}]") for place, raw in enumerate(raws) if raw is not None]
    payment_ids = record.apart([record.required(raw.id, f"{path}.id") for raw, path in present])
    payments = [
        (_payment(raw, payment_id, path), record.is_set(raw.deleted_at))
        for (raw, path), payment_id in zip(present, payment_ids, strict=True)
    ]
    return tuple(payment for payment, deleted in payments if not deleted)


def _payment(raw: WirePayment, payment_id: str, path: str) -> PosPayment:
    if raw.amount is None:
        raise record.missing(f"{path}.amount")
    kinds = [kind for kind in (raw.retailer_payment_type, raw.type, raw.payment_type) if kind is not None]
    names = (raw.name, *(kind.name for kind in kinds))
    name = next((found for found in map(record.plain, names) if found), None)
    type_ids = _type_ids(raw, kinds, path)
    paid_at = record.moment(raw.payment_date, f"{path}.payment_date")
    return PosPayment(
        payment_id=payment_id,
        name=name or (f"payment type {type_ids[0]}" if type_ids else "payment"),
        amount=exact(raw.amount),
        rounding=ROUNDING_TYPE in type_ids or (name is not None and _ROUNDING in name.lower()),
        paid_at=record.moment(raw.date, f"{path}.date") if paid_at is None else paid_at,
    )


def _type_ids(raw: WirePayment, kinds: list[WirePaymentType], path: str) -> list[str]:
    """Return the general payment types that the tender names; the ids of a shop's own kinds are others."""
    ids = [raw.payment_type_id, *(kind.payment_type_id for kind in kinds)]
    ids += [kind.id for kind in (raw.type, raw.payment_type) if kind is not None]
    found = (record.identifier(one, f"{path}.payment_type_id") for one in ids)
    return [text for text in found if text is not None]
