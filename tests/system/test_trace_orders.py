"""`tillstream order trace`: an order's whole life, as the topics and Postgres have it."""

import asyncio
import json
from typing import Any

import pytest

from tests.system import command
from tests.system.installation import Installation
from tests.system.payloads import order, pos_fulfillment, pos_sale
from tests.system.store import Store
from tests.system.test_life import opened

ORDER = "T1"


@pytest.fixture(scope="module")
async def traced(shop: Installation) -> tuple[Store, Any]:
    """A life with copies, late snapshots and a refused record in it, and its trace."""
    store = await opened(shop, "trace-life", SHIRT=5)
    store_id = store.store_id
    snapshot = order(ORDER, ("SHIRT", 2), minute=5)

    async def tell(topic: str, *values: Any) -> None:
        await shop.publish(topic, store_id, *values)
        await shop.decided()

    await tell("ecom.orders", snapshot)
    await tell("ecom.orders", snapshot, order(ORDER, ("SHIRT", 1), minute=1))
    await tell("ecom.orders", order("T2", ("SHIRT", 1)), order(ORDER, ("SHIRT", 2), minute=6, total="many"))
    acknowledged = pos_sale("s-trace", ("SHIRT", 2, 10), source_id=ORDER, tenders=(("Stripe", 20),))
    await tell("pos.sales", acknowledged, acknowledged)
    await tell("pos.sales", pos_sale("s-other", ("SHIRT", 1, 10), source_id="elsewhere"))
    await tell("pos.fulfillments", pos_fulfillment("s-trace", "o1", "PACKED", 1, (1, "SHIRT", 2)))
    await tell("pos.fulfillments", pos_fulfillment("s-trace", "o1", "FULFILLED", 2, (1, "SHIRT", 2)))
    back = pos_sale(
        "s-back", ("SHIRT", -1, 10), return_for="s-trace", status="CLOSED", tenders=(("Stripe", -10),)
    )
    await tell("pos.sales", back)
    await shop.settled()
    return store, await shop.ask("order", "trace", ORDER, "--store", store_id)


def of(trace: Any, source: str) -> list[Any]:
    return [entry for entry in trace["entries"] if entry["source"] == source]


async def test_every_snapshot_is_there_with_what_became_of_it(traced: tuple[Store, Any]) -> None:
    _, trace = traced
    marks = [entry["mark"].partition(":")[0].partition(" (")[0] for entry in of(trace, "ecom.orders")]
    assert marks == ["decided", "duplicate", "late", "refused"]
    offsets = [entry["offset"] for entry in of(trace, "ecom.orders")]
    assert offsets == sorted(set(offsets))


async def test_what_the_shop_told_of_the_sale_and_its_return_is_there_and_nothing_else(
    traced: tuple[Store, Any],
) -> None:
    _, trace = traced
    assert trace["pos_sale_ids"] == ["s-back", "s-trace"]
    sales = [
        (entry["id"], entry["what"], entry["mark"].partition(":")[0]) for entry in of(trace, "pos.sales")
    ]
    assert sales == [
        ("s-trace", "sale in the POS", "decided"),
        ("s-trace", "sale in the POS", "duplicate"),
        ("s-back", "return in the POS", "decided"),
    ]
    assert [entry["mark"].partition(":")[0] for entry in of(trace, "pos.fulfillments")] == ["decided"] * 2


async def test_each_revision_says_what_changed_and_each_effect_what_caused_it(
    traced: tuple[Store, Any],
) -> None:
    store, trace = traced
    sales = of(trace, "sales")
    assert [entry["revision"] for entry in sales] == [sale.revision for sale in store.revisions(ORDER)]
    assert sales[0]["what"] == "sale placed"
    assert "line 1 SHIRT: 2, 2 at o1" in sales[0]["detail"]
    assert any("fulfilled 0 → 2" in text for text in sales[-2]["detail"])
    assert any("refund + 10.00 Stripe" in text for text in sales[-1]["detail"])
    (first, *_) = of(trace, "stock.movements")
    (snapshot, *_) = of(trace, "ecom.orders")
    assert first["caused_by"] == f"ecom.orders/{snapshot['partition']}@{snapshot['offset']}"
    assert [entry["what"] for entry in of(trace, "dead.letters")] == ["dead letter bad_number"]
    assert [entry["what"] for entry in of(trace, "refunds")] == ["refund made"]


async def test_causes_stand_before_effects_and_rows_are_told_apart(traced: tuple[Store, Any]) -> None:
    store, trace = traced
    times = [entry["at"] for entry in trace["entries"]]
    assert times == sorted(times)
    sources = [entry["source"] for entry in trace["entries"]]
    assert sources.index("ecom.orders") < sources.index("sales")
    tables = [entry["table"] for entry in of(trace, "postgres")]
    moves = [row for row in await store.rows("stock_movements") if row["order_id"] == ORDER]
    assert tables.count("stock_movements") == len(moves)
    assert {"sales", "fulfillments", "refunds", "dead_letters"} <= set(tables)
    assert trace["notes"] == []


async def test_a_trace_holds_no_personal_data_unless_it_is_asked_for(
    shop: Installation, traced: tuple[Store, Any]
) -> None:
    store, trace = traced
    text = json.dumps(trace)
    assert "Ada Quill" not in text
    assert "@example.com" not in text
    whole = await shop.ask("order", "trace", ORDER, "--store", store.store_id, "--with-personal-data")
    assert of(whole, "ecom.orders")[0]["data"]["email"] == "t1@example.com"


async def test_an_order_that_nobody_knows_is_said(shop: Installation, traced: tuple[Store, Any]) -> None:
    store, _ = traced
    with pytest.raises(AssertionError, match="nothing is known of order 'T9'"):
        await asyncio.to_thread(
            command.answer, shop._environment, "order", "trace", "T9", "--store", store.store_id
        )
