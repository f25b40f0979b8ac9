"""The books of one store, as one decision reads and writes them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

import msgspec

from streams.domain import tables
from streams.domain.shop import Shop, shop_of
from streams.domain.state import EmailEntry, SkuIndex, Stock
from topics.customers import Customer
from topics.event import Event, Source
from topics.ids import CustomerId, ProductId, SaleId, StoreId
from topics.links import StoreLink
from topics.sales import Sale

Puts = dict[tuple[str, bytes], msgspec.Struct | None]

UNKNOWN_STOCK = Stock()


class Reader(Protocol):
    """The tables as they stand before the decision."""

    def get(self, table: str, key: bytes) -> Any:
        """Return the row, decoded, or None."""

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        """Yield the rows whose key begins with the prefix, in any order."""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When and where from: the record that is being decided, when it came, and when it is decided. UTC.

    `checksum` is one of the record's value (0: not known): a record that came before is known by it. `part`
    is which of the record's messages, where it has several.
    """

    source: Source
    received_at: datetime
    processed_at: datetime
    checksum: int = 0
    part: int | None = None


class Changes(msgspec.Struct, frozen=True, gc=False):
    """What a decision changes: rows to put (None: to delete) and events to send, in order."""

    puts: Puts
    events: list[Event]


class Books:
    """One decision over one store: reads through to the tables, keeps what it writes to itself.

    Carry out `changes` only when the decision ended without an error: then nothing is ever half done.
    `event_time` is when the matter happened at its source; without anything better, when the record came.
    """

    __slots__ = (
        "_prefix",
        "_puts",
        "_read",
        "_reader",
        "_shop",
        "event_time",
        "events",
        "moment",
        "store_id",
    )

    def __init__(self, store_id: StoreId, reader: Reader, moment: Moment) -> None:
        self.store_id = store_id
        self.moment = moment
        self.event_time = moment.received_at
        self.events: list[Event] = []
        self._reader = reader
        self._read = reader.get
        self._puts: Puts = {}
        self._prefix = store_id.encode() + b"\0"
        self._shop: Shop | None = None

    @property
    def changes(self) -> Changes:
        return Changes(self._puts, self.events)

    def resume(self, moment: Moment) -> None:
        """Go on as of another record: one that was held."""
        self.moment = moment
        self.event_time = moment.received_at

    def get(self, table: str, name: str) -> Any:
        """Return the store's row of that name, as this decision has left it, or None."""
        key = self._prefix + name.encode()
        if self._puts:
            at = (table, key)
            if at in self._puts:
                return self._puts[at]
        return self._read(table, key)

    def put(self, table: str, name: str, row: msgspec.Struct | None) -> None:
        self._puts[table, self._prefix + name.encode()] = row

    def scan(self, table: str, name: str = "") -> list[tuple[str, Any]]:
        """Return the store's rows whose name begins so, sorted: (name, row)."""
        prefix = self._prefix + name.encode()
        rows = dict(self._reader.scan(table, prefix))
        for (where, key), row in self._puts.items():
            if where == table and key.startswith(prefix):
                rows[key] = row
        skip = len(self._prefix)
        return sorted((key[skip:].decode(), row) for key, row in rows.items() if row is not None)

    def link(self) -> StoreLink | None:
        key = self.store_id.encode()
        at = (tables.LINKS, key)
        link: StoreLink | None = self._puts[at] if at in self._puts else self._read(tables.LINKS, key)  # type: ignore[assignment]
        return link

    def put_link(self, link: StoreLink | None) -> None:
        self._puts[tables.LINKS, self.store_id.encode()] = link
        self._shop = None

    def shop(self) -> Shop | None:
        """Return the store's link made ready for use; None when there is no link."""
        if self._shop is None:
            link = self.link()
            if link is None:
                return None
            self._shop = shop_of(self.store_id, link)
        return self._shop

    def linked_shop(self) -> Shop:
        """Return the shop; LookupError when the store has no link, and its messages should be waiting."""
        shop = self.shop()
        if shop is None:
            raise LookupError(f"store {self.store_id} has no link: nothing of it can be decided")
        return shop

    def sale(self, sale_id: SaleId) -> Sale | None:
        sale: Sale | None = self.get(tables.SALES, sale_id)
        return sale

    def stock(self, product_id: ProductId) -> Stock:
        """Return the product's stock; one that nothing is known of has none."""
        stock: Stock | None = self.get(tables.STOCK, product_id)
        return UNKNOWN_STOCK if stock is None else stock

    def products(self, sku: str) -> tuple[ProductId, ...]:
        """Return the active products that have the SKU today."""
        index: SkuIndex | None = self.get(tables.SKUS, sku)
        return () if index is None else index.products

    def customer(self, customer_id: CustomerId) -> Customer | None:
        customer: Customer | None = self.get(tables.CUSTOMERS, customer_id)
        return customer

    def email(self, email: str) -> EmailEntry | None:
        entry: EmailEntry | None = self.get(tables.EMAILS, email)
        return entry

    def emit(self, event: Event) -> None:
        self.events.append(event)
