"""`ecom.orders`: from E-Series' order, in any spelling it has had, to an `Order` (DOMAIN 2).

This is the hottest path: one typed decode of the fields that are used, then one pass over them.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from topics import moments
from topics.decoders import lenient, record, wire
from topics.decoders.order_wire import (
    WireComponent,
    WireEnvelope,
    WireItem,
    WireOrder,
    WirePerson,
    WireRedemption,
    WireShipping,
    WireSurcharge,
    WireTaxed,
    WireTender,
)
from topics.errors import WEBHOOK_BODY, ContractError, shown
from topics.fulfillments import FulfillmentType
from topics.ids import LineId, OrderId
from topics.numbers import ZERO, exact
from topics.orders import Component, Order, OrderItem
from topics.statuses import ABANDONED, FULFILLMENT_STATUSES, PAYMENT_STATUSES

ORDER = record.Shape(WireOrder)
_TAXED = record.Shape(WireTaxed)
_decode_envelope = msgspec.json.Decoder(WireEnvelope).decode

_DISPATCH: FulfillmentType = "DISPATCH"
_PICKUP: FulfillmentType = "PICKUP"
_TYPES: dict[str, FulfillmentType] = {"PICKUP": _PICKUP, "SHIPPING": _DISPATCH, "DELIVERY": _DISPATCH}


_Shipping = tuple[Decimal, FulfillmentType | None, str | None, str | None]
_NOT_SHIPPED: _Shipping = (ZERO, None, None, None)
_EMPTY = WireShipping()

# Most orders have one of these: a look-up costs less than making the text upper case again.
_STATUSES = {status: status for status in (*PAYMENT_STATUSES, *FULFILLMENT_STATUSES, ABANDONED)}


class _Envelope(Exception):  # noqa: N818 - not an error: it is what the record turned out to be
    """The record holds several orders."""


def decode_orders(value: bytes | None, record_time: datetime) -> Sequence[Order | ContractError]:
    """Return the record's order, or each part of a search envelope: an order, or why it was refused.

    `record_time` is the record's Kafka timestamp (UTC), the version of a snapshot that has no time of its
    own. Raises ContractError when the record as a whole, or its only order, cannot be read.
    """
    text = wire.body(value)
    try:
        order = _quick(text, record_time)
        return (order if order is not None else _thorough(wire.parse(text), record_time),)
    except _Envelope:
        return _parts(text, record_time)


def _quick(text: bytes, record_time: datetime) -> Order | None:
    # record.quick, written out: this runs for every order.
    if b"\\" in text and wire.needs_mending(text):
        return None
    try:
        return _build(ORDER.decode(text), (), record_time, text)
    except (msgspec.DecodeError, ContractError, RecursionError):
        return None


def _thorough(tree: Any, record_time: datetime) -> Order:
    try:
        if _is_envelope(tree):
            raise _Envelope
        return record.thorough(
            tree,
            "",
            ORDER,
            lambda raw, mended: _build(raw, mended, record_time, tree),
        )
    except ContractError as error:
        error.order_id = _named(tree)
        raise


def _is_envelope(tree: Any) -> bool:
    if not isinstance(tree, dict) or not isinstance(tree.get("items"), list):
        return False
    return any(tree.get(name) is not None for name in ("count", "offset", "limit")) and not _named(tree)


def _named(tree: Any) -> str | None:
    """Return the order's id for a refusal, whatever else is wrong with it."""
    if not isinstance(tree, dict):
        return None
    for spelling in ("id", "vendorOrderNumber", "orderNumber"):
        found = tree.get(spelling)
        if isinstance(found, str | int) and not isinstance(found, bool) and found != 0:
            text = lenient.mend(str(found), spelling, []).strip()
            if text:
                return text[: record.MAX_ID]
    return None


def _parts(text: bytes, record_time: datetime) -> Sequence[Order | ContractError]:
    """Decide each order of the envelope alone: a bad one harms none of its neighbours."""
    parts: list[Order | ContractError] = []
    try:
        raws: Sequence[Any] = _decode_envelope(text).items
    except msgspec.DecodeError:
        raws = wire.parse(text)["items"]
    for place, raw in enumerate(raws):
        try:
            parts.append(_part(raw, record_time))
        except _Envelope:
            parts.append(ContractError("wrong_type", "an order is due, not another envelope", part=place))
        except ContractError as error:
            error.part = place
            parts.append(error)
    return parts


def _part(raw: Any, record_time: datetime) -> Order:
    if not isinstance(raw, msgspec.Raw):
        return _thorough(raw, record_time)
    text = bytes(raw)
    return _quick(text, record_time) or _thorough(wire.parse(text), record_time)


