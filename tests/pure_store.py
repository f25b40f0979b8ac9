"""One store in memory, driven by the pure rules as the worker drives them, and messages to tell it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zlib import crc32

import msgspec

from streams.domain import (
    backlog,
    corrections,
    inventory,
    links,
    orders,
    pos_fulfillments,
    pos_sales,
    products,
    profiles,
    waiting,
)
from streams.domain.books import Books, Moment
from streams.domain.outcomes import Outcome
from streams.domain.tables import TABLES
from tests.pure_checks import check_books
from tests.pure_reader import Reader
from topics.corrections import Correction
from topics.event import Event, Source
from topics.ids import LineId, OrderId, OutletId, ProductId, SaleId, StoreId, sale_id
from topics.inventory import InventoryLevel
from topics.links import Outlet, Processor, StoreLink
from topics.online_stock import OnlineStock
from topics.orders import Component, Order, OrderItem
from topics.pos_fulfillments import PosFulfillment
from topics.pos_sales import PosSale
from topics.products import Product
from topics.profiles import Profile
from topics.sales import Sale, SaleLine

START = datetime(2026, 2, 25, 9, 0, tzinfo=UTC)
SHOP = StoreId("shop-1")
AnyEvent = TypeVar("AnyEvent", bound=Event)

DECIDE: dict[type, tuple[str, Callable[[Books, Any], Outcome]]] = {
    Order: ("ecom.orders", orders.take),
    InventoryLevel: ("pos.inventory", inventory.count),
    Product: ("pos.products", products.name),
    Profile: ("pos.customers", profiles.learn),
    PosSale: ("pos.sales", pos_sales.take),
    PosFulfillment: ("pos.fulfillments", pos_fulfillments.take),
    Correction: ("stock.corrections", corrections.correct),
}


def at(seconds: float = 0, *, days: float = 0) -> datetime:
    """Return the time so long after the store opened."""
    return START + timedelta(days=days, seconds=seconds)


class Tables:
    """Tables of encoded rows, as the worker keeps them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[bytes, bytes]] = {name: {} for name in TABLES}
        self.decoders = {name: msgspec.json.Decoder(kind) for name, kind in TABLES.items()}

    def get(self, table: str, key: bytes) -> Any:
        row = self.rows[table].get(key)
        return None if row is None else self.decoders[table].decode(row)

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        for key, row in list(self.rows[table].items()):
            if key.startswith(prefix):
                yield key, self.decoders[table].decode(row)

    def apply(self, books: Books) -> None:
        for (table, key), row in books.changes.puts.items():
            if row is None:
                self.rows[table].pop(key, None)
            else:
                self.rows[table][key] = msgspec.json.encode(row)


