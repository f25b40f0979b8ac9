"""One installation with a life behind it, and an operator's desk there."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.stack import Stack
from streams.replay.desk import Desk, sitting
from streams.replay.removal import drop, removable
from tests.system import whole_life
from tests.system.forked import Forked
from tests.system.installation import PARTITIONS, Installation
from tests.system.replay.replaying import NO_SALE, ORDER, STORES, Command, Ended, open_stores, sell, settled
from topics.partitions import partition_of


@pytest.fixture(scope="package")
async def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A whole life, dead letters, and orders of three stores; both workers are at work, and none may end."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("replay")) as shop:
        shop.start("stock")
        shop.start("history")
        for topic, payloads in whole_life.STEPS:
            await shop.publish(topic, whole_life.STORE, *payloads)
            await shop.decided()
        await open_stores(shop)
        await sell(shop, "FIRST", 40)
        await shop.publish("ecom.orders", STORES[0], b"no order", {"id": "NAN", "total": "NaN", "items": []})
        # What another program writes to our topics becomes a letter of the history's own.
        key = STORES[1].encode()
        await shop.put("sales", key, NO_SALE, partition_of(key, PARTITIONS))
        await settled(shop)
        yield shop
        shop.assert_workers_unharmed()


@pytest.fixture(scope="package")
def command() -> Iterator[Command]:
    """Runs `tillstream replay … --json`, quickly."""
    with Forked() as forked:

        async def run(shop: Installation, *arguments: str) -> Ended:
            words = ("replay", *arguments, "--json")
            ran = await asyncio.to_thread(forked.run, words, shop._environment)
            return Ended(ran.code, json.loads(ran.out) if ran.out.strip() else None, ran.err)

        yield run


@pytest.fixture
async def desk(shop: Installation) -> AsyncIterator[Desk]:
    """An operator's desk; what a test leaves of shadows and kept histories is removed."""
    async with sitting(shop.settings) as desk:
        yield desk
        for which in await removable(desk.connection):
            await drop(desk.connection, which, ORDER)
