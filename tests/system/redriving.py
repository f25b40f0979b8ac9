"""The commands on dead letters, as an operator runs them on an installation."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord
from click.testing import Result
from typer.testing import CliRunner

from streams.cli import app
from tests.system.committed import committed
from tests.system.installation import PARTITIONS, Installation
from tests.system.process import ROOT
from topics.partitions import partition_of

_KILLED = """
import asyncio, os, signal, sys
from storage.connection import connect
from storage.lookups.dead_letters import Choice
from storage.operations.audit import Order
from streams.redrive.preparing import Given
from streams.redrive.run import Step, redrive
from streams.settings import load_settings

store, last = sys.argv[1:]

def progress(step, count):
    if step.value == last:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    settings = load_settings()
    connection = await connect(settings.postgres.connect_options(), name="tillstream cli")
    choice = Choice(store_id=store, states=("new", "sending"))
    order = Order("dlq redrive", "ana@till", "to be killed", {"store": store})
    await redrive(connection, settings, choice, Given(), progress, order)

asyncio.run(main())
"""


class Operator:
    """Someone at a command line."""

    def __init__(self, shop: Installation) -> None:
        self._shop = shop
        self.environment = {
            "TILLSTREAM_KAFKA_BOOTSTRAP": shop.settings.kafka.bootstrap,
            "TILLSTREAM_POSTGRES_DSN": shop.dsn,
            "TILLSTREAM_PREFIX": shop.settings.worker.prefix,
            "TILLSTREAM_OPERATOR": "ana@till",
        }

    async def run(self, *arguments: str) -> Result:
        """Run `tillstream dlq …`; return how it ended and what it printed."""
        return await asyncio.to_thread(CliRunner().invoke, app, ["dlq", *arguments], env=self.environment)

    async def answer(self, *arguments: str) -> Any:
        """Run it with `--json`; return what it prints."""
        ended = await self.run(*arguments, "--json")
        assert ended.exit_code == 0, f"{arguments}: {ended.exit_code} {ended.output} {ended.exception!r}"
        return json.loads(ended.stdout)

    async def change(self, *arguments: str) -> Any:
        """Run it with `--apply`."""
        return await self.answer(*arguments, "--apply", "--why", "a test of operations")

    async def letters(self, store_id: str, *arguments: str) -> list[dict[str, Any]]:
        """Return the letters of a store in the order of their records."""
        found = await self.answer("list", "--store", store_id, *arguments)
        return sorted(found, key=lambda letter: (letter["processed_at"], letter["offset"], letter["part"]))

    async def killed(self, store_id: str, step: str) -> None:
        """Redrive the store's letters in a process that is killed right after a step."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TILLSTREAM_")
        }
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _KILLED, store_id, step],
            cwd=ROOT,
            env=environment | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == -9, f"it was not killed at {step}: {ran.returncode}\n{ran.stderr}"


async def misplaced(
    shop: Installation, store_id: str, values: Sequence[bytes], headers: Sequence[tuple[str, bytes]] = ()
) -> list[tuple[int, int]]:
    """Publish orders of a store on a partition that is not its own; return partition and offset of each."""
    key = store_id.encode()
    wrong = (partition_of(key, PARTITIONS) + 1) % PARTITIONS
    producer = AIOKafkaProducer(**shop.settings.kafka.client_options())
    await producer.start()
    try:
        sent = [
            await producer.send_and_wait(
                shop.settings.worker.topic("ecom.orders"), value, key, partition=wrong, headers=list(headers)
            )
            for value in values
        ]
    finally:
        await producer.stop()
    return [(wrong, one.offset) for one in sent]


async def on_topic(shop: Installation, topic: str, store_id: str) -> list[ConsumerRecord]:
    """Return all that was committed of a store to an inbound topic, on the store's own partition."""
    key = store_id.encode()
    tp = TopicPartition(shop.settings.worker.topic(topic), partition_of(key, PARTITIONS))
    return [record for record in await committed(shop.settings, [tp]) if record.key == key]


def named(prefix: str) -> str:
    """Return a store id that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
