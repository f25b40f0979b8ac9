"""What came in about an order: snapshots, and the point of sale's sales and fulfilments of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

import msgspec
from aiokafka.structs import ConsumerRecord

from streams.explain.entry import Entry
from streams.explain.reading import time_of
from topics.decoders import decode_orders, decode_pos_fulfillment, decode_pos_sale
from topics.errors import ContractError
from topics.ids import OrderId, SaleId
from topics.orders import Order
from topics.pos_fulfillments import PosFulfillment
from topics.pos_sales import PosSale
from topics.statuses import ABANDONED

SOURCES = ("ecom.orders", "pos.sales", "pos.fulfillments")
OUR_HEADERS = "tillstream"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An inbound record that concerns the order, with what it says; without a message it was refused."""

    topic: str
    record: ConsumerRecord
    message: Order | PosSale | PosFulfillment | None
    refusal: str | None = None

    @property
    def time(self) -> datetime:
        return time_of(self.record)


class Subject:
    """The order that is traced, and by what names records speak of it; it learns them as it reads."""

    def __init__(self, order_id: OrderId, sale_id: SaleId) -> None:
        self.order_id = order_id
        self.sale_id = sale_id
        self.pos_sale_ids: set[str] = set()
        """Of our sale in the point of sale, and of returns of it."""

    def orders(self, record: ConsumerRecord) -> Sequence[Told]:
        """Return the snapshots of the order that a record of `ecom.orders` holds."""
        value = record.value
        if not value or not self._may_name(value, self.order_id):
            return ()
        try:
            parts = decode_orders(value, time_of(record))
        except ContractError as error:
            return (_refused("ecom.orders", record, error),)
        told = []
        for part in parts:
            if isinstance(part, ContractError):
                if part.order_id == self.order_id:
                    told.append(_refused("ecom.orders", record, part))
            elif part.order_id == self.order_id:
                told.append(Told(topic="ecom.orders", record=record, message=part))
        return told

    def sale_in_pos(self, record: ConsumerRecord) -> Told | None:
        """Return what a record of `pos.sales` says if it is of our sale, or may be a return of it."""
        try:
            told = decode_pos_sale(record.value)
        except ContractError as error:
            named = record.value is not None and self._may_name(record.value, self.order_id, exactly=True)
            return _refused("pos.sales", record, error) if named else None
        if told.source_id in (self.order_id, self.sale_id) and told.return_for is None:
            self.pos_sale_ids.add(told.pos_sale_id)
        if told.return_for is not None or self.concerns(told):
            return Told(topic="pos.sales", record=record, message=told)
        return None

    def concerns(self, told: PosSale) -> bool:
        """Say whether a sale of the point of sale is ours, or takes goods of it back, as far as is known."""
        if told.return_for is not None and told.return_for in {*self.pos_sale_ids, str(self.sale_id)}:
            self.pos_sale_ids.add(told.pos_sale_id)
        return told.pos_sale_id in self.pos_sale_ids

    def progress(self, record: ConsumerRecord) -> Told | None:
        """Return what a record of `pos.fulfillments` says if it is of our sale."""
        value = record.value
        if not value or not any(self._may_name(value, name) for name in self.pos_sale_ids):
            return None
        try:
            told = decode_pos_fulfillment(value)
        except ContractError as error:
            return _refused("pos.fulfillments", record, error)
        if told.pos_sale_id not in self.pos_sale_ids:
            return None
        return Told(topic="pos.fulfillments", record=record, message=told)

    @staticmethod
    def _may_name(value: bytes, name: str, *, exactly: bool = False) -> bool:
        """Say whether bytes may hold a name; `exactly`: as a whole JSON text or number."""
        if exactly:
            return f'"{name}"'.encode() in value
        # What JSON may spell with escapes is looked at whole.
        return not name.isascii() or b"\\" in value or name.encode() in value


def _refused(topic: str, record: ConsumerRecord, error: ContractError) -> Told:
    return Told(topic=topic, record=record, message=None, refusal=f"{error.reason}: {error.detail}")


class Decision(msgspec.Struct, frozen=True):
    """A revision of the sale, by the record that led to it."""

    received_at: datetime
    cause: str
    revision: int
    order_version: int


_OF_TOPIC = {
    "ecom.orders": frozenset(
        {"placed", "parked", "paid", "edited", "cancelled", "reinstated", "deleted", "refunded_in_ecom"}
    ),
    "pos.sales": frozenset(
        {"acknowledged", "payment_taken", "fulfillment_changed", "returned", "refunded", "voided"}
    ),
    "pos.fulfillments": frozenset({"fulfillment_changed"}),
}


