"""What every inbound record goes through, whatever its topic: whose is it, what does it say, what follows."""

from collections.abc import Callable
from typing import Any

from streams.agents.backlogs import Backlogs
from streams.domain.books import Books
from streams.domain.inbound import read
from streams.domain.outcomes import Outcome
from streams.runtime.batch import Batch
from streams.runtime.unit import KafkaUnit
from topics.decoders import Decode

Decide = Callable[[Books, Any], Outcome]

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
        records, partitions = batch.records, self._backlogs.partitions
        for begin in range(0, len(records), BLOCK):
            block = records[begin : begin + BLOCK]
            known = [
                read(self._topic, batch.partition, record, self._decode, partitions, unit.now)
                for record in block
            ]
            for record, (store_id, moment, messages) in zip(block, known, strict=True):
                value = record.value or b""
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
