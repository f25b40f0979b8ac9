"""Workers killed in the middle of a load, at moments that a seed chooses."""

import random

import pytest

from streams.runtime.errors import ExitCode
from tests.chaos.load import Load
from tests.system.installation import Installation

KILLS = 3


@pytest.mark.long
@pytest.mark.parametrize(("kind", "seed"), [("stock", 1), ("stock", 2), ("history", 1)])
async def test_a_worker_killed_in_the_middle_of_a_load_costs_nothing(
    shop: Installation, kind: str, seed: int
) -> None:
    moments = random.Random(seed)
    workers = {name: shop.start(name) for name in ("stock", "history")}
    async with Load.on(shop, seed) as load:
        async with load.running():
            for _ in range(KILLS):
                await load.more_done(kind)
                await load.came(moments.randrange(20, 250))
                workers[kind].kill()
                workers[kind].start()
        await load.assert_kept()
    shop.assert_workers_unharmed()


async def test_orders_that_came_while_the_worker_was_away_are_decided_from_its_restored_tables(
    shop: Installation,
) -> None:
    """A backlog, tables to restore, and no offset committed for the orders yet."""
    shop.start("history")
    worker = shop.start("stock")
    async with Load.on(shop) as load:
        await shop.decided()
        assert await worker.stop() == ExitCode.OK
        orders = shop.settings.worker.topic("ecom.orders")
        assert orders not in {partition.topic for partition in await shop.committed("stock")}
        await load.publish(3_000)
        worker.start()
        await load.assert_kept()
    shop.assert_workers_unharmed()
