"""One run: inputs, workers and faults of a seed, from the first record until all is decided and written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka.structs import TopicPartition

from tests.simulation import faults, inputs
from tests.simulation.bench import Unit, played
from tests.simulation.faults import Fault
from tests.simulation.group import Group
from tests.simulation.inputs import Input
from tests.simulation.log import Cluster, New, Transaction
from tests.simulation.loop import StuckError, VirtualLoop
from tests.simulation.postgres import Server
from tests.simulation.process import Armed
from tests.simulation.trace import Trace
from tests.simulation.workers import SOURCES, WorkerProcess, is_expected

STORM_S = 6.0
"""So long things are published and go wrong; then all goes well until the end."""
CALM_S = 200.0
"""So long at most until everything is decided and written."""
RESTART_S = (0.05, 0.3, 2.5)
STOCK_SLOTS = 2
SLOTS = 2 * STOCK_SLOTS
TRANSACTION_TIMEOUT_S = 4.0
LATE_OFFSETS_S = 0.03


class BrokenError(AssertionError):
    """What must always hold did not; the run ends here."""


@dataclass(frozen=True)
class Plan:
    """All that a run depends on: parts may be left out to find what it takes to fail."""

    seed: int
    partitions: int
    inputs: tuple[Input, ...]
    faults: tuple[Fault, ...]
    late_offsets_s: float = LATE_OFFSETS_S
    """So long at most until committed offsets show."""


def plan_of(seed: int) -> Plan:
    """Draw the plan of a seed."""
    random = Random(f"plan {seed}")
    partitions = random.choice((1, 2, 2, 3))
    return Plan(
        seed,
        partitions,
        tuple(inputs.draw(random, partitions, STORM_S * random.choice((0.1, 0.5, 1.0)))),
        tuple(faults.draw(random, SLOTS, STORM_S)),
    )


@dataclass
class Slot:
    """Where one worker runs: whoever ends is started again."""

    kind: str
    member: str
    armed: list[Armed] = field(default_factory=list)
    process: WorkerProcess | None = None
    life: int = 0
    gone: bool = False


class World:
    """What there is in a run."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.random = Random(f"run {plan.seed}")
        self.trace = Trace(loop)
        self.cluster = Cluster(loop, self.random, TRANSACTION_TIMEOUT_S, late_offsets_s=plan.late_offsets_s)
        self.cluster.on_commit = self._check_commit
        self.cluster.on_unit = self._note_unit
        self.server = Server(loop, self.break_)
        self.broken: BaseException | None = None
        self.units: dict[int, list[Unit]] = {number: [] for number in range(plan.partitions)}
        """What was done on each partition, in order."""
        self._committed: dict[int, Unit] = {}
        self.commits = 0
        self.lives = 0
        self._decided: dict[TopicPartition, int] = {}
        self._rows: dict[TopicPartition, dict[bytes, bytes | None]] = {}
        self._groups = {
            kind: Group(kind, plan.partitions, loop, self.random, self.trace) for kind in ("stock", "history")
        }
        self._slots = [
            Slot(kind, f"{kind}-{number}") for kind in self._groups for number in range(STOCK_SLOTS)
        ]
        self._published = 0
        loop.set_exception_handler(self._unheard)
        for number in range(plan.partitions):
            for topic in (*SOURCES["stock"], *SOURCES["history"]):
                self.cluster.log(topic, number)

    def break_(self, why: str | BaseException) -> None:
        """Note the first thing that is wrong."""
        if self.broken is None:
            self.trace.note("!", "broken", why)
            self.broken = why if isinstance(why, BaseException) else BrokenError(why)

    def _unheard(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Hear of an error that nobody waits for: of a killed process's tasks that is nothing."""
        if "handle" in context and isinstance(error := context.get("exception"), Exception):
            self.break_(error)

    async def run(self) -> None:
        for one in self.plan.inputs:
            self.loop.call_at(one.at, self._publish, one)
        for fault in self.plan.faults:
            self.loop.call_at(fault.at, self._strike, fault)
        for slot in self._slots:
            self._start(slot)
        last = max((one.at for one in self.plan.inputs), default=0.0)
        await self._until(lambda: self.loop.time() > last, STORM_S + 1)
        if self.plan.faults:
            await self._until(lambda: self.loop.time() > self.plan.faults[-1].at + 1, STORM_S + 1)
            self._calm()
        await self._until(self._settled, CALM_S)
        if not self.broken and not self._settled():
            self.break_(f"{CALM_S:.0f} s after the last fault not all is decided and written: {self._left()}")

    async def _until(self, reached: Callable[[], bool], longest_s: float) -> None:
        deadline = self.loop.time() + longest_s
        while not self.broken and not reached() and self.loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.25)  # of virtual time

    def _publish(self, one: Input) -> None:
        self._published += 1
        new = [New(one.key, one.value)]
        if one.aborted:
            self.cluster.publish_aborted(one.topic, one.partition, new)
        else:
            self.cluster.publish(one.topic, one.partition, new)

    # Processes.

    def _start(self, slot: Slot) -> None:
        if slot.gone or (slot.process is not None and slot.process.alive):
            return
        slot.life += 1
        self.lives += 1
        slot.process = WorkerProcess(
            slot.kind,
            slot.member,
            slot.life,
            self.plan.partitions,
            self._groups[slot.kind],
            self.cluster,
            self.random,
            self.trace,
            slot.armed,
            lambda process, error: self._failed(slot, process, error),
        )
        slot.process.start()

    def _kill(self, slot: Slot) -> None:
        process = slot.process
        if process is None or not process.alive:
            return
        self.trace.note(process.name, "killed")
        process.kill()
        self._groups[slot.kind].silent(slot.member, process)
        for session in [one for one in self.server.sessions if one._process is process]:
            session.end()
        self.loop.call_later(self.random.choice(RESTART_S), self._start, slot)

    def _failed(self, slot: Slot, process: WorkerProcess, error: BaseException) -> None:
        self.trace.note(process.name, "ends", f"{type(error).__name__}: {error}")
        if not is_expected(error):
            self.break_(error)
        self._kill(slot)

    def _pause(self, slot: Slot, seconds: float) -> None:
        process = slot.process
        if process is None or not process.alive or process.paused:
            return
        self.trace.note(process.name, "stopped in mid-air", f"{seconds:.2f} s")
        process.pause()
        self._groups[slot.kind].silent(slot.member, process)
        self.loop.call_later(seconds, self._resume, slot, process)

    def _resume(self, slot: Slot, process: WorkerProcess) -> None:
        if process.paused:
            self.trace.note(process.name, "goes on")
            process.resume()
            self._groups[slot.kind].heard(slot.member, process)

    def _stop(self, slot: Slot, *, leave: bool) -> None:
        process = slot.process
        if process is None or not process.alive or process.paused:
            return
        self.trace.note(process.name, "asked to stop")

        async def stop() -> None:
            try:
                await process.stop()
            except Exception as error:
                self._failed(slot, process, error)
                return
            if leave:
                self._groups[slot.kind].leave(slot.member)
            self._kill(slot)

        process.spawn(stop())

    # Faults.

    def _strike(self, fault: Fault) -> None:
        slot = self._slots[fault.slot]
        self.trace.note("!", "fault", fault)
        if fault.act == "lose":
            self._arm(slot, fault, None)
        elif fault.act == "kill":
            self._arm(slot, fault, lambda: self._kill(slot))
        elif fault.act == "pause":
            self._arm(slot, fault, lambda: self._pause(slot, fault.seconds))
        elif fault.act in {"stop", "leave"}:
            self._stop(slot, leave=fault.act == "leave")
        elif fault.act == "rebalance":
            self._groups[slot.kind].rebalance()
        elif fault.act == "no leader":
            self.cluster.leaderless_until = self.loop.time() + fault.seconds
        elif fault.act == "pg away":
            self.server.stop()
            self.loop.call_later(fault.seconds, self.server.start)
        elif fault.act == "pg backup":
            self.server.back_up()
        else:
            self.server.restore()

    def _arm(self, slot: Slot, fault: Fault, act: Callable[[], None] | None) -> None:
        if fault.request:
            slot.armed.append(Armed(fault.request, act, after=fault.after, skip=fault.skip))
        elif act is not None:
            act()

    def _calm(self) -> None:
        self.trace.note("!", "calm")
        self.cluster.leaderless_until = 0.0
        self.server.start()
        for slot in self._slots:
            slot.armed.clear()
            if slot.process is not None:
                self._resume(slot, slot.process)
            # That the database was set back is noticed at the next write; if a topic is quiet, at a start.
            if slot.kind == "history" and any(fault.act == "pg restore" for fault in self.plan.faults):
                self._kill(slot)

    # What must hold whenever a transaction is committed.

    def _check_commit(self, transaction: Transaction) -> None:
        unit: Unit | None = transaction.unit
        if unit is None:
            return  # it holds nothing, and only ends what is undecided
        self.commits += 1
        self._committed[id(unit)] = unit
        (partition,) = {tp.partition for tp in (*transaction.partitions, *transaction.offsets)}
        self.units[partition].append(unit)
        for topic, begin, after, offsets in unit.batches:
            tp = TopicPartition(topic, partition)
            stands = self._decided.get(tp, 0)
            if begin != stands:
                what = "decided twice" if begin < stands else "skipped"
                self.break_(f"{topic}/{partition}: records from {min(begin, stands)} on are {what}")
            read = self.cluster.log(*tp).read(begin, len(offsets) + 1, committed=True)[0][: len(offsets)]
            if tuple(record.offset for record in read) != offsets:
                self.break_(f"{topic}/{partition}: a batch from {begin} on holds {offsets}")
            self._decided[tp] = after
        self._check_rows(transaction)

    def _note_unit(self, partition: int, unit: Unit) -> None:
        """Note a unit that came to nothing, and so to no transaction."""
        if id(unit) not in self._committed:
            self.units[partition].append(unit)

    def _check_rows(self, transaction: Transaction) -> None:
        """Check that the unit was decided on what is committed, and on nothing else."""
        for tp in transaction.partitions:
            if not tp.topic.endswith("-changelog"):
                continue
            committed = self._rows.setdefault(tp, {})
            rows = self._rows_of(transaction, tp)
            log = self.cluster.logs[tp]
            changed: dict[bytes, bytes | None] = {}
            for offset in range(transaction.partitions[tp], log.end):
                record = log.records[offset]
                if record is not None and log.of[offset] is transaction and record.key is not None:
                    changed[record.key] = record.value
            for key in changed:
                if rows.get(key) != committed.get(key):
                    self.break_(f"{tp.topic}/{tp.partition}: the row of {key!r} is not the committed one")
            committed.update(changed)

    @staticmethod
    def _rows_of(transaction: Transaction, tp: TopicPartition) -> dict[bytes, bytes]:
        runtime = transaction.writer.worker.runtime
        table = tp.topic.removeprefix(f"{runtime.app_id}-").removesuffix("-changelog")
        rows: dict[bytes, bytes] = runtime.rows(table, tp.partition).data
        return rows

    # The end.

    def _settled(self) -> bool:
        return not self._left() and not any(log.open for log in self.cluster.logs.values()) and self._idle()

    def _left(self) -> list[str]:
        left = []
        offsets = self.cluster.offsets["stock"]
        for tp, log in self.cluster.logs.items():
            if tp.topic in SOURCES["stock"]:
                reached = offsets.get(tp, 0)
            elif tp.topic in SOURCES["history"]:
                reached = self.server.contents.progress.get(("history", tp.partition, tp.topic), 0)
            else:
                continue
            if reached != log.end:
                left.append(f"{tp.topic}/{tp.partition} at {reached} of {log.end}")
        return left

    def _idle(self) -> bool:
        """Whether no lane has anything in hand."""
        lanes = [
            lane
            for slot in self._slots
            if slot.kind == "stock" and slot.process is not None and slot.process.worker is not None
            for lane in slot.process.worker.runtime.lanes._lanes.values()
        ]
        return len(lanes) >= self.plan.partitions and not any(lane.pending for lane in lanes)


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `broken` is what did not hold."""

    plan: Plan
    broken: BaseException | None
    trace: Trace
    commits: int
    lives: int
    virtual_s: float


def run(
    plan: Plan,
    breakage: Callable[[], AbstractContextManager[None]] = nullcontext,
    judge: Callable[[World], None] | None = None,
) -> Outcome:
    """Run a plan to its end; `judge` looks at what it came to, and raises AssertionError."""
    loop = VirtualLoop()
    world = World(plan, loop)
    with _running(loop), played(loop.time, world.server, Random(f"backoff {plan.seed}")), breakage():
        try:
            loop.run_until_complete(world.run())
        except StuckError as error:
            world.break_(error)
        finally:
            seconds = loop.time()
            loop.finish()
        if world.broken is None and judge is not None:
            try:
                judge(world)
            except Exception as error:
                world.break_(error)
    return Outcome(plan, world.broken, world.trace, world.commits, world.lives, seconds)


@contextmanager
def _running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)


__all__ = ["Outcome", "Plan", "World", "plan_of", "run"]
