"""What a worker makes sure of before it starts: its topics are there and co-partitioned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.runtime.errors import TopicsError, WorkerError
from streams.settings import KafkaSettings


async def partition_counts(topics: Iterable[str], kafka: KafkaSettings) -> dict[str, int]:
    """How many partitions each of these topics has; 0 for one that does not exist."""
    names = sorted(set(topics))
    admin = AIOKafkaAdminClient(**kafka.client_options(), client_id="tillstream-startup")
    try:
        await admin.start()
        found = await admin.describe_topics(names)
    except KafkaError as error:
        raise WorkerError(
            f"Kafka at {kafka.bootstrap} does not answer: {error!r}. Check the address and that the brokers"
            " are up."
        ) from error
    finally:
        await admin.close()
    counts = {topic["topic"]: len(topic["partitions"]) for topic in found if topic["error_code"] == 0}
    return {name: counts.get(name, 0) for name in names}


def check_topics(counts: Mapping[str, int]) -> int:
    """The partition count that all topics share.

    Raises `TopicsError` naming what is missing, or what has another count than most.
    """
    missing = [topic for topic, count in counts.items() if count == 0]
    if missing:
        raise TopicsError(
            f"Topics are missing: {', '.join(missing)}. A worker never makes topics: run `tillstream topics"
            " create`. If a changelog was lost, its table is too: see the runbook tables-lost before you"
            " start a worker."
        )
    sizes = set(counts.values())
    if len(sizes) > 1:
        listed = ", ".join(f"{topic} has {count}" for topic, count in sorted(counts.items()))
        raise TopicsError(
            "All topics must have the same number of partitions, so that a store lives on one; but"
            f" {listed}. Make them anew with equal counts (`tillstream topics create`)."
        )
    return sizes.pop()
