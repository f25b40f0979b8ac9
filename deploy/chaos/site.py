"""The installation that is broken: a stack of its own, two workers of each kind, and doors in between."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from deploy.chaos.disk import Disk
from deploy.chaos.door import Door
from deploy.chaos.plan import BROKER_SESSION_S, SESSION_S, SLOTS, workers
from deploy.demo.keeper import COMMAND, Keeper, WorkerProcess
from deploy.local.kafka import KafkaOptions, door
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import PostgresOptions
from deploy.local.progress import Reporter
from deploy.local.stack import Stack
from deploy.local.step import step
from deploy.verify.history import HistoryView
from storage.schema import migrate_all
from streams.provision import create
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings

PARTITIONS = 4


class Site:
    """To be entered with `async with`: everything runs then, and all has ended and been put away after it.

    Workers reach the servers through doors, one to each server for each slot; `settings` are those of whoever
    looks on, with no door in between. `small_disk`: Postgres' data is on a file system that can be full.
    `command` is what Python runs for a worker.
    """

    def __init__(
        self, data_dir: Path, reporter: Reporter, *, small_disk: bool, command: Sequence[str] = COMMAND
    ) -> None:
        self.doors: dict[str, Door] = {}
        self.workers: dict[str, WorkerProcess] = {}
        self._reporter = reporter
        self._small_disk = small_disk
        self._command = command
        self._ways = [
            (Door(partial(self._port_behind, slot)), Door(self._postgres_port)) for slot in range(SLOTS)
        ]
        self.stack = Stack(
            data_dir,
            kafka=KafkaOptions(
                heap="384m",
                broker_port=0,
                controller_port=0,
                doors=tuple(kafka.port for kafka, _ in self._ways),
                session_s=BROKER_SESSION_S,
            ),
            postgres=PostgresOptions(port=0),
        )
        self.disk = Disk(self.stack.postgres)
        self.keep_data = True

    def _port_behind(self, slot: int) -> int:
        return self.stack.kafka.ports[door(slot)]

    def _postgres_port(self) -> int:
        return self.stack.postgres.ports["postgres"]

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _begin(self) -> None:
        for way in self._ways:
            for each in way:
                await each.open()
        await step(self._start_stack)
        endpoints = self.stack.endpoints
        self.settings = Settings(
            KafkaSettings(bootstrap=endpoints.bootstrap),
            PostgresSettings(dsn=SecretStr(endpoints.postgres_dsn)),
            WorkerSettings(prefix="", partitions=PARTITIONS),
        )
        self.history = HistoryView(endpoints.postgres_dsn)
        await create(self.settings, partitions=PARTITIONS, replicas=1)
        await migrate_all(await self.history.connection())
        logs = self.stack.data_dir / "logs"
        for name in workers():
            kind, _, slot = name.partition("-")
            number = int(slot or 0)
            self.workers[name] = WorkerProcess(
                kind, self._environment(number), logs / f"worker-{name}.log", number
            )
            self.doors[f"kafka {name}"], self.doors[f"postgres {name}"] = self._ways[number]
        self.keeper = Keeper(self.stack, list(self.workers.values()), self._command)
        self.keeper.start()

    def _start_stack(self) -> None:
        self.stack.up(attached=True, progress=self._reporter)
        if self._small_disk:
            self.stack.postgres.stop()
            self.disk.move_in()
            self.stack.postgres.start()

    def _environment(self, slot: int) -> Mapping[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TILLSTREAM_")}
        kafka, postgres = (each.port for each in self._ways[slot])
        dsn = urlsplit(self.stack.endpoints.postgres_dsn)
        user = dsn.netloc.partition("@")[0]
        return inherited | {
            "TILLSTREAM_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{kafka}",
            "TILLSTREAM_POSTGRES_DSN": dsn._replace(netloc=f"{user}@{LOOPBACK}:{postgres}").geturl(),
            "TILLSTREAM_SESSION_TIMEOUT_S": str(SESSION_S),
            "TILLSTREAM_HEARTBEAT_S": str(SESSION_S / 6),
            "TILLSTREAM_TABLE_DIR": str(self.stack.data_dir / "tables"),
            "TILLSTREAM_HTTP_PORT": "0",
        }

    async def _end(self) -> None:
        if self.workers:
            await self.history.close()
            await self.keeper.stop()
        for way in self._ways:
            for each in way:
                await each.close()
        await step(self._stop_stack)

    def _stop_stack(self) -> None:
        if self.disk.moved:
            self.disk.empty()
            self.stack.postgres.stop()
            self.disk.move_out(keep=self.keep_data)
        self.stack.down()
