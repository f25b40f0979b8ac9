"""Another number of partitions in mid-life: nothing lost, nothing twice, and each store in its order."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka import TopicPartition

from streams.cli.exits import Exit
from streams.provision import wanted
from streams.rebuild.errors import RefusedError
from streams.repartition import change
from streams.repartition.generations import move_to
from streams.repartition.standing import undecided, unwritten
from streams.runtime.errors import ExitCode
from streams.settings import Settings, SettingsError
from tests.system.cases import LINK
from tests.system.forked import Ran
from tests.system.installation import PARTITIONS, SHORT_SESSION, Installation
from tests.system.journal import Journal
from tests.system.offline.conftest import AFTER, Stopped
from tests.system.offline.life import STORES, STRICT, STROKE, TORN, WAITS
from tests.system.payloads import count, order, pos_fulfillment
from tests.system.store import Store
from tests.system.whole_life import STORE
from topics.codec import EVENTS
from topics.ids import StoreId
from topics.partitions import partition_of

pytestmark = pytest.mark.timeout(400)  # the first of them waits for the installation


def _told(journal: Journal) -> dict[tuple[str, str | None], list[tuple[Any, ...]]]:
    """Return every record by topic and store, in the order of the log."""
    found: defaultdict[tuple[str, str | None], list[tuple[Any, ...]]] = defaultdict(list)
    for topic, kind in EVENTS.items():
        for store in {cast("StoreId | None", event.store_id) for event in journal.all(kind)}:
            found[topic, store] = [
                (record.key, record.value, record.timestamp, tuple(record.headers))
                for record in journal.records(kind, store)
            ]
    return found


async def test_every_event_is_there_once_and_each_store_s_are_in_their_order(stopped: Stopped) -> None:
    before, after = _told(stopped.shop.journal), _told(stopped.journal)
    assert {store for _, store in before} >= set(STORES)
    assert after == before
    copied = {one.topic for one in stopped.copied if one.copied}
    assert {
        stopped.move.new.worker.topic(topic)
        for topic in ("sales", "ecom.orders", "store.links", "dead.letters")
    } <= copied


async def test_every_row_is_where_its_store_lives_now(stopped: Stopped) -> None:
    assert stopped.moved == stopped.after


async def test_coordinates_that_records_had_do_not_come_again(stopped: Stopped) -> None:
    def places(settings: Settings, partitions: int) -> list[TopicPartition]:
        return [TopicPartition(settings.worker.topic("ecom.orders"), number) for number in range(partitions)]

    consumer = stopped.shop._all
    old = await consumer.end_offsets(places(stopped.move.old, PARTITIONS))
    new = await consumer.beginning_offsets(places(stopped.move.new, AFTER))
    assert min(new.values()) >= max(old.values()) > 0


async def test_a_generation_that_is_at_work_is_no_target(stopped: Stopped) -> None:
    settings = stopped.move.old
    with pytest.raises(RefusedError, match="a generation is at work already"):
        await move_to(settings, stopped.move.new.worker.prefix, AFTER)
    with pytest.raises(SettingsError, match="another prefix"):
        await move_to(settings, settings.worker.prefix, AFTER)


async def test_the_command_shows_what_would_be_done_and_does_nothing_without_a_reason(
    stopped: Stopped,
) -> None:
    prefix = stopped.move.new.worker.prefix
    environment = stopped.shop._environment | {"TILLSTREAM_PREFIX": prefix}

    def partitions(*words: str) -> Ran:
        return stopped.forked.run(["partitions", *words, "--json"], environment)

    further = ("--partitions", "3", "--to", f"g3{prefix}")
    planned = partitions("plan", *further)
    assert planned.code == 0, planned.err
    seen = msgspec.json.decode(planned.out)
    assert [seen[key] for key in ("before", "after", "undecided", "unwritten", "leftovers")] == [
        *(AFTER, 3, 0, 0),
        [],
    ]
    assert partitions("change", *further, "--apply").code == Exit.USAGE
    assert partitions("drop", "--prefix", prefix).code == Exit.REFUSED
    shown = partitions("drop", "--prefix", stopped.move.old.worker.prefix)
    assert set(msgspec.json.decode(shown.out)["topics"]) == set(wanted(stopped.move.old))


async def test_life_goes_on_in_the_new_generation_and_the_old_one_can_go(stopped: Stopped) -> None:
    """Both at once: with tables that were made again, on topics that were copied."""
    shop, new, journal = stopped.shop, stopped.move.new, stopped.journal
    prefix = new.worker.prefix
    workers = [shop.start(kind, TILLSTREAM_PREFIX=prefix, **SHORT_SESSION) for kind in ("stock", "history")]

    async def publish(topic: str, store_id: str, payload: Any) -> None:
        value = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        key = store_id.encode()
        await shop._producer.send_and_wait(
            f"{prefix}{topic}", value, key=key, partition=partition_of(key, AFTER)
        )

    picked_up = pos_fulfillment("pos-s1", "o1", "FULFILLED", 3, (1, "TEA", 2), (2, "POT", 1))
    for topic, store_id, payload in (
        ("store.links", WAITS, LINK),
        ("ecom.orders", STROKE, TORN),
        ("ecom.orders", STROKE, order("NEXT", ("CAP", 1), minute=30)),
        ("pos.inventory", STROKE, count("CAP", "o1", 1, version=1)),
        ("ecom.orders", STORE, order("NEXT", ("SHIRT", 1), minute=30)),
        ("ecom.orders", STROKE, order("O1", ("CAP", 1), minute=1)),
        ("pos.inventory", STRICT, count("TEA", "o1", 9, version=3)),
        ("pos.fulfillments", STRICT, picked_up),
        ("ecom.orders", STRICT, order("LATE", ("TEA", 1), minute=9)),
    ):
        await publish(topic, store_id, payload)

    def site(store_id: str) -> Store:
        return Store(cast("Installation", SimpleNamespace(journal=journal, rows=shop.rows)), store_id)

    async def settled() -> bool:
        await journal.read()
        waited = {sale.order_id for sale in site(WAITS).all_sales}
        left = await undecided(new, AFTER), await unwritten(new, AFTER)
        return waited == {"W1", "W2", "W3", "W4"} and left == (0, 0)

    await shop.until("all is decided and written in the new generation", settled)
    await journal.read()
    for store_id in STORES:
        await site(store_id).assert_history_agrees()
    assert len(site(STROKE).letters) == 2, "the same bytes, refused twice, are two letters"
    assert len(site(STROKE).revisions("O1")) == 1, "a snapshot was decided before and comes again"
    assert site(STROKE).level("p-cap", "o1") == (5, 10), "a count was seen before and comes again"
    strict = site(STRICT)
    assert [line.fulfilled for line in strict.sale("S1").lines] == [2, 1]
    assert strict.sale("LATE").pos_sale_id == "pos-late", "its acknowledgement waited for it"
    assert strict.sale("S2").lines[0].unallocated == 0, "it waited for stock"
    shop.assert_workers_unharmed()
    assert [await worker.stop() for worker in workers] == [ExitCode.OK, ExitCode.OK]

    await publish("ecom.orders", STORE, order("LAST", ("SHIRT", 1), minute=40))
    with pytest.raises(RefusedError, match="1 offsets are not decided"):
        await change.change(await move_to(new, f"g3{prefix}", 2), 1)

    assert set(await change.drop(stopped.move.old)) == set(wanted(stopped.move.old))
    rows = await shop.rows("SELECT DISTINCT consumer FROM progress")
    assert [row["consumer"] for row in rows] == [new.worker.app_id("history")]
