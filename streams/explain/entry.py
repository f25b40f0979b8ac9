"""One thing that happened, and where it is written."""

from datetime import datetime
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record of a topic, or a row in Postgres, that concerns an order; times in UTC.

    `at` is what entries are sorted by: a record's time in the log, or when a row was written. `mark` is what
    became of an inbound record: decided, duplicate, late …. `detail` are sentences without personal data;
    `data` is the whole record, which may hold names and addresses, and is there only when asked for.
    """

    at: datetime
    source: str
    """The topic without prefix, or `postgres`."""
    what: str
    partition: int | None = None
    offset: int | None = None
    table: str | None = None
    id: str | None = None
    revision: int | None = None
    mark: str | None = None
    caused_by: str | None = None
    """Where the record stands that led to it: topic/partition@offset."""
    detail: list[str] = []
    event_time: datetime | None = None
    received_at: datetime | None = None
    processed_at: datetime | None = None
    headers: dict[str, str] = {}
    """What was put on the record beside its value, such as the mark of one that was sent again."""
    data: Any = None


_RANKS = {
    "ecom.orders": 0,
    "pos.sales": 0,
    "pos.fulfillments": 0,
    "dead.letters": 1,
    "sales": 2,
    "fulfillments": 3,
    "refunds": 4,
    "stock.movements": 5,
    "exceptions": 6,
    "postgres": 9,
}
"""Of one moment: what came in stands before what was decided, and that before its rows."""


def in_order(entries: list[Entry]) -> list[Entry]:
    """Sort by time; within a moment causes stand before effects, and a topic keeps its order."""
    return sorted(
        entries,
        key=lambda entry: (
            entry.at,
            _RANKS.get(entry.source, 8),
            entry.source,
            -1 if entry.offset is None else entry.offset,
            entry.table or "",
            entry.id or "",
            entry.revision or 0,
        ),
    )
