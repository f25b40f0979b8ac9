"""A stock worker that is restarted between any two records decides as one that never was."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack
from streams.runtime.errors import ExitCode
from tests.system.cases import Case
from tests.system.installation import Installation
from tests.system.store import Store
from tests.system.test_cases import assert_linked_again, assert_renamed, linked_again

RENAMED, LINKED_AGAIN = Case("09"), Case("13")


@pytest.fixture(scope="module", params=[pytest.param(1, marks=pytest.mark.long), 3], ids="every {}".format)
async def shop(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Installation]:
    """Two cases told record by record, the stock worker stopped or killed after so many and started again."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("restarts")) as shop:
        shop.start("history")
        worker = shop.start("stock")
        for step in range(len(LINKED_AGAIN.records)):
            await RENAMED.tell(shop, 1)
            await LINKED_AGAIN.tell(shop, 1)
            if step % request.param:
                continue
            if step % 2:
                worker.kill()
            else:
                assert await worker.stop() == ExitCode.OK
            worker.start()
        yield shop


async def test_09_the_stock_of_a_renamed_sku_survives_restarts(shop: Installation) -> None:
    await shop.settled()
    store = Store(shop, RENAMED.store_id)
    assert_renamed(store)
    await store.assert_history_agrees()


async def test_13_an_order_that_waits_for_its_link_survives_restarts(shop: Installation) -> None:
    store = Store(shop, LINKED_AGAIN.store_id)
    await linked_again(shop, store)
    assert_linked_again(store)
    await store.assert_history_agrees()
