"""One course of events: the rules over tables in memory, as the stock worker applies them to its own."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from streams.domain import backlog, links, tables, waiting
from streams.domain.books import Books, Moment
from streams.domain.shop import Shop
from topics.event import Event
from topics.ids import StoreId

LINKS = "store.links"


class _WorldBooks(Books):
    """Books that keep a store's shop per world: the two worlds have different links of the same store."""

    __slots__ = ("_shops",)

    def __init__(
        self, store_id: StoreId, reader: "World", moment: Moment, shops: dict[StoreId, Shop]
    ) -> None:
        super().__init__(store_id, reader, moment)
        self._shops = shops

    def shop(self) -> Shop | None:
        """Return the store's link made ready for use; None when there is no link."""
        if self._shop is None and (link := self.link()) is not None:
            known = self._shops.get(self.store_id)
            if known is None or known.link is not link:
                known = self._shops[self.store_id] = Shop(link)
            self._shop = known
        return self._shop


class World:
    """The tables of some stores, and what the records so far have made of them."""

    def __init__(self) -> None:
        # By table and store: a scan then looks at one store only.
        self._tables: dict[str, defaultdict[bytes, dict[bytes, Any]]] = {
            name: defaultdict(dict) for name in tables.TABLES
        }
        self._shops: dict[StoreId, Shop] = {}
        self.refused = 0
        """Messages on which the rules failed; the stock worker makes dead letters of them."""

    def get(self, table: str, key: bytes) -> Any:
        """Return a row, as the rules read it."""
        return self._tables[table][key.partition(b"\0")[0]].get(key)

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        """Yield the rows of a store whose key begins so."""
        rows = self._tables[table][prefix.partition(b"\0")[0]]
        return ((key, row) for key, row in list(rows.items()) if key.startswith(prefix))

    def books(self, store_id: StoreId, moment: Moment) -> Books:
        """Open the store's books: to look, or to decide."""
        return _WorldBooks(store_id, self, moment, self._shops)

    def take(self, store_id: StoreId, moment: Moment, topic: str, message: Any) -> list[Event]:
        """Decide a message, and all that it leaves the store to do; return the events."""
        events: list[Event] = []
        if topic == LINKS:
            # What came before a new link is decided by the old one.
            self._work_off(store_id, moment, events)
        books = self.books(store_id, moment)
        try:
            if topic == LINKS:
                links.set_link(books, message)
            elif waiting.must_wait(books):
                waiting.hold(books, message)
            else:
                backlog.decide(books, message)
        except Exception:  # whatever it is, the worker refuses the record and goes on
            self.refused += 1
        else:
            self._carry_out(books, events)
        self._work_off(store_id, moment, events)
        return events

    def _work_off(self, store_id: StoreId, moment: Moment, events: list[Event]) -> None:
        while backlog.unfinished(books := self.books(store_id, moment)):
            try:
                backlog.step(books)
            except Exception:  # as above
                self.refused += 1
                books = self.books(store_id, moment)
                backlog.skip(books)
            self._carry_out(books, events)

    def _carry_out(self, books: Books, events: list[Event]) -> None:
        for (table, key), row in books.changes.puts.items():
            rows = self._tables[table][key.partition(b"\0")[0]]
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
        events += books.changes.events
