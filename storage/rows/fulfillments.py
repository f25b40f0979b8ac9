"""`fulfillments`: a fulfilment and its lines."""

import msgspec

from storage.encoding import indexed
from storage.rows.document import Document, Rows
from storage.rows.entry import Table
from storage.rows.head import HEAD_COLUMNS, Head


class Line(msgspec.Struct, kw_only=True, gc=False):
    line_id: str
    sku: str
    product_id: str | None
    quantity: str
    backordered: str = "0"
    picked: str = "0"
    packed: str = "0"
    fulfilled: str = "0"


class Fulfillment(Head, kw_only=True, gc=False):
    """The part of topics.fulfillments.Fulfillment that has columns."""

    fulfillment_id: str
    sale_id: str
    order_id: str
    outlet_id: str
    type: str
    state: str
    revision: int
    lines: tuple[Line, ...]


FULFILLMENTS = Table(
    "fulfillments",
    (
        "fulfillment_id", "sale_id", "store_id", "order_id", "outlet_id", "type", "state", "revision",
        *HEAD_COLUMNS,
    ),
)  # fmt: skip
LINES = Table(
    "fulfillment_lines",
    (
        "fulfillment_id", "position", "line_id", "sku", "product_id",
        "quantity", "backordered", "picked", "packed", "fulfilled",
    ),
)  # fmt: skip


def _fill(event: Fulfillment, _value: bytes, fulfillments: Rows, lines: Rows) -> None:
    fulfillment_id = event.fulfillment_id
    fulfillments.append(
        (
            fulfillment_id, event.sale_id, event.store_id, event.order_id, event.outlet_id,
            event.type, event.state, event.revision,
            event.event_time, event.received_at, event.processed_at,
        )
    )  # fmt: skip
    for position, line in enumerate(event.lines):
        lines.append(
            (
                fulfillment_id, position, line.line_id, indexed(line.sku), line.product_id,
                line.quantity, line.backordered, line.picked, line.packed, line.fulfilled,
            )
        )  # fmt: skip


FULFILLMENT = Document(
    "fulfillments",
    decode=msgspec.json.Decoder(Fulfillment).decode,
    key=lambda event: (event.fulfillment_id,),
    revision=lambda event: event.revision,
    tables=(FULFILLMENTS, LINES),
    fill=_fill,
)
