"""What lanes work on: the records of one fetch of one partition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka.structs import ConsumerRecord
from faust.types import TP


def _not_tracked() -> object:
    return None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one topic and partition in log order.

    `begin` is the position that the consumer went on from, `next_offset` the position after the batch;
    offsets between them that have no record are control records, aborted or compacted ones. `records` is
    empty when the position moved over such offsets only.
    """

    topic: str
    """As it is called in Kafka, prefix included."""
    partition: int
    records: Sequence[ConsumerRecord]
    next_offset: int
    begin: int
    epoch: int = 0
    """Which assignment it was fetched under; batches of an earlier one are dropped."""
    ack: Callable[[], object] = field(default=_not_tracked, repr=False, compare=False)
    """Tells Faust that the batch is done with; called once its unit is committed."""

    def __repr__(self) -> str:
        return (
            f"{self.topic}/{self.partition}[{self.begin}..{self.next_offset}) of {len(self.records)} records"
        )


__all__ = ["TP", "Batch"]
