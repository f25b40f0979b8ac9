"""The processor topology: which worker reads what, keeps what and writes what. Derived, never typed twice."""

import msgspec

from storage.rows import TARGETS
from streams.domain.tables import TABLES
from streams.settings import WorkerSettings
from topics.registry import INBOUND, OUTBOUND, changelog_name


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of worker.

    `tables` maps a table to its changelog topic; `sinks` are topics, or tables in Postgres.
    """

    worker: str
    group: str
    sources: tuple[str, ...]
    tables: dict[str, str]
    sinks: tuple[str, ...]


def topology(worker: WorkerSettings) -> tuple[Node, ...]:
    """Return both workers as they are wired, names in full."""
    stock, history = worker.app_id("stock"), worker.app_id("history")
    return (
        Node(
            worker="stock",
            group=stock,
            sources=tuple(topic.full_name(worker.prefix) for topic in INBOUND),
            tables={table: changelog_name(stock, table) for table in TABLES},
            sinks=tuple(topic.full_name(worker.prefix) for topic in OUTBOUND),
        ),
        Node(
            worker="history",
            group=history,
            sources=tuple(worker.topic(name) for name in TARGETS),
            tables={},
            sinks=tuple(f"postgres:tillstream.{name}" for name in HISTORY_TABLES),
        ),
    )


HISTORY_TABLES = (
    "sales",
    "sale_lines",
    "sale_payments",
    "sale_returns",
    "fulfillments",
    "fulfillment_lines",
    "refunds",
    "stock_movements",
    "stock_levels",
    "customers",
    "exceptions",
    "dead_letters",
    "progress",
)
