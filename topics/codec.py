"""Outgoing events to bytes and back, and the CloudEvents headers that go with them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
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
from topics.sales import Sale

Header = tuple[str, bytes]
Message = Event | DeadLetter

EVENTS: dict[str, type[Message]] = {
    "sales": Sale,
    "fulfillments": Fulfillment,
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
decode_stock_moved = msgspec.json.Decoder(StockMoved).decode
decode_customer = msgspec.json.Decoder(Customer).decode
decode_online_stock = msgspec.json.Decoder(OnlineStock).decode
decode_exception = msgspec.json.Decoder(ExceptionChanged).decode
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode

DECODERS: dict[str, Callable[[bytes], Message]] = {
    "sales": decode_sale,
    "fulfillments": decode_fulfillment,
    "stock.movements": decode_stock_moved,
    "customers": decode_customer,
    "ecom.stock": decode_online_stock,
    "exceptions": decode_exception,
    "dead.letters": decode_dead_letter,
}
"""The decoder of each outgoing topic; raises msgspec.DecodeError."""

CONTENT_TYPE: Header = ("content-type", b"application/json")
_SPEC_VERSION: Header = ("ce_specversion", b"1.0")
_STATIC: dict[type[Message], tuple[Header, Header, Header]] = {
    kind: (_SPEC_VERSION, CONTENT_TYPE, ("ce_type", name.encode())) for kind, name in CE_TYPES.items()
}
_SUBJECT: dict[type[Message], str] = {
    Sale: "sale_id",
    Fulfillment: "fulfillment_id",
    Customer: "customer_id",
    OnlineStock: "sku",
    ExceptionChanged: "exception_id",
    DeadLetter: "dead_letter_id",
}
"""The field that names what an event is about, within its store."""

MAX_SUBJECT = 255
_sources: dict[str, bytes] = {}
_SOURCES_KEPT = 100_000


def headers(event: Message) -> Sequence[Header]:
    """Return the CloudEvents headers of the Kafka binding's binary mode, and the content type."""
    kind = type(event)
    if isinstance(event, DeadLetter):
        event_id, store_id, time = event.dead_letter_id, event.store_id or "", event.record_time
    else:
        event_id, store_id, time = event.event_id, event.store_id, event.event_time
    if isinstance(event, StockMoved):
        source = event.source
        subject = event.sale_id or f"{source.topic}/{source.partition}/{source.offset}"
    else:
        subject = getattr(event, _SUBJECT[kind])
    return [
        *_STATIC[kind],
        ("ce_id", event_id.encode()),
        ("ce_source", _sources.get(store_id) or _source(store_id)),
        ("ce_time", _time(time)),
        ("ce_subject", subject[:MAX_SUBJECT].encode()),
    ]


def _source(store_id: str) -> bytes:
    source = f"/tillstream/stores/{quote(store_id, safe='')}".encode()
    if len(_sources) < _SOURCES_KEPT:
        _sources[store_id] = source
    return source


@lru_cache(maxsize=1024)
def _time(time: datetime) -> bytes:
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return utc.isoformat().encode()[:-6] + b"Z"
