"""Each difference is told by its cause: what is under way is not what is broken."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from storage.lookups.reconcile import LevelRow, SaleRow, StoreRows
from streams.domain.state import Level, Stock
from streams.payloads import Payload, PayloadError
from streams.reconcile.compare import differences
from streams.reconcile.compensation import plan
from streams.reconcile.counts import Counts, in_file
from streams.reconcile.ledger import Ledgers
from streams.reconcile.look import Seen
from streams.reconcile.sold import Sold
from streams.reconcile.table import StockTable
from tests.pure_store import count, item, link, order, shop
from topics import codec
from topics.event import Source
from topics.ids import OutletId, ProductId, StoreId
from topics.movements import Movement, StockMoved

STORE = StoreId("s1")
CUP, O1 = ProductId("cup"), OutletId("o1")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ROWS = StoreRows(
    positions={}, levels={}, movements={}, sales={}, refused=frozenset(), refusals=frozenset(), due_since=None
)
Change = tuple[str, int, int]
"""Kind, and what moves on hand and allocated."""


def moved(*changes: Change, written: int = 0, first: int = 1, offset: int = 0) -> Ledgers:
    """Return the ledger of cups, a record for each movement; Postgres has those before `written`."""
    ledgers = Ledgers(written, None)
    on_hand = allocated = 0
    for number, (kind, more, promised) in enumerate(changes):
        on_hand, allocated = on_hand + more, allocated + promised
        movement = Movement(
            kind=kind,  # type: ignore[arg-type]
            product_id=CUP,
            sku="CUP",
            outlet_id=O1,
            revision=first + number,
            on_hand=Decimal(more),
            allocated=Decimal(promised),
            on_hand_after=Decimal(on_hand),
            allocated_after=Decimal(allocated),
        )
        topic = {"counted": "pos.inventory", "corrected": "stock.corrections"}.get(kind, "ecom.orders")
        event = StockMoved(
            event_id=f"e{number}",
            store_id=STORE,
            event_time=NOON,
            received_at=NOON,
            processed_at=NOON + timedelta(seconds=number),
            cause=kind,
            source=Source(topic=topic, partition=0, offset=number),
            movements=(movement,),
        )
        ledgers.take(offset + number, codec.encode(event))
    return ledgers


def counted(*levels: tuple[int, int | None], decided: int = 99) -> Counts:
    """Return the counts of cups, of (level, version)."""
    counts = Counts()
    for offset, (level, version) in enumerate(levels):
        told = {"product_id": CUP, "outlet_id": O1, "count": level, "version": version}
        counts.take(offset, NOON, msgspec.json.encode(told))
    counts.settle(decided)
    return counts


def level(on_hand: int = 10, allocated: int = 0, revision: int = 1, **changes: Any) -> Level:
    return msgspec.structs.replace(Level(Decimal(on_hand), Decimal(allocated), revision=revision), **changes)


def seen(in_table: Level | None, ledgers: Ledgers | None = None, **changes: Any) -> Seen:
    table = StockTable(STORE)
    if in_table is not None:
        table.products[CUP] = Stock(outlets={O1: in_table}, sku="CUP")
    settings: dict[str, Any] = {
        "store_id": STORE,
        "link": link(),
        "rows": ROWS,
        "sales_topic": "sales",
        "table": table,
        "ledgers": (ledgers or moved(("counted", 10, 0))).levels,
        "sold": Sold(0),
        "counts": counted((10, 1)),
        "whole": True,
        "behind": {},
    }
    return Seen(**(settings | changes))


def causes(look: Seen, *levels: tuple[int, int | None]) -> set[tuple[str, str]]:
    """Return (cause, remedy) of what differs; `levels` are a file's, of (level, version)."""
    lines = [
        {"product_id": CUP, "outlet_id": O1, "count": amount, "version": version}
        for amount, version in levels
    ]
    filed = in_file(Payload(msgspec.json.encode(line), "levels.json") for line in lines)
    return {(each.cause, each.remedy) for each in differences(look, filed)}


def test_nothing_differs_where_all_say_the_same() -> None:
    assert causes(seen(level()), (10, 1)) == set()


@pytest.mark.parametrize(
    ("look", "cause"),
    [
        (seen(level(), counts=counted((10, 1), (7, 2), decided=1)), ("count_waits", "wait")),
        (seen(level(version=5), counts=counted((10, 5), (7, 3))), ("count_late", "none")),
        (seen(level(version=5), counts=counted((7, 3))), ("count_late", "none")),
        (seen(level(12), moved(("counted", 12, 0))), ("unlike_count", "compensate")),
        (seen(level(10, 1, 2)), ("table_ahead", "compensate")),
        (seen(level(7, 0)), ("table_differs", "compensate")),
        (seen(None, moving={(CUP, O1)}), ("moving", "look")),
        (seen(level(), link=None), ("not_linked", "link")),
        (seen(level(), behind={"sales": 3}), ("postgres_behind", "wait")),
    ],
)
def test_each_cause_has_its_remedy(look: Seen, cause: tuple[str, str]) -> None:
    if cause[0] == "table_ahead":
        look.apart = {(CUP, O1)}
    found = causes(look)
    assert cause in found
    others = {name for name, _ in found} - {cause[0]}
    assert others <= {"unlike_count"}, "another cause is named as well"


