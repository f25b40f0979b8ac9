"""`pos.fulfillments`: from the point of sale's fulfilment to a `PosFulfillment` (DOMAIN 2)."""

from decimal import Decimal
from typing import Final

import msgspec

from topics.decoders import record
from topics.decoders.lenient import Id, Number, Text, Whole
from topics.errors import ContractError, shown
from topics.fulfillments import FulfillmentType
from topics.ids import OutletId, PosSaleId, ProductId
from topics.numbers import ZERO, exact
from topics.pos_fulfillments import PosFulfillment, PosFulfillmentLine, PosFulfillmentState


class WireFulfillmentLine(msgspec.Struct, gc=False):
    """A line: how many pieces are asked for, and how many of them have come how far."""

    sale_line_item_id: Id = None
    product_id: Id = None
    quantity: Number = None
    picked_quantity: Number = None
    packed_quantity: Number = None
    fulfilled_quantity: Number = None


class WireFulfillment(msgspec.Struct, gc=False):
    """A fulfilment as the dated API sends it: the fields that are used. Others are ignored."""

    id: Id = None
    sale_id: Id = None
    outlet_id: Id = None
    type: Text = None
    state: Text = None
    version: Whole = None
    updated_at: Text = None
    line_items: list[WireFulfillmentLine | None] | None = None


FULFILLMENT = record.Shape(WireFulfillment)

TYPES: Final[dict[str, FulfillmentType]] = {
    "PICKUP": "PICKUP",
    "DISPATCH": "DISPATCH",
    "SERVICE": "PICKUP",  # done at the counter
}
STATES: Final[dict[str, PosFulfillmentState]] = {
    "OPEN": "new",
    "STARTED": "in_progress",
    "PICKED": "in_progress",
    "PACKED": "packed",
    "FULFILLED": "fulfilled",
}


def decode_pos_fulfillment(value: bytes | None) -> PosFulfillment:
    """Return the record's fulfilment; ContractError names the field that is absent or wrong otherwise."""
    return record.read(value, FULFILLMENT, _build)


def _build(raw: WireFulfillment, mended: tuple[str, ...]) -> PosFulfillment:
    state = record.meaning(_word(raw.state, "state"), "state", STATES)
    if raw.line_items is None:
        raise record.missing("line_items")
    return PosFulfillment(
        pos_fulfillment_id=record.required(raw.id, "id"),
        pos_sale_id=PosSaleId(record.required(raw.sale_id, "sale_id")),
        outlet_id=OutletId(record.required(raw.outlet_id, "outlet_id")),
        type=record.meaning(_word(raw.type, "type"), "type", TYPES),
        state=state,
        version=record.counted(raw.version),
        updated_at=record.moment(raw.updated_at, "updated_at"),
        lines=tuple(
            _line(line, f"line_items[{place}]", state)
            for place, line in enumerate(raw.line_items)
            if line is not None
        ),
        repaired=mended,
    )


def _word(text: str | None, field: str) -> str:
    word = record.plain(text)
    if word is None:
        raise record.missing(field)
    return word


def _line(raw: WireFulfillmentLine, path: str, state: PosFulfillmentState) -> PosFulfillmentLine:
    line_id = record.identifier(raw.sale_line_item_id, f"{path}.sale_line_item_id")
    product_id = record.identifier(raw.product_id, f"{path}.product_id")
    if line_id is None and product_id is None:
        raise record.missing(f"{path}.sale_line_item_id")
    quantity = _pieces(raw.quantity, f"{path}.quantity")
    if quantity is None:
        raise record.missing(f"{path}.quantity")
    # Of a fulfilment that is done, what a line does not say is done, too.
    unsaid = quantity if state == "fulfilled" else ZERO
    picked = _pieces(raw.picked_quantity, f"{path}.picked_quantity")
    packed = _pieces(raw.packed_quantity, f"{path}.packed_quantity")
    fulfilled = _pieces(raw.fulfilled_quantity, f"{path}.fulfilled_quantity")
    return PosFulfillmentLine(
        line_id=line_id,
        product_id=None if product_id is None else ProductId(product_id),
        quantity=quantity,
        picked=unsaid if picked is None else picked,
        packed=unsaid if packed is None else packed,
        fulfilled=unsaid if fulfilled is None else fulfilled,
    )


def _pieces(number: int | Decimal | None, field: str) -> Decimal | None:
    if number is None:
        return None
    pieces = exact(number)
    if pieces < ZERO:
        raise ContractError("bad_number", "a quantity cannot be negative", field=field, value=shown(pieces))
    return pieces
