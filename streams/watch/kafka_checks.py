"""Checks of Kafka: brokers, topics, the records' partitions and keys, clocks, open transactions, room."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka.structs import TopicPartition

from streams import protocol
from streams.provision import TopicState
from streams.settings import Settings
from streams.watch.cluster import Broker, Cluster, LogRange, Partition
from streams.watch.disk_checks import room
from streams.watch.finding import Finding, fine, problem, warning
from streams.watch.transactions import OpenTransaction, find
from topics.partitions import partition_of
from topics.registry import INBOUND

SAMPLE = 50
"""So many of the last records of each inbound partition are looked at."""
SHOWN = 8
FUTURE_S = 5.0
OFFSETS = "__consumer_offsets"

Parts = Mapping[str, Mapping[int, Partition]]
Logs = Mapping[TopicPartition, LogRange]


def brokers(found: Sequence[Broker], parts: Parts) -> Finding:
    """Check that every partition has a leader and all its copies, on different brokers."""
    check = "brokers"
    copies = [(topic, number, part) for topic, numbers in parts.items() for number, part in numbers.items()]
    names = ", ".join(f"{one.node_id} at {one.host}:{one.port}" for one in found)
    if headless := [f"{topic}/{number}" for topic, number, part in copies if part.leader < 0]:
        return problem(
            check,
            f"{len(headless)} partition(s) have no leader: nothing can be read from or written to them",
            "start the brokers that are down (runbook broker-down)",
            _some(headless),
        )
    behind = [
        f"{topic}/{number}: {len(part.in_sync)} of {len(part.replicas)} copies"
        for topic, number, part in copies
        if len(part.in_sync) < len(part.replicas)
    ]
    if behind:
        return problem(
            check,
            f"{len(behind)} partition(s) lack copies; {len(found)} broker(s) answer: {names}",
            "start the brokers that are down, or wait until they have caught up (runbook broker-down)",
            _some(behind),
        )
    fewest = min((len(part.replicas) for _, _, part in copies), default=0)
    if copies and fewest == 1:
        return warning(
            check,
            f"{len(found)} broker(s): {names}; partitions have one copy: a lost disk loses orders",
            "on one machine, to try, that is as it must be; in production have three brokers and copies",
        )
    return fine(check, f"{len(found)} broker(s): {names}; at least {fewest} copies of each partition")


def topics(states: Sequence[TopicState]) -> Finding:
    """Check that all topics are there, with the settings of the registry."""
    check = "topics"
    if missing := [state.name for state in states if not state.partitions]:
        return problem(
            check,
            f"{len(missing)} of {len(states)} are not there",
            "`tillstream topics create` makes them and leaves the others alone",
            _some(missing),
        )
    differ = [
        f"{state.name}: {key} is {found}, {due} is due"
        for state in states
        for key, (due, found) in state.differs.items()
    ]
    if differ:
        return warning(
            check,
            f"{len(differ)} setting(s) are not those of the registry",
            "`tillstream topics alter` shows what it would set, `--apply` sets it",
            _some(differ),
        )
    return fine(check, f"all {len(states)} are there, with the settings of the registry")


def counts(states: Sequence[TopicState]) -> Finding:
    """Check that all topics have the same number of partitions: a store lives on one number (DESIGN 1)."""
    check = "partitions"
    found = Counter(state.partitions for state in states if state.partitions)
    if len(found) > 1:
        (usual, _), *_rest = found.most_common()
        return problem(
            check,
            f"topics have different numbers of partitions; most have {usual}",
            "no worker starts like this: see docs/operations/ on changing the number of partitions",
            _some([f"{one.name}: {one.partitions}" for one in states if one.partitions not in (0, usual)]),
        )
    number = next(iter(found), 0)
    return fine(check, f"{number} of every topic")


def placement(records: Mapping[TopicPartition, Sequence[Any]], counts_of: Mapping[str, int]) -> list[Finding]:
    """Check that inbound records have keys, and are where murmur2 of their key puts them."""
    keyless: list[str] = []
    astray: list[str] = []
    looked_at = 0
    for tp, some in sorted(records.items()):
        for record in some:
            looked_at += 1
            where = f"{tp.topic}/{tp.partition} offset {record.offset} ({_utc(record.timestamp)})"
            if not record.key:
                keyless.append(where)
            elif (due := partition_of(record.key, counts_of[tp.topic])) != tp.partition:
                astray.append(f"{where}: partition {due} is due")
    if not looked_at:
        return [
            fine("keys", "there are no inbound records"),
            fine("partitioner", "there are no inbound records"),
        ]
    sample = f"of the last {looked_at} inbound record(s)"
    return [
        problem(
            "keys",
            f"{len(keyless)} {sample} have no key: they are dead letters",
            "have the publisher send the store id as the key (docs/publishing.md), then re-drive them",
            _some(keyless),
        )
        if keyless
        else fine("keys", f"every one {sample} has a key"),
        problem(
            "partitioner",
            f"{len(astray)} {sample} are not on their key's partition: they are dead letters",
            "set partitioner=murmur2_random in the publisher (librdkafka's default is another), then re-drive"
            " them: `tillstream dlq redrive` puts them where they belong",
            _some(astray),
        )
        if astray
        else fine("partitioner", f"every one {sample} is on the partition that murmur2 of its key says"),
    ]


def record_times(records: Mapping[TopicPartition, Sequence[Any]]) -> Finding:
    """Check that no record is from the future of this machine's clock."""
    check = "clock of records"
    newest = max(
        ((some[-1].timestamp, tp, some[-1].offset) for tp, some in records.items() if some), default=None
    )
    if newest is None:
        return fine(check, "there are no records to compare with")
    ahead = newest[0] / 1000 - time.time()
    where = f"{newest[1].topic}/{newest[1].partition} offset {newest[2]}"
    if ahead > FUTURE_S:
        return warning(
            check,
            f"{where} is {ahead:.0f} s ahead of this machine",
            "have this machine, the brokers and the publishers follow a time server: which of two counts is"
            " newer is decided by these times",
        )
    return fine(check, f"the newest record is {max(0.0, -ahead):.0f} s old ({where})")


