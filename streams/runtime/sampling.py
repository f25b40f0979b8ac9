"""Once a second, how far the lanes are behind: what changes without a unit being committed."""

from __future__ import annotations

import asyncio
import logging
import time

from aiokafka.errors import KafkaError

from streams.runtime.health import State
from streams.runtime.runtime import Runtime

log = logging.getLogger(__name__)

SAMPLE_S = 1.0


async def sample(runtime: Runtime) -> None:
    """Note lags in the runtime's health, until cancelled."""
    health = runtime.health
    while True:
        await asyncio.sleep(SAMPLE_S)
        if health.state is not State.RUNNING:
            continue
        now = time.time()
        for lane in runtime.lanes:
            oldest = lane.oldest
            lane.health.waits_s = 0.0 if oldest is None else max(0.0, now - oldest / 1000)
        try:
            standing = await runtime.app.consumer._thread.standing()
        except KafkaError as error:
            log.info("sampling the lag: %r", error)
            continue
        finally:
            health.heard_at = time.monotonic()
        for tp, found in standing.items():
            owned = health.lanes.get(tp.partition)
            if owned is not None and found.end is not None:
                committed = owned.positions.get(tp.topic, found.position)
                owned.lag[tp.topic] = max(0, found.end - committed)
