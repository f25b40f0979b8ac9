"""What the point of sale told, decided again against the sales as they were then.

What the worker remembers of it (which lines of ours theirs are, how much of a fulfilment is counted) is in no
event. So the rules themselves are asked again, each time with the revision of the sale that they saw: the
sale's own events tell which one that was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from streams.domain import handover, pos_fulfillments, pos_sales, queues, tables
from streams.domain.books import Books
from streams.domain.shop import Shop
from streams.domain.state import PosEntry
from streams.rebuild.draft import Draft, at, key_of
from streams.rebuild.inbound import Told
from topics.event import Source
from topics.ids import OrderId, StoreId, sale_id
from topics.pos_fulfillments import PosFulfillment
from topics.pos_sales import PosSale
from topics.sales import Sale, SaleCause

Revision = tuple[Sale | None, Sale]
"""A sale before and after."""

BY_THE_SHOP: frozenset[SaleCause] = frozenset(
    {"acknowledged", "payment_taken", "fulfillment_changed", "returned", "refunded", "voided"}
)
BY_THE_ORDER: frozenset[SaleCause] = frozenset(
    {
        "placed",
        "parked",
        "paid",
        "edited",
        "cancelled",
        "reinstated",
        "deleted",
        "refunded_in_ecom",
        "customer_changed",
    }
)
_KEPT = (tables.POS_SALES, tables.EARLY, tables.QUEUES, tables.WAITING)


class Reports:
    """The rows of `pos_sales` and `early`, and the line of those who wait for their order."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._told: defaultdict[StoreId, list[Told]] = defaultdict(list)
        self.failed = 0
        """Messages that could not be decided again."""
        self.unknown = 0
        """Open sales of whose acknowledgement the topic has nothing any more."""

    def see(self, told: Told) -> None:
        """Take a message that was decided, in the order of its topic."""
        self._told[told.store_id].append(told)

    def told_of(self, store_id: StoreId) -> list[Told]:
        return self._told[store_id]

    def finish(self, revisions: Mapping[StoreId, list[Revision]]) -> None:
        """Decide all again; `revisions` are the stores' sales in the order of the log."""
        for store_id, told in self._told.items():
            self._store(store_id, told, revisions.get(store_id, []))
        for key in list(self._draft.rows[tables.SALES]):
            sale: Sale = self._draft.get(tables.SALES, key)
            if sale.pos_sale_id is None:
                continue
            for name in (sale.pos_sale_id, *(one.return_id for one in sale.returns)):
                row = key_of(sale.store_id, name)
                if self._draft.get(tables.POS_SALES, row) is None:
                    self._draft.put(tables.POS_SALES, row, PosEntry(sale_id=sale.sale_id))
                    self.unknown += sale.state == "pending" and name == sale.pos_sale_id

    def _store(self, store_id: StoreId, told: list[Told], revisions: list[Revision]) -> None:
        then = _Then(self._draft, store_id)
        for before, sale in reversed(revisions):
            then.sales[key_of(store_id, sale.sale_id)] = before
        at_place = _placed(told, revisions)
        for place, (_, sale) in enumerate(revisions):
            matched = False
            for one, makes_it in at_place[place]:
                matched = matched or makes_it
                self._decide(then, one)
            then.sales[key_of(store_id, sale.sale_id)] = sale
            if not matched and sale.cause in BY_THE_ORDER:
                self._catch_up(then, sale, first=revisions[place][0] is None)
        for one, _ in at_place[len(revisions)]:
            self._decide(then, one)

    def _decide(self, then: _Then, told: Told) -> None:
        books = Books(then.store_id, then, told.moment)

        def decide() -> None:
            if isinstance(told.message, PosSale):
                pos_sales.take(books, told.message)
            else:
                pos_fulfillments.take(books, told.message)

        self._carry_out(then, books, decide)

    def _catch_up(self, then: _Then, sale: Sale, *, first: bool) -> None:
        source = Source(topic="ecom.orders", partition=0, offset=-1)
        books = Books(then.store_id, then, at(source, sale.received_at))
        shop = books.shop()
        if shop is None:
            return
        chosen: Callable[[Books, Shop, Any], None] = pos_sales.catch_up if first else handover.catch_up
        self._carry_out(then, books, lambda: chosen(books, shop, sale.sale_id))

    def _carry_out(self, then: _Then, books: Books, decide: Callable[[], None]) -> None:
        try:
            decide()
        except Exception:
            # As of today's link and stock it need not go as it went then; the sale itself is what it was.
            self.failed += 1
            return
        puts = {at: row for at, row in books.changes.puts.items() if then.shows(*at)}
        self._draft.take(puts, _KEPT)


