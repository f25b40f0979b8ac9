"""How far a replay is, told to Prometheus as well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.replay.run import Tell
from streams.runtime.endpoint import Endpoint
from streams.runtime.metrics import ReplayProgress


@asynccontextmanager
async def exported(tell: Tell, host: str, port: int | None) -> AsyncIterator[Tell]:
    """Yield what tells `tell` and, unless `port` is None, whoever asks `/metrics` there meanwhile."""
    if port is None:
        yield tell
        return
    progress = ReplayProgress()
    serving = asyncio.create_task(Endpoint(progress.registry, host, port).serve())

    def both(done: int, due: int) -> None:
        tell(done, due)
        progress.tell(done, due)

    try:
        yield both
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
