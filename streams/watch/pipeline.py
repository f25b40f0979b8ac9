"""How the pipeline is: per group, topic and partition how far it is, what it waits for, what is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from storage.lookups.watch import LettersCounted, ReplaySeen, TableMeasured
from storage.rows import TARGETS
from streams.domain.tables import TABLES
from streams.settings import Settings, SettingsError
from streams.watch import history, workers
from streams.watch.cluster import Cluster, Group, LogRange
from streams.watch.errors import SilentError
from streams.watch.history import HistorySeen
from streams.watch.workers import WorkerSeen
from topics.registry import INBOUND, changelog_name

KINDS = ("stock", "history")


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a group is in a partition. Offsets; `lag` counts them, so markers of transactions too."""

    group: str
    topic: str
    partition: int
    start: int
    end: int
    """First offset that committed readers may not have yet."""
    committed: int | None
    """The group's offset in Kafka: for the history only a hint."""
    written: int | None
    """Postgres' own offset; None for the stock group, or when Postgres has none or does not answer."""
    lag: int
    lag_s: float | None
    """Age of the oldest unread record; 0 when none is left, None when it is not known."""


class KindSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of worker: its group, and what its workers are doing."""

    kind: str
    group: Group
    state: str
    """running, recovering, starting, stopping, rebalancing, dead, or waiting (for Postgres, say)."""
    unowned: Sequence[int]
    """Partition numbers that no member has."""
    last_unit: Mapping[int, float]
    """Unix time of the last unit by partition number, as far as it is known."""


class TableSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the stock worker: records of its changelog, at most one of which per key will stay."""

    table: str
    changelog_records: int
    rows: int | None
    """Rows in the workers that answered; None when none did."""
    on_disk: int | None


class Wrong(msgspec.Struct, frozen=True):
    """Something that needs a person: what, where, and what to do."""

    what: str
    where: str
    remedy: str


class Silent(msgspec.Struct, frozen=True):
    """A part that cannot be asked; `answers`: it is there, but what is asked for is not."""

    part: str
    what: str
    remedy: str
    answers: bool = False

    @classmethod
    def of(cls, error: SilentError) -> Silent:
        """Keep what the error says."""
        return cls(error.part, error.what, error.remedy, error.answers)


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. What could not be seen is empty, and stands in `silent`."""

    at: float
    silent: Sequence[Silent]
    kinds: Sequence[KindSeen]
    positions: Sequence[Position]
    tables: Sequence[TableSeen]
    workers: Sequence[WorkerSeen]
    letters: Sequence[LettersCounted]
    exceptions: Mapping[str, int]
    replay: ReplaySeen | None
    database_bytes: int | None
    history_tables: Sequence[TableMeasured]
    missing: Sequence[str]
    """Topics that there are not."""
    set_up: bool
    """Whether there is any topic of this installation, or Kafka did not say."""


class _Log(msgspec.Struct, frozen=True, kw_only=True):
    kinds: Sequence[KindSeen] = ()
    positions: Sequence[Position] = ()
    tables: Sequence[TableSeen] = ()
    missing: Sequence[str] = ()
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
        async with Cluster(settings) as cluster:
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
        logs, *rest = await asyncio.gather(
            cluster.ranges(
                TopicPartition(topic, number) for topic, found in parts.items() for number in found
            ),
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
    for state in ("dead", "recovering", "starting", "stopping"):
        if any(worker.state == state for worker in seen):
            return state
    if group.state in ("PreparingRebalance", "CompletingRebalance"):
        return "rebalancing"
    if any(worker.trouble for worker in seen):
        return "waiting"
    return "running" if group.members else "dead"
