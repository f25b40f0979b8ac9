"""One partition number's tables, made from its topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from storage.progress import Span
from streams.committed import CommittedLog
from streams.domain import tables
from streams.domain.statuses import INCOMPLETE
from streams.progress import Progress
from streams.rebuild.backlogs import Backlogs
from streams.rebuild.draft import Draft, key_of
from streams.rebuild.inbound import Inbound, Told
from streams.rebuild.ledger import Ledger
from streams.rebuild.links import Links
from streams.rebuild.matters import Matters
from streams.rebuild.names import Names
from streams.rebuild.people import People
from streams.rebuild.reports import Reports
from streams.rebuild.sold import Sold
from streams.settings import Settings
from topics.movements import Movement, StockMoved
from topics.pos_sales import PosSale
from topics.registry import INBOUND, topic
from topics.sales import Sale

OUTBOUND = ("sales", "customers", "exceptions", "ecom.stock", "stock.movements", "dead.letters")
"""The outgoing topics that the tables follow from."""


class Doubts(msgspec.Struct, gc=False):
    """What could not be made again as it was; all 0 is well."""

    parked_lost: int = 0
    """Parked orders whose snapshot the topic has no longer: their next snapshot decides them."""
    reports_unknown: int = 0
    """Open sales of whose acknowledgement the topic has nothing any more: what the shop reports of them is
    matched by product, and what it has handed over before may be counted once more."""
    reports_failed: int = 0
    """Messages of the point of sale that could not be decided again."""
    movement_gaps: int = 0
    """Movements that do not follow the one before."""

    def __add__(self, other: Doubts) -> Doubts:
        return Doubts(
            self.parked_lost + other.parked_lost,
            self.reports_unknown + other.reports_unknown,
            self.reports_failed + other.reports_failed,
            self.movement_gaps + other.movement_gaps,
        )


class Rebuilding:
    """Reads what the worker had read and written, and derives its tables from that."""

    def __init__(
        self,
        log: CommittedLog,
        spans: Sequence[Span],
        partitions: int,
        settings: Settings,
        progress: Progress,
    ) -> None:
        self._log = log
        self._spans = spans
        self._settings = settings
        self._progress = progress
        self.draft = draft = Draft()
        kept = timedelta(milliseconds=topic("pos.sales").retention_ms)
        self._inbound = Inbound(partitions)
        self._links = Links(draft)
        self._sold = Sold(draft, datetime.now(UTC) - kept - timedelta(days=1))
        self._people = People(draft)
        self._matters = Matters(draft)
        self._names = Names(draft)
        self._ledger = Ledger(draft)
        self._reports = Reports(draft)
        self._backlogs = Backlogs(draft)

    @property
    def held(self) -> int:
        """Messages that wait to be decided."""
        return self._backlogs.held

    async def run(self) -> Doubts:
        """Make the tables of the partition; `draft` has them then."""
        await self._read({"dead.letters": self._inbound.refuse})
        await self._read({"store.links": lambda record: self._each("store.links", record, self._links.see)})
        await self._read(
            {
                "sales": self._sold.take,
                "customers": self._people.take,
                "exceptions": self._matters.take,
                "ecom.stock": self._names.take,
            }
        )
        await self._read(
            {
                one.name: self._taking(one.name)
                for one in INBOUND
                if one.name in _DECIDED and one.name != "store.links"
            }
        )
        parked_lost = self._sold.finish()
        self._people.finish()
        # What products are called is needed to tell which line of ours is which of theirs.
        self._names.finish({}, {}, self._matters)
        self._reports.finish(self._sold.revisions)
        await self._read({"stock.movements": lambda record: self._ledger.take(record, self._out_since)})
        self._names.finish(self._ledger.finish(), self._ledger.skus, self._matters)
        self._backlogs.finish()
        return Doubts(parked_lost, self._reports.unknown, self._reports.failed, self._ledger.gaps)

    async def _read(self, takers: Mapping[str, Callable[[Any], None]]) -> None:
        names = {self._settings.worker.topic(name): take for name, take in takers.items()}
        spans = [span for span in self._spans if span.topic in names]
        async for pieces in self._log.read(spans):
            for piece in pieces:
                take = names[piece.topic]
                for record in piece.records:
                    take(record)
                self._progress.advance(piece.offsets)

    def _each(self, name: str, record: Any, see: Callable[[Told], None]) -> None:
        for told in self._inbound.read(name, record):
            see(told)

    def _taking(self, name: str) -> Callable[[Any], None]:
        sees = _DECIDED[name]

        def take(record: Any) -> None:
            for told in self._inbound.read(name, record):
                if self._links.waits(told):
                    if getattr(told.message, "payment_status", "") != INCOMPLETE:
                        self._backlogs.hold(told)
                    continue
                for see in sees(self):
                    see(told)

        return take

    def _see_order(self, told: Told) -> None:
        if not self._sold.see(told):
            self._backlogs.hold(told)

    def _out_since(self, event: StockMoved, move: Movement) -> datetime:
        """Say when pieces went out: a report may have been counted later than it came."""
        if event.source.topic == "pos.fulfillments" or event.sale_id is None:
            return event.event_time
        sale: Sale | None = self.draft.get(tables.SALES, key_of(event.store_id, event.sale_id))
        entry = (
            None
            if sale is None or sale.pos_sale_id is None
            else self.draft.get(tables.POS_SALES, key_of(event.store_id, sale.pos_sale_id))
        )
        if sale is None or entry is None:
            return event.event_time
        for report in entry.reported.values():
            if report.outlet_id == move.outlet_id and any(
                line.fulfilled and line.product_id == move.product_id for line in report.lines
            ):
                at: datetime = report.at
                return at
        if event.source.topic != "pos.sales":
            for told in reversed(self._reports.told_of(event.store_id)):
                message = told.message
                if (
                    isinstance(message, PosSale)
                    and message.pos_sale_id == sale.pos_sale_id
                    and message.handed_over
                ):
                    return message.updated_at or told.moment.received_at
        return event.event_time


_Sees = Callable[[Rebuilding], Iterable[Callable[[Told], None]]]
_DECIDED: dict[str, _Sees] = {
    "store.links": lambda made: (made._links.see,),
    "ecom.orders": lambda made: (made._see_order,),
    "pos.inventory": lambda made: (made._ledger.see_count, made._names.see_count),
    "pos.products": lambda made: (made._names.see_product,),
    "pos.customers": lambda made: (made._people.see,),
    "pos.sales": lambda made: (made._reports.see,),
    "pos.fulfillments": lambda made: (made._reports.see,),
    "stock.corrections": lambda made: (made._ledger.see_correction,),
}
"""What is made of each inbound topic's messages."""
