"""`customers`: a customer of a store."""

import msgspec

from storage.encoding import indexed
from storage.rows.document import Document, Rows
from storage.rows.entry import Table
from storage.rows.head import HEAD_COLUMNS, Head


class Customer(Head, kw_only=True, gc=False):
    """The part of topics.customers.Customer that has columns."""

    customer_id: str
    revision: int
    origin: str
    email: str | None
    name: str
    first_name: str | None = None
    last_name: str | None = None
    created_at: str | None = None
    deleted: bool = False
    version: int = 0
    replaced_by: str | None = None
    duplicate_of: str | None = None


CUSTOMERS = Table(
    "customers",
    (
        "store_id", "customer_id", "revision", "origin", "email", "name", "first_name", "last_name",
        "created_at", "deleted", "version", "replaced_by", "duplicate_of", *HEAD_COLUMNS,
    ),
)  # fmt: skip


def _fill(event: Customer, _value: bytes, customers: Rows) -> None:
    customers.append(
        (
            event.store_id, event.customer_id, event.revision, event.origin,
            event.email and indexed(event.email), event.name, event.first_name, event.last_name,
            event.created_at, event.deleted, event.version, event.replaced_by, event.duplicate_of,
            event.event_time, event.received_at, event.processed_at,
        )
    )  # fmt: skip


CUSTOMER = Document(
    "customers",
    decode=msgspec.json.Decoder(Customer).decode,
    key=lambda event: (event.store_id, event.customer_id),
    revision=lambda event: event.revision,
    tables=(CUSTOMERS,),
    fill=_fill,
)
