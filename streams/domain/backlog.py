"""What a store still has to do, done one step at a time: each step is one decision of its own."""

from collections.abc import Iterator
from typing import Any

import msgspec

from streams.domain import (
    arrivals,
    corrections,
    exceptions,
    inventory,
    orders,
    pos_fulfillments,
    pos_sales,
    products,
    profiles,
    queues,
    tables,
)
from streams.domain.books import Books, Reader
from streams.domain.holding import moment_of
from streams.domain.inbox import DECODERS, Inbound
from streams.domain.outcomes import Outcome
from streams.domain.state import Held
from streams.domain.waiting import POS_SUBJECT
from topics.corrections import Correction
from topics.ids import OrderId, StoreId
from topics.inventory import InventoryLevel
from topics.orders import Order
from topics.pos_fulfillments import PosFulfillment
from topics.pos_sales import PosSale
from topics.products import Product


def unfinished(books: Books) -> bool:
    """Say whether there is a step to do now: something is held, and the store has a link."""
    return queues.first(books, queues.BACKLOG) is not None and books.shop() is not None


def stores(reader: Reader) -> Iterator[StoreId]:
    """Yield the stores that have a step to do, sorted: for a worker that has just started."""
    suffix = b"\0" + queues.BACKLOG.encode()
    for store in sorted(
        tables.store_of(key) for key, _ in reader.scan(tables.QUEUES, b"") if key.endswith(suffix)
    ):
        if reader.get(tables.LINKS, tables.link_key(store)) is not None:
            yield StoreId(store)


def step(books: Books) -> Outcome | None:
    """Do the next step: decide one held message as of when it came, or serve one sale that waited.

    Returns the outcome of the message; None for a sale, and when there was nothing to do.
    """
    shop = books.shop()
    member = queues.first(books, queues.BACKLOG)
    if shop is None or member is None:
        return None
    held = _held(books, member)
    books.resume(moment_of(held, books.moment.processed_at))
    if arrivals.is_task(member):
        if not arrivals.serve_task(books, shop, member):
            queues.leave(books, queues.BACKLOG, member)
        return None
    queues.leave(books, queues.BACKLOG, member)
    message: Any = DECODERS[held.topic].decode(held.body)
    _closed(books, message.order_id if isinstance(message, Order) else POS_SUBJECT)
    return decide(books, message)


def decide(books: Books, message: Inbound) -> Outcome:
    """Decide a message of a store that is linked, whatever it is."""
    if isinstance(message, Order):
        return orders.take(books, message)
    if isinstance(message, InventoryLevel):
        return inventory.count(books, message)
    if isinstance(message, Product):
        return products.name(books, message)
    if isinstance(message, PosSale):
        return pos_sales.take(books, message)
    if isinstance(message, PosFulfillment):
        return pos_fulfillments.take(books, message)
    if isinstance(message, Correction):
        return corrections.correct(books, message)
    return profiles.learn(books, message)


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A step that was given up: what was held, and the order that it was, if it was one."""

    held: Held
    order_id: OrderId | None


class _Named(msgspec.Struct, frozen=True, gc=False):
    order_id: OrderId | None = None


def skip(books: Books) -> Skipped | None:
    """Drop the next step, which has failed, and say what it was; None when there is no step.

    Of a sale that was to be served, `held` has the coordinates of the record that brought the stock.

    For the worker, on fresh books, after `step` raised: the record becomes a dead letter, the store goes on.
    """
    member = queues.first(books, queues.BACKLOG)
    if member is None:
        return None
    held = _held(books, member)
    queues.leave(books, queues.BACKLOG, member)
    if arrivals.is_task(member):
        return Skipped(held, None)
    order_id = _NAMED.decode(held.body).order_id
    _closed(books, POS_SUBJECT if order_id is None else order_id)
    return Skipped(held, order_id)


_NAMED = msgspec.json.Decoder(_Named)


def _held(books: Books, member: str) -> Held:
    place = queues.place(books, queues.BACKLOG, member)
    if place is None or place.held is None:
        raise LookupError(f"the backlog of store {books.store_id} is broken: nothing is held as {member!r}")
    return place.held


def _closed(books: Books, subject: str) -> None:
    exceptions.set_open(books, "waiting_for_link", subject, None)
