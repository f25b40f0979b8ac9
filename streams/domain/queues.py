"""Waiting lines within a store: first come, first served; joining, leaving and looking take one step each."""

from collections.abc import Iterator

import msgspec

from streams.domain import tables
from streams.domain.books import Books
from streams.domain.state import Held, Queue, Waiting
from topics.ids import OutletId, ProductId

BACKLOG = "backlog"
"""What the store still has to do, before anything new: held messages and unfinished stock arrivals."""
PARKED = "parked"
"""Orders with an unknown status, by order id."""
EARLY = "early"
"""What the point of sale told before its order or its acknowledgement came."""


def short_of(product_id: ProductId, outlet_id: OutletId | None = None) -> str:
    """Return the line of sales that lack pieces of a product: at one outlet, or at whichever has some."""
    return f"short\0{product_id}" if outlet_id is None else f"short\0{product_id}\0{outlet_id}"


def unnamed(sku: str) -> str:
    """Return the line of sales with a SKU that no product, or more than one, has."""
    return f"sku\0{sku}"


def first(books: Books, queue: str) -> str | None:
    """Return who is next; None when nobody waits."""
    ends: Queue | None = books.get(tables.QUEUES, queue)
    return None if ends is None else ends.first


def place(books: Books, queue: str, member: str) -> Waiting | None:
    waiting: Waiting | None = books.get(tables.WAITING, f"{queue}\0{member}")
    return waiting


def join(
    books: Books, queue: str, member: str | None = None, held: Held | None = None, *, front: bool = False
) -> None:
    """Join at the end, or in front; without a name, under a number. Who waits already stays in place."""
    ends: Queue | None = books.get(tables.QUEUES, queue)
    if member is None:
        member = str(0 if ends is None else ends.serial)
    elif place(books, queue, member) is not None:
        return
    since = books.moment.received_at
    if ends is None:
        _put(books, queue, member, Waiting(None, None, since, held))
        books.put(tables.QUEUES, queue, Queue(member, member))
    elif front:
        _put(books, queue, member, Waiting(None, ends.first, since, held))
        _relink(books, queue, ends.first, before=member)
        books.put(tables.QUEUES, queue, Queue(member, ends.last, ends.length + 1, ends.serial + 1))
    else:
        _put(books, queue, member, Waiting(ends.last, None, since, held))
        _relink(books, queue, ends.last, after=member)
        books.put(tables.QUEUES, queue, Queue(ends.first, member, ends.length + 1, ends.serial + 1))


def leave(books: Books, queue: str, member: str) -> None:
    """Leave, from anywhere in the line; nothing happens when not in it."""
    waiting = place(books, queue, member)
    if waiting is None:
        return
    _put(books, queue, member, None)
    ends: Queue = books.get(tables.QUEUES, queue)
    if waiting.before is not None:
        _relink(books, queue, waiting.before, after=waiting.after)
    if waiting.after is not None:
        _relink(books, queue, waiting.after, before=waiting.before)
    head = waiting.after if waiting.before is None else ends.first
    tail = waiting.before if waiting.after is None else ends.last
    books.put(
        tables.QUEUES,
        queue,
        None if head is None or tail is None else Queue(head, tail, ends.length - 1, ends.serial),
    )


def names(books: Books, prefix: str) -> Iterator[str]:
    """Yield the lines in which somebody waits and whose name begins so, sorted."""
    for name, _ in books.scan(tables.QUEUES, prefix):
        yield name


def _put(books: Books, queue: str, member: str, waiting: Waiting | None) -> None:
    books.put(tables.WAITING, f"{queue}\0{member}", waiting)


_UNSET = ""


def _relink(
    books: Books, queue: str, member: str, before: str | None = _UNSET, after: str | None = _UNSET
) -> None:
    waiting = place(books, queue, member)
    if waiting is None:
        raise LookupError(f"the queue {queue!r} of store {books.store_id} is broken: {member!r} is not in it")
    if before != _UNSET:
        waiting = msgspec.structs.replace(waiting, before=before)
    if after != _UNSET:
        waiting = msgspec.structs.replace(waiting, after=after)
    _put(books, queue, member, waiting)