def test_what_was_corrected_since_the_last_count_is_no_difference_to_it() -> None:
    ledgers = moved(("counted", 10, 0), ("corrected", -3, 0))
    assert causes(seen(level(7, revision=2), ledgers)) == set()
    again = seen(level(7, revision=2), ledgers, counts=counted((10, 1), (7, 2)))
    assert causes(again) == set(), "a count that finds what was corrected moves nothing"


def test_a_count_that_was_decided_in_the_last_moment_is_not_judged() -> None:
    look = seen(level(12), moved(("counted", 12, 0)), fresh={(CUP, O1)})
    assert causes(look, (3, 9)) == set()


@pytest.mark.parametrize(
    ("filed", "include", "cause"),
    [
        ((10, 2), False, None),
        ((8, 2), False, "awaits_count"),
        ((7, 2), False, "count_missing"),
        ((7, 2), True, "awaits_count"),
        ((12, 2), True, "count_missing"),
        ((8, 0), False, "file_older"),
    ],
)
def test_another_level_in_the_file_is_told_apart_from_pieces_that_no_count_shows_yet(
    filed: tuple[int, int], include: bool, cause: str | None
) -> None:
    in_table = level(10, 1, 3, awaiting=Decimal(2), version=1)
    ledgers = moved(("counted", 10, 0), ("allocated", 0, 2), ("allocated", 0, -1))
    look = seen(in_table, ledgers, link=link(levels_include_open_orders=include))
    look.ledgers[CUP, O1].after = look.ledgers[CUP, O1].after._replace(awaiting=Decimal(2))
    assert {name for name, _ in causes(look, filed)} == ({cause} if cause else set())


def test_a_file_that_is_no_list_of_counts_is_refused_with_the_place() -> None:
    with pytest.raises(PayloadError, match=r"levels.json: product_id: missing"):
        in_file([Payload(b'{"count": 3}', "levels.json")])


def test_postgres_is_held_against_what_it_has_written_and_no_more() -> None:
    ledgers = moved(("counted", 10, 0), ("allocated", 0, 2), written=1)
    row = LevelRow("CUP", 1, Decimal(10), Decimal(0), Decimal(0))
    rows = msgspec.structs.replace(ROWS, levels={(CUP, O1): row}, movements={(CUP, O1): 1})
    assert causes(seen(level(10, 2, 2), ledgers, rows=rows)) == set()
    later = msgspec.structs.replace(rows, levels={(CUP, O1): msgspec.structs.replace(row, revision=2)})
    assert causes(seen(level(10, 2, 2), ledgers, rows=later)) == {("row_differs", "replay")}
    assert causes(seen(level(10, 2, 2), ledgers)) == {
        ("row_missing", "replay"),
    }
    fewer = msgspec.structs.replace(rows, movements={})
    assert causes(seen(level(10, 2, 2), ledgers, rows=fewer)) == {("movement_rows_differ", "replay")}


def test_a_level_that_no_movement_speaks_of_is_postgres_own_only_if_all_was_read() -> None:
    row = LevelRow("MUG", 1, Decimal(1), Decimal(0), Decimal(0))
    rows = msgspec.structs.replace(ROWS, levels={("mug", "o1"): row})
    assert causes(seen(level(), rows=rows)) == {("row_unknown", "replay")}
    assert causes(seen(level(), rows=rows, whole=False)) == set()


def test_sales_are_compared_by_their_revisions() -> None:
    store = shop(count("cup", "o1", 9))
    for number in (1, 2, 3):
        store.tell(order(f"A{number}", item("CUP", 1)))
    sold = Sold(written=99)
    for offset, number in enumerate((1, 2, 3)):
        sold.take(offset, codec.encode(store.sale(f"A{number}")))
    one, two, three = (store.sale(f"A{number}").sale_id for number in (1, 2, 3))
    rows = msgspec.structs.replace(
        ROWS,
        sales={one: SaleRow("A1", 1, True), two: SaleRow("A2", 4, True), "other": SaleRow("A9", 1, True)},
        refused=frozenset({("sales", 2)}),
    )
    found = {
        (each.cause, each.order_id)
        for each in differences(seen(level(), rows=rows, sold=sold))
        if each.sale_id is not None
    }
    assert found == {("sale_differs", "A2"), ("sale_refused", "A3"), ("sale_unknown", "A9")}
    assert three not in rows.sales


def test_no_correction_is_planned_for_what_goes_by_itself_or_postgres_lacks() -> None:
    look = seen(level(10, 2, 2), moved(("counted", 10, 0), ("allocated", 0, 2), written=2))
    look.sold.promised[CUP, O1] = Decimal(2)
    found = differences(look)
    assert {each.cause for each in found} == {"row_missing"}
    assert plan(look, found, {}, reason="", operator="") == []


def test_a_correction_brings_the_level_to_the_file_and_keeps_what_sales_hold() -> None:
    look = seen(level(10, 2, 2), moved(("counted", 10, 0), ("allocated", 0, 2)))
    look.sold.promised[CUP, O1] = Decimal(2)
    filed = in_file([Payload(b'{"product_id": "cup", "outlet_id": "o1", "count": 13}', "levels.json")])
    (planned,) = plan(look, differences(look, filed), filed, reason="counted", operator="ada")
    told = planned.correction
    assert (told.revision, told.on_hand, told.allocated, told.ledger) == (2, 3, 0, None)
    assert (planned.then.on_hand, planned.causes) == (13, ["count_missing"])
    again = plan(look, differences(look, filed), filed, reason="counted", operator="ada")
    assert again[0].correction.correction_id == told.correction_id, "sent twice, it applies once"
