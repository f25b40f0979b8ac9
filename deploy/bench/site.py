"""A place to measure in: topics under a prefix of their own, a database of its own, workers by hand."""

import asyncio
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from deploy.bench.options import BenchError
from deploy.demo import orders, store
from deploy.demo.keeper import WorkerProcess
from deploy.demo.publisher import Publisher
from deploy.local import ports
from deploy.local.stack import Stack
from deploy.verify.calm import Calm
from deploy.verify.history import HistoryView
from storage.schema import migrate_all
from streams.offsets import committed_offsets
from streams.provision import create
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings

LEVEL = 1_000_000
"""Pieces of each ware at each outlet: a benchmark does not run out."""
OWNS = "owns partitions ["
"""What a worker says when it is ready for records."""
WORDS = 6_000
"""So many characters of a log are shown of a process that failed."""


class Site:
    """One measurement's topics, database and workers; `name` is the prefix."""

    def __init__(self, stack: Stack, name: str, partitions: int) -> None:
        self._stack = stack
        self._admin_dsn = stack.endpoints.postgres_dsn
        self._database = f"bench_{name}"
        self.dsn = urlsplit(self._admin_dsn)._replace(path=f"/{self._database}").geturl()
        bootstrap = stack.endpoints.bootstrap
        self.settings = Settings(
            KafkaSettings(bootstrap=bootstrap),
            PostgresSettings(dsn=SecretStr(self.dsn)),
            WorkerSettings(prefix=f"{name}.", partitions=partitions),
        )
        self.name = name
        self.logs = stack.data_dir / "logs"
        self.environment = {
            "TILLSTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "TILLSTREAM_POSTGRES_DSN": self.dsn,
            "TILLSTREAM_PREFIX": f"{name}.",
            "TILLSTREAM_PARTITIONS": str(partitions),
            "TILLSTREAM_HTTP_PORT": str(ports.choose(0)),
        }
        self.others: dict[str, subprocess.Popen[bytes]] = {}
        """Further processes by name: their CPU is counted too, and they may not end."""
        self._workers: dict[str, WorkerProcess] = {}
        self.stock = self.worker("stock")
        self.history = self.worker("history")
        self.publisher = Publisher(bootstrap, partitions, f"{name}.")
        self.view = HistoryView(self.dsn)
        self.calm = Calm(self.settings, self.view)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    def worker(self, kind: str, number: int = 0) -> WorkerProcess:
        """Add a worker; those of a kind beside the first, which the site has, are numbered from 1."""
        name = f"{kind}-{number}" if number else kind
        environment = os.environ | self.environment
        if number:
            environment |= {"TILLSTREAM_INSTANCE_ID": f"{self.name}-{name}", "TILLSTREAM_HTTP_PORT": "0"}
        self._workers[name] = WorkerProcess(kind, environment, self.log(name))
        return self._workers[name]

    def log(self, process: str) -> Path:
        """Return where a process of this site writes what it says."""
        return self.logs / f"{self.name}-{process}.log"

    async def __aenter__(self) -> Self:
        admin = await asyncpg.connect(self._admin_dsn)
        await admin.execute(f'CREATE DATABASE "{self._database}"')
        await admin.close()
        await create(self.settings, partitions=self.settings.worker.partitions)
        await migrate_all(await self.view.connection())
        await self._admin.start()
        await self.calm.start()
        await self.publisher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))
        await self.publisher.__aexit__()
        await self.calm.stop()
        await self.view.close()
        await self._admin.close()

    async def set_up(self, stores: Iterable[str], wares: int = len(store.WARES)) -> None:
        """Publish the stores' links and stock."""
        for store_id in stores:
            await self.publisher.send("store.links", store_id, [store.link(store_id)])
            await self.publisher.send("pos.inventory", store_id, self.levels(store_id, wares))

    def levels(self, store_id: str, wares: int = len(store.WARES)) -> list[store.Payload]:
        """Return the counts that a store begins with."""
        return list(store.levels(store_id, LEVEL, wares))

    async def publish_backlog(self, stores: list[str], count: int) -> None:
        """Set the stores up, and publish so many orders of theirs."""
        await self.set_up(stores)
        await self.publisher.orders(orders.stream(count, stores))

    async def decided(self) -> int:
        """Return how many order records the stock worker has committed."""
        offsets = await committed_offsets(self._admin, self.settings.worker.app_id("stock"))
        orders = self.settings.worker.topic("ecom.orders")
        return sum(offset for place, offset in offsets.items() if place.topic == orders)

    def assignments(self, process: str) -> list[int]:
        """Return how many partitions a worker got each time that it got any, over all its starts."""
        log = self.log(process)
        said = log.read_text(errors="replace").split(OWNS)[1:] if log.exists() else []
        return [len(after.partition("]")[0].split(",")) for after in said]

    def check(self) -> None:
        """Raise BenchError when a process has ended that nobody stopped."""
        workers = self._workers.items()
        ended = [name for name, worker in workers if worker.wanted and not worker.running]
        ended += [name for name, process in self.others.items() if process.poll() is not None]
        if ended:
            raise BenchError(f"{self.name}: ended by itself: {', '.join(ended)}. {self.last_words()}")

    def last_words(self) -> str:
        """Return how the logs of what runs here end."""
        logs = (self.log(name) for name in (*self._workers, *self.others))
        ends = (
            f"{log.name} ends with:\n{log.read_text(errors='replace')[-WORDS:]}"
            for log in logs
            if log.exists()
        )
        return "\n".join(ends)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds used so far, by process."""
        return {name: _cpu_s(pid) for name, pid in self.processes().items()}

    def processes(self) -> dict[str, int]:
        """Return what runs here, the servers included."""
        found: dict[str, Any] = {name: worker.pid for name, worker in self._workers.items()}
        found |= {name: process.pid for name, process in self.others.items()}
        for part in (self._stack.kafka, self._stack.postgres):
            found[part.name] = part.server.pid if part.server is not None else None
        return {name: pid for name, pid in found.items() if pid is not None}


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # Postgres' sessions come and go: those that ended are in their parent's children times.
        total += times.user + times.system + times.children_user + times.children_system
    return total
