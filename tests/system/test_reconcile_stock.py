"""`tillstream reconcile`: what is wrong is named with its cause, and put right by movements."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from deploy.local.stack import Stack
from storage.operations.turn import turn
from streams.cli.exits import Exit
from streams.domain.state import Stock
from streams.payloads import Payload
from streams.reconcile.compare import differences
from streams.reconcile.counts import in_file
from streams.reconcile.difference import Difference
from streams.reconcile.look import Look
from tests.system.committed import committed
from tests.system.forked import Forked
from tests.system.installation import PARTITIONS, Installation
from tests.system.payloads import count, order, pos_fulfillment, pos_sale
from tests.system.store import Store
from tests.system.test_life import opened
from topics.codec import encode
from topics.event import Source
from topics.ids import OutletId, ProductId, StoreId
from topics.movements import Movement, StockMoved
from topics.partitions import partition_of

Run = Callable[..., Awaitable[tuple[int, Any]]]

BROKEN = "reconcile-broken"
FINE = "reconcile-fine"


@pytest.fixture(scope="module")
async def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation with one store that is well, and one that somebody has laid hands on."""
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("reconcile")) as site:
        stock = site.start("stock")
        site.start("history")
        await opened(site, FINE, SHIRT=9, HAT=5)
        await opened(site, BROKEN, SHIRT=9, HAT=5, CUP=4)
        for store_id in (FINE, BROKEN):
            await site.publish("ecom.orders", store_id, order("A", ("SHIRT", 2)), order("B", ("HAT", 1)))
        await site.decided()
        await site.publish("pos.sales", FINE, pos_sale("s-1", ("SHIRT", 2, 10), source_id="A"))
        await site.decided()
        parcel = pos_fulfillment("s-1", "o1", "FULFILLED", 1, (1, "SHIRT", 2))
        await site.publish("pos.fulfillments", FINE, parcel)
        await site.publish("pos.inventory", FINE, count("HAT", "o1", 6, version=3), count("HAT", "o1", 2, 2))
        await site.settled()
        await stock.stop()
        await lay_hands_on(site)
        site.start("stock")
        await site.decided()
        yield site
        site.assert_workers_unharmed()


async def lay_hands_on(site: Installation) -> None:
    """Break what no worker would: the table and the movements of one product each, and rows in Postgres."""
    number = partition_of(BROKEN.encode(), PARTITIONS)
    key = f"{BROKEN}\0p-shirt".encode()
    row = await last_row(site, "stock-stock-changelog", number, key)
    shirt = msgspec.json.decode(row, type=Stock)
    level = shirt.outlets[OutletId("o1")]
    more = msgspec.structs.replace(level, on_hand=level.on_hand + 4)
    tampered = msgspec.structs.replace(shirt, outlets={OutletId("o1"): more}, raw=shirt.raw + 4)
    await site.put("stock-stock-changelog", key, encode(tampered), number)

    movement = Movement(
        kind="allocated",
        product_id=ProductId("p-hat"),
        sku="HAT",
        outlet_id=OutletId("o1"),
        revision=9,
        quantity=Decimal(1),
        allocated=Decimal(1),
        on_hand_after=Decimal(5),
        allocated_after=Decimal(2),
    )
    assert level.counted_at is not None
    event = StockMoved(
        event_id="by-hand",
        store_id=StoreId(BROKEN),
        event_time=level.counted_at,
        received_at=level.counted_at,
        processed_at=level.counted_at,
        cause="by hand",
        source=Source(topic="ecom.orders", partition=number, offset=0),
        movements=(movement,),
    )
    await site.put("stock.movements", BROKEN.encode(), encode(event), number)
    await site.written()
    async with site.connected() as history:
        for sql in (
            "DELETE FROM sales WHERE store_id = $1 AND order_id = 'A'",
            "UPDATE sales SET revision = 7 WHERE store_id = $1 AND order_id = 'B'",
            "UPDATE stock_levels SET on_hand = 3 WHERE store_id = $1 AND product_id = 'p-cup'",
            "DELETE FROM stock_movements WHERE store_id = $1 AND product_id = 'p-shirt' AND revision = 1",
        ):
            assert (await history.execute(sql, BROKEN)).endswith(" 1"), sql


async def last_row(site: Installation, topic: str, partition: int, key: bytes) -> bytes:
    """Return what a changelog has last under a key."""
    place = TopicPartition(site.settings.worker.topic(topic), partition)
    found = [record for record in await committed(site.settings, [place]) if record.key == key]
    value = found[-1].value
    assert value is not None
    return bytes(value)


async def look(site: Installation, store_id: str, levels: Iterable[Any] = ()) -> list[Difference]:
    """Return what differs, as the command finds it; `levels` are a file's."""
    filed = in_file(Payload(msgspec.json.encode(level), "levels.json") for level in levels)
    async with site.connected() as connection, Look.at(site.settings, StoreId(store_id), connection) as look:
        return differences(await look.see(), filed)


def causes(found: Iterable[Difference]) -> set[str]:
    return {each.cause for each in found}


@pytest.fixture(scope="module")
def run(site: Installation) -> Iterator[Run]:
    """Run a command; the answer is its exit code, and what it prints as JSON, or else what it says."""
    with Forked() as forked:

        async def ran(*words: str) -> tuple[int, Any]:
            done = await asyncio.to_thread(forked.run, [*words, "--json"], site._environment)
            return done.code, json.loads(done.out) if done.out.strip() else done.err

        yield ran


async def test_a_store_that_is_well_has_no_difference_but_what_goes_by_itself(site: Installation) -> None:
    found = await look(site, FINE)
    assert causes(found) == {"count_late"}
    assert all(each.passes for each in found)


