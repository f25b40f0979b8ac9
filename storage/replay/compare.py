"""Two histories, row by row: how many rows differ, and in what."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from storage.replay.compared import Compared, Side
from storage.schema import LONG_S

BUCKETS = 4096
"""Rows are compared by sums over buckets first: only buckets that differ are gone through."""
FETCH_ROWS = 5_000
PERSONAL = frozenset({"customer_email", "customer_name", "email", "name", "first_name", "last_name"})
"""Columns of which it is said that they differ, and not how."""
_HIDDEN = PERSONAL | {"document", "head", "detail", "traceback"}

Reader = tuple[Any, Side]
"""A session, and the side that it reads."""
Rows = AsyncIterator[tuple[str, int]]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not the same: `fields` are its live and its shadow value, None where there is no row.

    Personal ones, and whole documents, are not shown: their place holds `differs`.
    """

    table: str
    key: dict[str, str]
    what: str
    """changed; only live; only shadow."""
    fields: dict[str, tuple[str | None, str | None]]


class TableCompared(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table: how many each side has, and how they differ."""

    table: str
    live: int
    shadow: int
    only_live: int = 0
    only_shadow: int = 0
    changed: int = 0

    @property
    def same(self) -> bool:
        """Whether every row is the same on both sides."""
        return not (self.only_live or self.only_shadow or self.changed)


class Comparison:
    """`live` and `shadow` are read through a session each, in a transaction that sees one moment.

    Where rows of one are looked up in the other, the shadow's session reads both.
    """

    def __init__(self, live: Reader, shadow: Reader, known: Mapping[str, Compared]) -> None:
        self._live = live
        self._shadow = shadow
        self._known = known
        self._found: list[tuple[Compared, str, str]] = []

    async def rows(self, table: Compared, sample: int) -> TableCompared:
        """Compare a table; of rows that differ, `sample` are remembered for `samples` over all tables."""
        ours = self._reader_of_live(table)
        live = await self._sums(ours, table)
        shadow = await self._sums(self._shadow, table)
        counts = {
            "live": sum(count for count, _ in live.values()),
            "shadow": sum(count for count, _ in shadow.values()),
        }
        odd = [bucket for bucket in live.keys() | shadow.keys() if live.get(bucket) != shadow.get(bucket)]
        how = {"only live": 0, "only shadow": 0, "changed": 0}
        if odd:
            async for what, key in _merged(
                self._keys(ours, table, odd), self._keys(self._shadow, table, odd)
            ):
                how[what] += 1
                if len(self._found) < sample:
                    self._found.append((table, what, key))
        return TableCompared(
            table=table.name,
            **counts,
            only_live=how["only live"],
            only_shadow=how["only shadow"],
            changed=how["changed"],
        )

    async def samples(self) -> list[Difference]:
        """Return in what the remembered rows differ."""
        return [await self._difference(*one) for one in self._found]

    def _reader_of_live(self, table: Compared) -> Reader:
        connection, side = self._live
        return (self._shadow[0] if side.looks_up(table) else connection), side

    async def _sums(self, reader: Reader, table: Compared) -> dict[int, tuple[int, Any]]:
        connection, side = reader
        rows = await connection.fetch(
            f"SELECT hashtextextended({table.key_text}, 0) & {BUCKETS - 1}, count(*),"
            f" sum(hashtextextended({table.row_text}, 0)::numeric)"
            f" {side.source(table, self._known)} GROUP BY 1",
            *side.arguments,
            timeout=LONG_S,
        )
        return {bucket: (count, total) for bucket, count, total in rows}

    async def _keys(self, reader: Reader, table: Compared, buckets: Sequence[int]) -> Rows:
        connection, side = reader
        cursor = connection.cursor(
            f'SELECT {table.key_text} COLLATE "C" AS key, hashtextextended({table.row_text}, 0)'
            f" {side.source(table, self._known)}"
            f" AND hashtextextended({table.key_text}, 0) & {BUCKETS - 1} = ANY($3::bigint[]) ORDER BY 1",
            *side.arguments,
            buckets,
            prefetch=FETCH_ROWS,
            timeout=LONG_S,
        )
        async for key, digest in cursor:
            yield key, digest

    async def _difference(self, table: Compared, what: str, key: str) -> Difference:
        live = await self._values(self._reader_of_live(table), table, key)
        shadow = await self._values(self._shadow, table, key)
        some = live or shadow or {}
        names = table.columns if live and shadow else table.key
        fields: dict[str, tuple[str | None, str | None]] = {}
        for name in names:
            pair = ((live or {}).get(name), (shadow or {}).get(name))
            if pair[0] != pair[1]:
                fields[name] = ("differs", "differs") if name in _HIDDEN else pair
        return Difference(
            table=table.name, key={name: some[name] or "" for name in table.key}, what=what, fields=fields
        )

    async def _values(self, reader: Reader, table: Compared, key: str) -> dict[str, str | None] | None:
        connection, side = reader
        columns = ", ".join(f"({value})::text" for value in table.values)
        row = await connection.fetchrow(
            f"SELECT {columns} {side.source(table, self._known)} AND {table.key_text} = $3",
            *side.arguments,
            key,
            timeout=LONG_S,
        )
        return None if row is None else dict(zip(table.columns, tuple(row), strict=True))


async def _merged(live: Rows, shadow: Rows) -> AsyncIterator[tuple[str, str]]:
    """Go through both in the order of their keys; yields what differs."""
    ours, theirs = await anext(live, None), await anext(shadow, None)
    while ours is not None or theirs is not None:
        # In the order of bytes, as Postgres sorts with collation "C".
        a = None if ours is None else ours[0].encode()
        b = None if theirs is None else theirs[0].encode()
        if ours is not None and theirs is not None and a == b:
            if ours[1] != theirs[1]:
                yield "changed", ours[0]
            ours, theirs = await anext(live, None), await anext(shadow, None)
        elif ours is not None and (b is None or (a is not None and a < b)):
            yield "only live", ours[0]
            ours = await anext(live, None)
        elif theirs is not None:
            yield "only shadow", theirs[0]
            theirs = await anext(shadow, None)
