"""Sending dead letters again where records are gone, or a run was overtaken or cancelled: without workers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import asyncpg
import pytest
import typer
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import ConsumerRecord
from pydantic import SecretStr

from storage.history import History
from storage.lookups.dead_letters import Choice, list_dead_letters
from storage.operations import dead_letters as notes
from storage.operations.audit import Order, list_audited
from storage.schema import SCHEMA, migrate_all
from streams.agents.letters import refused
from streams.cli.exits import Exit
from streams.cli.history import ask
from streams.redrive import plan as planning
from streams.redrive.aside import set_aside
from streams.redrive.display import display
from streams.redrive.errors import RedriveError, RefusedError
from streams.redrive.originals import Gone, Original, Originals
from streams.redrive.plan import prepared
from streams.redrive.preparing import Given, Outgoing
from streams.redrive.run import Report, Step, redrive
from streams.redrive.sender import Sender
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.integration.storage_log import STORE, Log, write_all
from tests.system.committed import committed
from topics import moments
from topics.errors import ContractError
from topics.event import Source
from topics.ids import StoreId
from topics.partitions import partition_of

PARTITIONS = 2
ORDER = Order("dlq redrive", "ana@till", "a test", {"store": STORE})
CHOICE = Choice(states=("new", "sending"))
OWN = partition_of(STORE.encode(), PARTITIONS)
WRONG = 1 - OWN
"""Where the records were refused; they are sent again to their store's own partition."""


class Bench:
    """Letters in Postgres about records of one topic, and the hands to send them again."""

    def __init__(self, settings: Settings, connection: Any) -> None:
        self.settings = settings
        self.connection = connection
        self.topic = settings.worker.topic("ecom.orders")
        self.producer = AIOKafkaProducer(**settings.kafka.client_options())
        self.admin = AIOKafkaAdminClient(**settings.kafka.client_options())
        self._log = Log(prefix=settings.worker.prefix)

    async def refuse(self, values: Sequence[bytes]) -> list[int]:
        """Publish records on a wrong partition, and have a letter about each; return their offsets."""
        offsets = []
        for value in values:
            sent = await self.producer.send_and_wait(self.topic, value, STORE.encode(), partition=WRONG)
            offsets.append(sent.offset)
            source = Source(topic="ecom.orders", partition=WRONG, offset=sent.offset)
            error = ContractError("wrong_partition", "wrong partition")
            time = moments.of_record(sent.timestamp)
            letter = refused(error, source, value, time, datetime.now(UTC), StoreId(STORE))
            self._log.add("dead.letters", letter)
        await self._write()
        return offsets

    async def add(self, topic: str, value: bytes) -> None:
        """Have the history worker take in a record of an outgoing topic."""
        self._log.add(topic, value)
        await self._write()

    async def _write(self) -> None:
        history = History(
            self.settings.postgres.connect_options(), consumer="history", prefix=self.settings.worker.prefix
        )
        await write_all(history, self._log)
        await history.close()

    async def remove(self, partition: int, before: int) -> None:
        """Do to a partition what retention does."""
        await self.admin.delete_records({TopicPartition(self.topic, partition): RecordsToDelete(before)})

    async def redrive(self, progress: Any = lambda step, count: None, **options: Any) -> Report:
        return await redrive(self.connection, self.settings, CHOICE, Given(), progress, ORDER, **options)

    async def sent(self) -> list[ConsumerRecord]:
        """Return what stands committed on the store's own partition."""
        return await committed(self.settings, [TopicPartition(self.topic, OWN)])

    async def states(self) -> list[str]:
        letters = await list_dead_letters(self.connection, limit=None)
        return [letter.state for letter in sorted(letters, key=lambda letter: letter.offset)]


