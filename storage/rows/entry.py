"""What rows are made from: an event of ours and the record it came in."""

from typing import Any, Generic, NamedTuple, Protocol, TypeVar

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)


class Record(Protocol):
    """A record of the log, as any Kafka client has it; `timestamp` is in milliseconds since 1970."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Entry(NamedTuple, Generic[E]):
    """An event and its bytes (mended, if need be) and its record."""

    event: E
    value: bytes
    record: Record


class Table(NamedTuple):
    """A table, and its columns in the order of the rows that are copied into it."""

    name: str
    columns: tuple[str, ...]

    async def copy(self, connection: Any, rows: list[tuple[Any, ...]]) -> None:
        """Append rows by binary COPY."""
        if rows:
            await connection.copy_records_to_table(self.name, records=rows, columns=self.columns)
