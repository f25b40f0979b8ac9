"""What an operator of replays has at hand: a session with Postgres, the log, and the names of things."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from storage import schema
from storage.connection import connect
from storage.history import History
from storage.progress import Place
from storage.rows import TARGETS
from storage.schema import HISTORY, OPERATIONS, Schema
from streams.committed import CommittedLog
from streams.runtime.startup import check_topics, partition_counts
from streams.settings import Settings

SESSION = "tillstream replay"


class Desk(NamedTuple):
    """`connection` holds the turn; `partitions` is how many every topic has."""

    settings: Settings
    connection: Any
    log: CommittedLog
    partitions: int

    @property
    def consumer(self) -> str:
        """The name under which the history worker keeps its positions, and so does a shadow."""
        return self.settings.worker.app_id("history")

    def topic(self, full_name: str) -> str:
        """Return a topic's name without the prefix."""
        return full_name.removeprefix(self.settings.worker.prefix)

    @property
    def places(self) -> list[Place]:
        """Every partition that becomes rows."""
        return [
            (self.settings.worker.topic(name), partition)
            for name in TARGETS
            for partition in range(self.partitions)
        ]

    def history(self, one: Schema) -> History:
        """Return a writer of a schema; it is the caller's to close."""
        return History(
            self.settings.postgres.connect_options(),
            consumer=self.consumer,
            prefix=self.settings.worker.prefix,
            schema=one,
        )

    async def session(self, one: Schema = HISTORY) -> Any:
        """Open another session; it is the caller's to close."""
        return await connect(self.settings.postgres.connect_options(), name=SESSION, schema=one.name)


@asynccontextmanager
async def sitting(settings: Settings) -> AsyncIterator[Desk]:
    """Connect to both; raises UnknownSchemaError when the database is not of this program's version."""
    connection = await connect(settings.postgres.connect_options(), name=SESSION)
    try:
        await schema.check(connection, HISTORY)
        await schema.check(connection, OPERATIONS)
        counts = await partition_counts((settings.worker.topic(name) for name in TARGETS), settings.kafka)
        partitions = check_topics(counts)
        async with CommittedLog.open(settings.kafka, client_id="tillstream-replay") as log:
            yield Desk(settings, connection, log, partitions)
    finally:
        connection.terminate()
