"""The tables of one partition while they are made again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from streams.agents.stock import table_specs
from streams.domain.books import Books, Moment, Puts
from streams.domain.tables import TABLES
from topics.event import Source
from topics.ids import StoreId

SPECS = {spec.name: spec for spec in table_specs()}


class Draft:
    """Rows by table and key, as bytes or structs; what the domain reads, and where its changes go."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[bytes, Any]] = {name: {} for name in TABLES}

    def get(self, table: str, key: bytes) -> Any:
        """Return the row, decoded, or None."""
        row = self.rows[table].get(key)
        return SPECS[table].decode(row) if isinstance(row, bytes) else row

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        """Yield the rows whose key begins with the prefix."""
        for key in [key for key in self.rows[table] if key.startswith(prefix)]:
            yield key, self.get(table, key)

    def put(self, table: str, key: bytes, row: msgspec.Struct | bytes | None) -> None:
        if row is None:
            self.rows[table].pop(key, None)
        else:
            self.rows[table][key] = row

    def take(self, puts: Puts, tables: Iterable[str]) -> None:
        """Take over changes of the named tables alone."""
        wanted = frozenset(tables)
        for (table, key), row in puts.items():
            if table in wanted:
                self.put(table, key, row)

    def books(self, store_id: StoreId, moment: Moment, instead: Mapping[tuple[str, bytes], Any]) -> Books:
        """Open a store's books as of a moment, with other rows in the place of some."""
        return Books(store_id, _Instead(self, instead), moment)

    def encoded(self, table: str) -> dict[bytes, bytes]:
        """Return a table's rows as a changelog holds them."""
        encode = SPECS[table].encode
        return {key: encode(row) for key, row in self.rows[table].items()}


class _Instead:
    def __init__(self, draft: Draft, instead: Mapping[tuple[str, bytes], Any]) -> None:
        self._draft = draft
        self._instead = instead

    def get(self, table: str, key: bytes) -> Any:
        if (table, key) in self._instead:
            return self._instead[table, key]
        return self._draft.get(table, key)

    def scan(self, table: str, prefix: bytes) -> Iterator[tuple[bytes, Any]]:
        for key, row in self._draft.scan(table, prefix):
            yield key, self._instead.get((table, key), row)


def at(source: Source, received_at: Any, checksum: int = 0) -> Moment:
    """Return the moment of a record that was decided before."""
    return Moment(source, received_at, received_at, checksum)


def key_of(store_id: str, name: str) -> bytes:
    """Return the key of a store's row."""
    return f"{store_id}\0{name}".encode()
