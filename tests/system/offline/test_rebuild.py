"""Tables whose changelogs are lost in mid-life come back as they were."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from streams.domain import queues, tables
from streams.domain.state import Queue, Stock
from streams.domain.tables import TABLES
from streams.rebuild.draft import SPECS
from streams.rebuild.rebuilding import Doubts
from tests.system.offline.conftest import Rows, Stopped

pytestmark = pytest.mark.timeout(400)  # the first of them waits for the installation


def _decoded(rows: Rows, table: str) -> dict[bytes, Any]:
    return {
        key: _comparable(table, key, SPECS[table].decode(row))
        for (name, key), row in rows.items()
        if name == table
    }


def _comparable(table: str, key: bytes, row: Any) -> Any:
    """Leave out what is worked out anew before it is used again."""
    if isinstance(row, Stock) and not row.listed:
        return msgspec.structs.replace(row, raw=Decimal(0))
    if table == tables.QUEUES and isinstance(row, Queue) and not key.endswith(f"\0{queues.BACKLOG}".encode()):
        return msgspec.structs.replace(row, serial=0)  # numbers name only who has no name of his own
    return row


async def test_every_row_comes_back_as_it_was(stopped: Stopped) -> None:
    assert stopped.plan.tables == tuple(TABLES)
    for table in TABLES:
        before = _decoded(stopped.before, table)
        assert _decoded(stopped.after, table) == before, f"the table {table} is another"
        assert before, f"the table {table} is empty: the life told has nothing for it"


async def test_nothing_of_it_is_in_doubt(stopped: Stopped) -> None:
    assert stopped.plan.doubts == Doubts()
    assert stopped.plan.held == 5, "orders and a count wait for their store's link"


async def test_tables_that_are_whole_are_what_the_topics_say_and_stay_as_they_are(stopped: Stopped) -> None:
    assert stopped.untouched.changed == 0
    assert {one.table for one in stopped.untouched.planned if one.same} == set(TABLES)
