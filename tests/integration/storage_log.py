"""A log to write the history from, without Kafka: records with offsets, and the batches of a worker."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from topics import ids
from topics.codec import encode
from topics.customers import Customer
from topics.event import Source
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment, FulfillmentLine
from topics.ids import CustomerId, LineId, OrderId, OutletId, PosSaleId, ProductId, StoreId
from topics.movements import Movement, StockMoved
from topics.refunds import Refund
from topics.sales import Allocation, Payment, Sale, SaleCustomer, SaleLine, SaleReturn, SaleReturnLine

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STORE = StoreId("shoes")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Batch:
    topic: str
    records: list[Record]
    begin: int
    next_offset: int


class Log:
    """Topics of one partition number."""

    def __init__(self, partition: int = 0, prefix: str = "") -> None:
        self.partition = partition
        self._prefix = prefix
        self._topics: dict[str, list[Record]] = {}

    def add(self, topic: str, event: Any, key: bytes | None = STORE.encode()) -> int:
        """Append an event, or the bytes of something else; return its offset."""
        records = self._topics.setdefault(self._prefix + topic, [])
        value = event if event is None or isinstance(event, bytes) else encode(event)
        offset = len(records)
        at = int(NOON.timestamp() * 1000)
        records.append(Record(self._prefix + topic, self.partition, offset, at, key, value))
        return offset

    def places(self) -> list[tuple[str, int]]:
        return [(topic, self.partition) for topic in self._topics]

    def after(self, positions: Mapping[tuple[str, int], int | None]) -> list[Batch]:
        """What a worker reads that begins at these positions."""
        batches = []
        for topic, records in self._topics.items():
            begin = positions[topic, self.partition] or 0
            if begin < len(records):
                batches.append(Batch(topic, records[begin:], begin, len(records)))
        return batches


async def write_all(history: Any, log: Log) -> None:
    """Do what a worker does from its assignment until it has caught up."""
    positions = await history.positions(log.places())
    if batches := log.after(positions):
        await history.write(log.partition, batches)


def _times() -> dict[str, Any]:
    return {"event_time": NOON, "received_at": NOON, "processed_at": NOON}


def line(number: int = 1, **changes: Any) -> SaleLine:
    values: dict[str, Any] = {
        "line_id": LineId(str(number)),
        "sku": f"SHOE-{number}",
        "name": f"Shoe {number}",
        "quantity": Decimal(1),
        "price": Decimal("19.90"),
        "product_id": ProductId(f"p-{number}"),
        "allocations": (Allocation(outlet_id=OutletId("auckland"), quantity=Decimal(1)),),
    }
    return SaleLine(**(values | changes))


def sale(
    order: str = "1001", revision: int = 1, lines: Iterable[SaleLine] | None = None, **changes: Any
) -> Sale:
    sale_id = ids.sale_id(STORE, OrderId(order))
    values: dict[str, Any] = {
        "event_id": f"{sale_id}:{revision}",
        "store_id": STORE,
        **_times(),
        "sale_id": sale_id,
        "order_id": OrderId(order),
        "revision": revision,
        "cause": "placed" if revision == 1 else "edited",
        "state": "pending",
        "attributes": ("delivery",),
        "payment_status": "PAID",
        "fulfillment_status": "AWAITING_PROCESSING",
        "paid": True,
        "currency": "NZD",
        "subtotal": Decimal("19.90"),
        "discount": ZERO,
        "shipping": Decimal("5.00"),
        "tax": Decimal("3.25"),
        "rounding": ZERO,
        "total": Decimal("24.90"),
        "amount_paid": Decimal("24.90"),
        "refunded": ZERO,
        "customer": SaleCustomer(customer_id=CustomerId("c-1"), email="ada@example.com", name="Ada Quill"),
        "payments": (
            Payment(
                payment_id="pay-1",
                kind="integrated",
                name="Stripe",
                amount=Decimal("24.90"),
                processor="Stripe",
            ),
        ),
        "lines": tuple(lines if lines is not None else (line(),)),
        "fulfillments": (),
        "flags": (),
        "placed_at": NOON,
        "order_version": 1_772_452_800_000 + revision,
    }
    return Sale(**(values | changes))


def came_back(number: int = 1, quantity: int | None = 1, **changes: Any) -> SaleReturn:
    """A return of so many pieces of line 1; None: of money only."""
    values: dict[str, Any] = {
        "return_id": PosSaleId(f"r-{number}"),
        "state": "returned",
        "outlet_id": OutletId("nelson"),
        "returned_at": NOON,
        "lines": ()
        if quantity is None
        else (
            SaleReturnLine(
                line_id=LineId("1"), sku="SHOE-1", product_id=ProductId("p-1"), quantity=Decimal(quantity)
            ),
        ),
    }
    return SaleReturn(**(values | changes))


def refund(order: str = "1001", revision: int = 1, payment: str = "pay-r", **changes: Any) -> Refund:
    """24.90 that the merchant must give back at Stripe."""
    sale_id = ids.sale_id(STORE, OrderId(order))
    own_id = ids.refund_id(sale_id, PosSaleId("r-1"), payment)
    values: dict[str, Any] = {
        "event_id": f"{own_id}:{revision}",
        "store_id": STORE,
        **_times(),
        "refund_id": own_id,
        "revision": revision,
        "state": "made",
        "sale_id": sale_id,
        "order_id": OrderId(order),
        "return_id": PosSaleId("r-1"),
        "method": "Stripe",
        "kind": "integrated",
        "amount": Decimal("24.90"),
        "currency": "NZD",
        "reversal": "manual",
        "processor": "Stripe",
        "outlet_id": OutletId("nelson"),
    }
    return Refund(**(values | changes))


def fulfillment(
    order: str = "1001", revision: int = 1, outlet: str = "auckland", **changes: Any
) -> Fulfillment:
    sale_id = ids.sale_id(STORE, OrderId(order))
    own_id = ids.fulfillment_id(sale_id, OutletId(outlet), "DISPATCH")
    values: dict[str, Any] = {
        "event_id": f"{own_id}:{revision}",
        "store_id": STORE,
        **_times(),
        "fulfillment_id": own_id,
        "sale_id": sale_id,
        "order_id": OrderId(order),
        "outlet_id": OutletId(outlet),
        "type": "DISPATCH",
        "state": "new",
        "revision": revision,
        "lines": (
            FulfillmentLine(
                line_id=LineId("1"), sku="SHOE-1", product_id=ProductId("p-1"), quantity=Decimal(1)
            ),
        ),
    }
    return Fulfillment(**(values | changes))


def moved(
    revision: int,
    *,
    event_id: str | None = None,
    product: str = "p-1",
    outlet: str = "auckland",
    **changes: Any,
) -> StockMoved:
    """One piece more is allocated, out of 10 on hand."""
    values: dict[str, Any] = {
        "kind": "allocated",
        "product_id": ProductId(product),
        "sku": "SHOE-1",
        "outlet_id": OutletId(outlet),
        "revision": revision,
        "quantity": Decimal(1),
        "allocated": Decimal(1),
        "on_hand_after": Decimal(10),
        "allocated_after": Decimal(revision),
    }
    return StockMoved(
        event_id=event_id or f"{STORE}/{product}/{outlet}:{revision}",
        store_id=STORE,
        **_times(),
        cause="order",
        source=Source(topic="ecom.orders", partition=0, offset=revision),
        movements=(Movement(**(values | changes)),),
        order_id=OrderId("1001"),
    )


def customer(number: int = 1, revision: int = 1, **changes: Any) -> Customer:
    values: dict[str, Any] = {
        "event_id": f"{STORE}/customer/c-{number}:{revision}",
        "store_id": STORE,
        **_times(),
        "customer_id": CustomerId(f"c-{number}"),
        "revision": revision,
        "origin": "ecom",
        "email": f"buyer{number}@example.com",
        "name": "Ada Quill",
    }
    return Customer(**(values | changes))


def attention(subject: str = "1001", revision: int = 1, *, is_open: bool = True) -> ExceptionChanged:
    own_id = ids.exception_id(STORE, "backordered", subject)
    return ExceptionChanged(
        event_id=f"{own_id}:{revision}",
        store_id=STORE,
        **_times(),
        exception_id=own_id,
        kind="backordered",
        subject=subject,
        detail="1 of 1 SHOE-1 is not there",
        open=is_open,
        revision=revision,
        opened_at=NOON,
        closed_at=None if is_open else NOON,
        order_id=OrderId(subject),
    )


TABLES = (
    "sales", "sale_lines", "sale_payments", "sale_returns", "fulfillments", "fulfillment_lines", "refunds",
    "stock_movements", "stock_levels", "customers", "exceptions", "dead_letters",
)  # fmt: skip


async def contents(connection: Any) -> dict[str, list[str]]:
    """All rows as text, but for the clock of the write."""
    return {
        table: sorted(
            row[0]
            for row in await connection.fetch(f"SELECT (to_jsonb(t) - 'recorded_at')::text FROM {table} AS t")
        )
        for table in TABLES
    }


def everything() -> Log:
    log = Log()
    log.add("fulfillments", fulfillment())
    log.add("refunds", refund())
    log.add("sales", sale(lines=[line(1), line(2)], returns=(came_back(),)))
    log.add("stock.movements", moved(1))
    log.add("stock.movements", moved(2))
    log.add("customers", customer())
    log.add("exceptions", attention())
    log.add("dead.letters", _letter())
    return log


def _letter(reason: str = "bad_number") -> bytes:
    return msgspec.json.encode(
        {
            "dead_letter_id": "letter-1",
            "reason": reason,
            "detail": "items[0].quantity: not finite: NaN",
            "source": {"topic": "ecom.orders", "partition": 0, "offset": 7},
            "record_time": NOON,
            "processed_at": NOON,
            "store_id": STORE,
            "head": b'{"id":1}',
            "length": 8,
            "sha256": "00",
        }
    )
