"""A program that restores a table as a stock worker does, and prints what it took: a `references.Done`.

python -m deploy.bench.restoring TOPIC
"""

import gc
import sys
import time

import msgspec
import psutil
import uvloop
from aiokafka.structs import TopicPartition

from deploy.bench.references import Done
from streams.runtime.recovery import restore
from streams.runtime.store import Rows
from streams.runtime.worker import GC_THRESHOLDS
from streams.settings import Settings, load_settings


async def restoring(settings: Settings, topic: str) -> Done:
    """Read the topic into empty rows."""
    gc.set_threshold(*GC_THRESHOLDS)
    tables = {TopicPartition(topic, number): Rows() for number in range(settings.worker.partitions)}
    gc.collect()
    before = psutil.Process().memory_info().rss
    begun, used = time.perf_counter(), time.process_time()
    await restore(tables, settings)
    seconds, cpu_s = time.perf_counter() - begun, time.process_time() - used
    gc.collect()
    memory = psutil.Process().memory_info().rss - before
    count = sum(rows.count() for rows in tables.values())
    return Done(count=count, seconds=round(seconds, 3), cpu_s=round(cpu_s, 3), memory=memory)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(restoring(load_settings(), sys.argv[1]))))