@pytest.fixture
async def bench(bootstrap: str, database: str, prefix: str) -> AsyncIterator[Bench]:
    settings = Settings(
        KafkaSettings(bootstrap=bootstrap),
        PostgresSettings(dsn=SecretStr(database)),
        WorkerSettings(prefix=prefix, partitions=PARTITIONS),
    )
    connection = await asyncpg.connect(
        database, server_settings={"search_path": SCHEMA, "application_name": "tillstream cli"}
    )
    await migrate_all(connection)
    await connection.execute(
        "TRUNCATE progress, dead_letters, tillstream_operations.redrives, tillstream_operations.discards,"
        " tillstream_operations.audit"
    )
    bench = Bench(settings, connection)
    await bench.admin.start()
    await bench.admin.create_topics([NewTopic(bench.topic, PARTITIONS, 1)])
    await bench.producer.start()
    yield bench
    await bench.producer.stop()
    await bench.admin.close()
    await connection.close()


def orders(count: int) -> list[bytes]:
    return [f'{{"id": "O{number}", "items": [], "total": 1}}'.encode() for number in range(count)]


async def test_records_are_sent_in_their_order_over_many_transactions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "IN_ONE", 7)
    values = orders(50)
    await bench.refuse(values)
    commits = []

    report = await bench.redrive(
        lambda step, count: commits.append(count) if step is Step.COMMITTED else None
    )

    assert (report.sent, commits) == (50, [7] * 7 + [1])
    assert [record.value for record in await bench.sent()] == values


async def test_what_retention_removed_is_sent_from_its_letter_or_refused_with_the_reason(
    bench: Bench,
) -> None:
    small, large = orders(1)[0], b'{"id": "L", "items": [], "total": 1, "x": "' + b"y" * 70_000 + b'"}'
    offsets = await bench.refuse([small, large])
    await bench.remove(WRONG, offsets[-1] + 1)

    with pytest.raises(RefusedError) as refusal:
        await bench.redrive()
    assert f"retention has removed it: {bench.topic}/{WRONG} begins at offset 2 now" in str(refusal.value)
    assert "the letter holds the first 65,536 of 70,045 bytes" in str(refusal.value)
    assert await bench.sent() == [], "all or nothing"

    report = await bench.redrive(skip_refused=True)
    assert (report.chosen, report.refused, report.sent) == (2, 1, 1)
    assert [record.value for record in await bench.sent()] == [small]
    failed, done = reversed(await list_audited(bench.connection))
    assert (failed.state, failed.result["refused"], failed.result["sent"]) == ("failed", 1, 0)
    assert (done.state, done.result["sent"]) == ("done", 1)


async def test_records_are_found_at_their_coordinates_and_it_is_said_why_they_are_not(bench: Bench) -> None:
    offsets = await bench.refuse(orders(300))
    await bench.remove(WRONG, 3)
    async with Originals(bench.settings) as originals:
        for offset in (3, 4, 250, 299, 5):
            found = await originals.read("ecom.orders", WRONG, offsets[offset])
            assert isinstance(found, Original)
            assert found.value == orders(300)[offset]
        for place, why in (
            ((WRONG, 2), "begins at offset 3 now"),
            ((WRONG, 300), "ends at offset 300: the topic was made anew"),
            ((OWN, 0), "ends at offset 0"),
            ((7, 0), "has no partition 7"),
        ):
            gone = await originals.read("ecom.orders", *place)
            assert isinstance(gone, Gone)
            assert why in gone.why


async def test_a_run_that_another_has_overtaken_sends_nothing_more(bench: Bench) -> None:
    await bench.refuse(orders(1))
    letters = await list_dead_letters(bench.connection)
    async with Originals(bench.settings) as originals:
        (ready,) = await prepared(bench.connection, originals, letters, Given())
    assert isinstance(ready.outgoing, Outgoing)
    async with Sender(bench.settings) as slow:
        await slow.begin()
        await slow.put([(ready.outgoing, OWN, str(uuid.uuid4()))])
        async with Sender(bench.settings):
            with pytest.raises(RedriveError, match="Another redrive has begun meanwhile"):
                await slow.commit()
    assert await bench.sent() == []


async def test_a_cancelled_run_ends_its_transaction_and_the_next_sends_the_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "IN_ONE", 2)
    values = orders(6)
    await bench.refuse(values)

    def cancel(step: Step, _count: int) -> None:
        if step is Step.PUT:
            task.cancel()

    task = asyncio.ensure_future(bench.redrive(cancel))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await bench.states() == ["sent_again"] * 2 + ["new"] * 4
    (entry,) = await list_audited(bench.connection)
    assert (entry.state, entry.result["sent"]) == ("cancelled", 2)
    await bench.redrive()
    assert [record.value for record in await bench.sent()] == values


