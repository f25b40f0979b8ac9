"""What a unit sees of a table, and what it leaves."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.store import Rows
from streams.runtime.tables import TableSpec, TableView
from topics.registry import changelog_name


class Level(msgspec.Struct, frozen=True):
    on_hand: int


STOCK = TableSpec("stock", msgspec.json.Decoder(Level))
NOTES: TableSpec[bytes] = TableSpec("notes")


def view(**rows: int) -> TableView[Level]:
    return TableView(STOCK, Rows({key.encode(): b'{"on_hand":%d}' % level for key, level in rows.items()}))


def test_a_row_is_decoded_and_an_absent_one_is_none() -> None:
    stock = view(shirt=5)
    assert stock.get(b"shirt") == Level(5)
    assert stock.get(b"hat") is None


def test_a_unit_sees_its_own_changes() -> None:
    stock = view(shirt=5, hat=3)
    stock.put(b"shirt", Level(4))
    stock.put(b"hat", None)
    assert stock.get(b"shirt") == Level(4)
    assert stock.get(b"hat") is None


def test_nothing_changes_for_others_before_the_unit_is_applied() -> None:
    rows = Rows({b"shirt": b'{"on_hand":5}'})
    unit = TableView(STOCK, rows)
    unit.put(b"shirt", Level(4))
    assert TableView(STOCK, rows).get(b"shirt") == Level(5)
    unit.apply(unit.changes())
    assert TableView(STOCK, rows).get(b"shirt") == Level(4)


def test_changes_come_encoded_in_the_order_of_the_first_change() -> None:
    stock = view(shirt=5, hat=3)
    stock.put(b"shoes", Level(1))
    stock.put(b"hat", None)
    stock.put(b"shoes", Level(2))
    assert stock.changes() == [(b"shoes", b'{"on_hand":2}'), (b"hat", None)]


def test_a_change_to_what_is_there_already_is_none() -> None:
    stock = view(shirt=5)
    stock.put(b"shirt", Level(4))
    stock.put(b"shirt", Level(5))
    stock.put(b"hat", None)
    assert stock.changes() == []


def test_encoded_bytes_may_be_put() -> None:
    stock = view()
    stock.put(b"shirt", b'{"on_hand":7}')
    assert stock.get(b"shirt") == Level(7)
    assert stock.changes() == [(b"shirt", b'{"on_hand":7}')]


def test_a_table_without_a_decoder_holds_bytes_as_they_are() -> None:
    notes = TableView(NOTES, Rows({b"a": b"\x00raw"}))
    assert notes.get(b"a") == b"\x00raw"
    notes.put(b"b", b"new")
    assert notes.changes() == [(b"b", b"new")]


def test_a_scan_merges_the_units_changes_and_sorts_by_key() -> None:
    stock = view(**{"s1/a": 1, "s1/c": 3, "s2/a": 9})
    stock.put(b"s1/b", Level(2))
    stock.put(b"s1/c", None)
    assert list(stock.scan(b"s1/")) == [(b"s1/a", Level(1)), (b"s1/b", Level(2))]


def test_a_scan_may_change_what_it_goes_over() -> None:
    stock = view(a=1, b=2)
    for key, _ in stock.scan(b""):
        stock.put(key, None)
        stock.put(key + b"'", Level(0))
    assert [key for key, _ in stock.scan(b"")] == [b"a'", b"b'"]


keys = st.binary(min_size=0, max_size=3)


@given(
    rows=st.dictionaries(keys, st.binary(min_size=1)),
    steps=st.lists(st.tuples(keys, st.none() | st.binary(min_size=1), st.booleans())),
    prefix=keys,
)
def test_units_leave_what_a_plain_dictionary_would_have(
    rows: dict[bytes, bytes], steps: list[tuple[bytes, bytes | None, bool]], prefix: bytes
) -> None:
    table, expected = Rows(dict(rows)), dict(rows)
    unit = TableView(NOTES, table)
    for key, value, ends in steps:
        unit.put(key, value)
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
        wanted = sorted((key, value) for key, value in expected.items() if key.startswith(prefix))
        assert list(unit.scan(prefix)) == wanted
        if ends:
            unit.apply(unit.changes())
            unit = TableView(NOTES, table)
    unit.apply(unit.changes())
    assert table.data == expected


def test_changelog_names_are_derived_from_the_app_and_the_table() -> None:
    assert [changelog_name("x.stock", table.name) for table in (STOCK, NOTES)] == [
        "x.stock-stock-changelog",
        "x.stock-notes-changelog",
    ]


def test_a_decode_error_is_not_swallowed() -> None:
    with pytest.raises(msgspec.DecodeError):
        TableView(STOCK, Rows({b"shirt": b"{"})).get(b"shirt")
