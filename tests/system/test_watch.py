"""What an operator sees of workers that run: their endpoints, `tillstream status`, `tillstream doctor`."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from deploy.local import ports
from deploy.local.stack import Stack
from streams.cli.exits import Exit
from streams.watch import pipeline
from streams.watch.cluster import Cluster
from streams.watch.doctor import examine
from streams.watch.judgement import Limits, judge
from tests.system.cases import LINK
from tests.system.installation import PARTITIONS, Installation
from tests.system.payloads import count, order
from tests.system.process import ROOT
from topics.partitions import partition_of

STORE = "watched"
PERSON = "ada.quill@example.com"


class Watched:
    """An installation, and the ports at which its workers answer."""

    def __init__(self, shop: Installation, port: int) -> None:
        self.shop = shop
        self.port = port
        self.environment = shop._environment | {"TILLSTREAM_HTTP_PORT": str(port)}

    def start(self, kind: str, **environment: str) -> Any:
        return self.shop.start(kind, TILLSTREAM_HTTP_PORT=str(self.port), **environment)

    async def get(self, kind: str, path: str) -> tuple[int, str]:
        """Ask a worker's endpoint; its status and text, 0 when nobody answers."""
        port = self.port + (kind == "history")
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def ready(self) -> None:
        async def both() -> bool:
            return [(await self.get(kind, "/ready"))[0] for kind in ("stock", "history")] == [200, 200]

        await self.shop.until("both workers are ready", both)

    async def metric(self, kind: str, line: str) -> float:
        """Return the value of a metric, by its name and labels as Prometheus writes them."""
        _, text = await self.get(kind, "/metrics")
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else float("nan")

    async def run(self, *arguments: str, **environment: str) -> tuple[int, Any]:
        """Run `tillstream … --json`; its exit code and what it printed."""
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "streams.cli", *arguments, "--json"],
            cwd=ROOT,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.stdout, ran.stderr
        return ran.returncode, msgspec.json.decode(ran.stdout)