async def test_what_was_in_doubt_when_retention_took_the_place_is_never_sent(bench: Bench) -> None:
    await bench.refuse(orders(2))
    doubtful, _ = sorted(await list_dead_letters(bench.connection), key=lambda letter: letter.offset)
    sending = notes.Sending(
        redrive_id=str(uuid.uuid4()),
        dead_letter_id=doubtful.dead_letter_id,
        origin="log",
        source=doubtful.source,
        topic="ecom.orders",
        partition=OWN,
        after_offset=0,
        length=doubtful.length,
        sha256=doubtful.sha256,
    )
    await notes.begin(bench.connection, [sending], operator="ana@till", why="killed")
    await bench.producer.send_and_wait(bench.topic, b"{}", STORE.encode(), partition=OWN)
    await bench.remove(OWN, 1)

    with pytest.raises(RefusedError, match="whether it was sent cannot be known"):
        await bench.redrive()
    report = await bench.redrive(skip_refused=True)

    assert (report.refused, report.sent) == (1, 1)
    assert await bench.states() == ["sending", "sent_again"]
    assert [record.value for record in await bench.sent()] == [orders(2)[1]]


async def test_an_event_of_ours_that_was_no_row_is_never_sent_again(bench: Bench) -> None:
    await bench.add("sales", b"{}")

    with pytest.raises(RefusedError, match=r"only the stock worker writes those.*tillstream replay plan"):
        await bench.redrive()

    (letter,) = await list_dead_letters(bench.connection)
    assert (letter.reason, letter.found_by, letter.state) == ("not_an_event", "history", "new")
    found = await display(bench.connection, bench.settings, letter.dead_letter_id, with_payload=True)
    assert (found.shown.head, found.shown.read_now) == ("{}", None)
    assert "a replay then writes the history" in found.shown.advice


async def test_the_operators_role_may_do_it_all_and_remove_nothing(bench: Bench) -> None:
    await bench.refuse(orders(2))
    await bench.connection.execute(files("storage").joinpath("roles.sql").read_text())
    try:
        await bench.connection.execute("SET ROLE tillstream_operator")
        first, _ = await list_dead_letters(bench.connection)
        for deed, state in (("discard", "discarded"), ("restore", "new")):
            await set_aside(bench.connection, Choice(ids=(first.dead_letter_id,)), deed, ORDER)
            (found,) = await list_dead_letters(bench.connection, Choice(ids=(first.dead_letter_id,)))
            assert found.state == state
        assert (await bench.redrive()).sent == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await bench.connection.execute("DELETE FROM tillstream_operations.redrives")
    finally:
        await bench.connection.execute("RESET ROLE")
        roles = "tillstream_operator, tillstream_writer, tillstream_reader"
        await bench.connection.execute(f"DROP OWNED BY {roles}")
        await bench.connection.execute(f"DROP ROLE {roles}")


async def test_a_run_that_lost_postgres_after_its_commit_is_settled_by_the_next(
    bench: Bench, database: str
) -> None:
    values = orders(3)
    await bench.refuse(values)
    with pytest.raises(asyncpg.InterfaceError):
        await bench.redrive(lambda step, _: bench.connection.terminate() if step is Step.COMMITTED else None)
    bench.connection = await asyncpg.connect(database, server_settings={"search_path": SCHEMA})
    try:
        assert await bench.states() == ["sending"] * 3

        report = await bench.redrive()

        assert (report.settled_as_sent, report.sent) == (3, 0)
        assert await bench.states() == ["sent_again"] * 3
        assert [record.value for record in await bench.sent()] == values
    finally:
        await bench.connection.close()


def test_a_command_says_when_postgres_goes_away_under_it(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", database)
    monkeypatch.setenv("TILLSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")

    async def question(connection: Any) -> None:
        connection.terminate()
        await connection.execute("SELECT 1")

    with pytest.raises(typer.Exit) as ended:
        ask(question, known_schema=False)
    assert ended.value.exit_code == Exit.FAILED
    assert "Postgres went away in the middle" in capsys.readouterr().err
