"""`exceptions`: what needs a person, and what no longer does."""

import msgspec

from storage.rows.document import Document, Rows
from storage.rows.entry import Table
from storage.rows.head import HEAD_COLUMNS, Head


class ExceptionChanged(Head, kw_only=True, gc=False):
    """The part of topics.exceptions.ExceptionChanged that has columns."""

    exception_id: str
    kind: str
    subject: str
    detail: str
    open: bool
    revision: int
    opened_at: str
    closed_at: str | None = None
    order_id: str | None = None
    sale_id: str | None = None


EXCEPTIONS = Table(
    "exceptions",
    (
        "exception_id", "store_id", "kind", "subject", "detail", "open", "revision",
        "opened_at", "closed_at", "order_id", "sale_id", *HEAD_COLUMNS,
    ),
)  # fmt: skip


def _fill(event: ExceptionChanged, _value: bytes, exceptions: Rows) -> None:
    exceptions.append(
        (
            event.exception_id, event.store_id, event.kind, event.subject, event.detail, event.open,
            event.revision, event.opened_at, event.closed_at, event.order_id, event.sale_id,
            event.event_time, event.received_at, event.processed_at,
        )
    )  # fmt: skip


EXCEPTION = Document(
    "exceptions",
    decode=msgspec.json.Decoder(ExceptionChanged).decode,
    key=lambda event: (event.exception_id,),
    revision=lambda event: event.revision,
    tables=(EXCEPTIONS,),
    fill=_fill,
)
