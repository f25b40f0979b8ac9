"""The tables of a history, as they are compared: their keys and columns, and which rows are meant."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from storage.growth.month import TABLES, TIMES
from storage.queries import query
from storage.replay.scope import Scope
from storage.schema import Schema

OWN = frozenset({"migrations", "progress"})
"""What a schema says of itself."""
CLOCKS = frozenset({"recorded_at", "updated_at"})
"""When a row was written: a replay writes at another time."""
# A letter that the history itself wrote has the time of the writing.
_LETTER_CLOCK = ("dead_letters", "processed_at")

_tables = query("replay.tables")
_pruned = query("replay.pruned")


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A table: `key` tells its rows apart, `columns` are all that must be the same.

    `parent` is the table whose row it belongs to, by `key[0]`. `revised`: a row may be replaced by a later
    revision.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    parent: str | None
    revised: bool

    @property
    def ordered(self) -> bool:
        """Whether its rows say of which order they are."""
        return "order_id" in self.columns

    @property
    def key_text(self) -> str:
        """Return the SQL of a row's key as text."""
        return f"ROW({', '.join(f't.{_quoted(column)}' for column in self.key)})::text"

    @property
    def row_text(self) -> str:
        """Return the SQL of all that must be the same, as text."""
        return f"ROW({', '.join(self.values)})::text"

    @property
    def values(self) -> list[str]:
        """Return the SQL of each column's value."""
        return [
            f"CASE WHEN t.found_by <> 'history' THEN t.{_quoted(column)} END"
            if (self.name, column) == _LETTER_CLOCK
            else f"t.{_quoted(column)}"
            for column in self.columns
        ]


async def tables(connection: Any, one: Schema) -> dict[str, Compared]:
    """Return every table of a schema, by name: one that a later version adds is compared like the others."""
    rows = [row for row in await connection.fetch(_tables, one.name) if row["name"] not in OWN]
    keys = {row["name"]: tuple(row["key"]) for row in rows}
    whole = {key: name for name, key in keys.items() if len(key) == 1}
    found = {}
    for row in rows:
        name, key = row["name"], keys[row["name"]]
        columns = tuple(row["columns"])
        if not key:
            raise ValueError(f"table {one.name}.{name} has no key: its rows cannot be told apart")
        found[name] = Compared(
            name=name,
            key=tuple(column for column in key if (name, column) != _LETTER_CLOCK),
            columns=tuple(column for column in columns if column not in CLOCKS),
            parent=whole.get(key[:1]) if key[1:] == ("position",) else None,
            revised="revision" in columns and "revision" not in key,
        )
    return found


async def pruned(connection: Any) -> dict[str, date]:
    """Return, by table, the day before which rows were let go of the live history (`history prune`)."""
    rows = dict(await connection.fetch(_pruned))
    return {table: rows[what] for what, table in TABLES.items() if what in rows}


class Side:
    """One of two histories that are compared, `own` against `other`, as far as a scope goes.

    All that a scope says of a store or an order is compared, rows that one side has and the other lacks too.
    A scope with a beginning or an end in the log is not all that the log says of anything: then rows of the
    shadow are looked up in the live history, and those that have a later revision there are left out. So is,
    on both sides, what is older than what was pruned.
    """

    def __init__(
        self, own: Schema, other: Schema, scope: Scope, *, live: bool, pruned: Mapping[str, date]
    ) -> None:
        self.schema = own
        self._other = other
        self._scope = scope
        self._live = live
        self._since = {
            TABLES[what]: f"{TIMES[what]} >= '{pruned[TABLES[what]]:%Y-%m-%d}T00:00:00Z'"
            for what in TABLES
            if TABLES[what] in pruned
        }

    @property
    def arguments(self) -> tuple[str | None, str | None]:
        """Return what $1 and $2 of every statement are."""
        return self._scope.store_id, self._scope.order_id

    def looks_up(self, table: Compared) -> bool:
        """Whether the table's rows are looked up in the other history: a session must see both then."""
        scope = self._scope
        return scope.bounded or (scope.order_id is not None and table.parent is None and not table.ordered)

    def source(self, table: Compared, known: Mapping[str, Compared]) -> str:
        """Return `FROM … WHERE …` of the rows that are meant; the table is `t` there."""
        conditions = ["($1::text, $2::text) IS NOT DISTINCT FROM ($1::text, $2::text)"]
        if table.parent is None:
            conditions += self._conditions(table, "t")
        elif parent := self._conditions(known[table.parent], "p"):
            link = _quoted(table.key[0])
            conditions.append(
                f"EXISTS (SELECT FROM {self.schema.name}.{table.parent} AS p"
                f" WHERE p.{link} = t.{link} AND {' AND '.join(parent)})"
            )
        return f"FROM {self.schema.name}.{table.name} AS t WHERE {' AND '.join(conditions)}"

    def views(self, names: Sequence[str], known: Mapping[str, Compared]) -> str:
        """Return a WITH clause that gives the tables' names to the rows that are meant."""
        meant = []
        for name in names:
            # Of an order, what stands for more than the order (a level) is no figure.
            none = " AND false" if self.looks_up(known[name]) and not self._scope.bounded else ""
            meant.append(f"{name} AS (SELECT t.* {self.source(known[name], known)}{none})")
        return "WITH " + ", ".join(meant)

    def _conditions(self, table: Compared, alias: str) -> list[str]:
        scope, conditions = self._scope, []
        if table.name in self._since:
            conditions.append(f"{alias}.{self._since[table.name]}")
        if scope.store_id is not None:
            conditions.append(f"{alias}.store_id = $1")
        if scope.order_id is not None and table.ordered:
            conditions.append(f"{alias}.order_id = $2")
        if self.looks_up(table):
            same = " AND ".join(f"o.{_quoted(column)} = {alias}.{_quoted(column)}" for column in table.key)
            there = f"SELECT FROM {self._other.name}.{table.name} AS o WHERE {same}"
            if self._live:
                revision = f" AND o.revision = {alias}.revision" if table.revised else ""
                conditions.append(f"EXISTS ({there}{revision})")
            elif table.revised:
                conditions.append(f"NOT EXISTS ({there} AND o.revision > {alias}.revision)")
        return conditions


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