@pytest.fixture(scope="module")
async def watched(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Both workers, with a store in which two orders were placed, one for more than there is."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("watched")) as shop:
        watched = Watched(shop, ports.choose(0))
        watched.start("stock")
        watched.start("history")
        await shop.publish("store.links", STORE, LINK)
        await shop.decided()
        await shop.publish("pos.inventory", STORE, count("SHIRT", "o1", 5))
        await shop.decided()
        first = order("W1", ("SHIRT", 2), email=PERSON)
        await shop.publish("ecom.orders", STORE, first, order("W2", ("SHIRT", 9)), first)
        await shop.settled()
        await watched.ready()
        yield watched
        shop.assert_workers_unharmed()


async def test_workers_say_that_they_are_live_and_ready_and_own_all_partitions(watched: Watched) -> None:
    for kind in ("stock", "history"):
        assert (await watched.get(kind, "/live"))[0] == 200
        status, text = await watched.get(kind, "/health")
        said = msgspec.json.decode(text)
        assert (status, said["state"], said["kind"]) == (200, "running", kind)
        assert [lane["partition"] for lane in said["lanes"]] == list(range(PARTITIONS))


async def test_metrics_count_what_was_decided_and_written(watched: Watched) -> None:
    assert await watched.metric("stock", 'tillstream_decisions_total{kind="stock",outcome="decided"}') >= 4
    assert await watched.metric("stock", 'tillstream_decisions_total{kind="stock",outcome="unchanged"}') == 1
    opened = 'tillstream_exceptions_total{change="opened",exception="backordered",kind="stock"}'
    assert await watched.metric("stock", opened) == 1
    assert await watched.metric("stock", 'tillstream_oversold_total{kind="stock"}') == 1
    rows = 'tillstream_table_rows{kind="stock",table="sales",tier="memory"}'
    assert await watched.metric("stock", rows) == 2
    assert await watched.metric("stock", 'tillstream_table_memory_bytes{kind="stock"}') > 1000
    assert await watched.metric("stock", 'tillstream_table_disk_bytes{kind="stock"}') > 0
    assert await watched.metric("stock", 'tillstream_commit_latency_seconds_count{kind="stock"}') >= 4
    assert await watched.metric("history", "tillstream_freshness_seconds_count") >= 4
    assert await watched.metric("history", 'tillstream_unit_commit_seconds_count{kind="history"}') >= 1


async def test_metrics_hold_no_personal_data_and_no_order(watched: Watched) -> None:
    for kind in ("stock", "history"):
        _, text = await watched.get(kind, "/metrics")
        assert "tillstream_worker_state" in text
        for secret in (PERSON, "Quill", "W1", STORE):
            assert secret not in text


async def test_status_shows_every_partition_caught_up_and_nothing_wrong(watched: Watched) -> None:
    code, seen = await watched.run("status")
    assert (code, seen["wrong"]) == (Exit.OK, [])
    pipeline = seen["pipeline"]
    assert {one["kind"]: one["state"] for one in pipeline["kinds"]} == {
        "stock": "running",
        "history": "running",
    }
    positions = pipeline["positions"]
    assert {one["lag"] for one in positions} == {0}
    assert {one["lag_s"] for one in positions} == {0.0}
    sales = [one for one in positions if one["topic"].endswith(".sales") and "pos" not in one["topic"]]
    assert len(sales) == PARTITIONS
    assert {one["written"] for one in sales if one["end"]} == {one["end"] for one in sales if one["end"]}
    assert {one["table"]: one["rows"] for one in pipeline["tables"]}["sales"] == 2
    assert pipeline["exceptions"]["backordered"] == 1


async def test_status_names_the_part_that_does_not_answer_and_shows_the_others(watched: Watched) -> None:
    nowhere = f"127.0.0.1:{ports.choose(0)}"
    code, seen = await watched.run("status", TILLSTREAM_POSTGRES_DSN=f"postgresql://nobody@{nowhere}/none")
    assert code == Exit.FOUND
    assert [one["what"] for one in seen["wrong"]] == ["Postgres does not answer"]
    assert {one["lag"] for one in seen["pipeline"]["positions"]} == {0}

    code, seen = await watched.run("status", TILLSTREAM_KAFKA_BOOTSTRAP=nowhere)
    assert code == Exit.FOUND
    assert [one["what"] for one in seen["wrong"]] == ["Kafka does not answer"]
    assert seen["pipeline"]["exceptions"]["backordered"] == 1
    assert {one["kind"] for one in seen["pipeline"]["workers"]} == {"stock", "history"}


async def test_doctor_finds_no_problem_in_an_installation_that_is_well(watched: Watched) -> None:
    code, answer = await watched.run("doctor")
    levels = {one["check"]: one["level"] for one in answer["findings"]}
    # One broker with one copy of everything is what the embedded stack is, and no disk is ours to judge.
    levels = {check: level for check, level in levels.items() if not check.startswith("disk")}
    assert levels.pop("brokers") == "warning"
    assert set(levels.values()) == {"ok"}, answer["findings"]
    assert {"partitioner", "keys", "offsets", "workers", "schema", "last stable offset"} <= levels.keys()
    assert code in (Exit.OK, Exit.FOUND)


async def test_a_worker_whose_loop_stands_still_does_not_look_live(watched: Watched) -> None:
    stock = watched.shop._workers[0]
    stock.signal(signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await watched.get("stock", "/live")
    finally:
        stock.signal(signal.SIGCONT)
    assert (await watched.get("stock", "/live"))[0] == 200


async def test_status_tells_how_far_a_history_that_is_away_is_behind(watched: Watched) -> None:
    shop = watched.shop
    history = shop._workers[1]
    await history.stop()
    assert await watched.get("history", "/live") == (0, "")
    await shop.publish("ecom.orders", STORE, order("W3", ("SHIRT", 1)))
    await shop.decided()
    seen = await pipeline.look(shop.settings)
    behind = [one for one in seen.positions if one.lag]
    assert {one.group for one in behind} == {shop.settings.worker.app_id("history")}
    assert f"{shop.settings.worker.prefix}sales" in {one.topic for one in behind}
    assert all(one.lag_s is not None and 0 < one.lag_s < 600 for one in behind)
    (late,) = (one for one in judge(seen, Limits(lag_s=0.0)) if "behind" in one.what)
    assert "runbook lag-grows" in late.remedy
    history.start()
    await shop.written()
    await watched.ready()


async def test_a_look_ends_though_a_fetch_is_under_way(watched: Watched) -> None:
    topic = watched.shop.settings.worker.topic
    first, second = (
        [TopicPartition(topic(name), n) for n in range(PARTITIONS)] for name in ("sales", "refunds")
    )
    for _ in range(3):
        async with asyncio.timeout(10), Cluster(watched.shop.settings) as cluster:
            ends = {tp: log.stable for tp, log in (await cluster.ranges(first + second)).items()}
            for places in (first, second):
                # At the end of the log a broker answers only after a while, and the look is over before.
                assert set((await cluster.oldest({tp: ends[tp] for tp in places})).values()) == {None}


async def test_doctor_names_records_without_key_and_on_the_wrong_partition(watched: Watched) -> None:
    shop = watched.shop
    due = partition_of(STORE.encode(), PARTITIONS)
    stray = (due + 1) % PARTITIONS
    keyless = await shop.put("ecom.orders", None, b"{}", due)
    await shop.misplace("ecom.orders", STORE, order("W4", ("SHIRT", 1)), stray)
    await shop.decided()
    await shop.written()
    found = {one.check: one for one in await examine(shop.settings)}
    topic = shop.settings.worker.topic("ecom.orders")
    assert found["keys"].level == found["partitioner"].level == "problem"
    assert found["keys"].details[0].startswith(f"{topic}/{due} offset {keyless} ")
    assert found["partitioner"].details[0].startswith(f"{topic}/{stray} offset ")
    assert "partitioner=murmur2_random" in found["partitioner"].remedy
    assert await watched.metric("stock", 'tillstream_dead_letters_total{kind="stock",reason="no_key"}') == 1
    (letters,) = (one for one in judge(await pipeline.look(shop.settings), Limits()) if "letter" in one.what)
    assert "2 dead letter(s)" in letters.what
    assert "wrong_partition 1" in letters.where


async def test_doctor_names_the_producer_of_a_transaction_that_does_not_end(watched: Watched) -> None:
    shop = watched.shop
    topic = shop.settings.worker.topic("sales")
    name = f"{shop.settings.worker.prefix}left-open"
    producer = AIOKafkaProducer(
        bootstrap_servers=shop.settings.kafka.bootstrap, transactional_id=name, transaction_timeout_ms=600_000
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        start = (await producer.send_and_wait(topic, b"never committed", partition=2)).offset
        (found,) = (
            one for one in await examine(shop.settings, stalled_s=0.0) if one.check == "last stable offset"
        )
        assert found.level == "problem"
        assert f"{topic}/2" in found.found
        assert f"abort --topic {topic} --partition 2 --start-offset {start}" in found.remedy
        (told,) = found.details
        assert (
            f"producer {producer._txn_manager.producer_id} epoch {producer._txn_manager.producer_epoch}"
            in told
        )
        assert f"transactional id {name}, Ongoing, timeout 600 s" in told
    finally:
        await producer.abort_transaction()
        await producer.stop()
    (found,) = (one for one in await examine(shop.settings) if one.check == "last stable offset")
    assert found.level == "ok"
