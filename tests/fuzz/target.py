"""What is fuzzed: a store that takes records through the stock worker's own agents, and never stumbles."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from streams.runtime.batch import Batch
from streams.runtime.unit import KafkaUnit
from tests.fuzz.corpus import opening
from tests.plan import Plan
from tests.simulation.bench import stock_agents
from topics.codec import DECODERS
from topics.dead_letters import DeadLetter
from topics.errors import REASONS

STORE = b"store-1"
AT_MS = 1_772_442_000_000
RECORDS_PER_STORE = 150
"""So many records until the store begins anew: long enough for a history, short enough to be repeated."""
SLOW_S = 0.2
SLOW_S_PER_BYTE = 2e-6
"""What a record may take: it is far above what one does, and far below what a lane would stand still for."""


class Record(NamedTuple):
    """As much of a Kafka record as the agents look at."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int


class FoundError(AssertionError):
    """A record that was neither decided nor refused with a reason, or that took too long."""


class Target:
    """A store's tables, and the agents; `letters` counts the records that were refused."""

    def __init__(self) -> None:
        self.taken = 0
        self.letters = 0
        self.slowest_s = 0.0
        self._opening = list(opening())
        self._open()

    def take(self, topic: str, value: bytes | None, key: bytes | None = STORE) -> None:
        """Take a record; FoundError when it is not dealt with as it should be."""
        if self.taken and self.taken % RECORDS_PER_STORE == 0:
            self._open()
        self.taken += 1
        began = time.perf_counter()
        self._take(topic, value, key)
        took = time.perf_counter() - began
        if took > self._most(value):
            # Was it the record, or others on this machine? Then it takes as much of the processor's time.
            self._open()
            took = min(self._busy(topic, value, key) for _ in range(3))
            if took > self._most(value):
                raise FoundError(f"{topic}: {len(value or b'')} bytes took {took:.2f} s")
        self.slowest_s = max(self.slowest_s, took)

    def _busy(self, topic: str, value: bytes | None, key: bytes | None) -> float:
        began = time.process_time()
        self._take(topic, value, key)
        return time.process_time() - began

    @staticmethod
    def _most(value: bytes | None) -> float:
        return SLOW_S + SLOW_S_PER_BYTE * len(value or b"")

    def _open(self) -> None:
        """Begin anew: a store that is linked, has stock, and knows an order that all payloads are about."""
        self._plan = Plan(lambda: None)
        self._agents = stock_agents(partitions=1)
        self._offset = 0
        for topic, value in self._opening:
            self._take(topic, value, STORE)

    def _take(self, topic: str, value: bytes | None, key: bytes | None) -> None:
        unit = _Unit(0, self._plan)
        unit.now = datetime.fromtimestamp(AT_MS / 1000 + self._offset, UTC)
        record = Record(key, value, self._offset, AT_MS + self._offset * 1000)
        self._offset += 1
        handle = self._agents.handlers[topic]
        assert handle is not None
        handle(Batch(topic, 0, [record], record.offset + 1, record.offset), unit)
        while unit.pending:
            unit.pending = False
            self._agents.continue_(unit)
        unit.seal().apply()
        for name, event in unit.written:
            self._look_at(name, event)

    def _look_at(self, topic: str, value: bytes) -> None:
        """Read an event as a consumer does."""
        event = DECODERS[topic](value)
        if not isinstance(event, DeadLetter):
            return
        self.letters += 1
        if event.reason not in REASONS or event.reason == "rule_failed":
            raise FoundError(f"{event.source.topic}: {event.detail}\n{event.traceback or ''}")
        if not 0 < len(event.detail) < 500:
            raise FoundError(f"{event.source.topic}: a reason of {len(event.detail)} characters")


class _Batch:
    """A produce batch of which nothing is kept."""

    def append(self, **_: Any) -> object:
        return self


class _Maker:
    @staticmethod
    def create_batch() -> Any:
        return _Batch()


class _Unit(KafkaUnit):
    """A unit that keeps what is emitted."""

    __slots__ = ("written",)

    def __init__(self, partition: int, plan: Plan) -> None:
        super().__init__(partition, plan, _Maker())
        self.written: list[tuple[str, bytes]] = []

    def emit(
        self, topic: str, key: bytes, value: bytes | None, headers: Any = (), timestamp_ms: Any = None
    ) -> None:
        super().emit(topic, key, value, headers, timestamp_ms)
        if value is not None:
            self.written.append((topic, value))
