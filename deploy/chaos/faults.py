"""Brings about what the plan says."""

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping

from aiokafka.errors import KafkaError

from deploy.chaos.plan import SESSION_S, Fault, Kind
from deploy.chaos.site import Site
from deploy.chaos.takeover import TakeOvers
from deploy.demo.keeper import COMMAND
from deploy.local.step import step
from deploy.verify import offsets
from deploy.verify.findings import Findings

LOOK_AFTER_S = 1.0
"""After a kill, until what the worker had committed has its last markers; nobody takes over so soon."""
OFF_COMMAND = ("-m", "deploy.chaos.clock")


class Faults:
    """`done` counts them by kind. What is found on the way goes to `findings`."""

    def __init__(self, site: Site, take_overs: TakeOvers, findings: Findings) -> None:
        self.done: Counter[Kind] = Counter()
        self._site = site
        self._take_overs = take_overs
        self._findings = findings
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ways: Mapping[Kind, Callable[[Fault], Awaitable[None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "cut": self._cut,
            "delay": self._delay,
            "clock": self._clock,
            "broker": self._broker,
            "stall": self._stall,
            "postgres": self._postgres,
            "disk": self._disk,
        }

    async def bring(self, fault: Fault) -> None:
        """Do it and undo it again; what befalls the same target goes one after the other."""
        async with self._busy[fault.target]:
            await self._ways[fault.kind](fault)
        self.done[fault.kind] += 1

    async def _kill(self, fault: Fault) -> None:
        worker, keeper = self._site.workers[fault.target], self._site.keeper
        keeper.held.add(worker.name)
        try:
            lost = self._take_overs.begin(worker.name)
            await worker.kill()
            if fault.lasts_s > SESSION_S and worker.kind == "stock" and lost:
                await asyncio.sleep(LOOK_AFTER_S)
                await self._look_at_offsets(lost)
                await asyncio.sleep(fault.lasts_s - LOOK_AFTER_S)
            else:
                await asyncio.sleep(fault.lasts_s)
            worker.start(keeper.command)
        finally:
            keeper.held.discard(worker.name)

    async def _look_at_offsets(self, partitions: Collection[int]) -> None:
        settings = self._site.settings
        try:
            found = await offsets.ahead(settings, settings.worker.app_id("stock"), partitions)
        except KafkaError:
            return  # the broker is away, too: nothing can be seen
        for text in found:
            self._findings.add("torn", text)

    async def _stop(self, fault: Fault) -> None:
        worker = self._site.workers[fault.target]
        if not worker.signal(signal.SIGSTOP):
            return  # it is dead already, of another fault
        self._take_overs.begin(worker.name)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            worker.signal(signal.SIGCONT)

    async def _clock(self, fault: Fault) -> None:
        worker, keeper = self._site.workers[fault.target], self._site.keeper
        keeper.held.add(worker.name)
        try:
            self._take_overs.begin(worker.name)
            await worker.kill()
            # A build under test has no clock of its own to be put off.
            off = (*OFF_COMMAND, f"{fault.amount:.0f}") if keeper.command == COMMAND else keeper.command
            worker.start(off)
        finally:
            keeper.held.discard(worker.name)

    async def _cut(self, fault: Fault) -> None:
        door = self._site.doors[fault.target]
        door.shut()
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            door.unlock()

    async def _delay(self, fault: Fault) -> None:
        door = self._site.doors[fault.target]
        door.delay_s = fault.amount
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            door.delay_s = 0.0

    async def _broker(self, fault: Fault) -> None:
        kafka = self._site.stack.kafka
        await self._away("kafka", fault, kafka.kill, kafka.start)

    async def _stall(self, fault: Fault) -> None:
        server = self._site.stack.kafka.server
        broker = server.process() if server is not None else None
        if broker is None:
            return  # it is dead already, of another fault
        broker.suspend()
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            broker.resume()

    async def _postgres(self, fault: Fault) -> None:
        postgres = self._site.stack.postgres
        await self._away("postgres", fault, lambda: postgres.stop("immediate"), postgres.start)

    async def _away(
        self, name: str, fault: Fault, end: Callable[[], None], start: Callable[[], bool]
    ) -> None:
        held = self._site.keeper.held
        held.add(name)
        try:
            await step(end)
            await asyncio.sleep(fault.lasts_s)
            await step(start)
        finally:
            held.discard(name)

    async def _disk(self, fault: Fault) -> None:
        site = self._site
        site.keeper.held.add("postgres")
        await step(site.disk.fill)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            await step(site.disk.empty)
        # Without room for its log it may have given up; one that is still busy with that is waited for.
        await step(site.stack.postgres.start)
        site.keeper.held.discard("postgres")
