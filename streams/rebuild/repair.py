"""One row of a table, written in the place of the worker."""

from __future__ import annotations

import msgspec

from streams.domain.tables import store_of
from streams.rebuild.changelogs import look_at, read_tables, write
from streams.rebuild.errors import RebuildError
from streams.rebuild.keys import shown
from streams.rebuild.standstill import fenced, require_stopped
from streams.settings import Settings
from topics.partitions import partition_of
from topics.registry import changelog_name


class Found(msgspec.Struct, frozen=True):
    """A row as the changelog has it; None when there is none."""

    table: str
    key: bytes
    partition: int
    partitions: int
    row: bytes | None


async def look_at_row(settings: Settings, table: str, key: bytes) -> Found:
    """Return a row as it stands, wherever it stands: also under a key that cannot be read."""
    site = await look_at(settings)
    found = await read_tables(settings, site, [table])
    for (_, partition), changelog in found.items():
        if key in changelog.rows:
            return Found(table, key, partition, site.partitions, changelog.rows[key])
    try:
        partition = partition_of(store_of(key).encode(), site.partitions)
    except UnicodeDecodeError:
        raise RebuildError(
            f"There is no row {shown(key)} in table {table}, and this can be no key of one: it begins with"
            " the store id, as text"
        ) from None
    return Found(table, key, partition, site.partitions, None)


async def write_row(settings: Settings, found: Found, row: bytes | None) -> None:
    """Write the row (None: remove it) with the stock workers stopped and fenced, and look that it is there.

    Raises RefusedError while a worker is in its group, RebuildError when the row was changed meanwhile.
    """
    await require_stopped(settings, "stock")
    async with fenced(settings, found.partitions) as transactors:
        await _expect(settings, found, found.row)
        topic = changelog_name(settings.worker.app_id("stock"), found.table)
        await write(transactors[found.partition], topic, [(found.key, row)])
    await _expect(settings, found, row)


async def _expect(settings: Settings, found: Found, row: bytes | None) -> None:
    now = (await look_at_row(settings, found.table, found.key)).row
    if now != row:
        raise RebuildError(
            f"Row {shown(found.key)} of table {found.table} is not what it should be by now: something else"
            " writes to it. See that no stock worker runs, then run this again"
        )
