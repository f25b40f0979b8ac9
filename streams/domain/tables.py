"""The tables: their names, what is in them, and how a key is made.

A key is the store id, NUL, and what names the row within the store; NUL is taken out of all text on entry,
so no id holds it. The `links` table has the store id alone.
"""

from typing import Final

import msgspec

from streams.domain.state import (
    Corrected,
    Early,
    EmailEntry,
    ExceptionEntry,
    PosEntry,
    Queue,
    SkuIndex,
    Stock,
    Stray,
    Waiting,
)
from topics.customers import Customer
from topics.links import StoreLink
from topics.sales import Sale

LINKS: Final = "links"
SALES: Final = "sales"
STOCK: Final = "stock"
SKUS: Final = "skus"
CUSTOMERS: Final = "customers"
EMAILS: Final = "emails"
QUEUES: Final = "queues"
WAITING: Final = "waiting"
EXCEPTIONS: Final = "exceptions"
POS_SALES: Final = "pos_sales"
EARLY: Final = "early"
STRAYS: Final = "strays"
CORRECTIONS: Final = "corrections"

TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    LINKS: StoreLink,
    SALES: Sale,
    STOCK: Stock,
    SKUS: SkuIndex,
    CUSTOMERS: Customer,
    EMAILS: EmailEntry,
    QUEUES: Queue,
    WAITING: Waiting,
    EXCEPTIONS: ExceptionEntry,
    POS_SALES: PosEntry,
    EARLY: Early,
    STRAYS: Stray,
    CORRECTIONS: Corrected,
}
"""Every table of the stock worker and the type of its values."""

SEPARATOR: Final = "\0"


def link_key(store_id: str) -> bytes:
    return store_id.encode()


def store_of(key: bytes) -> str:
    """Return the store that a key of any table belongs to."""
    return key.partition(b"\0")[0].decode()
