"""Counts what aiokafka retries inside transactions, and keeps it out of the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

SENDER = "aiokafka.producer.sender"


class RetryCounter(logging.Filter):
    """Takes a retried produce request off the log's warnings and counts it.

    While a partition's last transaction markers are written, brokers answer "not enough replicas" to the next
    transaction; at full load that is routine, and a warning each would drown the others.
    """

    def __init__(self, count: Callable[[], None]) -> None:
        super().__init__()
        self._count = count

    def filter(self, record: logging.LogRecord) -> bool:
        if "retrying. Error" not in str(record.msg):
            return True
        self._count()
        return "NotEnoughReplicas" not in record.getMessage()

    def install(self) -> None:
        """Listen to aiokafka."""
        logging.getLogger(SENDER).addFilter(self)

    def remove(self) -> None:
        """Stop listening."""
        logging.getLogger(SENDER).removeFilter(self)
