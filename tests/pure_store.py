"""One store in memory, driven by the pure rules as the worker drives them, and what it must keep to."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from zlib import crc32

import msgspec

from streams.domain import backlog, inventory, links, orders, products, profiles, queues, waiting
from streams.domain.books import Books, Moment
from streams.domain.outcomes import Outcome
from streams.domain.tables import TABLES
from topics.customers import Customer
from topics.event import Event, Source
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment
from topics.ids import LineId, OrderId, OutletId, ProductId, SaleId, StoreId, sale_id
from topics.inventory import InventoryLevel
from topics.links import Outlet, Processor, StoreLink
from topics.movements import StockMoved
from topics.online_stock import OnlineStock
from topics.orders import Component, Order, OrderItem
from topics.products import Product
from topics.profiles import Profile
from topics.sales import Sale

START = datetime(2026, 2, 25, 9, 0, tzinfo=UTC)
SHOP = StoreId("shop-1")
AnyEvent = TypeVar("AnyEvent", bound=Event)

DECIDE: dict[type, tuple[str, Callable[[Books, Any], Outcome]]] = {
    Order: ("ecom.orders", orders.take),
    InventoryLevel: ("pos.inventory", inventory.count),
    Product: ("pos.products", products.name),
    Profile: ("pos.customers", profiles.learn),
}


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
    """A store that messages are told to, one at a time; `events` are all that came of them."""

    store_id: StoreId = SHOP
    tables: Tables = field(default_factory=Tables)
    events: list[Event] = field(default_factory=list)
    offset: int = 0
    log: list[Any] = field(default_factory=list)
    """All that the store was told, in order."""

    def moment(self, topic: str, message: Any = None) -> Moment:
        self.offset += 1
        at = START + timedelta(seconds=self.offset)
        checksum = crc32(msgspec.json.encode(message))
        return Moment(Source(topic=topic, partition=0, offset=self.offset), at, at, checksum)

    def tell(self, message: Any, *, drain: bool = True) -> Outcome:
        """Decide one message, then work the backlog off unless told not to."""
        self.log.append(message)
        topic, decide = DECIDE[type(message)]
        books = Books(self.store_id, self.tables, self.moment(topic, message))
        outcome = waiting.hold(books, message) if waiting.must_wait(books) else decide(books, message)
        self._carry_out(books)
        if drain:
            self.drain()
        return outcome

    def link(self, link: StoreLink | None, *, drain: bool = True) -> Outcome:
        self.drain()  # what came before the link changes is decided under the link of its time
        self.log.append(link)
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
        self.events += books.changes.events

    def books(self) -> Books:
        now = START + timedelta(seconds=self.offset)
        return Books(self.store_id, self.tables, Moment(Source(topic="", partition=0, offset=-1), now, now))

    def replayed(self) -> "PureStore":
        """Return a new store that was told the same, and worked its backlog off at once each time."""
        again = PureStore(self.store_id)
        for message in self.log:
            if message is None or isinstance(message, StoreLink):
                again.link(message)
            else:
                again.tell(message)
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

    def open_exceptions(self) -> set[tuple[str, str]]:
        """Return (kind, subject) of what is open by the events."""
        last = {(event.kind, event.subject): event.open for event in self.of(ExceptionChanged)}
        return {key for key, is_open in last.items() if is_open}

    def flags(self, order_id: str) -> list[str]:
        return [flag.kind for flag in self.sale(order_id).flags]

    def check(self) -> None:
        """Assert what must hold at all times (DOMAIN 5), from the events and from the tables."""
        check_events(self.events)
        check_tables(self)


def check_events(events: list[Event]) -> None:
    """Assert that ids occur once and revisions have no gaps."""
    ids = [event.event_id for event in events]
    assert len(set(ids)) == len(ids), "an event id occurs twice"
    revisions: dict[object, int] = defaultdict(int)
    for event in events:
        if isinstance(event, Sale):
            keys: list[tuple[object, int]] = [(event.sale_id, event.revision)]
        elif isinstance(event, Fulfillment):
            keys = [(event.fulfillment_id, event.revision)]
        elif isinstance(event, Customer):
            keys = [(("customer", event.customer_id), event.revision)]
        elif isinstance(event, ExceptionChanged):
            keys = [(event.exception_id, event.revision)]
        elif isinstance(event, StockMoved):
            keys = [((m.product_id, m.outlet_id), m.revision) for m in event.movements]
        else:
            continue
        for key, revision in keys:
            revisions[key] += 1
            assert revision == revisions[key], f"{key}: revision {revision} after {revisions[key] - 1}"
    levels: dict[str, tuple[Decimal, str | None]] = {}
    for event in events:
        if isinstance(event, OnlineStock):
            assert event.level == max(event.raw, Decimal(0))
            now = (event.level, event.product_id)
            assert levels.get(event.sku) != now, "told without a change"
            levels[event.sku] = now


def check_tables(store: PureStore) -> None:
    books = store.books()
    sales = [row for _, row in books.scan("sales")]
    latest = {event.sale_id: event for event in store.of(Sale)}
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    backordered: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    queued: dict[str, set[str]] = defaultdict(set)
    for sale in sales:
        told = latest[sale.sale_id]
        assert (sale.revision, sale.lines, sale.state) == (told.revision, told.lines, told.state)
        assert sale.refunded <= sale.amount_paid
        promised: dict[str, Decimal] = defaultdict(Decimal)
        for line in sale.lines:
            for part in line.components or (line,):
                each = part.quantity / line.quantity if line.quantity else Decimal(1)
                is_open = sum((a.quantity for a in part.allocations), part.unallocated)
                if line.tracked:
                    assert line.quantity * each == (line.fulfilled + line.cancelled) * each + is_open, line
                else:
                    assert not is_open
                for allocation in part.allocations:
                    assert allocation.quantity > 0
                    assert 0 <= allocation.backordered <= allocation.quantity
                    held[part.product_id, allocation.outlet_id] += allocation.quantity
                    backordered[part.product_id, allocation.outlet_id] += allocation.backordered
                    promised[allocation.outlet_id] += allocation.quantity
                    if allocation.backordered:
                        queued[queues.short_of(ProductId(part.product_id or ""), allocation.outlet_id)].add(
                            sale.sale_id
                        )
                if part.unallocated and sale.state != "parked" and part.sku:
                    name = (
                        queues.unnamed(part.sku)
                        if part.product_id is None
                        else queues.short_of(part.product_id, sale.pinned_outlet_id)
                    )
                    queued[name].add(sale.sale_id)
        for shown in sale.fulfillments:
            pieces = sum((line.quantity for line in shown.lines), Decimal(0))
            assert pieces == (promised.pop(shown.outlet_id, Decimal(0)) if shown.state != "cancelled" else 0)
        assert not promised, "pieces are promised without a fulfilment"
    check_levels(store, held, backordered)
    check_queues(store, queued)
    flagged = {
        (flag.kind, sale.order_id if flag.line_id is None else f"{sale.order_id}/{flag.line_id}")
        for sale in sales
        for flag in sale.flags
    }
    of_orders = {
        (event.kind, event.subject)
        for event in store.of(ExceptionChanged)
        if event.order_id is not None and event.kind != "waiting_for_link"
    }
    assert {key for key in store.open_exceptions() if key in of_orders} == flagged
    check_emails(store)


def check_levels(
    store: PureStore, held: dict[tuple[str, str], Decimal], backordered: dict[tuple[str, str], Decimal]
) -> None:
    books = store.books()
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0), Decimal(0)])
    for event in store.of(StockMoved):
        for movement in event.movements:
            total = sums[movement.product_id, movement.outlet_id]
            total[0] += movement.on_hand
            total[1] += movement.allocated
            total[2] += movement.awaiting
            assert total == [movement.on_hand_after, movement.allocated_after, movement.awaiting_after]
    levels = {
        (name, outlet): level
        for name, stock in books.scan("stock")
        for outlet, level in stock.outlets.items()
    }
    for key, level in levels.items():
        assert sums[key] == [level.on_hand, level.allocated, level.awaiting], key
        assert level.allocated == held[key], key
        assert level.backordered == backordered[key], key
    assert {key for key, quantity in held.items() if quantity} <= set(levels)
    shop = books.shop()
    if shop is not None:
        for name, stock in books.scan("stock"):
            if stock.listed:
                raw = -shop.safety_total + sum(
                    (
                        level.on_hand - level.allocated - level.awaiting
                        for outlet, level in stock.outlets.items()
                        if outlet in shop.connected
                    ),
                    Decimal(0),
                )
                assert stock.raw == raw, name
                assert stock.online == max(raw, Decimal(0)), name
                assert store.online(stock.sku) == stock.online


def check_queues(store: PureStore, expected: dict[str, set[str]]) -> None:
    books = store.books()
    found: dict[str, set[str]] = {}
    for name, ends in books.scan("queues"):
        members = []
        member: str | None = ends.first
        before: str | None = None
        while member is not None:
            place = queues.place(books, name, member)
            assert place is not None
            assert place.before == before
            members.append(member)
            before, member = member, place.after
        assert before == ends.last
        assert len(members) == ends.length
        if name not in {queues.BACKLOG, queues.PARKED}:
            found[name] = set(members)
    assert found == dict(expected)
    assert sum(1 for _ in books.scan("waiting")) == sum(ends.length for _, ends in books.scan("queues"))


def check_emails(store: PureStore) -> None:
    books = store.books()
    live: dict[str, list[Customer]] = defaultdict(list)
    for _, customer in books.scan("customers"):
        if customer.email and not customer.deleted and not customer.duplicate_of and not customer.replaced_by:
            live[customer.email].append(customer)
    for email, customers in live.items():
        assert len(customers) == 1, f"two customers have {email}"
        entry = books.email(email)
        if customers[0].origin == "pos" or entry is not None:
            assert entry is not None
            assert (entry.used, entry.name) == (customers[0].customer_id, customers[0].name)


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