class Marks:
    """Says what became of the inbound records, in the order of the log (DOMAIN 2)."""

    def __init__(
        self, decisions: Iterable[Decision], decided: dict[str, int], *, waits_for_link: bool
    ) -> None:
        self._decisions = list(decisions)
        self._decided = decided
        self._waits_for_link = waits_for_link
        self._newest: dict[tuple[str, str], int] = {}
        self._seen: set[tuple[str, str, int, int]] = set()

    def of(self, told: Told) -> str:
        """Return the mark of a record: the records of a topic must come in order."""
        message, record = told.message, told.record
        if message is None:
            return f"refused ({told.refusal})"
        if record.offset >= self._decided.get(told.topic, 0):
            return "not decided yet"
        if isinstance(message, Order) and message.payment_status == ABANDONED:
            return "an abandoned cart: no sale"
        stale = self._stale(told)
        if stale is not None:
            return stale
        revisions = self._revisions(told)
        if revisions:
            return f"decided: revision {revisions}"
        return "waits for the store's link" if self._waits_for_link else "changed nothing"

    def _stale(self, told: Told) -> str | None:
        """Tell a copy, or something older than what was seen before; None when it is news."""
        message, value = told.message, told.record.value or b""
        name, version = _version(message)
        if version is None:
            return None
        key = (told.topic, name)
        seen = [self._newest[key]] if key in self._newest else []
        if isinstance(message, Order):
            seen += [d.order_version for d in self._decisions if d.received_at < told.time]
        newest = max(seen, default=None)
        self._newest[key] = version if newest is None else max(newest, version)
        if newest is not None and version < newest:
            return f"late: version {version} came after {newest}"
        copy = (*key, version, crc32(value))
        if copy in self._seen:
            return "duplicate: the same record came before"
        self._seen.add(copy)
        if version == newest and not isinstance(message, Order):
            return f"duplicate: version {version} came before"
        return None

    def _revisions(self, told: Told) -> str:
        causes = _OF_TOPIC[told.topic]
        found = [
            decision.revision
            for decision in self._decisions
            if decision.received_at == told.time and decision.cause in causes
        ]
        return ", ".join(map(str, found))


def _version(message: Order | PosSale | PosFulfillment | None) -> tuple[str, int | None]:
    """Return what a message is a version of, within its topic, and which one it is."""
    if isinstance(message, PosSale):
        return message.pos_sale_id, message.version
    if isinstance(message, PosFulfillment):
        return message.pos_fulfillment_id, message.version
    return "", None if message is None else message.version


def entry(told: Told, mark: str, *, personal: bool) -> Entry:
    """Describe an inbound record that concerns the order."""
    record, message = told.record, told.message
    return Entry(
        at=told.time,
        source=told.topic,
        partition=record.partition,
        offset=record.offset,
        what=_what(message),
        id=_id(message),
        mark=mark,
        detail=_detail(message),
        event_time=getattr(message, "updated_at", None),
        headers=_headers(record),
        data=_whole(record.value) if personal else None,
    )


def _what(message: Order | PosSale | PosFulfillment | None) -> str:
    if message is None:
        return "a record that cannot be read"
    if isinstance(message, Order):
        return "deletion" if message.deleted else "snapshot"
    if isinstance(message, PosSale):
        return "sale in the POS" if message.return_for is None else "return in the POS"
    return "fulfilment in the POS"


def _id(message: Order | PosSale | PosFulfillment | None) -> str | None:
    if isinstance(message, PosSale):
        return message.pos_sale_id
    return message.pos_fulfillment_id if isinstance(message, PosFulfillment) else None


def _detail(message: Order | PosSale | PosFulfillment | None) -> list[str]:
    if isinstance(message, Order):
        pieces = [f"{item.quantity:f} x {item.sku}" for item in message.items]
        return [
            f"version {message.version}, {message.payment_status or 'no payment status'},"
            f" {message.fulfillment_status or 'no fulfilment status'}, total {message.total}",
            *([", ".join(pieces)] if pieces else []),
        ]
    if isinstance(message, PosSale):
        pieces = [f"{line.quantity:f} of {line.product_id}" for line in message.lines]
        tenders = [f"{payment.amount} {payment.name}" for payment in message.payments]
        version = "without version" if message.version is None else f"version {message.version}"
        done = ", handed over" if message.handed_over else ""
        return [
            f"{version}, {message.state}{done}",
            *([", ".join(pieces + tenders)] if message.lines else []),
        ]
    if isinstance(message, PosFulfillment):
        version = "without version" if message.version is None else f"version {message.version}"
        return [
            f"{version}, {message.state} at {message.outlet_id}",
            ", ".join(
                f"{line.product_id}: {line.picked:f} picked, {line.packed:f} packed, {line.fulfilled:f}"
                f" fulfilled of {line.quantity:f}"
                for line in message.lines
            ),
        ]
    return []


def _headers(record: ConsumerRecord) -> dict[str, str]:
    """Return the marks that we put on a record; what others put there may be about a person."""
    return {
        name: (value or b"").decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(OUR_HEADERS)
    }


def _whole(value: bytes | None) -> Any:
    """Return a record's value as JSON, or as text when it is none."""
    if value is None:
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value.decode("utf-8", "replace")
