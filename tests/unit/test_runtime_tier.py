"""Rows on disk and rows in memory are one table."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.runtime.disk import Disk
from streams.runtime.errors import DiskError
from streams.runtime.health import TableHealth
from streams.runtime.store import Store
from streams.runtime.tables import TableSpec, TableView
from streams.runtime.tier import ROW_BYTES, Room, TieredRows, Tiers

NOTES: TableSpec[bytes] = TableSpec("notes", grows=True)
ROW = 100
WHOLE = ROW_BYTES + len(b"000") + ROW


@contextlib.contextmanager
def disk_in(common: Path) -> Iterator[Disk]:
    disk = Disk(common, "test", TableHealth())
    try:
        yield disk
    finally:
        disk.delete()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with disk_in(tmp_path) as disk:
        yield disk


def row(number: int) -> tuple[bytes, bytes]:
    return b"%03d" % number, b"%d" % number * (ROW // len(b"%d" % number))


def filled(room: Room, count: int) -> TieredRows:
    rows = room.add("notes")
    rows.apply((b"%03d" % number, b"x" * ROW) for number in range(count))
    return rows


def test_the_rows_written_last_stay_in_memory(disk: Disk) -> None:
    room = Room(0, 10 * WHOLE, disk)
    rows = filled(room, 10)
    rows.apply([(b"000", b"y" * ROW)])
    rows.apply((b"%03d" % number, b"x" * ROW) for number in range(10, 15))
    room.make()
    assert sorted(rows.data) == [b"000", *(b"%03d" % number for number in (6, 7, 8, 9, 10, 11, 12, 13, 14))]
    assert rows.cold is not None
    assert sorted(rows.cold.keys_from(b"")) == [b"001", b"002", b"003", b"004", b"005"]


def test_the_memory_that_rows_take_is_kept_account_of(disk: Disk) -> None:
    room = Room(0, 10**9, disk)
    rows = filled(room, 10)
    assert room.used == rows.size == 10 * WHOLE
    rows.apply([(b"000", b"y"), (b"001", None), (b"absent", None)])
    assert room.used == rows.size == 9 * WHOLE - (ROW - 1)
    rows.evict(4 * WHOLE)
    assert room.used == rows.size == 5 * WHOLE - (ROW - 1)


def test_each_table_of_a_partition_gives_up_the_same_part(disk: Disk) -> None:
    room = Room(0, 200 * WHOLE, disk)
    large, small = filled(room, 300), filled(room, 100)
    room.make()
    assert (len(large.data), len(small.data)) == (150, 50)
    assert disk.health.moved == 200


def test_a_little_too_much_is_not_moved_row_by_row(disk: Disk) -> None:
    room = Room(0, 160 * WHOLE, disk)
    rows = filled(room, 170)
    room.make()
    assert len(rows.data) == 170
    rows.apply([row(900)])
    room.make()
    assert len(rows.data) == 160


async def test_partitions_share_the_memory_evenly(disk: Disk) -> None:
    tiers = Tiers(200 * WHOLE, disk)
    await tiers.assign(set(), {0, 1})
    rows = tiers.rows("notes", 0)
    rows.restore((b"%03d" % number, b"x" * ROW) for number in range(300))
    assert len(rows.data) == 100
    await tiers.assign({0}, {0, 1, 2, 3})
    assert len(rows.data) == 50
    await tiers.assign({0}, {0})
    rows.restore((b"%03d" % number, b"x" * ROW) for number in range(300))
    assert len(rows.data) == 200


async def test_rows_of_a_lost_partition_leave_the_disk(disk: Disk) -> None:
    tiers = Tiers(100 * WHOLE, disk)
    await tiers.assign(set(), {0})
    rows = tiers.rows("notes", 0)
    rows.restore((b"%06d" % number, os.urandom(1000)) for number in range(20_000))
    assert rows.count() > 15_000
    await tiers.assign(set(), {0})
    again = tiers.rows("notes", 0)
    assert again.get(b"000000") is None
    again.restore([(b"new", b"x")])
    again.evict(1)
    assert again.cold is not None
    assert list(again.cold.keys_from(b"")) == [b"new"]


def test_a_unit_reads_what_is_on_disk_once(disk: Disk) -> None:
    rows = filled(Room(0, 10**9, disk), 10)
    rows.evict(5 * WHOLE)
    unit = TableView(NOTES, rows)
    assert unit.get(b"000") == b"x" * ROW
    unit.put(b"000", b"x" * ROW)
    assert unit.changes() == []  # what is there already is no change, wherever it is
    unit.put(b"000", b"new")
    assert unit.changes() == [(b"000", b"new")]
    assert disk.health.read == 1


def test_what_is_written_again_comes_back_into_memory(disk: Disk) -> None:
    rows = filled(Room(0, 10**9, disk), 10)
    rows.evict(10 * WHOLE)
    unit = TableView(NOTES, rows)
    unit.put(b"003", b"new")
    unit.apply(unit.changes())
    assert dict(rows.data) == {b"003": b"new"}
    assert rows.get(b"003") == b"new"
    rows.evict(1)
    assert (dict(rows.data), rows.get(b"003")) == ({}, b"new")


def test_a_row_that_is_removed_is_gone_from_both(disk: Disk) -> None:
    rows = filled(Room(0, 10**9, disk), 10)
    rows.evict(10 * WHOLE)
    rows.apply([(b"003", b"again"), (b"004", None)])
    rows.apply([(b"003", None)])
    assert [rows.get(key) for key in (b"003", b"004")] == [None, None]
    assert rows.keys_from(b"") == [b"%03d" % number for number in (0, 1, 2, 5, 6, 7, 8, 9)]


def test_the_stores_mapping_has_the_rows_of_both(disk: Disk) -> None:
    rows = filled(Room(0, 10**9, disk), 3)
    rows.evict(1)
    store = Store.__new__(Store)
    store.__post_init__()
    store.replace(0, rows)
    assert list(store.data) == [b"000", b"001", b"002"]
    assert len(store.data) == 3
    assert store.data[b"000"] == b"x" * ROW
    with pytest.raises(KeyError):
        store.data[b"absent"]


keys = st.binary(min_size=0, max_size=3)
steps = st.one_of(
    st.tuples(st.just("put"), keys, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("remove"), keys, st.none()),
    st.tuples(st.just("read"), keys, st.none()),
    st.tuples(st.just("scan"), keys, st.none()),
    st.tuples(st.just("commit"), st.none(), st.none()),
    st.tuples(st.just("evict"), st.integers(1, 2000), st.none()),
)


@pytest.fixture(scope="module")
def shared_disk() -> Iterator[Disk]:
    with TemporaryDirectory() as common, disk_in(Path(common)) as disk:
        yield disk


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(steps, max_size=60))
def test_two_tiers_are_what_a_plain_dictionary_would_be(shared_disk: Disk, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    room = Room(0, 300, shared_disk)
    rows = room.add("notes")
    expected: dict[bytes, bytes] = {}
    unit = TableView(NOTES, rows)
    for doing, what, value in steps:
        match doing:
            case "put":
                unit.put(what, value)
                expected[what] = value
            case "remove":
                unit.put(what, None)
                expected.pop(what, None)
            case "read":
                assert unit.get(what) == expected.get(what)
            case "scan":
                wanted = sorted((key, row) for key, row in expected.items() if key.startswith(what))
                assert list(unit.scan(what)) == wanted
            case "commit":
                unit.apply(unit.changes())
                room.make()
                unit = TableView(NOTES, rows)
            case "evict":
                unit.apply(unit.changes())
                rows.evict(what)
                unit = TableView(NOTES, rows)
    unit.apply(unit.changes())
    assert {key: rows.get(key) for key in rows.keys_from(b"")} == expected
    assert room.used == sum(len(key) + len(row) + ROW_BYTES for key, row in rows.data.items())
    room.drop()


def test_a_disk_that_is_full_ends_with_the_folder_and_what_to_do(tmp_path: Path) -> None:
    disk = Disk(tmp_path, "test", TableHealth())
    rows = Room(0, 10**9, disk).add("notes")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))  # stands for a full disk
    try:
        with pytest.raises(DiskError) as raised:
            for begin in range(0, 200_000, 1000):
                rows.apply((b"%06d" % n, os.urandom(1000)) for n in range(begin, begin + 1000))
                rows.evict(1000 * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    text = str(raised.value)
    assert text.startswith(f"Writing table rows in {disk.path} failed: ")
    assert "TILLSTREAM_TABLE_DIR" in text
    assert disk.failure is raised.value
    with contextlib.suppress(DiskError):
        disk.delete()
    assert [path.name for path in tmp_path.iterdir()] == [".turn"]


def test_a_row_that_cannot_be_read_is_no_absent_row(disk: Disk) -> None:
    rows = filled(Room(0, 10**9, disk), 10)
    rows.evict(1)
    assert rows.cold is not None
    rows.cold.drop()
    with pytest.raises(DiskError, match="Reading table rows in"):
        rows.get(b"000")


def test_the_stock_worker_keeps_in_memory_what_every_order_needs() -> None:
    from streams.agents.stock import table_specs

    grows = {spec.name for spec in table_specs() if spec.grows}
    assert {"sales", "customers", "emails", "exceptions", "pos_sales"} == grows
