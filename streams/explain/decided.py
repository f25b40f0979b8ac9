"""What was decided about an order: the events of the outgoing topics."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord

from streams.explain.changes import changes
from streams.explain.entry import Entry
from streams.explain.reading import time_of
from streams.explain.told import Decision
from topics import codec
from topics.dead_letters import DeadLetter
from topics.event import Event, Source
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment
from topics.ids import OrderId, SaleId
from topics.movements import Movement, StockMoved
from topics.refunds import Refund
from topics.sales import Sale

OUTCOMES = ("sales", "fulfillments", "refunds", "stock.movements", "exceptions", "dead.letters")


class Decided:
    """Takes the events that concern one order, in the order of each topic."""

    def __init__(self, order_id: OrderId, sale_id: SaleId, *, personal: bool) -> None:
        self.entries: list[Entry] = []
        self.sales: list[Sale] = []
        self.open_exceptions: set[str] = set()
        """Kinds of what is open about the order."""
        self._order_id = order_id
        self._sale_id = sale_id
        self._named = sale_id.encode()
        self._order_named = order_id.encode()
        self._personal = personal

    @property
    def decisions(self) -> list[Decision]:
        return [
            Decision(sale.received_at, sale.cause, sale.revision, sale.order_version) for sale in self.sales
        ]

    def take(self, topic: str, record: ConsumerRecord, told: frozenset[tuple[str, int]]) -> None:
        """Take a record if it concerns the order; `told` are the inbound records that do, for letters."""
        value = record.value
        if value is None or (topic != "dead.letters" and not self._may_concern(topic, value)):
            return
        try:
            event: Any = codec.DECODERS[topic](value)
        except msgspec.DecodeError:
            return  # no event of ours: the history worker made a dead letter of it
        described = _DESCRIBE[type(event)](self, event, told)
        if described is not None:
            what, own_id, revision, detail = described
            self._add(topic, record, event, what, own_id, revision, detail)

    def _may_concern(self, topic: str, value: bytes) -> bool:
        if self._named in value:
            return True
        return topic == "exceptions" and (b"\\" in value or self._order_named in value)

    def _add(
        self,
        topic: str,
        record: ConsumerRecord,
        event: Any,
        what: str,
        own_id: str,
        revision: int | None,
        detail: list[str],
    ) -> None:
        head = event if isinstance(event, Event) else None
        source: Source | None = getattr(event, "source", None)
        self.entries.append(
            Entry(
                at=time_of(record),
                source=topic,
                partition=record.partition,
                offset=record.offset,
                what=what,
                id=own_id,
                revision=revision,
                caused_by=None if source is None else f"{source.topic}/{source.partition}@{source.offset}",
                detail=detail,
                event_time=head.event_time if head else None,
                received_at=head.received_at if head else event.record_time,
                processed_at=event.processed_at,
                data=msgspec.json.decode(record.value) if self._personal and record.value else None,
            )
        )

    def sale(self, sale: Sale, _: object) -> "Described":
        if sale.sale_id != self._sale_id:
            return None
        before = self.sales[-1] if self.sales else None
        detail = changes(before, sale)
        if before is not None and sale.revision != before.revision + 1:
            detail.insert(0, f"revision {before.revision} came before: others are missing, or not read")
        self.sales.append(sale)
        return f"sale {sale.cause}", sale.sale_id, sale.revision, detail

    def fulfillment(self, event: Fulfillment, _: object) -> "Described":
        if event.sale_id != self._sale_id:
            return None
        lines = [
            f"{line.quantity:f} x {line.sku}: {line.picked:f} picked, {line.packed:f} packed,"
            f" {line.fulfilled:f} fulfilled"
            for line in event.lines
        ]
        what = f"fulfilment {event.state}"
        return what, event.fulfillment_id, event.revision, [f"{event.type} from {event.outlet_id}", *lines]

    def refund(self, event: Refund, _: object) -> "Described":
        if event.sale_id != self._sale_id:
            return None
        text = (
            f"{event.amount} {event.currency} by {event.method}, {event.reversal}, return {event.return_id}"
        )
        return f"refund {event.state}", event.refund_id, event.revision, [text]

    def moved(self, event: StockMoved, _: object) -> "Described":
        if event.sale_id != self._sale_id:
            return None
        return f"stock moved ({event.cause})", event.event_id, None, [_movement(m) for m in event.movements]

    def exception(self, event: ExceptionChanged, _: object) -> "Described":
        ours = event.sale_id == self._sale_id or event.order_id == self._order_id
        if not ours and event.subject.partition("/")[0] != self._order_id:
            return None
        if event.open:
            self.open_exceptions.add(event.kind)
        else:
            self.open_exceptions.discard(event.kind)
        what = f"exception {event.kind} {'opens' if event.open else 'closes'}"
        return what, event.exception_id, event.revision, [event.detail]

    def letter(self, letter: DeadLetter, told: frozenset[tuple[str, int]]) -> "Described":
        if letter.order_id != self._order_id and (letter.source.topic, letter.source.offset) not in told:
            return None
        return f"dead letter {letter.reason}", letter.dead_letter_id, None, [letter.detail]


Described = tuple[str, str, int | None, list[str]] | None
"""What it is, its id, its revision, and sentences; None when it does not concern the order."""

_DESCRIBE: dict[type, Callable[[Decided, Any, frozenset[tuple[str, int]]], Described]] = {
    Sale: Decided.sale,
    Fulfillment: Decided.fulfillment,
    Refund: Decided.refund,
    StockMoved: Decided.moved,
    ExceptionChanged: Decided.exception,
    DeadLetter: Decided.letter,
}


def _movement(move: Movement) -> str:
    after = f"{move.on_hand_after:f} on hand, {move.allocated_after:f} allocated"
    awaits = f", {move.awaiting_after:f} awaiting count" if move.awaiting_after else ""
    return (
        f"{move.kind} {move.quantity:f} x {move.sku or move.product_id} at {move.outlet_id}"
        f" (number {move.revision}): {after}{awaits}"
    )