def _build(raw: WireOrder, mended: tuple[str, ...], record_time: datetime, source: Any) -> Order:
    """Build the order; `source`, its bytes or its JSON, is asked only where the order leaves tax open."""
    order_id = _identity(raw)
    updated = _time(raw.update_timestamp, "updateTimestamp", raw.update_date, "updateDate")
    version = moments.milliseconds(record_time) if updated is None else updated
    updated_at = moments.at(version)
    if raw.create_timestamp and raw.create_timestamp == raw.update_timestamp:
        placed = updated  # most snapshots are the first of their order
    else:
        placed = _time(raw.create_timestamp, "createTimestamp", raw.create_date, "createDate")
    items, total, deleted = raw.items, raw.total, False
    if raw.deleted or raw.deleted_at or raw.deleted_at_snake:
        deleted = any(map(record.is_set, (raw.deleted, raw.deleted_at, raw.deleted_at_snake)))
    if items is None or total is None:
        if not deleted:
            raise record.missing("items" if items is None else "total")
        items, total = items or [], total or 0  # that it is gone is all there is to say
    billing, receiving, option = raw.billing_person, raw.shipping_person, raw.shipping_option
    shipping, kind, location, method = _shipping(option) if option else _NOT_SHIPPED
    prices_include_tax, external = raw.prices_include_tax, raw.external_order_data
    return Order(
        order_id=OrderId(order_id),
        version=version,
        updated_at=updated_at,
        placed_at=updated_at if placed is None or placed == version else moments.at(placed),
        payment_status=_status(raw.payment_status) if raw.payment_status else "",
        fulfillment_status=_status(raw.fulfillment_status) if raw.fulfillment_status else "",
        total=exact(total),
        subtotal=exact(raw.subtotal) if raw.subtotal else ZERO,
        discount=exact(raw.discount) if raw.discount else ZERO,
        coupon_discount=exact(raw.coupon_discount) if raw.coupon_discount else ZERO,
        shipping=shipping,
        handling=exact(raw.handling_fee.value) if raw.handling_fee and raw.handling_fee.value else ZERO,
        surcharges=_surcharges(raw.custom_surcharges) if raw.custom_surcharges else ZERO,
        tax=exact(raw.tax) if raw.tax else ZERO,
        gift_card=exact(raw.gift_card_redemption) if raw.gift_card_redemption else ZERO,
        store_credit=_redeemed(raw.store_credit) if raw.store_credit else ZERO,
        loyalty=_redeemed(raw.loyalty) if raw.loyalty else ZERO,
        refunded=_refunded(raw) if raw.refunded_amount or raw.refunds else ZERO,
        prices_include_tax=_taxed(source) if prices_include_tax is None else prices_include_tax,
        payment_method=record.plain(raw.payment_method) if raw.payment_method else None,
        processor=record.plain(raw.payment_module) if raw.payment_module else None,
        transaction_id=_first(raw.external_transaction_id, raw.ext_transaction_id),
        email=record.identifier(raw.email, "email", record.MAX_EMAIL) if raw.email else None,
        billing_name=_name(billing) if billing else None,
        shipping_name=_name(receiving) if receiving else None,
        items=_items(items),
        fulfillment_type=kind,
        location_id=location,
        shipping_method_id=method,
        external_order_id=_first(raw.external_order_id, external.external_order_id if external else None),
        deleted=deleted,
        repaired=mended,
    )


def _identity(raw: WireOrder) -> str:
    found = record.identifier(raw.id, "id")
    if found is None:
        found = record.identifier(raw.vendor_order_number, "vendorOrderNumber")
    if found is None and raw.order_number != 0:
        found = record.identifier(raw.order_number, "orderNumber")
    if found is not None and (raw.items is not None or raw.event_type is None):
        return found
    if raw.event_type is not None and raw.items is None:
        raise ContractError("webhook_body", WEBHOOK_BODY)
    if raw.items is not None and not (raw.count is None and raw.offset is None and raw.limit is None):
        raise _Envelope
    raise record.missing("id")


def _time(stamp: float | None, stamp_field: str, text: str | None, text_field: str) -> int | None:
    field = stamp_field
    try:
        if (ms := moments.from_stamp(stamp)) is not None:
            return ms
        field = text_field
        return moments.from_text(text)
    except ContractError as error:
        error.field = field
        raise


def _items(raws: list[WireItem | None]) -> tuple[OrderItem, ...]:
    items = tuple([_item(raw, place) for place, raw in enumerate(raws) if raw is not None])
    if len(items) > 1 and len({item.line_id for item in items}) < len(items):
        return _apart(items)
    return items


