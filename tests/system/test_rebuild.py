"""Tables whose changelogs are lost in mid-life come back as they were, and life goes on."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.stack import Stack
from streams.domain import queues, tables
from streams.domain.state import Queue, Stock
from streams.domain.tables import TABLES
from streams.rebuild import rebuild
from streams.rebuild.changelogs import Site, read_tables
from streams.rebuild.draft import SPECS
from streams.rebuild.rebuilding import Doubts
from streams.runtime.errors import ExitCode
from tests.system.cases import LINK, Case
from tests.system.installation import PARTITIONS, SHORT_SESSION, Installation
from tests.system.payloads import count, order, pos_fulfillment, pos_sale, profile
from tests.system.process import ROOT
from tests.system.store import Store
from tests.system.waiting import until
from tests.system.whole_life import STEPS, STORE
from topics.movements import StockMoved
from topics.partitions import partition_of
from topics.registry import changelog_name

STRICT = "rebuild-strict"
WAITS = "rebuild-waits"
CASES = ("06", "07", "09", "13")
Rows = dict[tuple[str, bytes], Any]


class Lost(NamedTuple):
    """An installation before its changelogs were deleted, and after they were made again."""

    shop: Installation
    before: Rows
    after: Rows
    untouched: rebuild.Plan
    plan: rebuild.Plan


async def _rows(shop: Installation) -> Rows:
    found = await read_tables(shop.settings, Site(PARTITIONS, ()))
    return {
        (table, key): _comparable(table, key, SPECS[table].decode(row))
        for (table, _), changelog in found.items()
        for key, row in changelog.rows.items()
    }


def _comparable(table: str, key: bytes, row: Any) -> Any:
    """Leave out what is worked out anew before it is used again."""
    if isinstance(row, Stock) and not row.listed:
        return msgspec.structs.replace(row, raw=Decimal(0))
    if table == tables.QUEUES and isinstance(row, Queue) and not key.endswith(f"\0{queues.BACKLOG}".encode()):
        return msgspec.structs.replace(row, serial=0)  # numbers name only who has no name of his own
    return row


async def _live(shop: Installation) -> None:
    for topic, payloads in STEPS:
        await shop.publish(topic, STORE, *payloads)
        await shop.decided()
    for number in CASES:
        await Case(number, f"rebuild-{number}").tell(shop)
    await _strict(shop)
    waiting = (
        ("ecom.orders", [order("W1", ("CAP", 1)), order("W2", ("CAP", 2))]),
        ("pos.inventory", [count("CAP", "o1", 5)]),
        ("ecom.orders", [order("W3", ("CAP", 1))]),
    )
    for topic, payloads in waiting:
        await shop.publish(topic, WAITS, *payloads)
        await shop.decided()


async def _strict(shop: Installation) -> None:
    """A store that oversells nothing and takes the point of sale's word early, with much left open."""
    link = LINK | {"oversell": "restrict", "levels_include_open_orders": True}
    steps: tuple[tuple[str, list[Any]], ...] = (
        ("store.links", [link]),
        ("pos.products", [{"id": "p-tea", "sku": "TEA", "name": "Tea", "active": True, "version": 3}]),
        ("pos.inventory", [count("TEA", "o1", 3), count("TEA", "o2", 1), count("POT", "o1", 2)]),
        ("pos.customers", [profile("c-1", "ada@example.com", "Ada"), profile("c-2", "ada@example.com", "A")]),
        (
            "ecom.orders",
            [
                order("S1", ("TEA", 2), ("POT", 1)),
                order("S2", ("TEA", 5)),
                order("S3", ("TEA", 1)),
                order("S4", ("UNKNOWN", 1)),
                order("S5", ("POT", 4), paymentStatus="CUSTOM_PAYMENT_STATUS_2"),
                order("S6", ("POT", 1), paymentStatus="AWAITING_PAYMENT"),
            ],
        ),
        (
            "pos.fulfillments",
            [pos_fulfillment("pos-s6", "o1", "FULFILLED", 1, (1, "POT", 1))],
        ),
        (
            "pos.sales",
            [
                pos_sale("pos-s1", ("TEA", 2, 10), ("POT", 1, 10), source_id="S1"),
                pos_sale("pos-s6", ("POT", 1, 10), source_id="S6"),
                pos_sale("pos-late", ("TEA", 1, 10), source_id="LATE"),
            ],
        ),
        ("pos.fulfillments", [pos_fulfillment("pos-s1", "o1", "PICKED", 1, (1, "TEA", 2), (2, "POT", 1))]),
        ("pos.fulfillments", [pos_fulfillment("pos-s1", "o1", "FULFILLED", 2, (1, "TEA", 1))]),
        ("ecom.orders", [order("S6", ("POT", 1), minute=5), order("S3", ("TEA", 1), minute=6)]),
        ("pos.inventory", [count("TEA", "o2", 1, version=2), count("TEA", "o1", 3, version=2)]),
        ("pos.fulfillments", [pos_fulfillment("pos-other", "o2", "PICKED", 1, (1, "TEA", 1))]),
    )
    for topic, payloads in steps:
        await shop.publish(topic, STRICT, *payloads)
        await shop.decided()
    await shop.journal.read()
    moved = [
        move.revision
        for event in shop.journal.of(StockMoved, STRICT)
        for move in event.movements
        if (move.product_id, move.outlet_id) == ("p-pot", "o1")
    ]
    correction = {"product_id": "p-pot", "outlet_id": "o1", "revision": moved[-1], "on_hand": "2"}
    # The second one comes too late: the first has moved the level.
    corrections = [correction | {"correction_id": name} for name in ("right", "late")]
    await shop.publish("stock.corrections", STRICT, *corrections)
    far = [outlet | {"connected": outlet["id"] == "o1"} for outlet in link["outlets"]]
    await shop.publish("store.links", STRICT, link | {"outlets": far})
    await shop.decided()


