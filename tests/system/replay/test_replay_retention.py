"""What the log no longer has is not replayed in silence."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from deploy.local.stack import Stack
from storage.replay.scope import Scope
from streams.cli.exits import Exit
from streams.replay.desk import Desk
from streams.replay.diff import diff
from streams.replay.errors import RefusedError
from streams.replay.plan import make_plan
from streams.replay.removal import removable
from streams.replay.run import start
from streams.replay.swap import swap
from tests.system.installation import PARTITIONS, Installation
from tests.system.replay.replaying import ORDER, STORES, Command, open_stores, sell, settled
from topics.partitions import partition_of

STORE = STORES[0]
OWN = partition_of(STORE.encode(), PARTITIONS)


@pytest.fixture(scope="module")
async def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """Some orders, and two dead letters; the workers have done their work and are gone."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("retention")) as shop:
        workers = [shop.start("stock"), shop.start("history")]
        await open_stores(shop)
        await sell(shop, "OLD", 3)
        await shop.publish("ecom.orders", STORE, b"no order", b"nor this")
        await settled(shop)
        for worker in workers:
            worker.kill()
        yield shop


async def delete_before(shop: Installation, topic: str, offset: int) -> None:
    """Do what retention does."""
    admin = AIOKafkaAdminClient(**shop.settings.kafka.client_options())
    await admin.start()
    try:
        place = TopicPartition(shop.settings.worker.topic(topic), OWN)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def test_letters_that_the_log_no_longer_has_are_refused_or_carried_over(
    shop: Installation, desk: Desk
) -> None:
    assert (await make_plan(desk, Scope())).gaps == ()
    # One letter and, after it, the mark of its transaction.
    await delete_before(shop, "dead.letters", 1)

    with pytest.raises(RefusedError) as refused:
        await start(desk, Scope(), ORDER)
    topic = shop.settings.worker.topic("dead.letters")
    assert f"{topic} partition {OWN}: asked from offset 0, the log begins at offset 1, records from 2" in str(
        refused.value
    )
    assert "kept for 365 days" in str(refused.value)
    assert await removable(desk.connection) == []

    await start(desk, Scope(), ORDER, accepted=["dead.letters"])
    found = await diff(desk)
    assert found.same
    assert {one.table: one.shadow for one in found.tables}["dead_letters"] == 2
    assert (await swap(desk, ORDER)).replay_id


async def test_what_is_kept_for_ever_and_gone_is_named_and_never_swapped_away(
    shop: Installation, desk: Desk, command: Command
) -> None:
    await delete_before(shop, "sales", 2)
    topic = shop.settings.worker.topic("sales")

    told = await command(shop, "plan")

    assert told.code == Exit.REFUSED
    gaps = [gap for gap in told.answer["gaps"] if gap["topic"] == topic]
    assert [(gap["partition"], gap["begin"], gap["log_begin"]) for gap in gaps] == [(OWN, 0, 2)]
    assert f"{topic} partition {OWN}: asked from offset 0, the log begins at offset 2" in told.error
    assert "kept for ever by the registry" in told.error
    await start(desk, Scope(), ORDER, accepted=["dead.letters", "sales"])
    with pytest.raises(RefusedError, match=rf"lacks what the log no longer has \({topic}/{OWN} before 2\)"):
        await swap(desk, ORDER)


async def test_by_time_only_what_may_have_been_meant_is_a_gap(shop: Installation, desk: Desk) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)

    asked_too_early = await make_plan(desk, Scope(since=long_ago, store_id=STORE))
    asked_late = await make_plan(desk, Scope(since=datetime.now(UTC) - timedelta(seconds=1), store_id=STORE))

    assert {desk.topic(gap.topic) for gap in asked_too_early.gaps} == {"dead.letters", "sales"}
    assert asked_late.gaps == ()
