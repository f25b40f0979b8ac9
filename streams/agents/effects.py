"""Carries out what the domain decided: events to their topics, rows to their tables, in one unit of work."""

from collections.abc import Callable
from typing import Any

from streams.domain.books import Changes
from streams.runtime.unit import MAX_VALUE_BYTES, KafkaUnit
from topics import codec
from topics.customers import Customer
from topics.dead_letters import DeadLetter
from topics.errors import ContractError
from topics.event import Event
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment
from topics.keys import customer_key, online_stock_key
from topics.movements import StockMoved
from topics.online_stock import OnlineStock
from topics.refunds import Refund
from topics.sales import Sale


def _by_store(event: Event) -> bytes:
    return event.store_id.encode()  # topics.keys.store_key, written out: three times for every order


def _by_customer(event: Customer) -> bytes:
    return customer_key(event.store_id, event.customer_id)


def _by_sku(event: OnlineStock) -> bytes:
    return online_stock_key(event.store_id, event.sku)


def _by_store_if_known(letter: DeadLetter) -> bytes:
    return (letter.store_id or "").encode()


ROUTES: dict[type[Event] | type[DeadLetter], tuple[str, Callable[[Any], bytes]]] = {
    Sale: ("sales", _by_store),
    Fulfillment: ("fulfillments", _by_store),
    Refund: ("refunds", _by_store),
    StockMoved: ("stock.movements", _by_store),
    Customer: ("customers", _by_customer),
    ExceptionChanged: ("exceptions", _by_store),
    DeadLetter: ("dead.letters", _by_store_if_known),
}
"""Where each kind of event goes, and under which key."""


def send(letter: DeadLetter, unit: KafkaUnit) -> None:
    """Send a dead letter; its size is bounded."""
    topic, key = ROUTES[DeadLetter]
    unit.emit(topic, key(letter), codec.encode(letter), codec.headers(letter))


def carry_out(changes: Changes, unit: KafkaUnit, levels: dict[bytes, OnlineStock]) -> None:
    """Write a decision to the unit, whole: nothing is written before all of it is known to fit.

    Online levels are only noted in `levels`, by key: of a unit, which appears at once, the last one counts.
    Raises ContractError `event_too_large` when an event does not fit a record.
    """
    ready: list[tuple[str, bytes, bytes, Event]] = []
    encoded: dict[int, bytes] = {}
    for event in changes.events:
        kind = type(event)
        if kind is OnlineStock:
            continue
        value = encoded[id(event)] = codec.encode(event)
        if len(value) > MAX_VALUE_BYTES:
            raise ContractError(
                "event_too_large",
                f"the {kind.__name__} event does not fit a record of {MAX_VALUE_BYTES} bytes",
                value=f"{len(value)} bytes",
            )
        topic, key = ROUTES[kind]
        ready.append((topic, key(event), value, event))
    for topic, name, value, event in ready:
        unit.emit(topic, name, value, codec.headers(event))
    if len(ready) < len(changes.events):
        levels.update((_by_sku(event), event) for event in changes.events if isinstance(event, OnlineStock))
    for (table, name), row in changes.puts.items():
        # The row of a sale or a customer is its event: encoded once for both.
        unit.table(table).put(name, encoded.get(id(row), row))


def publish(levels: dict[bytes, OnlineStock], unit: KafkaUnit) -> None:
    """Send the online levels that were noted."""
    for key, event in levels.items():
        unit.emit("ecom.stock", key, codec.encode(event), codec.headers(event))
    levels.clear()
