"""The rows that each topic's events become; one module per topic."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from storage.rows.customers import CUSTOMER
from storage.rows.dead_letters import LETTER
from storage.rows.entry import Entry
from storage.rows.exceptions import EXCEPTION
from storage.rows.fulfillments import FULFILLMENT
from storage.rows.movements import MOVED
from storage.rows.refunds import REFUND
from storage.rows.sales import SALE


class Target(Protocol):
    """Where the events of a topic go."""

    def decode(self, value: bytes, /) -> Any:
        """Return the event; raises msgspec.DecodeError."""

    async def write(self, connection: Any, entries: Sequence[Entry[Any]], *, careful: bool) -> None:
        """Write the events' rows in the connection's transaction."""


TARGETS: Mapping[str, Target] = {
    "sales": SALE,
    "fulfillments": FULFILLMENT,
    "refunds": REFUND,
    "stock.movements": MOVED,
    "customers": CUSTOMER,
    "exceptions": EXCEPTION,
    "dead.letters": LETTER,
}
"""By the topic's name in the registry. `ecom.stock` has no table: stock_levels and stock_by_sku tell it."""
