"""Where Faust keeps table rows: encoded bytes, a set of rows per partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from faust.stores import base
from faust.types import TP
from sortedcontainers import SortedList  # type: ignore[import-untyped]  # ships no types


class ColdRows(Protocol):
    """Rows that left memory."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, rows: Iterable[tuple[bytes, bytes]]) -> None: ...

    def remove(self, keys: Iterable[bytes]) -> None: ...

    def keys_from(self, prefix: bytes) -> Iterator[bytes]: ...

    def count(self) -> int: ...

    def drop(self) -> None: ...


class Rows:
    """The rows of one table in one partition, by encoded key.

    `data` are those in memory. `cold` are others, if there are any: asked only where `data` has none.
    """

    __slots__ = ("_keys", "cold", "data")

    def __init__(self, data: dict[bytes, bytes] | None = None) -> None:
        self.data: dict[bytes, bytes] = {} if data is None else data
        self.cold: ColdRows | None = None
        # Sorted keys of those in memory, made at the first scan: a table that is never scanned does not pay
        # for them.
        self._keys: SortedList | None = None

    def get(self, key: bytes) -> bytes | None:
        """The row at `key`, or None."""
        row = self.data.get(key)
        return self.cold.get(key) if row is None and self.cold is not None else row

    def count(self) -> int:
        """How many rows there are; about as many when some are not in memory."""
        return len(self.data) + (0 if self.cold is None else self.cold.count())

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Put or (value None) remove rows."""
        data, keys = self.data, self._keys
        for key, value in changes:
            if value is None:
                if data.pop(key, None) is not None and keys is not None:
                    keys.remove(key)
            else:
                if keys is not None and key not in data:
                    keys.add(key)
                data[key] = value

    def restore(self, changes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take a part of the table's changelog, in order."""
        self.apply(changes)

    def keys_from(self, prefix: bytes) -> list[bytes]:
        """The keys that begin with `prefix`, sorted."""
        if self._keys is None:
            self._keys = SortedList(self.data)
        keys = keys_between(self._keys, prefix)
        return keys if self.cold is None else sorted({*keys, *self.cold.keys_from(prefix)})


class AllRows(Mapping[bytes, bytes]):
    """Several partitions' rows as one mapping."""

    def __init__(self, parts: Iterable[Rows]) -> None:
        self._parts = tuple(parts)

    def __getitem__(self, key: bytes) -> bytes:
        for rows in self._parts:
            row = rows.get(key)
            if row is not None:
                return row
        raise KeyError(key)

    def __iter__(self) -> Iterator[bytes]:
        for rows in self._parts:
            yield from rows.keys_from(b"")

    def __len__(self) -> int:
        return sum(1 for _ in self)


def keys_between(keys: SortedList, prefix: bytes) -> list[bytes]:
    """The keys of a sorted list that begin with `prefix`."""
    end = _after(prefix)
    if end is None:
        return list(keys.irange(minimum=prefix))
    return list(keys.irange(minimum=prefix, maximum=end, inclusive=(True, False)))


def _after(prefix: bytes) -> bytes | None:
    """The first key after all that begin with `prefix`; None when there is none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else None


class Store(base.Store):
    """Faust's table store.

    One set of rows per partition: what a lost partition leaves is dropped whole, recovery replaces it
    whole. Faust's own mapping interface reads over all partitions and refuses writes: only a committed unit
    or recovery changes rows.
    """

    def __post_init__(self) -> None:
        self.partitions: dict[int, Rows] = {}

    @property
    def data(self) -> Mapping[bytes, bytes]:
        """All rows of all partitions that this worker owns."""
        return AllRows(self.partitions.values())

    def rows(self, partition: int) -> Rows:
        """The rows of one partition; empty when it has none."""
        rows = self.partitions.get(partition)
        if rows is None:
            rows = self.partitions[partition] = Rows()
        return rows

    def replace(self, partition: int, rows: Rows) -> None:
        """Set the rows of a partition to what its changelog holds."""
        self.partitions[partition] = rows

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Forget the rows of all other partitions."""
        kept = set(partitions)
        for partition in [partition for partition in self.partitions if partition not in kept]:
            del self.partitions[partition]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise TypeError(f"table {self.table_name} is written by units of work only: use unit.table(...).put")

    def __delitem__(self, key: bytes) -> None:
        raise TypeError(f"table {self.table_name} is written by units of work only: use unit.table(...).put")

    def _clear(self) -> None:
        self.partitions.clear()

    def persisted_offset(self, tp: TP) -> None:
        """Nothing outlives the process."""

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Faust's own recovery; ours restores in bulk and never comes here."""
        raise TypeError("tables are restored in bulk (streams.runtime.recovery)")

    def reset_state(self) -> None:
        """Nothing on disk."""

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """Nothing on disk."""

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> None:
        """Nothing on disk."""
