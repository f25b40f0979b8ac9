"""`tillstream topics` and `tillstream publish` against a real Kafka."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import Result
from typer.testing import CliRunner

from storage.operations.audit import list_audited
from storage.schema import OPERATIONS, migrate
from streams.alteration import Alteration, AlterRequest
from streams.cli import publish, topics
from streams.cli.exits import Exit
from streams.provision import alter
from streams.settings import load_settings
from tests.contracts.payloads import FIXTURES, order
from topics.partitions import partition_of

app = typer.Typer()
topics.register(app)
publish.register(app)

ORDER = str(FIXTURES / "orders/shipped-by-post.json")
ORDER_BYTES = Path(ORDER).read_bytes().strip()


@pytest.fixture(autouse=True)
def environment(bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("TILLSTREAM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", bootstrap)
    monkeypatch.setenv("TILLSTREAM_PREFIX", prefix)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def answer(*arguments: str, stdin: str | None = None) -> Any:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def records(bootstrap: str, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        found: list[tuple[bytes | None, bytes | None]] = []
        while len(found) < end:
            batch = await consumer.getmany(tp, timeout_ms=5000)
            assert batch, f"{len(found)} of {end} records"
            found += [(record.key, record.value) for record in batch[tp]]
        return found
    finally:
        await consumer.stop()


@pytest.fixture
def created(environment: None) -> Iterator[None]:
    assert run("topics", "create", "--partitions", "3").exit_code == 0
    yield


def test_create_makes_every_topic_with_its_settings_and_is_idempotent(prefix: str) -> None:
    first = answer("topics", "create", "--partitions", "3")
    assert all(topic["made"] for topic in first)
    assert {topic["partitions"] for topic in first} == {3}
    names = {topic["topic"] for topic in first}
    assert {f"{prefix}ecom.orders", f"{prefix}sales", f"{prefix}stock-sales-changelog"} <= names

    again = answer("topics", "create")
    assert not any(topic["made"] for topic in again)
    for topic in again:
        assert topic["differs"] == {}
        assert topic["config"] == topic["config_due"]


def test_create_refuses_another_count_of_partitions(prefix: str, created: None) -> None:
    result = run("topics", "create", "--partitions", "5")
    assert result.exit_code == 1
    assert f"{prefix}ecom.orders has 3" in result.stderr
    assert "Use --partitions 3" in result.stderr


async def test_create_refuses_a_topic_that_was_made_by_accident_and_makes_nothing(
    bootstrap: str, prefix: str
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(f"{prefix}sales", 1, 1), NewTopic(f"{prefix}ecom.orders", 3, 1)])
        async with asyncio.timeout(30):
            while f"{prefix}ecom.orders" not in await admin.list_topics():
                pass
        result = await _in_thread("topics", "create", "--partitions", "3")
        assert result.exit_code == 1
        assert f"{prefix}sales has 1" in result.stderr
        assert f"{prefix}fulfillments" not in await admin.list_topics()
    finally:
        await admin.close()


async def _in_thread(*arguments: str) -> Result:
    return await asyncio.to_thread(run, *arguments)


def test_create_refuses_more_copies_than_there_are_brokers() -> None:
    result = run("topics", "create", "--replication-factor", "3")
    assert result.exit_code == 1
    assert "--replication-factor" in result.stderr


def test_list_shows_what_is_not_there() -> None:
    assert not any(topic["exists"] for topic in answer("topics", "list"))
    assert "`tillstream topics create` makes them" in run("topics", "list").output


def test_describe_shows_how_a_topic_is_kept(prefix: str, created: None) -> None:
    shown = run("topics", "describe", "store.links").output
    assert f"{prefix}store.links" in shown
    assert "compact" in shown
    assert answer("topics", "describe", f"{prefix}stock-sales-changelog")["partitions"] == 3
    assert run("topics", "describe", "orders").exit_code == 2
    assert json.loads(run("topics", "describe", "sales", "--schema").stdout)["$ref"] == "#/$defs/Sale"


async def test_alter_sets_what_differs_and_loses_records_only_when_told_to(
    bootstrap: str, prefix: str, created: None, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", database)
    connection = await asyncpg.connect(database)
    await migrate(connection, OPERATIONS)
    orders, sales, links = (f"{prefix}{name}" for name in ("ecom.orders", "sales", "store.links"))
    await _set(orders, "retention.ms", "-1")
    await _set(orders, "segment.bytes", "2000000")
    await _set(sales, "retention.ms", "1000")
    await _set(links, "cleanup.policy", "delete")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait(orders, b"{}", key=b"s", partition=0, timestamp_ms=1_000)
    await producer.send_and_wait(orders, b"{}", key=b"s", partition=0)
    await producer.send_and_wait(links, b"{}", key=b"s", partition=1)
    await producer.stop()

    planned = await _answer_in_thread("topics", "alter")
    assert {one["topic"]: (one["cost"], one["records"], one["applied"]) for one in planned} == {
        orders: ("old_records", 1, False),
        sales: ("nothing", 0, False),
        links: ("replaced_records", 1, False),
    }
    told = ("--apply", "--why", "as due", "--who", "ana@till")
    refused = await _in_thread("topics", "alter", *told)
    assert refused.exit_code == Exit.REFUSED
    assert f"{orders}: retention.ms=2592000000 removes 1 records that are older" in refused.stderr
    assert f"{links}: cleanup.policy=compact removes of 1 records all but the last" in refused.stderr
    assert len(await _answer_in_thread("topics", "alter")) == 3

    assert (await _in_thread("topics", "alter", "--topic", "sales", *told)).exit_code == Exit.OK
    assert {one["topic"] for one in await _answer_in_thread("topics", "alter")} == {orders, links}
    assert all(
        one["applied"] for one in await _answer_in_thread("topics", "alter", *told, "--allow-data-loss")
    )

    assert await _answer_in_thread("topics", "alter") == []
    assert not any(topic["differs"] for topic in await _answer_in_thread("topics", "create"))
    described = await _described(bootstrap, orders)
    assert (described["segment.bytes"], described["retention.ms"]) == ("2000000", "2592000000")
    entries = await list_audited(connection)
    assert [(entry.action, entry.state, len(entry.result["settings"])) for entry in entries] == [
        ("topics alter", "done", 2),
        ("topics alter", "done", 1),
    ]
    await connection.close()


async def _set(topic: str, setting: str, value: str) -> None:
    await alter(load_settings(), AlterRequest([Alteration(topic, setting, "", value, "nothing")]))


async def _described(bootstrap: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}
    finally:
        await admin.close()


async def test_published_records_are_on_the_partition_of_their_store(
    bootstrap: str, prefix: str, created: None
) -> None:
    sent = await _answer_in_thread("publish", "ecom.orders", "--store", "s-7", ORDER)
    partition = partition_of(b"s-7", 3)
    assert sent == {
        "topic": f"{prefix}ecom.orders",
        "store": "s-7",
        "partition": partition,
        "records": 1,
        "bytes": len(ORDER_BYTES),
        "warnings": 0,
        "first_offset": 0,
        "last_offset": 0,
    }
    assert await records(bootstrap, f"{prefix}ecom.orders", partition) == [(b"s-7", ORDER_BYTES)]


async def _answer_in_thread(*arguments: str, stdin: str | None = None) -> Any:
    return await asyncio.to_thread(answer, *arguments, stdin=stdin)


async def test_lines_come_from_standard_input_and_null_is_a_record_without_value(
    bootstrap: str, prefix: str, created: None
) -> None:
    lines = '{"currency": "USD"}\nnull\n{"currency": "EUR"}\n'
    sent = await _answer_in_thread("publish", "store.links", "--store", "s-7", "-", stdin=lines)
    assert (sent["records"], sent["warnings"]) == (3, 0)
    found = await records(bootstrap, f"{prefix}store.links", sent["partition"])
    assert [value for _, value in found] == [b'{"currency": "USD"}', None, b'{"currency": "EUR"}']


def test_a_record_that_breaks_its_contract_is_published_with_a_warning(tmp_path: Path, created: None) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([order(), order(total="NaN"), order(id="C")]))
    result = run("publish", "ecom.orders", "--store", "s-7", str(file))
    assert result.exit_code == 0
    assert 'value 2: total: not a finite number: "NaN"' in result.stderr
    assert "3 records" in result.stdout
    assert "1 break the contract" in result.stdout


def test_with_strict_nothing_is_published_then(tmp_path: Path, created: None) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([order(), order(total="NaN")]))
    result = run("publish", "ecom.orders", "--store", "s-7", str(file), "--strict")
    assert result.exit_code == 1
    assert "Nothing was published" in result.stderr
    assert answer("publish", "ecom.orders", "--store", "s-7", ORDER)["first_offset"] == 0


async def test_with_raw_a_file_is_sent_as_it_is(
    bootstrap: str, prefix: str, tmp_path: Path, created: None
) -> None:
    file = tmp_path / "broken"
    file.write_bytes(b'\xff{"id')
    sent = await _answer_in_thread("publish", "ecom.orders", "--store", "s-7", str(file), "--raw")
    assert sent["warnings"] == 1
    assert await records(bootstrap, f"{prefix}ecom.orders", sent["partition"]) == [(b"s-7", b'\xff{"id')]


def test_a_record_that_is_too_large_is_told_by_its_place(tmp_path: Path, created: None) -> None:
    file = tmp_path / "large.json"
    file.write_text(json.dumps([order(), order(orderComments="x" * 1_048_588)]))
    result = run("publish", "ecom.orders", "--store", "s-7", str(file))
    assert result.exit_code == 1
    assert "large.json, value 2" in result.stderr
    assert "more than the topic takes" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("sales", "--store", "s", ORDER), 2, "only the stock worker writes to it"),
        (("orders", "--store", "s", ORDER), 2, "ecom.orders"),
        (("ecom.orders", "--store", " ", ORDER), 2, "the key is the store id"),
        (("ecom.orders", "--store", "s", "no-such-file.json"), 2, "no-such-file.json"),
        (("ecom.orders", "--store", "s", ORDER), 1, "`tillstream topics create`"),
    ],
)
def test_what_cannot_be_published_is_told(arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run("publish", *arguments)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_a_kafka_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    for arguments in (("topics", "list"), ("publish", "ecom.orders", "--store", "s", ORDER)):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "127.0.0.1:9 does not answer" in result.stderr