def _item(raw: WireItem, place: int) -> OrderItem:
    given = raw.id
    short = isinstance(given, int) and given.bit_length() <= 64
    line_id = str(given) if short else record.required(given, f"items[{place}].id")
    if raw.quantity is None:
        raise record.missing(f"items[{place}].quantity")
    quantity = exact(raw.quantity)
    if quantity < ZERO:
        raise _negative(quantity, f"items[{place}].quantity")
    sku = raw.sku
    return OrderItem(
        line_id=LineId(line_id),
        sku="" if sku is None else sku.strip() if isinstance(sku, str) else str(sku),
        name=raw.name.strip() if raw.name else "",
        quantity=quantity,
        price=exact(raw.price) if raw.price else ZERO,
        tracked=not (raw.digital or raw.gift_card or raw.is_gift_card),
        components=_components(raw.composite_components, place) if raw.composite_components else (),
    )


def _components(raws: list[WireComponent | None], item: int) -> tuple[Component, ...]:
    return tuple(
        _component(raw, f"items[{item}].compositeComponents[{place}].quantity")
        for place, raw in enumerate(raws)
        if raw is not None
    )


def _component(raw: WireComponent, field: str) -> Component:
    if raw.quantity is None:
        raise record.missing(field)
    quantity = exact(raw.quantity)
    if quantity < ZERO:
        raise _negative(quantity, field)
    return Component(sku="" if raw.sku is None else str(raw.sku).strip(), quantity=quantity)


def _negative(quantity: Decimal, field: str) -> ContractError:
    return ContractError("bad_number", "a quantity cannot be negative", field=field, value=shown(quantity))


def _apart(items: tuple[OrderItem, ...]) -> tuple[OrderItem, ...]:
    """Give lines that share an id one each."""
    line_ids = record.apart([item.line_id for item in items])
    return tuple(
        item if line_id == item.line_id else msgspec.structs.replace(item, line_id=LineId(line_id))
        for item, line_id in zip(items, line_ids, strict=True)
    )


def _amount(value: int | Decimal | None) -> Decimal | None:
    return None if value is None else exact(value)


def _surcharges(raws: list[WireSurcharge | None]) -> Decimal:
    total = ZERO
    for raw in raws:
        if raw is None:
            continue
        amount, value = _amount(raw.total), _amount(raw.value)
        if amount is not None:
            total += amount
        elif value is not None and (raw.type or "").strip().upper() != "PERCENT":
            total += value
    return total


def _redeemed(tender: WireTender | int | Decimal) -> Decimal:
    """Return what the tender paid; a redemption that was cancelled paid nothing."""
    if isinstance(tender, int | Decimal):
        return exact(tender)
    redemption = tender.redemption
    redeemed, own = _amount(tender.redeemed), _amount(tender.amount)
    if isinstance(redemption, WireRedemption):
        amount = _amount(redemption.amount)
        return ZERO if redemption.cancelled or amount is None else amount
    amounts = (_amount(redemption), redeemed, own)
    return next((amount for amount in amounts if amount is not None), ZERO)


def _refunded(raw: WireOrder) -> Decimal:
    refunds = sum((exact(refund.amount) for refund in raw.refunds or () if refund and refund.amount), ZERO)
    return refunds if raw.refunded_amount is None else exact(raw.refunded_amount)


def _taxed(source: Any) -> bool:
    """Infer whether prices include tax from the lines' taxes, for an order that does not say."""
    raw = _TAXED.decode(source) if isinstance(source, bytes) else _TAXED.fill(source, [])
    return any(
        tax is not None and bool(tax.include_in_price)
        for item in raw.items or ()
        if item is not None
        for tax in item.taxes or ()
    )


def _name(person: WirePerson) -> str | None:
    if name := record.plain(person.name):
        return name
    return record.plain(f"{person.first_name or ''} {person.last_name or ''}")


def _shipping(raw: WireShipping) -> _Shipping:
    location = record.identifier(raw.location_id, "shippingOption.locationId")
    method = record.identifier(raw.shipping_method_id, "shippingOption.shippingMethodId")
    rate = exact(raw.shipping_rate) if raw.shipping_rate else ZERO
    named = raw.fulfillment_type or raw.fulfilment_type
    kind = (_TYPES.get(named) or _TYPES.get(named.strip().upper())) if named else None
    if kind is None:
        kind = _PICKUP if raw.is_pickup else _DISPATCH
        if raw == _EMPTY:  # `{}` is what an absent option looks like in some languages
            return _NOT_SHIPPED
    return rate, kind, location, method


def _status(text: str) -> str:
    return _STATUSES.get(text) or text.strip().upper()


def _first(*values: str | int | None) -> str | None:
    """Return the first that is not empty, as text; it is neither key nor index, so any length will do."""
    for value in values:
        if value is not None and (text := str(value).strip()):
            return text
    return None