class _Then:
    """The tables as they stood when a message came: today's, but for the sales and who waits for stock."""

    def __init__(self, draft: Draft, store_id: StoreId) -> None:
        self._draft = draft
        self.store_id = store_id
        self.sales: dict[bytes, Sale | None] = {}
        self._early = (
            key_of(store_id, queues.EARLY),
            key_of(store_id, f"{queues.EARLY}\0"),
        )

    def shows(self, table: str, key: bytes) -> bool:
        """Say whether a row is of interest: of the queues only those who came before their order."""
        if table == tables.QUEUES:
            return key == self._early[0]
        if table == tables.WAITING:
            return key.startswith(self._early[1])
        return True

    def get(self, table: str, key: bytes) -> Any:
        if table == tables.SALES and key in self.sales:
            return self.sales[key]
        return self._draft.get(table, key) if self.shows(table, key) else None

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        return ((key, row) for key, row in self._draft.scan(table, prefix) if self.shows(table, key))


def _placed(told: list[Told], revisions: list[Revision]) -> defaultdict[int, list[tuple[Told, bool]]]:
    """Return what to decide before each revision is there, and whether that made the revision.

    What made none is put where its time says, in the order of its topic.
    """
    makers = _makers(told, revisions)
    # A later revision may have an earlier time, where something was held: only ever forward.
    times: list[datetime] = []
    for _, sale in revisions:
        times.append(max(sale.received_at, times[-1]) if times else sale.received_at)
    placed: list[tuple[int, bool, datetime, Told]] = []
    for topic in {one.moment.source.topic for one in told}:
        following = len(revisions)
        for number in range(len(told) - 1, -1, -1):
            one = told[number]
            if one.moment.source.topic != topic:
                continue
            own = makers.get(number)
            if own is not None:
                following = own
            by_time = bisect_right(times, one.moment.received_at)
            place = own if own is not None else min(following, by_time)
            placed.append((place, own is not None, one.moment.received_at, one))
    placed.sort(
        key=lambda one: (one[0], one[1], one[2], one[3].moment.source.topic, one[3].moment.source.offset)
    )
    found: defaultdict[int, list[tuple[Told, bool]]] = defaultdict(list)
    for place, makes_it, _, one in placed:
        found[place].append((one, makes_it))
    return found


def _makers(told: list[Told], revisions: list[Revision]) -> dict[int, int]:
    """Return which message, by its number, made which revision."""
    waiting: defaultdict[tuple[datetime, datetime], list[int]] = defaultdict(list)
    for number, one in enumerate(told):
        received_at = one.moment.received_at
        waiting[received_at, one.message.updated_at or received_at].append(number)
    makers: dict[int, int] = {}
    for place, (_, sale) in enumerate(revisions):
        if sale.cause not in BY_THE_SHOP:
            continue
        candidates = waiting[sale.received_at, sale.event_time]
        for number in candidates:
            if _is_about(told[number], sale):
                candidates.remove(number)
                makers[number] = place
                break
    return makers


def _is_about(told: Told, sale: Sale) -> bool:
    message = told.message
    if isinstance(message, PosFulfillment):
        return message.pos_sale_id == sale.pos_sale_id
    if message.source_id and sale_id(told.store_id, OrderId(message.source_id)) == sale.sale_id:
        return True
    return (
        message.pos_sale_id == sale.pos_sale_id
        or message.source_id == sale.sale_id
        or any(one.return_id == message.pos_sale_id for one in sale.returns)
    )
