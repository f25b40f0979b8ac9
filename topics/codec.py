"""Outgoing events to bytes and back, and the CloudEvents headers that go with them."""

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from urllib.parse import quote

import msgspec

from topics.customers import Customer
from topics.dead_letters import DeadLetter
from topics.event import Event
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment
from topics.movements import StockMoved
from topics.online_stock import OnlineStock
from topics.refunds import Refund
from topics.sales import Sale

Header = tuple[str, bytes]
Message = Event | DeadLetter

EVENTS: dict[str, type[Message]] = {
    "sales": Sale,
    "fulfillments": Fulfillment,
    "refunds": Refund,
    "stock.movements": StockMoved,
    "customers": Customer,
    "ecom.stock": OnlineStock,
    "exceptions": ExceptionChanged,
    "dead.letters": DeadLetter,
}
"""What each outgoing topic holds."""

CE_TYPES: dict[type[Message], str] = {
    Sale: "tillstream.sale.changed.v1",
    Fulfillment: "tillstream.fulfillment.changed.v1",
    Refund: "tillstream.refund.changed.v1",
    StockMoved: "tillstream.stock.moved.v1",
    Customer: "tillstream.customer.changed.v1",
    OnlineStock: "tillstream.online_stock.changed.v1",
    ExceptionChanged: "tillstream.exception.changed.v1",
    DeadLetter: "tillstream.record.refused.v1",
}

encode: Callable[[Any], bytes] = msgspec.json.Encoder(decimal_format="string").encode
"""Encode any struct of `topics`: decimals as text, exact; times in UTC."""

decode_sale = msgspec.json.Decoder(Sale).decode
decode_fulfillment = msgspec.json.Decoder(Fulfillment).decode
decode_refund = msgspec.json.Decoder(Refund).decode
decode_stock_moved = msgspec.json.Decoder(StockMoved).decode
decode_customer = msgspec.json.Decoder(Customer).decode
decode_online_stock = msgspec.json.Decoder(OnlineStock).decode
decode_exception = msgspec.json.Decoder(ExceptionChanged).decode
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode

DECODERS: dict[str, Callable[[bytes], Message]] = {
    "sales": decode_sale,
    "fulfillments": decode_fulfillment,
    "refunds": decode_refund,
    "stock.movements": decode_stock_moved,
    "customers": decode_customer,
    "ecom.stock": decode_online_stock,
    "exceptions": decode_exception,
    "dead.letters": decode_dead_letter,
}
"""The decoder of each outgoing topic; raises msgspec.DecodeError."""

CONTENT_TYPE: Header = ("content-type", b"application/json")
_SPEC_VERSION: Header = ("ce_specversion", b"1.0")


def _cause(event: StockMoved) -> str:
    source = event.source
    return event.sale_id or f"{source.topic}/{source.partition}/{source.offset}"


_SUBJECT: dict[type[Message], Callable[[Any], str]] = {
    Sale: attrgetter("sale_id"),
    Fulfillment: attrgetter("fulfillment_id"),
    Refund: attrgetter("refund_id"),
    StockMoved: _cause,
    Customer: attrgetter("customer_id"),
    OnlineStock: attrgetter("sku"),
    ExceptionChanged: attrgetter("exception_id"),
    DeadLetter: attrgetter("dead_letter_id"),
}
"""What an event is about, within its store."""

_OF_TYPE: dict[type[Message], tuple[Header, Callable[[Any], str]]] = {
    kind: (("ce_type", name.encode()), _SUBJECT[kind]) for kind, name in CE_TYPES.items()
}

MAX_SUBJECT = 255
_sources: dict[str, Header] = {}
_SOURCES_KEPT = 100_000


def headers(event: Message) -> list[Header]:
    """Return the CloudEvents headers of the Kafka binding's binary mode, and the content type."""
    kind = type(event)
    if isinstance(event, DeadLetter):
        event_id, store_id, time = event.dead_letter_id, event.store_id or "", event.record_time
    else:
        event_id, store_id, time = event.event_id, event.store_id, event.event_time
    ce_type, subject = _OF_TYPE[kind]
    return [
        _SPEC_VERSION,
        CONTENT_TYPE,
        ce_type,
        ("ce_id", event_id.encode()),
        _sources.get(store_id) or _source(store_id),
        _times.header(time),
        ("ce_subject", subject(event)[:MAX_SUBJECT].encode()),
    ]


def _source(store_id: str) -> Header:
    source = ("ce_source", f"/tillstream/stores/{quote(store_id, safe='')}".encode())
    if len(_sources) < _SOURCES_KEPT:
        _sources[store_id] = source
    return source


class _Times:
    """The header of a time, made once for all events of a decision: they share the very object."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        time = datetime.fromtimestamp(0, UTC)
        self._last = (time, _time_header(time))

    def header(self, time: datetime) -> Header:
        last = self._last
        if last[0] is not time:
            last = self._last = (time, _time_header(time))
        return last[1]


def _time_header(time: datetime) -> Header:
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return ("ce_time", utc.isoformat().encode()[:-6] + b"Z")


_times = _Times()
