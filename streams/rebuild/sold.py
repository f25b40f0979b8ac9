"""Sales as `sales` has them last, and the waiting lines that follow from every revision in turn."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import msgspec

from streams.domain import flags, queues, statuses, tables
from streams.domain.holding import held_from
from streams.domain.statuses import INCOMPLETE
from streams.rebuild.draft import Draft, at, key_of
from streams.rebuild.inbound import Told
from topics.codec import decode_sale
from topics.event import Source
from topics.ids import SaleId, StoreId, sale_id
from topics.orders import Order
from topics.sales import Sale

_NO_SOURCE = Source(topic="", partition=0, offset=-1)
_QUEUES = (tables.QUEUES, tables.WAITING)


class Sold:
    """The rows of `sales`, and who waits for what.

    Revisions since `since` are kept in `revisions`, by store in the order of the log, each with the one
    before it: what the shop told since then is decided against them again.
    """

    def __init__(self, draft: Draft, since: datetime) -> None:
        self._draft = draft
        self._since = since
        self._snapshots: dict[bytes, tuple[int, int]] = {}
        self.parked: dict[bytes, Sale] = {}
        self.revisions: defaultdict[StoreId, list[tuple[Sale | None, Sale]]] = defaultdict(list)

    def take(self, record: Any) -> None:
        """Take the next revision of a sale."""
        sale = decode_sale(record.value)
        key = key_of(sale.store_id, sale.sale_id)
        before: Sale | None = self._draft.get(tables.SALES, key)
        self._draft.put(tables.SALES, key, record.value)
        if sale.received_at >= self._since:
            self.revisions[sale.store_id].append((before, sale))
        if not (sale.flags or (before is not None and before.flags)):
            return
        books = self._draft.books(sale.store_id, at(_NO_SOURCE, sale.received_at), {})
        flags.keep_queues(books, before, sale)
        was_parked = before is not None and _unknown(before)
        if was_parked:
            queues.leave(books, queues.PARKED, sale.order_id)
            self.parked.pop(key, None)
        if _unknown(sale):
            queues.join(books, queues.PARKED, sale.order_id)
            self.parked[key] = sale
        self._draft.take(books.changes.puts, _QUEUES)

    def see(self, told: Told) -> bool:
        """Take a snapshot that was decided, in order; False when it was not, for its order has no sale.

        Snapshots that say the same as the one before leave no event, only their version.
        """
        order: Order = told.message
        if order.payment_status == INCOMPLETE:
            return True
        key = key_of(told.store_id, sale_id(told.store_id, order.order_id))
        sale: Sale | None = self._draft.get(tables.SALES, key)
        if sale is None:
            return self._is_echo(told.store_id, order)
        if (parked := self.parked.get(key)) is not None and self._is(told, parked):
            self._fill(told, order)
        version, _ = self._snapshots.get(key, (sale.order_version, 0))
        if order.version > version or (order.version == version and not self._is_known(key, told, sale)):
            self._snapshots[key] = (order.version, told.moment.checksum)
        return True

    def _is_known(self, key: bytes, told: Told, sale: Sale) -> bool:
        _, checksum = self._snapshots.get(key, (0, sale.order_checksum))
        return told.moment.checksum == checksum

    def _is(self, told: Told, sale: Sale) -> bool:
        return (told.message.version, told.moment.checksum) == (sale.order_version, sale.order_checksum)

    def _is_echo(self, store_id: StoreId, order: Order) -> bool:
        external = order.external_order_id
        if external is None:
            return False
        return self._draft.get(tables.SALES, key_of(store_id, SaleId(external))) is not None

    def _fill(self, told: Told, order: Order) -> None:
        """Give a parked order its place's snapshot back."""
        link = self._draft.get(tables.LINKS, tables.link_key(told.store_id))
        if link is not None:
            order = statuses.understood(order, link)
        key = key_of(told.store_id, f"{queues.PARKED}\0{order.order_id}")
        waiting = self._draft.get(tables.WAITING, key)
        if waiting is not None:
            held = held_from(told.moment, order)
            self._draft.put(tables.WAITING, key, msgspec.structs.replace(waiting, held=held))

    def finish(self) -> int:
        """Note which snapshot each sale has seen; return how many parked orders' snapshots are gone."""
        for key, (version, checksum) in self._snapshots.items():
            sale: Sale = self._draft.get(tables.SALES, key)
            if (version, checksum) != (sale.order_version, sale.order_checksum):
                seen = msgspec.structs.replace(sale, order_version=version, order_checksum=checksum)
                self._draft.put(tables.SALES, key, seen)
        lost = 0
        for sale in self.parked.values():
            place = key_of(sale.store_id, f"{queues.PARKED}\0{sale.order_id}")
            if self._draft.get(tables.WAITING, place).held is None:
                lost += 1
                books = self._draft.books(sale.store_id, at(_NO_SOURCE, sale.received_at), {})
                queues.leave(books, queues.PARKED, sale.order_id)
                self._draft.take(books.changes.puts, _QUEUES)
        return lost


def _unknown(sale: Sale) -> bool:
    return any(flag.kind == "unknown_status" for flag in sale.flags)
