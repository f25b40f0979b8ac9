"""One installation, stopped in mid-life: its changelogs lost and made again, then its partitions changed."""

import uuid
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.stack import Stack
from streams.domain.tables import TABLES, store_of
from streams.rebuild import rebuild
from streams.rebuild.changelogs import Site, read_tables
from streams.repartition import change
from streams.repartition.generations import Move, move_to
from streams.runtime.errors import ExitCode
from streams.settings import Settings
from tests.system.forked import Forked
from tests.system.installation import PARTITIONS, SHORT_SESSION, Installation
from tests.system.journal import Journal
from tests.system.offline.life import live
from tests.system.waiting import until
from topics.partitions import partition_of
from topics.registry import changelog_name

AFTER = 7
Rows = dict[tuple[str, bytes], bytes]


class Stopped(NamedTuple):
    """What there was at each point of it."""

    shop: Installation
    before: Rows
    """The tables as the worker left them."""
    untouched: rebuild.Plan
    """What a rebuild would have changed then."""
    plan: rebuild.Plan
    """What it had to change when the changelogs were lost."""
    after: Rows
    move: Move
    copied: list[change.Counted]
    moved: Rows
    """The tables of the new generation."""
    journal: Journal
    """Its outgoing topics."""
    forked: Forked


async def read_rows(settings: Settings, partitions: int) -> Rows:
    """Return the rows of all tables; each must be on its store's partition."""
    found = await read_tables(settings, Site(partitions, ()))
    for (_, number), changelog in found.items():
        assert {partition_of(store_of(key).encode(), partitions) for key in changelog.rows} <= {number}
    return {(table, key): row for (table, _), one in found.items() for key, row in one.rows.items()}


async def _delete_changelogs(shop: Installation) -> None:
    app_id = shop.settings.worker.app_id("stock")
    names = [changelog_name(app_id, table) for table in TABLES]
    client = AIOKafkaAdminClient(**shop.settings.kafka.client_options())
    await client.start()
    try:
        await client.delete_topics(names)

        async def gone() -> bool:
            return not set(names) & set(await client.list_topics())

        await until("the changelogs are gone", gone)
    finally:
        await client.close()


@pytest.fixture(scope="session")
async def stopped(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stopped]:
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("offline")) as shop:
        workers = [shop.start(kind, **SHORT_SESSION) for kind in ("stock", "history")]
        await live(shop)
        assert [await worker.stop() for worker in workers] == [ExitCode.OK, ExitCode.OK]
        before = await read_rows(shop.settings, PARTITIONS)
        untouched = await rebuild.plan(shop.settings, tuple(TABLES))
        await _delete_changelogs(shop)
        plan = await rebuild.plan(shop.settings, ())
        await rebuild.carry_out(shop.settings, plan)
        after = await read_rows(shop.settings, PARTITIONS)
        move = await move_to(shop.settings, f"g2_{uuid.uuid4().hex[:8]}.", AFTER)
        copied = await change.change(move, 1)
        journal = Journal(move.new, AFTER)
        await journal.start()
        try:
            await journal.read()
            moved = await read_rows(move.new, AFTER)
            with Forked() as forked:
                yield Stopped(shop, before, untouched, plan, after, move, copied, moved, journal, forked)
        finally:
            await journal.stop()
