"""An operator who replays: the command, traffic and readers meanwhile, both histories side by side."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from storage.operations.audit import Order
from storage.replay.compared import tables
from storage.schema import HISTORY, Schema
from tests.system.cases import LINK
from tests.system.installation import Installation
from tests.system.payloads import count, order
from tests.system.process import ROOT
from tests.system.waiting import until

STORES = ("replay-1", "replay-2", "replay-3")
ORDER = Order("replay", "ana@till", "rows were lost", {})
NO_SALE = b"no sale"
"""What another program wrote to the topic of the sales."""
WHY = ("--apply", "--why", "rows were lost")
PATIENCE_S = 90.0
APART_S = 0.02
"""Between two orders of the traffic: as they come, not a condition that is waited for."""


class Ended(NamedTuple):
    """How a command ended; `answer` is the JSON that it printed, if it did."""

    code: int
    answer: Any
    error: str


Command = Callable[..., Awaitable[Ended]]
"""Runs `tillstream replay` on an installation, with these arguments."""


class Running:
    """A command that runs beside the test, in a process of its own."""

    def __init__(self, shop: Installation, *arguments: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "replay", *arguments, "--json"],
            cwd=ROOT,
            env=shop._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def ended(self) -> Ended:
        output, error = await asyncio.to_thread(self.child.communicate, timeout=PATIENCE_S)
        return Ended(self.child.returncode, json.loads(output) if output.strip() else None, error)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.child.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.child.kill()
        self.child.communicate()


async def open_stores(shop: Installation) -> None:
    """Link the stores, and count their shirts."""
    for store in STORES:
        await shop.publish("store.links", store, LINK)
        await shop.publish("pos.inventory", store, count("SHIRT", "o1", 1_000), count("HAT", "o2", 1_000))


async def sell(shop: Installation, name: str, orders: int) -> None:
    """Have so many orders come in, one after the other, in each store."""
    for number in range(orders):
        for store in STORES:
            await shop.publish("ecom.orders", store, order(f"{name}-{number}", ("SHIRT", 1), ("HAT", 1)))


@asynccontextmanager
async def traffic(shop: Installation, name: str) -> AsyncIterator[None]:
    """Orders come in while the block runs."""
    over = asyncio.Event()

    async def come_in() -> None:
        number = 0
        while not over.is_set():
            store = STORES[number % len(STORES)]
            await shop.publish("ecom.orders", store, order(f"{name}-{number}", ("SHIRT", 1)))
            number += 1
            await asyncio.sleep(APART_S)

    task = asyncio.create_task(come_in())
    try:
        yield
    finally:
        over.set()
        await task


async def contents(shop: Installation, one: Schema) -> dict[str, list[str]]:
    """Return every row of every table as text, but for when it was written; letters of ours, too."""
    connection = await asyncpg.connect(shop.dsn)
    try:
        found = {}
        for name in await tables(connection, HISTORY):
            rows = await connection.fetch(
                f"SELECT (to_jsonb(t) - 'recorded_at')::text FROM {one.name}.{name} AS t ORDER BY 1"
            )
            found[name] = [row[0] for row in rows]
        progress = await connection.fetch(
            f"SELECT topic, partition, next_offset FROM {one.name}.progress ORDER BY 1, 2"
        )
        return found | {"progress": [str(tuple(row)) for row in progress]}
    finally:
        await connection.close()


async def settled(shop: Installation) -> None:
    """Wait until all is decided and written; what is no event of ours need not be read."""
    await shop.decided()
    await shop.written()


async def gone_through(shop: Installation, at_least: int) -> None:
    """Wait until the last replay has gone through so many offsets."""

    async def has() -> bool:
        rows = await shop.rows(
            "SELECT offsets_done FROM tillstream_operations.replays WHERE state = 'running'"
        )
        return bool(rows) and rows[0]["offsets_done"] >= at_least

    await until(f"the replay has gone through {at_least} offsets", has)


class Reader:
    """Reads two tables, and a view of one of them, over and over; `seen` is what it saw, each change once.

    Both have a row that only the first history has: whoever sees one of them must see the other too.
    """

    def __init__(self, shop: Installation, sql: str) -> None:
        self._shop = shop
        self._sql = sql
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.seen: list[tuple[Any, ...]] = []
        self.reads = 0

    async def __aenter__(self) -> "Reader":
        self._task = asyncio.create_task(self._read())
        await until("the reader has read", lambda: self.reads > 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        assert self._task is not None
        await self._task

    async def has_read_again(self) -> None:
        before = self.reads + 1
        await until("the reader has read again", lambda: self.reads > before)

    async def _read(self) -> None:
        async with self._shop.connected() as connection:
            while not self._over.is_set():
                await self.once(connection)
                self.reads += 1
                await asyncio.sleep(APART_S / 4)

    async def once(self, connection: Any) -> None:
        self.note(tuple(await connection.fetchrow(self._sql)))

    def note(self, saw: tuple[Any, ...]) -> None:
        if not self.seen or self.seen[-1] != saw:
            self.seen.append(saw)


class TransactionReader(Reader):
    """Reads one after the other, in one transaction."""

    def __init__(self, shop: Installation, *statements: str, isolation: str) -> None:
        super().__init__(shop, "")
        self._statements = statements
        self._isolation = isolation

    async def once(self, connection: Any) -> None:
        async with connection.transaction(isolation=self._isolation):
            self.note(tuple([await connection.fetchval(sql) for sql in self._statements]))
