"""One installation with both workers for all tests of ordinary life; each has a store of its own."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Stack
from tests.system import whole_life
from tests.system.installation import Installation


@pytest.fixture(scope="session")
async def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Both workers at work. No worker may end by itself, whatever the tests send in."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("shop")) as shop:
        shop.start("stock")
        shop.start("history")
        yield shop
        shop.assert_workers_unharmed()


@pytest.fixture(scope="session")
async def lived(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation in which whole lives were told, with the stock worker killed on the way."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("lived")) as shop:
        await whole_life.tell(shop)
        yield shop
