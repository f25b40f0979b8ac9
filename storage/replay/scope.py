"""Which part of the history is meant: all, a store, an order, a span of time or of offsets."""

from datetime import datetime

import msgspec


class Offsets(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one partition, from `begin` up to, and without, `end`; `topic` without the prefix."""

    topic: str
    partition: int
    begin: int
    end: int


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is replayed; nothing given: all history. Times are Kafka's, of the records; `until` is not in."""

    store_id: str | None = None
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    offsets: tuple[Offsets, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is all history: only such a replay can take the live history's place."""
        return self == Scope()

    @property
    def bounded(self) -> bool:
        """Whether it begins or ends somewhere in the log; else it is all that the log says, of whatever."""
        return bool(self.since or self.until or self.offsets)

    def __str__(self) -> str:
        parts = [
            f"{name} {value}"
            for name, value in (
                ("store", self.store_id),
                ("order", self.order_id),
                ("from", self.since and self.since.isoformat()),
                ("to", self.until and self.until.isoformat()),
            )
            if value
        ]
        parts += [f"{one.topic}:{one.partition}:{one.begin}-{one.end}" for one in self.offsets]
        return ", ".join(parts) or "all history"
