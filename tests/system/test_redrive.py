"""Dead letters in an operator's hands: sent again in order and once, mended, linked, set aside."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from storage.operations.turn import turn
from streams.cli.exits import Exit
from streams.redrive.run import TURN
from tests.system.cases import LINK
from tests.system.installation import PARTITIONS, Installation
from tests.system.payloads import order
from tests.system.redriving import Operator, misplaced, named, on_topic
from tests.system.store import Store
from topics.partitions import partition_of


@pytest.fixture
def operator(shop: Installation) -> Operator:
    return Operator(shop)


async def opened(shop: Installation, name: str) -> Store:
    store_id = named(name)
    await shop.publish("store.links", store_id, LINK)
    return Store(shop, store_id)


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


def bad(order_id: str) -> dict[str, Any]:
    """Return an order whose total is no number."""
    return order(order_id, ("SHIRT", 1), total="a lot")


async def test_refused_orders_are_sent_again_in_order_with_key_headers_time_and_a_mark(
    shop: Installation, operator: Operator
) -> None:
    store = await opened(shop, "dlq-order")
    values = [raw(order(f"M{number}", ("SHIRT", 1))) for number in range(1, 6)]
    places = await misplaced(shop, store.store_id, values, [("trace", b"t-1"), ("binary", b"\xff")])
    await shop.settled()

    dry = await operator.answer("redrive", "--store", store.store_id)
    assert (dry["applied"], dry["chosen"], dry["sendable"], dry["sent"]) == (False, 5, 5, 0)
    assert await on_topic(shop, "ecom.orders", store.store_id) == []

    done = await operator.change("redrive", "--store", store.store_id)
    await shop.settled()

    assert (done["sent"], done["refused"]) == (5, 0)
    sent = await on_topic(shop, "ecom.orders", store.store_id)
    assert [record.value for record in sent] == values
    for record, (partition, offset) in zip(sent, places, strict=True):
        headers = dict(record.headers)
        assert (headers["trace"], headers["binary"]) == (b"t-1", b"\xff")
        assert headers["tillstream_redriven_from"].decode() == f"ecom.orders/{partition}/{offset}"
    assert len({dict(record.headers)["tillstream_redrive"] for record in sent}) == 5
    rows = sorted(await store.rows("dead_letters"), key=lambda row: row["source_offset"])
    assert [record.timestamp for record in sent] == [
        round(row["record_time"].timestamp() * 1000) for row in rows
    ], "its time may be the version of its order"
    letters = await operator.letters(store.store_id)
    assert [letter["redrive_id"] for letter in letters] == [
        dict(record.headers)["tillstream_redrive"].decode() for record in sent
    ]
    shown = await operator.answer("show", letters[0]["dead_letter_id"])
    assert shown["not_in_log"] is None
    assert {"name": "trace", "value": "t-1"} in shown["headers"]
    assert [sale.order_id for sale in store.all_sales] == ["M1", "M2", "M3", "M4", "M5"]
    await store.assert_history_agrees()

    (entry, *_) = await shop.ask("audit", "list", "--action", "dlq")
    assert (entry["action"], entry["operator"], entry["reason"], entry["state"]) == (
        "dlq redrive", "ana@till", "a test of operations", "done",
    )  # fmt: skip
    assert entry["scope"] == {"store": store.store_id}
    assert (entry["result"]["chosen"], entry["result"]["sent"], entry["result"]["refused"]) == (5, 5, 0)

    again = await operator.change("redrive", *(letter["dead_letter_id"] for letter in letters))
    assert (again["sent"], again["already"]) == (0, 5), "once is enough"


@pytest.mark.parametrize("step", ["noted", "put", "committed", "sent"])
async def test_a_redrive_that_is_killed_at_any_step_and_run_again_sends_each_record_once(
    shop: Installation, operator: Operator, step: str
) -> None:
    store = await opened(shop, f"dlq-kill-{step}")
    values = [raw(order(f"K{number}", ("SHIRT", 1))) for number in range(1, 4)]
    await misplaced(shop, store.store_id, values)
    await shop.settled()

    await operator.killed(store.store_id, step)

    left = {letter["state"] for letter in await operator.letters(store.store_id)}
    assert left == ({"sent_again"} if step == "sent" else {"sending"})
    ids = [letter["dead_letter_id"] for letter in await operator.letters(store.store_id)]
    if step != "sent":
        refused = await operator.run("discard", ids[0])
        assert refused.exit_code == Exit.REFUSED
        assert "may have sent the record" in refused.stderr

    done = await operator.change("redrive", "--store", store.store_id)
    await shop.settled()

    had_sent = 3 if step == "committed" else 0
    assert done["settled_as_sent"] == had_sent
    assert done["sent"] == (3 if step in ("noted", "put") else 0)
    assert [record.value for record in await on_topic(shop, "ecom.orders", store.store_id)] == values
    assert {letter["state"] for letter in await operator.letters(store.store_id)} == {"sent_again"}
    assert [sale.order_id for sale in store.all_sales] == ["K1", "K2", "K3"]
    await store.assert_history_agrees()


async def test_a_mended_record_is_sent_in_place_of_the_bad_one_and_decided(
    shop: Installation, operator: Operator, tmp_path: Path
) -> None:
    store = await opened(shop, "dlq-mend")
    await shop.publish("ecom.orders", store.store_id, bad("B1"))
    await shop.settled()
    (letter,) = await operator.letters(store.store_id)
    assert (letter["reason"], letter["state"], letter["order_id"]) == ("bad_number", "new", "B1")

    file = tmp_path / "record.json"
    shown = await operator.answer("show", letter["dead_letter_id"], "--save", str(file))
    assert shown["head"] is None
    assert "--replace" in shown["advice"]
    assert shown["read_now"].startswith("refused again: bad_number")
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_bytes()) == bad("B1")
    refused = await operator.run(
        "redrive", letter["dead_letter_id"], "--replace", str(file), "--apply", "--why", "not mended"
    )
    assert refused.exit_code == Exit.REFUSED
    assert "given in its place breaks the contract: bad_number" in refused.stderr

    file.write_bytes(raw(order("B1", ("SHIRT", 1))))
    await operator.change("redrive", letter["dead_letter_id"], "--replace", str(file))
    await shop.settled()

    assert [(sale.order_id, sale.total) for sale in store.all_sales] == [("B1", 10)]
    (letter,) = await operator.letters(store.store_id)
    assert (letter["state"], letter["origin"], letter["redriven_by"]) == ("sent_again", "file", "ana@till")


async def test_a_record_that_is_refused_again_is_linked_to_its_first_letter(
    shop: Installation, operator: Operator
) -> None:
    store = await opened(shop, "dlq-back")
    await shop.publish("ecom.orders", store.store_id, bad("B2"))
    await shop.settled()
    assert (await operator.answer("redrive", "--store", store.store_id))["letters"][0]["fault"]

    await operator.change("redrive", "--store", store.store_id, "--reason", "bad_number")
    await shop.settled()

    first, second = await operator.letters(store.store_id)
    assert (first["state"], first["came_back_as"]) == ("came_back", [second["dead_letter_id"]])
    assert (second["state"], second["came_from"]) == ("new", first["dead_letter_id"])
    assert second["offset"] == first["sent_offset"]
    (back,) = await operator.letters(store.store_id, "--state", "came-back")
    assert back["dead_letter_id"] == first["dead_letter_id"]


async def test_of_a_search_answer_only_the_refused_order_is_sent_again(
    shop: Installation, operator: Operator, tmp_path: Path
) -> None:
    store = await opened(shop, "dlq-part")
    found = [order("F1", ("SHIRT", 1)), bad("F2"), order("F3", ("SHIRT", 1)), bad("F4")]
    await shop.publish(
        "ecom.orders", store.store_id, {"total": 4, "count": 4, "offset": 0, "limit": 100, "items": found}
    )
    await shop.settled()
    second, fourth = await operator.letters(store.store_id)
    assert (second["part"], fourth["part"]) == (1, 3)

    file = tmp_path / "F2.json"
    file.write_bytes(raw(order("F2", ("SHIRT", 1))))
    await operator.change("redrive", second["dead_letter_id"], "--replace", str(file))
    await operator.change("redrive", fourth["dead_letter_id"])
    await shop.settled()

    _, *sent = await on_topic(shop, "ecom.orders", store.store_id)
    assert [json.loads(record.value)["id"] for record in sent] == ["F2", "F4"]
    assert [sale.order_id for sale in store.all_sales] == ["F1", "F3", "F2"]


async def test_a_record_without_a_key_is_sent_again_when_its_store_is_said(
    shop: Installation, operator: Operator
) -> None:
    store = await opened(shop, "dlq-key")
    order_id = named("NOKEY")
    offset = await shop.put("ecom.orders", None, raw(order(order_id, ("SHIRT", 1))), 0)
    await shop.settled()
    found = await operator.answer("list", "--reason", "no_key", "--limit", "1000")
    (letter,) = [one["dead_letter_id"] for one in found if (one["partition"], one["offset"]) == (0, offset)]

    refused = await operator.run("redrive", letter, "--apply", "--why", "no store said")
    assert refused.exit_code == Exit.REFUSED
    assert "--store ID" in refused.stderr
    await operator.change("redrive", letter, "--store", store.store_id)
    await shop.settled()

    assert [sale.order_id for sale in store.all_sales] == [order_id]
    (record,) = await on_topic(shop, "ecom.orders", store.store_id)
    assert record.partition == partition_of(store.store_id.encode(), PARTITIONS)


async def test_a_link_is_not_sent_again_over_a_later_one(shop: Installation, operator: Operator) -> None:
    store = Store(shop, named("dlq-link"))
    broken = LINK | {"currency_precision": "two"}
    await shop.publish("store.links", store.store_id, LINK, broken)
    await shop.settled()
    (letter,) = await operator.letters(store.store_id)
    assert (await operator.answer("redrive", letter["dead_letter_id"]))["sendable"] == 1, "it is the last yet"

    await shop.publish("store.links", store.store_id, LINK | {"oversell": "restrict"})
    refused = await operator.run("redrive", letter["dead_letter_id"], "--apply", "--why", "too late")

    assert refused.exit_code == Exit.REFUSED
    assert "has a later one at store.links/" in refused.stderr
    assert "tillstream link set" in refused.stderr


async def test_two_operators_do_not_work_at_once(shop: Installation, operator: Operator) -> None:
    store = await opened(shop, "dlq-two")
    await shop.publish("ecom.orders", store.store_id, bad("B3"))
    await shop.settled()
    other = await asyncpg.connect(shop.dsn)
    try:
        async with turn(other, TURN):
            for deed in ("redrive", "discard", "restore"):
                busy = await operator.run(deed, "--store", store.store_id, "--apply", "--why", "at once")
                assert busy.exit_code == Exit.BUSY
                assert "Another operator is at work on dead letters" in busy.stderr
    finally:
        await other.close()
    (letter,) = await operator.letters(store.store_id)
    assert letter["state"] == "new"


async def test_a_letter_that_is_set_aside_is_not_listed_and_can_be_taken_up_again(
    shop: Installation, operator: Operator
) -> None:
    store = await opened(shop, "dlq-aside")
    await shop.publish("ecom.orders", store.store_id, bad("B4"), bad("B5"))
    await shop.settled()
    kept, aside = [letter["dead_letter_id"] for letter in await operator.letters(store.store_id)]

    dry = await operator.answer("discard", aside)
    assert (dry["applied"], dry["changed"]) == (False, 1)
    await operator.change("discard", aside)

    assert [one["dead_letter_id"] for one in await operator.letters(store.store_id)] == [kept]
    (gone,) = await operator.letters(store.store_id, "--state", "discarded")
    assert (gone["dead_letter_id"], gone["discarded_by"], gone["discarded_why"]) == (
        aside, "ana@till", "a test of operations",
    )  # fmt: skip
    refused = await operator.run("redrive", aside, "--apply", "--why", "it is set aside")
    assert refused.exit_code == Exit.REFUSED
    assert f"tillstream dlq restore {aside}" in refused.stderr

    assert (await operator.change("restore", "--store", store.store_id))["changed"] == 1
    assert (await operator.change("restore", aside))["unchanged"] == 1
    assert {one["state"] for one in await operator.letters(store.store_id)} == {"new"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("redrive",), "say which letters"),
        (("redrive", "--all", "--apply"), "say why"),
        (("redrive", "--store", "s", "--replace", __file__), "takes the place of one letter"),
        (("list", "--state", "lost"), "'lost' is none of new"),
        (("list", "--until", "tomorrow"), "'tomorrow' is neither"),
    ],
)
async def test_what_is_not_said_right_is_a_usage_error(
    operator: Operator, arguments: tuple[str, ...], said: str
) -> None:
    ended = await operator.run(*arguments)

    assert ended.exit_code == Exit.USAGE
    assert said in " ".join(ended.stderr.replace("│", "").split())


async def test_a_letter_that_is_not_there_is_said_so(operator: Operator) -> None:
    for deed in ("show", "redrive", "discard"):
        ended = await operator.run(deed, "no-such-letter")
        assert ended.exit_code == Exit.REFUSED
        assert "There is no letter no-such-letter" in ended.stderr
