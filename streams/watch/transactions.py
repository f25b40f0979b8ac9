"""Transactions that are open, and hold back the last stable offset: committed readers wait before it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka.structs import TopicPartition

from streams import protocol
from streams.watch.cluster import Cluster, LogRange, Partition


class OpenTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that a producer has open in a partition."""

    topic: str
    partition: int
    stable: int
    """The last stable offset, at which readers wait."""
    start: int
    """Where the transaction begins."""
    producer_id: int
    epoch: int
    open_s: float
    """Since when, in seconds: by its coordinator, else by its last record here."""
    transactional_id: str | None = None
    """None: no coordinator knows it; then nothing ends it by itself."""
    state: str | None = None
    timeout_s: float | None = None
    """The coordinator ends it by itself after so long."""

    @property
    def hanging(self) -> bool:
        """Whether nothing will end it by itself."""
        return self.transactional_id is None or self.state not in ("Ongoing", "PrepareAbort", "PrepareCommit")


async def find(
    cluster: Cluster,
    parts: Mapping[str, Mapping[int, Partition]],
    logs: Mapping[TopicPartition, LogRange],
) -> list[OpenTransaction]:
    """Return the open transactions in partitions whose stable offset is not at their end."""
    held: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for tp, log in logs.items():
        leader = parts[tp.topic][tp.partition].leader
        if log.end > log.stable and leader >= 0:
            held[leader][tp.topic].append(tp.partition)
    writers: list[tuple[TopicPartition, Mapping[str, Any]]] = []
    for leader, asked in held.items():
        answer = await cluster.ask(leader, protocol.producers(asked))
        writers += [
            (TopicPartition(topic["name"], part["partition_index"]), writer)
            for topic in answer["topics"]
            for part in topic["partitions"]
            for writer in part["active_producers"]
            if writer["current_txn_start_offset"] >= 0
        ]
    known = await _coordinated(cluster, sorted({writer["producer_id"] for _, writer in writers}))
    now = time.time()
    return [_open(tp, logs[tp], writer, known.get(writer["producer_id"]), now) for tp, writer in writers]


async def _coordinated(cluster: Cluster, producer_ids: list[int]) -> dict[int, Mapping[str, Any]]:
    """Return what the coordinators know of these producers' transactions."""
    known: dict[int, Mapping[str, Any]] = {}
    if not producer_ids:
        return known
    for broker in await cluster.brokers():
        listed = await cluster.ask(broker.node_id, protocol.transaction_list(producer_ids))
        names = [one["transactional_id"] for one in listed["transaction_states"]]
        if names:
            told = await cluster.ask(broker.node_id, protocol.transactions(names))
            known.update({one["producer_id"]: one for one in told["transaction_states"]})
    return known


def _open(
    tp: TopicPartition,
    log: LogRange,
    writer: Mapping[str, Any],
    known: Mapping[str, Any] | None,
    now: float,
) -> OpenTransaction:
    since_ms = writer["last_timestamp"]
    if known is not None and known["transaction_start_time_ms"] > 0:
        since_ms = known["transaction_start_time_ms"]
    return OpenTransaction(
        topic=tp.topic,
        partition=tp.partition,
        stable=log.stable,
        start=writer["current_txn_start_offset"],
        producer_id=writer["producer_id"],
        epoch=writer["producer_epoch"],
        open_s=max(0.0, now - since_ms / 1000),
        transactional_id=known["transactional_id"] if known is not None else None,
        state=known["transaction_state"] if known is not None else None,
        timeout_s=known["transaction_timeout_ms"] / 1000 if known is not None else None,
    )
