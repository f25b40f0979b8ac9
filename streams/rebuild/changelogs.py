"""The changelogs: what is in them, and writing to them in the place of the worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiokafka import TopicPartition

from streams.committed import CommittedLog
from streams.domain.tables import TABLES
from streams.progress import SILENT, Progress
from streams.provision import look
from streams.rebuild.draft import SPECS
from streams.rebuild.errors import RebuildError
from streams.runtime.transactions import Transactor
from streams.runtime.unit import Sealed
from streams.settings import Settings
from topics.registry import changelog_name

Change = tuple[bytes, bytes | None]
BYTES_AT_ONCE = 4 << 20
"""A transaction has about so many."""


class Broken(msgspec.Struct, frozen=True):
    """A row that the worker cannot read: it ends as soon as it meets it."""

    table: str
    partition: int
    key: bytes
    problem: str


class Changelog(msgspec.Struct):
    """A table's changelog in one partition: what a start of the worker would restore."""

    table: str
    partition: int
    records: int = 0
    rows: dict[bytes, bytes] = {}
    nameless: int = 0
    """Records without a key, which belong to no row."""

    def take(self, record: Any) -> None:
        """Take the next record."""
        self.records += 1
        if record.key is None:
            self.nameless += 1
        elif record.value is None:
            self.rows.pop(record.key, None)
        else:
            self.rows[record.key] = record.value

    @property
    def size(self) -> int:
        """Bytes of the rows with their keys, without what Kafka adds."""
        return sum(len(key) + len(row) for key, row in self.rows.items())

    def broken(self) -> list[Broken]:
        """Return the rows that do not decode."""
        decode = SPECS[self.table].decode
        found = []
        for key, row in self.rows.items():
            try:
                key.decode()
                decode(row)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                found.append(Broken(self.table, self.partition, key, str(error)))
        return found


class Site(msgspec.Struct, frozen=True):
    """The topics as they are: `partitions` and copies of each, and which changelogs are not there."""

    partitions: int
    missing: tuple[str, ...]
    replicas: int = 1


async def look_at(settings: Settings) -> Site:
    """Return what there is; RebuildError when topics other than changelogs are missing, or counts differ."""
    states = await look(settings)
    counts = {state.partitions for state in states if state.partitions}
    gone = [state for state in states if not state.partitions]
    others = [state.name for state in gone if state.topic.direction != "changelog"]
    if others or len(counts) != 1:
        raise RebuildError(
            f"Topics are missing ({', '.join(others)}), or have different counts of partitions"
            f" ({', '.join(map(str, sorted(counts)))}): tables are made from them. See `tillstream topics"
            " list`"
        )
    prefix = f"{settings.worker.app_id('stock')}-"
    missing = tuple(
        state.name.removeprefix(prefix).removesuffix("-changelog")
        for state in gone
        if state.topic.direction == "changelog"
    )
    return Site(counts.pop(), missing, max(state.replicas for state in states))


async def read_tables(
    settings: Settings,
    site: Site,
    tables: Iterable[str] = TABLES,
    partitions: Iterable[int] | None = None,
    told: Progress = SILENT,
) -> dict[tuple[str, int], Changelog]:
    """Read changelogs whole, as the worker does at its start; one that is missing has no rows."""
    async with CommittedLog.open(settings.kafka) as log:
        return await read_with(log, settings, site, tables, partitions, told)


async def read_with(
    log: CommittedLog,
    settings: Settings,
    site: Site,
    tables: Iterable[str] = TABLES,
    partitions: Iterable[int] | None = None,
    told: Progress = SILENT,
) -> dict[tuple[str, int], Changelog]:
    """Read changelogs with a consumer that is there."""
    app_id = settings.worker.app_id("stock")
    numbers = list(range(site.partitions) if partitions is None else partitions)
    found = {(table, number): Changelog(table, number, rows={}) for table in tables for number in numbers}
    takers = {
        TopicPartition(changelog_name(app_id, table), number): one.take
        for (table, number), one in found.items()
        if table not in site.missing
    }
    spans = (await log.ranges(takers)).values()
    told.expect(sum(span.offsets for span in spans))
    async for pieces in log.read(spans):
        for piece in pieces:
            take = takers[TopicPartition(piece.topic, piece.partition)]
            for record in piece.records:
                take(record)
            told.advance(piece.offsets)
    return found


def differences(table: str, found: Mapping[bytes, bytes], due: Mapping[bytes, bytes]) -> list[Change]:
    """Return what to write so that a table with the rows `found` has those that are due.

    Rows that say the same in other bytes stay as they are.
    """
    decode = SPECS[table].decode
    changes: list[Change] = [(key, None) for key in found.keys() - due.keys()]
    for key, row in due.items():
        there = found.get(key)
        if there == row:
            continue
        if there is not None:
            try:
                if decode(there) == decode(row):
                    continue
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass  # it is written anew
        changes.append((key, row))
    return changes


async def write(transactor: Transactor, topic: str, changes: Iterable[Change]) -> int:
    """Write changes to a changelog in the place of the worker; return how many there were.

    In transactions of a bounded size, each whole or not at all. Raises FencedError when a worker has taken
    the partition over meanwhile.
    """
    written = 0
    batch, size = [], 0
    for change in changes:
        batch.append(change)
        size += len(change[0]) + len(change[1] or b"")
        written += 1
        if size >= BYTES_AT_ONCE:
            await _commit(transactor, topic, batch)
            batch, size = [], 0
    if batch:
        await _commit(transactor, topic, batch)
    return written


async def _commit(transactor: Transactor, topic: str, changes: Iterable[Change]) -> None:
    builders = [transactor.create_batch()]
    for key, value in changes:
        if builders[-1].append(timestamp=None, key=key, value=value, headers=[]) is None:
            builders.append(transactor.create_batch())
            builders[-1].append(timestamp=None, key=key, value=value, headers=[])
    await transactor.commit(Sealed({topic: builders}, []), {})
