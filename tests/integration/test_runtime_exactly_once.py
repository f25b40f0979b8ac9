"""Whatever kills a worker, every record counts once."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.kafka import Kafka, KafkaOptions
from streams.runtime.errors import ExitCode
from tests.integration.counting import Counting, until

OWNS = "owns partitions ["
SHORT_SESSION: dict[str, float] = {"session_timeout_s": 3.0, "heartbeat_s": 0.5}


@pytest.fixture
async def counting(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Counting]:
    async with Counting.on(bootstrap, prefix, tmp_path) as counting:
        yield counting


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_a_worker_killed_in_the_middle_of_a_load_loses_and_doubles_nothing(
    counting: Counting, seed: int
) -> None:
    moments = random.Random(seed)
    worker = counting.start()
    async with counting.load():
        for _ in range(4):
            await counting.further()
            await asyncio.sleep(moments.uniform(0, 0.4))  # the moment of the kill is what the seed chooses
            worker.kill()
            worker = counting.start()
    await counting.caught_up()
    await counting.assert_exactly_once()


async def test_a_zombie_that_wakes_up_after_its_partitions_were_taken_over_writes_nothing(
    counting: Counting,
) -> None:
    zombie = counting.start(0, **SHORT_SESSION)
    async with counting.load():
        await counting.further()
        zombie.signal(signal.SIGSTOP)
        heir = counting.start(1, **SHORT_SESSION)
        await counting.further()
    await counting.caught_up()
    zombie.signal(signal.SIGCONT)
    # It finds out: it is fenced and ends, or it joins the group anew.
    await until(
        "the zombie is back in order", lambda: zombie.code is not None or _assignments(zombie.log) > 1
    )
    assert zombie.code in (None, ExitCode.CRASHED)
    await counting.publish(1000)
    await counting.caught_up()
    await counting.assert_exactly_once()
    assert heir.code is None


async def test_a_second_worker_takes_a_share_and_gives_it_back(counting: Counting) -> None:
    first = counting.start(0, **SHORT_SESSION)
    async with counting.load():
        await counting.further()
        second = counting.start(1, **SHORT_SESSION)
        await until("both have a share", lambda: second.said(OWNS) and _assignments(first.log) > 1)
        await counting.further()
        second.signal(signal.SIGTERM)
        assert await second.ended() == ExitCode.OK
        await until("the first has all again", lambda: first.log.read_text().count(OWNS + "0, 1, 2, 3]") > 1)
        await counting.further()
    await counting.caught_up()
    await counting.assert_exactly_once()
    first.signal(signal.SIGTERM)
    assert await first.ended() == ExitCode.OK


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker that only this test uses, on ports that no client gets by chance while it is down."""
    below_client_ports = random.SystemRandom().randrange(20_000, 30_000)
    kafka = Kafka(
        tmp_path, KafkaOptions(broker_port=below_client_ports, controller_port=below_client_ports + 1)
    )
    kafka.start()
    yield kafka
    kafka.kill()


@pytest.mark.long  # tests/chaos kills the broker under the workers that the product has
async def test_a_broker_killed_in_the_middle_of_a_load_costs_nothing(
    own_kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Counting.on(own_kafka.bootstrap, prefix, tmp_path) as counting:
        await _survive_a_broker(counting, own_kafka)


async def _survive_a_broker(counting: Counting, kafka: Kafka) -> None:
    await counting.publish(10_000)
    worker = counting.start(max_unit_records=200)
    await counting.further()
    await asyncio.to_thread(kafka.kill)
    await until("its ports are free", lambda: not any(map(ports.answers, kafka.ports.values())))
    await asyncio.to_thread(kafka.start)
    await counting.publish(2_000)

    async def all_out() -> bool:
        nonlocal worker
        if worker.code is not None:  # allowed: the supervisor starts it again
            worker = counting.start()
        return len(await counting.counted()) == counting.published

    await until("all came out", all_out, 90)
    await counting.assert_exactly_once()


def _assignments(log: Path) -> int:
    return log.read_text().count(OWNS)
