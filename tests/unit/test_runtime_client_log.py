"""What of aiokafka's log gets through."""

import logging

import pytest

from streams.runtime.client_log import ClientLog


def record(message: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("aiokafka.producer.sender", level, __file__, 1, message, (), None)


class Retries:
    def __init__(self) -> None:
        self.count = 0
        self.now = 0.0
        self.log = ClientLog(self._one_more, lambda: self.now)

    def _one_more(self) -> None:
        self.count += 1


@pytest.fixture
def retries() -> Retries:
    return Retries()


def test_retries_while_markers_are_written_are_counted_and_not_shown(retries: Retries) -> None:
    line = "Got error produce response on topic-partition x, retrying. Error: NotEnoughReplicasError"
    assert not retries.log.filter(record(line))
    assert retries.count == 1


def test_other_retries_are_counted_and_shown(retries: Retries) -> None:
    assert retries.log.filter(record("Got error produce response on x, retrying. Error: NotLeader"))
    assert retries.count == 1


def test_the_same_warning_comes_once_in_ten_seconds(retries: Retries) -> None:
    line = "Unable connect to node with id 1"
    shown = []
    for second in range(25):
        retries.now = second
        if retries.log.filter(record(line)):
            shown.append(second)
    assert shown == [0, 10, 20]


def test_information_is_left_alone(retries: Retries) -> None:
    assert retries.log.filter(record("Discovered coordinator", logging.INFO))
    assert retries.log.filter(record("Discovered coordinator", logging.INFO))
