"""What every inbound record goes through, whatever its topic: whose is it, what does it say, what follows."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

from streams.agents.backlogs import Backlogs
from streams.domain.books import Books, Moment
from streams.domain.outcomes import Outcome
from streams.runtime.batch import Batch
from streams.runtime.unit import KafkaUnit
from topics import moments
from topics.decoders import Decode
from topics.errors import WRONG_PARTITION, ContractError
from topics.event import Source
from topics.ids import StoreId
from topics.keys import decode_key
from topics.partitions import partition_of

Decide = Callable[[Books, Any], Outcome]
_Read = tuple[StoreId | None, Moment, bytes, Sequence[Any]]
"""Whose, when, the value, and its messages; of a record that cannot be read, the exception in their place."""

BLOCK = 50
"""So many records are read before the first of them is decided: each of the two runs faster while the
processor's caches hold its code. Far more would push the orders themselves out of the caches."""


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
        records = batch.records
        for begin in range(0, len(records), BLOCK):
            read = [self._read(record, batch.partition, unit) for record in records[begin : begin + BLOCK]]
            for store_id, moment, value, messages in read:
                for part, message in enumerate(messages):
                    if isinstance(message, Exception):
                        desk.fail(message, moment, value, store_id)
                    else:
                        desk.decide(
                            store_id,  # type: ignore[arg-type]  # known of every record that has a message
                            moment,
                            self._decide,
                            message,
                            value,
                            part if len(messages) > 1 else None,
                            needs_link=self._needs_link,
                        )
        desk.close()
        self._backlogs.note(unit)

    def _read(self, record: Any, partition: int, unit: KafkaUnit) -> _Read:
        store_id: StoreId | None = None
        value = record.value
        received_at = moments.of_record(record.timestamp)
        source = Source(topic=self._topic, partition=partition, offset=record.offset)
        messages: Sequence[Any]
        try:
            store_id = decode_key(record.key)
            if partition_of(record.key, self._backlogs.partitions) != partition:
                raise ContractError("wrong_partition", WRONG_PARTITION)
            messages = self._decode(value, received_at)
        except Exception as error:  # said when it is the record's turn: letters keep the records' order
            messages = (error,)
        return (
            store_id,
            Moment(source, received_at, unit.now, crc32(value) if value else 0),
            value or b"",
            messages,
        )
