"""The played log: partitions, transactions with markers, producer epochs and offsets, as Kafka has them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from aiokafka.errors import InvalidTxnState, ProducerFenced
from aiokafka.structs import TopicPartition

from tests.simulation.loop import EPOCH_S

MARKER_S = 0.03
"""So long at most until a marker is in a partition, after its transaction has been decided."""


class Record(NamedTuple):
    """What a reader is given."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class New(NamedTuple):
    """A record on its way to the log."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(eq=False)
class Transaction:
    """One transaction of a transactional id; `unit` is what the worker says it is about."""

    producer: str
    epoch: int
    number: int
    state: str = "open"
    partitions: dict[TopicPartition, int] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    group: str = ""
    unit: Any = None
    writer: Any = None
    markers_due: int = 0
    done: asyncio.Future[None] | None = None


class Log:
    """A partition. A control record takes an offset, and is never read."""

    def __init__(self, tp: TopicPartition) -> None:
        self.tp = tp
        self.records: list[Record | None] = []
        self.of: list[Transaction | None] = []
        self.open: dict[Transaction, int] = {}
        self.committed: set[Transaction] = set()
        self.waiting: list[asyncio.Future[None]] = []

    @property
    def end(self) -> int:
        return len(self.records)

    @property
    def stable(self) -> int:
        """The end for readers of committed records: where the first open transaction begins."""
        return min(self.open.values(), default=len(self.records))

    def append(self, new: Iterable[New], now: float, transaction: Transaction | None) -> None:
        if transaction is not None:
            self.open.setdefault(transaction, len(self.records))
        at = int((EPOCH_S + now) * 1000)
        for one in new:
            offset = len(self.records)
            self.records.append(
                Record(self.tp.topic, self.tp.partition, offset, at, one.key, one.value, one.headers)
            )
            self.of.append(transaction)
        if transaction is None:
            self.wake()

    def mark(self, transaction: Transaction, *, commit: bool) -> None:
        """Write the marker that ends a transaction here, and what its producer has undecided from before."""
        for one in [one for one in self.open if one.producer == transaction.producer]:
            del self.open[one]
            if commit:
                self.committed.add(one)
        self.records.append(None)
        self.of.append(None)
        self.wake()

    def wake(self) -> None:
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def read(self, position: int, limit: int, *, committed: bool) -> tuple[list[Record], int]:
        """Return up to so many records from a position on, and the position after them."""
        end = self.stable if committed else self.end
        found: list[Record] = []
        while position < end and len(found) < limit:
            record, transaction = self.records[position], self.of[position]
            if record is not None and (not committed or transaction is None or transaction in self.committed):
                found.append(record)
            position += 1
        # What is skipped behind the last record goes with it, as far as it goes.
        while position < end and (
            self.records[position] is None
            or (committed and (of := self.of[position]) is not None and of not in self.committed)
        ):
            position += 1
        return found, position

    def visible(self) -> list[Record]:
        """All committed records."""
        return self.read(0, len(self.records) + 1, committed=True)[0]


class Cluster:
    """All partitions, the transaction coordinator and the committed offsets.

    Offsets have a marker of their own, as in Kafka, and until it is written, at most `late_offsets_s` seconds
    after the commit, whoever asks for them gets the old ones.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        random: Random,
        transaction_timeout_s: float,
        *,
        late_offsets_s: float,
    ) -> None:
        self._loop = loop
        self._late_offsets_s = late_offsets_s
        self._random = random
        self._timeout_s = transaction_timeout_s
        self.logs: dict[TopicPartition, Log] = {}
        self.offsets: defaultdict[str, dict[TopicPartition, int]] = defaultdict(dict)
        self._epochs: defaultdict[str, int] = defaultdict(int)
        self._last: dict[str, Transaction] = {}
        self._unmarked_offsets: defaultdict[str, list[Transaction]] = defaultdict(list)
        self.leaderless_until = 0.0
        """Until then some partitions have no leader, and their markers are left out."""
        self.on_commit: Callable[[Transaction], None] = lambda transaction: None
        """Told at the moment when a transaction is decided to be committed."""
        self.on_unit: Callable[[int, Any], None] = lambda partition, unit: None
        """Told when a worker is done with a unit, also one that came to nothing."""

    def log(self, topic: str, partition: int) -> Log:
        tp = TopicPartition(topic, partition)
        found = self.logs.get(tp)
        if found is None:
            found = self.logs[tp] = Log(tp)
        return found

    def publish(self, topic: str, partition: int, new: Iterable[New]) -> None:
        """Append as a plain producer does."""
        self.log(topic, partition).append(new, self._loop.time(), None)

    def publish_aborted(self, topic: str, partition: int, new: Iterable[New]) -> None:
        """Append what its producer then takes back: it was never said."""
        transaction = Transaction("elsewhere", 0, 0)
        log = self.log(topic, partition)
        log.append(new, self._loop.time(), transaction)
        self._later(lambda: log.mark(transaction, commit=False))

    # The transaction coordinator. What waits returns a future.

    def init(self, producer: str) -> asyncio.Future[int]:
        """Give a producer its epoch, once the transaction that an earlier one left is at its end."""
        answer: asyncio.Future[int] = self._loop.create_future()
        last = self._last.get(producer)
        if last is not None and last.state == "open":
            self._epochs[producer] += 1
            self._end(last, commit=False)

        def settled(_: object = None) -> None:
            self._epochs[producer] += 1
            if not answer.done():
                answer.set_result(self._epochs[producer])

        self._when_settled(producer, settled)
        return answer

    def join(self, producer: str, epoch: int, number: int, unit: Any, writer: Any) -> Transaction:
        """Return the producer's open transaction of that number, begun if need be."""
        self._check(producer, epoch)
        last = self._last.get(producer)
        if last is None or (last.epoch, last.number) < (epoch, number):
            last = self._last[producer] = Transaction(producer, epoch, number, unit=unit, writer=writer)
            self._loop.call_later(self._timeout_s, self._expire, last)
        if (last.epoch, last.number) != (epoch, number) or last.state != "open":
            raise InvalidTxnState(f"transaction {number} of {producer} is {last.state}")
        return last

    def settled(self, producer: str, epoch: int, number: int) -> asyncio.Future[None] | None:
        """Return what to wait for before transaction `number` may begin; None: nothing."""
        last = self._last.get(producer)
        if last is None or (last.epoch, last.number) >= (epoch, number):
            return None
        return None if last.done is None or last.done.done() else last.done

    def produce(self, transaction: Transaction, topic: str, partition: int, new: Iterable[New]) -> int:
        """Append a transaction's records, and return where."""
        self._check(transaction.producer, transaction.epoch)
        log = self.log(topic, partition)
        at = log.end
        transaction.partitions.setdefault(log.tp, at)
        log.append(new, self._loop.time(), transaction)
        return at

    def add_partitions(
        self, transaction: Transaction, group: str, partitions: Iterable[TopicPartition]
    ) -> None:
        """Have a transaction end in these partitions, and in the group's offsets, without a record."""
        self._check(transaction.producer, transaction.epoch)
        transaction.group = group
        for tp in partitions:
            transaction.partitions.setdefault(tp, self.log(*tp).end)

    def decided(self, producer: str) -> bool | None:
        """Whether the last transaction of a producer was committed; None: there was none."""
        last = self._last.get(producer)
        return None if last is None else last.state in ("committing", "committed")

    def stable_offsets(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The committed offsets that no transaction may still change."""
        left = [one for ones in self._unmarked_offsets.values() for one in ones]
        left += [one for one in self._last.values() if one.state in ("open", "committing", "aborting")]
        unstable = {tp for one in left if one.group == group for tp in one.offsets}
        return {tp: self.offsets[group].get(tp, -1) for tp in partitions if tp not in unstable}

    def add_offsets(
        self, transaction: Transaction, group: str, offsets: Mapping[TopicPartition, int]
    ) -> None:
        self._check(transaction.producer, transaction.epoch)
        transaction.group = group
        transaction.offsets.update(offsets)

    def end(self, producer: str, epoch: int, number: int, *, commit: bool) -> None:
        """Decide a transaction; its markers follow."""
        self._check(producer, epoch)
        last = self._last.get(producer)
        if last is None or (last.epoch, last.number) != (epoch, number):
            return  # nothing was ever added
        if last.state != "open":
            raise InvalidTxnState(f"transaction {number} of {producer} is {last.state}")
        self._end(last, commit=commit)

    def _end(self, transaction: Transaction, *, commit: bool) -> None:
        if commit:
            self.on_commit(transaction)
        transaction.state = "committing" if commit else "aborting"
        transaction.done = self._loop.create_future()
        transaction.markers_due = len(transaction.partitions) + 1

        def marked() -> None:
            transaction.markers_due -= 1
            if not transaction.markers_due:
                transaction.state = "committed" if commit else "aborted"
                if transaction.done is not None and not transaction.done.done():
                    transaction.done.set_result(None)

        def mark(tp: TopicPartition) -> None:
            if not self._leaderless():
                self.logs[tp].mark(transaction, commit=commit)
            marked()

        def commit_offsets() -> None:
            unmarked = self._unmarked_offsets[transaction.producer]
            if transaction.group:
                unmarked.append(transaction)
                if not self._leaderless():
                    for one in unmarked if commit else ():
                        self.offsets[one.group].update(one.offsets)
                    unmarked.clear()
            marked()

        for tp in transaction.partitions:
            self._later(lambda tp=tp: mark(tp))  # type: ignore[misc]
        if self._late_offsets_s:
            self._loop.call_later(self._random.random() * self._late_offsets_s, commit_offsets)
        else:
            commit_offsets()

    def _expire(self, transaction: Transaction) -> None:
        if transaction.state == "open":
            self._epochs[transaction.producer] += 1
            self._end(transaction, commit=False)

    def _when_settled(self, producer: str, then: Callable[[], None]) -> None:
        last = self._last.get(producer)
        if last is None or last.done is None or last.done.done():
            then()
        else:
            last.done.add_done_callback(lambda _: then())

    def _check(self, producer: str, epoch: int) -> None:
        if epoch != self._epochs[producer]:
            raise ProducerFenced(f"{producer}: epoch {epoch}, and {self._epochs[producer]} is the last given")

    def _leaderless(self) -> bool:
        return self._loop.time() < self.leaderless_until and self._random.random() < 0.5

    def _later(self, act: Callable[[], None]) -> None:
        self._loop.call_later(self._random.random() * MARKER_S, act)
