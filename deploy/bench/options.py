"""What to measure, and how much of it."""

from enum import StrEnum

import msgspec


class Part(StrEnum):
    """What can be measured by itself."""

    STOCK = "stock"
    """The stock worker drains a backlog of orders."""
    HISTORY = "history"
    """The history worker drains what came of them."""
    REPLAY = "replay"
    """The history is written once more, into a shadow."""
    END_TO_END = "end-to-end"
    """Both workers drain a backlog at once."""
    LATENCY = "latency"
    """Orders come at fixed rates."""
    RECOVERY = "recovery"
    """A table of a million rows is restored: how long it takes, and the memory that it fills."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How much to run: `orders` are in each backlog, `seconds` lasts each of the `rates` (orders a second).

    `rows` are in the table that is restored.
    """

    parts: tuple[Part, ...] = tuple(Part)
    orders: int = 60_000
    stores: int = 16
    partitions: int = 4
    rates: tuple[float, ...] = (100.0, 300.0)
    seconds: float = 30.0
    rows: int = 1_000_000


class BenchError(Exception):
    """A measurement did not come to its end; the text says what stood still or ended, and its last words."""
