"""`refunds`: money given back through the point of sale."""

import msgspec

from storage.encoding import indexed
from storage.rows.document import Document, Rows
from storage.rows.entry import Table
from storage.rows.head import HEAD_COLUMNS, Head


class Refund(Head, kw_only=True, gc=False):
    """The part of topics.refunds.Refund that has columns."""

    refund_id: str
    revision: int
    state: str
    sale_id: str
    order_id: str
    return_id: str
    method: str
    kind: str
    amount: str
    currency: str
    reversal: str
    processor: str | None = None
    outlet_id: str | None = None


REFUNDS = Table(
    "refunds",
    (
        "refund_id", "sale_id", "store_id", "order_id", "return_id", "outlet_id", "revision", "state",
        "method", "kind", "processor", "reversal", "amount", "currency", *HEAD_COLUMNS,
    ),
)  # fmt: skip


def _fill(event: Refund, _value: bytes, refunds: Rows) -> None:
    refunds.append(
        (
            event.refund_id, event.sale_id, event.store_id, event.order_id, indexed(event.return_id),
            event.outlet_id, event.revision, event.state, event.method, event.kind, event.processor,
            event.reversal, event.amount, event.currency,
            event.event_time, event.received_at, event.processed_at,
        )
    )  # fmt: skip


REFUND = Document(
    "refunds",
    decode=msgspec.json.Decoder(Refund).decode,
    key=lambda event: (event.refund_id,),
    revision=lambda event: event.revision,
    tables=(REFUNDS,),
    fill=_fill,
)
