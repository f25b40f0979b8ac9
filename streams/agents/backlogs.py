"""Stores with something left to do: held messages whose link has come, sales that stock has come for."""

from collections import Counter

from streams.agents.decision import REFUSED, Desk, UnitReader
from streams.domain import backlog
from streams.domain.outcomes import Outcome
from streams.runtime.unit import KafkaUnit
from topics.event import Source
from topics.ids import StoreId

STEPS = 2_000
"""So many are done in one unit; the lane goes on with the next unit before it takes new records."""


class Backlogs:
    """Finds unfinished stores after a restart, notes those that come up, and works through them in portions.

    `outcomes` counts how decisions ended, over all partitions; `partitions` is how many each topic has.
    """

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.outcomes: Counter[str] = Counter(dict.fromkeys([*Outcome, REFUSED], 0))
        self._stores: dict[int, dict[StoreId, None]] = {}

    def desk(self, unit: KafkaUnit) -> Desk:
        """Open the desk at which a unit's messages are decided."""
        return Desk(unit, self.outcomes, self._stores.setdefault(unit.partition, {}))

    def note(self, unit: KafkaUnit) -> None:
        """Have the lane go on with what the unit's decisions left to do."""
        if self._stores[unit.partition]:
            unit.pending = True

    def find(self, partition: int, unit: KafkaUnit) -> None:
        """Look through the tables of a partition that has just been taken over."""
        self._stores[partition] = dict.fromkeys(backlog.stores(UnitReader(unit)))
        self.note(unit)

    def go_on(self, unit: KafkaUnit) -> None:
        """Do a portion of what is left, store by store."""
        stores = self._stores[unit.partition]
        desk = self.desk(unit)
        source = Source(topic="", partition=unit.partition, offset=-1)  # no record: the store's own backlog
        steps = 0
        while stores and steps < STEPS:
            store_id = next(iter(stores))
            steps += 1
            if not desk.step(store_id, source):
                del stores[store_id]
        desk.close()
        self.note(unit)