async def _delete_changelogs(shop: Installation) -> None:
    app_id = shop.settings.worker.app_id("stock")
    names = [changelog_name(app_id, table) for table in TABLES]
    client = AIOKafkaAdminClient(**shop.settings.kafka.client_options())
    await client.start()
    try:
        await client.delete_topics(names)

        async def gone() -> bool:
            return not set(names) & set(await client.list_topics())

        await until("the changelogs are gone", gone)
    finally:
        await client.close()


@pytest.fixture(scope="module")
async def lost(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lost]:
    async with Installation.on(stack.endpoints, tmp_path_factory.mktemp("rebuild")) as shop:
        shop.start("history")
        worker = shop.start("stock", **SHORT_SESSION)
        await _live(shop)
        assert await worker.stop() == ExitCode.OK
        before = await _rows(shop)
        untouched = await rebuild.plan(shop.settings, tuple(TABLES))
        await _delete_changelogs(shop)
        plan = await rebuild.plan(shop.settings, ())
        assert plan.tables == tuple(TABLES)
        await rebuild.carry_out(shop.settings, plan)
        yield Lost(shop, before, await _rows(shop), untouched, plan)


async def test_every_row_comes_back_as_it_was(lost: Lost) -> None:
    for table in TABLES:
        before = {key: row for (name, key), row in lost.before.items() if name == table}
        after = {key: row for (name, key), row in lost.after.items() if name == table}
        assert after == before, f"the table {table} is another"
        assert before, f"the table {table} is empty: the life told has nothing for it"
    assert lost.plan.doubts == Doubts()


async def test_life_goes_on_from_the_tables_that_were_made_again(lost: Lost) -> None:
    shop = lost.shop
    shop.start("stock", **SHORT_SESSION)
    await shop.publish("store.links", WAITS, LINK)
    await shop.publish("pos.inventory", STRICT, count("TEA", "o1", 9, version=3))
    await shop.publish("ecom.orders", STORE, order("AFTER", ("SHIRT", 1)))
    await shop.publish(
        "pos.fulfillments",
        STRICT,
        pos_fulfillment("pos-s1", "o1", "FULFILLED", 3, (1, "TEA", 2), (2, "POT", 1)),
    )
    await shop.publish("ecom.orders", STRICT, order("LATE", ("TEA", 1), minute=9))
    await shop.settled()
    await shop.until("what waited is decided", lambda: _decided(shop))
    await shop.settled()
    strict = Store(shop, STRICT)
    assert [line.fulfilled for line in strict.sale("S1").lines] == [2, 1]
    assert strict.sale("LATE").pos_sale_id == "pos-late"
    assert strict.sale("S2").lines[0].unallocated == 0
    for store_id in (STORE, STRICT, WAITS, *(f"rebuild-{number}" for number in CASES)):
        await Store(shop, store_id).assert_history_agrees()
    shop.assert_workers_unharmed()


async def _decided(shop: Installation) -> bool:
    await shop.journal.read()
    return {sale.order_id for sale in Store(shop, WAITS).all_sales} == {"W1", "W2", "W3"}


async def test_tables_that_are_whole_are_what_the_topics_say_and_stay_as_they_are(lost: Lost) -> None:
    assert lost.untouched.changed == 0
    assert {one.table for one in lost.untouched.planned if one.same} == set(TABLES)


async def test_a_row_that_cannot_be_read_is_found_and_mended(lost: Lost, tmp_path: Path) -> None:
    shop = lost.shop
    await asyncio.gather(*(worker.stop() for worker in shop._workers if worker.code is None))
    topic = changelog_name(shop.settings.worker.app_id("stock"), tables.STOCK)
    key = f"{STRICT}\0p-tea".encode()
    site = Site(PARTITIONS, ())
    partition = partition_of(STRICT.encode(), PARTITIONS)
    whole = (await read_tables(shop.settings, site, [tables.STOCK], [partition]))[tables.STOCK, partition]
    await shop._producer.send_and_wait(topic, b'[{"o1": tor', key=key, partition=partition)
    code, told = await _tillstream(shop, "verify")
    assert (code, told["missing"]) == (3, [])
    (broken,) = told["undecodable"]
    assert (broken["table"], broken["key"]) == ("stock", f"{STRICT}%00p-tea")
    row = tmp_path / "row.json"
    row.write_bytes(whole.rows[key])
    mending = ("repair", "--table", "stock", "--key", broken["key"], "--value", str(row))
    code, told = await _tillstream(shop, *mending)
    assert (code, told["applied"], told["readable"]) == (0, False, False)
    assert (await _tillstream(shop, "verify"))[0] == 3
    code, told = await _tillstream(shop, *mending, "--apply", "--why", "a torn row")
    assert (code, told["applied"]) == (0, True)
    assert (await _tillstream(shop, "verify"))[0] == 0
    (entry,) = await shop.ask("audit", "list")
    assert (entry["action"], entry["reason"], entry["state"]) == ("tables repair", "a torn row", "done")


async def _tillstream(shop: Installation, *words: str) -> tuple[int, Any]:
    """Run `tillstream tables …`; return its exit code and what it prints."""
    ran = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", "tables", *words, "--json"),
        cwd=ROOT,
        env=shop._environment | SHORT_SESSION,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await ran.communicate()
    assert ran.returncode in (0, 3), err.decode()
    return ran.returncode, json.loads(out)