async def test_what_the_point_of_sale_has_in_a_file_is_told_apart_by_its_cause(site: Installation) -> None:
    levels = [count("SHIRT", "o1", 7, 9), count("HAT", "o1", 3, 1), count("MUG", "o1", 8, 1)]
    found = {each.product_id: each for each in await look(site, FINE, levels) if each.product_id}
    assert {name: each.cause for name, each in found.items()} == {
        "p-shirt": "awaits_count",
        "p-mug": "count_missing",
        "p-hat": "file_older",
    }


async def test_nothing_differs_while_orders_and_counts_flow(site: Installation) -> None:
    async def flow() -> None:
        for number in range(40):
            await site.publish("ecom.orders", FINE, order(f"F{number}", ("SHIRT", 1)))
            await site.publish("pos.inventory", FINE, count("SHIRT", "o1", 9 + number, 10 + number))

    flowing = asyncio.create_task(flow())
    looks = 0
    while not flowing.done() or not looks:
        looks += 1
        found = await look(site, FINE)
        assert [each for each in found if not each.passes] == []
    await flowing
    await site.settled()
    assert {each.cause for each in await look(site, FINE) if not each.passes} == set()


async def test_each_thing_that_is_broken_is_named_with_its_cause(run: Run) -> None:
    code, answer = await run("reconcile", "list", "--store", BROKEN)
    assert code == Exit.FOUND
    named: dict[str, set[str]] = {}
    for each in answer["differences"]:
        named.setdefault(each.get("product_id") or each.get("order_id") or "store", set()).add(each["cause"])
    assert named == {
        "p-shirt": {"table_differs", "unlike_count", "movement_rows_differ"},
        "p-hat": {"movements_missing", "table_behind", "promises_differ"},
        "p-cup": {"row_differs"},
        "A": {"sale_missing"},
        "B": {"sale_differs"},
    }


async def test_a_correction_that_was_computed_against_another_level_is_refused_visibly(
    site: Installation,
) -> None:
    told = {"correction_id": "late", "product_id": "p-cup", "outlet_id": "o1", "revision": 77, "on_hand": 1}
    await site.publish("stock.corrections", BROKEN, told)
    await site.settled()
    assert ("correction_refused", "level/p-cup/o1") in Store(site, BROKEN).open_exceptions


async def test_compensation_is_a_dry_run_then_writes_movements_once_and_is_audited(
    site: Installation, run: Run
) -> None:
    code, answer = await run("reconcile", "compensate", "--store", BROKEN)
    assert (code, answer["applied"]) == (Exit.OK, False)
    due = {each["correction"]["product_id"]: each["then"] for each in answer["corrections"]}
    assert {name: [int(Decimal(str(n))) for n in then] for name, then in due.items()} == {
        "p-shirt": [9, 2, 0],
        "p-hat": [5, 1, 0],
        "p-cup": [4, 0, 0],
    }
    assert causes(await look(site, BROKEN)) >= {"table_differs", "table_behind"}

    refused, said = await run("reconcile", "compensate", "--store", BROKEN, "--apply")
    assert refused == Exit.USAGE
    assert "--why" in said
    async with site.connected() as connection, turn(connection, f"stock of {BROKEN}"):
        busy, said = await run("reconcile", "compensate", "--store", BROKEN, "--apply", "--why", "a test")
    assert busy == Exit.BUSY

    code, answer = await run(
        "reconcile", "compensate", "--store", BROKEN, "--apply", "--why", "somebody laid hands"
    )
    assert code == Exit.OK, answer
    outcomes = {each["product_id"]: each["outcome"] for each in answer["corrections"]}
    assert outcomes == {"p-shirt": "applied", "p-hat": "applied", "p-cup": "unchanged"}
    await site.settled()
    assert not Store(site, BROKEN).open_exceptions
    left = await look(site, BROKEN)
    assert {each.remedy for each in left} == {"replay"}
    _, (done, *_) = await run("audit", "list", "--action", "reconcile")
    assert (done["state"], done["result"]["applied"], done["reason"]) == ("done", 2, "somebody laid hands")


async def test_what_was_corrected_stays_so_after_a_restart_and_says_who_and_why(
    site: Installation, run: Run
) -> None:
    (worker,) = (each for each in site._workers if each.kind == "stock" and each.wanted)
    await worker.stop()
    worker.start()
    await site.publish("ecom.orders", BROKEN, order("C", ("SHIRT", 1)))
    await site.settled()
    assert {each.remedy for each in await look(site, BROKEN)} == {"replay"}
    code, (level,) = await run("stock", "why", "HAT", "--store", BROKEN)
    assert code == Exit.OK, level["problems"]
    last = level["movements"][-1]
    assert (last["kind"], last["why"]) == ("corrected", "somebody laid hands")
    assert level["level"] == {"on_hand": 5, "allocated": 1, "awaiting": 0}


async def test_levels_of_a_file_become_the_levels(site: Installation, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "levels.json"
    path.write_text(json.dumps([count("CUP", "o1", 11, 5), count("MUG", "o1", 8, 1)]))
    code, answer = await run(
        "reconcile",
        "compensate",
        "--store",
        BROKEN,
        "--levels",
        str(path),
        "--apply",
        "--why",
        "counted by hand",
    )
    assert (code, [each["outcome"] for each in answer["corrections"]]) == (Exit.OK, ["applied"])
    await site.settled()
    left = [
        each for each in await look(site, BROKEN, json.loads(path.read_text())) if each.remedy != "replay"
    ]
    assert [(each.product_id, each.remedy) for each in left] == [("p-mug", "publish")]
