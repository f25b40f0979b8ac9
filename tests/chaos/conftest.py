"""An installation for each test: what is broken in one must not be seen in another."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.system.installation import Installation


@pytest.fixture
async def shop(stack: Stack, tmp_path: Path) -> AsyncIterator[Installation]:
    """Topics and a database of the test's own; it starts its workers itself."""
    async with Installation.on(stack.endpoints, tmp_path) as shop:
        yield shop


@pytest.fixture(scope="package")
def own_stack() -> Iterator[Stack]:
    """A stack that only the tests use that take its servers away."""
    with Stack.ephemeral(heap="384m") as stack:
        stack.up()
        yield stack
