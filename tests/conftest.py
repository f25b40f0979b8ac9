"""The real parts that tests run on: one Kafka and one Postgres for the whole session."""

from __future__ import annotations

import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import Scheduling

from deploy.local.stack import Stack
from tests.scheduling import ByInstallation

# Started in the background of a shell, a test run ignores Ctrl-C, and so would every command that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples at each run: only a change makes one fail. `tillstream test --long` draws new ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("new", deadline=None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return ByInstallation(config, log)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack in a temporary directory, which ends with the test run however that ends."""
    with Stack.ephemeral() as stack:
        stack.up()
        yield stack


@pytest.fixture(scope="session")
def bootstrap(stack: Stack) -> str:
    """Kafka's address, for clients that do not mind which topics others make."""
    return stack.endpoints.bootstrap


@pytest.fixture(scope="module")
async def database(stack: Stack) -> AsyncIterator[str]:
    """The address of an empty database that only this test module uses."""
    server = stack.endpoints.postgres_dsn
    name = f"test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture
def prefix() -> str:
    """A prefix that keeps one test's topics and groups apart from all others'."""
    return f"t{uuid.uuid4().hex[:8]}."
