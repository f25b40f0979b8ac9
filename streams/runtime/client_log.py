"""Makes aiokafka's log fit for a worker: retries are counted, and the same line comes once in a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LOGGERS = (
    "aiokafka",
    "aiokafka.producer.sender",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
)
REPEAT_EVERY_S = 10.0


class ClientLog(logging.Filter):
    """Counts retried produce requests, and lets a repeated warning through every ten seconds only.

    While a partition's last transaction markers are written, brokers answer "not enough replicas" to the
    next transaction; at full load that is routine, so it is counted and not shown. A broker that is away is
    worth a line, not one per attempt of every connection.
    """

    def __init__(self, retried: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._retried = retried
        self._clock = clock
        self._shown: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        message = record.getMessage()
        if "retrying. Error" in message:
            self._retried()
            if "NotEnoughReplicas" in message:
                return False
        now = self._clock()
        if now - self._shown.get(message, -REPEAT_EVERY_S) < REPEAT_EVERY_S:
            return False
        self._shown = {text: at for text, at in self._shown.items() if now - at < REPEAT_EVERY_S}
        self._shown[message] = now
        return True

    def install(self) -> None:
        """Listen to aiokafka's loggers."""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Stop listening."""
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self)
