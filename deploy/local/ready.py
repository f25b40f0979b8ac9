"""Whether a server that was started can be used yet."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from deploy.local import ports

_POLL_S = 0.05


def broker_answers(port: int, alive: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a Kafka broker lists itself in its own metadata; False when it dies or time is up."""
    deadline = time.monotonic() + timeout_s
    if not _accepts(port, alive, deadline):
        return False
    import asyncio  # noqa: PLC0415 - like the client below, only when a broker starts

    answer: list[bool] = []
    # A thread, for the caller may have an event loop of its own running.
    thread = threading.Thread(
        target=lambda: answer.append(asyncio.run(_broker_listed(port, alive, deadline))), name="kafka-ready"
    )
    thread.start()
    thread.join()
    return bool(answer and answer[0])


def _accepts(port: int, alive: Callable[[], bool], deadline: float) -> bool:
    while not ports.answers(port):
        if time.monotonic() >= deadline or not alive():
            return False
        time.sleep(_POLL_S)
    return True


async def _broker_listed(port: int, alive: Callable[[], bool], deadline: float) -> bool:
    import asyncio  # noqa: PLC0415

    from aiokafka.client import AIOKafkaClient  # noqa: PLC0415
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    while time.monotonic() < deadline and alive():
        client = AIOKafkaClient(bootstrap_servers=f"{ports.LOOPBACK}:{port}", request_timeout_ms=2000)
        # A refused attempt is what we wait out, not news for the user.
        silenced = logging.getLogger("aiokafka")
        level = silenced.level
        silenced.setLevel(logging.CRITICAL)
        try:
            await client.bootstrap()
            if client.cluster.brokers():
                return True
        except KafkaError:
            pass
        finally:
            silenced.setLevel(level)
            await client.close()
        await asyncio.sleep(_POLL_S)
    return False
