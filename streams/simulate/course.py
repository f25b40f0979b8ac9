"""One partition number's records, decided twice: as the links have it, and with another policy."""

from typing import Any

import msgspec

from storage.rows.entry import Record
from streams.domain.books import Moment
from streams.domain.inbound import read
from streams.simulate.shelves import Shelves
from streams.simulate.tally import Tally
from streams.simulate.world import World
from topics.decoders import MESSAGES
from topics.event import Event
from topics.ids import StoreId
from topics.links import StoreLink


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
        store_id, moment, messages = read(topic, record.partition, record, MESSAGES[topic], self._partitions)
        if self._store is not None and store_id != self._store:
            return  # also when nobody knows whose it is: of one store alone it is not asked
        for message in messages:
            if store_id is None or isinstance(message, Exception):
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
