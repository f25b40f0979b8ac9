"""What every inbound record goes through, whatever its topic: whose is it, what does it say, what follows."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from streams.agents.backlogs import Backlogs
from streams.domain.books import Books, Moment
from streams.domain.outcomes import Outcome
from streams.runtime.batch import Batch
from streams.runtime.unit import KafkaUnit
from topics.errors import WRONG_PARTITION, ContractError
from topics.event import Source
from topics.ids import StoreId
from topics.keys import decode_key
from topics.partitions import partition_of

Decode = Callable[[bytes | None, datetime], Sequence[Any]]
"""From a record's value and time to its messages; a part that was refused is its ContractError."""
Decide = Callable[[Books, Any], Outcome]


def alone(decode: Callable[[bytes | None], Any]) -> Decode:
    """Make a Decode of a decoder whose records hold one message each."""
    return lambda value, _: (decode(value),)


class Intake:
    """Takes the records of one topic, in order: each is decided, held, or refused with a dead letter.

    `needs_link` is false for the topic that brings the link.
    """

    def __init__(
        self, topic: str, decode: Decode, decide: Decide, backlogs: Backlogs, *, needs_link: bool = True
    ) -> None:
        self._topic = topic
        self._decode = decode
        self._decide = decide
        self._backlogs = backlogs
        self._needs_link = needs_link

    def __call__(self, batch: Batch, unit: KafkaUnit) -> None:
        """Take a batch into the unit."""
        desk = self._backlogs.desk(unit)
        topic, partition, partitions = self._topic, batch.partition, self._backlogs.partitions
        for record in batch.records:
            store_id: StoreId | None = None
            value = record.value
            received_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            source = Source(topic=topic, partition=partition, offset=record.offset)
            moment = Moment(source, received_at, unit.now, crc32(value) if value else 0)
            try:
                store_id = decode_key(record.key)
                if partition_of(record.key, partitions) != partition:
                    raise ContractError("wrong_partition", WRONG_PARTITION)
                messages = self._decode(value, received_at)
            except ContractError as error:
                desk.refuse(error, source, value or b"", received_at, store_id)
                continue
            except Exception as fault:
                desk.fail(fault, moment, value or b"", store_id)
                continue
            for part, message in enumerate(messages):
                if isinstance(message, ContractError):
                    desk.refuse(message, source, value, received_at, store_id)
                else:
                    desk.decide(
                        store_id,
                        moment,
                        self._decide,
                        message,
                        value or b"",
                        part if len(messages) > 1 else None,
                        needs_link=self._needs_link,
                    )
        desk.close()
        self._backlogs.note(unit)
