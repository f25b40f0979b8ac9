"""A tiny stock worker for the tests of the runtime: counts what it reads per key, and says so.

    python -m tests.integration.counting_worker OPTIONS-AS-JSON

Options: `bootstrap`, `prefix`, and any field of `WorkerSettings`.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import msgspec

from streams.runtime.batch import Batch
from streams.runtime.tables import TableSpec
from streams.runtime.unit import KafkaUnit
from streams.runtime.worker import Worker, build_stock_worker
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings

SOURCES = ("numbers", "letters")
OUTPUT = "counted"


class Total(msgspec.Struct, frozen=True):
    count: int
    sum: int


class Number(msgspec.Struct, frozen=True):
    n: int


TOTALS = TableSpec("totals", msgspec.json.Decoder(Total), grows=True)
HEADERS = [("ce_type", b"counted"), ("content-type", b"application/json")]

_number = msgspec.json.Decoder(Number)
_encode = msgspec.json.Encoder().encode


def count(batch: Batch, unit: KafkaUnit) -> None:
    """Add each number to its key's total and send it on with the new count."""
    totals = unit.table(TOTALS)
    for record in batch.records:
        n = _number.decode(record.value).n
        before = totals.get(record.key) or Total(0, 0)
        after = Total(before.count + 1, before.sum + n)
        totals.put(record.key, after)
        unit.emit(OUTPUT, record.key, _encode({"n": n, "count": after.count}), HEADERS, record.timestamp)


def build(bootstrap: str, **options: Any) -> Worker:
    """The worker, not yet running."""
    settings = Settings(KafkaSettings(bootstrap=bootstrap), PostgresSettings(), WorkerSettings(**options))
    worker = build_stock_worker(settings, tables=[TOTALS], outputs=[OUTPUT])

    @worker.app.agent(worker.topic(*SOURCES), name="numbers")
    async def numbers(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch, count)

    return worker


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    sys.exit(build(**json.loads(sys.argv[1])).run(with_parent=True))
