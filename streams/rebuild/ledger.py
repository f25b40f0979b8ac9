"""Stock levels as the movements left them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from streams.domain import awaiting, tables
from streams.domain.state import Awaited, Corrected, Level
from streams.domain.versions import stale
from streams.rebuild.draft import Draft, key_of
from streams.rebuild.inbound import Told
from topics.codec import decode_stock_moved
from topics.corrections import Correction
from topics.ids import OutletId, ProductId, StoreId
from topics.inventory import InventoryLevel
from topics.movements import Movement, StockMoved
from topics.numbers import ZERO
from topics.sales import Sale

_NEXT = timedelta(microseconds=1)
Place = tuple[StoreId, ProductId, OutletId]
OutSince = Callable[[StockMoved, Movement], datetime]
"""Says when pieces that a movement calls fulfilled went out."""


class _Level(msgspec.Struct, gc=False):
    on_hand: Decimal = ZERO
    allocated: Decimal = ZERO
    awaiting: Decimal = ZERO
    backordered: Decimal = ZERO
    revision: int = 0
    version: int | None = None
    counted_at: datetime | None = None
    awaited: tuple[Awaited, ...] = ()
    corrected: bool = False


class Ledger:
    """Levels by store, product and outlet; `gaps` counts movements that do not follow the one before."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._levels: defaultdict[Place, _Level] = defaultdict(_Level)
        self._taken_at: dict[tuple[object, ...], datetime] = {}
        self._corrected: dict[int, int] = {}
        self._corrections: list[Told] = []
        self._counts: dict[Place, tuple[int | None, datetime]] = {}
        self.skus: dict[tuple[StoreId, ProductId], str] = {}
        """What each product was called when it moved last."""
        self.gaps = 0

    def see_count(self, told: Told) -> None:
        """Take a count that was decided: one that changes nothing leaves no movement, only its version."""
        count: InventoryLevel = told.message
        place = (told.store_id, count.product_id, count.outlet_id)
        version, counted_at = self._counts.get(place, (None, told.moment.received_at))
        if stale(count.version, version) is None:
            self._counts[place] = (
                version if count.version is None else count.version,
                max(counted_at, told.moment.received_at),
            )

    def see_correction(self, told: Told) -> None:
        """Take a correction that was decided."""
        self._corrections.append(told)

    def take(self, record: Any, out_since: OutSince) -> None:
        """Take the movements of the next cause."""
        event = decode_stock_moved(record.value)
        for move in event.movements:
            place = (event.store_id, move.product_id, move.outlet_id)
            level = self._levels[place]
            self.gaps += move.revision != level.revision + 1
            level.awaited = self._awaited(event, move, level, out_since)
            level.on_hand, level.allocated = move.on_hand_after, move.allocated_after
            level.awaiting, level.revision = move.awaiting_after, move.revision
            if awaiting.total(level.awaited) != level.awaiting:
                # Rather too young than too old: they wait longer than they must, and nothing is oversold.
                level.awaited = awaiting.added((), level.awaiting, event.event_time)
            if move.kind == "counted":
                level.counted_at = max(level.counted_at or event.received_at, event.received_at)
            if move.kind == "corrected":
                level.corrected = True
                self._corrected[event.source.offset] = move.revision
            self.skus[event.store_id, move.product_id] = move.sku

    def _awaited(
        self, event: StockMoved, move: Movement, level: _Level, out_since: OutSince
    ) -> tuple[Awaited, ...]:
        part = (event.sale_id, move.line_id, move.product_id, move.outlet_id)
        more = move.awaiting
        if move.kind == "counted":
            return awaiting.after_count(level.awaited, event.received_at)
        if move.kind == "acknowledged":
            self._taken_at[part] = event.event_time
            return awaiting.added(level.awaited, more, event.event_time)
        if move.kind == "released" and more < 0 and part in self._taken_at:
            return awaiting.without(level.awaited, -more, self._taken_at[part])
        if more < 0:
            return awaiting.fewer(level.awaited, -more)
        if move.kind == "corrected" and more > 0:
            since = event.event_time
            if level.counted_at is not None and level.counted_at >= since:
                since = level.counted_at + _NEXT
            return awaiting.added(level.awaited, more, since)
        return awaiting.added(level.awaited, more, out_since(event, move)) if more else level.awaited

    def finish(self) -> dict[tuple[StoreId, ProductId], dict[OutletId, Level]]:
        """Return each product's levels; make the rows of `corrections`."""
        for place, quantity in self._backordered().items():
            self._levels[place].backordered = quantity
        for place, (version, counted_at) in self._counts.items():
            level = self._levels[place]
            level.version = version
            level.counted_at = max(level.counted_at or counted_at, counted_at)
        for told in self._corrections:
            self._correction(told)
        found: defaultdict[tuple[StoreId, ProductId], dict[OutletId, Level]] = defaultdict(dict)
        for (store_id, product_id, outlet_id), level in self._levels.items():
            backordered = level.backordered
            found[store_id, product_id][outlet_id] = Level(
                level.on_hand,
                level.allocated,
                level.awaiting,
                min(backordered, level.allocated) if level.corrected else backordered,
                level.revision,
                level.version,
                level.counted_at,
                level.awaited,
            )
        return found

    def _backordered(self) -> dict[Place, Decimal]:
        found: defaultdict[Place, Decimal] = defaultdict(Decimal)
        for key in self._draft.rows[tables.SALES]:
            sale: Sale = self._draft.get(tables.SALES, key)
            for line in sale.lines if sale.flags else ():
                for part in line.components or (line,):
                    for one in part.allocations:
                        if one.backordered and part.product_id is not None:
                            found[sale.store_id, part.product_id, one.outlet_id] += one.backordered
        return found

    def _correction(self, told: Told) -> None:
        correction: Correction = told.message
        key = key_of(told.store_id, correction.correction_id)
        if self._draft.get(tables.CORRECTIONS, key) is not None:
            return
        revision = self._corrected.get(told.moment.source.offset)
        says_nothing = not (
            correction.on_hand or correction.allocated or correction.awaiting or correction.ledger is not None
        )
        if revision is None and says_nothing:
            revision = correction.revision
        self._draft.put(tables.CORRECTIONS, key, Corrected(revision))
