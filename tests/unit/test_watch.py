"""What of a pipeline's state needs a person, and what the checks make of what Kafka says."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.structs import TopicPartition

from storage.lookups.watch import LettersCounted
from streams import protocol
from streams.provision import TopicState
from streams.watch import disk_checks, kafka_checks
from streams.watch.cluster import Broker, Group, Member, Partition
from streams.watch.judgement import Limits, judge
from streams.watch.seen import KindSeen, Pipeline, Position, Silent
from streams.watch.transactions import OpenTransaction
from streams.watch.workers import WorkerSeen
from topics.partitions import partition_of
from topics.registry import BY_NAME

GIB = 1 << 30
NOW = 1_772_010_000.0
ORDERS = TopicPartition("ecom.orders", 0)


def kind(name: str = "stock", members: int = 1, unowned: tuple[int, ...] = ()) -> KindSeen:
    some = [Member(f"m{number}", f"{name}-{number}", "127.0.0.1", {}) for number in range(members)]
    group = Group(name, "Stable" if members else "Empty", some)
    return KindSeen(kind=name, group=group, state="running", unowned=unowned, last_unit={})


def position(lag_s: float | None = 0.0, **changes: Any) -> Position:
    fields: dict[str, Any] = {
        "group": "history", "topic": "sales", "partition": 1, "start": 10, "end": 100,
        "committed": 90, "written": 90, "lag": 10, "lag_s": lag_s,
    }  # fmt: skip
    return Position(**fields | changes)


def worker(**changes: Any) -> WorkerSeen:
    fields: dict[str, Any] = {
        "address": "127.0.0.1:9640", "kind": "stock", "app_id": "stock", "member": "stock-0",
        "state": "running", "since": NOW, "live": True, "pid": 7,
    }  # fmt: skip
    return WorkerSeen(**fields | changes)


def pipeline(**changes: Any) -> Pipeline:
    fields: dict[str, Any] = {
        "at": NOW, "silent": (), "kinds": (kind("stock"), kind("history")),
        "positions": (position(),), "tables": (), "workers": (worker(),), "letters": (),
        "exceptions": {"backordered": 3},
        "headless": (), "database_bytes": 1, "replay": None, "history_tables": (), "missing": (),
        "set_up": True,
    }  # fmt: skip
    return Pipeline(**fields | changes)


def said(seen: Pipeline, **limits: float) -> list[str]:
    return [one.what for one in judge(seen, Limits(**limits))]


def test_open_exceptions_alone_are_nothing_wrong_with_the_pipeline() -> None:
    assert said(pipeline()) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"kinds": (kind("stock", members=0),)}, "no stock worker runs"),
        ({"kinds": (kind("history", unowned=(2, 3)),)}, "nobody works on 2 partition(s) of history"),
        ({"workers": (worker(state="dead", reason="fenced"),)}, "a stock worker is dead: fenced"),
        ({"workers": (worker(live=False),)}, "a stock worker hangs"),
        (
            {"workers": (worker(state="recovering", since=NOW - 500),)},
            "a stock worker is recovering for 500 s",
        ),
        ({"workers": (worker(trouble="Postgres is away"),)}, "Postgres is away"),
        (
            {"workers": (worker(state="recovering", since=NOW - 500, trouble="Postgres is away"),)},
            "Postgres is away",
        ),
        ({"positions": (position(61.0),)}, "history is 61 s behind: 10 offsets in 1 partition(s)"),
        (
            {"positions": (position(None, written=4),)},
            "Postgres wants offset 4, and the log begins at 10: 6 offsets were removed unread",
        ),
        ({"positions": (position(written=101),)}, "Postgres stands at 101, beyond the log's end 100"),
        (
            {"positions": (position(written=None, group="stock", committed=5),)},
            "group stock wants offset 5, and the log begins at 10: 5 offsets were removed unread",
        ),
        (
            {"letters": (LettersCounted(reason="not_json", total=9, last_day=3, open=2),)},
            "2 dead letter(s) that nobody has dealt with",
        ),
        ({"missing": ("sales",)}, "topics are missing"),
        ({"headless": ("sales/1", "sales/2")}, "2 partition(s) have no leader"),
        ({"silent": (Silent("Kafka", "h:1", "start it"),)}, "Kafka does not answer"),
    ],
)
def test_what_needs_a_person_is_named(changes: dict[str, Any], what: str) -> None:
    assert said(pipeline(**changes)) == [what]


def test_what_was_dealt_with_or_is_within_the_limits_needs_nobody() -> None:
    assert said(pipeline(letters=(LettersCounted(reason="not_json", total=9, last_day=3, open=0),))) == []
    assert said(pipeline(positions=(position(61.0),)), lag_s=120.0) == []
    assert said(pipeline(workers=(worker(state="recovering", since=NOW - 30),))) == []


def test_where_nothing_is_set_up_only_a_part_that_is_down_is_wrong() -> None:
    none = {"set_up": False, "kinds": (kind("stock", members=0),), "positions": (), "missing": ("sales",)}
    assert said(pipeline(**none, silent=(Silent("Postgres", "no history", "migrate", answers=True),))) == []
    assert said(pipeline(**none, silent=(Silent("Postgres", "refused", "start it"),))) == [
        "Postgres does not answer"
    ]


def parts(*copies: Partition) -> dict[str, dict[int, Partition]]:
    return {"sales": dict(enumerate(copies))}


@pytest.mark.parametrize(
    ("copies", "level", "place"),
    [
        ((Partition(1, (1, 2, 3), (1, 2, 3)),), "ok", None),
        ((Partition(1, (1,), (1,)),), "warning", None),
        ((Partition(1, (1, 2, 3), (1, 2)),), "problem", "sales/0: 2 of 3 copies"),
        ((Partition(1, (1, 2), (1, 2)), Partition(-1, (1, 2), (2,))), "problem", "sales/1"),
    ],
)
def test_brokers_are_judged_by_leaders_and_copies(
    copies: tuple[Partition, ...], level: str, place: str | None
) -> None:
    found = kafka_checks.brokers([Broker(1, "h", 9092)], parts(*copies))
    assert found.level == level
    assert list(found.details) == ([place] if place else [])


def state(name: str, partitions: int, **changes: Any) -> TopicState:
    return TopicState(name=name, topic=BY_NAME[name], partitions=partitions, **changes)


def test_topics_that_are_missing_different_or_of_another_count_are_named() -> None:
    well = [state("sales", 4), state("refunds", 4)]
    assert kafka_checks.topics(well).level == kafka_checks.counts(well).level == "ok"
    assert kafka_checks.topics([state("sales", 0)]).details == ["sales"]
    differs = state("sales", 4, differs={"retention.ms": ("-1", "1000")})
    assert kafka_checks.topics([differs]).details == ["sales: retention.ms is 1000, -1 is due"]
    odd = kafka_checks.counts([*well, state("customers", 6)])
    assert (odd.level, odd.details) == ("problem", ["customers: 6"])


class Record(NamedTuple):
    key: bytes | None
    offset: int
    timestamp: int


def test_many_records_astray_are_counted_and_some_are_named() -> None:
    key = next(key for key in (b"%d" % number for number in range(99)) if partition_of(key, 4) == 1)
    records = {ORDERS: [Record(key, offset, 1_772_010_000_000) for offset in range(20)]}
    keys, partitioner = kafka_checks.placement(records, {"ecom.orders": 4})
    assert (keys.level, partitioner.level) == ("ok", "problem")
    assert partitioner.found.startswith("20 of the last 20")
    assert partitioner.details[0] == "ecom.orders/0 offset 0 (2026-02-25 09:00:00 UTC): partition 1 is due"
    assert partitioner.details[-1] == "and 12 more"


def test_a_record_from_the_future_is_a_clock_that_is_wrong() -> None:
    ahead = kafka_checks.record_times({ORDERS: [Record(b"s", 7, int((time.time() + 60) * 1000))]})
    assert ahead.level == "warning"
    assert "ecom.orders/0 offset 7" in ahead.found
    assert kafka_checks.record_times({ORDERS: []}).level == "ok"


def test_a_transaction_that_no_coordinator_knows_is_hanging() -> None:
    known = OpenTransaction(
        topic="sales", partition=1, stable=5, start=5, producer_id=1, epoch=0, open_s=40.0,
        transactional_id="stock-1", state="Ongoing", timeout_s=60.0,
    )  # fmt: skip
    lost = OpenTransaction(
        topic="sales", partition=1, stable=5, start=5, producer_id=1, epoch=0, open_s=4000.0
    )
    assert (known.hanging, lost.hanging) == (False, True)
    assert kafka_checks.abort_command(lost, "h:9092") == (
        "kafka-transactions.sh --bootstrap-server h:9092 abort --topic sales --partition 1 --start-offset 5"
    )


def test_a_broker_that_is_too_old_for_a_question_is_said_to_be() -> None:
    with pytest.raises(IncompatibleBrokerVersion, match=r"older than Kafka 3\.0"):
        protocol.transaction_list([1]).prepare({66: (1, 1)})


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [(50, 100, "ok"), (6, 100, "warning"), (4, 10, "warning"), (2, 100, "problem"), (0.5, 4, "problem")],
)
def test_disks_are_judged_by_what_is_free(free: float, total: float, level: str) -> None:
    found = disk_checks.room("disk", {"/data": (int(free * GIB), int(total * GIB))}, "make room")
    assert found.level == level
