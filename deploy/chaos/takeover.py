"""How long the orders of a worker that is gone wait: until another one commits the next decision."""

import asyncio
import re
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.demo.keeper import WorkerProcess
from streams.settings import Settings

LOOK_EVERY_S = 0.05
_OWNS = re.compile(rb"owns partitions \[([\d, ]*)\]")


class Assignments:
    """The partitions that a worker has been given, as its log tells; read as far as it goes."""

    def __init__(self, log: Path) -> None:
        self.count = 0
        self.last: frozenset[int] = frozenset()
        self._log = log
        self._read = 0

    def look(self) -> None:
        """Read what is new."""
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        for numbers in _OWNS.findall(whole):
            self.count += 1
            self.last = frozenset(int(number) for number in numbers.split(b",") if number.strip())


class TakeOvers:
    """Measures, in the background. `by_others` and `by_itself` are in milliseconds.

    From the moment at which a stock worker was killed or stopped until a decision on one of its partitions is
    committed by another worker, or by itself once it was started again.
    """

    def __init__(self, settings: Settings, workers: Iterable[WorkerProcess]) -> None:
        self.by_others: list[float] = []
        self.by_itself: list[float] = []
        self._topic = settings.worker.topic("sales")
        self._partitions = settings.worker.partitions
        workers = list(workers)
        self._assignments = {worker.name: Assignments(worker.log) for worker in workers}
        self._deciding = {worker.name for worker in workers if worker.kind == "stock"}
        self._visible = AIOKafkaConsumer(
            **settings.kafka.client_options(), isolation_level="read_committed", enable_auto_commit=False
        )
        self._measuring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._visible.start()

    async def stop(self) -> None:
        await self.give_up()
        await self._visible.stop()

    async def give_up(self) -> None:
        """Drop what is not measured by now: no more decisions are to come."""
        for task in self._measuring:
            task.cancel()
        await asyncio.gather(*self._measuring, return_exceptions=True)
        self._measuring.clear()

    def owned(self, worker: str) -> frozenset[int]:
        """Return the partitions that a worker was given last."""
        self._assignments[worker].look()
        return self._assignments[worker].last

    def shared(self, kind: str) -> bool:
        """Tell whether the workers of a kind have all partitions, and each of them has some."""
        parts = [self.owned(name) for name in self._assignments if name.partition("-")[0] == kind]
        return all(parts) and sorted(chain(*parts)) == list(range(self._partitions))

    def begin(self, worker: str) -> frozenset[int]:
        """Measure from now: the worker is just being killed or stopped. Return the partitions that it had."""
        began, lost = time.monotonic(), self.owned(worker)
        self._assignments[worker].last = frozenset()
        if lost and worker in self._deciding:
            for one in self._assignments.values():
                one.look()
            before = {name: one.count for name, one in self._assignments.items()}
            self._measuring.add(asyncio.create_task(self._measure(worker, began, lost, before)))
        return lost

    async def _measure(self, gone: str, began: float, lost: frozenset[int], before: dict[str, int]) -> None:
        heir, places = "", list[TopicPartition]()
        while not places:
            await asyncio.sleep(LOOK_EVERY_S)
            for name in self._deciding:
                one = self._assignments[name]
                one.look()
                if one.count > before[name] and (taken := one.last & lost):
                    heir, places = name, [TopicPartition(self._topic, number) for number in sorted(taken)]
        ends = await self._ends(places)
        while await self._ends(places) <= ends:  # noqa: ASYNC110 - the broker is asked, it tells nobody
            await asyncio.sleep(LOOK_EVERY_S)
        found = self.by_itself if heir == gone else self.by_others
        found.append((time.monotonic() - began) * 1000)

    async def _ends(self, places: list[TopicPartition]) -> int:
        while True:
            try:
                return sum((await self._visible.end_offsets(places)).values())
            except KafkaError:
                await asyncio.sleep(LOOK_EVERY_S)
