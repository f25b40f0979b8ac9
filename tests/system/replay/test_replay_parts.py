"""A replay of a part: a store, an order, a span of time or offsets; and what is found to differ."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from storage.replay.scope import Offsets, Scope
from streams.cli.exits import Exit
from streams.replay.desk import Desk
from streams.replay.diff import diff
from streams.replay.errors import RefusedError
from streams.replay.outlook import outlook
from streams.replay.plan import make_plan
from streams.replay.run import start
from tests.system.installation import PARTITIONS, Installation
from tests.system.payloads import order
from tests.system.replay.replaying import ORDER, STORES, WHY, Command, sell, settled
from tests.system.whole_life import STORE
from topics.partitions import partition_of

FIRST, OTHER = STORES[:2]


async def test_a_store_is_replayed_alone_and_what_was_changed_by_hand_is_named(
    shop: Installation, desk: Desk, command: Command
) -> None:
    await start(desk, Scope(store_id=FIRST), ORDER)
    assert (await diff(desk)).same
    async with shop.connected() as live:
        damaged = await live.fetchval(
            "SELECT sale_id FROM sales WHERE (store_id, order_id) = ($1, 'FIRST-0')", FIRST
        )
        await live.execute(
            "UPDATE sales SET total = total + 5, customer_name = 'Eve' WHERE sale_id = $1", damaged
        )
        lost = await live.fetchrow(
            "DELETE FROM stock_movements WHERE (store_id, product_id, revision) = ($1, 'p-shirt', 3)"
            " RETURNING *",
            FIRST,
        )
        # Of another store, so not looked at.
        await live.execute("UPDATE sales SET total = total + 7 WHERE store_id = $1", OTHER)
    try:
        found = await command(shop, "diff", "--sample", "5")
    finally:
        async with shop.connected() as live:
            await live.execute("UPDATE sales SET total = total - 7 WHERE store_id = $1", OTHER)
            await live.execute(
                "UPDATE sales SET total = total - 5, customer_name = document -> 'customer' ->> 'name'"
                " WHERE sale_id = $1",
                damaged,
            )
            await live.copy_records_to_table("stock_movements", records=[tuple(lost)])

    assert found.code == Exit.FOUND
    differing = {
        one["table"]: (one["only_live"], one["only_shadow"], one["changed"])
        for one in found.answer["tables"]
        if one["only_live"] or one["only_shadow"] or one["changed"]
    }
    assert differing == {"sales": (0, 0, 1), "stock_movements": (0, 1, 0)}
    sale, movement = found.answer["samples"]
    assert (sale["key"], sale["what"]) == ({"sale_id": str(damaged)}, "changed")
    assert sale["fields"] == {"customer_name": ["differs", "differs"], "total": ["25.00", "20.00"]}
    assert (movement["what"], movement["key"]["revision"]) == ("only shadow", "3")
    days = {(one["name"], one["live"], one["shadow"]) for one in found.answer["figures"]["day"]}
    (sold,) = await shop.rows("SELECT sum(total) AS total FROM sales WHERE store_id = $1", FIRST)
    assert ("sales: total", str(sold["total"] + 5), str(sold["total"])) in days
    assert [one["name"] for one in found.answer["figures"]["outlet"]] == ["movements: allocated"]


async def test_an_order_is_replayed_alone(shop: Installation, desk: Desk) -> None:
    scope = Scope(store_id=STORE, order_id="POSTED")

    seen = await outlook(desk, await make_plan(desk, scope), exact=True)
    await start(desk, scope, ORDER)

    rows = {one.table: one for one in seen.rows}
    for table in ("sales", "fulfillments", "refunds", "stock_movements", "exceptions"):
        assert rows[table].live == rows[table].log, table
    assert (rows["sales"].log, rows["fulfillments"].log) == (1, 2)
    found = await diff(desk)
    assert found.same
    compared = {one.table: (one.live, one.shadow) for one in found.tables}
    assert compared["sales"] == (1, 1)
    assert compared["sale_returns"][1] > 0
    with pytest.raises(RefusedError, match=f"is of store {STORE}: it has nothing of store {FIRST}"):
        await diff(desk, store_id=FIRST)


async def test_of_a_span_of_time_what_changed_later_is_no_difference(shop: Installation, desk: Desk) -> None:
    begin = datetime.now(UTC)
    await sell(shop, "SPAN", 2)
    await settled(shop)
    end = datetime.now(UTC) + timedelta(milliseconds=1)
    await shop.publish("ecom.orders", FIRST, order("SPAN-0", ("SHIRT", 3), ("HAT", 1), minute=5))
    await sell(shop, "LATER", 1)
    await settled(shop)
    scope = Scope(since=begin, until=end)

    seen = await outlook(desk, await make_plan(desk, scope), exact=True)
    await start(desk, scope, ORDER)

    records = Counter[str]()
    for part in seen.parts:
        records[desk.topic(part.topic)] += part.records
    assert (records["sales"], records["customers"]) == (6, 6)
    async with shop.connected() as connection:
        there = await connection.fetch("SELECT order_id FROM tillstream_replay.sales")
        assert sorted(row[0] for row in there) == ["SPAN-0"] * 3 + ["SPAN-1"] * 3
    found = await diff(desk)
    assert found.same
    # SPAN-0 of the first store is another by now.
    assert {one.table: one.shadow for one in found.tables}["sales"] == 5


async def test_a_span_of_offsets_is_what_was_asked_and_no_more_than_the_log_has(
    shop: Installation, desk: Desk
) -> None:
    partition = partition_of(FIRST.encode(), PARTITIONS)
    asked = Offsets(topic="sales", partition=partition, begin=4, end=9)

    plan = await make_plan(desk, Scope(offsets=(asked,)))
    seen = await outlook(desk, plan, exact=True)

    (part,) = seen.parts
    assert (part.begin, part.end) == (4, 9)
    assert 0 < part.records <= 5
    beyond = Offsets(topic="sales", partition=partition, begin=4, end=99_999_999)
    with pytest.raises(RefusedError, match=rf"sales partition {partition}: asked up to offset 99999999, and"):
        await make_plan(desk, Scope(offsets=(beyond,)))
    with pytest.raises(RefusedError, match="has no partition 77"):
        await make_plan(desk, Scope(offsets=(Offsets(topic="sales", partition=77, begin=0, end=1),)))


async def test_the_command_shows_a_plan_and_changes_nothing_without_a_word_why(
    shop: Installation, desk: Desk, command: Command
) -> None:
    planned = await command(shop, "run", "--store", FIRST)
    without = await command(shop, "run", "--store", FIRST, "--apply")
    nowhere = await command(shop, "plan", "--offsets", "sales:0:9-3")

    assert planned.code == Exit.OK
    assert planned.answer["exact"] is False
    assert planned.answer["records"] > 0
    assert (without.code, "say why" in without.error) == (Exit.USAGE, True)
    assert (nowhere.code, "is empty: 3 is not after 9" in nowhere.error) == (Exit.USAGE, True)
    assert (await command(shop, "drop", *WHY)).code == Exit.REFUSED
