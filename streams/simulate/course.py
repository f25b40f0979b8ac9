"""One partition number's records, decided twice: as the links have it, and with another policy."""

from typing import Any
from zlib import crc32

import msgspec

from storage.rows.entry import Record
from streams.domain.books import Moment
from streams.simulate.shelves import Shelves
from streams.simulate.tally import Tally
from streams.simulate.world import World
from topics import moments
from topics.decoders import MESSAGES
from topics.errors import ContractError
from topics.event import Event, Source
from topics.ids import StoreId
from topics.keys import decode_key
from topics.links import StoreLink
from topics.partitions import partition_of


class Course:
    """The stores of one partition number by each link's own policy, and by another.

    `tallies` count what comes of the one and of the other; `store_id` None: all stores.
    """

    def __init__(
        self, policy: str, store_id: StoreId | None, tallies: tuple[Tally, Tally], partitions: int
    ) -> None:
        self._policy = policy
        self._store = store_id
        self._partitions = partitions
        self._own_tally, self._other_tally = tallies
        self.own = World()
        self.simulated = World()
        self._shelves = Shelves(self.simulated)
        self.refused = 0

    def take(self, topic: str, record: Record) -> None:
        """Decide a record in both."""
        try:
            store_id = decode_key(record.key)
        except ContractError:
            # Nobody knows whose it is: of one store alone it is not asked.
            self.refused += self._store is None
            return
        if self._store is not None and store_id != self._store:
            return
        try:
            if partition_of(record.key, self._partitions) != record.partition:
                self.refused += 1
                return
            received_at = moments.of_record(record.timestamp)
            messages = MESSAGES[topic](record.value, received_at)
        except (ContractError, RecursionError):
            self.refused += 1
            return
        source = Source(topic=topic, partition=record.partition, offset=record.offset)
        checksum = crc32(record.value) if record.value else 0
        moment = Moment(source, received_at, received_at, checksum)
        for message in messages:
            if isinstance(message, Exception):
                self.refused += 1
            else:
                self._decide(store_id, moment, topic, message)

    def _decide(self, store_id: StoreId, moment: Moment, topic: str, message: Any) -> None:
        really = self.own.take(store_id, moment, topic, message)
        there: list[Event] = []
        for told in self._shelves.told(store_id, moment, message):
            if isinstance(told, StoreLink):
                told = msgspec.structs.replace(told, policy=self._policy)  # noqa: PLW2901
            there += self.simulated.take(store_id, moment, topic, told)
        counts = self._shelves.settle(store_id, moment, really, there)
        for count in counts:
            there += self.simulated.take(store_id, moment, "pos.inventory", count)
        for event in really:
            self._own_tally.take(event)
        for event in there:
            self._other_tally.take(event)

    def finish(self) -> None:
        """Count what the rules themselves refused."""
        self.refused += self.own.refused