async def open_transactions(
    cluster: Cluster, settings: Settings, parts: Parts, logs: Logs, stalled_s: float
) -> Finding:
    """Check that no transaction is open for longer than `stalled_s`, holding readers back."""
    check = "last stable offset"
    found = await find(cluster, parts, logs)
    stalled = [one for one in found if one.open_s >= stalled_s]
    if not stalled:
        young = f"; {len(found)} transaction(s) are under way" if found else ""
        return fine(check, f"nothing holds readers back{young}")
    places = ", ".join(sorted({f"{one.topic}/{one.partition}" for one in stalled}))
    hanging = any(one.hanging for one in stalled)
    remedy = (
        "no coordinator ends it. One of a stock worker may have been committed: start that worker, which ends"
        " it as it was (runbook undecided-transaction). Abort any other one"
        if hanging
        else "its coordinator ends it by itself when its timeout is over; if its producer is dead and you"
        " cannot wait, or it stays, abort it"
    )
    commands = dict.fromkeys(abort_command(one, settings.kafka.bootstrap) for one in stalled)
    return problem(
        check,
        f"readers of {places} wait for transactions that do not end",
        f"{remedy}: {'; '.join(commands)}",
        [_told(one) for one in stalled],
    )


def abort_command(one: OpenTransaction, bootstrap: str) -> str:
    """Return the command of Kafka's own tools that ends a transaction in a partition."""
    return (
        f"kafka-transactions.sh --bootstrap-server {bootstrap} abort --topic {one.topic}"
        f" --partition {one.partition} --start-offset {one.start}"
    )


def _told(one: OpenTransaction) -> str:
    whose = "no coordinator knows it"
    if one.transactional_id is not None:
        whose = f"transactional id {one.transactional_id}, {one.state}, timeout {one.timeout_s:.0f} s"
    return (
        f"{one.topic}/{one.partition} stands at {one.stable}: producer {one.producer_id} epoch {one.epoch}"
        f" ({whose}) has a transaction open from offset {one.start} on since {one.open_s:.0f} s"
    )


async def log_room(cluster: Cluster, found: Sequence[Broker]) -> Finding:
    """Check the room that the brokers' log directories have."""
    places: dict[str, tuple[int, int]] = {}
    for broker in found:
        answer = await cluster.ask(broker.node_id, protocol.log_dirs())
        for place in answer["results"]:
            if place["error_code"] == 0 and place["total_bytes"] > 0:
                name = f"broker {broker.node_id}: {place['log_dir']}"
                places[name] = (place["usable_bytes"], place["total_bytes"])
    return room("disk of the brokers", places, "make room or lower a retention (runbook disk-full)")


def inbound(parts: Parts, logs: Logs, settings: Settings) -> dict[TopicPartition, LogRange]:
    """Return the partitions of inbound topics."""
    names = {settings.worker.topic(topic.name) for topic in INBOUND}
    return {tp: log for tp, log in logs.items() if tp.topic in names and tp.topic in parts}


def _some(all_of: Sequence[str]) -> list[str]:
    left = len(all_of) - SHOWN
    return [*all_of[:SHOWN], *([f"and {left} more"] if left > 0 else [])]


def _utc(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
