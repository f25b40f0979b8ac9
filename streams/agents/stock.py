"""The stock worker, put together: its tables, its agents, and what it goes on with after a restart."""

from typing import Any

import msgspec

from streams.agents import (
    corrections,
    inventory,
    links,
    orders,
    pos_fulfillments,
    pos_sales,
    products,
    profiles,
)
from streams.agents.backlogs import Backlogs
from streams.domain.tables import TABLES
from streams.runtime.tables import TableSpec
from streams.runtime.worker import Worker, build_stock_worker
from streams.settings import Settings
from topics.registry import OUTBOUND

GROWING = frozenset({"sales", "customers", "emails", "exceptions", "pos_sales"})
"""Tables that grow for ever: a return may come years after its order. The others are bounded by the catalogue
or by what is open."""


def table_specs() -> list[TableSpec[Any]]:
    """Return the tables of the stock worker; their changelogs are topics of their own."""
    return [
        TableSpec(name, msgspec.json.Decoder(kind), grows=name in GROWING) for name, kind in TABLES.items()
    ]


def stock_worker(settings: Settings, partitions: int) -> Worker:
    """Build the worker that decides; `partitions` is how many each topic has in Kafka."""
    backlogs = Backlogs(partitions)
    worker = build_stock_worker(
        settings,
        tables=table_specs(),
        outputs=[topic.name for topic in OUTBOUND],
        on_start=backlogs.find,
        continue_=backlogs.go_on,
    )
    worker.health.outcomes = backlogs.outcomes
    for source in (links, products, inventory, profiles, orders, pos_sales, pos_fulfillments, corrections):
        source.subscribe(worker, backlogs)
    return worker