@dataclass
class PureStore:
    """A store that messages are told to, one at a time; `events` are all that came of them.

    A record is a second younger than the one before it, unless it is told with a time of its own.
    """

    store_id: StoreId = SHOP
    tables: Tables = field(default_factory=Tables)
    events: list[Event] = field(default_factory=list)
    reader: Reader = field(default_factory=Reader)
    offset: int = 0
    log: list[tuple[Any, datetime | None]] = field(default_factory=list)
    """All that the store was told, in order, with the times that were given."""

    def moment(self, topic: str, message: Any = None, received_at: datetime | None = None) -> Moment:
        self.offset += 1
        now = received_at or START + timedelta(seconds=self.offset)
        checksum = crc32(msgspec.json.encode(message))
        return Moment(Source(topic=topic, partition=0, offset=self.offset), now, now, checksum)

    def tell(self, message: Any, received_at: datetime | None = None, *, drain: bool = True) -> Outcome:
        """Decide one message, then work the backlog off unless told not to."""
        self.log.append((message, received_at))
        topic, decide = DECIDE[type(message)]
        books = Books(self.store_id, self.tables, self.moment(topic, message, received_at))
        outcome = waiting.hold(books, message) if waiting.must_wait(books) else decide(books, message)
        self._carry_out(books)
        if drain:
            self.drain()
        return outcome

    def link(self, link: StoreLink | None, *, drain: bool = True) -> Outcome:
        self.drain()  # what came before the link changes is decided under the link of its time
        self.log.append((link, None))
        books = Books(self.store_id, self.tables, self.moment("store.links"))
        outcome = links.set_link(books, link)
        self._carry_out(books)
        if drain:
            self.drain()
        return outcome

    def drain(self) -> int:
        """Do all that the store has left to do; return the number of steps."""
        for steps in range(100_000):
            books = self.books()
            if not backlog.unfinished(books):
                return steps
            backlog.step(books)
            self._carry_out(books)
        raise AssertionError("the backlog does not end")

    def _carry_out(self, books: Books) -> None:
        self.tables.apply(books)
        for event in books.changes.events:
            self.events.append(event)
            self.reader.take(event)

    def books(self) -> Books:
        now = START + timedelta(seconds=self.offset)
        return Books(self.store_id, self.tables, Moment(Source(topic="", partition=0, offset=-1), now, now))

    def replayed(self) -> "PureStore":
        """Return a new store that was told the same, and worked its backlog off at once each time."""
        again = PureStore(self.store_id)
        for message, received_at in self.log:
            if message is None or isinstance(message, StoreLink):
                again.link(message)
            else:
                again.tell(message, received_at)
        return again

    def of(self, kind: type[AnyEvent]) -> list[AnyEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def sale(self, order_id: str) -> Sale:
        sale = self.books().sale(sale_id(self.store_id, OrderId(order_id)))
        assert sale is not None, f"no sale of order {order_id}"
        return sale

    def has_sale(self, order_id: str) -> bool:
        return self.books().sale(sale_id(self.store_id, OrderId(order_id))) is not None

    def where(self, order_id: str) -> dict[str, dict[str, int]]:
        """Return which outlet has how many of which SKU of the order."""
        found: dict[str, dict[str, int]] = {}
        for line in self.sale(order_id).lines:
            for part in line.components or (line,):
                for allocation in part.allocations:
                    outlet = found.setdefault(allocation.outlet_id, {})
                    outlet[part.sku] = outlet.get(part.sku, 0) + int(allocation.quantity)
        return found

    def online(self, sku: str) -> Decimal | None:
        """Return the level that the online store was last told."""
        told = [event for event in self.of(OnlineStock) if event.sku == sku]
        return told[-1].level if told else None

    def level(self, product_id: str, outlet_id: str) -> tuple[int, int]:
        """Return (on hand, allocated)."""
        level = self.books().stock(ProductId(product_id)).outlets[OutletId(outlet_id)]
        return int(level.on_hand), int(level.allocated)

    def stand(self, product_id: str, outlet_id: str) -> tuple[int, int, int]:
        """Return (on hand, allocated, awaiting count)."""
        level = self.books().stock(ProductId(product_id)).outlets[OutletId(outlet_id)]
        return int(level.on_hand), int(level.allocated), int(level.awaiting)

    def line(self, order_id: str, place: int = 0) -> SaleLine:
        return self.sale(order_id).lines[place]

    def pieces(self, order_id: str, place: int = 0) -> dict[str, int]:
        """Return how many of a line are open, fulfilled and so on; what is none is left out."""
        line = self.line(order_id, place)
        counts = {
            "open": sum((allocation.quantity for allocation in line.allocations), line.unallocated),
            "fulfilled": line.fulfilled,
            "cancelled": line.cancelled,
            "withdrawn": line.withdrawn,
            "returned": line.returned,
            "recalled": line.recalled,
        }
        return {name: int(count) for name, count in counts.items() if count}

    def open_exceptions(self) -> set[tuple[str, str]]:
        """Return (kind, subject) of what is open by the events."""
        return self.reader.open_exceptions()

    def flags(self, order_id: str) -> list[str]:
        return [flag.kind for flag in self.sale(order_id).flags]

    def check(self) -> None:
        """Assert what must hold at all times (DOMAIN 5)."""
        check_books(self.books(), self.reader)


def outlet(name: str, priority: int = 0, *, connected: bool = True, safety: int = 0) -> Outlet:
    return Outlet(
        id=OutletId(name), name=name, connected=connected, priority=priority, safety_stock=Decimal(safety)
    )


def link(*outlets: Outlet, **changes: Any) -> StoreLink:
    """Return a link in USD, o1 before o2, with two integrated processors, unless told otherwise."""
    settings: dict[str, Any] = {
        "currency": "USD",
        "register": "r1",
        "outlets": outlets or (outlet("o1", 1), outlet("o2", 2)),
        "processors": (Processor(name="Stripe"), Processor(name="Lightspeed Payments", reversal=True)),
    }
    return StoreLink(**(settings | changes))


def item(sku: str, quantity: int | str = 1, line: int | str | None = None, **changes: Any) -> OrderItem:
    settings: dict[str, Any] = {
        "line_id": LineId(str(line or f"line-{sku}")),
        "sku": sku,
        "name": sku.title(),
        "quantity": Decimal(quantity),
        "price": Decimal(10),
    }
    return OrderItem(**(settings | changes))


def order(order_id: str, *items: OrderItem, version: int = 1, **changes: Any) -> Order:
    """Return a snapshot of an order to be dispatched, paid by Stripe, its total the sum of its lines."""
    total = sum((each.price * each.quantity for each in items), Decimal(0))
    settings: dict[str, Any] = {
        "order_id": OrderId(order_id),
        "version": version,
        "updated_at": START + timedelta(minutes=version),
        "placed_at": START,
        "payment_status": "PAID",
        "fulfillment_status": "AWAITING_PROCESSING",
        "subtotal": total,
        "total": total,
        "prices_include_tax": True,
        "payment_method": "Credit or debit card",
        "processor": "Stripe",
        "email": "ada@example.com",
        "billing_name": "Ada Quill",
        "items": items,
        "fulfillment_type": "DISPATCH",
    }
    return Order(**(settings | changes))


def count(
    product: str, outlet_id: str, level: int | str, version: int | None = None, sku: str | None = None
) -> InventoryLevel:
    """Return a count; the product's SKU is its id in capitals unless told otherwise."""
    return InventoryLevel(
        product_id=ProductId(product),
        outlet_id=OutletId(outlet_id),
        level=Decimal(level),
        version=version,
        sku=product.upper() if sku is None else sku,
    )


def product(product_id: str, sku: str, version: int | None = None, *, active: bool = True) -> Product:
    return Product(
        product_id=ProductId(product_id), sku=sku, name=sku.title(), active=active, version=version
    )


def bundle(sku: str, quantity: int, *parts: tuple[str, int]) -> OrderItem:
    components = tuple(Component(sku=part, quantity=Decimal(each)) for part, each in parts)
    return item(sku, quantity, components=components)


def shop(*counts: InventoryLevel, **changes: Any) -> PureStore:
    """Return a store that is linked and has been counted."""
    store = PureStore()
    outlets = changes.pop("outlets", ())
    store.link(link(*outlets, **changes))
    for level in counts:
        store.tell(level)
    return store


def sale_id_of(store: PureStore, order_id: str) -> SaleId:
    return sale_id(store.store_id, OrderId(order_id))
