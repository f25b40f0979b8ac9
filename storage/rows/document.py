"""Things that events carry whole, at a revision: the newest revision is the row and replaces the older."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

from storage.queries import query
from storage.rows.entry import E, Entry, Table

Rows = list[tuple[Any, ...]]
Key = tuple[str, ...]


class Document(Generic[E]):
    """One kind of such things, in one table or several.

    `fill(event, value, *rows)` appends an event's rows to one list for each of `tables`; `key` and
    `revision` read the event. The queries `known_<name>` and `remove_<name>` are in queries/rows.sql.
    """

    def __init__(
        self,
        name: str,
        *,
        decode: Callable[[bytes], E],
        key: Callable[[E], Key],
        revision: Callable[[E], int],
        tables: Sequence[Table],
        fill: Callable[..., None],
    ) -> None:
        self.decode = decode
        self._key = key
        self._revision = revision
        self._tables = tables
        self._fill = fill
        self._known = query(f"rows.known_{name}")
        self._remove = query(f"rows.remove_{name}")

    async def write(self, connection: Any, entries: Sequence[Entry[E]], *, careful: bool) -> None:
        """Bring the tables to the newest revisions of the entries.

        A first revision is taken to be new, which the tables' keys check: the error that they raise for one
        that is not means that the same has to be done again, `careful`, which asks for every key first.
        """
        newest = self._newest(entries)
        asked = (
            newest if careful else [key for key, entry in newest.items() if self._revision(entry.event) > 1]
        )
        if asked:
            known = {
                tuple(row)[:-1]: row[-1] for row in await connection.fetch(self._known, *_columns(asked))
            }
            old = [key for key in known if self._revision(newest[key].event) > known[key]]
            for key in known.keys() - set(old):
                del newest[key]
            if old:
                await connection.execute(self._remove, *_columns(old))
        rows: tuple[Rows, ...] = tuple([] for _ in self._tables)
        for event, value, _ in newest.values():
            self._fill(event, value, *rows)
        for table, its_rows in zip(self._tables, rows, strict=True):
            await table.copy(connection, its_rows)

    def _newest(self, entries: Iterable[Entry[E]]) -> dict[Key, Entry[E]]:
        newest: dict[Key, Entry[E]] = {}
        for entry in entries:
            key = self._key(entry.event)
            other = newest.get(key)
            if other is None or self._revision(entry.event) > self._revision(other.event):
                newest[key] = entry
        return newest


def _columns(keys: Iterable[Key]) -> list[list[str]]:
    return [list(column) for column in zip(*keys, strict=True)]
