"""The history worker, put together: what the topics say becomes rows in Postgres."""

import time
from typing import Any

from storage.history import History, Trouble
from streams.runtime.batch import TP
from streams.runtime.worker import Worker, build_history_worker
from streams.settings import Settings


def history_worker(settings: Settings) -> Worker:
    """Build the worker that materialises the sales history; Postgres knows how far it is."""
    history = History(
        settings.postgres.connect_options(),
        consumer=settings.worker.app_id("history"),
        prefix=settings.worker.prefix,
    )

    async def positions(partitions: set[TP]) -> dict[TP, int | None]:
        found = await history.positions((tp.topic, tp.partition) for tp in partitions)
        return {TP(topic, partition): offset for (topic, partition), offset in found.items()}

    async def leave(lost: set[TP]) -> None:
        await history.release({tp.partition for tp in lost})

    worker = build_history_worker(settings, positions=positions, write=history.write, on_revoked=leave)
    worker.on_stopped.append(history.close)
    worker.health.trouble = lambda: _told(history.trouble)
    topics = sorted(topic.removeprefix(settings.worker.prefix) for topic in history.topics)

    @worker.app.agent(worker.topic(*topics), name="history")
    async def materialise(stream: Any) -> None:
        async for batch in worker.batches(stream):
            worker.put(batch)

    return worker


def _told(trouble: Trouble | None) -> str | None:
    if trouble is None:
        return None
    return (
        f"Postgres does not take the history since {time.monotonic() - trouble.since:.0f} s: {trouble.reason}"
    )
