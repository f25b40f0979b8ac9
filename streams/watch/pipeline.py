"""Looks at the pipeline: per group, topic and partition how far it is, and what it waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from storage.rows import TARGETS
from streams.domain.tables import TABLES
from streams.settings import Settings, SettingsError
from streams.watch import history, workers
from streams.watch.cluster import Cluster, Group, LogRange
from streams.watch.errors import SilentError
from streams.watch.history import HistorySeen
from streams.watch.seen import KindSeen, Pipeline, Position, Silent, TableSeen
from streams.watch.workers import WorkerSeen
from topics.registry import INBOUND, changelog_name

KINDS = ("stock", "history")
# A broker that died a moment ago is asked in vain for longer than anyone would wait.
LOOK_S = 20.0


class _Log(msgspec.Struct, frozen=True, kw_only=True):
    kinds: Sequence[KindSeen] = ()
    positions: Sequence[Position] = ()
    tables: Sequence[TableSeen] = ()
    missing: Sequence[str] = ()
    headless: Sequence[str] = ()
    set_up: bool = True


async def look(settings: Settings, addresses: Iterable[str] = ()) -> Pipeline:
    """Look at all parts at once; one that does not answer hides nothing of the others."""
    silent: list[Silent] = []

    async def ask_history() -> HistorySeen | None:
        try:
            return await history.look(settings)
        except SilentError as error:
            silent.append(Silent.of(error))
            return None

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask_history())
        seeing = group.create_task(workers.look(settings, addresses))
        log = group.create_task(_look_at_kafka(settings, asking, seeing, silent))
    rows, found = asking.result(), log.result()
    return Pipeline(
        at=time.time(),
        silent=silent,
        kinds=found.kinds,
        positions=found.positions,
        tables=found.tables,
        missing=found.missing,
        headless=found.headless,
        set_up=found.set_up,
        workers=seeing.result(),
        letters=rows.letters if rows else (),
        exceptions=rows.exceptions if rows else {},
        replay=rows.replay if rows else None,
        database_bytes=rows.server.database_bytes if rows else None,
        history_tables=rows.tables if rows else (),
    )


async def _look_at_kafka(
    settings: Settings,
    asking: asyncio.Task[HistorySeen | None],
    seeing: asyncio.Task[list[WorkerSeen]],
    silent: list[Silent],
) -> _Log:
    try:
        async with Cluster(settings) as cluster, asyncio.timeout(LOOK_S):
            return await _Onlooker(settings, cluster).look(await asking, await seeing)
    except SilentError as error:
        silent.append(Silent.of(error))
    except SettingsError as error:
        silent.append(Silent("Kafka", "no address", str(error)))
    except (KafkaError, TimeoutError) as error:
        what = f"{settings.kafka.bootstrap} did not answer all questions ({type(error).__name__}: {error})"
        silent.append(Silent("Kafka", what, "Look again; if it stays so, look at the brokers' logs"))
    return _Log()


class _Onlooker:
    """Puts together what Kafka says, with the other parts' answers in hand."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._cluster = cluster
        self._app_ids = {kind: settings.worker.app_id(kind) for kind in KINDS}
        topic = settings.worker.topic
        self._read = {
            "stock": [topic(one.name) for one in INBOUND],
            "history": [topic(name) for name in TARGETS],
        }
        self._changelogs = {changelog_name(self._app_ids["stock"], table): table for table in TABLES}

    async def look(self, rows: HistorySeen | None, seen: Sequence[WorkerSeen]) -> _Log:
        cluster = self._cluster
        names = {*self._read["stock"], *self._read["history"], *self._changelogs}
        parts = await cluster.partitions(names)
        leaders = {
            TopicPartition(topic, number): part.leader
            for topic, found in parts.items()
            for number, part in found.items()
        }
        logs, *rest = await asyncio.gather(
            cluster.ranges(tp for tp, leader in leaders.items() if leader >= 0),
            *(cluster.committed(self._app_ids[kind]) for kind in KINDS),
            *(cluster.group(self._app_ids[kind]) for kind in KINDS),
        )
        committed, groups = dict(zip(KINDS, rest[:2], strict=True)), dict(zip(KINDS, rest[2:], strict=True))
        written = self._written(rows)
        positions = [
            position
            for kind in KINDS
            for position in await self._positions(kind, logs, committed[kind], written)
        ]
        numbers = sorted({tp.partition for tp in logs if tp.topic in self._read["stock"]})
        return _Log(
            kinds=[self._kind(kind, groups[kind], numbers, rows, seen) for kind in KINDS],
            positions=positions,
            tables=self._tables(logs, seen),
            missing=sorted(names - parts.keys()),
            headless=[f"{tp.topic}/{tp.partition}" for tp, leader in sorted(leaders.items()) if leader < 0],
            set_up=bool(parts),
        )

    def _written(self, rows: HistorySeen | None) -> dict[TopicPartition, int]:
        if rows is None:
            return {}
        consumer = self._app_ids["history"]
        return {
            TopicPartition(one.topic, one.partition): one.next_offset
            for one in rows.progress
            if one.consumer == consumer
        }

    async def _positions(
        self,
        kind: str,
        logs: Mapping[TopicPartition, LogRange],
        committed: Mapping[TopicPartition, int],
        written: Mapping[TopicPartition, int],
    ) -> list[Position]:
        stands: dict[TopicPartition, int] = {}
        for tp in sorted(tp for tp in logs if tp.topic in self._read[kind]):
            known = written.get(tp) if kind == "history" and written else committed.get(tp)
            stands[tp] = logs[tp].start if known is None else known
        behind = {tp: at for tp, at in stands.items() if logs[tp].start <= at < logs[tp].stable}
        oldest = await self._cluster.oldest(behind)
        now = time.time()
        found = []
        for tp, at in stands.items():
            log = logs[tp]
            lag_s: float | None = 0.0
            if tp in behind:
                written_ms = oldest.get(tp)
                lag_s = None if tp not in oldest else max(0.0, now - written_ms / 1000) if written_ms else 0.0
            elif at < log.start:
                lag_s = None
            found.append(
                Position(
                    group=self._app_ids[kind],
                    topic=tp.topic,
                    partition=tp.partition,
                    start=log.start,
                    end=log.stable,
                    committed=committed.get(tp),
                    written=written.get(tp) if kind == "history" else None,
                    lag=max(0, log.stable - max(at, log.start)),
                    lag_s=lag_s,
                )
            )
        return found

    def _kind(
        self,
        kind: str,
        group: Group,
        numbers: Sequence[int],
        rows: HistorySeen | None,
        seen: Sequence[WorkerSeen],
    ) -> KindSeen:
        topic = self._read[kind][0]
        owned = {number for member in group.members for number in member.partitions.get(topic, ())}
        last_unit: dict[int, float] = {}
        if kind == "history" and rows is not None:
            for one in rows.progress:
                if one.consumer == group.name:
                    moved = one.updated_at.timestamp()
                    last_unit[one.partition] = max(moved, last_unit.get(one.partition, 0.0))
        mine = [worker for worker in seen if worker.app_id == group.name]
        for worker in mine:
            for lane in worker.lanes:
                if lane["committed_at"]:
                    last_unit[lane["partition"]] = lane["committed_at"]
        return KindSeen(
            kind=kind,
            group=group,
            state=_state(group, mine),
            unowned=[number for number in numbers if number not in owned],
            last_unit=dict(sorted(last_unit.items())),
        )

    def _tables(self, logs: Mapping[TopicPartition, LogRange], seen: Sequence[WorkerSeen]) -> list[TableSeen]:
        records = dict.fromkeys(self._changelogs.values(), 0)
        for tp, log in logs.items():
            if tp.topic in self._changelogs:
                records[self._changelogs[tp.topic]] += log.end - log.start
        told = [worker.table_rows for worker in seen if worker.table_rows]

        def rows(table: str, tier: str) -> int | None:
            return sum(one.get(table, {}).get(tier, 0) for one in told) if told else None

        return [
            TableSeen(
                table=table,
                changelog_records=count,
                rows=None if not told else (rows(table, "memory") or 0) + (rows(table, "disk") or 0),
                on_disk=rows(table, "disk"),
            )
            for table, count in records.items()
        ]


def _state(group: Group, seen: Sequence[WorkerSeen]) -> str:
    """What the workers of a group do: the least well of those that answer, else what the group shows."""
    if any(worker.state == "dead" for worker in seen):
        return "dead"
    if any(worker.trouble for worker in seen):
        return "waiting"
    for state in ("recovering", "starting", "stopping"):
        if any(worker.state == state for worker in seen):
            return state
    if group.state in ("PreparingRebalance", "CompletingRebalance"):
        return "rebalancing"
    return "running" if group.members else "dead"
