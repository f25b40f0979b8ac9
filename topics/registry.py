"""Every topic: what it holds, its key, who writes it, and how Kafka keeps it."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from topics.codec import EVENTS

Direction = Literal["in", "out", "changelog"]
Cleanup = Literal["delete", "compact"]

DAY_MS = 86_400_000
INPUT_BYTES = 1_048_588
"""Kafka's own default: what any producer may send without being set up for more."""
OUTPUT_BYTES = 8 * 1_048_576
"""Events and table values are whole sales: larger than the input that caused them (DESIGN 5)."""
KEPT_FOR_EVER = -1


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic. `name` is without the prefix; `retention_ms` -1 keeps records for ever.

    `written_by` is who may write to it; `schema` is a file in topics/schemas.
    """

    name: str
    direction: Direction
    key: str
    written_by: str
    message: str
    schema: str | None
    description: str
    cleanup: Cleanup = "delete"
    retention_ms: int = KEPT_FOR_EVER
    max_message_bytes: int = OUTPUT_BYTES
    compression: str = "producer"

    def full_name(self, prefix: str = "") -> str:
        return prefix + self.name

    def config(self, min_insync_replicas: int = 1) -> Mapping[str, str]:
        """Return Kafka's settings for the topic; all the others stay as the broker has them."""
        settings = {
            "cleanup.policy": self.cleanup,
            "compression.type": self.compression,
            "max.message.bytes": str(self.max_message_bytes),
            "min.insync.replicas": str(min_insync_replicas),
            "unclean.leader.election.enable": "false",
        }
        if self.cleanup == "delete":
            settings["retention.ms"] = str(self.retention_ms)
        else:
            # Small segments and an early start: what is replaced goes soon, so a recovery reads little.
            settings["segment.bytes"] = str(64 * 1_048_576)
            settings["min.cleanable.dirty.ratio"] = "0.2"
            # A reader that is away for a week still learns of a deletion.
            settings["delete.retention.ms"] = str(7 * DAY_MS)
        return settings


def _inbound(
    name: str,
    written_by: str,
    message: str,
    description: str,
    *,
    compact: bool = False,
    retention_ms: int = 30 * DAY_MS,
) -> Topic:
    return Topic(
        name=name,
        direction="in",
        key="store id",
        written_by=written_by,
        message=message,
        schema=f"{name}.json",
        description=description,
        cleanup="compact" if compact else "delete",
        # A worker that was down for a fortnight loses nothing, and an order can be re-driven for a month.
        retention_ms=KEPT_FOR_EVER if compact else retention_ms,
        max_message_bytes=INPUT_BYTES,
    )


def _outbound(
    name: str,
    description: str,
    *,
    key: str = "store id",
    compact: bool = False,
    retention_ms: int = KEPT_FOR_EVER,
) -> Topic:
    return Topic(
        name=name,
        direction="out",
        key=key,
        written_by="the stock worker",
        message=EVENTS[name].__name__,
        schema=f"{name}.json",
        description=description,
        cleanup="compact" if compact else "delete",
        retention_ms=retention_ms,
    )


TOPICS: tuple[Topic, ...] = (
    _inbound("ecom.orders", "the online store's gateway", "Order", "order snapshots, and search answers"),
    _inbound("pos.inventory", "the point of sale's gateway", "InventoryLevel", "absolute stock counts"),
    _inbound(
        "pos.sales", "the point of sale's gateway", "PosSale", "its sales: ours acknowledged, returns, voids"
    ),
    _inbound(
        "pos.fulfillments", "the point of sale's gateway", "PosFulfillment", "picked, packed, handed over"
    ),
    _inbound("pos.products", "the point of sale's gateway", "Product", "products: id, SKU, active or not"),
    _inbound("pos.customers", "the point of sale's gateway", "Profile", "customer profiles"),
    _inbound(
        "store.links",
        "the store's owner (tillstream link set)",
        "StoreLink",
        "how each store is set up; without a value the link is removed",
        compact=True,
    ),
    _inbound(
        "stock.corrections",
        "operators (tillstream reconcile compensate)",
        "Correction",
        "orders to put stock levels right, with who and why",
        # Few, and each is the reason of a movement that is kept as long.
        retention_ms=KEPT_FOR_EVER,
    ),
    # Kept for ever: the history in Postgres is rebuilt from these by replay.
    _outbound("sales", "each sale, whole, at each revision"),
    _outbound("fulfillments", "each fulfilment, whole, at each revision"),
    _outbound("refunds", "each refund through the point of sale, whole, at each revision"),
    _outbound("stock.movements", "the ledger of every change to a stock level"),
    _outbound("customers", "each customer, as it is now", key="store id/customer id", compact=True),
    _outbound("ecom.stock", "the online level of each SKU, as it is now", key="store id/SKU", compact=True),
    _outbound("exceptions", "what needs a person, as it opens and closes"),
    # Letters hold part of the record, so also names and addresses: not longer than they are of use.
    _outbound("dead.letters", "records that could not be understood", retention_ms=365 * DAY_MS),
)

BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TOPICS}
INBOUND: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.direction == "in")
OUTBOUND: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.direction == "out")


def topic(name: str) -> Topic:
    """Return the topic of that name (without prefix); LookupError names those that exist."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise LookupError(f"no topic {name!r}; there are {', '.join(BY_NAME)}") from None


def changelog(name: str) -> Topic:
    """Return the changelog topic of that full name: compacted, the last value of each table key."""
    return Topic(
        name=name,
        direction="changelog",
        key="table key",
        written_by="the stock worker",
        message="table value",
        schema=None,
        description="changelog of a table of the stock worker",
        cleanup="compact",
    )


def changelog_name(app_id: str, table: str) -> str:
    return f"{app_id}-{table}-changelog"
