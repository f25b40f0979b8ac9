"""One installation of Tillstream for tests: topics of its own, a database of its own, workers."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from deploy.local.stack import Endpoints
from storage.rows import TARGETS
from storage.schema import migrate_all
from streams.offsets import committed_offsets
from streams.provision import create
from streams.runtime.errors import ExitCode
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.system import command
from tests.system.journal import Journal
from tests.system.process import WorkerProcess
from tests.system.waiting import PATIENCE_S, Condition, until
from topics.codec import EVENTS
from topics.partitions import partition_of
from topics.registry import INBOUND, INPUT_BYTES

PARTITIONS = 4
SHORT_SESSION = {"TILLSTREAM_SESSION_TIMEOUT_S": "3", "TILLSTREAM_HEARTBEAT_S": "0.5"}
"""So that a worker that stays away is replaced soon."""


class Installation:
    """What a supervisor, an upstream and an analyst have in their hands.

    `kept_alive` makes the waiting start workers again that fail-stopped, as a supervisor would; without it
    a worker's end fails the test.
    """

    def __init__(self, endpoints: Endpoints, logs: Path) -> None:
        name = f"sys_{uuid.uuid4().hex[:10]}"
        self.dsn = urlsplit(endpoints.postgres_dsn)._replace(path=f"/{name}").geturl()
        self.database = name
        self.settings = Settings(
            KafkaSettings(bootstrap=endpoints.bootstrap),
            PostgresSettings(dsn=SecretStr(self.dsn)),
            WorkerSettings(prefix=f"{name}.", partitions=PARTITIONS),
        )
        self.kept_alive = False
        self.journal = Journal(self.settings, PARTITIONS)
        self._server = endpoints.postgres_dsn
        self._logs = logs
        self._workers: list[WorkerProcess] = []
        options = self.settings.kafka.client_options()
        self._admin = AIOKafkaAdminClient(**options)
        self._producer = AIOKafkaProducer(
            **options, enable_idempotence=True, max_request_size=2 * INPUT_BYTES
        )
        self._all = AIOKafkaConsumer(**options, isolation_level="read_uncommitted")
        self._committed = AIOKafkaConsumer(**options, isolation_level="read_committed")
        self._inbound = self._partitions(topic.name for topic in INBOUND)
        self._outbound = self._partitions(EVENTS)
        self._materialised = set(self._partitions(TARGETS))

    @classmethod
    @asynccontextmanager
    async def on(cls, endpoints: Endpoints, logs: Path) -> AsyncIterator[Self]:
        """Make topics and database; in the end kill what still runs, and drop the database."""
        made = cls(endpoints, logs)
        await made.administer(f'CREATE DATABASE "{made.database}"')
        await asyncio.gather(made._migrate(), create(made.settings, partitions=PARTITIONS, replicas=1))
        clients = (made._admin, made._producer, made._all, made._committed, made.journal)
        try:
            await asyncio.gather(*(client.start() for client in clients))
            yield made
        finally:
            for worker in made._workers:
                worker.kill()
            await made._admin.close()
            await asyncio.gather(*(client.stop() for client in clients[1:]))
            await made.administer(f'DROP DATABASE "{made.database}" WITH (FORCE)')

    async def _migrate(self) -> None:
        async with self.connected() as connection:
            await migrate_all(connection)

    def _partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        prefix = self.settings.worker.prefix
        return [TopicPartition(prefix + topic, number) for topic in topics for number in range(PARTITIONS)]

    # Workers

    def start(self, kind: str, slot: int = 0, **environment: str) -> WorkerProcess:
        """Start a worker (`stock`, `history`); a second one of a kind needs another slot."""
        worker = WorkerProcess(
            kind, slot, self._environment | environment, self._logs / f"{self.database}-{kind}-{slot}.log"
        )
        worker.start()
        self._workers.append(worker)
        return worker

    @property
    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TILLSTREAM_")}
        return inherited | {
            "TILLSTREAM_KAFKA_BOOTSTRAP": self.settings.kafka.bootstrap,
            "TILLSTREAM_POSTGRES_DSN": self.dsn,
            "TILLSTREAM_PREFIX": self.settings.worker.prefix,
        }

    async def until(self, what: str, met: Condition, patience_s: float = PATIENCE_S) -> None:
        """Wait until a condition is met, looking after the workers meanwhile."""

        async def met_or_dead() -> bool:
            answer = met()
            if answer if isinstance(answer, bool) else await answer:
                return True
            self._look_after_workers()
            return False

        try:
            await until(what, met_or_dead, patience_s)
        except AssertionError as error:
            workers = "\n".join(str(worker) for worker in self._workers)
            raise AssertionError(f"{error}\n{workers}") from None

    def _look_after_workers(self) -> None:
        for worker in self._workers:
            if worker.wanted and worker.code is not None:
                assert self.kept_alive, f"a worker ended by itself: {worker}"
                assert worker.code != ExitCode.MISCONFIGURED, "a worker says that a new start cannot help"
                worker.start()

    def assert_workers_unharmed(self) -> None:
        """No worker ended but those that were ended on purpose."""
        assert not self.kept_alive
        self._look_after_workers()

    # Kafka

    async def publish(self, topic: str, store_id: str, *values: Any) -> None:
        """Publish records of a store: JSON documents, bytes as they are, None for a record without value."""
        key = store_id.encode()
        for value in values:
            await self.put(topic, key, _value(value), partition_of(key, PARTITIONS))

    async def put(self, topic: str, key: bytes | None, value: bytes | None, partition: int) -> int:
        """Put one record where no contract may allow it; return its offset."""
        name = self.settings.worker.topic(topic)
        written = await self._producer.send_and_wait(name, value, key=key, partition=partition)
        return int(written.offset)

    async def misplace(self, topic: str, store_id: str, value: Any, partition: int) -> None:
        """Publish a record of a store on a partition that is not its own."""
        await self.put(topic, store_id.encode(), _value(value), partition)

    async def decided(self) -> None:
        """Wait until the stock worker has committed everything that is on the inbound topics."""
        await self.until("everything is decided", self._all_decided)

    async def _all_decided(self) -> bool:
        ends = await self._all.end_offsets([*self._inbound, *self._outbound])
        committed = await self.committed("stock")
        if any(ends[tp] and committed.get(tp, 0) < ends[tp] for tp in self._inbound):
            return False
        # The offsets of a transaction may be visible a moment before its records are.
        visible = await self._committed.end_offsets(self._outbound)
        return all(visible[tp] == ends[tp] for tp in self._outbound)

    async def committed(self, kind: str) -> dict[TopicPartition, int]:
        """Return the offsets that a kind of worker has committed to Kafka."""
        return await committed_offsets(self._admin, self.settings.worker.app_id(kind))

    async def visible(self, topic: str) -> int:
        """Return a number that grows with what is committed to an outgoing topic."""
        return sum((await self._committed.end_offsets(self._partitions([topic]))).values())

    # The command

    async def ask(self, *arguments: str) -> Any:
        """Run `tillstream …  --json` as an analyst would; return what it prints."""
        return await asyncio.to_thread(command.answer, self._environment, *arguments)

    # Postgres

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """Connect to the history, as an analyst would; tables need no schema before their name."""
        connection = await asyncpg.connect(self.dsn, server_settings={"search_path": "tillstream"})
        try:
            yield connection
        finally:
            await connection.close()

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Ask the history."""
        async with self.connected() as connection:
            return [dict(row) for row in await connection.fetch(sql, *arguments)]

    async def administer(self, *statements: str) -> None:
        """Run statements on the server's own database."""
        connection = await asyncpg.connect(self._server)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def written(self) -> None:
        """Wait until all that is committed now is in Postgres."""
        ends = await self._committed.end_offsets(list(self._materialised))
        due = {tp: end for tp, end in ends.items() if end}

        async def all_written() -> bool:
            found = await self.rows("SELECT topic, partition, next_offset FROM progress")
            progress = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in found}
            return all(progress.get(tp, 0) >= end for tp, end in due.items())

        await self.until("everything is written", all_written)

    async def settled(self) -> None:
        """Wait until all is decided, written and read."""
        await self.decided()
        await asyncio.gather(self.written(), self.journal.read())


def _value(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
